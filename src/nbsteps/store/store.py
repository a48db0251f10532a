"""The store of a project, as the engine sees it."""

from __future__ import annotations

import os
import socket
import sys
import time
import warnings
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nbsteps.config import Config
from nbsteps.core.approvals import Approval
from nbsteps.core.errors import DamagedValueError, StoreError, StoreVersionError, UntrustedValueError
from nbsteps.core.events import Event
from nbsteps.core.mapped import ItemError, MapOutput
from nbsteps.core.model import Artifact, Result
from nbsteps.ports import Recall
from nbsteps.store import reading
from nbsteps.store.gathered import Gathered
from nbsteps.store.history import History
from nbsteps.store.home import BusyError, Home
from nbsteps.store.ledger import Ledger
from nbsteps.store.single_flight import SingleFlight
from nbsteps.store.tables import move_tables
from nbsteps.store.texts import Texts
from nbsteps.store.value_cache import ValueCache
from nbsteps.store.values import Stored, Values

if TYPE_CHECKING:
    import pandas as pd

PREFETCH_BYTES: Final = 64 << 20
_MOVE_SECONDS: Final = 1.0
_UNLIMITED: Final = sys.maxsize


class StoreWarning(UserWarning):
    """The store cannot do what it should; the user's computation goes on."""


def warn(message: str) -> None:
    """Warn as Python does."""
    # From no line of ours: Python would quote it, and it means nothing to whoever reads the warning.
    warnings.warn_explicit(message, StoreWarning, "nbsteps", 0)


def tell(message: str) -> None:
    """Say it on standard error."""
    sys.stderr.write(f"nbsteps: {message}\n")


