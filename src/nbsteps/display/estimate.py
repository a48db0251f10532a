"""How long a run still takes, by what its steps took before. Pure.

What is left is laid out over the workers as a run would do it: a step starts when everything before it is done and a
worker is free, the one with the longest chain behind it first. With one worker that is the sum, with enough of them
the critical path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Final

RECENT: Final = 5
"""Earlier successes of which the median is what a step usually takes: few, as steps change."""


@dataclass(frozen=True, slots=True)
class Task:
    """A step that a run has still to do.

    Attributes:
        left: seconds that it still takes; None where nothing is known.
        running: whether it is at work now.
    """

    left: float | None
    running: bool = False


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run has before it.

    Attributes:
        seconds: until everything is done.
        after: so many of them remain even if what is at work now ended at once: what a page counts down to while a
            step takes longer than usual.
    """

    seconds: float
    after: float


def usual(durations: Sequence[float]) -> float | None:
    """What a step usually takes, of the seconds that it took, newest first: the median of the latest."""
    latest = sorted(durations[:RECENT])
    if not latest:
        return None
    half = len(latest) // 2
    # By hand: a file of the user's named statistics.py would be loaded in the place of the standard module.
    return latest[half] if len(latest) % 2 else (latest[half - 1] + latest[half]) / 2


def outlook(
    tasks: Mapping[str, Task], before: Mapping[str, Sequence[str]] | None = None, workers: int = 1
) -> Outlook | None:
    """How long the tasks take; None where nothing is known of one, or where there is none.

    Args:
        tasks: step to task, each step after those that come before it.
        before: step to the steps that come before it; those that are no tasks are done.
        workers: bodies at once.
    """
    if not tasks or any(task.left is None for task in tasks.values()):
        return None
    left = {name: max(task.left or 0.0, 0.0) for name, task in tasks.items()}
    running = {name for name, task in tasks.items() if task.running}
    later = {name: 0.0 if name in running else seconds for name, seconds in left.items()}
    if workers == 1 and len(running) <= 1:
        return Outlook(sum(left.values()), sum(later.values()))
    line = _Line(tasks, before or {}, running)
    return Outlook(line.length(left, workers), line.length(later, workers))


class _Line:
    """The tasks in the order of a run."""

    def __init__(self, names: Iterable[str], before: Mapping[str, Sequence[str]], running: set[str]) -> None:
        self._running = running
        self._children: dict[str, list[str]] = {name: [] for name in names}
        self._open = dict.fromkeys(self._children, 0)
        seen = set[str]()
        for name in self._children:
            for parent in before.get(name, ()):
                if parent in seen and name not in running:  # what is at work waits for nothing
                    self._children[parent].append(name)
                    self._open[name] += 1
            seen.add(name)

    def length(self, left: Mapping[str, float], workers: int) -> float:
        """Seconds from now until the last one is done."""
        chain = self._chains(left)
        waiting = dict(self._open)
        ready = [self._urgency(name, chain) for name, needed in waiting.items() if not needed]
        heapify(ready)
        busy: list[tuple[float, str]] = []
        now, lanes = 0.0, max(workers, len(self._running), 1)
        while ready or busy:
            while ready and len(busy) < lanes:
                name = heappop(ready)[-1]
                heappush(busy, (now + left[name], name))
            now, name = heappop(busy)
            for child in self._children[name]:
                waiting[child] -= 1
                if not waiting[child]:
                    heappush(ready, self._urgency(child, chain))
        return now

    def _chains(self, left: Mapping[str, float]) -> dict[str, float]:
        """Step to the longest chain that begins with it."""
        chain: dict[str, float] = {}
        for name in reversed(self._children):
            chain[name] = left[name] + max((chain[child] for child in self._children[name]), default=0.0)
        return chain

    def _urgency(self, name: str, chain: Mapping[str, float]) -> tuple[bool, float, str]:
        return name not in self._running, -chain[name], name
