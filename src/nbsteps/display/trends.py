"""Many runs -> what the Trends page shows: durations, hit rate, time saved, and the steps that became slower. Pure.

Everything is JSON-able with :func:`dataclasses.asdict`. Runs stand oldest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median
from typing import Final

from nbsteps.core.states import RunState, StepState
from nbsteps.display.axes import Tick, time_ticks
from nbsteps.display.rows import Row, count, seconds, text

LAST: Final = 40
"""How many runs are shown."""
ENOUGH: Final = 3
"""How many runs a trend needs."""

_EXECUTIONS: Final = 20
_RECENT: Final = 5
_COMPARABLE: Final = 3
"""Executions on each side without which nothing is said about a change."""
_NOTABLE: Final = 0.25
_NOTICEABLE: Final = 0.1
"""Seconds below which nobody minds."""
_BAD: Final = frozenset({RunState.FAILED, RunState.CRASHED})


@dataclass(frozen=True, slots=True)
class RunPoint:
    """One run.

    Attributes:
        started_at: seconds since the epoch.
        duration: seconds.
        hit_rate: part of the steps that were restored, of those executed or restored; None where there was none.
        saved: seconds that restoring spared.
        saved_so_far: the same, summed from the first run shown.
    """

    run_id: str
    started_at: float
    state: str
    duration: float
    hit_rate: float | None
    saved: float
    saved_so_far: float


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of a step's body in a run; ``duration`` in seconds, over all its attempts."""

    run_id: str
    started_at: float
    state: str
    duration: float


@dataclass(frozen=True, slots=True)
class StepTrend:
    """One step over runs.

    Attributes:
        executions: the last of them, oldest first.
        median: of the successful ones, seconds; None where there is none.
        change: the last few against those before, ``0.38`` for 38% slower; None where there are too few.
        slower_since: run in which it became clearly slower; None if it did not.
        hit_rate: as in :class:`RunPoint`, over all runs given.
    """

    step: str
    executions: tuple[Execution, ...]
    median: float | None
    change: float | None
    slower_since: str | None
    hit_rate: float | None


@dataclass(frozen=True, slots=True)
class Trends:
    """The Trends page.

    Attributes:
        enough: whether there are so many runs that a trend can be seen; if not, say "Trends need 3 runs".
        median: of the durations of the runs that succeeded, seconds; None where there is none.
        median_before: the same of as many runs before those shown; None where there are none.
        hit_rate: over all runs shown.
        saved: seconds spared over all runs shown.
        bad: how many of the runs failed or crashed.
        steps: slowest first.
        duration_ticks: axis of the runs' durations, seconds.
        saved_ticks: axis of what was saved so far, seconds.
    """

    enough: bool
    runs: tuple[RunPoint, ...]
    median: float | None
    median_before: float | None
    hit_rate: float | None
    saved: float
    bad: int
    steps: tuple[StepTrend, ...]
    duration_ticks: tuple[Tick, ...]
    saved_ticks: tuple[Tick, ...]


def trends(runs: Iterable[Row], steps: Iterable[Row], *, last: int = LAST, since: float | None = None) -> Trends:
    """Arrange the history of one notebook.

    Runs that go on, and cells executed one by one, are no runs of the pipeline; the latter count for their steps.

    Args:
        runs: rows of ``runs``, in any order.
        steps: rows of ``steps`` of these runs.
        last: show at most so many runs.
        since: seconds since the epoch, show none that began before.
    """
    rows = sorted(runs, key=_start)
    found = list(steps)
    ended = [row for row in rows if seconds(row.get("ended_at")) is not None and text(row, "trigger") != "cell"]
    shown = [row for row in ended if since is None or _start(row) >= since][-last:]
    before = ended[: ended.index(shown[0])][-len(shown) :] if shown else []
    saved = _saved(found)
    points = _points(shown, saved)
    executed = sum(count(row, "steps_executed") for row in shown)
    restored = sum(count(row, "steps_restored") for row in shown)
    first = _start(shown[0]) if shown else float("-inf")
    return Trends(
        enough=len(points) >= ENOUGH,
        runs=points,
        median=_median(_good(shown)),
        median_before=_median(_good(before)),
        hit_rate=_rate(restored, executed),
        saved=points[-1].saved_so_far if points else 0.0,
        bad=sum(point.state in _BAD for point in points),
        steps=_step_trends(found, {text(row, "run_id") for row in rows if _start(row) >= first}),
        duration_ticks=time_ticks(max((point.duration for point in points), default=0.0), 3),
        saved_ticks=time_ticks(points[-1].saved_so_far if points else 0.0, 3),
    )


