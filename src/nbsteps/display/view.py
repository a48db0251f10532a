"""Graph and standing of its steps -> what a picture shows. Pure; every drawing starts from this model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from nbsteps.core.decide import Action, Decision
from nbsteps.core.graph import Graph
from nbsteps.core.model import Result
from nbsteps.core.states import GOOD, StepState
from nbsteps.display.layout import Metrics, Point, depth, lay_out
from nbsteps.display.links import Label, LinkKind, before, condition, labels, links, rooms
from nbsteps.display.measure import breadth
from nbsteps.display.standing import STALE, WORDS, shown_state, shown_word
from nbsteps.display.wording import duration

NAME_SIZE: Final = 13
"""Font size of a step's name, in pixels."""

_BESIDE_NAME: Final = 44
"""What a node needs beside its name: mark, padding, gap."""
_WIDEST: Final = 260

Row = tuple[str, StepState, Decision, Result | None]
"""A step's name, the state it ended in the last time, the forecast, and its last result."""


@dataclass(frozen=True, slots=True)
class NodeView:
    """How a step is shown.

    Attributes:
        state: id of a state, or ``stale``, which is a forecast.
        word: the state in words.
        number: text beside the word: how long it took, ``~18s`` where that is expected; may be ``""``.
        reasons: why it would run, in one line; ``""`` where it would not.
    """

    state: str = str(StepState.PENDING)
    word: str = WORDS[StepState.PENDING]
    number: str = ""
    reasons: str = ""


def node_views(rows: Iterable[Row]) -> Mapping[str, NodeView]:
    """How each step is shown, given how it ended the last time and what would be done now."""
    return {name: _view(state, decision, result) for name, state, decision, result in rows}


def _view(state: StepState, decision: Decision, result: Result | None) -> NodeView:
    shown = shown_state(state, decision)
    known = decision.result or result
    number = ""
    if known is not None and shown in {*GOOD, STALE}:
        took = duration(known.duration)
        number = f"~{took}" if shown == STALE and not took.startswith("<") else took
    reasons = "" if decision.action is Action.RESTORE else decision.text
    return NodeView(str(shown), shown_word(state, decision), number, reasons)


@dataclass(frozen=True, slots=True)
class Node:
    """A step in the picture; ``x`` and ``y`` are its upper left corner, ``cell`` the label of its cell.

    Attributes:
        when: what must hold for it to run, ``""`` where nothing must.
        branch: the group of steps of which one runs, ``""`` for none.
    """

    name: str
    cell: str
    state: str
    word: str
    number: str
    reasons: str
    outputs: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float
    when: str = ""
    branch: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """A dependency; ``variables`` are what it carries, none for a pure order. ``points`` as in :class:`Layout`."""

    source: str
    target: str
    variables: tuple[str, ...]
    points: tuple[Point, ...]
    kind: str = LinkKind.DATA


@dataclass(frozen=True, slots=True)
class GraphModel:
    """A picture of a notebook's steps, in pixels at full size; nodes in graph order."""

    title: str = ""
    width: float = 0
    height: float = 0
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    labels: tuple[Label, ...] = ()
    caption: str = ""


def graph_model(graph: Graph, nodes: Mapping[str, NodeView], *, title: str = "", caption: str = "") -> GraphModel:
    """Lay a graph out; a step without a view is shown as pending. ``caption`` is a line below it."""
    metrics = _metrics(graph)
    layout = lay_out(before(graph), metrics, rooms(graph))
    pending = NodeView()
    placed = []
    for name, step in graph.steps.items():
        view = nodes.get(name, pending)
        x, y = layout.boxes[name]
        placed.append(
            Node(
                name=name,
                cell=step.cell.label,
                state=view.state,
                word=view.word,
                number=view.number,
                reasons=view.reasons,
                outputs=step.outputs,
                x=x,
                y=y,
                width=metrics.width,
                height=metrics.height,
                when=condition(step),
                branch=step.options.branch,
            )
        )
    edges = tuple(
        Edge(each.source, each.target, each.variables, layout.routes[each.source, each.target], each.kind)
        for each in links(graph)
    )
    shown = labels(graph, layout)
    return GraphModel(title, layout.width, layout.height, tuple(placed), edges, shown, caption)


def _metrics(graph: Graph) -> Metrics:
    """Nodes wide enough for the longest name, as long as the picture does not get wider than a page for it."""
    metrics = Metrics()
    longest = max((breadth(name, NAME_SIZE) for name in graph.steps), default=0.0) + _BESIDE_NAME
    columns = max(1, min(depth(before(graph)), metrics.columns))
    room = (metrics.room + metrics.column_gap) / columns - metrics.column_gap
    width = max(metrics.width, float(int(min(longest, room, _WIDEST))))
    return replace(metrics, width=width)


def as_json(model: GraphModel) -> dict[str, Any]:
    """The model as plain dictionaries, lists, texts and numbers."""
    return asdict(model)


def from_json(data: Mapping[str, Any]) -> GraphModel:
    """The model that :func:`as_json` was given, also after a way through JSON."""
    nodes = tuple(Node(**{**node, "outputs": tuple(node["outputs"])}) for node in data["nodes"])
    edges = tuple(
        Edge(**{**edge, "variables": tuple(edge["variables"]), "points": tuple((x, y) for x, y in edge["points"])})
        for edge in data["edges"]
    )
    written = tuple(Label(**label) for label in data["labels"])
    return GraphModel(data["title"], data["width"], data["height"], nodes, edges, written, data["caption"])
