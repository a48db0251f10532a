"""The graph as Mermaid text, which GitHub, GitLab and many editors draw in Markdown."""

from __future__ import annotations

import re
from typing import Final

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
    number = {node.name: f"s{index}" for index, node in enumerate(model.nodes)}
    lines += [_node(node, number[node.name]) for node in model.nodes]
    lines += [_edge(edge, number) for edge in model.edges]
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


def _edge(edge: Edge, number: dict[str, str]) -> str:
    names = edge.variables
    label = ", ".join(names) if len(names) <= _NAMED else count(len(names), "variable")
    carried = f'|"{escaped(label)}"|' if label else ""
    return f"  {number[edge.source]} -->{carried} {number[edge.target]}"


def escaped(text: str) -> str:
    """A text for a quoted label: everything that could mean something becomes a character code."""
    return _HARMLESS.sub(lambda found: f"#{ord(found[0])};", one_line(text))
