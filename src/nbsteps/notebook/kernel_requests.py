"""Executing a line as if the user had typed it: through the kernel's own front door.

A click arrives on a thread that must not touch the session, and may come while a cell runs. A request over the
kernel's shell channel waits its turn, shows the kernel as busy, can be interrupted and ends like any other, on every
ipykernel, by the public protocol only.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

FeedReader = Callable[[Mapping[str, Any]], object]


class KernelRequests:
    """A client of the kernel that it lives in.

    Args:
        connection_file: where the kernel says how it is reached.
    """

    def __init__(self, connection_file: str) -> None:
        self._file = connection_file
        self._lines: queue.SimpleQueue[tuple[str, FeedReader]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def execute(self, line: str, told: FeedReader) -> None:
        """Have a line executed when the kernel is free; ``told`` is given the reply's content, on another thread."""
        self._lines.put((line, told))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="nbsteps kernel requests", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        from jupyter_client.blocking.client import BlockingKernelClient  # noqa: PLC0415 - keeps the extension light

        client = BlockingKernelClient(connection_file=self._file)
        client.load_connection_file()
        client.start_channels(iopub=False, stdin=False, hb=False, control=False)
        while True:
            line, told = self._lines.get()
            told(self._ask(client, line))

    def _ask(self, client: Any, line: str) -> Mapping[str, Any]:
        sent = client.execute(line, store_history=False, allow_stdin=False, stop_on_error=False)
        while True:
            reply = client.get_shell_msg(timeout=None)
            if reply["parent_header"].get("msg_id") == sent:
                content: Mapping[str, Any] = reply["content"]
                return content
