"""The demo: a notebook from start to end without a screen, and then again; prints what ran and what was restored."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.headless import ROOT, HeadlessError, Report, run_nbsteps

WORDS = {"succeeded": "ran", "cached": "restored"}


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; the exit code is 1 if a step failed or ran twice."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument("notebook", nargs="?", type=Path, default=ROOT / "notebooks" / "flights.ipynb")
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="parameters")
    options = parser.parse_args(arguments)
    folder = ROOT / "build" / "demo"
    # A store of its own, so that the first run shows a first run whenever somebody tries the demo.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    output, store = folder / options.notebook.name, folder / "store"
    try:
        reports = [run_nbsteps(options.notebook, output, store, dict(options.parameters)) for _ in range(2)]
    except HeadlessError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(table(*reports))
    again = reports[1].names("succeeded")
    print(f"\nThe executed notebook is {output.relative_to(ROOT)}.")
    if again:
        sys.stderr.write(f"these steps ran a second time although nothing changed: {', '.join(again)}\n")
    return bool(again)


def table(first: Report, second: Report) -> str:
    """Both runs side by side: a line for each step, one for the whole process."""
    later = {step["step"]: step for step in second.steps}
    rows = [("step", "first run", "second run")]
    rows += [(step["step"], _step(step), _step(later[step["step"]])) for step in first.steps]
    rows.append(("whole process", _process(first), _process(second)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{name:<{widths[0]}}   {one:>{widths[1]}}   {two:>{widths[2]}}" for name, one, two in rows]
    rule = "-" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _step(step: Mapping[str, Any]) -> str:
    return f"{WORDS.get(step['state'], step['state'])} {step['duration_s'] or 0.0:8.3f} s"


def _process(report: Report) -> str:
    ran, restored = (len(report.names(state)) for state in WORDS)
    return f"{ran} ran, {restored} restored {report.seconds:8.3f} s"


if __name__ == "__main__":
    sys.exit(main())
