"""The history of a notebook as the toolbar's tabs show it: runs, one run over time, trends, two runs compared. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from nbsteps.core.states import GOOD, StepState
from nbsteps.display.board import RunView
from nbsteps.display.rows import Row, count, seconds, text
from nbsteps.display.standing import WORDS
from nbsteps.display.timeline import BAR_WORDS, Timeline
from nbsteps.display.trends import StepTrend, Trends
from nbsteps.display.wording import duration, moment

_TRIGGERS: Final[Mapping[str, str]] = {"magic": "%pipeline", "cell": "a cell", "widget": "the toolbar", "api": "Python"}
_SLOWEST: Final = 20
_CELLS: Final = 40
"""Cells of the strip of states beside a run."""
_NONE: Final = "\N{EN DASH}"
"""A figure that there is not; why stands below it."""
_WEIGHTS: Final = (
    StepState.CRASHED,
    StepState.FAILED,
    StepState.WAITING,
    StepState.UPSTREAM_FAILED,
    StepState.CANCELLED,
    StepState.RUNNING,
    StepState.SUCCEEDED,
)


def run_rows(runs: Sequence[Row], steps: Iterable[Row], order: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The table of runs, newest first.

    Args:
        runs: all rows of ``runs`` of a notebook, newest first: their number is their place, the oldest is 1.
        steps: rows of ``steps`` of these runs; of runs without one only what their own row says is shown.
        order: names of the steps in graph order; others come after them.
    """
    places = {name: place for place, name in enumerate(order)}
    by_run: dict[str, list[Row]] = {}
    for row in steps:
        by_run.setdefault(text(row, "run_id"), []).append(row)
    for own in by_run.values():
        own.sort(key=lambda row: places.get(text(row, "step"), len(places)))
    return [_run(row, len(runs) - place, by_run.get(text(row, "run_id"), [])) for place, row in enumerate(runs)]


def run_view(row: Row) -> RunView:
    """A row of ``runs`` as the run that the toolbar shows; one that nobody ended is over, whatever became of it."""
    started, ended, state = seconds(row.get("started_at")) or 0.0, seconds(row.get("ended_at")), text(row, "state")
    total = count(row, "steps_total")
    return RunView(
        run_id=text(row, "run_id"),
        state=state,
        word=WORDS.get(state, state),
        started=started,
        ended=started if ended is None else ended,
        done=total,
        total=total,
    )


def _run(row: Row, number: int, steps: Sequence[Row]) -> dict[str, Any]:
    state, took = text(row, "state"), seconds(row.get("duration"))
    executed, restored = count(row, "steps_executed"), count(row, "steps_restored")
    saved = sum(seconds(step.get("time_saved")) or 0.0 for step in steps)
    trigger = text(row, "trigger")
    return {
        "run_id": text(row, "run_id"),
        "number": number,
        "state": state,
        "word": WORDS.get(state, state),
        "started": seconds(row.get("started_at")) or 0.0,
        "seconds": took or 0.0,
        "duration": "" if took is None else duration(took),
        "steps": _strip([text(step, "state") for step in steps]),
        "cached": restored / (executed + restored) if executed + restored else 0.0,
        "saved_seconds": saved,
        "saved": duration(saved) if saved else "0s",
        "trigger": _TRIGGERS.get(trigger, trigger),
    }


def _strip(states: Sequence[str]) -> list[str]:
    """The states in a row; of many, neighbours as one, by the one that matters most."""
    each = -(-len(states) // _CELLS) or 1
    return [min(states[at : at + each], key=_weight) for at in range(0, len(states), each)]


def _weight(state: str) -> int:
    return _WEIGHTS.index(state) if state in _WEIGHTS else len(_WEIGHTS)


def timeline_view(found: Timeline, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One run over time, with the runs that can be chosen instead."""
    facts = [("Total", found.total), ("Critical path", found.critical_seconds)]
    facts += [("Approval", found.approval_seconds)] if found.approval_seconds else []
    facts += [("Queued", found.queued_seconds)] if found.queued_seconds else []
    return asdict(found) | {
        "word": WORDS.get(found.state, found.state),
        "facts": [[name, duration(value)] for name, value in facts],
        "kinds": [[kind, BAR_WORDS[kind]] for kind in found.kinds],
        "runs": list(runs),
    }


def trends_view(found: Trends, numbers: Mapping[str, int]) -> dict[str, Any]:
    """The trends, with runs by their numbers and figures in words."""
    before = "" if found.median_before is None else f"was {duration(found.median_before)}"
    worked = [_NONE, "nothing was executed"] if found.hit_rate is None else [f"{found.hit_rate:.0%}", "steps reused"]
    typical = [_NONE, "no run succeeded"] if found.median is None else [duration(found.median), before]
    share = f"{found.bad / len(found.runs):.0%}" if found.runs else ""
    return {
        "enough": found.enough,
        "count": len(found.runs),
        "facts": [
            ["Median duration", *typical],
            ["Hit rate", *worked],
            ["Time saved", duration(found.saved), f"over {len(found.runs)} runs"],
            ["Failed or crashed", f"{found.bad} of {len(found.runs)}", share],
        ],
        "runs": [
            asdict(run)
            | {
                "number": numbers.get(run.run_id, 0),
                "word": WORDS[StepState(run.state)],
                "text": duration(run.duration),
            }
            for run in found.runs
        ],
        "median": found.median,
        "duration_ticks": [asdict(tick) for tick in found.duration_ticks],
        "saved_ticks": [asdict(tick) for tick in found.saved_ticks],
        "steps": [_step_trend(trend, numbers) for trend in found.steps[:_SLOWEST]],
    }


def _step_trend(trend: StepTrend, numbers: Mapping[str, int]) -> dict[str, Any]:
    since = numbers.get(trend.slower_since or "", 0)
    change = "" if trend.change is None else f"{trend.change:+.0%}"
    return {
        "step": trend.step,
        "median": "" if trend.median is None else duration(trend.median),
        "change": f"{change}, slower since #{since}".lstrip(", ") if since else change,
        "slower": trend.slower_since is not None,
        "hit_rate": "" if trend.hit_rate is None else f"{trend.hit_rate:.0%}",
        "bars": [
            {"state": one.state, "seconds": one.duration, "text": f"{moment(one.started_at)}: {duration(one.duration)}"}
            for one in trend.executions
        ],
    }


def comparison(before: Iterable[Row], after: Iterable[Row], order: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Two runs, step by step: what became of each, and how much longer it took where both executed it."""
    old = {text(row, "step"): row for row in before}
    new = {text(row, "step"): row for row in after}
    names = [name for name in order if name in old or name in new]
    names += [name for name in (*old, *new) if name not in names]
    return [_compared(name, old.get(name, {}), new.get(name, {})) for name in dict.fromkeys(names)]


def _compared(name: str, old: Row, new: Row) -> dict[str, Any]:
    took = [seconds(row.get("duration")) for row in (old, new) if text(row, "state") == StepState.SUCCEEDED]
    change = ""
    if len(took) == len((old, new)) and took[0] and took[1] is not None:
        change = f"{took[1] / took[0] - 1:+.0%}"
    return {"step": name, "before": _ended(old), "after": _ended(new), "change": change}


def _ended(row: Row) -> dict[str, str]:
    state, took = text(row, "state"), seconds(row.get("duration"))
    executed = took is not None and state not in GOOD - {StepState.SUCCEEDED}
    return {"state": state, "word": WORDS.get(state, state), "duration": duration(took or 0) if executed else ""}
