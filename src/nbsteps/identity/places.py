"""Whose code or file is it: the user's, an installed distribution's, or the interpreter's?"""

from __future__ import annotations

import os
import sys
import sysconfig
from enum import Enum
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Final


class Origin(Enum):
    """Where code comes from, and so what it counts by: source, version, or the Python version that is in each key."""

    LOCAL = "local"
    INSTALLED = "installed"
    PYTHON = "python"


_SITE: Final = frozenset({"site-packages", "dist-packages"})


def _folders(*paths: str | None) -> tuple[str, ...]:
    """The folders as given and as resolved, each ending in a separator."""
    found = {str(path) for raw in paths if raw for path in (Path(raw), Path(raw).resolve())}
    return tuple(sorted(os.path.join(path, "") for path in found))  # noqa: PTH118 - keeps the separator


STDLIB: Final = _folders(
    sysconfig.get_path("stdlib"),
    sysconfig.get_path("platstdlib"),
    os.path.dirname(os.__file__),  # noqa: PTH120 - a text is wanted
)
PREFIXES: Final = _folders(sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)
_OURS: Final = _folders(str(Path(__file__).parent.parent))


def in_site(path: str) -> bool:
    """Whether a path leads through a folder of installed distributions."""
    return not _SITE.isdisjoint(path.replace("\\", "/").split("/"))


@lru_cache(maxsize=16384)
def file_origin(filename: str) -> Origin:
    """Origin of code by its file name, as code objects and modules give it.

    Notebook cells and other names in angle brackets are the user's; a file that is neither installed nor the standard
    library's is the user's too, wherever it lies: editable installs count by their source.
    """
    if filename.startswith("<"):
        return Origin.PYTHON if filename.startswith("<frozen") else Origin.LOCAL
    if in_site(filename):
        return Origin.INSTALLED
    if filename.startswith((*STDLIB, *_OURS)):
        return Origin.PYTHON
    resolved = os.path.realpath(filename)
    if resolved != filename:
        return file_origin(resolved)
    return Origin.LOCAL


def module_file(module: ModuleType) -> str:
    """The file a module was loaded from; ``""`` for built-in, namespace and made-up modules."""
    file = vars(module).get("__file__")
    return file if isinstance(file, str) else ""


def module_origin(module: ModuleType) -> Origin:
    """Origin of a module; one without a file or a search path belongs to the interpreter if it was found there."""
    file = module_file(module)
    if file:
        return file_origin(file)
    spec = vars(module).get("__spec__")
    if getattr(spec, "origin", None) in {"built-in", "frozen"}:
        return Origin.PYTHON
    places = [str(place) for place in vars(module).get("__path__", ())]
    if places and all(in_site(place) for place in places):
        return Origin.INSTALLED
    return Origin.LOCAL


def name_origin(module_name: str | None) -> Origin:
    """Origin of the module of that name; unknown modules and ``__main__`` are the user's."""
    if not module_name or module_name == "__main__" or not isinstance(module_name, str):
        return Origin.LOCAL  # some classes in C hold a descriptor there
    if module_name.partition(".")[0] in sys.stdlib_module_names:
        return _shadowed(module_name)
    module = sys.modules.get(module_name)
    return Origin.LOCAL if module is None else module_origin(module)


def _shadowed(module_name: str) -> Origin:
    """A file of the user may be named like a module of the standard library."""
    module = sys.modules.get(module_name)
    return Origin.PYTHON if module is None else module_origin(module)
