"""Which step is next: those whose predecessors have ended, in graph order."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from nbsteps.core.graph import Graph
from nbsteps.core.policies import Trigger


class Agenda:
    """The steps of a run that have not been settled, and which of them it is worth looking at.

    A step is looked at when its last predecessor ends, and each time one ends otherwise than well: then its rule may
    already be able to tell. So a run costs time by its edges, however long it takes and whatever it waits for.
    """

    def __init__(self, graph: Graph, names: Iterable[str], bad: Callable[[str], bool]) -> None:
        self._graph = graph
        self._ended_badly = bad
        self._position = {name: position for position, name in enumerate(graph.steps)}
        self._names = list(graph.steps)
        self._open: dict[str, int] = {}
        self._bad: set[str] = set()
        self._ready: set[str] = set()
        self._heap: list[int] = []
        self.add(names)

    def add(self, names: Iterable[str]) -> None:
        """Take on steps that have not ended; those that are there already stay as they are."""
        fresh = [name for name in names if name not in self._open]
        self._open.update(dict.fromkeys(fresh, 0))
        edges = self._graph.edges
        for name in fresh:
            self._open[name] = sum(parent in self._open for parent in edges[name])
            if any(map(self._ended_badly, edges[name])):
                self._bad.add(name)
            if not self._open[name]:
                self.put(name)

    def put(self, name: str) -> None:
        """Have a step looked at."""
        if name not in self._ready:
            self._ready.add(name)
            heapq.heappush(self._heap, self._position[name])

    def take(self) -> str | None:
        """The first step to look at; None if there is none."""
        while self._heap:
            name = self._names[heapq.heappop(self._heap)]
            if name in self._ready:
                self._ready.discard(name)
                return name
        return None

    def take_of(self, names: Iterable[str]) -> str | None:
        """The first of these steps, given in graph order, that is to be looked at."""
        for name in names:
            if name in self._ready:
                self._ready.discard(name)
                return name
        return None

    def ready(self) -> tuple[str, ...]:
        """All steps to look at, in graph order."""
        return tuple(sorted(self._ready, key=self._position.__getitem__))

    def settled(self, name: str) -> bool:
        """Whether everything before the step has ended, and ended well, and nothing else decides about it."""
        options = self._graph.steps[name].options
        plain = options.trigger is Trigger.ALL_SUCCESS and not options.branch and not options.catch
        return plain and not self._open[name] and name not in self._bad

    def ended(self, name: str, *, good: bool) -> None:
        """A step ended; what comes after it may be worth a look."""
        self._ready.discard(name)
        opened = self._open
        for child in self._graph.children[name]:
            left = opened.get(child, 0) - 1
            if left < 0:
                continue
            opened[child] = left
            if not good:
                self._bad.add(child)
            if not left or not good or self._early(child):
                self.put(child)

    def _early(self, name: str) -> bool:
        return self._graph.steps[name].options.trigger is not Trigger.ALL_SUCCESS

    def reopen(self, name: str) -> None:
        """A step that had ended runs again: what comes after it waits for it once more."""
        for child in self._graph.children[name]:
            if child in self._open:
                self._open[child] += 1
        self.put(name)
