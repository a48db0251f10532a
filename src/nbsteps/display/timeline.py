"""A run over time -> what a Gantt chart shows: a lane for each step, its bars, and the critical path. Pure.

Everything is JSON-able with :func:`dataclasses.asdict`. Places on the axis are seconds since the run began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nbsteps.core.states import TERMINAL, AttemptState, RunState, StepState
from nbsteps.display.axes import Tick, time_ticks
from nbsteps.display.critical import Span, critical_path
from nbsteps.display.rows import Row, count, item_of, seconds, text
from nbsteps.display.standing import WORDS
from nbsteps.display.wording import duration, one_line

_FINEST: Final = 1 / 1500
"""Part of the whole run below which two bars of a kind with nothing between them are one."""
_BRIEF: Final = 0.001
"""Seconds that nobody waits."""


class BarKind(StrEnum):
    """What a bar stands for."""

    ATTEMPT = "attempt"
    FAILED = "failed"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    RUNNING = "running"
    RESTORED = "restored"
    RETRY = "retry"
    QUEUED = "queued"
    APPROVAL = "approval"


BAR_WORDS: Final[Mapping[str, str]] = {
    BarKind.ATTEMPT: "Attempt",
    BarKind.FAILED: "Failed attempt",
    BarKind.CRASHED: "Crashed",
    BarKind.CANCELLED: "Cancelled",
    BarKind.RUNNING: "Running",
    BarKind.RESTORED: "Restored",
    BarKind.RETRY: "Waiting to retry",
    BarKind.QUEUED: "Queued",
    BarKind.APPROVAL: "Waiting for approval",
}
"""Kind of a bar to its words in the legend."""

_ATTEMPTS: Final[Mapping[str, BarKind]] = {
    AttemptState.RUNNING: BarKind.RUNNING,
    AttemptState.SUCCEEDED: BarKind.ATTEMPT,
    AttemptState.FAILED: BarKind.FAILED,
    AttemptState.CANCELLED: BarKind.CANCELLED,
    AttemptState.CRASHED: BarKind.CRASHED,
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time.

    Attributes:
        kind: what it stands for.
        start: seconds since the run began.
        end: the same; equal to ``start`` for a moment.
        row: 0, or higher where items of a mapped step ran side by side.
        text: what it is, in one line.
        number: how many executions it stands for; short ones beside each other are drawn as one.
    """

    kind: str
    start: float
    end: float
    row: int = 0
    text: str = ""
    number: int = 1


