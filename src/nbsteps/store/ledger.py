"""What happened and what is known of it, for one process: its journal, the index, and the journals of others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from nbsteps.core.approvals import Approval
from nbsteps.core.errors import StoreError, StoreVersionError
from nbsteps.core.events import (
    Accepted,
    Cleared,
    Event,
    ItemsSucceeded,
    Progressed,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepStarted,
    StepSucceeded,
)
from nbsteps.core.model import Artifact, Result
from nbsteps.ports import Recall
from nbsteps.store import follow, reading
from nbsteps.store.home import BusyError, Home
from nbsteps.store.index import Index
from nbsteps.store.journal import Frame, Journal, segments
from nbsteps.store.merge import merge
from nbsteps.store.pulse import Pulse
from nbsteps.store.records import DURABLE, SUBSTANCE, encode, encode_artifact
from nbsteps.store.tables import any_to_move

if TYPE_CHECKING:
    import duckdb

MERGE_RECORDS: Final = 2000
"""Unfolded records from which the end of a run folds them."""
_FEW: Final = 200
"""Unfolded records that a process may leave behind without any result among them."""
_JOURNALS: Final = 16
"""Journals from which whoever closes folds them, also where it has no result of its own: each costs a reader a file."""
_AGAIN: Final = 60.0
_SHORT: Final = 0.01
LATEST: Final = 50
"""Successes of a step that say how long it usually takes."""
ITEMS: Final = 5000
"""Results of items from which they are folded while their map goes on: until then they are kept in memory, too."""


class Ledger:
    """Writes events ahead, follows what other processes write, and folds both into the home now and then.

    Attributes:
        lock: guards everything here; held while events are made durable.
        index: what is known.
        degraded: why nothing is written any more; ``""`` while all is well.
        movable: whether the last fold left tables that can move into the home.
    """

    def __init__(
        self,
        home: Home,
        tabular: Callable[[Artifact], bool],
        payload: Callable[[str, bytes], None],
        warn: Callable[[str], None],
    ) -> None:
        """Begin for this process.

        Args:
            home: the DuckDB file.
            tabular: says whether a value may become a table of its own.
            payload: given inline values that other processes wrote.
            warn: told what the user must know.
        """
        self.home = home
        self.lock = threading.RLock()
        self.index = Index()
        self.degraded = ""
        self.movable = False
        self._tabular, self._payload, self._warn = tabular, payload, warn
        self._journal = Journal(home.journals, home.about)
        self._follower = follow.Follower(home, self._journal.owner)
        self._pulse = Pulse(self._journal.live)
        self._results = self._items = 0
        self._substance = False
        self._losses = home.losses
        self._blocked = float("-inf")

    def emit(self, event: Event) -> None:
        """Write an event ahead and follow it; what must be is durable on return."""
        if type(event) is Progressed:
            return
        with self.lock:
            self._alive(event)
            extra = self._extra(event)
            if not self.degraded:
                self._write(event, extra)
            self.index.apply(event, extra)
            self._substance = self._substance or type(event) in SUBSTANCE
            crowded = self._items > ITEMS or (type(event) is RunEnded and self._journal.unfolded > MERGE_RECORDS)
        if crowded:
            self.fold(timeout=_SHORT)

    def _alive(self, event: Event) -> None:
        """While a run goes on other machines are shown that this process lives."""
        match event:
            case RunStarted():
                self._journal.appear()
                self._pulse.begin(event.run_id)
            case RunEnded():
                self._pulse.end(event.run_id)
            case _:
                pass

    def value(self, artifact: Artifact, payload: bytes) -> None:
        """Write an inline value ahead of the result that will name it."""
        if self.degraded:
            return
        with self.lock:
            try:
                self._journal.value(encode_artifact(artifact), payload)
            except OSError as error:
                self.degrade(error)

    def _write(self, event: Event, extra: Any) -> None:
        try:
            self._journal.record(encode(event, extra))
            if type(event) in DURABLE:
                self._journal.sync()
        except OSError as error:
            self.degrade(error)

    def degrade(self, error: Exception) -> None:
        """Stop writing, loudly; the session goes on in memory."""
        if not self.degraded:
            self.degraded = str(error)
            self._warn(
                f"the store {self.home.folder} cannot be written ({error}): results are kept in memory for this "
                "session only; free some space or mend the permissions, then restart"
            )

    def _extra(self, event: Event) -> Any:
        """What the store adds to an event: identifiers of results, and the notebook where the event has none."""
        match event:
            case StepSucceeded() | Accepted():
                extra: Any = [self._identifier(), event.result.notebook]
            case ItemsSucceeded():
                self._items += len(event.done)
                extra = [[self._identifier() for _ in event.done], self.index.notebook_of(event.run_id)]
            case StepRestored():
                extra = [self.index.newest(event.key), self.index.notebook_of(event.run_id)]
            case StepEnded() | StepStarted():
                extra = [None, self.index.notebook_of(event.run_id)]
            case Cleared():
                results = self._identifiers(event.notebook, event.step)
                asked = [each.request.request_id for each in self.approvals(event.notebook, event.step)]
                extra = [results + asked, event.notebook, len(results)]
            case RunStarted():
                self.home.about["notebook"] = event.run.notebook
                extra = None
            case _:
                extra = None
        return extra

    def _identifier(self) -> str:
        self._results += 1
        return f"{self._journal.owner}:{self._results}"

    def _identifiers(self, notebook: str, step: str) -> list[str]:
        """Every result of a step that anybody stored until now."""
        self.refresh()
        found = dict.fromkeys((*self.index.of_step(notebook, step), *self.index.items_of_step(notebook, step)))
        if self.index.home_items or not self.index.complete:
            more = self._look(lambda c, **_: reading.load_identifiers(c, notebook, step))
            found |= dict.fromkeys(more or ())
        return list(found)

    def recall(self, notebook: str, steps: Collection[str], statics: Collection[str]) -> Recall:
        """What is known of these steps and static digests.

        Raises:
            StoreVersionError: a newer nbsteps wrote the store.
        """
        with self.lock:
            self.home.about["notebook"] = notebook
            self.refresh()
            if not self.index.known(notebook, steps, statics):
                self._look(lambda c, **_: reading.load_steps(c, self.index, notebook, steps, statics))
            answer = self.index.recall(notebook, steps, statics)
            if not self.index.known(notebook, steps, statics):
                return replace(answer, statics=frozenset(self.index.statics.intersection(statics)))
            return answer

    def find(self, key: str) -> tuple[Result, ...]:
        """Results under one key, newest first."""
        with self.lock:
            self.refresh()
            if not (self.index.complete or key in self.index.keys or self._covered(key)):
                self._look(lambda c, **_: reading.load_key(c, self.index, key))
            return self.index.find(key)

    def find_items(self, keys: Collection[str]) -> dict[str, tuple[Result, ...]]:
        """Results of items under these keys, newest first; one look into the home at most."""
        with self.lock:
            self.refresh()
            found = self.index.items(keys)
            missing = [key for key in keys if key not in found]
            if missing and self.index.home_items:
                found |= self._look(lambda c, **_: reading.load_items(c, self.index, missing)) or {}
            return found

    def approvals(self, notebook: str, step: str) -> tuple[Approval, ...]:
        """Requests of a notebook, or of one step, newest first."""
        with self.lock:
            self.refresh()
            if self.index.home_requests and notebook not in self.index.asked:
                self._look(lambda c, **_: reading.load_requests(c, self.index, notebook))
            return self.index.approvals(notebook, step)

    def durations(self, notebook: str, step: str) -> tuple[float, ...]:
        """Seconds that the latest successes of a step took, newest first."""
        with self.lock:
            self.refresh()
            if not (self.index.complete or (notebook, step) in self.index.timed):
                self._look(lambda c, **_: reading.load_latest(c, self.index, notebook, step, LATEST))
            return self.index.durations(notebook, step, LATEST)

    def _covered(self, key: str) -> bool:
        """Whether all results under a key were read together with their static digest."""
        found = self.index.find(key)
        return bool(found) and found[0].static in self.index.statics

    def refresh(self) -> None:
        """Learn what others did since the last look.

        Raises:
            StoreVersionError: a newer nbsteps wrote the store.
        """
        with self.lock:
            if self.index.loaded < 0 and not self._begin():
                return
            frames, missed = self._follower.drain()
            self._follow(frames)
            if missed:
                self._load()

    def _follow(self, frames: list[Frame]) -> None:
        for digest, payload in follow.payloads(frames):
            self._payload(digest, payload)
        for event, extra in follow.events(frames):
            self.index.apply(event, extra)

    def _begin(self) -> bool:
        """The first look; an empty folder is known without DuckDB. False while the home cannot be read."""
        self._follower.mark()
        if not self.home.path.exists() and not segments(self.home.journals):
            self.index.loaded, self.index.complete = 0, True
            return True
        self._load()
        return self.index.loaded >= 0

    def _load(self) -> None:
        """Fold everything and read what is new in the home."""
        self._flush()
        self._look(self._load_from)
        if self._losses != self.home.losses:
            self._losses = self.home.losses
            self.index.artifacts.clear()

    def _load_from(self, connection: duckdb.DuckDBPyConnection, *, writable: bool) -> None:
        if writable:
            self._follower.start(*self._merge(connection))
            self._journal.unfolded = 0
        reading.load(connection, self.index)

    def _look(self, work: Callable[..., Any]) -> Any:
        """Read from the home; None, after one warning and for a minute, while it cannot be read."""
        if time.monotonic() < self._blocked:
            return None
        try:
            return self.home.use(work)
        except StoreVersionError:
            raise
        except StoreError as error:
            self._blocked = time.monotonic() + _AGAIN
            self._warn(f"the store cannot be read, stored results are not seen for a while: {error}")
            return None

    def _merge(
        self, connection: duckdb.DuckDBPyConnection, retiring: str = ""
    ) -> tuple[dict[str, int], dict[str, int]]:
        folded = merge(self.home, connection, self._tabular, retiring)
        self.index.items_folded()
        self._items = 0
        return folded

    def fetch(self, digests: list[str], candidates: Collection[str], limit: int) -> reading.Fetched:
        """Read values from the home, and of the candidates what fits into ``limit`` bytes; fold first if need be."""
        wanted = list(dict.fromkeys((*digests, *candidates)))

        def read(connection: duckdb.DuckDBPyConnection, *, writable: bool) -> reading.Fetched:
            found = reading.fetch(connection, wanted, limit)
            known = found.artifacts.keys() | found.payloads.keys()
            if writable and not known.issuperset(digests):
                self._merge(connection)
                found = reading.fetch(connection, wanted, limit)
            return found

        self._flush()
        return self.home.use(read)

    def folded(self, work: Callable[[duckdb.DuckDBPyConnection], Any]) -> Any:
        """Do some reading in the home after everything that anybody wrote is folded in.

        Raises:
            StoreError: the home cannot be read.
        """

        def fold(connection: duckdb.DuckDBPyConnection, *, writable: bool) -> Any:
            if writable:
                self._merge(connection)
            return work(connection)

        self._flush()
        return self.home.use(fold)

    def forget_value(self, digest: str) -> None:
        """Make room in the home for a value that turned out to be damaged."""
        self._look(lambda c, *, writable: reading.forget_value(c, digest) if writable else None)

    def fold(self, *, timeout: float, retiring: bool = False) -> bool:
        """Fold all journals into the home unless somebody else is at it; true if it was done.

        Args:
            timeout: seconds to wait for the home.
            retiring: whether this process writes no more.
        """
        self._flush()
        owner = self._journal.owner if retiring else ""

        def work(connection: duckdb.DuckDBPyConnection, *, writable: bool) -> bool:
            if writable:
                self._merge(connection, owner)
                self._journal.unfolded = 0
                self.movable = any_to_move(connection)
            return writable

        try:
            return self.home.use(work, timeout)
        except BusyError:
            return False
        except (StoreError, OSError) as error:
            self._warn(f"the history could not be folded into {self.home.path.name}, it stays in journals: {error}")
            return False

    def _flush(self) -> None:
        with self.lock:
            if not self.degraded:
                try:
                    self._journal.flush()
                except OSError as error:
                    self.degrade(error)

    def close(self) -> bool:
        """Write what is buffered; fold it if that is worth the while and nobody else is merging; true if it was."""
        folded = False
        with self.lock:
            self._flush()
            if self._substance or self._journal.unfolded > _FEW or len(segments(self.home.journals)) > _JOURNALS:
                folded = not self.degraded and self.fold(timeout=_SHORT, retiring=True)
            try:
                if folded or self.degraded:
                    self._journal.abandon()
                else:
                    self._journal.close()
            except OSError as error:
                self.degrade(error)
            self._follower.close()
            self._pulse.close()
        return folded

    def drop(self) -> None:
        """Let files go in a forked child, where they belong to the parent."""
        self._follower.close()
