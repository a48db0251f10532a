"""What a worker process says while it executes a body: a pipe for each lane, read by a thread of the kernel."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from nbsteps.ports import ItemTell

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_LONGEST: Final = 500
"""Characters of a text that are sent: what is written at once cannot be torn apart by a kill."""


class Channel:
    """The kernel's end of one lane's pipe."""

    def __init__(self) -> None:
        from multiprocessing import Pipe  # noqa: PLC0415 - keeps import nbsteps fast

        self._reader, self.writer = Pipe(duplex=False)
        self._number = 0
        self._tell: ItemTell | None = None
        self._thread: threading.Thread | None = None

    def hear(self, tell: ItemTell) -> int:
        """Pass on what is said from now on about one order; returns the number by which the worker names it."""
        self._number, self._tell = self._number + 1, tell
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="nbsteps-channel", daemon=True)
            self._thread.start()
        return self._number

    def _work(self) -> None:
        while True:
            try:
                said: tuple[int, int, float, float, str] | None = self._reader.recv()
            except Exception:  # noqa: BLE001 - of a worker that was killed half a word may be left
                return
            if said is None:
                self._reader.close()
                return
            number, *words = said
            tell = self._tell
            if tell is not None and number == self._number:
                with suppress(Exception):  # whoever listens must not end this
                    tell(*words)  # type: ignore[arg-type]

    def close(self) -> None:
        """Nothing more is said."""
        with suppress(OSError):
            if self._thread is None:
                self._reader.close()
            else:
                self.writer.send(None)
            self.writer.close()


class ChannelWriter:
    """The worker's end."""

    writer: Connection | None = None
    """Where to speak; None where nobody listens."""


def speak(number: int) -> ItemTell:
    """How bodies of an order say something in this process."""

    def tell(at: int, done: float, total: float, text: str) -> None:
        writer: Any = ChannelWriter.writer
        if writer is not None:
            with suppress(OSError):  # the kernel has gone
                writer.send((number, at, done, total, text[:_LONGEST]))

    return tell