@dataclass(frozen=True, slots=True)
class Lane:
    """One step.

    Attributes:
        state: where it stands or how it ended.
        word: the state in words.
        number: how long it was at work, and attempts or items where there are several; may be ``""``.
        start: first moment of its own work or waiting for approval, None if there is none.
        end: last moment.
        busy: seconds that it took itself: without being queued.
        critical: whether it lies on the critical path.
        rows: how many rows its bars need; at least 1.
    """

    step: str
    state: str
    word: str
    number: str
    start: float | None
    end: float | None
    busy: float
    critical: bool
    rows: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A run as a Gantt chart.

    Attributes:
        state: the run's state.
        started_at: seconds since the epoch.
        total: seconds from the run's begin to its end, or to now.
        critical: the steps of the critical path, first to last.
        critical_seconds: the time that these were busy: no number of workers makes the run shorter than that.
        approval_seconds: time in which at least one step waited for a person.
        queued_seconds: sum over the steps of the time that they could have started and did not.
        lanes: in graph order, or in the order of their starts where the graph is not known.
        kinds: the kinds of bars that occur, for the legend.
    """

    run_id: str
    state: str
    started_at: float
    total: float
    critical: tuple[str, ...]
    critical_seconds: float
    approval_seconds: float
    queued_seconds: float
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    kinds: tuple[str, ...]


def timeline(  # noqa: PLR0913 - the tables that it is made of, by keyword
    run: Row,
    steps: Iterable[Row],
    attempts: Iterable[Row],
    *,
    parents: Mapping[str, Sequence[str]] | None = None,
    events: Iterable[Row] = (),
    now: float | None = None,
) -> Timeline:
    """Arrange the rows of one run.

    Args:
        run: its row of ``runs``.
        steps: its rows of ``steps``.
        attempts: its rows of ``attempts``.
        parents: steps to their direct parents in graph order, where known; a step without a row is shown as pending.
        events: its rows of ``events``, for waiting for approval.
        now: seconds since the epoch, the end of what has not ended.
    """
    origin = seconds(run.get("started_at")) or 0.0
    rows = {text(row, "step"): row for row in sorted(steps, key=_start_of)}
    tried = _grouped(attempts, "step")
    waits = _approvals(events, origin)
    last = _last_moment(run, (*rows.values(), *_flat(tried)), origin, now)
    order = tuple(dict.fromkeys((*(parents or ()), *rows)))
    work = {name: _work(rows.get(name, {}), tried.get(name, ()), waits.get(name, ()), origin, last) for name in order}
    return _arranged(run, rows, work, parents, origin, last)


def _arranged(  # noqa: PLR0913 - the parts of timeline()
    run: Row,
    rows: Mapping[str, Row],
    work: Mapping[str, Sequence[Bar]],
    parents: Mapping[str, Sequence[str]] | None,
    origin: float,
    last: float,
) -> Timeline:
    queued = {name: _queued(name, work, parents) for name in work}
    spans = {name: _span(bars) for name, bars in work.items() if bars}
    path = critical_path(spans, parents)
    lanes = tuple(
        _lane(name, rows.get(name, {}), (*queued[name], *bars), on_path=name in path, grain=last * _FINEST)
        for name, bars in work.items()
    )
    return Timeline(
        run_id=text(run, "run_id"),
        state=text(run, "state"),
        started_at=origin,
        total=last,
        critical=path,
        critical_seconds=sum(spans[name].busy for name in path),
        approval_seconds=_covered([bar for bars in work.values() for bar in bars if bar.kind == BarKind.APPROVAL]),
        queued_seconds=sum(bar.end - bar.start for bars in queued.values() for bar in bars),
        lanes=lanes,
        ticks=time_ticks(last),
        kinds=tuple(kind for kind in BAR_WORDS if any(bar.kind == kind for lane in lanes for bar in lane.bars)),
    )


def _start_of(row: Row) -> float:
    started = seconds(row.get("started_at"))
    return float("inf") if started is None else started


def _grouped(attempts: Iterable[Row], name: str) -> dict[str, list[Row]]:
    """Rows by the text of a column, each group in the order of its starts."""
    found: dict[str, list[Row]] = {}
    for row in sorted(attempts, key=_start_of):
        found.setdefault(text(row, name), []).append(row)
    return found


def _flat(tried: Mapping[str, Sequence[Row]]) -> Iterable[Row]:
    return (row for rows in tried.values() for row in rows)


def _last_moment(run: Row, rows: Iterable[Row], origin: float, now: float | None) -> float:
    """The run's length; a running one goes on until now, a crashed one until the last that is known of it."""
    ended = seconds(run.get("ended_at"))
    known = (seconds(row.get(name)) for row in rows for name in ("started_at", "ended_at"))
    moments = [moment for moment in (ended, *known) if moment is not None]
    if ended is None and now is not None and text(run, "state") == RunState.RUNNING:
        moments.append(now)
    return max((moment - origin for moment in moments), default=0.0)


def _approvals(events: Iterable[Row], origin: float) -> dict[str, list[tuple[float, float | None]]]:
    """Step to the stretches in which it waited for a person; the end is None where nobody decided yet.

    A run that only waits ends: what is decided later is told of it, too.
    """
    found: dict[str, list[tuple[float, float | None]]] = {}
    for row in sorted(events, key=lambda row: seconds(row.get("at")) or 0.0):
        at = (seconds(row.get("at")) or 0.0) - origin
        waits = found.setdefault(text(row, "step"), [])
        if text(row, "event") == "StepWaiting":
            if not waits or waits[-1][1] is not None:
                waits.append((at, None))
        elif waits and waits[-1][1] is None:
            waits[-1] = (waits[-1][0], at)
    return found


def _work(
    row: Row, attempts: Sequence[Row], waits: Iterable[tuple[float, float | None]], origin: float, last: float
) -> tuple[Bar, ...]:
    """What a step did and what it waited for by itself, in order."""
    said = BAR_WORDS[BarKind.APPROVAL].lower()
    bars = [Bar(BarKind.APPROVAL, start, last if end is None else min(end, last), 0, said) for start, end in waits]
    free: list[float] = []
    for own in _grouped(attempts, "item").values():
        bars += _item_bars(own, free, origin, last)
    if not bars and text(row, "state") == StepState.CACHED:
        at = (seconds(row.get("ended_at")) or origin) - origin
        saved = seconds(row.get("time_saved")) or 0.0
        bars.append(Bar(BarKind.RESTORED, at, at, 0, f"restored, spared {duration(saved)}"))
    return tuple(sorted(bars, key=lambda bar: (bar.start, bar.end)))


