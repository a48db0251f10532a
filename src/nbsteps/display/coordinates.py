"""Second half of the layout: how far down each step stands (Brandes and Köpf, 2001).

Chains become straight lines where nothing forces a bend: nodes are tied to the median of their neighbours four times,
from either side and from either end, each time packed as tightly as it goes; the mean of the two middle results is
taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from nbsteps.display.layers import Layered

Gap = Callable[[int, int], float]
"""The least distance between the middles of two that stand one above the other."""


def heights(graph: Layered, columns: Sequence[Sequence[int]], gap: Gap) -> dict[int, float]:
    """Middle of each node of these neighbouring columns, from 0 down."""
    crossing = _conflicts(graph, columns)
    found: list[dict[int, float]] = []
    for leftwards in (False, True):
        for upwards in (False, True):
            turned = _Turned(graph, columns, leftwards=leftwards, upwards=upwards)
            placed = _pack(turned, _align(turned, crossing), gap)
            sign = -1.0 if upwards else 1.0
            found.append({node: sign * at for node, at in placed.items()})
    return _balanced(found)


class _Turned:
    """The columns as one of the four passes sees them."""

    def __init__(self, graph: Layered, columns: Sequence[Sequence[int]], *, leftwards: bool, upwards: bool) -> None:
        self.columns = [list(reversed(column)) if upwards else list(column) for column in columns]
        if leftwards:
            self.columns.reverse()
        self.place = {node: index for column in self.columns for index, node in enumerate(column)}
        self._near = graph.after if leftwards else graph.before
        self._graph = graph

    def medians(self, node: int) -> list[int]:
        """The middle one or two of the neighbours in the column taken before.

        A slot keeps to the slot that its edge comes from, so that long edges are straight; of two in the middle a step
        comes before a slot, so that an edge that skips a step bends and not the chain that it skips.
        """
        steps = self._graph.steps
        near = [other for other in self._near[node] if other in self.place]
        if node >= steps:
            near = [other for other in near if other >= steps] or near
        near.sort(key=self.place.__getitem__)
        middle = near[(len(near) - 1) // 2 : len(near) // 2 + 1]
        firm = [other for other in middle if other < steps]
        return middle if node >= steps or len(firm) != 1 else firm


def _conflicts(graph: Layered, columns: Sequence[Sequence[int]]) -> set[tuple[int, int]]:
    """Edges that cross the straight middle part of a long edge: they yield."""
    found = set[tuple[int, int]]()
    for left, right in pairwise(columns):
        place = {node: index for index, node in enumerate(left)}
        low, start = 0, 0
        for index, node in enumerate(right):
            inner = _inner(graph, node, place)
            if inner is None and node != right[-1]:
                continue
            high = len(left) if inner is None else place[inner]
            for other in right[start : index + 1]:
                for source in graph.before[other]:
                    at = place.get(source, low)
                    if not low <= at <= high and not (source >= graph.steps and other >= graph.steps):
                        found.add((source, other))
            start, low = index + 1, high
    return found


def _inner(graph: Layered, node: int, place: dict[int, int]) -> int | None:
    if node < graph.steps:
        return None
    return next((other for other in graph.before[node] if other >= graph.steps and other in place), None)


def _align(turned: _Turned, crossing: set[tuple[int, int]]) -> dict[int, int]:
    """Node to the first node of its block: those of one block share one height."""
    place = turned.place
    root = {node: node for node in place}
    for column in turned.columns:
        last = -1
        for node in column:
            for other in turned.medians(node):
                free = root[node] == node and last < place[other]
                if free and (other, node) not in crossing and (node, other) not in crossing:
                    root[node] = root[other]
                    last = place[other]
    return root


def _pack(turned: _Turned, root: dict[int, int], gap: Gap) -> dict[int, float]:
    """Put blocks as near to the start as they go, then as near to what follows them as they go."""
    following = _following(turned, root, gap)
    at = dict.fromkeys(following, 0.0)
    order = _in_order(following)
    for block in order:
        for other, distance in following[block].items():
            at[other] = max(at[other], at[block] + distance)
    for block in reversed(order):
        if following[block]:
            at[block] = max(at[block], min(at[other] - distance for other, distance in following[block].items()))
    return {node: at[block] for node, block in root.items()}


def _following(turned: _Turned, root: dict[int, int], gap: Gap) -> dict[int, dict[int, float]]:
    """Block to the blocks that stand right behind it in some column, and how far they have to keep away."""
    following: dict[int, dict[int, float]] = {block: {} for block in root.values()}
    for column in turned.columns:
        for upper, lower in pairwise(column):
            behind = following[root[upper]]
            behind[root[lower]] = max(behind.get(root[lower], 0.0), gap(upper, lower))
    return following


def _in_order(following: dict[int, dict[int, float]]) -> list[int]:
    waiting = dict.fromkeys(following, 0)
    for behind in following.values():
        for block in behind:
            waiting[block] += 1
    ready = [block for block, count in waiting.items() if not count]
    for block in ready:
        for other in following[block]:
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return ready


def _balanced(found: list[dict[int, float]]) -> dict[int, float]:
    """Line the four results up with the tightest and take the mean of the middle two, node by node."""
    spans = [(min(result.values()), max(result.values())) for result in found]
    tightest = min(spans, key=lambda span: span[1] - span[0])
    shifts = [tightest[1] - high if index % 2 else tightest[0] - low for index, (low, high) in enumerate(spans)]
    placed: dict[int, float] = {}
    for node in found[0]:
        four = sorted(result[node] + shift for result, shift in zip(found, shifts, strict=True))
        placed[node] = (four[1] + four[2]) / 2
    first = min(placed.values())
    return {node: at - first for node, at in placed.items()}
