"""Requests, decisions and results of items, as several processes on one store see them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nbsteps.core.events import Cleared
from nbsteps.core.states import ApprovalState, StepState
from nbsteps.store import ledger
from nbsteps.store.store import DuckStore
from tests.store.script import NOTEBOOK, Script

Opened = Callable[..., DuckStore]


def states(store: DuckStore, step: str = "") -> dict[str, str]:
    """Request to how it was decided, newest first."""
    found = store.approvals(NOTEBOOK, step)
    return {each.request.request_id: "" if each.verdict is None else each.verdict.state for each in found}


def test_another_process_sees_requests_and_decisions_at_once(opened: Opened) -> None:
    asking, deciding = opened(), opened()
    script = Script(asking)
    assert states(deciding) == {}
    first, second = script.ask("a", "q1"), script.ask("b", "q2")
    assert states(deciding) == {"q2": "", "q1": ""}
    Script(deciding, "r2").decide(first, ApprovalState.REJECTED)
    assert states(asking) == {"q2": "", "q1": "rejected"}
    assert states(asking, "b") == {"q2": ""}
    assert asking.approvals(NOTEBOOK, "b")[0].request == second
    assert asking.recall(NOTEBOOK, ["a"], []).last["a"].state is StepState.WAITING


def test_they_outlive_their_processes(opened: Opened) -> None:
    store = opened()
    script = Script(store)
    script.decide(script.ask("a", "q1"))
    request = script.ask("b", "q2")
    script.succeed("c")
    store.close()
    later = opened()
    assert states(later) == {"q2": "", "q1": "approved"}
    assert later.approvals(NOTEBOOK, "b")[0].request == request
    assert later.approvals("other.ipynb") == ()
    Script(later, "r2").decide(request, ApprovalState.VOID)
    assert states(later) == {"q2": "void", "q1": "approved"}
    later.close()
    assert states(opened()) == {"q2": "void", "q1": "approved"}


def test_what_was_folded_and_missed_is_found_in_the_home(opened: Opened) -> None:
    looking, asking = opened(), opened()
    assert states(looking) == {}
    script = Script(asking)
    script.ask("a", "q1")
    script.succeed("c")
    asking.close()  # folds and unlinks what the first one has not read yet
    assert states(looking) == {"q1": ""}


@pytest.mark.parametrize("folded", [False, True])
def test_cleared_requests_are_forgotten_but_stay_in_the_history(opened: Opened, folded: bool) -> None:
    store = opened()
    script = Script(store)
    script.decide(script.ask("a", "q1"))
    script.ask("b", "q2")
    script.succeed("a")
    if folded:
        store.close()
        store = opened()
    store.emit(Cleared(50.0, NOTEBOOK, "a"))
    assert states(store) == {"q2": ""}
    frame = store.history.events()
    assert frame.set_index("event").loc["Cleared", "data"] == {"notebook": NOTEBOOK, "results": 1}
    store.close()
    later = opened()
    assert states(later) == {"q2": ""}
    assert len(later.history.approvals()) == 2


@pytest.mark.parametrize("folded", [False, True])
def test_items_are_found_set_wise_until_they_are_cleared(opened: Opened, folded: bool) -> None:
    store = opened()
    made = Script(store).map("m", ["x", "y"])
    if folded:
        store.close()
        store = opened()
    other = opened()
    for each in (store, other):
        found = each.find_items(["k-m-i0", "k-m-i1", "k-m-i2", "k-m"])
        assert {key: results[0] for key, results in found.items()} == {result.key: result for result in made}
        assert [each.get(result.outputs["out"]) for result in made] == ["x", "y"]
        assert each.find("k-m-i0") == ()
        assert set(each.recall(NOTEBOOK, ["m"], ["s-m"]).results) == {"k-m"}
    other.emit(Cleared(50.0, NOTEBOOK, "m"))
    assert (store.find_items(["k-m-i0"]), other.find_items(["k-m-i0"])) == ({}, {})


def test_items_of_a_long_map_are_folded_while_it_runs(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "ITEMS", 3)
    store = opened()
    Script(store).map("m", range(5))
    assert store.ledger.index.items([f"k-m-i{n}" for n in range(5)]) == {}
    found = store.find_items([f"k-m-i{n}" for n in range(5)])
    assert [store.get(found[f"k-m-i{n}"][0].outputs["out"]) for n in range(5)] == list(range(5))
