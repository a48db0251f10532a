"""``python -m benchmarks.wrong_hits [--write PAGE]``: the conformance probes, played against other caches.

Installs the tools in an environment that is thrown away, translates every probe that can be said without nbsteps'
options, magics and live kernels, and prints how often each tool gave a stale result, and how often it computed again
what it had.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import chdir
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.adapters import ADAPTERS
from benchmarks.measure import ROOT
from tests.conformance.collection import PROBES
from tests.conformance.playing import Ground, Shell, in_shell
from tests.conformance.probe import Probe, source_of

LIBRARIES = ("ipython", "pandas", "pyarrow", "polars", "duckdb", "scikit-learn", "scipy", "attrs", "matplotlib")
MAGIC = re.compile(r"^\s*(?:\w+ *= *)?[%!]|get_ipython|\bawait\b|async for|__main__", re.MULTILINE)
OWN = "nbsteps"
Tally = Counter[tuple[str, str, str]]
"""Tool, family and verdict -> how many."""


@dataclass(frozen=True)
class Answer:
    """What became of one version."""

    result: str
    executed: int | None
    error: str


def neutral() -> list[Probe]:
    """The probes that any tool could be asked."""
    return [probe for probe in PROBES if _is_neutral(probe)]


def thinned(probes: Iterable[Probe], every: int) -> list[Probe]:
    """One of so many probes of each family and expectation."""
    seen = Counter[tuple[str, str]]()
    kept = []
    for probe in probes:
        if seen[probe.family, probe.expect] % every == 0:
            kept.append(probe)
        seen[probe.family, probe.expect] += 1
    return kept


def _is_neutral(probe: Probe) -> bool:
    cells = (*probe.cells, *probe.changed_cells)
    return not (
        probe.live
        or probe.level != "shell"
        or probe.expect == "error"
        or probe.excused
        or probe.uncacheable
        or probe.moved
        or not (probe.differs or probe.expect == "restore")
        or any(MAGIC.search(cell if isinstance(cell, str) else cell.body) for cell in cells)
        or any(cell.options for cell in cells if not isinstance(cell, str))
        or any("pytest" in source_of(cell) for cell in cells)
    )


def job(probe: Probe, version: str, ground: Ground, store: str) -> dict[str, Any]:
    """One version of a probe, for an adapter."""
    path = next(ground.project.rglob("*.ipynb"))
    cells = probe.cells if version == "A" else probe.changed_cells
    (ground.outside / store).mkdir(exist_ok=True)
    return {
        "cells": [cell if isinstance(cell, str) else asdict(cell) for cell in cells],
        "environment": dict(probe.environment_of(version)),
        "folder": str(path.parent),
        "store": ground.store(store),
        "log": str(ground.outside / "ran"),
    }


class Tool:
    """A tool in its environment, answering jobs."""

    def __init__(self, name: str, python: Path) -> None:
        self.name = name
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HAMILTON_TELEMETRY_ENABLED": "false",
            "PYTHONWARNINGS": "ignore",
        }
        command = [str(python), "-m", "benchmarks.adapters", name]
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, work: Mapping[str, Any]) -> Answer:
        """Play one version."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(work) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        return Answer(**json.loads(line)) if line else Answer("", None, "it ended")

    def close(self) -> None:
        """End it."""
        self._process.communicate()

    def judge(self, probe: Probe, folder: Path) -> list[str]:
        """Verdicts on one probe; none where the tool cannot play it."""
        ground = Ground(folder)
        ground.prepare(probe, "A")
        first, again = (self.ask(job(probe, "A", ground, "store")) for _ in range(2))
        ground.prepare(probe, "B")
        second, empty = (self.ask(job(probe, "B", ground, store)) for store in ("store", "empty"))
        if first.error or empty.error or (probe.expect == "rerun" and first.result == empty.result):
            return []
        if second.error or second.result != empty.result:
            return ["played", "wrong hit"]
        missed = again.executed or (probe.expect == "restore" and second.executed)
        return ["played", "false miss"] if missed else ["played"]


def of_nbsteps(probes: Iterable[Probe], folder: Path) -> Tally:
    """The same probes, for nbsteps."""
    tally = Tally()
    shell = Shell()
    for at, probe in enumerate(probes):
        place = folder / str(at)
        place.mkdir()
        trial = in_shell(shell, probe, Ground(place))
        tally[OWN, probe.family, "played"] += 1
        tally[OWN, probe.family, "wrong hit"] += trial.second.result != trial.empty.result
        missed = "rerun" in {trial.again and trial.again.outcome, probe.expect == "restore" and trial.second.outcome}
        tally[OWN, probe.family, "false miss"] += missed
    shell.close()
    return tally


def of_tool(name: str, python: Path, probes: Sequence[Probe], folder: Path) -> Tally:
    """How a tool does."""
    tally = Tally()
    tool = Tool(name, python)
    for at, probe in enumerate(probes):
        place = folder / str(at)
        place.mkdir(parents=True)
        for verdict in tool.judge(probe, place):
            tally[name, probe.family, verdict] += 1
    tool.close()
    return tally


