"""What happened and what is known of it, for one process: its journal, the index, and the journals of others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final

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
    StepRetrying,
    StepStarted,
    StepSucceeded,
)
from nbsteps.core.model import Artifact
from nbsteps.store import follow, reading
from nbsteps.store.answers import Answers
from nbsteps.store.heartbeat import Heartbeat
from nbsteps.store.home import BusyError, Home
from nbsteps.store.index import Index
from nbsteps.store.journal import Frame, Journal, segments
from nbsteps.store.merge import merge
from nbsteps.store.records import DURABLE, SUBSTANCE, encode, encode_artifact
from nbsteps.store.tables import any_to_move
from nbsteps.store.warm_start import LEFT_BYTES, WarmStart, unfolded

if TYPE_CHECKING:
    import duckdb

MERGE_RECORDS: Final = 5000
"""Unfolded records from which the end of a run folds them, which takes 0.3 s: a script that ends folds them anyway."""
_JOURNALS: Final = 16
"""Journals from which whoever closes folds them, also where it has no result of its own: each costs a reader a file."""
_AGAIN: Final = 60.0
_SHORT: Final = 0.01
ITEMS: Final = 5000
"""Results of items from which they are folded while their map goes on: until then they are kept in memory, too."""


class Ledger:
    """Writes events ahead, follows what other processes write, and folds both into the home now and then.

    Attributes:
        lock: guards everything here; held while events are made durable.
        index: what is known.
        answers: to what the engine asks.
        degraded: why nothing is written any more; ``""`` while all is well.
        movable: whether the last fold left tables that can move into the home.
    """

    def __init__(
        self,
        home: Home,
        tabular: Callable[[Artifact], bool],
        take: Callable[[reading.Fetched], None],
        warn: Callable[[str], None],
    ) -> None:
        """Begin for this process.

        Args:
            home: the DuckDB file.
            tabular: says whether a value may become a table of its own.
            take: given values that were read on the way.
            warn: told what the user must know.
        """
        self.home = home
        self.lock = threading.RLock()
        self.index = Index()
        self.degraded = ""
        self.movable = False
        self._tabular, self._take, self._warn = tabular, take, warn
        self._journal = Journal(home.journals, home.about)
        self._follower = follow.Follower(home, self._journal.owner)
        self._warm_start = WarmStart(home)
        self._heartbeat = Heartbeat(self._journal.live)
        self._results = self._items = 0
        self._substance = False
        self._losses = home.losses
        self._blocked = float("-inf")
        self.answers = Answers(
            self.lock, self.index, self._warm_start, refresh=self.refresh, look=self._look, take=take
        )

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
                self._heartbeat.begin(event.run_id)
            case RunEnded():
                self._heartbeat.end(event.run_id)
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
            elif type(event) is StepRetrying:
                # Nothing is written while it waits, which may be long: others look, and it may be killed.
                self._journal.flush()
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
                asked = [each.request.request_id for each in self.answers.approvals(event.notebook, event.step)]
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

    def refresh(self) -> None:
        """Learn what others did since the last look.

        Raises:
            StoreVersionError: a newer nbsteps wrote the store.
        """
        with self.lock:
            first = self.index.loaded < 0
            if first and not self._begin():
                return
            frames, missed = self._follower.drain()
            self._follow(frames)
            if missed or (first and self._warm_start.substance(self._follower)):
                self._load()

    def _follow(self, frames: list[Frame]) -> None:
        self._take(reading.Fetched(dict(follow.payloads(frames))))
        follow.apply(frames, self.index)

    def _begin(self) -> bool:
        """The first look; an empty folder is known without DuckDB. False while the home cannot be read."""
        self._follower.mark()
        if not self.home.path.exists() and not segments(self.home.journals):
            self.index.loaded, self.index.complete = 0, True
            return True
        if self._warm_start.begin(self.index, self._follower):
            return True
        self._load()
        return self.index.loaded >= 0

    def _load(self) -> None:
        """Fold everything and read what is new in the home."""
        self.flush()
        self._look(self._load_from)
        if self._losses != self.home.losses:
            self._losses = self.home.losses
            self.index.artifacts.clear()

    def _load_from(self, connection: duckdb.DuckDBPyConnection, *, writable: bool) -> None:
        if writable:
            self._follower.start(*self._merge(connection))
            self._journal.unfolded = 0
        self._warm_start.end()
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
        self.index.folded()
        self._warm_start.end()
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

        found = self._warm_start.values(wanted)
        if found.payloads.keys() >= set(digests):
            return found
        self.flush()
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

        self.flush()
        return self.home.use(fold)

    def distrust(self, digest: str) -> None:
        """A value that was read turned out to be damaged."""
        self._warm_start.forget_value(digest)

    def forget_value(self, digest: str) -> None:
        """Make room in the home for a value that turned out to be damaged."""

        def forget(connection: duckdb.DuckDBPyConnection, *, writable: bool) -> None:
            if writable:
                self.home.change(connection)
                reading.forget_value(connection, digest)
                connection.execute("COMMIT")

        self._look(forget)

    def fold(self, *, timeout: float, retiring: bool = False) -> bool:
        """Fold all journals into the home unless somebody else is at it; true if it was done.

        Args:
            timeout: seconds to wait for the home.
            retiring: whether this process writes no more.
        """
        self.flush()
        owner = self._journal.owner if retiring else ""

        def work(connection: duckdb.DuckDBPyConnection, *, writable: bool) -> bool:
            if writable:
                self._merge(connection, owner)
                self._journal.unfolded = 0
                self.movable = any_to_move(connection)
            return writable

        try:
            return self.home.use(work, timeout, renew=retiring)
        except BusyError:
            return False
        except (StoreError, OSError) as error:
            self._warn(f"the history could not be folded into {self.home.path.name}, it stays in journals: {error}")
            return False

    def flush(self) -> None:
        """Show others what is written so far; what must be durable is already."""
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
            self.flush()
            if self._substance or self._crowded():
                folded = not self.degraded and self.fold(timeout=_SHORT, retiring=True)
            try:
                if folded or self.degraded:
                    self._journal.abandon()
                else:
                    self._journal.close()
            except OSError as error:
                self.degrade(error)
            self._follower.close()
            self._heartbeat.close()
        return folded

    def _crowded(self) -> bool:
        """Whether journals that say only what was restored are too many or too long to be read by whoever comes."""
        many = len(segments(self.home.journals)) > _JOURNALS
        return many or unfolded(self.home, self._follower.folded) > LEFT_BYTES

    def drop(self) -> None:
        """Let files go in a forked child, where they belong to the parent."""
        self._follower.close()
