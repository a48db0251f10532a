"""The history as people read it: one table of columns drives the views, the frames and the JSON.

``log.show_*`` hold times as seconds and ``seq``, the order in which the home learned of a row; ``v1.*`` are what
others may build on, with real times; the plain names stand for the newest version.
"""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["text", "int", "time", "duration", "json", "list"]


COLUMNS: Final[dict[str, dict[str, Kind]]] = {
    "runs": {
        "run_id": "text",
        "notebook": "text",
        "trigger": "text",
        "state": "text",
        "started_at": "time",
        "ended_at": "time",
        "duration": "duration",
        "parameters": "json",
        "steps_total": "int",
        "steps_executed": "int",
        "steps_restored": "int",
        "steps_failed": "int",
        "host": "text",
        "pid": "int",
        "user": "text",
    },
    "steps": {
        "run_id": "text",
        "notebook": "text",
        "step": "text",
        "state": "text",
        "reason": "text",
        "reasons": "json",
        "key": "text",
        "started_at": "time",
        "ended_at": "time",
        "duration": "duration",
        "attempts": "int",
        "items_total": "int",
        "items_executed": "int",
        "items_failed": "int",
        "time_saved": "duration",
        "output_bytes": "int",
        "owner": "text",
        "tags": "list",
    },
    "attempts": {
        "run_id": "text",
        "step": "text",
        "item": "text",
        "attempt": "int",
        "state": "text",
        "started_at": "time",
        "ended_at": "time",
        "duration": "duration",
        "delay": "duration",
        "error_type": "text",
        "error_message": "text",
        "traceback": "text",
        "executor": "text",
        "host": "text",
        "pid": "int",
        "peak_rss": "int",
        "label": "text",
        "position": "int",
    },
    "events": {"at": "time", "run_id": "text", "step": "text", "item": "text", "event": "text", "data": "json"},
    "artifacts": {
        "digest": "text",
        "step": "text",
        "output": "text",
        "item": "text",
        "run_id": "text",
        "type": "text",
        "codec": "text",
        "bytes": "int",
        "location": "text",
        "stored_at": "time",
        "used_at": "time",
    },
    "approvals": {
        "run_id": "text",
        "step": "text",
        "message": "text",
        "state": "text",
        "decided_by": "text",
        "decided_at": "time",
        "comment": "text",
        "values": "json",
        "key": "text",
        "expires_at": "time",
    },
}
"""Table of the history to its columns, in the order that SPEC section 10 fixes."""

