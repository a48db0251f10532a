"""The graph as one page of HTML: the picture, and below it a table that says the same. Nothing is loaded, no script."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from nbsteps.display.links import LinkKind
from nbsteps.display.palette import NAMED
from nbsteps.display.sheet import drawn, head
from nbsteps.display.svg import LINES, clean, graph_svg, summary
from nbsteps.display.view import Edge, GraphModel, Node

_COLUMNS: Final = ("Step", "State", "Took", "Why", "Needs", "Makes", "Runs if", "Cell")

_STYLE: Final = """\
div{overflow-x:auto}
td:nth-child(2),td:last-child{white-space:nowrap}"""


def graph_html(model: GraphModel) -> str:
    """A whole page, light or dark as the reader's system is."""
    title = model.title or "Steps"
    return "\n".join(
        (
            head(title, _STYLE),
            f"<body><h1>{clean(title)}</h1>",
            f"<p>{clean(summary(model))}</p>",
            f"<figure>{graph_svg(model, NAMED)}</figure>",
            *_table(model),
            "</body></html>",
            "",
        )
    )


def _table(model: GraphModel) -> Iterable[str]:
    if not model.nodes:
        return
    needs: dict[str, list[Edge]] = {node.name: [] for node in model.nodes}
    for edge in model.edges:
        needs[edge.target].append(edge)
    conditional = any(node.when for node in model.nodes)
    columns = [name for name in _COLUMNS if conditional or name != "Runs if"]
    heads = "".join(f'<th scope="col">{name}</th>' for name in columns)
    yield f"<div><table><thead><tr>{heads}</tr></thead><tbody>"
    for node in model.nodes:
        yield _row(node, needs[node.name], conditional=conditional)
    yield "</tbody></table></div>"


def _condition(node: Node) -> str:
    """What must hold, and of which branch it is one way."""
    when = f"<code>{clean(node.when)}</code>" if node.when else ""
    return ", ".join(part for part in (when, f"one of {clean(node.branch)}" if node.branch else "") if part)


def _row(node: Node, needs: Iterable[Edge], *, conditional: bool) -> str:
    cells = (
        drawn(node.state) + clean(node.word),
        clean(node.number),
        clean(node.reasons),
        ", ".join(map(_needed, needs)),
        ", ".join(f"<code>{clean(name)}</code>" for name in node.outputs),
        *([_condition(node)] if conditional else []),
        clean(node.cell),
    )
    columns = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row"><code>{clean(node.name)}</code></th>{columns}</tr>'


def _needed(edge: Edge) -> str:
    said = ", ".join(edge.variables) if edge.variables or edge.kind != LinkKind.WATCH else LINES[LinkKind.WATCH]
    carried = f" ({clean(said)})" if said else ""
    return f"<code>{clean(edge.source)}</code>{carried}"
