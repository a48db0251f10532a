"""The toolbar as an anywidget: two synchronised traits, messages both ways, and a script that draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import anywidget
import traitlets

STATIC: Final = Path(__file__).parent / "static"
VIEW: Final = "application/vnd.jupyter.widget-view+json"


class PipelineWidget(anywidget.AnyWidget):
    """What a page is given, and what comes back from it.

    Messages are told to no view that opens later, so everything is in the traits too, a little later.

    Attributes:
        graph: the notebook's steps and where they stand on the page; changes when the notebook does.
        live: the whole of :meth:`nbsteps.display.board.Board.live`.
    """

    _esm = STATIC / "widget.js"
    _css = STATIC / "widget.css"
    graph = traitlets.Dict().tag(sync=True)
    live = traitlets.Dict().tag(sync=True)

    def __init__(self, heard: Callable[[Mapping[str, Any]], object], fallback: Callable[[], Mapping[str, str]]) -> None:
        """A widget.

        Args:
            heard: is given each message from a page, on whatever thread it comes.
            fallback: the picture for pages without scripts, by type of content.
        """
        super().__init__()
        self._fallback = fallback
        self.on_msg(lambda _widget, content, _buffers: heard(content))

    def drawn(self) -> dict[str, Any]:
        """What a page draws this widget with that has no view of it: identifier, script, style and graph."""
        script, style = ((STATIC / f"widget.{kind}").read_text(encoding="utf-8") for kind in ("js", "css"))
        return {"id": self.model_id, "script": script, "style": style, "graph": self.graph}

    def view(self) -> dict[str, Any]:
        """This widget as a display: the view, and a line for whoever cannot show it."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {VIEW: view, "text/plain": f"Steps of {self.graph.get('title') or 'this notebook'}"}

    def bundle(self) -> dict[str, Any]:
        """The same with the picture as it is now in the place of the line."""
        return {**self.view(), **self._fallback()}

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.bundle(), {}
