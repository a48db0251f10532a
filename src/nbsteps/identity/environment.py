"""Identity of the environment: variables that a step declares or was seen to read, and the Python version.

Only digests are kept, never values.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator, KeysView, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from nbsteps.core.model import Part, PartKind
from nbsteps.identity import child_reads
from nbsteps.identity.ambient import TABLES, class_part, module_part, tables_part, tables_read
from nbsteps.identity.feed import digest_texts
from nbsteps.identity.places import Origin, file_origin
from nbsteps.identity.randomness import Draws, random_part, seeding_part

if TYPE_CHECKING:
    _Base = os._Environ[str]  # noqa: SLF001 - the class of os.environ, there is no other name for it
else:
    _Base = type(os.environ)

WHOLE: Final = "*"
"""Name of the part for the whole environment, read by a body that loops over it."""
_OF_SESSION: Final = frozenset(
    {
        *(
            "_",
            "PWD",
            "OLDPWD",
            "SHLVL",
            "TERM",
            "TERM_PROGRAM",
            "TERM_PROGRAM_VERSION",
            "COLUMNS",
            "LINES",
            "WINDOWID",
        ),
        *("MPLBACKEND", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "PAGER", "GIT_PAGER", "LS_COLORS", "TMPDIR"),
    }
)
_SHELL_VARIABLE: Final = re.compile(r"\$\{?([A-Za-z_]\w*)")
_SESSION_PREFIXES: Final = ("JPY_", "JUPYTER", "SSH_", "XDG_", "DBUS_", "VSCODE_", "PYDEVD_", "KERNEL_", "NBSTEPS_")
_PASSED_THROUGH: Final = frozenset(
    {
        __file__,
        os.getenv.__code__.co_filename,
        os.path.expandvars.__code__.co_filename,
        Mapping.get.__code__.co_filename,
    }
)
"""Files whose frames stand between ``os.environ`` and whoever reads it."""
_HANDED_OVER: Final = tuple(
    os.sep + name.replace("/", os.sep)
    for name in (
        *("collections/__init__.py", "string.py", "string/__init__.py", "configparser.py", "copy.py"),
        *("IPython/core/magics/osm.py", "IPython/core/interactiveshell.py"),
    )
)
"""Ends of the names of others: a mapping that looks into one it was given, and ``%env``."""


def declared_env(names: Iterable[str]) -> tuple[Part, ...]:
    """Parts for environment variables; one that is not set is a part too."""
    return tuple(_part(name, os.environ.get(name)) for name in sorted(set(names)))


@cache
def python_part() -> Part:
    """The part for the interpreter: major and minor number of its version."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Part(PartKind.PYTHON, "", digest_texts("python", sys.implementation.name, version), detail=version)


def zone_part() -> Part:
    """The part for the local time zone."""
    zone = (str(time.tzname), str(time.timezone), str(time.altzone))
    return Part(PartKind.ENV, "TZ", digest_texts("zone", *zone), time.tzname[0], "setting")