def _item_bars(attempts: Sequence[Row], free: list[float], origin: float, last: float) -> list[Bar]:
    """The executions of one body and the waits between them, in the first row that is free (``free``: until when)."""
    start = max(_start_of(attempts[0]) - origin, 0.0)
    row = next((at for at, until in enumerate(free) if until <= start), len(free))
    bars = list[Bar]()
    for attempt in attempts:
        begin = max(_start_of(attempt) - origin, 0.0)
        ended = seconds(attempt.get("ended_at"))
        end = max(last if ended is None else ended - origin, begin)
        if bars and begin - bars[-1].end > _BRIEF:
            bars.append(Bar(BarKind.RETRY, bars[-1].end, begin, row, f"waited {duration(begin - bars[-1].end)}"))
        kind = _ATTEMPTS.get(text(attempt, "state"), BarKind.ATTEMPT)
        bars.append(Bar(kind, begin, end, row, _said(attempt, kind, end - begin)))
    free[row : row + 1] = [bars[-1].end]
    return bars


def _said(attempt: Row, kind: BarKind, took: float) -> str:
    number = count(attempt, "attempt")
    item = f"{item_of(attempt)}: " if text(attempt, "item") else ""
    words = f"{item}attempt {number}, {'succeeded' if kind is BarKind.ATTEMPT else kind} {duration(took)}"
    error = text(attempt, "error_type")
    return one_line(f"{words}: {error}: {text(attempt, 'error_message')}" if error else words)


def _queued(
    name: str, work: Mapping[str, Sequence[Bar]], parents: Mapping[str, Sequence[str]] | None
) -> tuple[Bar, ...]:
    """From when all parents had ended to when the step began: what kept it was a free place."""
    bars = [bar for bar in work[name] if bar.kind != BarKind.RESTORED]
    if parents is None or name not in parents or not bars:
        return ()
    ready = max((bar.end for parent in parents[name] for bar in work.get(parent, ())), default=0.0)
    start = bars[0].start
    if start - ready <= _BRIEF:
        return ()
    return (Bar(BarKind.QUEUED, ready, start, 0, f"queued {duration(start - ready)}"),)


def _span(bars: Sequence[Bar]) -> Span:
    return Span(bars[0].start, max(bar.end for bar in bars), _covered(bars))


def _covered(bars: Iterable[Bar]) -> float:
    """Seconds in which there was at least one of the bars."""
    covered, until = 0.0, float("-inf")
    for bar in sorted(bars, key=lambda bar: bar.start):
        covered += max(bar.end - max(bar.start, until), 0.0)
        until = max(until, bar.end)
    return covered


def _lane(name: str, row: Row, bars: Sequence[Bar], *, on_path: bool, grain: float) -> Lane:
    own = [bar for bar in bars if bar.kind != BarKind.QUEUED]
    state = text(row, "state") or str(StepState.PENDING)
    busy = _covered(own)
    return Lane(
        step=name,
        state=state,
        word=WORDS.get(state, state),
        number=_number(row, busy) if own else "",
        start=own[0].start if own else None,
        end=max((bar.end for bar in own), default=None),
        busy=busy,
        critical=on_path,
        rows=max((bar.row + 1 for bar in bars), default=1),
        bars=tuple(sorted(_merged(bars, grain), key=lambda bar: (bar.row, bar.start))),
    )


def _number(row: Row, busy: float) -> str:
    items, attempts = count(row, "items_total"), count(row, "attempts")
    took = "" if text(row, "state") == StepState.CACHED and not busy else duration(busy)
    if items:
        several = f"{items} items"
    elif attempts > 1:
        several = f"{attempts} attempts" if text(row, "state") in TERMINAL else f"attempt {attempts}"
    else:
        several = ""
    return ", ".join(part for part in (took, several) if part)


def _merged(bars: Iterable[Bar], grain: float) -> Iterable[Bar]:
    """Bars of a row and kind that touch, and are too short to be told apart, as one: a map can have thousands."""
    open_bars: dict[int, Bar] = {}
    for bar in sorted(bars, key=lambda bar: (bar.row, bar.start, bar.end)):
        before = open_bars.get(bar.row)
        if before is not None and _is_one(before, bar, grain):
            number = before.number + bar.number
            end = max(before.end, bar.end)
            open_bars[bar.row] = Bar(bar.kind, before.start, end, bar.row, f"{number} times {bar.kind}", number)
            continue
        if before is not None:
            yield before
        open_bars[bar.row] = bar
    yield from open_bars.values()


def _is_one(before: Bar, bar: Bar, grain: float) -> bool:
    return before.kind == bar.kind and bar.end - bar.start < grain and bar.start - before.end < grain
