"""One process and its store: what was emitted is recalled, now and by the next process, and damage is survived."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from nbsteps.config import Config
from nbsteps.core.errors import DamagedValueError, StoreVersionError
from nbsteps.core.events import (
    AttemptEnded,
    AttemptStarted,
    Cleared,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepStarted,
    StepSucceeded,
)
from nbsteps.core.model import Artifact, Attempt, Failure, Part, PartKind, Result, Run
from nbsteps.core.states import AttemptState, RunState, StepState
from nbsteps.identity.content import digest
from nbsteps.store import journal, reading
from nbsteps.store.store import DuckStore, StoreWarning

NOTEBOOK = "nb.ipynb"
PARTS = (Part(PartKind.CODE, "body", "1" * 32, "x = 1"),)


class Script:
    """Emits what the engine would emit for a small pipeline."""

    def __init__(self, store: DuckStore, run_id: str = "r1", trigger: str = "cli") -> None:
        self.store, self.run_id, self.now = store, run_id, 1000.0
        run = Run(run_id, NOTEBOOK, trigger, self.tick(), "host", 7, "me", {"month": "1"})
        store.emit(RunStarted(self.now, run, ("a", "b")))

    def tick(self) -> float:
        self.now += 1.0
        return self.now

    def begin(self, step: str, key: str = "") -> Attempt:
        self.store.emit(StepStarted(self.tick(), self.run_id, step, key or f"k-{step}", ("never ran",)))
        attempt = Attempt(self.run_id, step, 1, self.tick(), "main", "host", 7)
        self.store.emit(AttemptStarted(self.now, attempt))
        return attempt

    def succeed(self, step: str, value: object = 1, key: str = "", uncacheable: tuple[str, ...] = ()) -> Result:
        attempt = self.begin(step, key)
        artifact = self.store.put(value, digest(value))
        result = Result(
            key or f"k-{step}", f"s-{step}", NOTEBOOK, step, self.run_id, {"out": artifact}, PARTS,
            started_at=attempt.started_at, ended_at=self.tick(), duration=1.0,
        )  # fmt: skip
        self.store.emit(StepSucceeded(self.now, attempt, result, uncacheable))
        return result

    def fail(self, step: str) -> None:
        attempt = self.begin(step)
        failure = Failure("ValueError", "bad", "trace")
        failed = Attempt(
            self.run_id, step, 1, attempt.started_at, "main", "host", 7, state=AttemptState.FAILED,
            ended_at=self.tick(), failure=failure, peak_rss=10,
        )  # fmt: skip
        self.store.emit(AttemptEnded(self.now, failed))
        self.store.emit(StepEnded(self.tick(), self.run_id, step, StepState.FAILED, "failed", ("never ran",)))

    def restore(self, step: str) -> None:
        self.store.emit(StepRestored(self.tick(), self.run_id, step, f"k-{step}", 1.0, 5))

    def end(self, state: RunState = RunState.SUCCEEDED) -> None:
        self.store.emit(RunEnded(self.tick(), self.run_id, state))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".nbsteps"


@pytest.fixture
def opened(folder: Path) -> Iterator[Callable[..., DuckStore]]:
    stores: list[DuckStore] = []

    def make(**options: object) -> DuckStore:
        stores.append(DuckStore(folder, **options))  # type: ignore[arg-type]
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def keys(store: DuckStore, *steps: str) -> dict[str, list[str]]:
    """Step to the runs whose results are found for it, newest first."""
    recall = store.recall(NOTEBOOK, steps, [f"s-{step}" for step in steps])
    return {step: [result.run_id for result in recall.results.get(f"k-{step}", ())] for step in steps}


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


def test_a_damaged_value_is_a_miss_and_can_be_stored_anew(opened: Callable[..., DuckStore], folder: Path) -> None:
    value = list(range(1000))
    store = opened(config=Config(inline_limit=100))
    artifact = Script(store).succeed("a", value).outputs["out"]
    (path,) = (path for path in (folder / "objects").rglob("*") if path.is_file())
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    store.close()
    store = opened(config=Config(inline_limit=100))
    with pytest.raises(DamagedValueError):
        store.get(artifact)
    assert store.get(store.put(value, digest(value))) == value


def test_a_damaged_row_is_a_miss_and_is_replaced(opened: Callable[..., DuckStore], folder: Path) -> None:
    store = opened()
    artifact = Script(store).succeed("a", "text").outputs["out"]
    store.close()
    with duckdb.connect(str(folder / "store.duckdb")) as connection:
        connection.execute("UPDATE log.values_1 SET payload = 'other'::BLOB")
    store = opened()
    with pytest.raises(DamagedValueError, match="checksum"):
        store.get(artifact)
    Script(store, "r2").succeed("a", "text")
    store.close()
    with duckdb.connect(str(folder / "store.duckdb")) as connection:
        assert connection.execute("SELECT count(*) FROM log.values_1").fetchall() == [(1,)]
    assert opened().get(artifact) == "text"


def test_bytes_that_are_nowhere_are_a_miss(opened: Callable[..., DuckStore]) -> None:
    missing = Artifact("f" * 32, "int", "json", 2, "inline", "c" * 32)
    with pytest.raises(DamagedValueError, match="gone"):
        opened().get(missing)


def test_a_value_evicted_from_memory_before_the_merge_is_found(opened: Callable[..., DuckStore]) -> None:
    store = opened()
    artifact = Script(store).succeed("a", "text").outputs["out"]
    store.vault.forget(artifact.digest)
    assert store.get(artifact) == "text"


def test_a_newer_store_is_refused_by_name(opened: Callable[..., DuckStore], folder: Path) -> None:
    store = opened()
    Script(store).succeed("a")
    store.close()
    with duckdb.connect(str(folder / "store.duckdb")) as connection:
        connection.execute("UPDATE log.meta SET schema_version = 99")
    with pytest.raises(StoreVersionError, match=r"version 99.*up to 1"):
        keys(opened(), "a")
    (folder / "version").write_text("99\n")
    with pytest.raises(StoreVersionError, match=r"version 99.*up to 1"):
        DuckStore(folder)
    (folder / "version").unlink()
    with duckdb.connect(str(folder / "store.duckdb")) as connection:
        connection.execute("UPDATE log.meta SET schema_version = 1")


@pytest.mark.parametrize("damage", ["garbage", "truncated", "flipped"])
def test_a_damaged_file_is_moved_aside_loudly(opened: Callable[..., DuckStore], folder: Path, damage: str) -> None:
    store = opened()
    Script(store).succeed("a")
    store.close()
    path = folder / "store.duckdb"
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        for at in range(8192, len(data), 512):
            data[at] ^= 0xFF
    path.write_bytes({"garbage": b"no database" * 999, "truncated": bytes(data[:5000]), "flipped": bytes(data)}[damage])
    heard: list[str] = []
    store = opened(warn=heard.append)
    assert keys(store, "a") == {"a": []}
    assert len(heard) == 1
    assert "moved aside" in heard[0]
    assert len(list(folder.glob("store.duckdb.damaged-*"))) == 1
    Script(store, "r2").succeed("a")
    store.close()
    assert keys(opened(), "a") == {"a": ["r2"]}


def test_a_full_disk_stops_caching_not_the_run(
    opened: Callable[..., DuckStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    store = opened(warn=heard.append, config=Config(inline_limit=100))
    script = Script(store)
    script.succeed("a", 1)

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal.os, "write", full)
    result = script.succeed("b", list(range(500)))
    script.end()
    assert len(heard) == 1
    assert "No space left" in heard[0]
    assert store.find("k-b") == (result,)
    assert store.get(result.outputs["out"]) == list(range(500))
    assert store.get(store.put({"x": 1}, digest({"x": 1}))) == {"x": 1}
    monkeypatch.undo()
    store.close()
    assert keys(opened(), "a", "b") == {"a": ["r1"], "b": []}


def test_a_folder_that_cannot_be_made_is_one_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    heard: list[str] = []
    store = DuckStore(tmp_path / "file" / ".nbsteps", warn=heard.append)
    result = Script(store).succeed("a", 42)
    assert keys(store, "a") == {"a": ["r1"]}
    assert store.get(result.outputs["out"]) == 42
    with store.flight("k-a"):
        pass
    store.close()
    assert len(heard) == 1


def test_warnings_are_python_warnings_by_default(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(StoreWarning, match="cannot be written"):
        DuckStore(tmp_path / "file" / ".nbsteps")


def test_the_end_of_a_long_run_folds_it(opened: Callable[..., DuckStore], folder: Path) -> None:
    store = opened()
    script = Script(store)
    script.succeed("a")
    for _ in range(2100):
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
