"""What becomes of the unfinished work of processes that are gone."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import duckdb

_OWNED: Final = "owner IN (SELECT unnest($1::VARCHAR[]))"

_ATTEMPTS: Final = f"""
INSERT INTO log.attempt_ends
SELECT $2, run_id, step, item, attempt, 'crashed', NULL, NULL, NULL, NULL, NULL
FROM log.attempt_starts started
WHERE {_OWNED} AND NOT EXISTS (
    FROM log.attempt_ends ended WHERE ended.run_id = started.run_id AND ended.step = started.step
    AND ended.item = started.item AND ended.attempt = started.attempt AND ended.seq > started.seq)
"""  # noqa: S608 - our own text

_STEPS: Final = f"""
INSERT INTO log.step_ends
    (seq, run_id, step, notebook, state, reason, reasons, key, "at", time_saved, output_bytes, result)
SELECT $2, run_id, step, notebook, 'crashed', 'crashed', '[]', key, NULL, 0, 0, NULL
FROM log.step_starts started
WHERE {_OWNED} AND NOT EXISTS (
    FROM log.step_ends ended
    WHERE ended.run_id = started.run_id AND ended.step = started.step AND ended.seq > started.seq)
"""  # noqa: S608 - our own text

_LATEST: Final = """
UPDATE log.latest SET state = 'crashed', seq = $1
FROM log.step_ends ended JOIN log.step_starts started USING (run_id, step)
WHERE ended.seq = $1 AND ended.state = 'crashed' AND latest.seq < started.seq
    AND ended.notebook = latest.notebook AND ended.step = latest.step
    AND NOT EXISTS (FROM log.step_ends known WHERE known.seq = latest.seq AND known.step = latest.step
        AND known.notebook = latest.notebook AND known."at" > started."at")
"""
"""What ended after the unfinished work had begun stays the last outcome: journals are folded in any order."""

_FIRST_LATEST: Final = """
INSERT INTO log.latest
SELECT DISTINCT $1, notebook, step, 'crashed', NULL FROM log.step_ends ended
WHERE seq = $1 AND state = 'crashed' AND NOT EXISTS (
    FROM log.latest known WHERE known.notebook = ended.notebook AND known.step = ended.step)
"""

_RUNS: Final = f"""
INSERT INTO log.run_ends
SELECT $2, run_id, CASE
    WHEN started.trigger NOT IN ('papermill', 'cell') OR EXISTS (
        FROM log.attempt_ends a WHERE a.run_id = started.run_id AND a.seq = $2) THEN 'crashed'
    WHEN EXISTS (FROM log.step_ends s WHERE s.run_id = started.run_id
        AND s.state IN ('failed', 'upstream_failed', 'crashed')) THEN 'failed'
    WHEN EXISTS (FROM log.step_ends s WHERE s.run_id = started.run_id AND s.state = 'cancelled') THEN 'cancelled'
    WHEN EXISTS (FROM log.step_ends s WHERE s.run_id = started.run_id AND s.state = 'waiting' AND NOT EXISTS (
        FROM log.step_starts later WHERE later.run_id = s.run_id AND later.step = s.step AND later.seq > s.seq))
        THEN 'waiting'
    ELSE 'succeeded' END,
    CASE WHEN started.trigger IN ('papermill', 'cell')
    THEN (SELECT max(s."at") FROM log.step_ends s WHERE s.run_id = started.run_id) END
FROM log.run_starts started
WHERE {_OWNED} AND NOT EXISTS (
    FROM log.run_ends ended WHERE ended.run_id = started.run_id AND ended.seq > started.seq)
"""  # noqa: S608 - our own text


def retire(connection: duckdb.DuckDBPyConnection, seq: int, owners: Collection[str]) -> None:
    """Mark what dead owners left unfinished as crashed, under the sequence number ``seq``.

    A run that was begun for a cell or by papermill has no end of its own when the kernel just goes away between two
    cells: without an unfinished attempt it ends as its steps did.
    """
    if not owners:
        return
    parameters = [list(owners), seq]
    connection.execute(_ATTEMPTS, parameters)
    ended = connection.execute(_STEPS, parameters).fetchone()
    if ended != (0,):
        connection.execute(_LATEST, [seq])
        connection.execute(_FIRST_LATEST, [seq])
    connection.execute(_RUNS, parameters)
