"""The nouns: cells, steps, results, runs. Frozen values without behaviour beyond their own consistency."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from nbsteps.core.approvals import Request
from nbsteps.core.policies import Field, Jitter, MapSource, OnExpire, OnReject, Pool, Tolerance, Trigger
from nbsteps.core.reasons import Reason
from nbsteps.core.states import AttemptState, RunState, StepState

EMPTY: Mapping[str, str] = MappingProxyType({})
NO_TOLERANCE = Tolerance()


class CacheMode(StrEnum):
    """What ``--cache`` says about reusing results."""

    ON = "on"
    OFF = "off"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Cell:
    """One code cell as the document or the kernel gives it.

    Attributes:
        label: how messages name it, such as ``"cell 4"`` (position among all cells, from 1) or ``"In [7]"``.
        source: the text, magic line included.
        id: the notebook format's cell id, ``""`` where unknown: a hint, never an identity.
        tags: the cell's tags in the notebook's metadata (papermill marks ``parameters``).
    """

    label: str
    source: str
    id: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepOptions:
    """What the magic line says beyond the name. Names and order of fields follow the option table.

    Attributes:
        inputs: variables of ``--in``; None where the option is absent and inputs are inferred.
        outputs: variables of ``--out``; None where absent and inferred.
        after: steps that come first without passing data.
        files: glob patterns, relative to the notebook's folder, whose files' content counts.
        env: environment variables whose values count.
        ignore: names that the body reads and that do not count.
        mutates: inputs that the body changes in place; they become outputs too.
        version: a free text that counts; change it to force a new result.
        cache: whether results may be reused.
        ttl: seconds after its success at which a result expires; None for never.
        owner: who answers for the step; shown, never counted.
        tags: labels; shown, never counted.
        retries: attempts after the first.
        retry_delay: seconds before the second attempt.
        backoff: factor from each delay to the next.
        max_delay: seconds that no delay exceeds; None for no limit.
        jitter: whether delays are drawn at random below their value.
        retry_on: classes of exceptions that are retried, by name in scope or dotted; empty for all.
        no_retry_on: classes that are not; they win.
        timeout: seconds that one attempt may take; None for no limit.
        total_timeout: seconds over all attempts and waits; None for no limit.
        map: loop variables and what they run over; the body runs once for each item.
        map_key: expression over the loop variables that identifies an item; ``""`` for its content.
        max_parallel: items at once; None for as many as there are workers.
        tolerate: how many items may fail.
        when: expression that must be true for the step to run, ``else``, or ``""``.
        branch: group of steps of which one runs, or ``""``.
        trigger: rule over the states of the direct parents.
        catch: the step whose failure this one handles, or ``""``.
        approve: what a person is asked before the body runs; ``""`` for no question.
        ask: fields of the form.
        approve_timeout: seconds until the request expires; None for never.
        on_expire: what an expired request means.
        on_reject: what a rejected request means.
        approvers: who may decide; empty for anybody.
        notify: URLs told of failures, waits and successes.
        slow: alert from so many times the median duration on; None for never.
        pool: a limit shared with other steps.
    """

    inputs: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    after: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    mutates: tuple[str, ...] = ()
    version: str = ""
    cache: CacheMode = CacheMode.ON
    ttl: float | None = None
    owner: str = ""
    tags: tuple[str, ...] = ()
    retries: int = 0
    retry_delay: float = 1.0
    backoff: float = 2.0
    max_delay: float | None = None
    jitter: Jitter = Jitter.NONE
    retry_on: tuple[str, ...] = ()
    no_retry_on: tuple[str, ...] = ()
    timeout: float | None = None
    total_timeout: float | None = None
    map: tuple[MapSource, ...] = ()
    map_key: str = ""
    max_parallel: int | None = None
    tolerate: Tolerance = NO_TOLERANCE
    when: str = ""
    branch: str = ""
    trigger: Trigger = Trigger.ALL_SUCCESS
    catch: str = ""
    approve: str = ""
    ask: tuple[Field, ...] = ()
    approve_timeout: float | None = None
    on_expire: OnExpire = OnExpire.FAIL
    on_reject: OnReject = OnReject.SKIP
    approvers: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    slow: float | None = None
    pool: Pool | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One tagged cell, understood.

    Attributes:
        name: Python identifier, unique in the notebook.
        cell: where it stands.
        body: the cell's text below the magic line.
        options: as written.
        inputs: variables that other steps write and this one reads, declared or inferred.
        outputs: variables that it assigns, declared or inferred, ``mutates`` included.
        reads: every global name that the body may read, inputs included.
        line_offset: lines of the cell above the body (the magic line, continuation lines).
        optional: those of the outputs that the body may end without: inferred, and assigned on some paths only.
        scratch: names that the body reads only after it may have assigned them itself, and that no other cell makes:
            in a fresh kernel they do not exist before it runs.
    """

    name: str
    cell: Cell
    body: str
    options: StepOptions
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    reads: frozenset[str]
    line_offset: int = 1
    optional: frozenset[str] = frozenset()
    scratch: frozenset[str] = frozenset()


class PartKind(StrEnum):
    """What a part of a key stands for."""

    SCHEME = "scheme"
    PYTHON = "python"
    CODE = "code"
    MAP = "map"
    OUTPUTS = "outputs"
    HELPER = "helper"
    VALUE = "value"
    MODULE = "module"
    PACKAGE = "package"
    FILE = "file"
    ENV = "env"
    VERSION = "version"


