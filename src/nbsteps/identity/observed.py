"""Hears which files a body reads while it runs: from the interpreter's audit events, and from whoever announces them.

Seen: whatever goes through Python's own ``open``, ``os.open``, ``sqlite3.connect``; listings of folders; questions
whether a file exists; the words of child processes' commands. Readers in C (parquet, polars, duckdb) announce
themselves through :mod:`nbsteps.identity.readers`.
"""

from __future__ import annotations

import glob
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from nbsteps.identity import child_reads
from nbsteps.identity.ambient import class_name, module_name
from nbsteps.identity.environment import note_tables, note_variables
from nbsteps.identity.filehash import OWN
from nbsteps.identity.places import Origin, file_origin
from nbsteps.identity.scripts import sources_of
from nbsteps.identity.shell_commands import variables_of, words_of
from nbsteps.identity.stat_calls import Asking
from nbsteps.identity.traces import ReadObserver, unheard

__all__ = ["ReadObserver", "note_read", "note_write", "observe_reads"]

_SOURCE_READERS: Final = ("linecache.py", "inspect.py", "traceback.py", "pkgutil.py")
_PSEUDO: Final = ("/proc/", "/dev/fd/")
"""Where names stand that lead to files and folders elsewhere."""
_DEEPEST: Final = 12

_active: list[ReadObserver] = []
_lock = threading.Lock()
_hook_installed = False


@contextmanager
def observe_reads(exclude: Iterable[str | os.PathLike[str]] = ()) -> Iterator[ReadObserver]:
    """Observe what the body of the ``with`` reads, on this thread and on threads that belong to no other observer.

    Args:
        exclude: files and folders that never count, such as the store's.
    """
    observer = ReadObserver(exclude)
    start = child_reads.position()
    _install()
    with _lock:
        _active.append(observer)
        _ASKING.install()
    try:
        yield observer
    finally:
        with _lock:
            _active.remove(observer)
            if not _active:
                _ASKING.remove()
        _hear_children(observer, start)


def _hear_children(observer: ReadObserver, start: int) -> None:
    """Add what child processes told since the body began."""
    with _quietly():
        for what, name in child_reads.since(start):
            if what == "locates":
                observer.locates(name or None)
            elif what != "variable":
                getattr(observer, what)(name)


def tell_of_reads(teller: Any) -> None:
    """In a child process: from now on, what it reads is told to the parent, whatever was observed there."""
    global _lock  # noqa: PLW0603 - a thread that is not here may have held it
    _lock = threading.Lock()
    _active[:] = [teller]
    _install()
    _ASKING.install()


def note_read(path: str | os.PathLike[str]) -> None:
    """Announce that files are about to be read by something that raises no audit event.

    A folder stands for all that it holds, a pattern for what it matches; both are listed, so that a new file counts.
    """
    if not _active or OWN.active:
        return
    with _quietly():
        for each, is_folder in _expanded(os.fsdecode(path)):
            _deliver(ReadObserver.lists if is_folder else ReadObserver.reads, each)


def note_write(path: str | os.PathLike[str]) -> None:
    """Announce that a file is about to be written by something that raises no audit event."""
    if _active and not OWN.active:
        with _quietly():
            _deliver(ReadObserver.writes, path)


def is_observed() -> bool:
    """Whether a body runs."""
    return bool(_active)


@contextmanager
def _quietly() -> Iterator[None]:
    """What happens meanwhile is ours, not the body's; and no error of ours becomes the user's."""
    try:
        with unheard():
            yield
    except Exception:  # noqa: BLE001, S110 - an unheard-of argument must not break the user's call
        pass


def _expanded(path: str) -> Iterator[tuple[str, bool]]:
    """Files and folders that a reader goes through which is given a path, each with whether it is a folder."""
    if os.path.isdir(path):  # noqa: PTH112 - texts throughout
        for folder, _, files in os.walk(path):
            yield folder, True
            yield from ((os.path.join(folder, name), False) for name in files)  # noqa: PTH118 - a text
    elif glob.has_magic(path) and not os.path.exists(path):  # noqa: PTH110 - a text
        yield from _matching(path)
    else:
        yield path, False


def _matching(pattern: str) -> Iterator[tuple[str, bool]]:
    pieces = Path(pattern).parts
    first = next(at for at, piece in enumerate(pieces) if glob.has_magic(piece))
    above = str(Path(*pieces[:first]))
    folders = [above]
    if first + 1 < len(pieces):  # a pattern for folders: any of them may come to match
        folders += [folder for folder, _, _ in os.walk(above)]
    yield from ((folder, True) for folder in folders)
    yield from ((found, False) for found in glob.glob(pattern, recursive=True) if os.path.isfile(found))  # noqa: PTH113, PTH207 - texts


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
    with _quietly():
        handler(args)


