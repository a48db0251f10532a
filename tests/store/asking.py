"""Everything that an engine may ask of a store, so that two ways of answering can be compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nbsteps.core.errors import DamagedValueError
from nbsteps.store.snapshot import SnapshotFile
from nbsteps.store.store import DuckStore
from tests.store.script import NOTEBOOK, Script

Opened = Callable[..., DuckStore]
STEPS = ("a", "b", "c", "m")


def answers(store: DuckStore, items: int = 3) -> dict[str, Any]:
    """Everything that an engine may ask, with the values."""
    recall = store.recall(NOTEBOOK, STEPS, [f"s-{step}" for step in STEPS])
    found = dict(store.find_items([f"k-m-i{n}" for n in range(items)]))
    results = {key: [(each, each.parts) for each in same] for key, same in (*recall.results.items(), *found.items())}
    values = {}
    for each in (result for same in results.values() for result, _ in same):
        try:
            values[each.outputs["out"].digest] = store.get(each.outputs["out"])
        except DamagedValueError:
            values[each.outputs["out"].digest] = "damaged"
    return {
        "results": results,
        "last": {step: (last.state, last.result) for step, last in recall.last.items()},
        "found": {step: store.find(f"k-{step}") for step in STEPS},
        "approvals": store.approvals(NOTEBOOK),
        "durations": {step: store.durations(NOTEBOOK, step) for step in STEPS},
        "values": values,
    }


def filled(store: DuckStore) -> DuckStore:
    """With a little of everything, closed."""
    script = Script(store)
    script.succeed("a", "one")
    script.succeed("a", "two", key="k-a-2")
    script.fail("b")
    script.map("m", [10, 20, 30])
    script.decide(script.ask("c", "q1"))
    script.end()
    store.close()
    return store


def without(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a process says that believes no snapshot."""
    with monkeypatch.context() as patch:
        patch.setattr(SnapshotFile, "read", lambda _self: None)
        store = opened()
        found = answers(store)
        store.close()
    return found
