"""``python -m benchmarks.wrong_hits [--write PAGE]``: the conformance probes, played against other caches.

Installs the tools in an environment that is thrown away, translates every probe that can be said without nbsteps'
options, magics and live kernels, and prints how often each tool gave a stale result, and how often it computed again
what it had. With ``--keep FILE`` what is played is noted there at once, and not played again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, chdir
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.adapters import ADAPTERS, BLIND_TO_RUNNING, EMPTY, SESSIONS
from benchmarks.measure import ROOT
from benchmarks.scoreboard import MISSED, PLAYED, WRONG, Tally, page, tables, tallied
from tests.conformance.collection import PROBES
from tests.conformance.playing import Ground, Shell, in_shell
from tests.conformance.probe import Probe, source_of

LIBRARIES = ("ipython", "pandas", "pyarrow", "polars", "duckdb", "scikit-learn", "scipy", "attrs", "matplotlib")
MAGIC = re.compile(r"^\s*(?:\w+ *= *)?[%!]|get_ipython|\bawait\b|async for|__main__", re.MULTILINE)
OWN = "nbsteps"
Judge = Callable[[Probe, Path], list[str]]


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
        or source_of(cells[0]).startswith("# parameters")  # others hand them over as arguments
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
    """A tool in its environment, answering jobs; started when it is asked first."""

    def __init__(self, name: str, python: Path, settings: Path) -> None:
        self._name = name
        self._command = [str(python), "-m", "benchmarks.adapters", name]
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "IPYTHONDIR": str(settings),
            "HAMILTON_TELEMETRY_ENABLED": "false",
            "PYTHONWARNINGS": "ignore",
        }
        self._process: subprocess.Popen[str] | None = None

    def ask(self, work: Mapping[str, Any]) -> Answer:
        """Play one version."""
        process = self._process = self._process or self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(work) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        return Answer(**json.loads(line)) if line else Answer("", None, "it ended")

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.communicate()

    def judge(self, probe: Probe, folder: Path) -> list[str]:
        """Verdicts on one probe; none where the tool cannot play it."""
        ground = Ground(folder)
        ground.prepare(probe, "A")
        first, again = (self.ask(job(probe, "A", ground, "store")) for _ in range(2))
        if self._name in SESSIONS:
            self.ask(job(probe, "A", ground, EMPTY))
        ground.prepare(probe, "B")
        second, empty = (self.ask(job(probe, "B", ground, store)) for store in ("store", EMPTY))
        loud = any(answer.error for answer in (first, again, second, empty))
        if loud or (probe.expect == "rerun" and first.result == empty.result):
            return []  # whoever fails in words gives no stale result
        if second.result != empty.result:
            return [PLAYED, WRONG]
        missed = again.executed or (probe.expect == "restore" and second.executed)
        return [PLAYED, MISSED] if missed else [PLAYED]


def judged_by_nbsteps(shell: Shell) -> Judge:
    """The same probes, for nbsteps."""

    def judge(probe: Probe, folder: Path) -> list[str]:
        trial = in_shell(shell, probe, Ground(folder))
        missed = "rerun" in {trial.again and trial.again.outcome, probe.expect == "restore" and trial.second.outcome}
        wrong = trial.second.result != trial.empty.result
        return [PLAYED, *([WRONG] if wrong else []), *([MISSED] if missed else [])]

    return judge


class Kept:
    """Verdicts of earlier runs, by tool, its version and probe; a probe that changed is played again."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
        self._verdicts = {(each["tool"], each["probe"]): each["verdicts"] for each in map(json.loads, lines)}

    def has(self, tools: Iterable[str], probe: Probe) -> bool:
        """Whether all of these have been asked."""
        return all((tool, self._name(probe)) in self._verdicts for tool in tools)

    @staticmethod
    def _name(probe: Probe) -> str:
        return f"{probe.name} {hashlib.sha256(repr(probe).encode()).hexdigest()[:12]}"

    def of(self, tool: str, probe: Probe, judge: Callable[[], list[str]]) -> list[str]:
        """The verdicts that are known, or those that ``judge`` finds."""
        name = self._name(probe)
        if (tool, name) not in self._verdicts:
            verdicts = self._verdicts[tool, name] = judge()
            if self._path:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"tool": tool, "probe": name, "verdicts": verdicts}) + "\n")
        return self._verdicts[tool, name]


