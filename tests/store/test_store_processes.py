"""Real processes on one store: nothing acknowledged is lost or doubled, whoever is killed whenever."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from nbsteps.core.events import Warned
from nbsteps.store import journal, merge
from nbsteps.store.store import DuckStore

WORKER = """
import os, sys
from pathlib import Path
from nbsteps.core.events import *
from nbsteps.core.model import Attempt, Result, Run
from nbsteps.core.states import RunState
from nbsteps.store.store import DuckStore

folder, name, count, folds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = DuckStore(folder)
store.recall("nb", [], [])
print("ready", flush=True)
sys.stdin.readline()
store.emit(RunStarted(1.0, Run(name, "nb", "cli", 1.0, "h", os.getpid(), "me"), ("a",)))
for number in range(count):
    step = f"{name}_{number}"
    attempt = Attempt(name, step, 1, 1.0, "main", "h", os.getpid())
    store.emit(StepStarted(1.0, name, step, f"k-{step}", ()))
    store.emit(AttemptStarted(1.0, attempt))
    artifact = store.put(step, f"{hash(step) & (2**128 - 1):032x}")
    store.emit(StepSucceeded(2.0, attempt, Result(f"k-{step}", f"s-{step}", "nb", step, name, {"x": artifact}, ())))
    print(step, flush=True)
    if folds and number % folds == folds - 1:
        store.ledger.fold(timeout=5.0)
store.emit(RunEnded(3.0, name, RunState.SUCCEEDED))
store.close()
"""


def worker(folder: Path, name: str, count: int, folds: int = 0) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), name, str(count), str(folds)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def rest(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    with process:
        return process.stdout.read().split()


def stored(folder: Path) -> Counter[str]:
    """Every result by step, as the home has it after everything was folded; values are read back."""
    store = DuckStore(folder)
    rows = store.history_records("artifacts")
    for row in rows:
        (result,) = store.find(f"k-{row['step']}")
        assert store.get(result.outputs["x"]) == row["step"]
    store.close()
    return Counter(row["step"] for row in rows)


def test_two_writers_and_a_reader_make_progress_and_agree(tmp_path: Path) -> None:
    writers = [worker(tmp_path, name, 60, folds=15) for name in ("p", "q")]
    for each in writers:
        go(each)
    reader = DuckStore(tmp_path)
    seen = [0]
    while any(each.poll() is None for each in writers) and seen[-1] < 100:
        assert set(reader.history.runs()["run_id"]) <= {"p", "q"}
        recall = reader.recall("nb", [], [f"s-{name}_{number}" for name in "pq" for number in range(60)])
        seen.append(len(recall.results))
    acknowledged = [step for each in writers for step in rest(each)]
    assert [each.returncode for each in writers] == [0, 0]
    assert seen == sorted(seen)
    assert len(acknowledged) == 120
    assert all(len(reader.find(f"k-{step}")) == 1 for step in acknowledged)
    reader.close()
    assert stored(tmp_path) == Counter(acknowledged)
    assert journal.segments(tmp_path / "journal") == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_points_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    acknowledged: list[str] = []
    for round_ in range(3):
        writers = [worker(tmp_path, f"{name}{round_}", 500, folds=5) for name in ("p", "q")]
        for each in writers:
            go(each)
        for each in writers:
            assert each.stdout is not None
            acknowledged += [each.stdout.readline().strip() for _ in range(chance.randrange(1, 40))]
            each.kill()
            acknowledged += [line for line in rest(each) if line]
    found = stored(tmp_path)
    assert set(acknowledged) - {""} <= found.keys()
    assert max(found.values()) == 1
    store = DuckStore(tmp_path)
    assert set(store.history.runs()["state"]) == {"crashed"}
    assert set(store.history.attempts()["state"]) <= {"succeeded", "crashed"}
    store.close()


POINTS = """
import os, signal, sys
from pathlib import Path
from nbsteps.store import home, ledger, merge
module, name, after = sys.argv[2].split(":")
owner = {"merge": merge, "home": home, "ledger": ledger}[module]
real = getattr(owner, name)
def dying(*args, **kwargs):
    if after == "after":
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
from nbsteps.core.events import *
from nbsteps.core.model import Attempt, Result, Run
from nbsteps.store.store import DuckStore
store = DuckStore(Path(sys.argv[1]))
store.recall("nb", [], [])
attempt = Attempt("r", "a", 1, 1.0, "main", "h", 1)
store.emit(RunStarted(1.0, Run("r", "nb", "cli", 1.0, "h", 1, "me"), ("a",)))
store.emit(StepStarted(1.0, "r", "a", "k-a", ()))
store.emit(AttemptStarted(1.0, attempt))
artifact = store.put("a", "a" * 32)
store.emit(StepSucceeded(2.0, attempt, Result("k-a", "s-a", "nb", "a", "r", {"x": artifact}, ())))
setattr(owner, name, dying)
store.close()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("name", ["_store", "retire", "_account", "_sweep", "_note"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_in_the_middle_of_a_merge_the_next_one_makes_it_whole(tmp_path: Path, name: str, when: str) -> None:
    assert hasattr(merge, name)
    done = subprocess.run([sys.executable, "-c", POINTS, str(tmp_path), f"merge:{name}:{when}"], check=False)
    assert done.returncode == -signal.SIGKILL
    assert stored(tmp_path) == Counter({"a": 1})
    store = DuckStore(tmp_path)
    assert store.history.events()["event"].tolist().count("StepSucceeded") == 1
    assert store.history.attempts()["state"].tolist() == ["succeeded"]
    store.close()
    assert journal.segments(tmp_path / "journal") == []


def test_a_result_whose_journal_came_and_went_between_two_looks_is_found(tmp_path: Path) -> None:
    store = DuckStore(tmp_path)
    store.recall("nb", [], [])
    for name in ("p", "q"):
        other = worker(tmp_path, name, 2)
        go(other)
        rest(other)
        assert len(store.find(f"k-{name}_1")) == 1
        assert store.get(store.find(f"k-{name}_1")[0].outputs["x"]) == f"{name}_1"
    store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_a_journal_of_its_own_and_holds_no_lock(tmp_path: Path) -> None:
    store = DuckStore(tmp_path)
    store.emit(Warned(1.0, "r", "", "buffered by the parent"))
    with store.flight("k"):
        child = os.fork()
        if child == 0:
            store.emit(Warned(2.0, "r", "", "from the child"))
            store.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    child = os.fork()
    if child == 0:
        with store.flight("k"):
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    store.emit(Warned(3.0, "r", "", "after the fork"))
    said = [row["data"]["message"] for row in store.history_records("events")]
    assert sorted(said) == ["after the fork", "buffered by the parent", "from the child"]
    store.close()
