"""What is kept beside the home: runs that change nothing do without DuckDB, and nobody is told what was once true."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nbsteps.config import Config
from nbsteps.core.events import Cleared, StepEnded
from nbsteps.core.states import StepState
from nbsteps.store import journal, reading, snapshot_rows, warm_start
from nbsteps.store.snapshot import SnapshotFile
from tests.store.asking import Opened, answers, filled, without
from tests.store.script import NOTEBOOK, Script, keys

STEPS = ("a", "b", "c", "m")


def test_everything_is_answered_without_duckdb_and_as_with_it(
    opened: Opened, opens: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(opened())
    opens.clear()
    found = answers(opened())
    assert opens == []
    assert found == without(opened, monkeypatch)
    assert found["values"]
    assert opens


def test_run_after_run_that_only_restores_needs_no_duckdb(opened: Opened, opens: list[str]) -> None:
    filled(opened())
    opens.clear()
    for number in range(5):
        store = opened()
        assert answers(store)["last"]["a"][0] is (StepState.CACHED if number else StepState.SUCCEEDED)
        script = Script(store, f"again{number}")
        script.restore("a")
        script.end()
        store.close()
    assert opens == []
    store = opened()
    assert [run for run in store.history.runs()["run_id"] if run != "r1"] == [f"again{n}" for n in (4, 3, 2, 1, 0)]
    assert journal.segments(store.home.journals) == []


@pytest.mark.parametrize(("name", "most"), [("_JOURNALS", 3), ("LEFT_BYTES", 1500)])
def test_what_waits_to_be_folded_is_bounded(
    opened: Opened, opens: list[str], monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    filled(opened())
    monkeypatch.setattr("nbsteps.store.ledger." + name, most)
    left = []
    for number in range(12):
        opens.clear()
        store = opened()
        script = Script(store, f"again{number}")
        script.restore("a")
        script.end()
        store.close()
        left.append(len(journal.segments(store.home.journals)))
        assert bool(opens) == (left[-1] == 0)
    assert 0 in left
    assert 1 < max(left) <= 4


def test_a_reader_folds_what_is_too_long_for_it(
    opened: Opened, opens: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(opened())
    busy = opened()
    Script(busy, "r2").restore("a")
    busy.ledger.flush()
    opens.clear()
    answers(opened())
    assert opens == []
    monkeypatch.setattr(warm_start, "LEFT_BYTES", 10)
    answers(opened())
    assert opens


def test_results_that_others_committed_since_are_seen(opened: Opened, opens: list[str]) -> None:
    filled(opened())
    early, late = opened(), opened()
    assert keys(early, "a", "b") == {"a": ["r1"], "b": []}
    script = Script(late, "r2")
    script.succeed("b", "new")
    opens.clear()
    assert keys(early, "b") == keys(opened(), "b") == {"b": ["r2"]}
    assert opens == []
    script.succeed("a", "newer")
    late.close()  # folds what the first has read, and what it has not
    assert keys(early, "a", "b") == keys(opened(), "a", "b") == {"a": ["r2", "r1"], "b": ["r2"]}


def test_what_another_process_clears_is_gone_at_once(opened: Opened) -> None:
    filled(opened())
    early, clearing = opened(), opened()
    assert answers(early)["results"].keys() >= {"k-a", "k-m", "k-m-i0"}
    for step in ("a", "m", "c"):
        clearing.emit(Cleared(2000.0, NOTEBOOK, step))
    assert answers(early)["results"] == answers(opened())["results"] == {}
    clearing.close()
    assert answers(early)["results"] == answers(opened())["results"] == {}
    assert answers(opened())["approvals"] == ()


def test_a_step_that_was_running_when_its_process_died_counts_as_crashed(opened: Opened, folder: Path) -> None:
    filled(opened())
    code = """
import os, sys
from pathlib import Path
from nbsteps.store.store import DuckStore
from tests.store.asking import Opened, answers, filled, without
from tests.store.script import Script
store = DuckStore(Path(sys.argv[1]))
store.recall("nb.ipynb", ["a"], [])
script = Script(store, "r2")
script.now = 5000.0
script.begin("a")
if sys.argv[2]:
    store.ledger.fold(timeout=5.0)
os._exit(0)
"""
    for early in ("", "folded"):
        subprocess.run([sys.executable, "-c", code, str(folder), early], check=True)
        assert opened().recall(NOTEBOOK, ["a"], []).last["a"].state is StepState.CRASHED


def test_only_part_of_a_large_store_is_taken(opened: Opened, opens: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_rows, "STEPS", 3)
    filled(opened())
    script = Script(opened(), "r2")
    script.succeed("d")
    script.store.close()
    keys(opened(), "a")
    opens.clear()
    assert keys(opened(), "a") == {"a": ["r1"]}
    assert opens == []
    assert keys(store := opened(), "a", "d") == {"a": ["r1"], "d": ["r2"]}
    assert store.ledger.index.complete
    assert len(opens) == 1
    monkeypatch.setattr(reading, "WHOLE", 2)
    opens.clear()
    assert keys(store := opened(), "a", "d") == {"a": ["r1"], "d": ["r2"]}
    assert opens == []  # what others asked for stays, as long as it is not too much
    assert not store.ledger.index.complete
    assert keys(store, "m") == {"m": ["r1"]}
    assert len(opens) == 1
    assert answers(opened()) == without(opened, monkeypatch)


@pytest.mark.parametrize("items", [1, 2, 3])
def test_only_the_newest_items_are_taken(
    opened: Opened, opens: list[str], monkeypatch: pytest.MonkeyPatch, items: int
) -> None:
    monkeypatch.setattr(snapshot_rows, "ITEMS", items)
    filled(opened())
    opens.clear()
    found = answers(opened())
    assert len(opens) == (0 if items == 3 else 1)
    assert found == without(opened, monkeypatch)


def test_items_and_their_values_are_read_with_one_look(
    opened: Opened, opens: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(opened())
    store = opened(config=Config())
    with monkeypatch.context() as patch:
        patch.setattr(SnapshotFile, "read", lambda _self: None)
        keys(store, "a")
    opens.clear()
    found = store.find_items([f"k-m-i{n}" for n in range(4)])
    assert [store.get(results[0].outputs["out"]) for results in found.values()] == [10, 20, 30]
    assert len(opens) == 1


def test_journals_are_read_and_folded_in_the_order_in_which_they_were_left(opened: Opened, folder: Path) -> None:
    filled(opened())
    for number in range(6):
        store = opened()
        keys(store, "a")
        script = Script(store, f"again{number}")
        script.restore("a")
        if number == 5:
            store.emit(StepEnded(script.tick(), script.run_id, "a", StepState.SKIPPED, "not now"))
        script.end()
        store.close()
    assert len(journal.segments(folder / "journal")) == 6
    for _ in range(2):
        store = opened()
        assert answers(store)["last"]["a"][0] is StepState.SKIPPED
        store.ledger.fold(timeout=5.0)
    assert journal.segments(folder / "journal") == []
