"""Identity of files: those that a step declares, and whether those that it was seen to read are still the same."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from nbsteps.core.model import Part, PartKind
from nbsteps.identity import readers
from nbsteps.identity.feed import MISSING
from nbsteps.identity.filehash import ABSENT, UNREADABLE, file_digest, file_state, to_detail
from nbsteps.identity.observed import ReadObserver, note_read, observe_reads
from nbsteps.identity.traces import is_same, now

# Before any cell imports a library that reads files itself: names imported from it earlier would not announce anything.
readers.install()

__all__ = ["ReadObserver", "changed", "declared_files", "note_read", "observe_reads"]


def declared_files(patterns: Iterable[str], folder: Path) -> tuple[Part, ...]:
    """Parts for the files that patterns match, ``**`` included; a folder stands for all files below it.

    A pattern that matches nothing is a part too, so that a file's appearing counts. Names are relative to ``folder``
    where the pattern is, with forward slashes.
    """
    found: dict[str, str] = {}
    for pattern in patterns:
        matches = _matches(os.path.expanduser(pattern), folder)  # noqa: PTH111 - globs are texts
        found.update(matches or {_posix(pattern): ""})
    return tuple(_declared(name, found[name]) for name in sorted(found))


def _matches(pattern: str, folder: Path) -> dict[str, str]:
    """Name to full path of the files a pattern matches."""
    names = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207 - keeps names relative to the folder
    found: dict[str, str] = {}
    for name in names:
        path = os.path.join(folder, name)  # noqa: PTH118 - once for each file
        if os.path.isfile(path):  # noqa: PTH113 - once for each file
            found[_posix(name)] = path
        elif not glob.has_magic(pattern):
            found.update(_matches(os.path.join(glob.escape(name), "**", "*"), folder))  # noqa: PTH118 - a pattern
    return found


def _posix(name: str) -> str:
    return Path(os.path.normpath(name)).as_posix()


def _declared(name: str, path: str) -> Part:
    if not path:
        return Part(PartKind.FILE, name, ABSENT, MISSING)
    try:
        digest = file_digest(path)
    except FileNotFoundError:
        return Part(PartKind.FILE, name, ABSENT, MISSING)
    except OSError:
        return Part(PartKind.FILE, name, UNREADABLE, "unreadable")
    state = file_state(path)
    return Part(PartKind.FILE, name, digest, "" if state is None else to_detail(state, 0))


def changed(parts: Iterable[Part], folder: Path) -> tuple[Part, ...]:
    """Observed files and folders whose content is no longer what the body read, or that came or went, as they are."""
    return tuple(now(part, folder) for part in parts if part.kind is PartKind.FILE and not is_same(part, folder))
