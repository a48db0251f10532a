"""Signs of life between machines: who is taken for dead, who is not, and what becomes of one that was wrongly."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nbsteps.core.states import RunState
from nbsteps.store.heartbeat import STALE, Heartbeat
from nbsteps.store.journal import segments
from nbsteps.store.store import DuckStore
from tests.store.script import NOTEBOOK, Script, keys

Opened = Callable[..., DuckStore]
PATIENCE = 60.0


def elsewhere(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> DuckStore:
    """A store of another machine, whose locks nobody here sees."""
    with monkeypatch.context() as patched:
        patched.setattr("nbsteps.store.store.socket.gethostname", lambda: "elsewhere")
        return opened()


def hide_lock(store: DuckStore) -> None:
    """As a network file system does whose locks hold on their own machine only."""
    live = store.ledger._journal._live
    assert live is not None
    live.release()


def age(store: DuckStore, seconds: float) -> None:
    """Let the last sign of life be so old."""
    path = store.ledger._journal.live
    at = path.stat().st_mtime - seconds
    os.utime(path, (at, at))


def states(store: DuckStore) -> list[str]:
    return [row["state"] for row in store.history_records("attempts")]


def test_one_of_another_machine_lives_as_long_as_its_file_is_touched(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = elsewhere(opened, monkeypatch)
    script = Script(far)
    script.begin("a")
    far.ledger.flush()
    hide_lock(far)
    near = opened()
    assert states(near) == ["running"]
    assert segments(near.home.journals)
    age(far, STALE + 10)
    assert states(near) == ["crashed"]
    assert near.history_records("runs")[0]["state"] == "crashed"


def test_between_processes_of_one_machine_the_lock_alone_counts(opened: Opened) -> None:
    dying, held = opened(), opened()
    Script(held, "r1").begin("a")
    age(held, 10 * STALE)
    Script(dying, "r2").begin("b")
    dying.ledger.flush()
    hide_lock(dying)  # the machine went down, and was started again at once
    near = opened()
    assert {row["step"]: row["state"] for row in near.history_records("attempts")} == {"a": "running", "b": "crashed"}


def test_one_that_was_taken_for_dead_begins_anew_and_loses_nothing(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = elsewhere(opened, monkeypatch)
    script = Script(far)
    script.succeed("a")
    script.end()
    hide_lock(far)
    age(far, STALE + 10)
    near = opened()
    assert keys(near, "a") == {"a": ["r1"]}
    near.history_records("runs")  # folds, and sweeps away what the dead left
    assert not far.ledger._journal.live.exists()
    again = Script(far, "r2")
    again.succeed("b")
    again.end()
    assert far.ledger._journal.live.exists()
    assert keys(near, "a", "b") == {"a": ["r1"], "b": ["r2"]}
    far.close()
    assert {row["run_id"]: row["state"] for row in near.history_records("runs")} == {
        "r1": "succeeded",
        "r2": "succeeded",
    }
    assert keys(opened(), "a", "b") == {"a": ["r1"], "b": ["r2"]}
    assert near.recall(NOTEBOOK, ["b"], []).last["b"].result is not None


def test_the_file_is_touched_while_a_run_goes_on_and_not_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, touched = tmp_path / "live", threading.Event()
    path.touch()
    os.utime(path, (1.0, 1.0))
    heartbeat = Heartbeat(path, period=0.001)
    monkeypatch.setattr(heartbeat, "touch", lambda: (Heartbeat.touch(heartbeat), touched.set()))
    heartbeat.end("r0")
    assert heartbeat._thread is None
    heartbeat.begin("r1")
    assert touched.wait(PATIENCE)
    assert path.stat().st_mtime > 1.0
    heartbeat.end("r1")
    touched.clear()
    heartbeat.begin("r2")
    assert touched.wait(PATIENCE)
    heartbeat.close()
    assert heartbeat._thread is not None
    heartbeat._thread.join(PATIENCE)
    assert not heartbeat._thread.is_alive()


def test_a_store_gives_signs_while_a_run_goes_on(opened: Opened) -> None:
    store = opened()
    script = Script(store)
    assert store.ledger._heartbeat._runs == {"r1"}
    script.end(RunState.FAILED)
    assert store.ledger._heartbeat._runs == set()
