"""The DuckDB file: opened under the merge lock, briefly, and closed again.

DuckDB lets one process at a time open a file, so nobody may keep it. Whoever wants it holds ``merge.lock`` first, and
waits in steps of two milliseconds where an outsider (somebody's own DuckDB session) has the file.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from nbsteps.core.errors import StoreError, StoreVersionError
from nbsteps.core.key import SCHEME
from nbsteps.store import locks, schema, snapshot
from nbsteps.store.layout import Buffer
from nbsteps.store.records import dumps, loads

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

PATIENCE: Final = 30.0
"""Seconds that a read waits for the file."""
_POLL: Final = 0.002
_BUSY: Final = ("Conflicting lock", "different configuration", "Unique file handle conflict", "being used by another")
_DAMAGED: Final = ("Corrupt", "not a valid DuckDB", "Could not read enough bytes", "Serialization Error", "INTERNAL")
_NEWER: Final = ("version number", "newer version", "storage version")


class BusyError(StoreError):
    """Somebody else has the file for longer than the caller would wait."""


class DamagedHomeError(StoreError):
    """The file was opened, but what it holds cannot be read."""


def damaged(error: Exception) -> bool:
    """Whether an error of DuckDB says that the file is damaged (and not busy, full, or out of memory)."""
    message = str(error)
    return any(mark in message for mark in _DAMAGED) or type(error).__name__ == "InternalException"


def check_version(found: int) -> None:
    """Refuse a store of a newer nbsteps.

    Raises:
        StoreVersionError: naming both versions.
    """
    if found > schema.VERSION:
        msg = f"this store has schema version {found}, this nbsteps knows versions up to {schema.VERSION}"
        raise StoreVersionError(msg, hint="pip install --upgrade nbsteps")


def _check_revision(connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse to read what an older nbsteps wrote, where it cannot be given the tables of today.

    Raises:
        StoreError: it is older.
    """
    revision = (connection.execute("FROM log.meta").fetchone() or ())[4:5]
    if (revision or (0,))[0] < schema.REVISION:
        msg = "an older nbsteps wrote this store, and it cannot be brought up to date: its folder cannot be written"
        raise StoreError(msg, hint="mend the permissions, or name another folder in NBSTEPS_STORE")


Picture = tuple[dict[str, Any], list[Buffer]]
"""What a snapshot says: what is small, and buffers."""