@dataclass(frozen=True, slots=True)
class Part:
    """One ingredient of a key.

    Attributes:
        kind: what it stands for.
        name: variable, helper, module, distribution, path or environment variable.
        digest: 32 hexadecimal digits over the content.
        detail: what ``why`` shows for it: source text, a value's summary, a version. Never counted, never a secret.
        role: for values, ``input``, ``parameter`` or ``constant``; else what a change of it is called where its kind
            does not say it (``setting``, ``random``, ``place``...). Shown, never counted.
    """

    kind: PartKind
    name: str
    digest: str
    detail: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored value.

    Attributes:
        digest: content digest, the value's identity.
        type: qualified name of the value's type.
        codec: name of the codec that wrote it.
        bytes: stored size.
        location: ``inline``, ``table:NAME`` or ``object:RELATIVE/PATH``.
        checksum: digest of the stored bytes, verified at every read.
        mac: authentication code where reading means unpickling, else ``""``.
        summary: short text for people, such as ``DataFrame 336,776 x 19``.
    """

    digest: str
    type: str
    codec: str
    bytes: int
    location: str
    checksum: str
    mac: str = ""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What one success of a step left behind: a constructive trace.

    Attributes:
        key: digest of all parts known before the body ran.
        static: digest of the parts that do not depend on other steps' outputs; the bulk look-up goes by it.
        notebook: who computed it: notebook and step, for history and for reasons; never part of the identity.
        outputs: variable to stored value, in declared order.
        parts: the key's ingredients, for ``why``.
        observed: files and environment that the body read while it ran, to be verified before reuse.
        displays: everything the body showed, as one stored list of notebook outputs; None if nothing.
        ended_at: seconds since the epoch, UTC.
        duration: seconds the successful attempt took.
        item: key of the mapped item that this is the result of, ``""`` for a whole step's.
        accepted_by: who decided to keep this result although the code had changed; ``""`` where nobody had to.
        uncacheable: what keeps it from being reused, each text starting with a name where there is one.
        items: how many items a map ran over; None for other steps.
        reasons: why its body ran, where something had changed: both sides, for ``why``.
    """

    key: str
    static: str
    notebook: str
    step: str
    run_id: str
    outputs: Mapping[str, Artifact]
    parts: tuple[Part, ...]
    observed: tuple[Part, ...] = ()
    displays: Artifact | None = None
    started_at: float = 0.0
    ended_at: float = 0.0
    duration: float = 0.0
    item: str = ""
    accepted_by: str = ""
    uncacheable: tuple[str, ...] = ()
    items: int | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed.

    Attributes:
        error_type: qualified name of the exception's class.
        message: its text.
        traceback: plain text, the user's frames only.
        hint: a mend where we know one.
    """

    error_type: str
    message: str
    traceback: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked of a run: whoever goes on with it later, in whichever process, does the same.

    Attributes:
        steps: those that it is limited to, with what they need; empty for all.
        forced: steps whose bodies run whatever is stored.
        fail_fast: start nothing more once a step failed.
        workers: bodies at once.
        executor: name of their place; ``""`` for the usual one, and for an executor that the user passed.
    """

    steps: tuple[str, ...] = ()
    forced: tuple[str, ...] = ()
    fail_fast: bool = False
    workers: int = 1
    executor: str = ""


NO_WISHES = Wishes()


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a pipeline. ``parameters`` holds short representations, never secrets."""

    run_id: str
    notebook: str
    trigger: str
    started_at: float
    host: str
    pid: int
    user: str
    parameters: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    state: RunState = RunState.RUNNING
    ended_at: float | None = None
    wishes: Wishes = NO_WISHES


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution of a body; ``delay`` in seconds before it.

    ``item`` is the key of a mapped item, else ``""``; ``label`` tells it in a few words, ``position`` counts from 0.
    """

    run_id: str
    step: str
    attempt: int
    started_at: float
    executor: str
    host: str
    pid: int
    item: str = ""
    delay: float = 0.0
    state: AttemptState = AttemptState.RUNNING
    ended_at: float | None = None
    failure: Failure | None = None
    peak_rss: int | None = None
    position: int | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class ItemCounts:
    """What became of a map's items."""

    total: int = 0
    executed: int = 0
    restored: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class StepRun:
    """What became of one step in one run.

    Attributes:
        state: the state it ended in (or stands in).
        reason: one word or phrase for the state, such as ``code changed`` or ``retries_exhausted``.
        reasons: every reason for the decision, as the plan and the log print them.
        time_saved: seconds that restoring spared, 0 where the body ran.
        items: what became of a map's items; None for a step without ``--map``.
        handled: whether a ``--catch`` step handled the failure.
        request: what the step waits for, or what was decided.
    """

    step: str
    state: StepState
    reason: str = ""
    reasons: tuple[str, ...] = ()
    key: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    attempts: int = 0
    time_saved: float = 0.0
    output_bytes: int = 0
    failure: Failure | None = None
    items: ItemCounts | None = None
    handled: bool = False
    request: Request | None = None


@dataclass(frozen=True, slots=True, repr=False)
class RunResult:
    """What a caller of ``run`` gets back: the run and what became of each step, in graph order."""

    run: Run
    steps: Mapping[str, StepRun] = field(default_factory=dict)

    @property
    def state(self) -> RunState:
        """State of the run as a whole."""
        return self.run.state

    def __repr__(self) -> str:
        """What a person wants to know of it: state, notebook, and how many steps ended in which state."""
        counts = Counter(step.state for step in self.steps.values())
        steps = ", ".join(f"{number} {state}" for state, number in sorted(counts.items())) or "no steps"
        return f"<RunResult {self.run.run_id} of {self.run.notebook}: {self.state} ({steps})>"
