"""Values in and out of the store: where they go, what is checked, how what comes back behaves."""

from __future__ import annotations

import pickle
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nbsteps.core.errors import DamagedValueError, StoreError, UnstorableValueError, UntrustedValueError
from nbsteps.identity.content import digest
from nbsteps.store import objects, pickles, trust
from nbsteps.store.objects import checksum
from nbsteps.store.values import Stored, Values


class Thing:
    """Something that only pickle can store."""

    def __init__(self, content: object = 1) -> None:
        self.content = content


class Bomb:
    """Something whose unpickling has an effect."""

    exploded: list[int] = []  # noqa: RUF012 (shared on purpose)

    def __reduce__(self) -> Any:
        return _explode, ()


def _explode() -> Bomb:
    Bomb.exploded.append(1)
    return Bomb()


class OneWay(Exception):  # noqa: N818 (not an error of ours)
    """As many exceptions of users: pickles well, and does not load."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")


@pytest.fixture
def values(tmp_path: Path) -> Values:
    return Values(tmp_path, inline_limit=1000, table_limit=100_000)


def store(values: Values, value: object) -> Stored:
    return values.encode(value, digest(value))


def there_and_back(values: Values, value: object) -> Any:
    stored = store(values, value)
    return values.decode(stored.artifact, stored.payload)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1, "int"),
        (None, "NoneType"),
        (np.ones(2), "numpy.ndarray"),
        (pd.DataFrame({"a": [1]}), "pandas.DataFrame"),
        (pa.table({"a": [1]}), "pyarrow.Table"),
        (pd.Timestamp(2026, 1, 1), "pandas.Timestamp"),
        (Thing(), f"{Thing.__module__}.Thing"),
    ],
)
def test_the_artifact_names_the_public_type(value: object, name: str, values: Values) -> None:
    assert store(values, value).artifact.type == name


def test_a_small_value_is_handed_back(values: Values, tmp_path: Path) -> None:
    stored = store(values, "abc")
    assert stored.artifact.location == "inline"
    assert stored.payload == b'"abc"'
    assert stored.artifact.bytes == 5
    assert stored.artifact.checksum == checksum([b'"abc"'])
    assert not list(tmp_path.iterdir())


def test_the_limit_itself_is_inline_and_one_more_is_a_file(values: Values) -> None:
    assert store(values, b"x" * 1000).payload is not None
    stored = store(values, b"x" * 1001)
    assert stored.payload is None
    assert stored.artifact.location.startswith("object:objects/")


def test_a_pickle_has_a_code_and_the_rest_has_none(values: Values) -> None:
    macs = [store(values, value).artifact.mac for value in (1, np.ones(3), pd.DataFrame({"a": [1]}), b"", Thing())]
    assert [bool(mac) for mac in macs] == [False, False, False, False, True]


@pytest.mark.parametrize("content", [1, np.arange(5000.0)], ids=["inline", "file"])
def test_a_pickle_of_somebody_else_is_not_unpickled(
    content: object, values: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = store(values, Thing(content))
    monkeypatch.setenv("NBSTEPS_SECRET_FILE", str(tmp_path / "somebody"))
    monkeypatch.setattr(pickles, "decode", lambda *_: pytest.fail("unpickled"))
    with pytest.raises(UntrustedValueError, match=r"(?s)somebody else.*nbsteps trust"):
        values.decode(stored.artifact, stored.payload)


def test_a_forged_pickle_with_a_right_checksum_is_not_unpickled(values: Values) -> None:
    stored = store(values, Thing())
    forged = b"".join(pickles.encode(Bomb()))
    Bomb.exploded.clear()
    artifact = replace(stored.artifact, checksum=checksum([forged]), bytes=len(forged))
    with pytest.raises(UntrustedValueError):
        values.decode(artifact, forged)
    assert not Bomb.exploded


def test_a_pickle_passed_off_as_another_codec_is_damage(values: Values) -> None:
    stored = store(values, Thing())
    for codec in ("json", "npy", "arrow", "table"):
        with pytest.raises(DamagedValueError):
            values.decode(replace(stored.artifact, codec=codec), stored.payload)


def test_what_was_changed_after_its_verification_is_not_unpickled(tmp_path: Path) -> None:
    data = memoryview(bytearray(b"".join(pickles.encode(Thing()))))
    parts = pickles.authenticate(data)
    mac = trust.sign(parts, codec="pickle", type_name="Thing", digest="")
    forged = b"".join(pickles.encode(Bomb()))[: len(data)]
    data[: len(forged)] = forged
    Bomb.exploded.clear()
    assert trust.verify(mac, parts, codec="pickle", type_name="Thing", digest="")
    assert isinstance(pickles.decode(data, parts[0]), Thing)
    assert not Bomb.exploded


@pytest.mark.parametrize(
    "value", [1, "abc", [1, 2], np.arange(3), pd.DataFrame({"a": [1]}), Thing()], ids=lambda value: type(value).__name__
)
def test_each_flipped_bit_of_a_payload_is_noticed(value: object, values: Values) -> None:
    stored = store(values, value)
    assert stored.payload is not None
    for at in range(0, len(stored.payload), 7):
        broken = bytearray(stored.payload)
        broken[at] ^= 1
        with pytest.raises(DamagedValueError, match="checksum is wrong"):
            values.decode(stored.artifact, bytes(broken))


def test_a_payload_that_is_gone_is_damage(values: Values) -> None:
    with pytest.raises(DamagedValueError, match="gone"):
        values.decode(store(values, 1).artifact, None)


def test_a_file_that_is_gone_is_damage(values: Values) -> None:
    stored = store(values, np.arange(1000))
    values.discard(stored.artifact)
    with pytest.raises(DamagedValueError, match=r"(?s)cannot be read.*run the step again"):
        values.decode(stored.artifact, None)


def test_a_codec_that_is_not_installed_is_damage_that_names_it(values: Values) -> None:
    stored = store(values, 1)
    with pytest.raises(DamagedValueError, match="'zarr', which is not installed"):
        values.decode(replace(stored.artifact, codec="zarr"), stored.payload)


def test_a_value_in_a_table_cannot_be_decoded_from_bytes(values: Values) -> None:
    stored = store(values, pd.DataFrame({"a": [1]}))
    with pytest.raises(StoreError):
        values.decode(replace(stored.artifact, location="table:t1"), None)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (threading.Lock(), "lock"),
        (Thing(threading.Lock()), "Thing"),
        ((number for number in [1]), "generator"),
        (OneWay(404, "not found"), "OneWay"),
    ],
)
def test_what_cannot_be_stored_is_named_with_a_mend(value: object, says: str, values: Values) -> None:
    with pytest.raises(UnstorableValueError, match=rf"(?s){says}.*--cache off"):
        values.encode(value, "d" * 32)


def test_things_of_the_notebook_are_stored_by_value(values: Values, monkeypatch: pytest.MonkeyPatch) -> None:
    import __main__

    made: dict[str, Any] = {"__name__": "__main__"}
    exec("class Point:\n    def __init__(self, x): self.x = x\n    def twice(self): return 2 * self.x", made)  # noqa: S102
    monkeypatch.setattr(__main__, "Point", made["Point"], raising=False)
    stored = values.encode(made["Point"](21), "d" * 32)
    monkeypatch.delattr(__main__, "Point")
    found: Any = values.decode(stored.artifact, stored.payload)
    assert found.twice() == 42


def test_a_function_without_a_name_is_stored(values: Values) -> None:
    step = 3
    stored = values.encode(lambda x: x + step, "d" * 32)
    found: Any = values.decode(stored.artifact, stored.payload)
    assert found(4) == 7


@pytest.mark.filterwarnings("ignore:The inplace keyword")
@pytest.mark.parametrize("map_from", [1, 8_000_000], ids=["mapped", "read"])
def test_a_restored_frame_behaves_as_the_original(
    map_from: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "MAP_FROM", map_from)
    values = Values(tmp_path, inline_limit=0, table_limit=0)
    rows = 1000
    original = pd.DataFrame(
        {
            "i": np.arange(rows),
            "j": np.arange(rows)[::-1].copy(),
            "f": np.linspace(0, 1, rows),
            "b": np.arange(rows) % 3 == 0,
            "s": pd.Series([f"name {n % 7}" for n in range(rows)]),
            "t": pd.date_range("2026-01-01", periods=rows, freq="h"),
            "c": pd.Categorical([f"{n % 5}" for n in range(rows)]),
            "n": pd.array([None, *range(rows - 1)], dtype="Int64"),
        }
    )
    stored = store(values, original)
    restored: Any = values.decode(stored.artifact, None)
    for frame in (original, restored):
        _work(frame)
    pd.testing.assert_frame_equal(restored, original)
    again: Any = values.decode(stored.artifact, None)
    assert digest(again) == stored.artifact.digest, "working with one restored value changed another"


IN_PLACE: dict[str, Any] = {"inplace": True}


def _work(frame: pd.DataFrame) -> None:
    """What people do to a frame, in place where pandas has it."""
    frame.iloc[0, 0] = 7
    frame.loc[3, "f"] = 9.5
    frame.loc[frame["i"] > 990, "j"] = -1
    frame.loc[5, "s"] = "another"
    frame.loc[6, "t"] = pd.NaT
    frame.loc[7, "c"] = "0"
    frame.loc[8, "n"] = pd.NA
    frame.loc[0, "n"] = 5
    frame.loc[9, "b"] = True
    frame["i"] += 1
    frame["sum"] = frame["i"] + frame["j"]
    frame["mean"] = frame.groupby("s")["f"].transform("mean")
    frame["month"] = frame["t"].dt.month
    frame.drop(columns="j", **IN_PLACE)
    frame.rename(columns={"f": "fraction"}, **IN_PLACE)
    frame.fillna({"month": 0}, **IN_PLACE)
    frame.drop(index=[1, 2], **IN_PLACE)
    frame.reset_index(drop=True, **IN_PLACE)
    frame.loc[len(frame)] = frame.loc[0]


def test_columns_of_one_dtype_come_back_as_one_block_over_the_file(tmp_path: Path) -> None:
    values = Values(tmp_path, inline_limit=0, table_limit=0)
    frame = pd.DataFrame({"a": np.arange(1000.0), "b": np.ones(1000), "c": np.zeros(1000)})
    found: Any = there_and_back(values, frame)
    assert np.shares_memory(found["a"].to_numpy().base, found["c"].to_numpy().base)


@pytest.mark.parametrize("value", [np.arange(5.0), np.zeros((300, 3), order="F"), np.array(["a", "b"])], ids=str)
def test_a_restored_array_can_be_written(value: np.ndarray[Any, Any], values: Values) -> None:
    found = there_and_back(values, value)
    found[0] = found[-1]
    assert there_and_back(values, value).flags.writeable
    assert digest(there_and_back(values, value)) == digest(value)


def test_arrays_inside_objects_can_be_written_unless_they_were_read_only(values: Values) -> None:
    fixed = np.arange(1000.0)
    fixed.flags.writeable = False
    found = there_and_back(values, Thing([np.arange(1000.0), fixed]))
    found.content[0][0] = 5
    assert [array.flags.writeable for array in found.content] == [True, False]


def test_what_was_one_object_stays_one_object(values: Values) -> None:
    shared = [1]
    found = there_and_back(values, [shared, shared])
    found[0].append(2)
    assert found[1] == [1, 2]


@pytest.mark.parametrize(
    ("value", "tabular"),
    [
        (pd.DataFrame({"a": [1]}), True),
        (pd.DataFrame({"a": np.arange(20_000)}), False),
        (pd.DataFrame({"a": [1]}, index=["x"]), False),
        (pd.DataFrame({"a": [1j]}), False),
        ([1, 2], False),
    ],
)
def test_small_plain_tables_are_tabular(value: object, values: Values, *, tabular: bool) -> None:
    assert values.tabular(store(values, value).artifact) is tabular


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (pd.DataFrame({"a": [1], "b": [2]}), ["a", "b"]),
        (pd.DataFrame({"a": [1], "A": [2]}), ["a", "A_1"]),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ["a", "a_1"]),
        (pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name="key")), ["a", "key"]),
        (pd.DataFrame({"a": [1]}, index=pd.period_range("2026", periods=1)), ["a", "__index_level_0__"]),
        (pd.DataFrame({("a", 1): [1j]}), None),
        (pd.DataFrame({"p": pd.period_range("2026", periods=1)}), ["p"]),
        (pd.DataFrame({f"c{n}": [n if n % 2 else "x"] for n in range(120)}), [f"c{n}" for n in range(120)]),
        (pd.Series([1], name="s"), ["s"]),
        ([1, 2], None),
    ],
)
def test_tables_for_sql(value: object, names: list[str] | None, values: Values) -> None:
    stored = store(values, value)
    table = values.to_arrow(stored.artifact, stored.payload)
    assert (None if table is None else table.column_names) == names


def test_a_table_that_says_something_else_is_damage(values: Values) -> None:
    stored = store(values, pd.DataFrame({"a": [1, 2]}))
    for table in (pa.table({"a": [1, 3]}), pa.table({"b": [1, 2]}), pa.table({"a": [1, None]}), pa.table({})):
        with pytest.raises(DamagedValueError):
            values.from_arrow(stored.artifact, table)


def test_values_stored_before_can_be_read_by_pickle_alone() -> None:
    """The stream is an ordinary pickle: what it needs to be read is in the standard library."""
    data = b"".join(pickles.encode(Thing(5)))
    start = data.index(b"\x80\x05")
    assert pickle.loads(data[start:]).content == 5
