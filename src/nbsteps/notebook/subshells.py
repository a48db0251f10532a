"""Clicks that arrive while a cell runs: a thread of the kernel's own for a widget's messages.

ipykernel 7 handles messages on subshells, threads beside the main one, but from 7.4 on it sends a comm's messages to
the shell that published on that comm last, which during a run is the busy one. There is no public way to say otherwise
(ipykernel's issue 1565), so what is used here is asked for before it is used, and done without where it is missing:
Cancel then works once the front end interrupts the kernel.
"""

from __future__ import annotations

import concurrent.futures
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_PATIENCE: Final = 5.0


def pin(shell: InteractiveShell | Any, comm: Any) -> bool:
    """Have the messages of a comm handled beside the main thread; false where this kernel cannot."""
    if not hasattr(comm, "_reply_subshell_for"):
        return False
    try:
        subshell = _own_subshell(getattr(shell, "kernel", None))
    except Exception:  # noqa: BLE001 - nothing in there is promised, and without it only Cancel is slower
        return False
    if not subshell:
        return False
    comm._reply_subshell_for = lambda _data, default: subshell or default  # noqa: SLF001 - see above
    return True


def _own_subshell(kernel: Any) -> str | None:
    """Make a subshell, on the only thread that may; its identifier."""
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is None:
        return None
    future: concurrent.futures.Future[str] = concurrent.futures.Future()

    def create() -> None:
        try:
            future.set_result(thread.manager._create_subshell())  # noqa: SLF001 - see above
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            future.set_exception(error)

    thread.io_loop.add_callback(create)
    return future.result(_PATIENCE)


def keep_figures(shell: InteractiveShell | Any) -> None:
    """Let only the main thread flush matplotlib's figures after something was executed.

    A message handled on a subshell counts as an execution, and flushing then would take the figure from the cell that
    is still drawing it. ``%matplotlib inline`` registers its own flushing anew, so this is called again at each run.
    """
    inline = sys.modules.get("matplotlib_inline.backend_inline")
    callbacks = shell.events.callbacks.get("post_execute", [])
    if inline is None or inline.flush_figures not in callbacks:
        return
    shell.events.unregister("post_execute", inline.flush_figures)
    if _flush_on_main not in callbacks:
        shell.events.register("post_execute", _flush_on_main)


def _flush_on_main() -> None:
    if threading.current_thread() is threading.main_thread():
        sys.modules["matplotlib_inline.backend_inline"].flush_figures()
