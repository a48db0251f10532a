"""A graph laid out once for each size of its nodes: a page zooms by changing the layout, not the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from nbsteps.core.graph import Graph
from nbsteps.display.layout import Layout, Metrics, lay_out
from nbsteps.display.links import before, condition, labels, links, rooms
from nbsteps.display.svg import route

_UNFOLDED: Final = 1e9
_ARROW: Final = 6.0
_MANY: Final = 40
"""Steps from which a picture is panned rather than folded into bands."""

LEVELS: Final = MappingProxyType(
    {
        "full": Metrics(),
        "compact": Metrics(width=128, height=44, column_gap=16, row_gap=24, margin=12, room=720),
        "line": Metrics(width=132, height=28, column_gap=32, row_gap=10, tight_gap=10, slot_gap=10, margin=16),
        "overview": Metrics(width=46, height=12, column_gap=34, row_gap=6, tight_gap=6, slot_gap=6, margin=16),
    }
)
"""Name of a size to its metrics: all there is to say, what a narrow page has room for, the name only, the mark only."""


def levels(graph: Graph) -> dict[str, dict[str, Any]]:
    """The layouts as plain lists and numbers.

    Each has ``width`` and ``height`` of the picture, ``node`` with width and height of one, ``at`` with x and y of
    each step in graph order, ``edges``: indices of source and target, an SVG path, the arrow's tip, and ``labels``:
    the conditions, at full size only, with index of the step, text, x and y of its middle.
    """
    return {
        name: _level(graph, _roomy(metrics, len(graph.steps)), full=name == "full") for name, metrics in LEVELS.items()
    }


def _level(graph: Graph, metrics: Metrics, *, full: bool) -> dict[str, Any]:
    index = {name: number for number, name in enumerate(graph.steps)}
    layout = lay_out(before(graph), metrics, rooms(graph) if full else None)
    shown = labels(graph, layout) if full else ()
    written = [[index[each.step], each.text, round(each.x), round(each.y)] for each in shown]
    return {**_plain(layout, metrics, index), "labels": written}


def _roomy(metrics: Metrics, steps: int) -> Metrics:
    return replace(metrics, room=_UNFOLDED) if steps >= _MANY else metrics


def _plain(layout: Layout, metrics: Metrics, index: Mapping[str, int]) -> dict[str, Any]:
    edges = [
        [index[source], index[target], route([*points[:-1], (points[-1][0] - _ARROW, points[-1][1])]), *points[-1]]
        for (source, target), points in layout.routes.items()
        if points
    ]
    return {
        "width": round(layout.width),
        "height": round(layout.height),
        "node": [metrics.width, metrics.height],
        "at": [[round(value) for value in layout.boxes[name]] for name in index],
        "edges": edges,
    }


def looks_like(one: Graph, other: Graph) -> bool:
    """Whether two graphs give the same :func:`graph_view`: known without laying them out."""
    return _shown(one) == _shown(other) and links(one) == links(other) and one.problems == other.problems


def _shown(graph: Graph) -> list[tuple[object, ...]]:
    steps = graph.steps.values()
    return [(s.name, s.cell.label, s.cell.id, s.outputs, condition(s), s.options.branch) for s in steps]


def graph_view(graph: Graph, title: str) -> dict[str, Any]:
    """What a page needs to draw a notebook's steps in any state, as plain dictionaries and lists."""
    return {
        "title": title,
        "steps": [
            {
                "name": step.name,
                "cell": step.cell.label,
                "cell_id": step.cell.id,
                "outputs": list(step.outputs),
                "when": condition(step),
                "branch": step.options.branch,
            }
            for step in graph.steps.values()
        ],
        "edges": [[each.source, each.target, list(each.variables), str(each.kind)] for each in links(graph)],
        "levels": levels(graph),
        "problems": [
            {"severity": p.severity, "message": p.message, "hint": p.hint, "step": p.step, "cell": p.cell}
            for p in graph.problems
        ],
    }