class DuckStore:
    """Results and history of a project in a ``.nbsteps`` folder, shared with every other process that uses it.

    Nothing is raised into a run for a disk that is full or a folder that cannot be written: caching stops with one
    warning, and results stay in memory for the session. Safe to use from several threads, and after a fork.
    """

    def __init__(
        self,
        folder: Path,
        *,
        config: Config = Config(),  # noqa: B008 - frozen
        clock: Callable[[], float] = time.time,
        warn: Callable[[str], None] = warn,
        on_wait: Callable[[str], None] = tell,
    ) -> None:
        """Open the store in ``folder``, which is created if need be. DuckDB is not opened, not even imported.

        Args:
            folder: the ``.nbsteps`` folder.
            config: limits for rows and tables.
            clock: seconds since the epoch.
            warn: told what goes wrong.
            on_wait: told who holds the store or a step, after two seconds.

        Raises:
            StoreVersionError: a newer nbsteps wrote it.
        """
        self.folder = Path(folder)
        self.clock = clock
        self._config, self._warn, self._on_wait = config, warn, on_wait
        self._closed = False
        self._begin()
        self.home.read_version_mark()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            ignore = self.folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="ascii")
        except OSError as error:
            self.ledger.degrade(error)
        _stores.add(self)

    def _begin(self) -> None:
        """Begin as a process of one's own: when opened, and in a forked child."""
        about = {"pid": os.getpid(), "host": socket.gethostname(), "notebook": ""}
        self.home = Home(self.folder, about, self._warn)
        self.home.on_wait = self._on_wait
        limits = self._config
        values = Values(self.folder, inline_limit=limits.inline_limit, table_limit=limits.table_limit)
        self.value_cache = ValueCache(self.folder, values, self._fetch)
        self.ledger = Ledger(self.home, values.tabular, self.value_cache.take, self._warn)
        self.history = History(self.home, self.value_cache, self.ledger.folded)
        self._flight = SingleFlight(self.folder, about)
        self._damaged: set[str] = set()
        self._texts = Texts(self.folder)

    @property
    def degraded(self) -> str:
        """Why nothing is written any more; ``""`` while all is well."""
        return self.ledger.degraded

    def emit(self, event: Event) -> None:
        """Take note of an event; an attempt's start and end, a result and a run's end are durable on return."""
        self.ledger.emit(event)

    def recall(self, notebook: str, steps: Collection[str], statics: Collection[str]) -> Recall:
        """Read in bulk what is known of these steps and static digests; DuckDB is opened the first time only.

        Raises:
            StoreVersionError: a newer nbsteps wrote the store.
        """
        self.home.about["notebook"] = notebook
        return self.ledger.answers.recall(notebook, steps, statics)

    def find(self, key: str) -> tuple[Result, ...]:
        """Results under one key, newest first, including what other processes committed a moment ago."""
        return self.ledger.answers.find(key)

    def find_items(self, keys: Collection[str]) -> Mapping[str, tuple[Result, ...]]:
        """Results of a map's items under these keys, newest first, in one look; keys without results are absent."""
        return self.ledger.answers.find_items(keys)

    def approvals(self, notebook: str, step: str = "") -> tuple[Approval, ...]:
        """Requests of a notebook, or of one step, newest first, with what other processes decided a moment ago."""
        return self.ledger.answers.approvals(notebook, step)

    def durations(self, notebook: str, step: str) -> tuple[float, ...]:
        """Seconds that the latest successes of a step took, newest first, fifty at most."""
        return self.ledger.answers.durations(notebook, step)

    def findings(self) -> Mapping[str, str]:
        """What was found out about texts of cells and modules, as far as it was kept."""
        return self._texts.read()

    def keep_findings(self, findings: Mapping[str, str]) -> None:
        """Keep what was found out about texts of cells and modules."""
        self._texts.note(findings)

    def flight(self, key: str, *, wait: bool = True) -> AbstractContextManager[bool]:
        """Hold the key so that one process and thread at a time computes it; look again with :meth:`find` then.

        Gives whether it is held: False only without ``wait``, while another live process or thread holds it.
        """
        return self._flight.hold(key, self._waits, wait=wait)

    def _waits(self, message: str) -> None:
        """Whoever waits may do so for long: what this process has told so far is shown to others."""
        self.ledger.flush()
        self._on_wait(message)

    def put(self, value: object, digest: str) -> Artifact:
        """Store a value under its content digest, once.

        Raises:
            UnstorableValueError: no codec can store it.
        """
        return self._put(digest, lambda codec: codec.encode(value, digest))

    def put_items(self, artifacts: Sequence[Artifact], errors: Sequence[ItemError], digest: str) -> Artifact:
        """Store the output of a map under its content digest: which stored values it is made of, and what failed."""
        return self._put(digest, lambda codec: codec.encode_items(artifacts, errors, digest))

    def _put(self, digest: str, encode: Callable[[Values], Stored]) -> Artifact:
        with self.ledger.lock:
            known = self.ledger.index.artifacts.get(digest)
            if known is not None and digest not in self._damaged and self.value_cache.has(known):
                return known
            stored = self._encode(encode)
            if digest in self._damaged:
                self._damaged.discard(digest)
                self.ledger.forget_value(digest)
            if stored.payload is not None:
                self.value_cache.keep(digest, stored.payload)
                self.ledger.value(stored.artifact, stored.payload)
            self.ledger.index.artifacts[digest] = stored.artifact
            return stored.artifact

    def _encode(self, encode: Callable[[Values], Stored]) -> Stored:
        if not self.degraded:
            try:
                return encode(self.value_cache.codec)
            except OSError as error:
                self.ledger.degrade(error)
            except StoreError as error:
                if not isinstance(error.__cause__, OSError):
                    raise
                self.ledger.degrade(error)
        self.value_cache.pinned = True
        return encode(Values(self.folder, inline_limit=_UNLIMITED, table_limit=0))

    def get(self, artifact: Artifact) -> object:
        """Read a value back, verified.

        Raises:
            DamagedValueError: checksum wrong or bytes gone.
            UntrustedValueError: written by somebody else and needs unpickling.
        """
        try:
            value = self.value_cache.get(artifact)
            return self._gather(value) if isinstance(value, Gathered) else value
        except DamagedValueError:
            self._forget(artifact)
            raise
        except (UntrustedValueError, StoreVersionError):
            raise
        except StoreError as error:
            raise DamagedValueError(f"the stored {artifact.type} cannot be read now: {error}") from error

    def _gather(self, listed: Gathered) -> MapOutput:
        """The items' values; one that cannot be read is named by the error."""
        values: list[object] = []
        for chunk in listed.chunks():
            self.value_cache.bring(chunk)
            for artifact in chunk:
                try:
                    values.append(self.get(artifact))
                except StoreError as error:
                    error.digest = error.digest or artifact.digest
                    raise
        return MapOutput(values, listed.errors)

    def _forget(self, artifact: Artifact) -> None:
        """Stop relying on a value that is damaged. What the home has of it goes only when a good one replaces it."""
        with self.ledger.lock:
            self.value_cache.forget(artifact.digest)
            self.ledger.distrust(artifact.digest)
            self.ledger.index.artifacts.pop(artifact.digest, None)
            self._damaged.add(artifact.digest)

    def _fetch(self, digests: list[str]) -> reading.Fetched:
        if not self.home.path.exists() and not self.home.journals.exists():
            return reading.Fetched()
        with self.ledger.lock:
            candidates = self.value_cache.missing(self.ledger.index.recalled())
        return self.ledger.fetch(digests, candidates, PREFETCH_BYTES)

    def history_records(self, kind: str, **filters: Any) -> list[dict[str, Any]]:
        """Rows of a table of the history as JSON-able dicts; see :meth:`nbsteps.store.history.History.records`."""
        return self.history.records(kind, **filters)

    def sql(self, query: str) -> pd.DataFrame:
        """Answer a query over history and cached tables; see :meth:`nbsteps.store.history.History.sql`."""
        return self.history.sql(query)

    def close(self) -> None:
        """Release everything; what was acknowledged stays. Folds the journal unless another process is merging."""
        if self._closed:
            return
        self._closed = True
        self._texts.write()
        if self.ledger.close() and self.ledger.movable:
            try:
                move_tables(self.home, self.value_cache.codec, seconds=_MOVE_SECONDS)
            except BusyError:
                pass  # the next one to close moves them
            except (StoreError, OSError) as error:
                self._warn(f"some tables stay files beside {self.home.path.name}: {error}")
        _stores.discard(self)

    def _after_fork(self) -> None:
        self.ledger.drop()
        self._begin()


_stores: weakref.WeakSet[DuckStore] = weakref.WeakSet()


def _fork() -> None:
    for store in list(_stores):
        store._after_fork()  # noqa: SLF001 - the same module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fork)
