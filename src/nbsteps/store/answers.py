"""What the engine asks of the store, answered from memory, from the snapshot, or by a look into the home."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from nbsteps.core.approvals import Approval
from nbsteps.core.model import Result
from nbsteps.ports import Recall
from nbsteps.store import reading
from nbsteps.store.index import Index
from nbsteps.store.warm_start import WarmStart

if TYPE_CHECKING:
    import duckdb

LATEST: Final = 50
"""Successes of a step that say how long it usually takes."""


class Answers:
    """Bulk questions; each is answered for everything that anybody wrote until now."""

    def __init__(  # noqa: PLR0913 - what it reads, and how it gets at more
        self,
        lock: threading.RLock,
        index: Index,
        warm_start: WarmStart,
        *,
        refresh: Callable[[], None],
        look: Callable[[Callable[..., Any]], Any],
        take: Callable[[reading.Fetched], None],
    ) -> None:
        """Answer for one process.

        Args:
            lock: guards the index.
            index: what is known.
            warm_start: what the snapshot says beyond that.
            refresh: brings the index up to date.
            look: does some reading in the home; gives None while it cannot be read.
            take: given values that were read on the way.
        """
        self._lock, self._index, self._warm_start = lock, index, warm_start
        self._refresh, self._look, self._take = refresh, look, take

    def recall(self, notebook: str, steps: Collection[str], statics: Collection[str]) -> Recall:
        """What is known of these steps and static digests.

        Raises:
            StoreVersionError: a newer nbsteps wrote the store.
        """
        with self._lock:
            self._warm_start.note(notebook, steps, statics)
            self._refresh()
            if not self._index.known(notebook, steps, statics) and not self._widen():
                self._look(lambda c, **_: reading.load_steps(c, self._index, notebook, steps, statics))
            answer = self._index.recall(notebook, steps, statics)
            if not self._index.known(notebook, steps, statics):
                return replace(answer, statics=frozenset(self._index.statics.intersection(statics)))
            return answer

    def find(self, key: str) -> tuple[Result, ...]:
        """Results under one key, newest first."""
        with self._lock:
            self._refresh()
            if not (self._index.complete or key in self._index.keys or self._covered(key)) and not self._widen():
                self._look(lambda c, **_: reading.load_key(c, self._index, key))
            return self._index.find(key)

    def find_items(self, keys: Collection[str]) -> dict[str, tuple[Result, ...]]:
        """Results of items under these keys, newest first; one look into the home at most."""
        with self._lock:
            self._refresh()
            fresh = self._index.items(keys)
            if not self._index.home_items:
                return fresh
            older, unknown = self._warm_start.items(self._index, keys)
            if any(key not in fresh for key in unknown):
                older |= self._look(lambda c, **_: self._items_from(c, unknown)) or {}
            both = ((key, (*fresh.get(key, ()), *older.get(key, ()))) for key in keys)
            return {key: found for key, found in both if found}

    def _items_from(
        self, connection: duckdb.DuckDBPyConnection, keys: Collection[str]
    ) -> dict[str, tuple[Result, ...]]:
        """Results of items, and small values of theirs: if one of them is new, somebody will ask for the others."""
        found = reading.load_items(connection, self._index, keys)
        if 0 < len(found) < len(keys):
            newest = (artifact for results in found.values() for artifact in results[0].outputs.values())
            self._take(reading.fetch(connection, reading.small(newest), reading.SMALL_BYTES))
        return found

    def approvals(self, notebook: str, step: str) -> tuple[Approval, ...]:
        """Requests of a notebook, or of one step, newest first."""
        with self._lock:
            self._refresh()
            if self._index.home_requests and notebook not in self._index.asked:
                self._look(lambda c, **_: reading.load_requests(c, self._index, notebook))
            return self._index.approvals(notebook, step)

    def durations(self, notebook: str, step: str) -> tuple[float, ...]:
        """Seconds that the latest successes of a step took, newest first."""
        with self._lock:
            self._refresh()
            if not (self._index.complete or (notebook, step) in self._index.timed) and not self._widen():
                self._look(lambda c, **_: reading.load_latest(c, self._index, notebook, step, LATEST))
            return self._index.durations(notebook, step, LATEST)

    def _widen(self) -> bool:
        """Read everything where the snapshot had only a part of it; true if that was done."""
        if not self._warm_start.narrow:
            return False
        self._warm_start.narrow = False
        self._look(lambda c, **_: reading.load(c, self._index, anew=True))
        return self._index.complete

    def _covered(self, key: str) -> bool:
        """Whether all results under a key were read together with their static digest."""
        found = self._index.find(key)
        return bool(found) and found[0].static in self._index.statics