class Home:
    """The DuckDB file of a ``.nbsteps`` folder and the lock that guards it.

    Attributes:
        path: the file.
        journals: the folder of journals beside it.
        about: describes this process to those who wait for it.
        warn: told what the user must know.
        on_wait: told whom a wait of more than two seconds is for.
        losses: how often a damaged file was moved aside.
        snapshot: what a look would find, for those who need not look.
        picture: takes a new one of the open file; None where the one that is there will do.
    """

    def __init__(self, folder: Path, about: dict[str, Any], warn: Callable[[str], None]) -> None:
        self.folder = folder
        self.path = folder / "store.duckdb"
        self.journals = folder / "journal"
        self.notes = self.journals / "folded"
        self.about = about
        self.warn = warn
        self.on_wait: Callable[[str], None] = lambda _message: None
        self.losses = 0
        self.snapshot = snapshot.SnapshotFile(self.path)
        self.picture: Callable[[duckdb.DuckDBPyConnection], Picture | None] = lambda _connection: None

    def read_version_mark(self) -> None:
        """Check the version that the folder names, without opening DuckDB.

        Raises:
            StoreVersionError: it is newer.
        """
        with contextlib.suppress(OSError, ValueError):
            check_version(int((self.folder / "version").read_text(encoding="ascii")))

    @contextlib.contextmanager
    def lock(self, timeout: float) -> Iterator[None]:
        """Hold the merge lock.

        Raises:
            BusyError: another process held it all the time.
            OSError: the folder cannot be written.
        """
        path = self.folder / "merge.lock"
        lock = locks.wait_for(path, timeout=timeout, poll=_POLL, on_wait=self._say_who)
        if lock is None:
            raise BusyError(f"another process has been merging for {timeout:g} s: {self._holder()}", hint="try again")
        try:
            with contextlib.suppress(OSError):
                os.ftruncate(lock.descriptor, 0)
                os.lseek(lock.descriptor, 0, os.SEEK_SET)
                os.write(lock.descriptor, dumps(self.about).encode())
            yield
        finally:
            lock.release()

    def now(self) -> float:
        """The time by the clock of the machine that keeps the folder; for who holds the lock, which was just signed."""
        try:
            return (self.folder / "merge.lock").stat().st_mtime
        except OSError:
            return time.time()

    @contextlib.contextmanager
    def opened(self, timeout: float = PATIENCE, *, renew: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
        """Hold the lock and the open file; a file that cannot be read is moved aside and a new one begun.

        Whoever changes the file begins with :meth:`change`. At the end the snapshot is made anew if need be, unless
        ``renew`` is false because the file will soon be opened again.

        Raises:
            BusyError: another held the lock or the file all the time.
            DamagedHomeError: damage showed up while the file was in use; it is aside now, try again.
            StoreVersionError: a newer nbsteps wrote it.
            StoreError: anything else.
        """
        import duckdb  # noqa: PLC0415 - keeps import nbsteps fast

        deadline = time.monotonic() + timeout
        with self.lock(timeout):
            connection = self._connect(deadline)
            taken = None
            try:
                yield connection
                taken = self._take(connection) if renew else None
            except duckdb.Error as error:
                if not damaged(error):
                    raise StoreError(f"{self.path.name} cannot be used: {error}") from error
                connection.close()
                self._move_aside(error)
                raise DamagedHomeError(f"{self.path.name} is damaged: {error}") from error
            finally:
                with contextlib.suppress(duckdb.Error):
                    connection.close()
            if taken is not None:
                self.snapshot.publish(*taken)

    def change(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Begin a transaction that changes the file: the snapshot goes first, for good.

        Raises:
            OSError: it cannot be removed, so nothing may change.
        """
        self.snapshot.drop()
        connection.execute("BEGIN")

    def _execute(self, connection: duckdb.DuckDBPyConnection, statements: list[str]) -> None:
        """Execute all of some statements or none."""
        self.change(connection)
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")

    def _take(self, connection: duckdb.DuckDBPyConnection) -> tuple[bytes, list[int]] | None:
        """A new snapshot and the state of the file that it shows; trouble with it is no trouble with the home."""
        import duckdb  # noqa: PLC0415 - keeps import nbsteps fast

        with contextlib.suppress(duckdb.Error, ValueError):
            picture = self.picture(connection)
            if picture is not None:
                # What is in the file now stays in it when it is closed, and nobody else can open it before.
                connection.execute("CHECKPOINT")
                state = self.snapshot.state()
                return None if state is None else (snapshot.seal(picture[0], state, picture[1]), state)
        return None

    @contextlib.contextmanager
    def read_only(self, timeout: float = PATIENCE) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file of a folder that cannot be written; there is no lock to hold then.

        Raises:
            BusyError: another held the file all the time.
            StoreError: it cannot be read.
        """
        import duckdb  # noqa: PLC0415 - keeps import nbsteps fast

        try:
            connection = self._open(time.monotonic() + timeout, read_only=True)
        except duckdb.Error as error:
            raise StoreError(f"{self.path.name} cannot be read: {error}") from error
        try:
            _check_revision(connection)
            yield connection
        except duckdb.Error as error:
            raise StoreError(f"{self.path.name} cannot be read: {error}") from error
        finally:
            connection.close()

    def use(self, work: Callable[..., T], timeout: float = PATIENCE, *, renew: bool = True) -> T:
        """Do some work with the open file; the second argument of ``work`` says whether it may write.

        Work that meets damage is done again with the new file; a folder that cannot be written is read all the same.

        Raises:
            BusyError: another held the lock or the file all the time.
            StoreVersionError: a newer nbsteps wrote it.
            StoreError: anything else.
        """
        try:
            try:
                with self.opened(timeout, renew=renew) as connection:
                    return work(connection, writable=True)
            except DamagedHomeError:
                with self.opened(timeout, renew=renew) as connection:
                    return work(connection, writable=True)
        except OSError as error:
            if not self.path.exists():
                raise StoreError(f"{self.folder} cannot be written: {error}") from error
        with self.read_only(timeout) as connection:
            return work(connection, writable=False)

    def _connect(self, deadline: float) -> duckdb.DuckDBPyConnection:
        import duckdb  # noqa: PLC0415 - keeps import nbsteps fast

        for attempt in range(2):
            try:
                connection = self._open(deadline, read_only=False)
            except duckdb.Error as error:
                self._refuse(error, last=attempt > 0)
                continue
            try:
                self._prepare(connection)
            except duckdb.Error as error:
                connection.close()
                self._refuse(error, last=attempt > 0)
                continue
            except BaseException:
                connection.close()
                raise
            return connection
        raise AssertionError("unreachable")  # pragma: no cover - the second refusal raises

    def _open(self, deadline: float, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        import duckdb  # noqa: PLC0415 - keeps import nbsteps fast

        start, told = time.monotonic(), False
        while True:
            try:
                return duckdb.connect(str(self.path), read_only=read_only)
            except duckdb.Error as error:
                if not any(mark in str(error) for mark in _BUSY):
                    raise
                if time.monotonic() >= deadline:
                    msg = f"{self.path.name} is open elsewhere: {error}"
                    raise BusyError(msg, hint="close it there, then try again") from error
                if not told and time.monotonic() - start > locks.PATIENCE:
                    told = True
                    self.on_wait(f"waiting for {self.path.name}: {error}")
            time.sleep(_POLL)

    def _refuse(self, error: duckdb.Error, *, last: bool) -> None:
        """Move a damaged file aside, raise for every other trouble."""
        message = str(error)
        if any(mark in message for mark in _NEWER):
            raise StoreVersionError(f"{self.path.name}: {message}", hint="pip install --upgrade duckdb") from error
        if last or not damaged(error):
            raise StoreError(f"{self.path.name} cannot be opened: {message}") from error
        self._move_aside(error)

    def _move_aside(self, error: Exception) -> None:
        self.snapshot.drop()
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        aside = self.path.with_name(f"{self.path.name}.damaged-{stamp}")
        for suffix in ("", ".wal"):
            source = self.path.with_name(self.path.name + suffix)
            if source.exists():
                source.replace(aside.with_name(aside.name + suffix))
        self.losses += 1
        self.warn(
            f"the store {self.path} is damaged and was moved aside to {aside.name}; a new one is begun, and steps "
            f"whose results were only in the old one run again ({error})"
        )

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Check the version of the tables, or make them."""
        import duckdb  # noqa: PLC0415 - keeps import nbsteps fast

        try:
            # Asking and failing costs 1 ms; the first look into duckdb_tables() costs a new connection 9.
            row = connection.execute("FROM log.meta").fetchone() or (0, "", 0, "")
        except duckdb.CatalogException:
            self._execute(connection, schema.statements(SCHEME))
            (self.folder / "version").write_text(f"{schema.VERSION}\n", encoding="ascii")
            return
        version, scheme, _seq, _uid, *revision = row
        check_version(version)
        if scheme != SCHEME:
            self._execute(connection, [f"UPDATE log.meta SET scheme = '{SCHEME}'"])  # noqa: S608 - our own word
        if (revision or [0])[0] < schema.REVISION:
            self._execute(connection, schema.additions())

    def _holder(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            about = loads((self.folder / "merge.lock").read_text(encoding="ascii"))
            return f"process {about.get('pid')} on {about.get('host')} ({about.get('notebook') or 'no notebook'})"
        return "another process"

    def _say_who(self, waited: float) -> None:
        self.on_wait(f"waiting for the store for {waited:.0f} s: {self._holder()} has it")
