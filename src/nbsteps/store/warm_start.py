"""The first look of a process that needs no DuckDB: what the snapshot says, and journals from there on."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

from nbsteps.core.model import Result
from nbsteps.store import reading, snapshot_rows
from nbsteps.store.follow import Follower
from nbsteps.store.home import Home, Picture
from nbsteps.store.index import Index
from nbsteps.store.journal import segments
from nbsteps.store.merge import dead
from nbsteps.store.snapshot import Snapshot

if TYPE_CHECKING:
    import duckdb

LEFT_BYTES: Final = 512 << 10
"""Bytes of journals that may wait to be folded while they only say what was restored; reading them takes 5 ms."""


class WarmStart:
    """What a process knows from the snapshot.

    Attributes:
        narrow: whether a look would bring everything, of which the snapshot has only a part.
    """

    def __init__(self, home: Home) -> None:
        """Also has ``home`` take new snapshots."""
        self.narrow = False
        self._home = home
        self._asked = snapshot_rows.Asked()
        self._inherited = snapshot_rows.Asked()
        self._snapshot: Snapshot | None = None
        home.picture = self._picture

    def note(self, notebook: str, steps: Collection[str], statics: Collection[str]) -> None:
        """Somebody asks for these, so the next snapshot is to have them."""
        self._asked.note(notebook, steps, statics)

    def begin(self, index: Index, follower: Follower) -> bool:
        """Fill an empty index, if that is as good as a look; the follower has marked the notes before."""
        snapshot = self._home.snapshot.read()
        if snapshot is None or self._any_dead(snapshot.about["owners"]):
            return False
        about = snapshot.about
        if unfolded(self._home, about["journals"]) > LEFT_BYTES:
            return False
        snapshot_rows.adopt(snapshot, index)
        follower.resume(about["journals"], about["owners"])
        self.narrow = not about["complete"] and about["counts"][0] <= reading.WHOLE
        self._inherited.steps.update((notebook, step) for notebook, step in about["steps"])
        self._inherited.statics.update(about["statics"])
        self._snapshot = snapshot
        return True

    def substance(self, follower: Follower) -> bool:
        """Whether somebody who died left more behind than what he restored, so that it must be folded."""
        return self._any_dead(follower.busy)

    def end(self) -> None:
        """The home changed, or a look told more."""
        self._snapshot = None
        self.narrow = False

    def items(self, index: Index, keys: Collection[str]) -> tuple[dict[str, tuple[Result, ...]], Collection[str]]:
        """Results of items by key, newest first, and the keys for which the home must be asked."""
        snapshot = self._snapshot
        return ({}, keys) if snapshot is None else snapshot_rows.items(snapshot, index, keys)

    def values(self, digests: Collection[str]) -> reading.Fetched:
        """Those of some values that are here."""
        snapshot = self._snapshot
        return reading.Fetched() if snapshot is None else snapshot_rows.values(snapshot, digests)

    def forget_value(self, digest: str) -> None:
        """A value turned out to be damaged."""
        snapshot = self._snapshot
        if snapshot is not None:
            snapshot.values.pop(digest, None)

    def _picture(self, connection: duckdb.DuckDBPyConnection) -> Picture | None:
        mine = snapshot_rows.Asked(set(self._asked.steps), set(self._asked.statics))
        known = self._home.snapshot.read()
        if known is not None and known.covers(mine.steps, mine.statics):
            return None
        both = snapshot_rows.Asked(mine.steps | self._inherited.steps, mine.statics | self._inherited.statics)
        return snapshot_rows.take(connection, both) or snapshot_rows.take(connection, mine)

    def _any_dead(self, owners: Collection[str]) -> bool:
        with ExitStack() as stack, suppress(OSError):
            return any(dead(self._home, owner, "", stack) for owner in owners)
        return True


def unfolded(home: Home, folded: dict[str, int]) -> int:
    """Bytes of journals that are not folded, as far as anybody knows; ``folded`` says up to where each one is."""
    size = 0
    for name in segments(home.journals):
        with suppress(OSError):
            size += (home.journals / name).stat().st_size - folded.get(name, 0)
    return size
