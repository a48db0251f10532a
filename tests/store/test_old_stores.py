"""Stores as they were once written, kept in ``tests/store/stores``: today's code finds, loads and continues them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from nbsteps.core.errors import StoreError, UntrustedValueError
from nbsteps.core.states import StepState
from nbsteps.identity.content import digest
from nbsteps.store import schema
from nbsteps.store.store import DuckStore
from tests.store.old_stores import DISPLAYS, LABELS, OBSERVED, SECRET, late_values, values
from tests.store.script import NOTEBOOK, PARTS, Script

STORES = Path(__file__).parent / "stores"
KEPT = sorted(path.relative_to(STORES).as_posix() for path in STORES.rglob("*.zip"))
EVERY = {**values(), **late_values()}
STEPS = [*EVERY, "connection", "gone", "broken", "cut"]
MAPS = {"mapped": ["x", "y", "z"], "late_map": ["p", "q"]}
BEFORE_LABELS = {f"v1/revision-{number}.zip" for number in range(5)}
BEFORE_ORCHESTRATION = {"v1/revision-0.zip", "v1/revision-1.zip"}


@pytest.fixture(params=KEPT)
def kept(request: pytest.FixtureRequest) -> str:
    """Name of a kept store."""
    name: str = request.param
    return name


@pytest.fixture
def store(kept: str, folder: Path, opened: Callable[..., DuckStore], monkeypatch: pytest.MonkeyPatch) -> DuckStore:
    """A copy of it, opened with the secret of its writer."""
    secret = folder.parent / "secret"
    secret.write_bytes(SECRET)
    monkeypatch.setenv("NBSTEPS_SECRET_FILE", str(secret))
    with zipfile.ZipFile(STORES / kept) as packed:
        packed.extractall(folder)
    for live in folder.rglob("*.live"):
        os.utime(live, (0, 0))  # its writer, on another machine, has not been heard of for long
    return opened()


@pytest.fixture
def again(store: DuckStore, opened: Callable[..., DuckStore]) -> DuckStore:
    """The same store after a first process folded it and closed."""
    store.recall(NOTEBOOK, STEPS, [])
    Script(store, "r3").succeed("new", "new")
    store.close()
    return opened()


def same(left: Any, right: Any) -> bool:
    return bool(type(left) is type(right) and digest(left) == digest(right))


def found(store: DuckStore) -> dict[str, Any]:
    """Step to the value that a new run would restore for it."""
    results = store.recall(NOTEBOOK, STEPS, [f"s-{step}" for step in STEPS]).results
    return {
        result.step: store.get(result.outputs["out"]) for step in STEPS for result in results.get(f"k-{step}", ())[:1]
    }


def test_every_revision_is_kept() -> None:
    assert f"v{schema.VERSION}/revision-{schema.REVISION}.zip" in KEPT
    assert all((STORES / name).stat().st_size < 300_000 for name in KEPT)


@pytest.mark.parametrize("which", ["store", "again"])
def test_results_are_found_and_values_loaded(request: pytest.FixtureRequest, which: str, kept: str) -> None:
    store = request.getfixturevalue(which)
    loaded = found(store)
    assert loaded.keys() == EVERY.keys()
    assert [step for step, value in loaded.items() if not same(value, EVERY[step])] == []
    (result,) = store.find("k-frame")
    assert (result.parts, result.observed) == (PARTS, OBSERVED)
    assert store.get(result.displays) == DISPLAYS
    last = store.recall(NOTEBOOK, STEPS, []).last
    assert {step: last[step].state for step in ("text", "connection", "broken", "many")} == {
        "text": StepState.CACHED,
        "connection": StepState.SUCCEEDED,
        "broken": StepState.FAILED,
        "many": StepState.CACHED,
    }
    assert "gone" not in last


@pytest.mark.parametrize("which", ["store", "again"])
def test_the_history_is_right(request: pytest.FixtureRequest, which: str, kept: str) -> None:
    store = request.getfixturevalue(which)
    states = {row["run_id"]: row["state"] for row in store.history_records("runs")}
    assert states == {"r1": "failed", "r2": "crashed"} | ({"r3": "crashed"} if which == "again" else {})
    rows = {(row["run_id"], row["step"]): row for row in store.history_records("steps")}
    shown = {f"{run} {step}": row["state"] for (run, step), row in rows.items() if row["state"] != "succeeded"}
    old = {"r1 broken": "failed", "r1 text": "cached", "r2 many": "cached", "r2 cut": "crashed"}
    new = {"r1 again": "crashed", "r1 asked": "waiting", "r1 open": "waiting", "r2 late_asked": "waiting"}
    assert shown == (old if kept in BEFORE_ORCHESTRATION else old | new)
    owners = {step: rows["r1", step]["owner"] for step in ("frame", "text")}
    tags = {step: tuple(rows["r1", step]["tags"]) for step in ("frame", "text")}
    if kept == "v1/revision-0.zip":  # before runs carried them
        assert (owners, tags) == ({"frame": None, "text": None}, {"frame": (), "text": ()})
    else:
        assert (owners, tags) == ({"frame": "ana", "text": None}, LABELS["tags"])
    assert len(store.history.artifacts()) >= len(EVERY)
    assert store.sql("SELECT sum(n)::INT AS n FROM frame.out")["n"].tolist() == [sum(range(2500))]
    pd.testing.assert_frame_equal(store.sql("FROM frame.out"), EVERY["frame"], check_dtype=False)


@pytest.mark.parametrize("which", ["store", "again"])
def test_items_and_approvals_are_found(request: pytest.FixtureRequest, which: str, kept: str) -> None:
    store = request.getfixturevalue(which)
    keys = [f"k-{step}-i{n}" for step, items in MAPS.items() for n in range(len(items))]
    items = store.find_items(keys)
    approvals = {each.request.request_id: each for each in store.approvals(NOTEBOOK)}
    if kept in BEFORE_ORCHESTRATION:
        assert (items, approvals) == ({}, {})
        return
    values = {step: [store.get(items[f"k-{step}-i{n}"][0].outputs["out"]) for n in range(len(kept_items))]
              for step, kept_items in MAPS.items()}  # fmt: skip
    assert values == MAPS
    assert {len(items[key][0].parts) for key in keys} == {2}
    decided = {name: each.verdict and dict(each.verdict.values) for name, each in approvals.items()}
    assert decided == {"q1": {"amount": 0.25, "way": "b"}, "q2": None, "q3": {"amount": 0.25, "way": "b"}}
    assert approvals["q2"].request.approvers == ("ana", "bob")
    (accepted,) = store.find("k-kept-new")
    assert (accepted.accepted_by, store.get(accepted.outputs["out"])) == ("ana", "kept")


@pytest.mark.parametrize("which", ["store", "again"])
def test_attempts_at_items_say_which_one_it_was(request: pytest.FixtureRequest, which: str, kept: str) -> None:
    store = request.getfixturevalue(which)
    rows = [row for step in MAPS for row in store.history_records("attempts", step=step)]
    shown = sorted((row["step"], row["item"], row["position"], row["label"]) for row in rows)
    if kept in BEFORE_ORCHESTRATION:
        assert shown == []
        return
    every = [(step, n, value) for step, values in sorted(MAPS.items()) for n, value in enumerate(values)]
    old = kept in BEFORE_LABELS
    assert shown == [(step, f"i{n}", None if old else n, None if old else repr(value)) for step, n, value in every]
    assert {row["label"] for row in store.history_records("attempts", step="frame")} == {None}


def test_an_older_store_has_todays_tables_and_columns(again: DuckStore) -> None:
    again.close()
    query = "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'log' AND NOT internal"
    with duckdb.connect(str(again.folder / "store.duckdb"), read_only=True) as connection:
        there = set(connection.execute(query).fetchall())
        assert connection.execute("SELECT revision FROM log.meta").fetchall() == [(schema.REVISION,)]
    assert {(table, column) for table, columns in schema.TABLES.items() for column in columns} <= there


def test_an_older_store_that_cannot_be_written_says_so(store: DuckStore, kept: str) -> None:
    query = "SELECT count(*) FROM log.requests"
    if kept != f"v{schema.VERSION}/revision-{schema.REVISION}.zip":
        with pytest.raises(StoreError, match="an older nbsteps wrote this store"), store.home.read_only():
            pass
    else:
        with store.home.read_only() as connection:
            assert connection.execute(query).fetchall() == [(2,)]


def test_pickles_of_another_user_are_not_loaded(
    store: DuckStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBSTEPS_SECRET_FILE", str(tmp_path / "another"))
    (result,) = store.find("k-network")
    with pytest.raises(UntrustedValueError):
        store.get(result.outputs["out"])
