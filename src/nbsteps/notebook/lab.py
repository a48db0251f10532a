"""The kernel's side of the notebook toolbar: answers the page's extension over a comm that the page opens.

The page sends the cells as they stand in it; the main thread works out what that means, as soon as it is free. What
happens during a run is sent in batches. Cancel arrives beside the main thread: on a subshell where kernel and page know
them, else over the control channel; where neither is there, the page interrupts the kernel.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from nbsteps.core.errors import NbstepsError
from nbsteps.core.events import Event, RunStarted
from nbsteps.core.model import Cell
from nbsteps.display.board import Board
from nbsteps.notebook.control_channel import ControlChannel
from nbsteps.notebook.drafts import preview
from nbsteps.notebook.subshells import keep_figures
from nbsteps.notebook.understudies import Understudies
from nbsteps.notebook.waiting_runs import all_open, undecided

if TYPE_CHECKING:
    from nbsteps.engine.session import Session
    from nbsteps.notebook.kernel import Kernel

TARGET: Final = "nbsteps"
"""Name of the comm, as the extension opens it."""
_PERIOD: Final = 1 / 15
"""Seconds between two batches."""
_GLANCE: Final = 1.0
"""Seconds between two looks whether what somebody is asked was decided elsewhere."""


class Lab:
    """One for a kernel; several pages may show its notebook.

    Args:
        kernel: whose session it tells of.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._shell: Any = kernel.shell
        self._wake = threading.Event()
        self.board = Board(self._wake.set)
        self._comms: dict[str, Any] = {}
        self._understudies = Understudies(kernel)
        self._drafts: tuple[Cell, ...] = ()
        self._named: tuple[str, bool] | None = None
        self._session: Session | None = None
        self._executing = False
        self._pump_started = False
        self._ended = False
        self._control = ControlChannel(getattr(kernel.shell, "kernel", None), TARGET, self._heard)

    def register(self) -> bool:
        """Wait for pages; false in a shell without a kernel, which has none."""
        manager = getattr(getattr(self._shell, "kernel", None), "comm_manager", None)
        if manager is None:
            return False
        manager.register_target(TARGET, self._opened)
        self._control.open()
        events = self._shell.events
        events.register("pre_run_cell", self._before_cell)
        events.register("post_run_cell", self._after_cell)
        return True

    def detach(self) -> None:
        """Undo :meth:`register`."""
        for comm in tuple(self._comms.values()):
            comm.close()
        self._comms.clear()
        self._ended = True
        self._wake.set()
        self._control.close()
        self._shell.kernel.comm_manager.unregister_target(TARGET, self._opened)
        events = self._shell.events
        events.unregister("pre_run_cell", self._before_cell)
        events.unregister("post_run_cell", self._after_cell)

    def _opened(self, comm: Any, _message: Any) -> None:
        """A page opened the comm."""
        if hasattr(comm, "_reply_subshell_for"):
            # ipykernel 7.4 sends a comm's messages to the shell that published on it last, here the busy one.
            comm._reply_subshell_for = lambda _data, asked_for: asked_for  # noqa: SLF001 - there is no public way
        comm.on_msg(lambda message: self._heard(comm, message["content"]["data"]))
        comm.on_close(lambda _message: self._closed(comm))
        # A page that opens during a run hears of what changes from now on: this is what was before.
        comm.send({"kind": "state", "whole": True, "control": self._control.serves, **self.board.live()})
        self._comms[comm.comm_id] = comm
        if not self._pump_started:
            self._pump_started = True
            run = contextvars.copy_context().run
            threading.Thread(target=run, args=(self._pump,), name="nbsteps lab", daemon=True).start()

    def _closed(self, comm: Any) -> None:
        self._comms.pop(comm.comm_id, None)
        self._understudies.show(comm, shown=False)

    def _heard(self, comm: Any, message: Mapping[str, Any]) -> None:
        """Sort what a page says. Comes on another thread where there is one: nothing here may take long."""
        match message.get("do"):
            case "cancel":
                asked = self._session is not None and self._session.cancel()
                self._tell({"kind": "cancelling", "running": asked})
            case "cells":
                self._drafts = tuple(map(_cell, message.get("cells") or ()))
                self._shell.kernel.io_loop.add_callback(self._look)
            case "named":
                self._named = (str(message.get("path")), bool(message.get("moved")))
                self._shell.kernel.io_loop.add_callback(self._look)
            case "widget":
                self._understudies.show(comm, shown=bool(message.get("shown")))
            case "tell":
                self._understudies.heard(message.get("content"))
            case _:
                pass  # of a page that is newer than this kernel

    def _look(self) -> None:
        """Look at the cells anew, unless one is being executed: then its end does it."""
        if not self._executing:
            self.refresh()

    def refresh(self) -> None:
        """Tell the pages how the steps stand. Main thread only; executes nothing."""
        if not self._comms or self.board.running:
            return
        named, self._named = self._named, None
        if named is not None:
            self._kernel.named(named[0], moved=named[1])
        session = self.attach()
        try:
            self.board.rest(preview(session, self._drafts or session.cells.merged()), undecided(session))
        except NbstepsError as error:
            self._tell({"kind": "problem", "text": str(error)})
        self._prompt()

    def _prompt(self) -> None:
        """Have the widget follow what the page shows, too."""
        toolbar = self._kernel.shown_toolbar
        if toolbar is not None and not self._executing:
            toolbar.drafts = lambda: self._drafts if self._comms else ()
            toolbar.follow()

    def attach(self) -> Session:
        """Listen to the session that there is now. Main thread only."""
        session = self._kernel.session
        if session is not self._session:
            self._session = session
            session.services.listeners.append(self)
        return session

    def emit(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, RunStarted):
            keep_figures(self._shell)
        self.board.emit(event)

    def _before_cell(self, _info: Any) -> None:
        self._executing = True

    def _after_cell(self, _result: Any) -> None:
        self._executing = False
        self.refresh()

    def _tell(self, message: Mapping[str, Any]) -> None:
        for comm in tuple(self._comms.values()):
            comm.send(dict(message))

    def _pump(self) -> None:
        """Send what changed, at most every period; everything where somebody may have missed something."""
        while not self._ended:
            if not self._wake.wait(_GLANCE if self.board.asked else None):
                self._glance()
                continue
            self._wake.clear()
            taken = self.board.take()
            if taken is not None:
                batch, whole = taken
                self._tell({"kind": "state", "whole": whole, **(self.board.live() if whole else batch)})
            time.sleep(_PERIOD)

    def _glance(self) -> None:
        """Notice what was decided elsewhere, or has expired."""
        if self._session is not None and not all_open(self._session, self.board.asked):
            self._shell.kernel.io_loop.add_callback(self._look)


def _cell(row: Mapping[str, Any]) -> Cell:
    tags = tuple(str(tag) for tag in row.get("tags") or ())
    return Cell(f"cell {row.get('position', 0)}", str(row.get("source", "")), str(row.get("id", "")), tags)
