"""Single flight: one process, and one thread within it, at a time computes a key.

A key is one byte of one lock file; where bytes cannot be locked apart it is a file of its own. The lock vanishes with
its holder, and whoever waits takes over. A slot in a second file says who holds it; it only serves a message.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from nbsteps.store import locks
from nbsteps.store.records import dumps, loads

_SLOTS: Final = 1024
_SLOT_BYTES: Final = 256


class SingleFlight:
    """The locks of one store."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self._folder = folder
        self._about = about
        self._held: dict[str, int] = {}
        self._local: dict[str, threading.Lock] = {}

    @contextlib.contextmanager
    def hold(self, key: str, on_wait: Callable[[str], None], *, wait: bool = True) -> Iterator[bool]:
        """Hold a key, waiting while another live process or thread holds it; without ``wait``, give False then.

        A thread that holds it already goes on. Where the folder cannot be written only threads exclude each other.
        """
        if self._held.get(key) == threading.get_ident():
            yield True
            return
        try:
            path, byte = self._place(key)
            timeout = None if wait else 0.0

            def told(waited: float) -> None:
                on_wait(self._message(byte, waited))

            lock = locks.wait_for(path, byte, timeout=timeout, on_wait=told)
        except OSError:
            with self._among_threads(key, wait=wait) as held:
                yield held
            return
        if lock is None:
            yield False
            return
        try:
            # Inside: an interrupt that struck between the two would leave the key held for ever.
            self._held[key] = threading.get_ident()
            self._sign(byte)
            yield True
        finally:
            self._held.pop(key, None)
            lock.release()

    @contextlib.contextmanager
    def _among_threads(self, key: str, *, wait: bool) -> Iterator[bool]:
        lock = self._local.setdefault(key, threading.Lock())
        if not lock.acquire(blocking=wait):
            yield False
            return
        self._held[key] = threading.get_ident()
        try:
            yield True
        finally:
            del self._held[key]
            lock.release()

    def _place(self, key: str) -> tuple[Path, int]:
        number = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little") >> 2
        if locks.BYTE_RANGES:
            return self._folder / "flight.lock", number
        folder = self._folder / "flight"
        folder.mkdir(exist_ok=True)
        return folder / f"{number:016x}.lock", number

    def _sign(self, byte: int) -> None:
        about = {"byte": byte, "pid": self._about["pid"], "notebook": self._about["notebook"][-100:]}
        text = dumps(about).encode()[:_SLOT_BYTES].ljust(_SLOT_BYTES)
        with contextlib.suppress(OSError):
            descriptor = os.open(self._folder / "flight.owners", os.O_RDWR | os.O_CREAT, 0o666)
            try:
                os.lseek(descriptor, byte % _SLOTS * _SLOT_BYTES, os.SEEK_SET)
                os.write(descriptor, text)
            finally:
                os.close(descriptor)

    def _message(self, byte: int, waited: float) -> str:
        holder = "another process"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            with (self._folder / "flight.owners").open("rb") as file:
                file.seek(byte % _SLOTS * _SLOT_BYTES)
                about = loads(file.read(_SLOT_BYTES).decode().strip("\0 "))
            if about["byte"] == byte:
                holder = f"process {about['pid']} ({about['notebook'] or 'no notebook'})"
        return f"waiting for {waited:.0f} s: {holder} computes the same step"
