"""``nbsteps doctor``: is everything there, and does it work together?"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from nbsteps.config import load_config, store_folder
from nbsteps.core.errors import NbstepsError

_PACKAGES = ("duckdb", "ipykernel", "ipython", "nbformat", "pandas", "papermill", "pyarrow", "xxhash")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    what: str
    ok: bool
    seen: str
    hint: str = ""

    def __str__(self) -> str:
        """Render as ``ok    store: ...`` with the hint below."""
        head = f"{'ok  ' if self.ok else 'BAD '}  {self.what}: {self.seen}"
        return f"{head}\n      {self.hint}" if self.hint else head


def examine(folder: Path) -> list[Finding]:
    """Look at the installation and at what serves ``folder``."""
    found = [Finding("python", ok=True, seen=f"{platform.python_version()} on {platform.system()}")]
    found += [_package(name) for name in _PACKAGES]
    return [*found, _kernels(), _configuration(folder), _store(folder), _records(folder)]


def _package(name: str) -> Finding:
    try:
        return Finding(name, ok=True, seen=importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, ok=False, seen="not installed", hint=f"pip install {name}")


def _kernels() -> Finding:
    from jupyter_client.kernelspec import find_kernel_specs  # noqa: PLC0415 - only looked at here

    names = sorted(find_kernel_specs())
    hint = "" if names else "python -m ipykernel install --user"
    return Finding("kernels", ok=bool(names), seen=", ".join(names) or "none", hint=hint)


def _configuration(folder: Path) -> Finding:
    try:
        config = load_config(folder)
    except NbstepsError as error:
        return Finding("configuration", ok=False, seen=error.problem.message, hint=error.problem.hint)
    return Finding("configuration", ok=True, seen=f"env={config.env}, mutation={config.mutation}")


def _store(folder: Path) -> Finding:
    home = store_folder(folder)
    nearest = next((place for place in (home, *home.parents) if place.exists()), home)
    writable = nearest.is_dir() and os.access(nearest, os.W_OK)
    size = sum(file.stat().st_size for file in home.rglob("*") if file.is_file()) if home.is_dir() else 0
    seen = f"{home}, {size / 1e6:.1f} MB" if home.is_dir() else f"{home}, none yet"
    hint = "" if writable else "results cannot be kept there: make it writable, or set NBSTEPS_STORE"
    return Finding("store", ok=writable, seen=seen, hint=hint)


def _records(folder: Path) -> Finding:
    from nbsteps.api import open_store  # noqa: PLC0415 - only looked at here

    if not store_folder(folder).is_dir():
        return Finding("history", ok=True, seen="empty")
    try:
        with open_store(folder) as store:
            count = len(store.history.records("runs"))
    except NbstepsError as error:
        return Finding("history", ok=False, seen=error.problem.message, hint=error.problem.hint)
    return Finding("history", ok=True, seen=f"{count} runs")
