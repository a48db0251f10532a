"""Which files a body reads while it runs, as the interpreter's audit events tell it.

Seen: whatever goes through Python's own ``open``, ``os.open``, ``sqlite3.connect``, and listings of folders. Not seen:
readers in C (parquet, polars, duckdb), which their wrappers announce through :func:`note_read`; ``os.stat``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from nbsteps.core.model import Part, PartKind
from nbsteps.identity.counted import Counting
from nbsteps.identity.feed import digest_texts, digest_unordered
from nbsteps.identity.filehash import ABSENT, OWN, FileState, file_state, stated
from nbsteps.identity.places import Origin, file_origin

_UNSETTLED: Final = digest_texts("changed while it was read")
_SOURCE_READERS: Final = ("linecache.py", "tokenize.py", "inspect.py", "traceback.py", "pkgutil.py")
_DEEPEST: Final = 12

_active: list[ReadObserver] = []
_lock = threading.Lock()
_hook_installed = False


class ReadObserver:
    """What one body read, wrote and listed; paths are absolute."""

    def __init__(self, exclude: Iterable[str | os.PathLike[str]] = ()) -> None:
        self._thread = threading.get_ident()
        self._exclude = tuple(exclude)
        self._read: dict[str, FileState | None] = {}
        self._written: set[str] = set()
        self._listed: dict[str, frozenset[str]] = {}

    def reads(self, path: str) -> None:
        """A file is about to be read: remember what it is like now."""
        if path not in self._read and path not in self._written:
            self._read[path] = file_state(path)

    def writes(self, path: str) -> None:
        """A file is about to be written, moved there or removed."""
        self._written.add(path)

    def lists(self, path: str) -> None:
        """A folder is about to be listed."""
        if path not in self._listed:
            self._listed[path] = _names(path)

    def parts(self, folder: Path, project_root: Path | None = None) -> tuple[Part, ...]:
        """Parts for the data that the body read, with names relative to ``folder`` inside it or the project.

        To be called right after the body: contents are digested as they are now, and a file that somebody else changed
        since the body opened it gets a digest that no content has.
        """
        if not self._read and not self._listed:
            return ()
        roots = [folder] if project_root is None else [folder, project_root]
        rule = Counting(roots, self._exclude)
        found = [
            _file_part(_relative(path, folder, roots), path, before)
            for path, before in self._read.items()
            if path not in self._written and rule.counts(path)
        ]
        for path, names in self._listed.items():
            if rule.counts(os.path.join(path, "")):  # noqa: PTH118 - the folder itself, ending in a separator
                found.append(self._folder_part(f"{_relative(path, folder, roots)}/", path, names))
        return tuple(sorted(found, key=lambda part: part.name))

    def _folder_part(self, name: str, path: str, names: frozenset[str]) -> Part:
        """What the folder held when it was listed, apart from what the body put there itself."""
        own = sorted(os.path.basename(each) for each in self._written if os.path.dirname(each) == path)  # noqa: PTH119, PTH120 - texts
        return Part(PartKind.FILE, name, _listing(names.difference(own)), json.dumps({"own": own}) if own else "")

    def _is_mine(self, thread: int) -> bool:
        return self._thread == thread


def _file_part(name: str, path: str, before: FileState | None) -> Part:
    if file_state(path) != before:
        return Part(PartKind.FILE, name, _UNSETTLED, "changed while it was read")
    digest, detail = stated(path)
    return Part(PartKind.FILE, name, digest if digest != ABSENT or before is None else _UNSETTLED, detail)


def _relative(path: str, folder: Path, roots: Iterable[Path]) -> str:
    base = str(folder.absolute())
    inside = any(path.startswith(os.path.join(str(root.absolute()), "")) for root in roots)  # noqa: PTH118 - a prefix
    return Path(os.path.relpath(path, base)).as_posix() if inside or path == base else path


def _names(path: str) -> frozenset[str]:
    """What a folder holds, without what notebooks and tools put beside the data."""
    before, OWN.active = OWN.active, True
    try:
        entries = os.listdir(path)  # noqa: PTH208 - names only
    except OSError:
        return frozenset({"\0"})
    finally:
        OWN.active = before
    return frozenset(
        name for name in entries if not name.startswith((".", "__pycache__")) and not name.endswith(".ipynb")
    )


def _listing(names: Iterable[str]) -> str:
    return digest_unordered("listing", names)


def listing_digest(path: str, own: Collection[str]) -> str:
    """Digest of what a folder holds now, apart from what the body put there itself."""
    return _listing(_names(path).difference(own))


@contextmanager
def observe_reads(exclude: Iterable[str | os.PathLike[str]] = ()) -> Iterator[ReadObserver]:
    """Observe what the body of the ``with`` reads, on this thread and on threads that belong to no other observer.

    Args:
        exclude: files and folders that never count, such as the store's.
    """
    observer = ReadObserver(exclude)
    _install()
    with _lock:
        _active.append(observer)
    try:
        yield observer
    finally:
        with _lock:
            _active.remove(observer)


def note_read(path: str | os.PathLike[str]) -> None:
    """Announce that a file is about to be read by something that raises no audit event."""
    if _active:
        _deliver(ReadObserver.reads, path)


def _install() -> None:
    """Hook into the interpreter, once: an audit hook cannot be taken out again."""
    global _hook_installed  # noqa: PLW0603 - the interpreter has one list of hooks, and so have we
    with _lock:
        if not _hook_installed:
            sys.addaudithook(_hook)
            _hook_installed = True


def _hook(event: str, args: tuple[Any, ...]) -> None:
    """Called for every audit event of the process; an error here would become the user's."""
    if not _active:
        return
    handler = _HANDLERS.get(event)
    if handler is None or OWN.active:
        return
    OWN.active = True
    try:
        handler(args)
    except Exception:  # noqa: BLE001, S110 - an unheard-of argument must not break the user's call
        pass
    finally:
        OWN.active = False


