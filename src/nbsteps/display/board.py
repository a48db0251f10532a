"""What the toolbar shows while things change: a forecast at rest, events during a run, taken in batches.

Events may come from any thread; whoever sends them on takes only what changed since it took the last time. Of several
changes of one step the last is sent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from nbsteps.core.approvals import Request
from nbsteps.core.decide import Action
from nbsteps.core.events import (
    ApprovalDecided,
    AttemptStarted,
    Cleared,
    Event,
    ItemsStarted,
    Progressed,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepRetrying,
    StepStarted,
    StepSucceeded,
    StepWaiting,
)
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.states import GOOD, StepState
from nbsteps.display.estimate import Outlook
from nbsteps.display.pace import Pace, Standing
from nbsteps.display.standing import BLOCKED, WORDS
from nbsteps.display.view import NodeView, Row, node_views
from nbsteps.display.wording import count, duration, moment, one_line

_ENDS: Final = (ReasonKind.FAILED_LAST_TIME, ReasonKind.CANCELLED_LAST_TIME, ReasonKind.CRASHED_LAST_TIME)
_AGAIN: Final = frozenset(str(Reason(kind)) for kind in _ENDS)
_WOULD_RUN: Final = frozenset({Action.RUN, Action.MAY_RUN})


@dataclass(frozen=True, slots=True)
class Shown:
    """A step as the toolbar shows it: :class:`NodeView`, and what moves during a run.

    Attributes:
        since: seconds since the epoch at which it entered its state, while that lasts; None otherwise.
        share: how far it is, 0 to 1; None where that is not known.
        usual: seconds that it usually takes, while it runs; None where nothing is known.
        text: what its body said of its progress, while it runs.
    """

    state: str
    word: str
    number: str = ""
    reasons: str = ""
    since: float | None = None
    share: float | None = None
    usual: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class RunView:
    """The run that is shown: the one under way, else the last.

    Attributes:
        started: seconds since the epoch.
        ended: the same; None while it goes on.
        done: how many of its ``total`` steps have ended.
        until: when it will end, by what its steps took before; None where nothing is known of one of them.
        after: so many seconds it goes on at least once what runs now has ended.
        most: whether that is the most that it can take, as it is not known which steps will be executed.
    """

    run_id: str
    state: str
    word: str
    started: float
    ended: float | None = None
    done: int = 0
    total: int = 0
    until: float | None = None
    after: float = 0.0
    most: bool = False


class Board:
    """Listener that holds the steps as they are shown. Safe to use from several threads.

    Args:
        wake: called after each change, from the thread that the event came on.
    """

    def __init__(self, wake: Callable[[], object] = lambda: None) -> None:
        self._wake = wake
        self._lock = threading.RLock()
        self._nodes: dict[str, Shown] = {}
        self._changed: dict[str, None] = {}
        self._run: RunView | None = None
        self._covered: dict[str, bool] = {}
        self._pace = Pace()
        self._at = 0.0
        self._waiting: dict[str, Request] = {}
        self._forecast = ""
        self._said: list[str] = []
        self._whole = True
        self._seq = 0

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        with self._lock:
            return self._run is not None and self._run.ended is None

    @property
    def has_run(self) -> bool:
        """Whether there is a run to show."""
        with self._lock:
            return self._run is not None

    @property
    def asked(self) -> tuple[Request, ...]:
        """What waits for a person, as it is shown."""
        with self._lock:
            return tuple(self._waiting.values())

    def expect(self, usual: Mapping[str, float], before: Mapping[str, Sequence[str]], workers: int = 1) -> None:
        """Say what steps usually take in seconds, what comes before each, and how many bodies run at once."""
        with self._lock:
            self._pace.know(usual, before, workers)

    def hands(self, workers: int) -> None:
        """So many bodies will run at once, in the run that is forecast."""
        with self._lock:
            self._pace.workers = workers
            self._foretell()
            self._whole = True
        self._wake()

    def rest(self, rows: Iterable[Row], requests: Iterable[Request] = ()) -> None:
        """Show a forecast: every step as it ended the last time, and what would be done now.

        A step that the last run shown here ended well keeps that state as long as it is fresh.
        """
        rows = tuple(rows)
        views = node_views(rows)
        with self._lock:
            self._nodes = {name: self._kept(name, view) for name, view in views.items()}
            due = [name for name, _state, decision, _result in rows if decision.action in _WOULD_RUN]
            self._pace.forecast(due, _last(rows))
            self._foretell()
            self._waiting = {request.step: request for request in requests}
            for name, request in self._waiting.items():
                self._nodes[name] = _waiting(request)
            self._whole = True
        self._wake()

    def still(self) -> tuple[dict[str, NodeView], str]:
        """The steps for a picture that stays as it is, and a line on the run that they are from."""
        with self._lock:
            views = {name: NodeView(s.state, s.word, s.number, s.reasons) for name, s in self._nodes.items()}
            run = self._run
        if run is None:
            return views, ""
        return views, f"Run of {moment(run.started)}: {run.word.lower()}"

    def _foretell(self) -> None:
        if not self.running:
            self._forecast = _forecast(len(self._pace.due), len(self._nodes), self._pace.whole())

    def last_run(self, run: RunView) -> None:
        """Show a run of the history, as long as none was seen."""
        with self._lock:
            if self._run is None:
                self._run, self._whole = run, True

    def _kept(self, name: str, view: NodeView) -> Shown:
        before = self._nodes.get(name)
        if before is not None and before.state == StepState.SUCCEEDED and view.state == StepState.CACHED:
            return before
        if before is not None and before.state == view.state and view.reasons in _AGAIN:
            return before  # which says what went wrong, not only that something did
        return Shown(view.state, view.word, view.number, view.reasons)

    def emit(self, event: Event) -> None:
        """Take note of an event; those that show nothing change nothing."""
        with self._lock:
            self._at = getattr(event, "at", self._at)
            self._take(event)
        self._wake()

    def _take(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._begin(event)
            case RunEnded():
                self._end(event)
            case StepSucceeded() | StepRestored() | StepEnded() | StepWaiting():
                self._settle(event)
            case Cleared():
                self._put(event.step, Shown(StepState.PENDING, WORDS[StepState.PENDING]))
            case ApprovalDecided():
                self._waiting.pop(event.step, None)
                self._whole = True
            case _:
                self._move(event)

    def _begin(self, event: RunStarted) -> None:
        self._covered = dict.fromkeys(event.steps, False)
        for name in event.steps:
            self._put(name, Shown(StepState.PENDING, WORDS[StepState.PENDING]))
        self._run = RunView(event.run_id, "running", WORDS[StepState.RUNNING], event.at, total=len(event.steps))
        self._pace.begin(event.steps)
        self._forecast = ""
        self._said.append(f"Run of {count(len(event.steps), 'step')} started")

    def _end(self, event: RunEnded) -> None:
        if self._run is None or self._run.run_id != event.run_id:
            return
        word = WORDS[StepState(str(event.state))]
        self._run = replace(self._run, state=str(event.state), word=word, ended=event.at)
        self._said.append(f"Run finished: {word.lower()}")
        self._whole = True

    def _move(self, event: Event) -> None:
        """Events of a step that is under way."""
        match event:
            case StepStarted():
                reasons = ", ".join(event.reasons)
                word, usual = WORDS[StepState.RUNNING], self._pace.start(event.step)
                self._put(event.step, Shown(StepState.RUNNING, word, "", reasons, since=event.at, usual=usual))
            case AttemptStarted():
                if event.attempt.attempt > 1 and not event.attempt.item:
                    self._change(event.step, StepState.RUNNING, number=f"attempt {event.attempt.attempt}")
            case ItemsStarted():
                self._change(event.step, StepState.RUNNING)
            case StepRetrying():
                if not event.item:
                    number = f"attempt {event.attempt + 1}"
                    self._change(event.step, StepState.RETRYING, number=number, since=event.at, text="")
            case Progressed():
                self._progress(event)
            case _:
                pass

    def _progress(self, event: Progressed) -> None:
        share = min(max(event.done / event.total, 0.0), 1.0) if event.total > 0 else None
        whole = f"/{event.total:g}" if event.total > 0 else ""
        # The count of a map's items has no words of its own, and takes none from its bodies.
        said = {} if event.items and not event.text else {"text": one_line(event.text)}
        self._change(event.step, StepState.RUNNING, number=f"{event.done:g}{whole}", share=share, **said)

    def _change(self, step: str, state: StepState, **values: Any) -> None:
        before = self._nodes.get(step, Shown(state, WORDS[state]))
        self._put(step, replace(before, state=state, word=WORDS[state], **values))

    def _settle(self, event: StepSucceeded | StepRestored | StepEnded | StepWaiting) -> None:
        match event:
            case StepSucceeded():
                took = duration(event.result.duration)
                shown = Shown(StepState.SUCCEEDED, WORDS[StepState.SUCCEEDED], took)
            case StepRestored():
                shown = Shown(StepState.CACHED, WORDS[StepState.CACHED], duration(event.time_saved))
            case StepWaiting():
                self._waiting[event.step] = event.request
                shown = _waiting(event.request)
                self._said.append(f"{event.step} needs approval")
            case StepEnded():
                self._waiting.pop(event.step, None)
                shown = Shown(event.state, WORDS[event.state], "", one_line(event.reason))
                if event.state in {StepState.FAILED, StepState.CRASHED}:
                    self._said.append(f"{event.step} {WORDS[event.state].lower()}: {shown.reasons}")
        self._put(event.step, shown)
        if self._run is not None and event.step in self._covered:
            self._covered[event.step] = True
            self._pace.over(event.step)
            self._run = replace(self._run, done=sum(self._covered.values()))

    def _timed(self, run: RunView) -> RunView:
        """A run with when it will end, as of the last event."""
        if run.ended is not None:
            return run
        standings = {name: Standing(shown.state, shown.since, shown.share) for name, shown in self._nodes.items()}
        found = self._pace.outlook(standings, self._at)
        if found is None:
            return run
        return replace(run, until=self._at + found.seconds, after=found.after, most=not self._pace.sure)

    def _put(self, step: str, shown: Shown) -> None:
        self._nodes[step] = shown
        self._changed[step] = None

    def live(self) -> dict[str, Any]:
        """Everything, for a view that opens now."""
        with self._lock:
            self._seq += 1
            return self._packed(self._nodes)

    def take(self) -> tuple[dict[str, Any], bool] | None:
        """What changed since the last time, and whether a page that was not told should be given everything.

        None if nothing did.
        """
        with self._lock:
            if not self._changed and not self._whole and not self._said:
                return None
            self._seq += 1
            changed = {name: self._nodes[name] for name in self._changed if name in self._nodes}
            packed = self._packed(changed) | {"said": self._said}
            whole, self._changed, self._said, self._whole = self._whole, {}, [], False
            return packed, whole

    def _packed(self, nodes: Mapping[str, Shown]) -> dict[str, Any]:
        return {
            "seq": self._seq,
            "nodes": {name: asdict(shown) for name, shown in nodes.items()},
            "run": None if self._run is None else asdict(self._timed(self._run)),
            "running": self.running,
            "forecast": self._forecast,
            "failed": sum(shown.state in {StepState.FAILED, StepState.CRASHED} for shown in self._nodes.values()),
            "badge": self._badge(),
            "requests": [_form(request) for request in self._waiting.values()],
        }

    def _badge(self) -> str:
        """The whole pipeline in two words."""
        states = [shown.state for shown in self._nodes.values()]
        failed = sum(state in _BAD for state in states)
        stale = sum(state not in _FRESH for state in states)
        if self._run is not None and self._run.ended is None:
            return f"Running {self._run.done}/{self._run.total}"
        if self._waiting:
            return "Needs approval"
        if failed:
            return f"{failed} failed"
        blocked = sum(shown.word == BLOCKED for shown in self._nodes.values())
        if blocked:
            return f"{blocked} blocked"
        if all(state == StepState.PENDING for state in states):
            return "No run yet"
        return f"{stale} stale" if stale else "Up to date"


_BAD: Final = frozenset({StepState.FAILED, StepState.CRASHED})
_FRESH: Final = GOOD | {StepState.SKIPPED}
"""What a run would leave as it is."""


def _last(rows: Iterable[Row]) -> dict[str, float]:
    """Step to the seconds that its body took the last time, of all that ran ever; in graph order."""
    found = ((name, decision.result or result) for name, _state, decision, result in rows)
    return {name: known.duration for name, known in found if known is not None}


def _forecast(due: int, steps: int, expected: Outlook | None) -> str:
    if not due:
        return "Nothing would execute" if steps else ""
    about = "" if expected is None or not expected.seconds else f", about {duration(expected.seconds)}"
    return f"{due} of {steps} would execute{about}"


def _waiting(request: Request) -> Shown:
    return Shown(StepState.WAITING, WORDS[StepState.WAITING], "", request.message, since=request.requested_at)


def _form(request: Request) -> dict[str, Any]:
    """A request as the form that decides it."""
    return {
        "step": request.step,
        "message": request.message,
        "since": request.requested_at,
        "expires": request.expires_at,
        "fields": [asdict(field) for field in request.fields],
        "inputs": [list(pair) for pair in request.inputs],
        "approvers": list(request.approvers),
    }
