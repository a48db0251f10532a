"""Following the journals of other processes without opening DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from nbsteps.store.home import Home
from nbsteps.store.index import FOLLOWED, Index
from nbsteps.store.journal import EVENTS, VALUE, Frame, Tail, in_order, owner_of, segments
from nbsteps.store.merge import fresh
from nbsteps.store.records import PASSING, RESTORED, decode


class Follower:
    """Reads on in every journal but the own one.

    The order is what makes it complete: list the folder, then the notes of what was folded and unlinked, then read. A
    journal that was folded before it was ever seen is in the notes, and then only DuckDB has what it held.

    Attributes:
        busy: owners who wrote more than what they restored.
        folded: segment to the offset up to which it was folded, at the first look.
    """

    def __init__(self, home: Home, own: str) -> None:
        self._home = home
        self._own = own
        self._tails: dict[str, Tail] = {}
        self._frames: dict[str, int] = {}
        self._notes: tuple[int, int] = (0, 0)
        self.busy: set[str] = set()
        self.folded: dict[str, int] = {}

    def mark(self) -> None:
        """Take the notes up to here as read; before the home is looked at."""
        self._notes = self._notes_end()

    def start(self, offsets: dict[str, int], frames: dict[str, int]) -> None:
        """Read on behind what the home holds now; under the merge lock."""
        self.mark()
        self.resume(offsets, frames)

    def resume(self, offsets: dict[str, int], frames: dict[str, int]) -> None:
        """Read on behind what a snapshot holds that was opened after :meth:`mark`."""
        self.folded = dict(offsets)
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
        for name in (*(self._tails.keys() - set(names)), *in_order(self._home.journals, names)):
            tail = self._tails.setdefault(name, Tail(self._home.journals, name))
            try:
                frames = tail.read()
            except FileNotFoundError:
                missed = missed or name in names  # else the notes have told
                frames = []
            if frames:
                found += (new := fresh(frames, self._frames, owner_of(name)))
                if any(map(_substantial, new)):
                    self.busy.add(owner_of(name))
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


def _substantial(frame: Frame) -> bool:
    return frame.kind == VALUE or (frame.kind == EVENTS and any(record[0] not in PASSING for record in frame.content))


def apply(frames: list[Frame], index: Index) -> None:
    """Have the index follow what frames say."""
    for frame in frames:
        if frame.kind == EVENTS:
            for record in frame.content:
                if record[0] == RESTORED:  # nearly all of what is left by those who only restored
                    index.restored(record[1][1], record[4], record[1][0])
                elif record[0] in FOLLOWED:
                    index.apply(decode(record), record[1])


def payloads(frames: list[Frame]) -> Iterator[tuple[str, bytes]]:
    """Digests and bytes of the inline values in frames."""
    for frame in frames:
        if frame.kind == VALUE:
            yield frame.content[0], frame.payload
