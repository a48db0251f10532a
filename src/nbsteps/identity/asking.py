"""Questions to the file system that raise no audit event: is it there, how large is it, where am I?

The functions of ``os`` are replaced while bodies run, for Python's own ``exists``, ``is_file``, ``getsize``, ``cwd``
and their like go through them. Only what the user's code asks counts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from nbsteps.identity.filehash import OWN
from nbsteps.identity.places import Origin, file_origin

_REPLACED: Final = ("stat", "getcwd", "getcwdb")
_ORIGINALS: Final[dict[str, Any]] = {name: getattr(os, name) for name in _REPLACED}
_DEEPEST: Final = 12


class Asking:
    """Replaces functions of ``os`` and puts them back.

    Args:
        looked: told of a path whose state the user's code asks for.
        located: told when it asks for the working directory.
    """

    def __init__(self, looked: Callable[[Any], None], located: Callable[[], None]) -> None:
        self._looked = looked
        self._located = located

    def install(self) -> None:
        """Begin to listen."""
        os.stat = self._stat
        os.getcwd = self._getcwd
        os.getcwdb = self._getcwdb

    @staticmethod
    def remove() -> None:
        """Put the original functions back."""
        for name, function in _ORIGINALS.items():
            setattr(os, name, function)

    def _stat(self, path: Any, *args: Any, **options: Any) -> os.stat_result:
        if not isinstance(path, int) and not options.get("dir_fd") and _by_user():
            self._looked(path)
        result: os.stat_result = _ORIGINALS["stat"](path, *args, **options)
        return result

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
        frame = frame.f_back
    return False
