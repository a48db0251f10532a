"""A warm no-op over a large frame: nothing is loaded, nothing is digested."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.chain import make_session
from benchmarks.measure import Bench, fresh, in_turn
from benchmarks.table import Row

_COLUMNS = 10


def rows(bench: Bench) -> list[Row]:
    size = bench.sizes.frame_bytes
    for work in (ours, joblib):
        fresh(work, folder=bench.folder / work.__name__, size=size)
    seen: list[dict[str, Any]] = []

    def warm() -> float:
        seen.append(fresh(ours, folder=bench.folder / "ours", size=size))
        return 1000 * seen[-1]["seconds"]

    peer = 1000 * fresh(joblib, folder=bench.folder / "joblib", size=size)["seconds"]
    found = in_turn(bench.sizes.repetitions, ours=warm)
    untouched = all(not (each["executed"] or each["digested"] or each["loaded"] or each["bound"]) for each in seen)
    fact = ("loads and hashes nothing", untouched)
    what = f"warm no-op over a frame of {size / 1e6:.0f} MB"
    published = "marimo 1.7 s, Hamilton 1.4 s, diskcache 0.2 ms"
    return [Row(what, found["ours"], "ms", "joblib.Memory", peer, most=100.0, fact=fact, published=published)]


def ours(folder: str, size: int) -> dict[str, Any]:
    """Load and use the frame in two steps, counting what happens to values."""
    from nbsteps.identity import content

    calls = {"digested": 0, "loaded": 0}
    session = make_session(Path(folder), _cells(size))
    store = session.services.store
    digest, get = content.digest, store.get

    def counted_digest(value: object) -> str:
        calls["digested"] += type(value).__name__ == "DataFrame"  # helpers' constants are digested, as they must be
        return digest(value)

    def counted_get(artifact: Any) -> object:
        calls["loaded"] += 1
        return get(artifact)

    content.digest, store.get = counted_digest, counted_get
    start = time.perf_counter()
    _result, errors = session.run()
    seconds = time.perf_counter() - start
    store.close()
    assert not errors, errors
    evaluator = session.services.evaluator
    return {"seconds": seconds, "executed": len(evaluator.executed), "bound": "frame" in evaluator.names, **calls}


def _cells(size: int) -> list[str]:
    return [
        "from benchmarks.frame import make",
        f"%%step load\nframe = make({size})",
        "%%step use\ntotal = float(frame['c0'].sum())",
    ]


def joblib(folder: str, size: int) -> dict[str, float]:
    """The same with two memoised functions."""
    import pandas as pd  # noqa: F401 - what is imported now is not timed later
    from joblib import Memory

    memory = Memory(folder, verbose=0)
    load, use = memory.cache(make), memory.cache(total)
    start = time.perf_counter()
    use(load(size))
    return {"seconds": time.perf_counter() - start}


def make(size: int) -> Any:
    """A frame of so many bytes."""
    import numpy as np
    import pandas as pd

    values = np.random.default_rng(0).random((size // 8 // _COLUMNS, _COLUMNS))
    return pd.DataFrame(values, columns=[f"c{i}" for i in range(_COLUMNS)])


def total(frame: Any) -> float:
    return float(frame["c0"].sum())
