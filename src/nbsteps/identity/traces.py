"""What a body's dealings with files leave behind: parts to be verified before its result is used again.

Four kinds, told apart by name and detail: what a file held, what a folder listed, whether something was there and how
large, and where the body ran. Making a part and verifying it stand side by side.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from nbsteps.core.model import Part, PartKind
from nbsteps.identity.data_files import Counting
from nbsteps.identity.feed import MISSING, digest_texts, digest_unordered
from nbsteps.identity.filehash import (
    ABSENT,
    OWN,
    UNREADABLE,
    FileState,
    file_digest,
    file_state,
    same_as_detail,
    stated,
)

WORKING_DIRECTORY: Final = "$PWD"
"""Name of the part for the working directory: no file's, for those are relative or absolute paths."""
_UNSETTLED: Final = digest_texts("changed while it was read")
_LOOKED: Final = json.dumps({"look": True}).removesuffix("}")
"""How the detail of a part begins that stands for what was only asked about."""
_NO_FOLDER: Final = "\0"
_FEW: Final = 20
"""Entries of a folder that are named to people."""


@contextmanager
def unheard() -> Iterator[None]:
    """What this thread does meanwhile is done for identity's sake, not by a body."""
    before, OWN.active = OWN.active, True
    try:
        yield
    finally:
        OWN.active = before


class ReadObserver:
    """What one body read, wrote, listed and asked for; paths are absolute."""

    def __init__(self, exclude: Iterable[str | os.PathLike[str]] = ()) -> None:
        self._thread = threading.get_ident()
        self._exclude = tuple(exclude)
        self._started_in = _folder_now()
        self._read: dict[str, FileState | None] = {}
        self._named: dict[str, FileState] = {}
        self._written: set[str] = set()
        self._listed: dict[str, frozenset[str]] = {}
        self._looked: dict[str, str] = {}
        self._moved: dict[str, tuple[str, FileState | None]] = {}
        self._relative: set[str] = set()
        self._located = False

    def reads(self, path: str) -> None:
        """A file is about to be read: remember what it is like now."""
        if path not in self._read and path not in self._written:
            self._read[path] = file_state(path)
        if path in self._moved:
            source, state = self._moved[path]
            self._read.setdefault(source, state)

    def writes(self, path: str) -> None:
        """A file is about to be written, moved there or removed."""
        self._written.add(path)

    def moves(self, source: str, target: str) -> None:
        """A file that the body did not make is about to get this name, instead of its own or beside it."""
        known = self._moved.get(source)
        if known is not None or source not in self._written:
            self._moved[target] = known or (source, file_state(source))

    def lists(self, path: str) -> None:
        """A folder is about to be listed."""
        if path not in self._listed:
            self._listed[path] = _names(path)

    def looks(self, path: str) -> None:
        """The body asks whether there is something at ``path``, and how large it is."""
        if path not in self._looked and path not in self._written:
            self._looked[path] = _look(path)

    def names(self, path: str) -> None:
        """A child process is told of a path: it may read what is there, or write it."""
        state = file_state(path)
        if state is not None and os.path.isdir(path):  # noqa: PTH112 - a text
            self.lists(path)
        elif state is not None and path not in self._written:
            self._named.setdefault(path, state)

    def locates(self, path: str | None = None) -> None:
        """The body depends on the working directory: it asked for it, or named this file relative to it."""
        if path is None:
            self._located = True
        else:
            self._relative.add(path)

    def is_mine(self, thread: int) -> bool:
        """Whether the body runs on this thread."""
        return self._thread == thread

    def parts(self, folder: Path, project_root: Path | None = None) -> tuple[Part, ...]:
        """Parts for the data that the body read, with names relative to ``folder`` inside it or the project.

        To be called right after the body: contents are digested as they are now, and a file that somebody else changed
        since the body opened it gets a digest that no content has.
        """
        if not (self._read or self._listed or self._looked or self._named or self._located):
            return ()
        roots = [folder] if project_root is None else [folder, project_root]
        rule = Counting(roots, self._exclude)
        with unheard():
            found = {part.name: part for part in self._all_parts(folder, roots, rule)}
        return tuple(found[name] for name in sorted(found))

    def _all_parts(self, folder: Path, roots: list[Path], rule: Counting) -> Iterator[Part]:
        """What says less comes first, and is replaced by what says more about the same file."""
        located = self._located
        for path, part in self._path_parts(roots, rule):
            located = located or path in self._relative
            name = _relative(path, folder, roots)
            yield replace(part, name=f"{name}/" if part.name != path else name)
        if located:
            place = _place(self._started_in, folder)
            yield Part(PartKind.FILE, WORKING_DIRECTORY, digest_texts("place", place), place, "place")

    def _path_parts(self, roots: list[Path], rule: Counting) -> Iterator[tuple[str, Part]]:
        """Paths and parts, named by their paths."""
        yield from ((path, part) for path, part in self._weak_parts(roots) if self._counts(path, rule))
        for path, before in self._read.items():
            # What was there, and was read before it was written, counts: it is gone now, so the part says "changed".
            if rule.counts(path) and (path not in self._written or before is not None):
                yield path, _file_part(path, before)
        for path, names in self._listed.items():
            if rule.counts(os.path.join(path, "")):  # noqa: PTH118 - the folder itself, ending in a separator
                yield path, self._folder_part(path, names)

    def _weak_parts(self, roots: list[Path]) -> Iterator[tuple[str, Part]]:
        """What was not read for sure. If it has changed meanwhile, a child process or a writer in C wrote it."""
        for path, seen in self._looked.items():
            if _look(path) == seen:
                yield path, Part(PartKind.FILE, path, seen, _looked_detail(path))
        for path, state in self._named.items():
            if file_state(path) == state and _may_be_data(path, roots):
                yield path, _file_part(path, state)

    def _counts(self, path: str, rule: Counting) -> bool:
        return path not in self._written and rule.counts(path)

    def _folder_part(self, path: str, names: frozenset[str]) -> Part:
        """What the folder held when it was listed, apart from what the body put there itself."""
        own = sorted(os.path.basename(each) for each in self._written if os.path.dirname(each) == path)  # noqa: PTH119, PTH120 - texts
        return _listed_part(f"{path}/", names, own)


