"""What the columns of the history and the reasons mean, for the reference pages."""

from __future__ import annotations

from nbsteps.core.reasons import ReasonKind

DTYPES = {
    "text": "string",
    "int": "Int64",
    "time": "datetime64[us, UTC]",
    "duration": "timedelta64[us]",
    "list": "object",
    "json": "object",
}
"""Kind of a column to the dtype that it has in a DataFrame."""

_RUN = "id of the run"
_STEP = "name of the step"
_ITEM = "key of the item of a step with `--map`, else empty"
_STARTED = "when it started"
_ENDED = "when it ended; missing while it is running"
_DURATION = "`ended_at` - `started_at`"
_HOST = "name of the machine"
_PID = "id of the process"

MEANINGS: dict[str, dict[str, str]] = {
    "runs": {
        "": "One row for each run. Executing a single `%%step` cell is a run of one step.",
        "run_id": _RUN,
        "notebook": "path of the notebook, relative to its project",
        "trigger": "what started it: `cell`, `magic` (`%pipeline run`), `cli`, `api` or `papermill`",
        "state": "`running`, `waiting` for approval, `succeeded`, `failed`, `cancelled` or `crashed`; a run that "
        "waited shows how the run stands that went on with it",
        "started_at": _STARTED,
        "ended_at": _ENDED,
        "duration": _DURATION,
        "parameters": "a dict of name to text; values of names like `password` or `token` are `***`",
        "steps_total": "steps that the run was to look at",
        "steps_executed": "steps whose body was executed",
        "steps_restored": "steps that were restored",
        "steps_failed": "steps that failed",
        "host": _HOST,
        "pid": _PID,
        "user": "name of the user",
    },
    "steps": {
        "": "One row for each step of each run.",
        "run_id": _RUN,
        "notebook": "path of the notebook, relative to its project",
        "step": _STEP,
        "state": "`running`, `retrying`, `waiting` for approval, `succeeded` (its body was executed), `cached` "
        "(restored), `failed`, `upstream_failed` (something that it needs failed), `skipped`, `cancelled` or "
        "`crashed`; one that waited shows how it stands in the run that went on with it",
        "reason": "the first of `reasons`; where it ended without a result, why; where it waited, the question, or "
        "the run that went on with it",
        "reasons": "a list: [why it was executed](reasons.md)",
        "key": "the digest that identifies its result",
        "started_at": _STARTED,
        "ended_at": "when it ended; missing while it is running, and where another run went on with it",
        "duration": _DURATION,
        "attempts": "executions of the body",
        "items_total": "number of items of a step with `--map`; missing for others",
        "items_executed": "items whose bodies were executed; missing for others",
        "items_failed": "items that failed; missing for others",
        "time_saved": "how long the body had taken when it was executed, if it was restored now",
        "output_bytes": "size of its outputs as stored",
        "owner": "the text of `--owner`",
        "tags": "a list: the words of `--tags`",
    },
    "attempts": {
        "": "One row for each execution of a body.",
        "run_id": _RUN,
        "step": _STEP,
        "item": _ITEM,
        "attempt": "its number within the step's run, from 1",
        "state": "`running`, `succeeded`, `failed`, `cancelled` or `crashed`",
        "started_at": _STARTED,
        "ended_at": _ENDED,
        "duration": _DURATION,
        "delay": "wait before it",
        "error_type": "class of the exception",
        "error_message": "its text",
        "traceback": "as shown in the notebook, without colours",
        "executor": "where the body ran: `main` (the kernel's main thread), `threads`, `processes`, `dask`, the name "
        "of another executor; `map` for the whole of a mapped step",
        "host": _HOST,
        "pid": _PID,
        "peak_rss": "the most memory that the process had used when the attempt ended, bytes",
        "label": (
            "the item in a few words: the value of `--map-key`, or else its values; missing for steps without `--map` "
            "and for what earlier versions recorded"
        ),
        "position": "the place of the item among all items, from 0; missing where `label` is",
    },
    "events": {
        "": "One row for each thing that happened.",
        "at": "when",
        "run_id": _RUN,
        "step": f"{_STEP}; missing for events of the run",
        "item": _ITEM,
        "event": "its kind, such as `StepStarted`",
        "data": "a dict with what else is known",
    },
    "approvals": {
        "": "One row for each request for a person's decision.",
        "run_id": "id of the run that asked",
        "step": _STEP,
        "message": "the question, values filled in",
        "state": "`pending`, `approved`, `rejected`, `expired`, or `void` where inputs or code changed before anybody "
        "decided",
        "decided_by": "login name, or `expiry`; missing while it is pending",
        "decided_at": "when; missing while it is pending",
        "comment": "what was said with the decision",
        "values": "a dict with what was filled into the form; missing while it is pending",
        "key": "digest of what was shown: code, inputs, question, form",
        "expires_at": "when the request expires; missing for never",
    },
    "artifacts": {
        "": "One row for each output of each stored result.",
        "digest": "digest of the content",
        "step": _STEP,
        "output": "name of the variable",
        "item": _ITEM,
        "run_id": "id of the run that computed it",
        "type": "type of the value",
        "codec": "how it is kept, such as `table`, `arrow`, `json` or `pickle`",
        "bytes": "its size as stored",
        "location": "where it is: a row, a table, or a file in `.nbsteps/objects`",
        "stored_at": "when it was stored",
        "used_at": "when it was last computed or restored",
    },
}
"""Table to column to meaning; the table's own stands under ``""``."""

