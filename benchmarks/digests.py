"""How fast content digests are, beside memcpy and beside joblib's hash."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

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
