"""What a restored step cell costs in a live kernel, and a frame that is bound lazily."""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.kernels import Kernel
from benchmarks.measure import ROOT, Bench, fresh, in_turn
from benchmarks.table import Row

EMPTY = "pass"
_LOAD = "%load_ext nbsteps"
_STEP = "%%step trivial\na = 1"
_USE = "frame.shape"


def rows(bench: Bench) -> list[Row]:
    peer = {"cell": "", "frame": ""}
    if bench.peers is not None:
        from benchmarks.peers import cash

        cell, frame = cash(bench.peers, bench.folder / "cash", bench.sizes)
        peer = {"cell": f", here {1000 * cell:.2g} ms", "frame": f", here {frame:.2g} s"}
    return [*_cells(bench, peer["cell"]), *_frame(bench, peer["frame"])]


def _cells(bench: Bench, peer: str) -> list[Row]:
    sources = [_LOAD, EMPTY, _STEP]
    with Kernel(bench.folder / "plain", [EMPTY]) as plain, Kernel(bench.folder / "cells", sources) as kernel:
        for source in sources:
            kernel.run(source)
        found = in_turn(
            bench.sizes.executions,
            plain=lambda: 1000 * plain.run(EMPTY),
            empty=lambda: 1000 * kernel.run(EMPTY),
            restored=lambda: 1000 * kernel.run(_STEP),
        )
    empty, more = found["empty"], found["restored"] - found["empty"]
    return [
        Row(
            "restored step cell, beyond an empty cell",
            more,
            "ms",
            "an empty cell",
            empty,
            3.0,
            published=f"cash-lib 10 ms{peer}",
        ),
        Row("empty cell with nbsteps loaded", empty, "ms", "in a plain kernel", found["plain"]),
    ]


def _frame(bench: Bench, peer: str) -> list[Row]:
    size, folder = bench.sizes.bound_bytes, bench.folder / "frame"
    context = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom benchmarks.digests import mixed_frame"
    step = f"%%step load\nframe = mixed_frame({size})"
    sources = [_LOAD, EMPTY, context, step, _USE]
    with Kernel(folder, sources) as kernel:
        for source in sources:
            kernel.run(source)
    bound: list[float] = []
    first: list[float] = []
    for _ in range(max(2, bench.sizes.repetitions - 2)):
        with Kernel(folder, sources) as kernel:
            for source in (_LOAD, context, "%%step other\nb = 1", "import pandas"):
                kernel.run(source)
            empty = statistics.median(kernel.run(EMPTY) for _ in range(5))
            bound.append(1000 * (kernel.run(step) - empty))
            first.append(kernel.run(_USE) - empty)
    floor = fresh(read_floor, folder=folder, size=size)
    what = f"frame of {size / 1e6:.0f} MB"
    return [
        Row(f"binding a {what} lazily, beyond an empty cell", statistics.median(bound), "ms", most=10.0),
        Row(
            f"first cell that mentions a {what}", statistics.median(first), "s", "reading as many bytes", floor,
            0.1, published=f"cash-lib 0.41 s{peer}",
        ),
    ]  # fmt: skip


def read_floor(folder: str, size: int) -> float:
    """Seconds to read a file of so many bytes that the system has in memory."""
    from benchmarks.measure import timed

    path = Path(folder) / "floor"
    path.write_bytes(b"\0" * size)
    return min(timed(path.read_bytes) for _ in range(3))