def played(judges: Mapping[str, Judge], names: Mapping[str, str], probes: Iterable[Probe], kept: Kept) -> Tally:
    """All probes by all tools, one probe after the other: what is interrupted is a fair sample, too."""
    tally = Tally()
    for at, probe in enumerate(probes):
        for name, judge in judges.items():
            place = Path(name, str(at)).absolute()
            place.mkdir(parents=True)
            verdicts = kept.of(f"{name} {names[name]}", probe, partial(judge, probe, place))
            tally += tallied(name, probe, verdicts)
    return tally


def own_version() -> str:
    """A digest of what identifies and decides in nbsteps: verdicts on what it was before say nothing."""
    found = hashlib.sha256()
    for path in sorted((ROOT / "src" / "nbsteps" / "identity").rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


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


def _in_any_order(probes: Iterable[Probe]) -> list[Probe]:
    """Always the same, and families mixed."""
    return sorted(probes, key=lambda probe: hashlib.sha256(probe.name.encode()).digest())


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wrong_hits", description=__doc__)
    parser.add_argument("--write", metavar="PAGE", type=Path, help="also write the page of the documentation")
    parser.add_argument("--python", metavar="PATH", type=Path, help="an environment that has the tools already")
    parser.add_argument("--keep", metavar="FILE", type=Path, help="note verdicts here, and play only what it lacks")
    parser.add_argument("--noted", action="store_true", help="play nothing: only probes that FILE has for every tool")
    parser.add_argument("--only", metavar="TEXT", default="", help="only probes whose name holds this")
    parser.add_argument("--every", metavar="N", type=int, default=1, help="play one of N probes of each family")
    parser.add_argument("--without-nbsteps", action="store_true", help="play the other tools only")
    parser.add_argument("tools", nargs="*", help=f"which of {', '.join(ADAPTERS)}; all if absent")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    args = _arguments(argv)
    tools = args.tools or list(ADAPTERS)
    probes = thinned([probe for probe in neutral() if args.only in probe.name], args.every)
    page_path, kept = args.write and args.write.absolute(), Kept(args.keep and args.keep.absolute())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nbsteps-wrong-hits-")))
        python = args.python.absolute() if args.python else installed(folder / "environment", tools)
        stack.enter_context(chdir(folder))
        names = {**({} if args.without_nbsteps else {OWN: own_version()}), **versions(python, tools)}
        if args.noted:
            asked = [f"{name} {version}" for name, version in names.items()]
            probes = [probe for probe in probes if kept.has(asked, probe)]
        judges = dict(_judges(stack, names, python, folder))
        tally = played(judges, names, _in_any_order(probes), kept)
    names.update({OWN: ""} if OWN in names else {})
    wrong, missed = tables(tally, names, BLIND_TO_RUNNING)
    print(f"wrong hits\n\n{wrong}\n\nfalse misses\n\n{missed}")
    if page_path:
        options = f" --every {args.every}" if args.every > 1 else ""
        options += (" --keep verdicts.jsonl" if args.keep else "") + "".join(f" {each}" for each in args.tools)
        counts = {"total": len(PROBES), "neutral": len(neutral()), "played": len(probes), "options": options}
        page_path.write_text(page(tally, names, BLIND_TO_RUNNING, **counts), encoding="utf-8")
    return 0


def _judges(stack: ExitStack, names: Iterable[str], python: Path, folder: Path) -> Iterable[tuple[str, Judge]]:
    for name in names:
        if name == OWN:
            shell = Shell()
            stack.callback(shell.close)
            yield name, judged_by_nbsteps(shell)
        else:
            tool = Tool(name, python, folder / "settings")
            stack.callback(tool.close)
            yield name, tool.judge


if __name__ == "__main__":
    sys.exit(main())
