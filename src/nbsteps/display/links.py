"""What a picture draws between steps: what they need, what they only look at, and the conditions beside it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nbsteps.core.conditions import is_default
from nbsteps.core.graph import Graph
from nbsteps.core.model import Step
from nbsteps.display.layout import Layout, Point
from nbsteps.display.measure import breadth, fit
from nbsteps.display.wording import one_line

LABEL_SIZE: Final = 11
"""Font size of a condition, in pixels."""
LABEL_HIGH: Final = 16
_WIDEST: Final = 96
_AROUND: Final = 8
"""Between a condition and the end of its text's ground."""
_SHORTEST: Final = 48
"""A piece of an edge that has room for a condition."""
_PLACES: Final = (0.5, 0.68, 0.32)
_ABOVE: Final = 10


class LinkKind(StrEnum):
    """What an edge stands for: a value, an order without one (``--after``), a look at how the other step ended."""

    DATA = "data"
    ORDER = "order"
    WATCH = "watch"


@dataclass(frozen=True, slots=True)
class Link:
    """An edge; ``variables`` are the values that it carries."""

    source: str
    target: str
    kind: LinkKind
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Label:
    """A condition in the picture: the text that has room, all of it, and the middle of the text."""

    step: str
    text: str
    whole: str
    x: float
    y: float
    width: float


def before(graph: Graph) -> Mapping[str, tuple[str, ...]]:
    """Step to the steps that an edge leads from: those it needs, and those that it looks at.

    Members of one branch look at those above them; that they are alternatives is told by their conditions.
    """
    return {name: tuple(dict.fromkeys((*needed, *_watched(graph, name)))) for name, needed in graph.parents.items()}


def _watched(graph: Graph, name: str) -> Iterator[str]:
    own = graph.steps[name].options.branch if name in graph.steps else ""
    for other in graph.watched.get(name, ()):
        if not own or graph.steps[other].options.branch != own:
            yield other


def links(graph: Graph) -> tuple[Link, ...]:
    """The edges, by target in graph order."""
    return tuple(_link(graph, source, name) for name, sources in before(graph).items() for source in sources)


def _link(graph: Graph, source: str, target: str) -> Link:
    if source not in graph.parents[target]:
        return Link(source, target, LinkKind.WATCH)
    variables = tuple(variable for variable, writer in graph.sources.get(target, {}).items() if writer == source)
    return Link(source, target, LinkKind.DATA if variables else LinkKind.ORDER, variables)


def condition(step: Step) -> str:
    """What must hold for a step to run, in a few words; ``""`` where nothing must."""
    options = step.options
    if options.catch:
        return "on failure"
    return "else" if is_default(options) else one_line(options.when)


def conditions(graph: Graph) -> dict[str, str]:
    """The steps that have a condition."""
    return {name: found for name, step in graph.steps.items() if (found := condition(step))}


def rooms(graph: Graph) -> dict[str, float]:
    """Step to the width that its condition takes up before it."""
    sources = before(graph)
    return {name: _width(text) + 4 * _AROUND for name, text in conditions(graph).items() if sources[name]}


def _width(text: str) -> float:
    return min(breadth(text, LABEL_SIZE), _WIDEST) + _AROUND


def _carrier(graph: Graph, name: str, found: Sequence[str]) -> str:
    """Of the steps before one, that whose edge its condition is written on: which it asks about, else the first."""
    asked = graph.asked.get(name, frozenset())
    writers = {**graph.consults.get(name, {}), **graph.sources.get(name, {})}
    wanted = [graph.steps[name].options.catch, *(writers.get(variable, "") for variable in sorted(asked))]
    wanted += graph.watched.get(name, ())
    return next((step for step in (*wanted, *found) if step in found), "")


def labels(graph: Graph, layout: Layout) -> tuple[Label, ...]:
    """Write each condition on an edge of its step, or above the step where no edge has room; none on another."""
    placed, sources = list[Label](), before(graph)
    for name, text in conditions(graph).items():
        points = layout.routes.get((_carrier(graph, name, sources[name]), name), ())
        shown = fit(text, _WIDEST, LABEL_SIZE)
        spots = [*_on_edge(points), _above(layout.boxes[name], _width(shown))]
        found = [Label(name, shown, text, x, y, _width(shown)) for x, y in spots]
        free = (each for each in found if not any(_touch(each, other) for other in placed))
        placed.append(next(free, found[-1]))
    return tuple(placed)


def _on_edge(points: tuple[Point, ...]) -> Iterator[Point]:
    if len(points) < 2:  # noqa: PLR2004 - an edge that is not drawn
        return
    (x, y), (to_x, to_y) = points[-2:]
    if to_x - x < _SHORTEST:
        return
    for at in _PLACES:
        along = 1.5 * at * (1 - at) + at**3 if y != to_y else at  # of the curve that is drawn between two heights
        yield x + (to_x - x) * along, y + (to_y - y) * (3 * at**2 - 2 * at**3)


def _above(box: Point, width: float) -> Point:
    return box[0] + width / 2, box[1] - _ABOVE


def _touch(one: Label, other: Label) -> bool:
    return abs(one.x - other.x) < (one.width + other.width) / 2 and abs(one.y - other.y) < LABEL_HIGH
