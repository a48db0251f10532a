"""The steps as they stand, as text and picture: what the toolbar falls back to, and what is shown without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nbsteps.core.graph import Graph
from nbsteps.display import text
from nbsteps.display.svg import graph_svg
from nbsteps.display.view import graph_model, node_views
from nbsteps.engine.session import Standing


def picture(graph: Graph, standings: Sequence[Standing], title: str) -> Mapping[str, str]:
    """Type of content to content."""
    rows = [(row.step.name, row.state, row.decision, row.result) for row in standings]
    plain = text.status_lines(rows)
    if graph.problems:
        plain += "\n\n" + text.problem_lines(graph.problems)
    return {"text/plain": plain, "image/svg+xml": graph_svg(graph_model(graph, node_views(rows), title=title))}