def _deliver(note: Callable[[ReadObserver, str], None], path: Any) -> None:
    if isinstance(path, int) or path is None:
        return
    given = os.fsdecode(path)
    absolute = os.path.abspath(given)  # noqa: PTH100 - any kind of path
    if absolute.startswith(_PSEUDO):
        absolute = os.path.realpath(absolute)
    for observer in _observers():
        getattr(observer, note.__name__)(absolute)  # in a child process it is none of that class
        if note is not ReadObserver.writes and not os.path.isabs(given):  # noqa: PTH117 - a text
            observer.locates(absolute)


def _observers() -> list[ReadObserver]:
    thread = threading.get_ident()
    observers = list(_active)
    return [each for each in observers if each.is_mine(thread)] or observers


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


def _scanned(args: tuple[Any, ...]) -> None:
    """Entries that the user's own code asks for know the sizes of their files."""
    _listed(args)
    path = args[0] if args[0] is not None else "."
    if isinstance(path, int) or file_origin(next(_callers(sys._getframe(1)), "")) is not Origin.LOCAL:  # noqa: SLF001 - as above
        return
    for name in os.listdir(path):  # noqa: PTH208 - names only
        _deliver(ReadObserver.looks, os.path.join(os.fsdecode(path), os.fsdecode(name)))  # noqa: PTH118 - a text


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
    _moved_to(args)
    for path in args[:2]:
        _deliver(ReadObserver.writes, path)


def _moved_to(args: tuple[Any, ...]) -> None:
    """A file or folder gets another name: who reads it by that one depends on what it was."""
    source, target = (os.path.abspath(os.fsdecode(path)) for path in args[:2])  # noqa: PTH100 - any kind of path
    for observer in _observers():
        if isinstance(observer, ReadObserver):  # a child process tells of what it reads alone
            observer.moves(source, target)


def _touched(args: tuple[Any, ...]) -> None:
    _deliver(ReadObserver.writes, args[0])


def _linked(args: tuple[Any, ...]) -> None:
    _moved_to(args)
    _deliver(ReadObserver.writes, args[1])


def _symlinked(args: tuple[Any, ...]) -> None:
    folder = os.path.dirname(os.fsdecode(args[1]))  # noqa: PTH120 - any kind of path
    _linked((os.path.join(folder, os.fsdecode(args[0])), args[1]))  # noqa: PTH118 - any kind of path


def _started(args: tuple[Any, ...]) -> None:
    """A child process: its command may name files, and variables that its shell looks up."""
    _, command, folder, environment = args
    words = words_of(command)
    if environment is None:
        note_variables(variables_of(words))
    for path in sources_of(words, None if folder is None else os.fsdecode(folder)):
        _deliver(ReadObserver.names, path)
    for word in words:
        path = word if folder is None else os.path.join(os.fsdecode(folder), word)  # noqa: PTH118 - a text
        for each, _ in _expanded(path) if glob.has_magic(path) else ((path, False),):
            if os.path.exists(each):  # noqa: PTH110 - a text
                _deliver(ReadObserver.names, each)


def _executed(args: tuple[Any, ...]) -> None:
    _started((None, args[1] if len(args) > 1 else args[0], None, args[2] if len(args) > 2 else None))  # noqa: PLR2004 - as audited


def _moved(args: tuple[Any, ...]) -> None:
    if not os.path.isabs(os.fsdecode(args[0])):  # noqa: PTH117 - a text
        _located()


def _looked(path: Any) -> None:
    with _quietly():
        _deliver(ReadObserver.looks, path)


def _located() -> None:
    for observer in _observers():
        observer.locates()


def _looked_up(args: tuple[Any, ...]) -> None:
    """Unpickling looks for a class or function: of the notebook, of a module of the user, or of a package."""
    module, name = args
    if module == "__main__":
        note_variables([class_name(name)])
    else:
        note_variables(filter(None, [module_name(module)]))


def note_module(name: str) -> None:
    """Announce that a module was looked up by a name that the code may have computed."""
    if _active and not OWN.active:
        with _quietly():
            note_variables(filter(None, [module_name(name)]))


def note_own_tables(duckdb: Any) -> None:
    """Announce that duckdb's own database is about to be queried."""
    if _active and not OWN.active:
        with _quietly():
            note_tables(duckdb)


_ASKING: Final = Asking(_looked, _located)
_HANDLERS: Final[dict[str, Callable[[tuple[Any, ...]], None]]] = {
    "open": _opened,
    "sqlite3.connect": _connected,
    "os.listdir": _listed,
    "os.scandir": _scanned,
    "os.rename": _replaced,
    "os.remove": _touched,
    "os.truncate": _touched,
    "os.mkdir": _touched,
    "os.rmdir": _touched,
    "os.link": _linked,
    "os.symlink": _symlinked,
    "os.chdir": _moved,
    "subprocess.Popen": _started,
    "os.system": _executed,
    "pickle.find_class": _looked_up,
    "os.exec": _executed,
    "os.posix_spawn": _executed,
}
