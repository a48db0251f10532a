"""Which files that a body opens are data, and which belong to the machine that it runs on."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from nbsteps.identity.places import PREFIXES, STDLIB, in_site

_BYTECODE_AND_FONTS: Final = (".pyc", ".pyo", ".ttf", ".otf", ".ttc", ".afm", ".pfb", ".woff", ".woff2")
_OWN_FOLDERS: Final = frozenset({".nbsteps", ".git", ".ipynb_checkpoints", "__pycache__"})
_OF_PREFIX: Final = ("lib", "lib64", "libexec", "Lib", "DLLs", "bin", "Scripts", "include", "share", "etc", "ssl")
_PSEUDO: Final = ("/proc/", "/sys/", "/dev/", "/run/")
_SYSTEM: Final = (
    *(
        "/etc/",
        "/usr/lib/",
        "/usr/lib64/",
        "/usr/share/",
        "/usr/local/share/",
        "/usr/local/etc/",
        "/var/lib/",
        "/var/cache/",
    ),
    *("/System/", "/Library/", "C:\\Windows\\"),
)
_USER: Final = ("Library/Caches", "Library/Preferences", "Library/Application Support", "Library/Jupyter", "AppData")
_BY_VARIABLE: Final = (
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "MPLCONFIGDIR",
    "IPYTHONDIR",
    "JUPYTER_CONFIG_DIR",
    "APPDATA",
)


def _slashed(path: str | os.PathLike[str]) -> str:
    return os.path.join(os.path.abspath(path), "")  # noqa: PTH100, PTH118 - a text that ends in a separator


@lru_cache(maxsize=8)
def _machine(home: str, temporary: str, variables: tuple[str, ...]) -> tuple[str, ...]:
    """Folders of the machine and of the user's settings, each ending in a separator."""
    places = [*_PSEUDO, *_SYSTEM, *STDLIB]
    places += [_slashed(Path(prefix, part)) for prefix in PREFIXES for part in _OF_PREFIX]
    places += [_slashed(Path(home, part)) for part in _USER]
    places += [_slashed(each) for each in (temporary, os.path.realpath(temporary), *variables)]
    # A virtual environment holds nothing of the user's; a system-wide prefix such as /usr may.
    places += [prefix for prefix in PREFIXES if sys.prefix != sys.base_prefix and prefix == _slashed(sys.prefix)]
    return tuple(places)


class Counting:
    """The rule for one notebook: of a project's folder and a folder of the machine, the deeper one decides."""

    def __init__(self, roots: Iterable[Path], exclude: Iterable[str | os.PathLike[str]] = ()) -> None:
        home = os.path.expanduser("~")  # noqa: PTH111 - a text, and no error where there is no home
        variables = tuple(os.environ[name] for name in _BY_VARIABLE if os.environ.get(name))
        self._machine = _machine(home, tempfile.gettempdir(), variables)
        self._hidden = os.path.join(home, ".")  # noqa: PTH118 - a prefix of hidden folders, not a path
        self._roots = sorted({_slashed(path) for root in roots for path in (root, root.resolve())})
        self._exclude = tuple(_slashed(path) for path in exclude)

    def counts(self, path: str) -> bool:
        """Whether a file at this absolute path, opened by a body, is data."""
        if path.endswith(_BYTECODE_AND_FONTS) or in_site(path) or f"{path}{os.sep}".startswith(self._exclude):
            return False
        root = max((len(each) for each in self._roots if path.startswith(each)), default=0)
        if root and not _OWN_FOLDERS.isdisjoint(Path(path[root:]).parts):
            return False
        return root > self._machine_depth(path) or not self._machine_depth(path)

    def _machine_depth(self, path: str) -> int:
        """Length of the deepest folder of the machine that holds the path; 0 where none does."""
        depth = max((len(each) for each in self._machine if path.startswith(each)), default=0)
        if path.startswith(self._hidden) and os.sep in path[len(self._hidden) :]:
            depth = max(depth, path.index(os.sep, len(self._hidden)) + 1)
        return depth
