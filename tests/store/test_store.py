"""One process and its store: what was emitted is recalled, now and by the next process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from nbsteps.config import Config
from nbsteps.core.events import Cleared, RunStarted, StepEnded
from nbsteps.core.model import Run
from nbsteps.core.states import StepState
from nbsteps.identity.content import digest
from nbsteps.store import ledger, reading, snapshot_rows
from nbsteps.store.store import DuckStore
from tests.store.script import NOTEBOOK, PARTS, Script, keys


def test_an_empty_store_is_known_without_duckdb(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from nbsteps.store.store import DuckStore\n"
        f"s = DuckStore(Path({str(folder)!r})); assert s.recall('nb', ['a'], ['s']).statics == {{'s'}}; s.close()\n"
        "assert 'duckdb' not in sys.modules and 'pandas' not in sys.modules and 'pyarrow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (folder / ".gitignore").read_text() == "*\n"


def test_a_result_is_recalled_at_once_and_by_the_next_process(opened: Callable[..., DuckStore]) -> None:
    first = opened()
    script = Script(first)
    result = script.succeed("a", [1, 2])
    script.end()
    assert first.find("k-a") == (result,)
    first.close()
    second = opened()
    recall = second.recall(NOTEBOOK, ["a", "b"], ["s-a", "s-b"])
    assert recall.results == {"k-a": (result,)}
    assert recall.results["k-a"][0].parts == PARTS
    assert recall.statics == {"s-a", "s-b"}
    assert recall.last["a"].state is StepState.SUCCEEDED
    assert recall.last["a"].result == result
    assert second.get(recall.results["k-a"][0].outputs["out"]) == [1, 2]


def test_a_recall_with_nothing_new_is_the_same_object(opened: Callable[..., DuckStore]) -> None:
    store = opened()
    Script(store).succeed("a")
    assert store.recall(NOTEBOOK, ["a"], ["s-a"]) is store.recall(NOTEBOOK, ["a"], ["s-a"])


def test_results_under_one_key_are_newest_first(opened: Callable[..., DuckStore]) -> None:
    store = opened()
    for run_id in ("r1", "r2", "r3"):
        Script(store, run_id).succeed("a", run_id)
    assert keys(store, "a") == {"a": ["r3", "r2", "r1"]}
    store.close()
    assert keys(opened(), "a") == {"a": ["r3", "r2", "r1"]}


def test_a_failure_keeps_the_last_result(opened: Callable[..., DuckStore]) -> None:
    store = opened()
    result = Script(store).succeed("a")
    Script(store, "r2").fail("a")
    for each in (store, opened()):
        last = each.recall(NOTEBOOK, ["a"], []).last["a"]
        assert (last.state, last.result) == (StepState.FAILED, result)
        each.close()


@pytest.mark.parametrize("cleared", [False, True])
def test_a_failure_of_a_later_process_keeps_the_last_result_unless_it_was_cleared(
    opened: Callable[..., DuckStore], folder: Path, *, cleared: bool
) -> None:
    first = opened()
    result = Script(first).succeed("a")
    first.close()
    second = opened()
    if cleared:
        second.emit(Cleared(1_500.0, NOTEBOOK, "a"))
    script = Script(second, "r2")
    script.now = 2_000.0
    script.fail("a")
    second.close()
    for each in (opened, lambda: (folder / "store.snapshot").unlink(missing_ok=True) or opened()):
        store = each()
        last = store.recall(NOTEBOOK, ["a"], []).last["a"]
        assert (last.state, last.result) == (StepState.FAILED, None if cleared else result)
        store.close()


def test_a_result_that_cannot_be_reused_is_the_last_one_but_never_found(opened: Callable[..., DuckStore]) -> None:
    store = opened()
    result = Script(store).succeed("a", uncacheable=("conn",))
    for each in (store, opened()):
        recall = each.recall(NOTEBOOK, ["a"], ["s-a"])
        assert recall.results == {}
        assert each.find("k-a") == ()
        assert recall.last["a"].result == result
        each.close()


def test_a_restored_step_names_the_result_it_took(opened: Callable[..., DuckStore]) -> None:
    store = opened()
    result = Script(store).succeed("a")
    Script(store, "r2").restore("a")
    for each in (store, opened()):
        last = each.recall(NOTEBOOK, ["a"], []).last["a"]
        assert (last.state, last.result) == (StepState.CACHED, result)
        each.close()


@pytest.mark.parametrize("reopen", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_cleared_results_are_gone_until_the_step_succeeds_again(
    opened: Callable[..., DuckStore], monkeypatch: pytest.MonkeyPatch, *, reopen: bool, whole: bool
) -> None:
    monkeypatch.setattr(reading, "WHOLE", reading.WHOLE if whole else 1)
    store = opened()
    script = Script(store)
    for value in (1, 2):
        script.succeed("a", value)
        script.succeed("b", value)
    if reopen:
        store.close()
        store = opened()
    store.emit(Cleared(5000.0, NOTEBOOK, "a"))
    assert keys(store, "a", "b") == {"a": [], "b": ["r1", "r1"]}
    assert store.find("k-a") == ()
    store.close()
    store = opened()
    assert keys(store, "a", "b") == {"a": [], "b": ["r1", "r1"]}
    assert "a" not in store.recall(NOTEBOOK, ["a"], []).last
    Script(store, "r2").succeed("a", 1)
    assert keys(store, "a") == {"a": ["r2"]}
    store.close()
    assert keys(opened(), "a") == {"a": ["r2"]}


def test_a_large_store_is_read_by_what_is_asked_for(
    opened: Callable[..., DuckStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "WHOLE", 2)
    monkeypatch.setattr(snapshot_rows, "STEPS", 2)
    script = Script(opened())
    for step in "abcde":
        script.succeed(step)
    script.store.close()
    store = opened()
    assert keys(store, "a") == {"a": ["r1"]}
    assert not store.ledger.index.complete
    assert [result.step for result in store.find("k-b")] == ["b"]
    assert store.find("k-none") == ()
    assert keys(store, "b", "c") == {"b": ["r1"], "c": ["r1"]}
    assert store.recall(NOTEBOOK, ["d"], []).last["d"].state is StepState.SUCCEEDED


def test_equal_content_is_stored_once(opened: Callable[..., DuckStore], folder: Path) -> None:
    store = opened(config=Config(inline_limit=100))
    value = list(range(1000))
    assert store.put(value, digest(value)) == store.put(list(value), digest(value))
    assert len([path for path in (folder / "objects").rglob("*") if path.is_file()]) == 1
    small = store.put(5, digest(5))
    assert store.put(5, digest(5)) is small


def test_a_value_that_is_a_file_comes_back(opened: Callable[..., DuckStore]) -> None:
    value = list(range(1000))
    store = opened(config=Config(inline_limit=100))
    artifact = Script(store).succeed("a", value).outputs["out"]
    assert artifact.location.startswith("object:")
    assert store.get(artifact) == value
    store.close()
    assert opened().get(artifact) == value


def test_a_table_moves_into_duckdb_and_its_old_location_still_serves(
    opened: Callable[..., DuckStore], folder: Path
) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"n": range(5000), "s": [f"x{i}" for i in range(5000)]})
    store = opened()
    artifact = Script(store).succeed("a", frame).outputs["out"]
    assert artifact.location.startswith("object:")
    store.close()
    assert not [path for path in (folder / "objects").rglob("*") if path.is_file()]
    with duckdb.connect(str(folder / "store.duckdb")) as connection:
        query = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'tables'"
        ((name,),) = connection.execute(query).fetchall()
        assert connection.table(f"tables.{name}").sum("n").fetchall() == [(sum(range(5000)),)]
    again = opened()
    pandas.testing.assert_frame_equal(again.get(artifact), frame)
    assert again.put(frame, digest(frame)) == artifact or again.get(again.put(frame, digest(frame))) is not None


def test_a_value_evicted_from_memory_before_the_merge_is_found(opened: Callable[..., DuckStore]) -> None:
    store = opened()
    artifact = Script(store).succeed("a", "text").outputs["out"]
    store.value_cache.forget(artifact.digest)
    assert store.get(artifact) == "text"


def test_the_end_of_a_long_run_folds_it(
    opened: Callable[..., DuckStore], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "MERGE_RECORDS", 100)
    store = opened()
    script = Script(store)
    script.succeed("a")
    for _ in range(110):
        script.restore("a")
    assert not (folder / "store.duckdb").exists()
    script.end()
    assert (folder / "store.duckdb").exists()
    assert keys(store, "a") == {"a": ["r1"]}
    assert keys(opened(), "a") == {"a": ["r1"]}


def test_names_that_are_no_unicode_survive(opened: Callable[..., DuckStore]) -> None:
    store = opened()
    store.emit(RunStarted(1.0, Run("r1", "nb\udcff.ipynb", "cli", 1.0, "h", 7, "m\udcffe"), ("a",)))
    store.emit(StepEnded(2.0, "r1", "a", StepState.FAILED, "bad \ud800\x00 text", ("\udcff",)))
    store.close()
    assert opened().history.steps()["reason"].tolist() == ["bad \\ud800\x00 text"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_two_stores_in_one_process_see_each_other(opened: Callable[..., DuckStore]) -> None:
    first, second = opened(), opened()
    assert keys(second, "a", "b") == {"a": [], "b": []}
    script = Script(first)
    script.succeed("a")
    assert keys(second, "a") == {"a": ["r1"]}
    script.succeed("b", "payload")
    first.close()
    (found,) = second.find("k-b")
    assert second.get(found.outputs["out"]) == "payload"
