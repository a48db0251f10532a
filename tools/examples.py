"""Every example notebook through plain papermill, then through nbsteps on the same store: no step may run twice.

Where a step waits for approval it is given on the command line, and the notebook runs on, as often as it asks.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tools.headless import ROOT, HeadlessError, approve, run_nbsteps, run_papermill

SETTLED = frozenset({"cached", "skipped"})
"""Ends of steps that executed nothing: what a branch or a condition leaves out is as settled as what is restored."""

_AT_ONCE = 2
"""Each notebook has a store and processes of its own, and much of their time is a kernel's start."""


def main(arguments: list[str] | None = None) -> int:
    """Run the notebooks given, or all of ``notebooks/``; the exit code is 1 if one did not run as it should."""
    parser = argparse.ArgumentParser(prog="python -m tools.examples", description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, default=_all())
    options = parser.parse_args(arguments)
    folder = ROOT / "build" / "examples"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for told in pool.map(partial(check, folder=folder), options.notebooks):
                print(told, flush=True)
    except HeadlessError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not options.notebooks:
        sys.stderr.write("no notebook found\n")
    return not options.notebooks


def _all() -> list[Path]:
    folder = ROOT / "notebooks"
    return [*sorted(folder.glob("*.ipynb")), *sorted((folder / "patterns").glob("*.ipynb"))]


def check(notebook: Path, folder: Path) -> str:
    """Run one notebook both ways and say how long it took.

    Raises:
        HeadlessError: a run failed, or the second one executed a step again.
    """
    store = folder / f"{notebook.stem}.store"
    seconds = run_papermill(notebook, folder / f"{notebook.stem}.papermill.ipynb", store)
    output = folder / f"{notebook.stem}.nbsteps.ipynb"
    report = run_nbsteps(notebook, output, store, {})
    approved = list[str]()
    while waiting := report.names("waiting"):
        if not set(waiting).isdisjoint(approved):
            msg = f"{notebook.name}: asks again although nothing changed: {', '.join(waiting)}"
            raise HeadlessError(msg)
        for step in waiting:
            approve(notebook, step, store)
        approved += waiting
        run_nbsteps(notebook, output, store, {})
        report = run_nbsteps(notebook, output, store, {})
    restored = report.names("cached")
    others = [f"{step['step']} ({step['state']})" for step in report.steps if step["state"] not in SETTLED]
    if others or not restored:
        msg = f"{notebook.name}: after papermill, nbsteps did not restore: {', '.join(others) or 'no step'}"
        raise HeadlessError(msg)
    told = f", {len(approved)} approved" if approved else ""
    return f"{notebook.name}: papermill {seconds:.1f} s; nbsteps {report.seconds:.1f} s, {len(restored)} restored{told}"


if __name__ == "__main__":
    sys.exit(main())
