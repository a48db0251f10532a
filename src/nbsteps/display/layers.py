"""First half of the layout: which column each step stands in, and in what order within it.

Steps are numbers here, 0 to n - 1, in graph order; numbers from n on are slots that long edges pass through. All long
edges of one step share their slots, so that a step that many others need draws one trunk and not a bundle.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_SLOT_BUDGET: Final = 20_000
"""Slots beyond this are not made: a picture with that many crossing edges shows nothing anyway."""
_LARGE: Final = 100
"""Steps up to which every edge is drawn."""
_FAR: Final = 10
"""Columns above which an edge of a large graph is long."""
_SWEEPS: Final = 12
_NODES_FOR_ALL_SWEEPS: Final = 1500


@dataclass(frozen=True, slots=True)
class Layered:
    """A layered graph whose edges lead from one column to the next only.

    Attributes:
        steps: how many of the numbers are steps.
        columns: numbers from top to bottom, column by column.
        column: number to column.
        before: number to its neighbours in the column before.
        after: number to its neighbours in the column after.
        slots: step to the slots of its long edges, the one next to it first.
        left_out: (parent, step) of the edges that are not drawn.
    """

    steps: int
    columns: list[list[int]]
    column: list[int]
    before: list[list[int]]
    after: list[list[int]]
    slots: dict[int, list[int]]
    left_out: frozenset[tuple[int, int]]


def layer(parents: Sequence[Sequence[int]]) -> Layered:
    """Columns with slots, ordered so that few edges cross.

    ``parents`` may name a later step (steps of a circle); such an edge has no part in the layout.
    """
    column = _columns(parents)
    graph = _with_slots(parents, column, _implied(parents, column))
    _untangle(graph)
    return graph


def _implied(parents: Sequence[Sequence[int]], column: list[int]) -> frozenset[tuple[int, int]]:
    """In a large graph, the long edges that say nothing new: other steps on the way already need the parent.

    Without this a first step that a thousand others need would draw a line to each of them.
    """
    if len(parents) <= _LARGE:
        return frozenset()
    found = set[tuple[int, int]]()
    above: list[int] = []
    for step, needed in enumerate(parents):
        earlier = [parent for parent in needed if parent < step]
        through = 0
        for parent in earlier:
            through |= above[parent]
        above.append(through | sum(1 << parent for parent in set(earlier)))
        for parent in earlier:
            if column[step] - column[parent] > _FAR and through >> parent & 1:
                found.add((parent, step))
    return frozenset(found)


def _columns(parents: Sequence[Sequence[int]]) -> list[int]:
    """Longest path from the left; then what feeds more than it takes moves right, next to what needs it."""
    column = [0] * len(parents)
    children: list[list[int]] = [[] for _ in parents]
    for step, needed in enumerate(parents):
        for parent in needed:
            if parent < step:
                column[step] = max(column[step], column[parent] + 1)
                children[parent].append(step)
    for step in reversed(range(len(parents))):
        taken = sum(parent < step for parent in parents[step])
        if len(children[step]) > taken:
            column[step] = min(column[child] for child in children[step]) - 1
    return column


def _with_slots(parents: Sequence[Sequence[int]], column: list[int], left_out: frozenset[tuple[int, int]]) -> Layered:
    steps = len(parents)
    column = list(column)
    columns: list[list[int]] = [[] for _ in range(max(column, default=-1) + 1)]
    for step in range(steps):
        columns[column[step]].append(step)
    before: list[list[int]] = [[] for _ in range(steps)]
    after: list[list[int]] = [[] for _ in range(steps)]
    graph = Layered(steps, columns, column, before, after, {}, left_out)
    for step, needed in enumerate(parents):
        for parent in needed:
            if parent < step and (parent, step) not in left_out:
                _connect(graph, parent, step)
    return graph


def _connect(graph: Layered, parent: int, step: int) -> None:
    """Lead an edge through as many slots as it is long, making those that are missing."""
    chain = graph.slots.setdefault(parent, [])
    needed = graph.column[step] - graph.column[parent] - 1
    if needed > len(chain) and len(graph.column) + needed > graph.steps + _SLOT_BUDGET:
        return
    while len(chain) < needed:
        last = chain[-1] if chain else parent
        slot = len(graph.column)
        graph.column.append(graph.column[last] + 1)
        graph.columns[graph.column[slot]].append(slot)
        graph.before.append([last])
        graph.after.append([])
        graph.after[last].append(slot)
        chain.append(slot)
    last = chain[needed - 1] if needed else parent
    graph.after[last].append(step)
    graph.before[step].append(last)


def _untangle(graph: Layered) -> None:
    """Sweep to and fro, ordering each column by the mean place of its neighbours; keep the best order seen."""
    place = [0] * len(graph.column)
    _settle(graph, place)
    best, fewest = [list(column) for column in graph.columns], _crossings(graph, place)
    sweeps = _SWEEPS if len(graph.column) <= _NODES_FOR_ALL_SWEEPS else 4
    for sweep in range(sweeps):
        if not fewest:
            break
        forth = sweep % 2 == 0
        order = range(1, len(graph.columns)) if forth else range(len(graph.columns) - 2, -1, -1)
        for index in order:
            _sort(graph.columns[index], graph.before if forth else graph.after, place)
        crossings = _crossings(graph, place)
        if crossings < fewest:
            best, fewest = [list(column) for column in graph.columns], crossings
    graph.columns[:] = best
    _swap_neighbours(graph)


def _settle(graph: Layered, place: list[int]) -> None:
    for column in graph.columns:
        for index, node in enumerate(column):
            place[node] = index


def _sort(column: list[int], neighbours: list[list[int]], place: list[int]) -> None:
    def centre(node: int) -> float:
        near = neighbours[node]
        return sum(place[other] for other in near) / len(near) if near else float(place[node])

    column.sort(key=centre)
    for index, node in enumerate(column):
        place[node] = index


def _crossings(graph: Layered, place: list[int]) -> int:
    """How many pairs of edges cross between neighbouring columns."""
    total = 0
    for column in graph.columns[:-1]:
        ends: list[int] = []
        for node in column:
            targets = sorted(place[other] for other in graph.after[node])
            for target in targets:
                total += len(ends) - bisect_right(ends, target)
            for target in targets:
                insort(ends, target)
    return total


def _swap_neighbours(graph: Layered) -> None:
    """Exchange two that stand next to each other wherever that saves crossings."""
    if len(graph.column) > _NODES_FOR_ALL_SWEEPS:
        return
    place = [0] * len(graph.column)
    _settle(graph, place)
    for _ in range(4):
        swapped = False
        for column in graph.columns:
            for index, (upper, lower) in enumerate(pairwise(list(column))):
                if column[index] != upper:
                    continue
                if _pair(graph, place, lower, upper) < _pair(graph, place, upper, lower):
                    column[index], column[index + 1] = lower, upper
                    place[upper], place[lower] = index + 1, index
                    swapped = True
        if not swapped:
            return


def _pair(graph: Layered, place: list[int], upper: int, lower: int) -> int:
    """Crossings between the edges of two neighbours standing in this order."""
    return sum(place[a] > place[b] for side in (graph.before, graph.after) for a in side[upper] for b in side[lower])
