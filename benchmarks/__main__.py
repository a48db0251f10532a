"""``python -m benchmarks [GROUP ...] [--small] [--peers]`` measures and prints one table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from benchmarks.measure import SMALL, Bench, Sizes
from benchmarks.table import Row, render

GROUPS = {
    "import": "imports",
    "chain": "chain",
    "map": "maps",
    "frame": "frame",
    "headless": "headless",
    "live": "live",
    "digests": "digests",
}
"""Name of each group to its module."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Always 0 when everything could be measured: numbers are read, they do not fail."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"which of {', '.join(GROUPS)}; all if absent")
    parser.add_argument("--small", action="store_true", help="frames of 300 MB and fewer repetitions")
    parser.add_argument("--peers", action="store_true", help="install Hamilton and cash-lib aside and measure them too")
    args = parser.parse_args(argv)
    unknown = [name for name in args.groups if name not in GROUPS]
    if unknown:
        parser.error(f"no group {unknown[0]!r}: choose from {', '.join(GROUPS)}")
    with tempfile.TemporaryDirectory(prefix="nbsteps-benchmarks-") as name:
        folder = Path(name)
        bench = Bench(folder, SMALL if args.small else Sizes())
        if args.peers:
            from benchmarks.peers import install

            bench = replace(bench, peers=install(folder / "peers"))
        print(render(measure(bench, args.groups or list(GROUPS))))
    return 0


def measure(bench: Bench, groups: Sequence[str]) -> list[Row]:
    """Rows of the named groups, each in a folder of its own."""
    found: list[Row] = []
    for name in groups:
        print(f"{name} ...", file=sys.stderr, flush=True)
        folder = bench.folder / name
        folder.mkdir()
        found += import_module(f"benchmarks.{GROUPS[name]}").rows(replace(bench, folder=folder))
    return found


if __name__ == "__main__":
    sys.exit(main())
