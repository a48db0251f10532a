"""The steps as they stand, as text and picture: what the toolbar falls back to, and what is shown without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from nbsteps.core.graph import Graph
from nbsteps.display import text
from nbsteps.display.svg import graph_svg
from nbsteps.display.view import NodeView, graph_model, node_views
from nbsteps.engine.session import Standing
from nbsteps.notebook.notes import publish

SAVED: Final = "nbsteps-saved"
"""Class of the picture that stands beside a widget: hidden where the widget lives, seen where it does not."""


def picture(graph: Graph, standings: Sequence[Standing], title: str) -> Mapping[str, str]:
    """Type of content to content."""
    rows = [(row.step.name, row.state, row.decision, row.result) for row in standings]
    plain = text.status_lines(rows)
    if graph.problems:
        plain += "\n\n" + text.problem_lines(graph.problems)
    return {"text/plain": plain, "image/svg+xml": graph_svg(graph_model(graph, node_views(rows), title=title))}


def saved_picture(graph: Graph, title: str, views: Mapping[str, NodeView], caption: str) -> dict[str, str]:
    """The steps as a page shows them, for whoever opens the notebook without one."""
    shown = {name: views.get(name, NodeView()) for name in graph.steps}
    plain = text.view_lines(shown, caption)
    if graph.problems:
        plain += "\n\n" + text.problem_lines(graph.problems)
    model = graph_model(graph, shown, title=title, caption=caption)
    return {"text/plain": plain, "image/svg+xml": graph_svg(model, kind=SAVED)}


class Keepsake:
    """The picture in the output of a widget's cell: a notebook that is saved holds how the last run ended.

    Main thread only.

    Args:
        name: of the display, the same for every cell that shows the widget.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._last: tuple[Graph, str, Mapping[str, NodeView], str] | None = None

    def show(self, graph: Graph, title: str, views: Mapping[str, NodeView], caption: str) -> None:
        """Put it below what the executed cell has shown."""
        self._publish(graph, title, views, caption, update=False)

    def renew(self, graph: Graph, title: str, views: Mapping[str, NodeView], caption: str) -> None:
        """Bring it up to date wherever it was shown, if it would look different."""
        last = self._last
        if last is not None and not (last[0] is graph and last[1:] == (title, views, caption)):
            self._publish(graph, title, views, caption, update=True)

    def _publish(self, graph: Graph, title: str, views: Mapping[str, NodeView], caption: str, *, update: bool) -> None:
        self._last = (graph, title, views, caption)
        publish(saved_picture(*self._last), transient={"display_id": self._name}, update=update)
