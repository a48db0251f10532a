"""Following the journals of other processes without opening DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from nbsteps.core.events import Event
from nbsteps.store.home import Home
from nbsteps.store.journal import EVENTS, VALUE, Frame, Tail, owner_of, segments
from nbsteps.store.merge import fresh
from nbsteps.store.records import decode


class Follower:
    """Reads on in every journal but the own one.

    The order is what makes it complete: list the folder, then the notes of what was folded and unlinked, then read. A
    journal that was folded before it was ever seen is in the notes, and then only DuckDB has what it held.
    """

    def __init__(self, home: Home, own: str) -> None:
        self._home = home
        self._own = own
        self._tails: dict[str, Tail] = {}
        self._frames: dict[str, int] = {}
        self._notes: tuple[int, int] = (0, 0)

    def mark(self) -> None:
        """Take the notes up to here as read; before the home is looked at."""
        self._notes = self._notes_end()

    def start(self, offsets: dict[str, int], frames: dict[str, int]) -> None:
        """Read on behind what the home holds now; under the merge lock."""
        self.mark()
        for name, offset in offsets.items():
            tail = self._tails.setdefault(name, Tail(self._home.journals, name))
            tail.offset = max(tail.offset, offset)
        for name in self._tails.keys() - offsets.keys():
            self._tails.pop(name).close()
        for owner, number in frames.items():
            self._frames[owner] = max(number, self._frames.get(owner, 0))

    def drain(self) -> tuple[list[Frame], bool]:
        """What others wrote since the last call, and whether something was missed that only the home has."""
        names = [name for name in segments(self._home.journals) if owner_of(name) != self._own]
        missed = self._missed()
        found: list[Frame] = []
        for name in (*(self._tails.keys() - set(names)), *names):
            tail = self._tails.setdefault(name, Tail(self._home.journals, name))
            try:
                frames = tail.read()
            except FileNotFoundError:
                missed = missed or name in names  # else the notes have told
                frames = []
            if frames:
                found += fresh(frames, self._frames, owner_of(name))
        for name in self._tails.keys() - set(names):
            self._tails.pop(name).close()
        return found, missed

    def close(self) -> None:
        """Let all files go."""
        for tail in self._tails.values():
            tail.close()
        self._tails.clear()

    def _notes_end(self) -> tuple[int, int]:
        with suppress(OSError):
            status = self._home.notes.stat()
            return status.st_ino, status.st_size
        return 0, 0

    def _missed(self) -> bool:
        """Read the notes since the last look; true if they name a journal that was not read to its end."""
        inode, size = self._notes_end()
        if (inode, size) == self._notes:
            return False
        known_inode, start = self._notes
        self._notes = (inode, size)
        if known_inode not in (0, inode) or size < start:
            return True
        with self._home.notes.open("rb") as file:
            file.seek(start)
            lines = file.read(size - start).decode("ascii").splitlines()
        return any(self._unread(*line.split()) for line in lines)

    def _unread(self, name: str, size: str) -> bool:
        if owner_of(name) == self._own:
            return False
        tail = self._tails.get(name)
        if tail is None:
            return True
        return not tail.opened and tail.offset < int(size)


def events(frames: list[Frame]) -> Iterator[tuple[Event, Any]]:
    """Events of frames, each with what the store added."""
    for frame in frames:
        if frame.kind == EVENTS:
            for record in frame.content:
                yield decode(record), record[1]


def payloads(frames: list[Frame]) -> Iterator[tuple[str, bytes]]:
    """Digests and bytes of the inline values in frames."""
    for frame in frames:
        if frame.kind == VALUE:
            yield frame.content[0], frame.payload