_STEPS: Final = """
WITH ends AS (
    SELECT * FROM log.step_ends QUALIFY row_number() OVER (PARTITION BY run_id, step ORDER BY seq DESC) = 1
), starts AS (
    SELECT * FROM log.step_starts QUALIFY row_number() OVER (PARTITION BY run_id, step ORDER BY seq DESC) = 1
), tries AS (
    SELECT run_id, step, count(*) AS attempts, max(seq) AS last FROM log.attempt_starts WHERE item = '' GROUP BY ALL
), retries AS (
    SELECT run_id, step, max(seq) AS again FROM log.retries WHERE item = '' GROUP BY ALL
), kept AS (
    SELECT id, accepted_by FROM log.results WHERE accepted_by IS NOT NULL
), labelled AS (
    SELECT * FROM log.labels QUALIFY row_number() OVER (PARTITION BY run_id, step ORDER BY seq DESC) = 1
), joined AS (
    SELECT coalesce(s.run_id, e.run_id) AS run_id, coalesce(s.step, e.step) AS step,
        coalesce(nullif(e.notebook, ''), s.notebook) AS notebook, s.seq IS NOT NULL AND s.seq > coalesce(e.seq, 0)
        AS goes_on, s.seq AS s_seq, e.seq AS e_seq, s."at" AS s_at, e."at" AS e_at, e.state AS e_state,
        nullif(e.reason, '') AS e_reason, nullif(s.reason, '') AS s_reason, nullif(e.reasons, '[]') AS e_reasons,
        nullif(s.reasons, '[]') AS s_reasons, nullif(e.key, '') AS e_key, nullif(s.key, '') AS s_key,
        e.time_saved, e.output_bytes, e.items_total, e.items_executed, e.items_failed, e.result AS e_result
    FROM starts s FULL JOIN ends e USING (run_id, step)
), held AS (
    SELECT j.run_id, j.step, j.notebook, j.e_at, q.request_id
    FROM (FROM joined WHERE e_state = 'waiting' AND NOT goes_on) j ASOF LEFT JOIN log.requests q
        ON q.notebook = j.notebook AND q.step = j.step AND q.key = j.e_key AND j.e_at >= q."at"
), verdicts AS (
    SELECT * FROM log.verdicts QUALIFY row_number() OVER (PARTITION BY request_id ORDER BY "at", seq) = 1
), said AS (
    SELECT run_id, step, v.state = 'void' AS void,
        CASE WHEN v.state = 'expired' OR v."by" = '' THEN '' ELSE ' by ' || v."by" END AS who,
        CASE WHEN void THEN 'asked no longer' || coalesce(': ' || nullif(v.comment, ''), '')
            ELSE v.state || who || ', no run has gone on yet' END AS words
    FROM held JOIN (SELECT request_id, state, "by", comment FROM verdicts) v USING (request_id)
), taken AS (
    SELECT held.run_id, held.step, arg_min(l.run_id, l."at") AS went_on, min(l."at") AS went_at,
        arg_min(l.state, l."at") AS became
    FROM held JOIN (SELECT run_id, step, notebook, coalesce(s_at, e_at) AS "at",
            CASE WHEN goes_on THEN 'running' ELSE e_state END AS state FROM joined
            WHERE goes_on OR e_state IN ('succeeded', 'cached', 'skipped', 'failed', 'crashed')) l
        ON l.step = held.step AND l.notebook = held.notebook AND l."at" > held.e_at
    WHERE NOT EXISTS (FROM said WHERE said.run_id = held.run_id AND said.step = held.step AND said.void)
    GROUP BY held.run_id, held.step
)
SELECT greatest(coalesce(s_seq, 0), coalesce(e_seq, 0)) AS seq, joined.run_id, notebook, joined.step,
    CASE WHEN goes_on AND again > last THEN 'retrying' WHEN goes_on THEN 'running' WHEN void THEN 'cancelled'
        ELSE coalesce(became, e_state) END AS state,
    CASE WHEN goes_on THEN s_reason WHEN went_on IS NOT NULL THEN 'went on in run ' || went_on
        WHEN words IS NOT NULL THEN words WHEN accepted_by IS NOT NULL THEN 'accepted by ' || accepted_by
        ELSE coalesce(e_reason, s_reason) END AS reason,
    CASE WHEN goes_on THEN coalesce(s_reasons, '[]') ELSE coalesce(e_reasons, s_reasons, '[]') END AS reasons,
    CASE WHEN goes_on THEN s_key ELSE coalesce(e_key, s_key) END AS key,
    CASE WHEN e_state IN ('cached', 'waiting') AND NOT goes_on THEN e_at ELSE s_at END AS started_at,
    CASE WHEN NOT goes_on AND e_state <> 'waiting' THEN e_at END AS ended_at, ended_at - started_at AS duration,
    coalesce(attempts, 0) AS attempts, CASE WHEN NOT goes_on THEN items_total END AS items_total,
    CASE WHEN NOT goes_on THEN items_executed END AS items_executed,
    CASE WHEN NOT goes_on THEN items_failed END AS items_failed,
    CASE WHEN goes_on THEN 0 ELSE coalesce(time_saved, 0) END AS time_saved,
    CASE WHEN goes_on THEN 0 ELSE coalesce(output_bytes, 0) END AS output_bytes, owner,
    coalesce(tags, []) AS tags, went_on, went_at, CASE WHEN NOT goes_on THEN e_state END AS own,
    own = 'waiting' AND went_on IS NULL AND NOT coalesce(void, false) AS held
FROM joined LEFT JOIN tries ON tries.run_id = joined.run_id AND tries.step = joined.step
    LEFT JOIN retries ON retries.run_id = joined.run_id AND retries.step = joined.step
    LEFT JOIN kept ON kept.id = e_result
    LEFT JOIN labelled ON labelled.run_id = joined.run_id AND labelled.step = joined.step
    LEFT JOIN taken ON taken.run_id = joined.run_id AND taken.step = joined.step
    LEFT JOIN said ON said.run_id = joined.run_id AND said.step = joined.step
"""

_RUNS: Final = """
WITH RECURSIVE starts AS (
    SELECT *, max(seq) OVER (PARTITION BY run_id) AS last FROM log.run_starts
    QUALIFY row_number() OVER (PARTITION BY run_id ORDER BY seq) = 1
), ends AS (
    SELECT * FROM log.run_ends QUALIFY row_number() OVER (PARTITION BY run_id ORDER BY seq DESC) = 1
), totals AS (
    SELECT run_id, count(*) FILTER (attempts > 0 AND own IS DISTINCT FROM 'cached') AS executed,
        count(*) FILTER (own = 'cached') AS restored, count(*) FILTER (own = 'failed') AS failed,
        count(*) FILTER (own = 'waiting') > 0 AND count(*) FILTER (held) = 0 AS settled,
        arg_max(went_on, went_at) AS went_on
    FROM log.show_steps GROUP BY run_id
), stands AS (
    SELECT s.run_id, CASE WHEN e.seq <= s.last OR e.seq IS NULL THEN 'running'
            WHEN e.state = 'waiting' AND t.settled AND t.went_on IS NULL THEN 'cancelled' ELSE e.state END AS state,
        CASE WHEN e.seq > s.last AND e.state = 'waiting' AND t.settled THEN t.went_on END AS went_on
    FROM starts s LEFT JOIN ends e USING (run_id) LEFT JOIN totals t USING (run_id)
), followed AS (
    SELECT run_id, went_on FROM stands WHERE went_on IS NOT NULL
    UNION SELECT f.run_id, n.went_on FROM followed f JOIN stands n ON n.run_id = f.went_on WHERE n.went_on IS NOT NULL
), outcomes AS (
    SELECT f.run_id, any_value(n.state) AS state FROM followed f JOIN stands n ON n.run_id = f.went_on
    WHERE n.went_on IS NULL GROUP BY f.run_id
)
SELECT s.seq, s.run_id, s.notebook, s.trigger, coalesce(o.state, n.state) AS state,
    s."at" AS started_at, CASE WHEN e.seq > s.last THEN e."at" END AS ended_at, ended_at - started_at AS duration,
    s.parameters, s.steps_total, coalesce(t.executed, 0) AS steps_executed, coalesce(t.restored, 0) AS steps_restored,
    coalesce(t.failed, 0) AS steps_failed, s.host, s.pid, s."user"
FROM starts s JOIN stands n USING (run_id) LEFT JOIN ends e USING (run_id) LEFT JOIN totals t USING (run_id)
    LEFT JOIN outcomes o USING (run_id)
"""