def changed_env(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Observed variables whose value is no longer the one that the body read, as they are now."""
    asked = [(part, _now(part.name)) for part in parts if part.kind is PartKind.ENV]
    return tuple(now for part, now in asked if now.digest != part.digest)


def _now(name: str) -> Part:
    for known in (_whole_part, seeding_part, class_part, module_part, tables_part):
        part = known(name)
        if part is not None:
            return part
    try:
        return _part(name, _Base.__getitem__(os.environ, name))  # not a body's read
    except KeyError:
        return _part(name, None)


def _whole_part(name: str) -> Part | None:
    return Part(PartKind.ENV, WHOLE, _whole(), role="environment") if name == WHOLE else None


def _part(name: str, value: str | None) -> Part:
    if value is None:
        return Part(PartKind.ENV, name, digest_texts("unset", name), detail="not set")
    return Part(PartKind.ENV, name, digest_texts("env", name, value), detail="set")


def _whole() -> str:
    """Digest of all variables but those that say which session this is."""
    texts: list[str] = []
    known = {name: _Base.__getitem__(os.environ, name) for name in _Base.__iter__(os.environ)}  # not a body's read
    for name, value in sorted(known.items()):
        if name not in _OF_SESSION and not name.startswith(_SESSION_PREFIXES):
            texts += (name, value)
    return digest_texts("environment", *texts)


class EnvObserver:
    """Which variables one body read, and what they were then."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self._found: dict[str, Part] = {}
        self._own: set[str] = set()
        self.draws = Draws()

    def reads(self, name: str, value: str | None) -> None:
        """A variable was read, or the whole environment; what the body set itself does not count."""
        if name not in self._own and name not in self._found:
            self._found[name] = _now(name) if value is None else _part(name, value)

    def queries(self, duckdb: Any) -> None:
        """The body is about to query duckdb's own database: does it hold anything that the body did not make?"""
        if TABLES not in self._own and TABLES not in self._found:
            part = tables_read(duckdb)
            if part is None:
                self._own.add(TABLES)
            else:
                self._found[TABLES] = part

    def writes(self, name: str) -> None:
        """The body set or removed a variable."""
        self._own.add(name)

    def parts(self) -> tuple[Part, ...]:
        """Parts for what was read, by name, and for the seeds of the random generators that were drawn from."""
        drawn = (random_part(name, seeded) for name, seeded in self.draws.drawn())
        return (*(self._found[name] for name in sorted(self._found)), *drawn)


_active: list[EnvObserver] = []
_lock = threading.Lock()


class _ObservedEnviron(_Base):
    """The class of ``os.environ`` while bodies run. The object stays the same, so all references to it are observed."""

    def __getitem__(self, key: str) -> str:
        try:
            value: str | None = super().__getitem__(key)
        except KeyError:
            value = None
        if isinstance(key, (str, bytes)):  # os.environb is of this class, too
            _tell_read(os.fsdecode(key), None if value is None else os.fsdecode(value))
        return super().__getitem__(key) if value is None else value

    def __setitem__(self, key: str, value: str) -> None:
        super().__setitem__(key, value)
        for observer in _observers():
            observer.writes(os.fsdecode(key))

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        for observer in _observers():
            observer.writes(os.fsdecode(key))

    def keys(self) -> KeysView[str]:
        _tell_whole()
        return super().keys()

    def __iter__(self) -> Iterator[str]:
        _tell_whole()
        return super().__iter__()


def _observers() -> list[EnvObserver]:
    thread = threading.get_ident()
    observers = list(_active)
    return [each for each in observers if each.thread == thread] or observers


class _Copying(threading.local):
    place: tuple[int, int] | None = None


_ENTRY: Final = 2
"""Bytes by which Python 3.12 is further in a loop's instruction once it has adapted it to generators."""
_copying: Final = _Copying()
"""Frame and instruction that asked for the keys last: what it goes on to read in the same instruction is a copy."""


def _tell_read(name: str, value: str | None) -> None:
    """Tell the observers of a read by the user's code; packages and the interpreter read for themselves.

    A copy is one read of the whole environment: what is asked of it later cannot be seen.
    """
    frame = _reader()
    if frame is None or file_origin(frame.f_code.co_filename) is not Origin.LOCAL:
        return
    if _copying.place in {(id(frame), frame.f_lasti), (id(frame), frame.f_lasti - _ENTRY)}:
        return
    _copying.place = None
    for observer in _observers():
        observer.reads(name, value)


def _tell_whole() -> None:
    """Tell of a copy or a loop: the variables that the same instruction goes on to read are not told of one by one."""
    _tell_read(WHOLE, None)
    frame = _reader()
    _copying.place = None if frame is None else (id(frame), frame.f_lasti)


def _reader() -> FrameType | None:
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the cheapest way to the caller
    while frame is not None and _is_passed_through(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


@lru_cache(maxsize=16384)
def _is_passed_through(filename: str) -> bool:
    return filename in _PASSED_THROUGH or (
        filename.endswith(_HANDED_OVER) and file_origin(filename) is not Origin.LOCAL
    )


_ENVIRONS: Final[tuple[Any, ...]] = (os.environ, *([os.environb] if os.supports_bytes_environ else []))


def note_variables(names: Iterable[str]) -> None:
    """Announce that variables are about to be read by something that does not go through ``os.environ``.

    So does what has no name in the code: see :mod:`nbsteps.identity.ambient`.
    """
    for name in names:
        for observer in _observers():
            observer.reads(name, os.environ.get(name))


def note_tables(duckdb: Any) -> None:
    """Announce that duckdb's own database is about to be queried."""
    for observer in _observers():
        observer.queries(duckdb)


def shell_variables(text: str) -> frozenset[str]:
    """Names that a shell would look up in its environment."""
    return frozenset(_SHELL_VARIABLE.findall(text))


@contextmanager
def observe_env() -> Iterator[EnvObserver]:
    """Observe which variables the body of the ``with`` reads, on this thread and on threads without an observer."""
    observer = EnvObserver()
    start = child_reads.position()
    with _lock:
        _active.append(observer)
        _listen()
    try:
        yield observer
    finally:
        observer.draws.finish()
        with _lock:
            _active.remove(observer)
            if not _active:
                for each in _ENVIRONS:
                    each.__class__ = _Base
        for name in [name for what, name in child_reads.since(start) if what == "variable"]:
            observer.reads(name, os.environ.get(name))


def _listen() -> None:
    for each in _ENVIRONS:
        each.__class__ = _ObservedEnviron


def tell_of_variables(teller: Any) -> None:
    """In a child process: from now on, what it reads is told to the parent, whatever was observed there."""
    global _lock  # noqa: PLW0603 - a thread that is not here may have held it
    _lock = threading.Lock()
    _active[:] = [teller]
    _listen()
