"""Questions to the file system that raise no audit event: is it there, how large is it, where am I?

The functions of ``os`` are replaced while bodies run, for Python's own ``exists``, ``is_file``, ``getsize``, ``cwd``
and their like go through them. Only what the user's code asks counts.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from nbsteps.identity.filehash import OWN
from nbsteps.identity.places import Origin, file_origin

_REPLACED: Final = ("stat", "lstat", "access", "readlink", "getcwd", "getcwdb")
_ORIGINALS: Final[dict[str, Any]] = {name: getattr(os, name) for name in _REPLACED}
_DEEPEST: Final = 12
_FOLLOWING_LINKS: Final = frozenset({"realpath", "_joinrealpath", "walk", "_walk"})
"""Functions of Python's own that ask of every folder on the way whether it is a link."""
_ABILITIES: Final = ("supports_fd", "supports_dir_fd", "supports_follow_symlinks", "supports_effective_ids")


class Asking:
    """Replaces functions of ``os`` and puts them back.

    Args:
        looked: told of a path whose state the user's code asks for.
        located: told when it asks for the working directory.
    """

    def __init__(self, looked: Callable[[Any], None], located: Callable[[], None]) -> None:
        self._looked = looked
        self._located = located
        asking = {name: self._asking(_ORIGINALS[name]) for name in ("stat", "lstat", "access", "readlink")}
        self._replacements: dict[str, Any] = {**asking, "getcwd": self._getcwd, "getcwdb": self._getcwdb}
        for ability in _ABILITIES:  # shutil looks there for what it may ask
            able: set[Any] = getattr(os, ability)
            able |= {asking[name] for name in asking if _ORIGINALS[name] in able}

    def install(self) -> None:
        """Begin to listen."""
        for name, function in self._replacements.items():
            setattr(os, name, function)

    @staticmethod
    def remove() -> None:
        """Put the original functions back."""
        for name, function in _ORIGINALS.items():
            setattr(os, name, function)

    def _asking(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def asking(path: Any, *args: Any, **options: Any) -> Any:
            if not isinstance(path, int) and not options.get("dir_fd") and _by_user():
                self._looked(path)
            return function(path, *args, **options)

        return asking

    def _getcwd(self) -> str:
        if _by_user():
            self._located()
        folder: str = _ORIGINALS["getcwd"]()
        return folder

    def _getcwdb(self) -> bytes:
        if _by_user():
            self._located()
        folder: bytes = _ORIGINALS["getcwdb"]()
        return folder


def _by_user() -> bool:
    """Whether the nearest code that is not Python's own is the user's."""
    if OWN.active:
        return False
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the cheapest way to the caller
    for _ in range(_DEEPEST):
        if frame is None:
            return False
        filename = frame.f_code.co_filename
        if filename.startswith("<frozen importlib"):
            return False
        origin = file_origin(filename)
        if origin is not Origin.PYTHON:
            return origin is Origin.LOCAL
        if frame.f_code.co_name in _FOLLOWING_LINKS:
            return False
        frame = frame.f_back
    return False
