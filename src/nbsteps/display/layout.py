"""Where everything of a graph's picture stands: columns from left to right, folded into bands like lines of text.

Deterministic: the same graph gives the same picture. All lengths are in pixels at full size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Final

from nbsteps.display.coordinates import heights
from nbsteps.display.layers import layer

Point = tuple[float, float]

_COST_OF_A_BAND: Final = 6
"""In edges that turn around: a band more is worth it if it saves that many."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Sizes and distances.

    Attributes:
        width: of a node.
        height: of a node.
        column_gap: between columns.
        row_gap: between nodes of a column.
        tight_gap: the same where a band has a column of more than ``many`` nodes.
        slot_gap: between two edges that pass through a column, or an edge and a node.
        margin: around everything.
        room: width to which deep graphs are folded.
        track: between edges that lead from one band to the next.
        many: nodes of a column above which they move closer.
    """

    width: float = 172
    height: float = 48
    column_gap: float = 34
    row_gap: float = 28
    tight_gap: float = 14
    slot_gap: float = 16
    margin: float = 20
    room: float = 1040
    track: float = 8
    many: int = 8

    @property
    def pitch(self) -> float:
        """From one column to the next."""
        return self.width + self.column_gap

    @property
    def columns(self) -> int:
        """How many columns a band can hold."""
        return max(1, int((self.room + self.column_gap) // self.pitch))


@dataclass(frozen=True, slots=True)
class Layout:
    """A laid-out graph.

    Attributes:
        boxes: node to its upper left corner.
        routes: (source, target) to the points that the edge passes through, from the source's right side to the
            target's left side. Between two points the line is straight where they share x or y, else a curve that
            leaves and arrives level. No points: the edge is not drawn, as others imply it in a large graph.
    """

    width: float = 0
    height: float = 0
    boxes: Mapping[str, Point] = field(default_factory=dict)
    routes: Mapping[tuple[str, str], tuple[Point, ...]] = field(default_factory=dict)


def lay_out(
    parents: Mapping[str, Sequence[str]], metrics: Metrics | None = None, rooms: Mapping[str, float] | None = None
) -> Layout:
    """Place the nodes of a graph and lead its edges around them.

    Args:
        parents: node to those it needs; nodes best come after what they need. Edges from a later node (a circle) are
            led back below everything.
        metrics: sizes; the full-size picture if absent.
        rooms: node to the distance that must be free before it, for what is written on its edges.
    """
    metrics = metrics or Metrics()
    groups = _groups(parents)
    alone = dict.fromkeys(names[0] for names in groups if len(names) == 1 and not parents[names[0]])
    parts = [_Part(names, parents, metrics, rooms or {}).laid_out() for names in groups if names[0] not in alone]
    parts.append(_grid(list(alone), metrics))
    boxes: dict[str, Point] = {}
    routes: dict[tuple[str, str], tuple[Point, ...]] = {}
    top, width = metrics.margin, 0.0
    starts = [min((x for x, _ in part.boxes.values()), default=0.0) for part in parts]
    for part, start in zip(parts, starts, strict=True):
        left = metrics.margin + max(starts) - start
        boxes |= {name: (x + left, y + top) for name, (x, y) in part.boxes.items()}
        for edge, points in part.routes.items():
            routes[edge] = tuple((x + left, y + top) for x, y in points)
        top += part.height + metrics.row_gap if part.boxes else 0
        width = max(width, left + part.width + metrics.margin)
    return Layout(width, top - metrics.row_gap + metrics.margin if boxes else 2 * metrics.margin, boxes, routes)


def depth(parents: Mapping[str, Sequence[str]]) -> int:
    """How many columns a graph takes if it is not folded."""
    at: dict[str, int] = {}
    for name, needed in parents.items():
        at[name] = max((at[parent] for parent in needed if parent in at), default=0) + 1
    return max(at.values(), default=0)


def _groups(parents: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Nodes that hang together, each group in the order given, groups by their first node."""
    near: dict[str, list[str]] = {name: [] for name in parents}
    for name, needed in parents.items():
        for parent in needed:
            near[name].append(parent)
            near[parent].append(name)
    group: dict[str, list[str]] = {}
    for start in parents:
        if start not in group:
            reached = [start]
            group[start] = []
            for name in reached:
                fresh = [other for other in dict.fromkeys(near[name]) if other not in group]
                group |= dict.fromkeys(fresh, group[start])
                reached += fresh
    for name in parents:
        group[name].append(name)
    return list({id(names): names for names in group.values()}.values())


