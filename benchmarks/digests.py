"""How fast content digests are, beside memcpy and beside joblib's hash."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable
from typing import Any, Self

from benchmarks.measure import Bench, fresh, timed
from benchmarks.table import Row

_KINDS = (
    ("array", "digest of an array", "joblib 0.56"),
    ("frame", "digest of a frame", "joblib 0.24"),
    ("strings", "digest of object strings", "joblib 0.04"),
)


def rows(bench: Bench) -> list[Row]:
    found = fresh(measure, size=bench.sizes.digest_bytes, repetitions=bench.sizes.repetitions)
    array = found["array"]
    return [
        Row("digest of an array", array["ours"], "GB/s", "memcpy", array["memcpy"], published="xxh3 14"),
        *(
            Row(what, found[name]["ours"], "GB/s", "joblib.hash", found[name]["joblib"], None, None, 1.0, None, known)
            for name, what, known in _KINDS
        ),
        *_guard(bench),
    ]


def _guard(bench: Bench) -> list[Row]:
    """What it costs to see that a step left its inputs alone, for inputs of a gigabyte; and how much memory."""
    found = fresh(measure_guard, size=bench.sizes.digest_bytes, repetitions=min(bench.sizes.repetitions, 3))
    return [
        row
        for name, kind in (("array", "an array"), ("frame", "a frame"))
        for row in (
            Row(f"inputs of 1 GB looked at again: {kind}", found[name]["seconds"], "s", most=0.05),
            Row(f"memory beyond {kind} of 1 GB while it is digested", found[name]["memory"], "GB", most=0.25),
        )
    ]


def measure(size: int, repetitions: int) -> dict[str, dict[str, float]]:
    """GB/s for an array, a frame of mixed columns, and strings that are objects."""
    import joblib
    import numpy as np

    from nbsteps.identity import content

    array = np.random.default_rng(0).random(size // 8)
    copy = np.empty_like(array)
    found: dict[str, dict[str, float]] = {}
    for name, value, bytes_, few in (
        ("array", array, array.nbytes, repetitions),
        ("frame", *_frame(size), min(repetitions, 3)),
        ("strings", *_strings(size // 10), min(repetitions, 3)),
    ):
        calls: dict[str, Callable[[Any], object]] = {"ours": content.digest, "joblib": joblib.hash}
        if name == "array":
            calls["memcpy"] = lambda each: np.copyto(copy, each)
        content.digest(value)
        found[name] = {which: bytes_ / 1e9 / _seconds(call, value, few) for which, call in calls.items()}
    return found


def measure_guard(size: int, repetitions: int) -> dict[str, dict[str, float]]:
    """Seconds, and gigabytes of memory at most, that the digest of a value takes, for each gigabyte of it."""
    import numpy as np

    from nbsteps.identity import content

    found: dict[str, dict[str, float]] = {}
    for name, value, bytes_ in (("array", np.random.default_rng(0).random(size // 8), size), ("frame", *_frame(size))):
        content.digest(value)
        seconds = _seconds(content.digest, value, repetitions)
        with _Watching() as watching:
            content.digest(value)
        found[name] = {"seconds": seconds * 1e9 / bytes_, "memory": watching.most / bytes_}
    return found


class _Watching:
    """Looks at this process' memory every millisecond; ``most`` is what it had at most beyond the start."""

    def __enter__(self) -> Self:
        import psutil

        self.most = 0
        self._ended = threading.Event()
        self._memory = psutil.Process().memory_info
        self._before = self._memory().rss
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._ended.wait(0.001):
            self.most = max(self.most, self._memory().rss - self._before)

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def _seconds(call: Callable[[Any], object], value: Any, repetitions: int) -> float:
    return statistics.median(timed(lambda: call(value)) for _ in range(repetitions))


def _frame(size: int) -> tuple[Any, int]:
    frame = mixed_frame(size)
    return frame, int(frame.memory_usage(deep=True).sum())


def mixed_frame(size: int) -> Any:
    """Whole numbers, fractions, texts and times, about so many bytes together."""
    import numpy as np
    import pandas as pd

    count = size // 40
    numbers = np.arange(count)
    return pd.DataFrame(
        {
            "number": numbers,
            "fraction": np.random.default_rng(0).random(count),
            "text": pd.Series(np.char.mod("name %03d", numbers % 1000)).astype("str"),
            "time": pd.Timestamp("2026-01-01") + pd.to_timedelta(numbers, unit="s"),
        }
    )


def _strings(size: int) -> tuple[Any, int]:
    """An array of objects that are strings; its size is that of their characters."""
    import numpy as np

    strings = np.array([f"some text {number:010}" for number in range(max(1, size // 20))], dtype=object)
    return strings, 20 * len(strings)
