"""A map over trivial items in the engine, with the real store: cold, warm, one item changed; memory; workers."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.chain import make_session
from benchmarks.measure import Bench, fresh, in_turn
from benchmarks.table import Row

_PUBLISHED_COLD = "Hamilton 20.7, Prefect 36, Dagster 62"
_PUBLISHED_WARM = "Hamilton 4.7, Prefect 35, Dagster 70"
_WORK_SECONDS = 0.01


def rows(bench: Bench) -> list[Row]:
    return [*_trivial(bench), *_memory(bench), *_workers(bench), *_shared(bench)]


def _trivial(bench: Bench) -> list[Row]:
    items, folders = bench.sizes.items, itertools.count()

    def cold(work: Callable[..., dict[str, float]]) -> float:
        return fresh(work, folder=bench.folder / f"cold{next(folders)}", items=items)["seconds"]

    def again(work: Callable[..., dict[str, float]], changed: int = -1) -> float:
        return fresh(work, folder=bench.folder / work.__name__, items=items, changed=changed)["seconds"]

    found = in_turn(bench.sizes.repetitions, ours=lambda: cold(ours), joblib=lambda: cold(joblib))
    for work in (ours, joblib):
        fresh(work, folder=bench.folder / work.__name__, items=items)
    warm = in_turn(bench.sizes.repetitions, ours=lambda: again(ours), joblib=lambda: again(joblib))
    fresh_items = itertools.count(items + 1)
    one = in_turn(
        bench.sizes.repetitions,
        ours=lambda: again(ours, next(fresh_items)),
        joblib=lambda: again(joblib, next(fresh_items)),
    )
    what, peer = f"map over {items} items and a sum", "joblib.Memory"
    scale = items / 1000
    return [
        Row(f"cold {what}", found["ours"], "s", peer, found["joblib"], 0.15 * scale, 1.0, published=_PUBLISHED_COLD),
        Row(f"warm {what}", warm["ours"], "s", peer, warm["joblib"], 0.05 * scale, 1.0, published=_PUBLISHED_WARM),
        Row(f"{what}, one item changed", one["ours"], "s", peer, one["joblib"], most_ratio=1.0),
    ]


def _memory(bench: Bench) -> list[Row]:
    """What more items cost: kilobytes for each, beyond what a few cost."""
    few = fresh(ours, folder=bench.folder / "few", items=2)["peak"]
    many = fresh(ours, folder=bench.folder / "many", items=bench.sizes.many)
    extra = (many["peak"] - few) / bench.sizes.many / 1000
    what = f"map over {bench.sizes.many:,} items"
    return [
        Row(f"{what}, peak memory", many["peak"] / 1e6, "MB", "2 items", few / 1e6),
        Row(f"{what}, memory an item", extra, "kB", most=5.0 if bench.sizes.many > 1000 else None),
        Row(f"{what}, an item", 1000 * many["seconds"] / bench.sizes.many, "ms"),
    ]


def _workers(bench: Bench) -> list[Row]:
    """Items that take ten milliseconds each, in two processes that run already."""
    items, folders = max(4, bench.sizes.items // 10), itertools.count()

    def once(work: Callable[..., dict[str, float]]) -> float:
        return fresh(work, folder=bench.folder / f"workers{next(folders)}", items=items)["seconds"]

    found = in_turn(max(1, bench.sizes.repetitions // 2), ours=lambda: once(parallel), joblib=lambda: once(loky))
    what = f"map over {items} items of 10 ms, 2 workers"
    return [Row(what, found["ours"], "s", "joblib.Parallel", found["joblib"], most_ratio=1.5)]


def _shared(bench: Bench) -> list[Row]:
    """An array that every item reads, sent to two processes that run already."""
    size = bench.sizes.shared_bytes

    def once(work: Callable[..., dict[str, float]]) -> float:
        return fresh(work, folder=bench.folder / f"shared-{work.__name__}-{time.monotonic_ns()}", size=size)["seconds"]

    found = in_turn(
        max(1, bench.sizes.repetitions // 2), ours=lambda: once(share), joblib=lambda: once(share_with_joblib)
    )
    what = f"4 items that read an array of {size // 1_000_000} MB, 2 workers"
    return [Row(what, found["ours"], "s", "joblib.Parallel", found["joblib"], most_ratio=2.0)]


def ours(folder: str, items: int, changed: int = -1) -> dict[str, float]:
    """Run the map, of which one item is another one than the last time."""
    make = f"%%step make\nxs = [{changed}, *range({items - 1})]"
    session = make_session(Path(folder), [make, "%%step each --map a=xs\ny = a * 2", "%%step total\nt = sum(y)"])
    start = time.perf_counter()
    result, errors = session.run()
    seconds = time.perf_counter() - start
    peak = _peak()
    session.services.store.close()
    assert not errors, errors
    assert len(result.steps) == 3
    return {"seconds": seconds, "peak": peak}


def joblib(folder: str, items: int, changed: int = -1) -> dict[str, float]:
    """The same items as calls of a memoised function."""
    from joblib import Memory

    remembered = Memory(folder, verbose=0).cache(double)
    start = time.perf_counter()
    values = [remembered(item) for item in [changed, *range(items - 1)]]
    seconds = time.perf_counter() - start
    assert sum(values) == 2 * (changed + sum(range(items - 1)))
    return {"seconds": seconds}


def double(item: int) -> int:
    return item * 2


def parallel(folder: str, items: int) -> dict[str, float]:
    """Items that take a while, in processes of ours."""
    each = f"%%step each --map a=xs\nimport time\ntime.sleep({_WORK_SECONDS})\ny = a"
    return _with_workers(folder, [f"%%step make\nxs = list(range({items}))", each])


def loky(folder: str, items: int) -> dict[str, float]:
    """The same in those of joblib; nothing is stored."""
    from joblib import Parallel, delayed

    del folder
    with Parallel(2) as pool:
        pool(delayed(double)(item) for item in range(4))
        start = time.perf_counter()
        pool(delayed(rest)(item) for item in range(items))
        return {"seconds": time.perf_counter() - start}


def rest(item: int) -> int:
    time.sleep(_WORK_SECONDS)
    return item


def share(folder: str, size: int) -> dict[str, float]:
    """Items that read one large array, in processes of ours; digesting and storing it is not counted."""
    make = f"%%step make\nimport numpy as np\nbig = np.ones({size // 8})\nxs = [0, 1, 2, 3]"
    return _with_workers(folder, [make, "%%step each --map a=xs\ny = float(big[a::4].sum())"], first="make")


def share_with_joblib(folder: str, size: int) -> dict[str, float]:
    """The same in those of joblib."""
    import numpy as np
    from joblib import Parallel, delayed

    del folder
    big = np.ones(size // 8)
    with Parallel(2) as pool:
        pool(delayed(double)(item) for item in range(4))
        start = time.perf_counter()
        pool(delayed(quarter)(big, item) for item in range(4))
        return {"seconds": time.perf_counter() - start}


def quarter(big: Any, item: int) -> float:
    return float(big[item::4].sum())


def _with_workers(folder: str, sources: list[str], first: str = "") -> dict[str, float]:
    from nbsteps.engine.capacity import Means
    from nbsteps.executors.pool import Pool
    from nbsteps.notebook.worker import perform

    session = make_session(Path(folder), sources)
    pool = session.services.lanes = Pool(perform, perform)
    for lane in pool.open("processes", 2):
        assert lane.pid != os.getpid()
    if first:
        session.run([first])
    start = time.perf_counter()
    result, errors = session.run(means=Means(2))
    seconds = time.perf_counter() - start
    session.services.store.close()
    pool.close()
    assert not errors, errors
    assert result.steps["each"].items is not None
    return {"seconds": seconds}


def _peak() -> int:
    """Largest resident size so far, bytes; 0 where the machine does not tell."""
    from nbsteps.notebook.host import this_host

    return this_host().peak_rss() or 0
