"""Every example notebook through plain papermill, then through nbsteps on the same store: no step may run twice."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tools.headless import ROOT, HeadlessError, run_nbsteps, run_papermill


def main(arguments: list[str] | None = None) -> int:
    """Run the notebooks given, or all of ``notebooks/``; the exit code is 1 if one did not run as it should."""
    parser = argparse.ArgumentParser(prog="python -m tools.examples", description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted((ROOT / "notebooks").glob("*.ipynb")))
    options = parser.parse_args(arguments)
    folder = ROOT / "build" / "examples"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        for notebook in options.notebooks:
            print(check(notebook, folder), flush=True)
    except HeadlessError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not options.notebooks:
        sys.stderr.write("no notebook found\n")
    return not options.notebooks


def check(notebook: Path, folder: Path) -> str:
    """Run one notebook both ways and say how long it took.

    Raises:
        HeadlessError: a run failed, or the second one executed a step again.
    """
    store = folder / f"{notebook.stem}.store"
    seconds = run_papermill(notebook, folder / f"{notebook.stem}.papermill.ipynb", store)
    report = run_nbsteps(notebook, folder / f"{notebook.stem}.nbsteps.ipynb", store, {})
    restored = report.names("cached")
    others = [f"{step['step']} ({step['state']})" for step in report.steps if step["state"] != "cached"]
    if others or not restored:
        msg = f"{notebook.name}: after papermill, nbsteps did not restore: {', '.join(others) or 'no step'}"
        raise HeadlessError(msg)
    return f"{notebook.name}: papermill {seconds:.1f} s; nbsteps {report.seconds:.1f} s, {len(restored)} steps restored"


if __name__ == "__main__":
    sys.exit(main())
