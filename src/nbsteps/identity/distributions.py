"""Installed distributions and their versions, found from a loaded module without reading every package's metadata."""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final, Literal, NamedTuple

from nbsteps.core.model import Part, PartKind
from nbsteps.identity.feed import digest_texts
from nbsteps.identity.places import in_site, module_file
from nbsteps.identity.settings import library_settings

EnvMode = Literal["exact", "minor", "off"]
_MINOR: Final = re.compile(r"v?(\d+!)?(\d+)(\.(\d+))?")
_SHOWN: Final = 120
_SHELL: Final = frozenset({"IPython", "ipykernel", "nbsteps"})
"""What runs the notebook rather than what it computes with: its version changes no result."""


class Distribution(NamedTuple):
    """An installed distribution as this process loaded it."""

    name: str
    version: str


_LOADED: dict[str, Distribution] = {}


def package_part(module_name: str, env: EnvMode) -> Part | None:
    """The part for the distribution that holds a module; None where versions do not count."""
    top = module_name.partition(".")[0]
    if env == "off" or top in _SHELL:
        return None
    found = distribution(module_name)
    version = found.version if env == "exact" else minor(found.version)
    settings = library_settings(top)
    if settings:
        detail = f"{found.version} with {settings[:_SHOWN]}"
        return Part(PartKind.PACKAGE, found.name, digest_texts("package", version, settings), detail=detail)
    return Part(PartKind.PACKAGE, found.name, digest_texts("package", version), detail=found.version)


def minor(version: str) -> str:
    """Major and minor number of a version, the whole text where it has none (``3.1.1`` -> ``3.1``)."""
    match = _MINOR.match(version)
    return f"{match[1] or ''}{match[2]}.{match[4] or 0}" if match else version


def distribution(module_name: str) -> Distribution:
    """The distribution a module belongs to, looked up once in a process: a loaded package does not change its version.

    A namespace package is shared by several distributions, so there the second part of the name counts too.
    """
    top, _, rest = module_name.partition(".")
    module = sys.modules.get(top)
    if module is not None and not module_file(module) and rest:
        top = f"{top}.{rest.partition('.')[0]}"
    known = _LOADED.get(top)
    if known is None:
        known = _LOADED[top] = _find(top)
    return known


def _find(name: str) -> Distribution:
    """Metadata's version, and the module's own where the two contradict: it was upgraded after it was imported."""
    module = sys.modules.get(name)
    own = vars(module).get("__version__") if module is not None else None
    own = own if isinstance(own, str) else ""
    file = module_file(module) if module is not None else _findable(name)
    found = _beside(name, file) or _by_metadata(name)
    if found is None:
        return Distribution(name, own or "unknown")
    if own and minor(own) != minor(found.version):
        return Distribution(found.name, f"{own} (metadata: {found.version})")
    return found


def _findable(name: str) -> str:
    """The file that a top-level module would be loaded from."""
    spec = None if "." in name else PathFinder.find_spec(name)
    return "" if spec is None else spec.origin or ""


def _beside(name: str, file: str) -> Distribution | None:
    """The ``.dist-info`` of the same name in the folder that holds the package, if it lists the module."""
    if "." in name or not in_site(file):
        return None
    folder = Path(file).parent
    if Path(file).stem == "__init__":
        folder = folder.parent
    for entry in _dist_infos(str(folder)):
        stem, _, version = entry.removesuffix(".dist-info").rpartition("-")
        if _plain(stem) == _plain(name) and _lists(folder / entry, name):
            return Distribution(_written_name(folder / entry) or stem, version)
    return None


@lru_cache(maxsize=64)
def _dist_infos(folder: str) -> tuple[str, ...]:
    try:
        return tuple(entry for entry in os.listdir(folder) if entry.endswith(".dist-info"))  # noqa: PTH208 - names only
    except OSError:
        return ()


def _lists(info: Path, name: str) -> bool:
    """Whether the distribution installed the module: ``attr`` is not in the distribution of that name."""
    try:
        record = (info / "RECORD").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return re.search(rf"^{re.escape(name)}(/|\.)", record, re.MULTILINE) is not None


def _written_name(info: Path) -> str:
    try:
        with (info / "METADATA").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("Name:"):
                    return line[5:].strip()
    except OSError:
        pass
    return ""


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@lru_cache(maxsize=1)
def _all_distributions() -> dict[str, list[str]]:
    """Every top-level module's distributions; a few hundred milliseconds, so only where nothing quicker answers."""
    from importlib.metadata import packages_distributions  # noqa: PLC0415 - keeps import nbsteps fast

    return dict(packages_distributions())


def _by_metadata(name: str) -> Distribution | None:
    from importlib.metadata import version  # noqa: PLC0415 - keeps import nbsteps fast

    top, _, rest = name.partition(".")
    names = sorted(set(_all_distributions().get(top, ())))
    if not names:
        return None
    chosen = [found for found in names if rest and _plain(rest) in _plain(found)] or names
    found = chosen[0] if len(chosen) == 1 else "+".join(chosen)
    return Distribution(found, "+".join(version(each) for each in chosen))
