"""A chain of trivial steps in the engine, with the real store: cold, and warm in a new process."""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import Bench, fresh, in_turn
from benchmarks.table import Row

_FRAME_BYTES = 400
"""About what one step writes to the journal, twice."""


def rows(bench: Bench) -> list[Row]:
    cold, warm = _hamilton(bench)
    return [*_warm(bench, f"Hamilton {warm}"), *_linear(bench), *_cold(bench, f"Hamilton {cold}")]


def _warm(bench: Bench, published: str) -> list[Row]:
    steps, whole = bench.sizes.steps, list[float]()
    for work in (ours, joblib):
        fresh(work, folder=bench.folder / work.__name__, steps=steps)

    def again() -> float:
        found = fresh(ours, folder=bench.folder / "ours", steps=steps)
        assert found["executed"] == 0
        whole.append(1000 / steps * (found["seconds"] + found["close"]))
        return 1000 / steps * found["seconds"]

    found = in_turn(
        bench.sizes.repetitions,
        ours=again,
        joblib=lambda: 1000 / steps * fresh(joblib, folder=bench.folder / "joblib", steps=steps)["seconds"],
    )
    what, peer = f"warm chain of {steps} steps, a step", found["joblib"]
    return [
        Row(what, found["ours"], "ms", "joblib.Memory", peer, 0.1, 1.0, published=published),
        Row(f"{what}, store closed too", statistics.median(whole), "ms", "joblib.Memory", peer),
    ]


def _cold(bench: Bench, published: str) -> list[Row]:
    steps, folders = bench.sizes.steps, itertools.count()

    def once(work: Callable[[str, int], dict[str, float]]) -> float:
        return 1000 / steps * fresh(work, folder=bench.folder / f"cold{next(folders)}", steps=steps)["seconds"]

    found = in_turn(
        max(3, bench.sizes.repetitions // 2),
        ours=lambda: once(ours),
        joblib=lambda: once(joblib),
        floor=lambda: once(floor),
    )
    what, mine = f"cold chain of {steps} steps, a step", found["ours"]
    return [
        Row(what, mine, "ms", "joblib.Memory", found["joblib"], 1.0, published=published),
        Row(what, mine, "ms", "2 x append + fdatasync", found["floor"]),
    ]


def _linear(bench: Bench) -> list[Row]:
    """Time a step at two depths, so that work that grows with the square of the depth shows."""
    few, many = bench.sizes.depths
    for steps in (few, many):
        fresh(ours, folder=bench.folder / f"deep{steps}", steps=steps)

    def warm(steps: int) -> float:
        return 1000 / steps * fresh(ours, folder=bench.folder / f"deep{steps}", steps=steps)["seconds"]

    found = in_turn(bench.sizes.repetitions, few=lambda: warm(few), many=lambda: warm(many))
    return [Row(f"warm, a step at depth {many}", found["many"], "ms", f"depth {few}", found["few"], most_ratio=1.1)]


def ours(folder: str, steps: int) -> dict[str, float]:
    """Run the chain; what the process imports first is counted by the group ``import``."""
    session = make_session(Path(folder), chain(steps))
    start = time.perf_counter()
    result, errors = session.run()
    done = time.perf_counter()
    session.services.store.close()
    assert not errors, errors
    assert len(result.steps) == steps
    executed = len(session.services.evaluator.executed)
    return {"seconds": done - start, "close": time.perf_counter() - done, "executed": executed}


def chain(steps: int) -> list[str]:
    """Sources of cells: each step adds one to what the step before it made."""
    return ["%%step s0\na0 = 1", *(f"%%step s{i}\na{i} = a{i - 1} + 1" for i in range(1, steps))]


def make_session(folder: Path, sources: list[str]) -> Any:
    """An engine with the real store, and an evaluator that only executes."""
    import duckdb  # noqa: F401 - what is imported now is not timed later

    from nbsteps.engine.services import Host, Services
    from nbsteps.engine.session import Session
    from nbsteps.notebook.host import SystemClock
    from nbsteps.store import merge, reading  # noqa: F401 - as above
    from nbsteps.store.store import DuckStore
    from nbsteps.testing import FakeEvaluator, make_cells

    services = Services(FakeEvaluator(), DuckStore(folder), SystemClock(), Host("host", os.getpid(), "user"))
    services.notebook = "chain.ipynb"
    session = Session(services)
    session.cells.saved(make_cells(*sources), 1.0)
    return session


def joblib(folder: str, steps: int) -> dict[str, float]:
    """The same chain as calls of one memoised function."""
    from joblib import Memory

    remembered = Memory(folder, verbose=0).cache(add)
    start = time.perf_counter()
    value = 1
    for number in range(1, steps):
        value = remembered(number, value)
    seconds = time.perf_counter() - start
    assert value == steps
    return {"seconds": seconds}


def add(number: int, value: int) -> int:
    del number
    return value + 1


def floor(folder: str, steps: int) -> dict[str, float]:
    """Two durable appends a step: that the attempt starts, and what it made."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(Path(folder) / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    sync = getattr(os, "fdatasync", os.fsync)
    start = time.perf_counter()
    for _ in range(2 * steps):
        os.write(descriptor, b"x" * _FRAME_BYTES)
        sync(descriptor)
    seconds = time.perf_counter() - start
    os.close(descriptor)
    return {"seconds": seconds}


def _hamilton(bench: Bench) -> tuple[str, str]:
    """Hamilton's milliseconds a step, cold and warm: as published, and from this run where it is installed."""
    if bench.peers is None:
        return "1.75", "0.36"
    from benchmarks.peers import hamilton

    cold, warm = hamilton(bench.peers, bench.folder / "hamilton", bench.sizes.steps)
    return f"1.75, here {cold:.2g}", f"0.36, here {warm:.2g}"