def _deliver(note: Callable[[ReadObserver, str], None], path: Any) -> None:
    if isinstance(path, int) or path is None:
        return
    absolute = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - any kind of path
    thread = threading.get_ident()
    observers = list(_active)
    mine = [each for each in observers if each._is_mine(thread)]  # noqa: SLF001 - same module
    for observer in mine or observers:
        note(observer, absolute)


def _opened(args: tuple[Any, ...]) -> None:
    path, mode, flags = args
    if isinstance(path, int):
        return
    read, write = _by_mode(mode) if isinstance(mode, str) else _by_flags(flags)
    if read and not _is_source_reading(path):
        _deliver(ReadObserver.reads, path)
    if write:
        _deliver(ReadObserver.writes, path)


def _by_mode(mode: str) -> tuple[bool, bool]:
    fresh = "w" in mode or "x" in mode
    return "r" in mode or ("+" in mode and not fresh), fresh or "a" in mode or "+" in mode


def _by_flags(flags: int) -> tuple[bool, bool]:
    access = flags & (os.O_WRONLY | os.O_RDWR)
    fresh = bool(flags & os.O_TRUNC) or bool(flags & os.O_CREAT and flags & os.O_EXCL)
    if flags & (getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", 0)):
        return False, False  # a folder to work from, a file without a name, or a mere reference
    return access != os.O_WRONLY and not fresh, access != os.O_RDONLY


def _is_source_reading(path: Any) -> bool:
    """Whether Python source is read to be imported or shown in a traceback: modules count by their trees."""
    if not os.fsdecode(path).endswith((".py", ".pyw")):
        return False
    return any(
        filename.startswith("<frozen importlib") or filename.endswith(_SOURCE_READERS)
        for filename in _callers(sys._getframe(1))  # noqa: SLF001 - the cheapest way to the caller
    )


def _callers(frame: FrameType | None) -> Iterator[str]:
    """File names of the nearest frames, ours apart."""
    for _ in range(_DEEPEST):
        if frame is None:
            return
        if frame.f_code.co_filename != __file__:
            yield frame.f_code.co_filename
        frame = frame.f_back


_PATH_LISTERS: Final = (f"importlib{os.sep}metadata{os.sep}__init__.py", "pkgutil.py")
"""What lists every folder of ``sys.path``, the notebook's among them, to find installed packages."""


def _listed(args: tuple[Any, ...]) -> None:
    for filename in _callers(sys._getframe(1)):  # noqa: SLF001 - the cheapest way to the caller
        if filename.startswith("<frozen importlib") or filename.endswith(_PATH_LISTERS):
            return
        if file_origin(filename) is not Origin.PYTHON:
            break
    _deliver(ReadObserver.lists, args[0] if args[0] is not None else ".")


def _connected(args: tuple[Any, ...]) -> None:
    name = os.fsdecode(args[0])
    if name.startswith("file:"):
        from urllib.parse import unquote  # noqa: PLC0415 - keeps import nbsteps fast

        name = unquote(name[5:].partition("?")[0])
        name = f"/{name.lstrip('/')}" if name.startswith("/") else name  # file:///data/x.db
    if not name or name.startswith(":memory:"):
        return
    _deliver(ReadObserver.reads, name)


def _replaced(args: tuple[Any, ...]) -> None:
    for path in args[:2]:
        _deliver(ReadObserver.writes, path)


def _touched(args: tuple[Any, ...]) -> None:
    _deliver(ReadObserver.writes, args[0])


def _linked(args: tuple[Any, ...]) -> None:
    _deliver(ReadObserver.writes, args[1])


_HANDLERS: Final[dict[str, Callable[[tuple[Any, ...]], None]]] = {
    "open": _opened,
    "sqlite3.connect": _connected,
    "os.listdir": _listed,
    "os.scandir": _listed,
    "os.rename": _replaced,
    "os.remove": _touched,
    "os.truncate": _touched,
    "os.mkdir": _touched,
    "os.rmdir": _touched,
    "os.link": _linked,
    "os.symlink": _linked,
}
