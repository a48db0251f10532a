"""The graph as Mermaid text, which GitHub, GitLab and many editors draw in Markdown."""

from __future__ import annotations

import re
from typing import Final

from nbsteps.display.links import LinkKind
from nbsteps.display.palette import FAMILIES, LIGHT, family
from nbsteps.display.standing import SIGNS, STALE
from nbsteps.display.view import Edge, GraphModel, Node
from nbsteps.display.wording import count, one_line

EMPTY: Final = "No steps yet"

_HARMLESS: Final = re.compile(r"[^\w .,~…-]")
_NAMED: Final = 3
"""Variables up to which an edge names them."""


def graph_mermaid(model: GraphModel) -> str:
    """A flow chart from left to right, each step with its mark and word, each edge with the variables it carries."""
    lines = ["flowchart LR"]
    if model.title:
        lines.append(f"  accTitle: {_HARMLESS.sub(' ', one_line(model.title))}")
    if not model.nodes:
        return "\n".join((*lines, f'  none["{EMPTY}"]', ""))
    written = _written(model)
    number = {node.name: f"s{index}" for index, node in enumerate(model.nodes)}
    lines += [_node(node, number[node.name]) for node in model.nodes]
    lines += [_edge(edge, number, written.get((edge.source, edge.target), "")) for edge in model.edges]
    lines += [
        f"  classDef {name} fill:{LIGHT.tint[name]},stroke:{LIGHT.hue[name]},color:{LIGHT.ink[name]}"
        for name in FAMILIES
        if any(family(node.state) == name for node in model.nodes)
    ]
    if any(node.state == STALE for node in model.nodes):
        lines.append("  classDef stale stroke-dasharray:3 2")
    return "\n".join((*lines, ""))


def _node(node: Node, number: str) -> str:
    said = " ".join(part for part in (node.word, node.number) if part)
    sign = SIGNS.get(node.state, "")
    line = f'  {number}["{sign} {escaped(node.name)}<br>{escaped(said)}"]:::{family(node.state)}'
    return f"{line}\n  class {number} stale" if node.state == STALE else line


def _written(model: GraphModel) -> dict[tuple[str, str], str]:
    """Edge to the condition that stands on it: the first that leads to a step with one, best one that carries it."""
    whens = {node.name: node.when for node in model.nodes if node.when}
    found: dict[str, str] = {}
    for edge in sorted(model.edges, key=lambda edge: edge.kind != LinkKind.WATCH):
        found.setdefault(edge.target, edge.source)
    return {(source, target): whens[target] for target, source in found.items() if target in whens}


def _edge(edge: Edge, number: dict[str, str], condition: str) -> str:
    names = edge.variables
    carried = ", ".join(names) if len(names) <= _NAMED else count(len(names), "variable")
    label = ": ".join(part for part in (condition, carried) if part)
    shown = f'|"{escaped(label)}"|' if label else ""
    arrow = "-.->" if edge.kind == LinkKind.WATCH else "-->"
    return f"  {number[edge.source]} {arrow}{shown} {number[edge.target]}"


def escaped(text: str) -> str:
    """A text for a quoted label: everything that could mean something becomes a character code."""
    return _HARMLESS.sub(lambda found: f"#{ord(found[0])};", one_line(text))