def _may_be_data(path: str, roots: Iterable[Path]) -> bool:
    """Programs of the machine are no data; scripts of the project are."""
    return _is_inside(path, roots) or not os.access(path, os.X_OK)


def _file_part(path: str, before: FileState | None) -> Part:
    if file_state(path) != before:
        return Part(PartKind.FILE, path, _UNSETTLED, "changed while it was read")
    digest, detail = stated(path)
    return Part(PartKind.FILE, path, digest if digest != ABSENT or before is None else _UNSETTLED, detail)


def _relative(path: str, folder: Path, roots: Iterable[Path]) -> str:
    base = str(folder.absolute())
    return Path(os.path.relpath(path, base)).as_posix() if path == base or _is_inside(path, roots) else path


def _is_inside(path: str, roots: Iterable[Path]) -> bool:
    return any(path.startswith(os.path.join(str(root.absolute()), "")) for root in roots)  # noqa: PTH118 - a prefix


def _names(path: str) -> frozenset[str]:
    """What a folder holds, without what notebooks and tools put beside the data."""
    with unheard():
        try:
            entries = os.listdir(path)  # noqa: PTH208 - names only
        except OSError:
            return frozenset({_NO_FOLDER})
    return frozenset(
        name for name in entries if not name.startswith((".", "__pycache__")) and not name.endswith(".ipynb")
    )


def _listed_part(name: str, names: frozenset[str], own: list[str]) -> Part:
    """The part for a folder that holds these names, of which the body put its ``own`` there."""
    found = sorted(names.difference(own))
    detail = json.dumps({"own": own, "count": len(found), "names": found[:_FEW]})
    return Part(PartKind.FILE, name, _listing(found), MISSING if found == [_NO_FOLDER] and not own else detail)


def _listing(names: Iterable[str]) -> str:
    return digest_unordered("listing", names)


def _listing_now(path: str, own: Collection[str]) -> str:
    """Digest of what a folder holds now, apart from what the body put there itself."""
    return _listing(_names(path).difference(own))


def _look(path: str) -> str:
    """Digest of what can be told of a path without reading: nothing there, a folder, a link, or a file and its size."""
    state = file_state(path)
    if os.path.islink(path):  # noqa: PTH114 - a text
        return digest_texts("link", os.readlink(path), str(state and state.size))  # noqa: PTH115 - a text
    if state is None:
        return ABSENT
    return digest_texts("folder") if os.path.isdir(path) else digest_texts("size", str(state.size))  # noqa: PTH112 - a text


def _folder_now() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - a text
    except OSError:
        return ""


def _looked_detail(path: str) -> str:
    """The mark of a part for what was only asked about, with the answer for people."""
    state = file_state(path)
    link = f"a link to {os.readlink(path)}, " if os.path.islink(path) else ""  # noqa: PTH114, PTH115 - texts
    there = "nothing there" if state is None else f"{state.size:,} B"
    told = "a folder" if os.path.isdir(path) else there  # noqa: PTH112 - a text
    return json.dumps({"look": True, "text": link + told})


def _place(working_directory: str, folder: Path) -> str:
    """A working directory, relative to the notebook's folder."""
    return Path(os.path.relpath(working_directory, folder.absolute())).as_posix()


def is_same(part: Part, folder: Path) -> bool:
    """Whether what a part stands for is still what the body found."""
    if part.name == WORKING_DIRECTORY:
        return part.digest == digest_texts("place", _place(_folder_now(), folder))
    path = os.path.join(folder, part.name)  # noqa: PTH118 - absolute names stay as they are
    if part.name.endswith("/"):
        return part.digest == _listing_now(path, _own_names(part.detail))
    if part.detail.startswith(_LOOKED):
        return part.digest == _look(path)
    return _is_same_file(part, path)


def now(part: Part, folder: Path) -> Part:
    """What a part stands for, as it is now."""
    if part.name == WORKING_DIRECTORY:
        place = _place(_folder_now(), folder)
        return replace(part, digest=digest_texts("place", place), detail=place)
    path = os.path.join(folder, part.name)  # noqa: PTH118 - absolute names stay as they are
    if part.name.endswith("/"):
        return _listed_part(part.name, _names(path), _own_names(part.detail))
    if part.detail.startswith(_LOOKED):
        return replace(part, digest=_look(path), detail=_looked_detail(path))
    digest, detail = stated(path)
    return replace(part, digest=digest, detail=detail)


def _is_same_file(part: Part, path: str) -> bool:
    state = file_state(path)
    if state is None:
        return part.digest == ABSENT
    if same_as_detail(state, part.detail):
        return True
    try:
        return file_digest(path) == part.digest
    except OSError:
        return part.digest == UNREADABLE


def _own_names(detail: str) -> list[str]:
    try:
        found: list[str] = json.loads(detail or "{}").get("own", [])
    except ValueError:
        return []
    return found
