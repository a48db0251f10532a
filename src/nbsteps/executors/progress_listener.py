"""What bodies say about their progress in an executor that the user brings: datagrams within one machine.

Such an executor starts its processes as it likes, so no pipe can be handed to them. A datagram needs no connection and
never waits: whatever becomes of the kernel or of the worker, neither keeps the other. From another machine nothing
comes back: to listen to a network without being asked would be wrong.
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
from contextlib import suppress
from typing import Final, NamedTuple

from nbsteps.ports import ItemTell

_HERE: Final = "127.0.0.1"
_LONGEST: Final = 500
"""Characters of a text that are sent."""
_BYTES: Final = 8192


class Place(NamedTuple):
    """Where bodies of one order are heard: a port of a machine, what proves who speaks, and the order's number."""

    machine: str
    port: int
    secret: str
    number: int


class ProgressListener:
    """The kernel's end, opened for the first order; it costs a sleeping thread."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._secret = secrets.token_hex(16)
        self._tells: dict[int, ItemTell] = {}
        self._number = 0
        self._lock = threading.Lock()

    def hear(self, tell: ItemTell) -> Place | None:
        """Pass on what is said from now on about one order; None where nothing can be heard."""
        with self._lock:
            if self._socket is None and not self._opened():
                return None
            assert self._socket is not None  # noqa: S101 - opened just now
            self._number += 1
            self._tells[self._number] = tell
            port: int = self._socket.getsockname()[1]
            return Place(socket.gethostname(), port, self._secret, self._number)

    def _opened(self) -> bool:
        found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            found.bind((_HERE, 0))
        except OSError:  # a machine without a network of its own
            found.close()
            return False
        self._socket = found
        threading.Thread(target=self._work, args=(found,), name="nbsteps-progress", daemon=True).start()
        return True

    def forget(self, place: Place | None) -> None:
        """An order has ended."""
        if place is not None:
            self._tells.pop(place.number, None)

    def _work(self, found: socket.socket) -> None:
        with found:
            while True:
                try:
                    said = found.recv(_BYTES)
                except OSError:
                    # Windows reports here that somebody who was answered has gone.
                    said = b"?"
                if self._socket is not found:
                    return
                with suppress(Exception):  # whoever else sends something here, and whoever listens, must not end this
                    self._take(said)

    def _take(self, said: bytes) -> None:
        secret, number, at, done, total, text = json.loads(said)
        tell = self._tells.get(number)
        if tell is not None and secrets.compare_digest(secret, self._secret):
            tell(int(at), float(done), float(total), str(text))

    def close(self) -> None:
        """Nothing more is heard."""
        with self._lock:
            found, self._socket = self._socket, None
        if found is not None:
            _send(found.getsockname()[1], b"")  # wakes the thread


def speaking(place: Place | None) -> ItemTell:
    """How bodies of an order say something, in whichever process they are executed."""

    def tell(at: int, done: float, total: float, text: str) -> None:
        if place is not None and place.machine == socket.gethostname():
            words = (place.secret, place.number, at, done, total, str(text)[:_LONGEST])
            _send(place.port, json.dumps(words).encode())

    return tell


def _send(port: int, said: bytes) -> None:
    """Send it, or not: nobody waits for it."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.settimeout(0)
        own.sendto(said, (_HERE, port))