def _grid(names: Sequence[str], metrics: Metrics) -> Layout:
    """Nodes without any edge, row by row."""
    columns = max(1, min(metrics.columns, len(names)))
    boxes: dict[str, Point] = {}
    for index, name in enumerate(names):
        row, column = divmod(index, columns)
        boxes[name] = (column * metrics.pitch, row * (metrics.height + metrics.row_gap))
    if not boxes:
        return Layout()
    low = max(y for _, y in boxes.values()) + metrics.height
    return Layout(columns * metrics.pitch - metrics.column_gap, low, boxes)


@dataclass(slots=True)
class _Band:
    """Neighbouring columns that stand beside each other.

    Attributes:
        columns: numbers from top to bottom, column by column.
        x: left side of each column.
        y: middle of each number.
        top: upper edge.
        height: without what follows below.
        tracks: number in the last column to its rank among those whose edges lead on to the next band.
    """

    columns: list[list[int]]
    x: list[float]
    y: dict[int, float]
    top: float = 0
    height: float = 0
    tracks: dict[int, int] = field(default_factory=dict)


class _Part:
    """One connected graph."""

    def __init__(
        self,
        names: Sequence[str],
        parents: Mapping[str, Sequence[str]],
        metrics: Metrics,
        rooms: Mapping[str, float],
    ) -> None:
        self._metrics = metrics
        self._names = names
        self._rooms = {index: rooms[name] for index, name in enumerate(names) if name in rooms}
        number = {name: index for index, name in enumerate(names)}
        self._parents = [[number[parent] for parent in parents[name]] for name in names]
        self._graph = layer(self._parents)
        self._bands = self._fold()
        self._at = {
            node: (number, index)
            for number, band in enumerate(self._bands)
            for index, column in enumerate(band.columns)
            for node in column
        }
        self._returns = [
            (parent, step) for step, needed in enumerate(self._parents) for parent in needed if parent >= step
        ]

    def laid_out(self) -> Layout:
        """The picture of this part alone, from 0, 0."""
        metrics, bands = self._metrics, self._bands
        aside = self._aside()
        top = 0.0
        for band in bands:
            band.top = top
            band.x = [x + aside for x in band.x]
            band.y = {node: y + top for node, y in band.y.items()}
            top += band.height + metrics.row_gap + len(band.tracks) * metrics.track
        boxes = {name: self._corner(node) for node, name in enumerate(self._names)}
        routes = {
            (self._names[parent], name): self._route(parent, node)
            for node, name in enumerate(self._names)
            for parent in self._parents[node]
        }
        right = max(band.x[-1] for band in bands) + metrics.width + aside
        height = bands[-1].top + bands[-1].height
        if self._returns:
            height += metrics.row_gap / 2 + len(self._returns) * metrics.track
        return Layout(right, height, boxes, routes)

    def _aside(self) -> float:
        """Room on either side for edges that turn around."""
        turning = max(len(band.tracks) for band in self._bands) or bool(self._returns)
        return (turning + 2) * self._metrics.track if turning else 0.0

    def _fold(self) -> list[_Band]:
        """As few bands as the room allows, broken where few edges have to turn around."""
        columns, most = self._graph.columns, self._metrics.columns
        leading = [[node for node in column if self._graph.after[node]] for column in columns]
        cost: list[float] = [0.0]
        start: list[int] = [0]
        for end in range(1, len(columns) + 1):
            starts = range(max(0, end - most), end)
            costs = {at: cost[at] + _COST_OF_A_BAND + (most - end + at) ** 2 / most for at in starts}
            start.append(min(costs, key=costs.__getitem__))
            cost.append(costs[start[-1]] + len(leading[end - 1]))
        ends = [len(columns)]
        while start[ends[-1]]:
            ends.append(start[ends[-1]])
        found = [self._band(columns[start[end] : end]) for end in reversed(ends)]
        for band in found[:-1]:
            following = [node for node in band.columns[-1] if self._graph.after[node]]
            band.tracks = {node: rank for rank, node in enumerate(following)}
        return found

    def _band(self, columns: list[list[int]]) -> _Band:
        metrics, steps = self._metrics, self._graph.steps
        crowded = any(sum(node < steps for node in column) > metrics.many for column in columns)
        gap = metrics.tight_gap if crowded else metrics.row_gap
        middles = heights(self._graph, columns, partial(self._gap, gap))
        half = {node: metrics.height / 2 if node < steps else 0.0 for node in middles}
        high = min(y - half[node] for node, y in middles.items())
        low = max(y + half[node] for node, y in middles.items())
        y = {node: float(round(middle - high)) for node, middle in middles.items()}
        x = [0.0]
        for left, right in pairwise(columns):
            x.append(x[-1] + metrics.width + self._column_gap(left, right, y))
        return _Band(columns, x, y, height=low - high)

    def _gap(self, row_gap: float, upper: int, lower: int) -> float:
        metrics = self._metrics
        steps = (upper < self._graph.steps) + (lower < self._graph.steps)
        return steps * metrics.height / 2 + (row_gap if steps == 2 else metrics.slot_gap)  # noqa: PLR2004 - both

    def _column_gap(self, left: Sequence[int], right: Sequence[int], y: Mapping[int, float]) -> float:
        """Wider where edges climb far, so that they can be told apart, and where something is written on them."""
        here = set(right)
        climbs = (abs(y[node] - y[other]) for node in left for other in self._graph.after[node] if other in here)
        more = (max(climbs, default=0.0) - 2 * self._metrics.height) / 8
        gap = self._metrics.column_gap + round(min(max(more, 0.0), 2 * self._metrics.column_gap))
        return max(gap, *(round(self._rooms.get(node, 0.0)) for node in right))

    def _corner(self, node: int) -> Point:
        x, y = self._left(node)
        return x, y - self._metrics.height / 2

    def _left(self, node: int) -> Point:
        band, column = self._at[node]
        return self._bands[band].x[column], self._bands[band].y[node]

    def _right(self, node: int) -> Point:
        x, y = self._left(node)
        return x + self._metrics.width, y

    def _route(self, source: int, target: int) -> tuple[Point, ...]:
        if (source, target) in self._graph.left_out:
            return ()
        if source >= target:
            return self._return(source, target)
        between = self._graph.column[target] - self._graph.column[source] - 1
        slots = self._graph.slots[source][:between]
        chain = [source, *(slots if len(slots) == between else ()), target]
        points = [self._right(source)]
        for here, there in pairwise(chain):
            points += self._turn(here, there)
            points.append(self._left(there))
            if there != target:
                points.append(self._right(there))
        return tuple(points)

    def _return(self, source: int, target: int) -> tuple[Point, ...]:
        """Back below everything: an edge of a circle."""
        track, last = self._metrics.track, self._bands[-1]
        inner = self._returns.index((source, target))
        level = last.top + last.height + self._metrics.row_gap / 2 + inner * track
        (right, y), (left, to_y) = self._right(source), self._left(target)
        out, into = right + 2 * track, left - 2 * track
        return ((right, y), (out, y), (out, level), (into, level), (into, to_y), (left, to_y))

    def _turn(self, here: int, there: int) -> list[Point]:
        """Around the end of a band: out on the right, back below it, in on the left; the upper take the outer way."""
        band, following = self._bands[self._at[here][0]], self._bands[self._at[there][0]]
        rank = band.tracks.get(here)
        if following is band or rank is None or self._at[there][1]:
            return []
        track = self._metrics.track
        inner = len(band.tracks) - 1 - rank
        right = self._right(here)[0] + 2 * track + inner * track
        level = band.top + band.height + self._metrics.row_gap / 2 + inner * track
        left = self._left(there)[0] - 2 * track - rank * track
        return [(right, self._right(here)[1]), (right, level), (left, level), (left, self._left(there)[1])]
