"""The graph as one page of HTML: the picture, and below it a table that says the same. Nothing is loaded, no script."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from nbsteps.display.marks import mark
from nbsteps.display.palette import DARK, LIGHT, NAMED, Palette, family, variables
from nbsteps.display.svg import clean, graph_svg, summary
from nbsteps.display.view import Edge, GraphModel, Node

_COLUMNS: Final = ("Step", "State", "Took", "Why", "Needs", "Makes", "Cell")

_STYLE: Final = """\
:root{color-scheme:light dark;%s}
@media (prefers-color-scheme:dark){:root{%s}}
body{margin:24px;background:var(--nbs-surface);color:var(--nbs-strong);
font:13px/20px system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}
h1{font-size:20px;line-height:28px;margin:0;overflow-wrap:anywhere}
p{margin:0 0 16px;color:var(--nbs-soft)}
figure{margin:0 0 24px;overflow-x:auto}
figure svg{display:block}
div{overflow-x:auto}
table{border-collapse:collapse;font-size:12px;line-height:16px;font-variant-numeric:tabular-nums}
th,td{padding:8px 16px 8px 0;border-bottom:1px solid var(--nbs-frame);text-align:left;vertical-align:top}
th{font-size:11px;font-weight:500;color:var(--nbs-soft)}
td svg{width:14px;height:14px;vertical-align:-2px;margin-right:6px}
td:nth-child(2),td:last-child{white-space:nowrap}
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
th code{font-size:12px;font-weight:600;color:var(--nbs-strong)}"""


def graph_html(model: GraphModel) -> str:
    """A whole page, light or dark as the reader's system is."""
    title = clean(model.title or "Steps")
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{title}</title>",
            f"<style>\n{_STYLE % (_declared(LIGHT), _declared(DARK))}\n</style></head>",
            f"<body><h1>{title}</h1>",
            f"<p>{clean(summary(model))}</p>",
            f"<figure>{graph_svg(model, NAMED)}</figure>",
            *_table(model),
            "</body></html>",
            "",
        )
    )


def _declared(palette: Palette) -> str:
    return ";".join(f"{name}:{colour}" for name, colour in variables(palette).items())


def _table(model: GraphModel) -> Iterable[str]:
    if not model.nodes:
        return
    needs: dict[str, list[Edge]] = {node.name: [] for node in model.nodes}
    for edge in model.edges:
        needs[edge.target].append(edge)
    heads = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    yield f"<div><table><thead><tr>{heads}</tr></thead><tbody>"
    for node in model.nodes:
        yield _row(node, needs[node.name])
    yield "</tbody></table></div>"


def _row(node: Node, needs: Iterable[Edge]) -> str:
    colours = family(node.state)
    drawn = mark(node.state, NAMED.hue[colours], NAMED.surface)
    state = f'<svg viewBox="0 0 16 16" aria-hidden="true">{drawn}</svg>{clean(node.word)}'
    cells = (
        state,
        clean(node.number),
        clean(node.reasons),
        ", ".join(map(_needed, needs)),
        ", ".join(f"<code>{clean(name)}</code>" for name in node.outputs),
        clean(node.cell),
    )
    columns = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row"><code>{clean(node.name)}</code></th>{columns}</tr>'


def _needed(edge: Edge) -> str:
    carried = f" ({', '.join(map(clean, edge.variables))})" if edge.variables else ""
    return f"<code>{clean(edge.source)}</code>{carried}"
