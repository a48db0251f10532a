"""How long ``import nbsteps`` takes, beside the import of the one heavy package that it cannot do without."""

from __future__ import annotations

import sys

from benchmarks.measure import Bench, in_turn, wall
from benchmarks.table import Row


def rows(bench: Bench) -> list[Row]:
    def start(code: str) -> float:
        return wall([sys.executable, "-c", code], bench.folder)

    found = in_turn(
        2 * bench.sizes.repetitions - 1,
        bare=lambda: start("pass"),
        ours=lambda: start("import nbsteps"),
        with_api=lambda: start("import nbsteps.api"),
        duckdb=lambda: start("import duckdb"),
    )
    bare = found["bare"]
    ours, api, duckdb = (1000 * max(found[name] - bare, 0.0) for name in ("ours", "with_api", "duckdb"))
    return [
        Row("import nbsteps", ours, "ms", "import duckdb", duckdb, most_ratio=1.3),
        Row("import nbsteps.api", api, "ms", "import duckdb", duckdb),
    ]
