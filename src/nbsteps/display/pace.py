"""What a board knows of how long its steps take: forecast, run under way, and what of it is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nbsteps.core.states import StepState
from nbsteps.display.estimate import Outlook, Task, outlook

_AT_WORK: Final = frozenset({StepState.RUNNING, StepState.RETRYING})
_TELLING: Final = 0.1
"""Share from which a step's own progress tells more than what it took before."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A step as far as its time goes: its state, when it entered that, and how far it is, 0 to 1."""

    state: str
    since: float | None = None
    share: float | None = None


class Pace:
    """Not thread-safe: whoever holds it locks.

    Attributes:
        workers: bodies at once.
        due: the steps that would be executed, in graph order.
        sure: whether it is known which steps will be executed; otherwise what it says is the most that it can take.
    """

    def __init__(self) -> None:
        self._usual: Mapping[str, float] = {}
        self._last: Mapping[str, float] = {}
        self._before: Mapping[str, Sequence[str]] = {}
        self.workers = self._seen = 1
        self.due: Mapping[str, None] = {}
        self._left: dict[str, None] = {}
        self.sure = False

    def know(self, usual: Mapping[str, float], before: Mapping[str, Sequence[str]], workers: int = 1) -> None:
        """What steps usually take in seconds, what comes before each, and how many bodies run at once."""
        self._usual, self._before, self.workers = usual, before, workers

    def forecast(self, due: Sequence[str], last: Mapping[str, float]) -> None:
        """These steps would be executed, in graph order; ``last`` is what others than the known took the last time."""
        self.due, self._last, self.sure = dict.fromkeys(due), last, True

    def whole(self) -> Outlook | None:
        """How long all that is due would take; None where that is not known of one."""
        return outlook({name: Task(self.usual(name)) for name in self.due}, self._before, self.workers)

    def usual(self, step: str) -> float | None:
        """What a step usually takes, seconds; None where nothing is known."""
        return self._usual.get(step, self._last.get(step))

    def begin(self, steps: Iterable[str]) -> None:
        """A run of these steps, in graph order, begins."""
        self._left, self._seen = dict.fromkeys(steps), 1

    def start(self, step: str) -> float | None:
        """A step is executed; returns what it usually takes. One that was not forecast shows that nothing is sure."""
        self.sure = self.sure and step in self.due
        return self.usual(step)

    def over(self, step: str) -> None:
        """A step ended or waits for a person."""
        self._left.pop(step, None)

    def outlook(self, standings: Mapping[str, Standing], at: float) -> Outlook | None:
        """What the run still has before it at a time, by how its steps stand; None where it cannot be told."""
        tasks: dict[str, Task] = {}
        held = {name for name, standing in standings.items() if standing.state == StepState.WAITING}
        for name in self._left:
            standing = standings.get(name, Standing(StepState.PENDING))
            if not held.isdisjoint(self._before.get(name, ())):
                held.add(name)
            elif standing.state in _AT_WORK:
                tasks[name] = Task(self._rest(name, standing, at), running=True)
            elif not self.sure or name in self.due:
                tasks[name] = Task(self.usual(name))
        self._seen = max(self._seen, sum(task.running for task in tasks.values()))
        return outlook(tasks, self._before, max(self.workers, self._seen))

    def _rest(self, name: str, standing: Standing, at: float) -> float | None:
        """What is left of a step at work."""
        spent = max(at - standing.since, 0.0) if standing.since is not None else 0.0
        if standing.share is not None and standing.share >= _TELLING and spent:
            return spent * (1 - standing.share) / standing.share
        usual = self.usual(name)
        return None if usual is None else max(usual - spent, 0.0)
