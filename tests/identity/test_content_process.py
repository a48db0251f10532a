"""The same digests in another process, with another hash seed; and what a digest imports."""

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import collections, datetime as dt, decimal, enum, fractions, json, pathlib, random, sys, types, uuid, zoneinfo
from nbsteps.identity.content import digest

plain = {
    "int": 10**50, "float": -0.0, "text": "ä\\ud83d", "bytes": b"a" * 5000, "mixed": [None, True, 1, 1.5, "a"] * 10,
    "set": {str(n) for n in range(1000)}, "mixed set": {1, "a", (1, "b"), None, 2.5, frozenset({"x", "y"})},
    "frozen": frozenset({(str(n), n) for n in range(100)}), "dict": {str(n): {n, str(n)} for n in range(100)},
    "namespace": types.SimpleNamespace(b={"x", "y"}, a=1), "counter": collections.Counter("abca"),
    "default": collections.defaultdict(set, a={"x", "y"}), "ordered": collections.OrderedDict(a=1),
    "time": dt.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")), "decimal": decimal.Decimal("1.50"),
    "path": pathlib.PurePosixPath("a/b"), "uuid": uuid.UUID(int=1), "fraction": fractions.Fraction(1, 3),
    "random": random.Random(1), "error": ValueError("a", {"x", "y"}), "class": dict, "function": len,
}
plain["itself"] = loop = ["x", {"y", "z"}]
loop.append(loop)
digests = {name: digest(value) for name, value in plain.items()}
heavy = sorted({"numpy", "pandas", "pyarrow", "polars"} & sys.modules.keys())

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

frame = pd.DataFrame({
    "i": [1, 2], "f": [0.5, np.nan], "s": ["a", None], "o": pd.Series([{"x", "y"}, "a"], dtype=object),
    "t": pd.date_range("2020", periods=2, tz="Europe/Paris"), "c": pd.Categorical(["b", "a"]),
    "n": pd.array([1, None], dtype="Int64"), "p": pd.period_range("2020", periods=2), "v": pd.interval_range(0, 2),
})
frame.attrs = {"tags": {"x", "y"}}
heavies = {
    "array": np.arange(10), "scalar": np.float32(1), "objects": np.array([{"x", "y"}, None], dtype=object),
    "generator": np.random.default_rng(1), "masked": np.ma.MaskedArray([1, 2], [True, False]), "frame": frame,
    "index": frame.set_index(["i", "c"]).index, "timestamp": pd.Timestamp("2020", tz="UTC"), "na": [pd.NA, pd.NaT],
    "table": pa.table({"a": [1, None], "b": [["x"], None], "c": pa.array(["u", "v"]).dictionary_encode()}),
    "polars": pl.DataFrame({"a": [1, None], "c": pl.Series(["x", "y"], dtype=pl.Categorical)}),
    "lazy": pl.LazyFrame({"a": [1]}).select(pl.col("a") + 1), "offset": pd.offsets.MonthEnd(2),
}
digests |= {name: digest(value) for name, value in heavies.items()}
print(json.dumps({"digests": digests, "heavy": heavy}))
"""


def run(seed):
    environment = os.environ | {"PYTHONHASHSEED": seed}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=True, text=True)
    return json.loads(done.stdout)


def test_same_in_other_processes():
    first, *others = (run(seed) for seed in ("0", "1", "4242"))
    assert first["heavy"] == []
    assert len(set(first["digests"].values())) == len(first["digests"]) == 36
    for other in others:
        assert other == first


FIRST = """
import numpy as np, pandas as pd, polars as pl, pyarrow as pa
from nbsteps.identity.content import digest

value = {value}
first = digest(value)
for warm in (np.arange(3), np.float64(1), pd.DataFrame({{"a": ["b"]}}), pd.Timestamp(0), pl.Series([1]), pa.array([1])):
    digest(warm)
assert digest(value) == first, "the first digest of a process differs"
"""


@pytest.mark.parametrize(
    "value",
    [
        "np.zeros(3)",
        "np.float64(1)",
        "[np.float64(1), np.zeros(2)]",
        "[np.float64(1)] * 20 + [pd.NA]",
        "[1, pd.NaT]",
        "pd.Timestamp(0)",
        "pd.Period('2020')",
        "pd.DataFrame({'a': ['b'], 'c': [1]})",
        "pd.Index([1])",
        "pl.Series(['a'])",
        "pa.table({'a': [1]})",
        "np.array([pd.NA, 1] * 20, dtype=object)",
    ],
)
def test_what_was_digested_before_never_counts(value):
    subprocess.run([sys.executable, "-c", FIRST.format(value=value)], check=True)
