"""The widget, drawn by a page that has no view of it: JupyterLab can make none as long as the kernel is busy.

The page gets the widget's script and what its views know, over the comm of the notebook's toolbar, and says over that
comm what a view would say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbsteps.notebook.kernel import Kernel


class Understudies:
    """Pages that stand in for views of the kernel's widget.

    Args:
        kernel: whose widget it is.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._comms: dict[str, Any] = {}
        self._listens = False

    def show(self, comm: Any, *, shown: bool) -> None:
        """Give a page what it needs to draw the widget, and tell it what views are told; or no longer."""
        toolbar = self._kernel.shown_toolbar
        if toolbar is None:
            return  # what this page shows is of a kernel that is gone
        if not shown:
            self._comms.pop(comm.comm_id, None)
            return
        if not self._listens:
            self._listens = True
            toolbar.onlookers.append(self._tell)
        self._comms[comm.comm_id] = comm  # before the whole is made: what is told twice does no harm
        comm.send({"kind": "widget", **toolbar.whole()})

    def heard(self, content: Any) -> None:
        """What a view would say."""
        toolbar = self._kernel.shown_toolbar
        if toolbar is not None and isinstance(content, Mapping):
            toolbar.heard(content)

    def _tell(self, content: Mapping[str, Any]) -> None:
        for comm in tuple(self._comms.values()):
            comm.send({"kind": "told", "content": content})