def installed(folder: Path, tools: Iterable[str]) -> Path:
    """An environment with the tools; returns its interpreter."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *tools, *LIBRARIES], check=True)
    return python


def versions(python: Path, tools: Iterable[str]) -> dict[str, str]:
    """Versions of the tools."""
    code = "import sys, importlib.metadata as m; print(*(m.version(n) for n in sys.argv[1:]))"
    found = subprocess.run([str(python), "-c", code, *tools], capture_output=True, text=True, check=True).stdout.split()
    return dict(zip(tools, found, strict=True))


def rendered(tally: Tally, names: Mapping[str, str], verdict: str) -> str:
    """A table: a line for each family, a column for each tool, how many of how many."""
    families = sorted({family for _, family, _ in tally})
    head = ["family", *(f"{name} {version}".strip() for name, version in names.items())]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for family in (*families, "all"):
        cells = []
        for name in names:
            of = families if family == "all" else [family]
            played, found = (sum(tally[name, each, kind] for each in of) for kind in ("played", verdict))
            cells.append(f"{found} of {played}" if played else "-")
        lines.append("| " + " | ".join([family, *cells]) + " |")
    return "\n".join(lines)


PAGE = """# How other caches do

The probes of [the conformance suite](what-counts.md), played against caches that people use for the same work. Of
{total} probes {neutral} can be said without anything that is nbsteps' own: its options, magics, a live kernel; {played}
of them were played here. Each is played as nbsteps' probes are: version A, A once more, version B, and B on an empty
store; each in a process of its own, for nbsteps in a shell as good as new.

Made on {date} with Python {python} by

<!-- read -->
```console
$ python -m benchmarks.wrong_hits --write docs/explanation/scoreboard.md --every {every} {tools}
```

## Wrong hits: B got a result that it does not give on an empty store

{wrong}

## False misses: computed again what had not changed

{missed}

## How to read it

- *n of m*: m probes could be played; a tool that refuses a probe's values or code is not blamed for it. `-`: none
  could.
- Every tool is used as its documentation shows: `joblib.Memory.cache` and redun's `@task` around each step as a
  function, Hamilton's driver `with_cache()`, marimo's `persistent_cache` inside cells, cash-lib's `%cash_on`.
- Much of this is documented, and no fault in what the tools set out to do: joblib and redun count a function's own
  source and its arguments, not the helpers, globals and files behind them; Hamilton does not count nested calls; these
  three observe neither files nor environment variables. They ask you to declare them, or to bump a version.
- cash-lib, if it is in the table, caches single statements, and a line that notes that the body ran would be cached
  like the others: its false misses cannot be counted this way.
- The probes were written for nbsteps, and it was mended until it passed. So the table says what the others do not see,
  not that nbsteps sees everything: [What cannot be seen](what-counts.md#what-cannot-be-seen).
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wrong_hits", description=__doc__)
    parser.add_argument("--write", metavar="PAGE", type=Path, help="also write the page of the documentation")
    parser.add_argument("--python", metavar="PATH", type=Path, help="an environment that has the tools already")
    parser.add_argument("--only", metavar="TEXT", default="", help="only probes whose name holds this")
    parser.add_argument("--every", metavar="N", type=int, default=1, help="play one of N probes of each family")
    parser.add_argument("tools", nargs="*", help=f"which of {', '.join(ADAPTERS)}; all if absent")
    args = parser.parse_args(argv)
    tools = args.tools or list(ADAPTERS)
    probes = thinned([probe for probe in neutral() if args.only in probe.name], args.every)
    page_path = args.write and args.write.absolute()
    with tempfile.TemporaryDirectory(prefix="nbsteps-wrong-hits-") as name, chdir(name):
        folder = Path(name)
        python = args.python or installed(folder / "environment", tools)
        (folder / OWN).mkdir()
        tally = of_nbsteps(probes, folder / OWN)
        for tool in tools:
            print(f"{tool} ...", file=sys.stderr, flush=True)
            tally += of_tool(tool, python, probes, folder / tool)
        names = {OWN: "", **versions(python, tools)}
    wrong, missed = (rendered(tally, names, verdict) for verdict in ("wrong hit", "false miss"))
    if "cash-lib" in names:
        missed = _without(missed, list(names).index("cash-lib"))
    print(f"wrong hits\n\n{wrong}\n\nfalse misses\n\n{missed}")
    if page_path:
        today = dt.datetime.now(dt.UTC).date()
        python_version = f"{sys.version_info.major}.{sys.version_info.minor}"
        counts = {
            "total": len(PROBES),
            "neutral": len(neutral()),
            "played": len(probes),
            "every": args.every,
            "tools": " ".join(tools),
        }
        page = PAGE.format(**counts, date=today, python=python_version, wrong=wrong, missed=missed)
        page_path.write_text(page, encoding="utf-8")
    return 0


def _without(table: str, column: int) -> str:
    """A table with one column made unknown."""
    lines = []
    for at, line in enumerate(table.splitlines()):
        cells = line.split("|")
        if at > 1:
            cells[column + 2] = " - "
        lines.append("|".join(cells))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