_ATTEMPTS: Final = """
SELECT s.seq, s.run_id, s.step, s.item, s.attempt, coalesce(e.state, 'running') AS state, s."at" AS started_at,
    e."at" AS ended_at, ended_at - started_at AS duration, s.delay, e.error_type, e.error_message, e.traceback,
    s.executor, s.host, s.pid, e.peak_rss, s.label, s."position", r.notebook
FROM log.attempt_starts s LEFT JOIN log.attempt_ends e
    ON e.run_id = s.run_id AND e.step = s.step AND e.item = s.item AND e.attempt = s.attempt
    LEFT JOIN (SELECT DISTINCT run_id, notebook FROM log.run_starts) r ON r.run_id = s.run_id
WHERE s.executor <> 'map'
"""

_EVENTS: Final = """
SELECT e.seq, e."at", e.run_id, e.step, e.item, e.event, e.data, r.notebook
FROM log.events e LEFT JOIN (SELECT DISTINCT run_id, notebook FROM log.run_starts) r ON r.run_id = e.run_id
"""

_ARTIFACTS: Final = """
WITH uses AS (SELECT result, max("at") AS used FROM log.step_ends WHERE result IS NOT NULL GROUP BY result)
SELECT o.seq, o.digest, r.step, o.output, r.item, r.run_id, a.type, a.codec, a.bytes, a.location, a.stored_at,
    coalesce(u.used, a.stored_at) AS used_at, r.notebook, r.id AS result, o.position
FROM log.outputs o JOIN log.results r ON r.id = o.result JOIN log.artifacts a ON a.digest = o.digest
    LEFT JOIN uses u ON u.result = r.id
WHERE r.id NOT IN (SELECT id FROM log.cleared)
"""

_APPROVALS: Final = """
WITH asked AS (
    SELECT * FROM log.requests QUALIFY row_number() OVER (PARTITION BY request_id ORDER BY seq) = 1
), decided AS (
    SELECT * FROM log.verdicts QUALIFY row_number() OVER (PARTITION BY request_id ORDER BY "at", seq) = 1
)
SELECT a.seq, a.run_id, a.step, a.message, coalesce(d.state, 'pending') AS state, nullif(d."by", '') AS decided_by,
    d."at" AS decided_at, nullif(d.comment, '') AS comment, d."values", a.key, a.expires_at, a.notebook,
    a."at" AS requested_at
FROM asked a LEFT JOIN decided d USING (request_id)
"""

_QUERIES: Final = {
    "steps": _STEPS,
    "runs": _RUNS,
    "attempts": _ATTEMPTS,
    "events": _EVENTS,
    "artifacts": _ARTIFACTS,
    "approvals": _APPROVALS,
}


NEWEST: Final = {
    "runs": "started_at DESC, seq DESC",
    "steps": "coalesce(started_at, ended_at) DESC, seq DESC",
    "attempts": "started_at DESC, seq DESC",
    "events": '"at" DESC, seq DESC',
    "artifacts": "stored_at DESC, seq DESC, position",
    "approvals": "requested_at DESC, seq DESC",
}
"""Table of the history to what puts the newest first: journals of several processes are folded in any order."""


def readable(table: str) -> str:
    """The columns of a table for people: times and durations as such, in the fixed order."""
    shown = []
    for column, kind in COLUMNS[table].items():
        if kind == "time":
            shown.append(f'make_timestamptz(round("{column}" * 1e6)::BIGINT) AS "{column}"')
        elif kind == "duration":
            shown.append(f'to_microseconds(round("{column}" * 1e6)::BIGINT) AS "{column}"')
        else:
            shown.append(f'"{column}"')
    return ", ".join(shown)


def statements() -> list[str]:
    """Everything that makes the views."""
    made = [f"CREATE OR REPLACE VIEW log.show_{table} AS {query}" for table, query in _QUERIES.items()]
    for table in COLUMNS:
        query = f"SELECT {readable(table)} FROM log.show_{table} ORDER BY {NEWEST[table]}"  # noqa: S608 - our own names
        made.append(f"CREATE OR REPLACE VIEW v1.{table} AS {query}")
        made.append(f"CREATE OR REPLACE VIEW main.{table} AS FROM v1.{table}")
    return made