def _start(row: Row) -> float:
    started = seconds(row.get("started_at"))
    return float("inf") if started is None else started


def _took(row: Row) -> float:
    known = seconds(row.get("duration"))
    if known is not None:
        return known
    ended = seconds(row.get("ended_at"))
    return 0.0 if ended is None else max(ended - _start(row), 0.0)


def _saved(steps: Iterable[Row]) -> dict[str, float]:
    found: dict[str, float] = {}
    for row in steps:
        run_id = text(row, "run_id")
        found[run_id] = found.get(run_id, 0.0) + (seconds(row.get("time_saved")) or 0.0)
    return found


def _points(rows: Sequence[Row], saved: dict[str, float]) -> tuple[RunPoint, ...]:
    spared = [saved.get(text(row, "run_id"), 0.0) for row in rows]
    return tuple(
        RunPoint(
            run_id=text(row, "run_id"),
            started_at=_start(row),
            state=text(row, "state"),
            duration=_took(row),
            hit_rate=_rate(count(row, "steps_restored"), count(row, "steps_executed")),
            saved=own,
            saved_so_far=so_far,
        )
        for row, own, so_far in zip(rows, spared, accumulate(spared), strict=True)
    )


def _good(rows: Iterable[Row]) -> list[float]:
    return [_took(row) for row in rows if text(row, "state") == RunState.SUCCEEDED]


def _rate(restored: int, executed: int) -> float | None:
    return restored / (restored + executed) if restored + executed else None


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _step_trends(rows: Iterable[Row], wanted: set[str]) -> tuple[StepTrend, ...]:
    by_step: dict[str, list[Row]] = {}
    for row in sorted(rows, key=_start):
        if text(row, "run_id") in wanted:
            by_step.setdefault(text(row, "step"), []).append(row)
    found = [_step_trend(step, own) for step, own in by_step.items()]
    taken = [trend for trend in found if trend.executions or trend.hit_rate is not None]  # skipped ones say nothing
    return tuple(sorted(taken, key=lambda trend: (-(trend.median or 0.0), trend.step)))


def _step_trend(step: str, rows: Sequence[Row]) -> StepTrend:
    executions = tuple(
        Execution(text(row, "run_id"), _start(row), text(row, "state"), _took(row))
        for row in rows
        if count(row, "attempts")
        and seconds(row.get("ended_at")) is not None
        and text(row, "state") != StepState.CACHED
    )
    good = [execution for execution in executions if execution.state == StepState.SUCCEEDED]
    restored = sum(text(row, "state") == StepState.CACHED for row in rows)
    took = [execution.duration for execution in good]
    since = _turn(took)
    return StepTrend(
        step=step,
        executions=executions[-_EXECUTIONS:],
        median=_median(took),
        change=_change(took),
        slower_since=None if since is None else good[since].run_id,
        hit_rate=_rate(restored, len(executions)),
    )


def _change(took: Sequence[float]) -> float | None:
    """The last few against those before."""
    recent = min(_RECENT, len(took) // 2)
    if recent < _COMPARABLE:
        return None
    before = median(took[:-recent])
    return median(took[-recent:]) / before - 1 if before > 0 else None


def _turn(took: Sequence[float]) -> int | None:
    """Where the durations became clearly longer and stayed so: the cut that leaves both sides most even."""
    window = took[-2 * _EXECUTIONS :]
    cuts = range(_COMPARABLE, len(window) - _COMPARABLE + 1)
    cut = min(cuts, key=lambda cut: _spread(window[:cut]) + _spread(window[cut:]), default=None)
    if cut is None:
        return None
    before, after = median(window[:cut]), median(window[cut:])
    clearly = after - before >= max(_NOTICEABLE, _NOTABLE * before)
    return len(took) - len(window) + cut if clearly else None


def _spread(values: Sequence[float]) -> float:
    middle = median(values)
    return sum(abs(value - middle) for value in values)