REASONS = {
    ReasonKind.FORCED: "`--force` asked for it",
    ReasonKind.CACHE_OFF: "its line says `--cache off`",
    ReasonKind.UNCACHEABLE: "something that it reads, or that it put out, has no content to compare",
    ReasonKind.NEVER_RAN: "no result of this step is known in this notebook",
    ReasonKind.CODE: "its body is another program",
    ReasonKind.MAP: "it runs over other variables, or another `--map-key` tells its items apart",
    ReasonKind.OUTPUTS: "it puts out other names",
    ReasonKind.EDITED: "a cell that it rests on was executed with another text; a run executes it anew first",
    ReasonKind.HELPER: "a function or class that it uses is another program",
    ReasonKind.INPUT: "what another step made has other content",
    ReasonKind.PARAMETER: "a value from the `parameters` cell differs",
    ReasonKind.FORM: "whoever approved it gave another value for the field",
    ReasonKind.ERROR: "the step that it catches failed with another error",
    ReasonKind.CONSTANT: "a value that no step writes differs",
    ReasonKind.FILE: "a file that it declares or was seen reading has other content, came or went",
    ReasonKind.MODULE: "a module of the project has other source",
    ReasonKind.PACKAGE: "an installed package has another version",
    ReasonKind.ENV: "an environment variable that it declares or was seen reading has another value",
    ReasonKind.ENVIRONMENT: "an environment variable differs, and it reads them all",
    ReasonKind.SETTING: "a setting of Python or of a library that it uses differs: locale, decimal context, options...",
    ReasonKind.RANDOM: "it draws random numbers, and the generator was seeded otherwise",
    ReasonKind.PLACE: "it depends on the working directory, and that is another",
    ReasonKind.STATE: "it reads something that has no content to compare, such as tables in duckdb's own database",
    ReasonKind.VERSION: "the text of `--version` differs",
    ReasonKind.PYTHON: "another major or minor version of Python",
    ReasonKind.SCHEME: "nbsteps makes keys in another way since an update",
    ReasonKind.EXPIRED: "the time of `--ttl` has passed",
    ReasonKind.RESULT_MISSING: "the stored result is gone, damaged or forgotten",
    ReasonKind.OTHER_RUN: "its line says `--cache run`, and the result belongs to another run",
    ReasonKind.FAILED_LAST_TIME: "it failed the last time",
    ReasonKind.CANCELLED_LAST_TIME: "it was cancelled the last time, while it ran or before its turn came",
    ReasonKind.CRASHED_LAST_TIME: "its process died the last time, while it ran",
    ReasonKind.ITEMS: "in a plan: so many items of its map would run",
    ReasonKind.UPSTREAM: "in a plan: a step that it needs would run, and may make something else",
    ReasonKind.CONDITION: "in a plan: what its `--when` reads is made by a step that would run",
    ReasonKind.DEPENDS: "in a plan: whether it runs depends on how that step ends",
    ReasonKind.APPROVAL: "a person is asked first",
}
