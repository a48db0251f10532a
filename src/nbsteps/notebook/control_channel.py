"""A way to the kernel that does not wait for the end of the cell, where the page or the kernel knows no subshells.

ipykernel serves its control channel on a thread of its own, in version 6 too, and hands what comes to the handler of
the message's type. Comms have none there; what is used here is asked for before it is used, and done without where it
is missing: a page's messages are heard between cells then, and Cancel interrupts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

_TYPES: Final = ("comm_open", "comm_msg", "comm_close")


class ControlChannel:
    """The messages of one target's comms, taken from the control channel.

    They go to ``heard`` directly: a comm's own way triggers IPython's events, as if something had been executed.

    Args:
        kernel: whose channel it is.
        target: name of the comms.
        heard: is given the comm and the data of each message, on the channel's thread.
    """

    def __init__(self, kernel: Any, target: str, heard: Callable[[Any, Mapping[str, Any]], None]) -> None:
        self._kernel, self._target, self._heard = kernel, target, heard
        self.serves = False

    def open(self) -> None:
        """Take messages from now on, if this kernel lets us; :attr:`serves` says whether."""
        kernel = self._kernel
        handlers = getattr(kernel, "control_handlers", None)
        threaded = getattr(kernel, "control_thread", None) is not None
        if handlers is None or not threaded or any(kind in handlers for kind in _TYPES):
            return
        handlers.update(comm_open=self._open, comm_msg=self._message, comm_close=self._close)
        self.serves = True

    def close(self) -> None:
        """Undo :meth:`open`."""
        for kind in _TYPES if self.serves else ():
            self._kernel.control_handlers.pop(kind, None)
        self.serves = False

    def _comm(self, message: Mapping[str, Any]) -> Any:
        comm = self._kernel.comm_manager.comms.get(message["content"]["comm_id"])
        return comm if comm is not None and comm.target_name == self._target else None

    def _open(self, stream: Any, ident: Any, message: Mapping[str, Any]) -> None:
        if message["content"]["target_name"] == self._target:
            self._kernel.comm_manager.comm_open(stream, ident, message)

    def _message(self, _stream: Any, _ident: Any, message: Mapping[str, Any]) -> None:
        comm = self._comm(message)
        if comm is not None:
            self._heard(comm, message["content"]["data"])

    def _close(self, stream: Any, ident: Any, message: Mapping[str, Any]) -> None:
        if self._comm(message) is not None:
            self._kernel.comm_manager.comm_close(stream, ident, message)
