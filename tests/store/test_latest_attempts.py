"""The attempts that a page shows of a step: those of its last run, of a map's items those in trouble first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nbsteps.core.events import AttemptEnded, ItemsStarted
from nbsteps.core.model import Attempt, Failure
from nbsteps.core.states import AttemptState
from nbsteps.store.store import DuckStore
from tests.store.script import NOTEBOOK, Script

FAILURE = Failure("ValueError", "bad", "trace")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckStore]:
    store = DuckStore(tmp_path / ".nbsteps")
    yield store
    store.close()


class Items:
    """Attempts at the items of a map in one run."""

    def __init__(self, store: DuckStore, run: str = "r1") -> None:
        self.script = Script(store, run)
        self.whole = self.script.begin("each", executor="map")

    def start(self, *positions: int, number: int = 1, noted: bool = True) -> None:
        now = self.script.tick()
        attempts = tuple(self._at(n, number, now, noted=noted) for n in positions)
        self.script.store.emit(ItemsStarted(now, self.whole.run_id, "each", attempts))

    def end(self, position: int, state: AttemptState, number: int = 1) -> None:
        now = self.script.tick()
        failure = FAILURE if state is AttemptState.FAILED else None
        ended = replace(self._at(position, number, now), state=state, ended_at=now, failure=failure)
        self.script.store.emit(AttemptEnded(now, ended))

    def _at(self, n: int, number: int, now: float, *, noted: bool = True) -> Attempt:
        which = {"position": n, "label": f"'{n}'"} if noted else {}
        return replace(self.whole, item=f"i{n}", executor="main", attempt=number, started_at=now, **which)


def seen(store: DuckStore, step: str = "each", limit: int = 100) -> tuple[list[tuple[str, int, str]], int]:
    rows, number = store.history.latest_attempts(NOTEBOOK, step, limit)
    return [(row["item"], row["attempt"], row["state"]) for row in rows], number


def test_items_in_trouble_come_first_and_then_those_under_way(store: DuckStore) -> None:
    items = Items(store)
    items.start(*range(7))
    for position, state in ((0, "succeeded"), (5, "failed"), (3, "failed"), (6, "crashed"), (2, "failed")):
        items.end(position, AttemptState(state))
    items.start(3, 2, number=2)
    items.end(3, AttemptState.SUCCEEDED, number=2)
    every = [
        ("i5", 1, "failed"), ("i6", 1, "crashed"),
        ("i1", 1, "running"), ("i2", 1, "failed"), ("i2", 2, "running"), ("i4", 1, "running"),
        ("i0", 1, "succeeded"), ("i3", 1, "failed"), ("i3", 2, "succeeded"),
    ]  # fmt: skip
    assert seen(store) == (every, 9)
    assert seen(store, limit=3) == (every[:3], 9)


def test_items_that_nobody_numbered_keep_the_order_of_their_start(store: DuckStore) -> None:
    items = Items(store)
    items.start(4, noted=False)
    items.start(2, noted=False)
    assert seen(store) == ([("i4", 1, "running"), ("i2", 1, "running")], 2)


def test_only_the_last_run_is_looked_at(store: DuckStore) -> None:
    Items(store).start(0, 1)
    later = Items(store, "r2")
    later.script.now += 100
    later.start(1)
    assert seen(store) == ([("i1", 1, "running")], 1)


def test_other_steps_show_their_attempts_in_order(store: DuckStore) -> None:
    script = Script(store)
    script.fail("a")
    script.succeed("b")
    assert seen(store, "a") == ([("", 1, "failed")], 1)
    assert seen(store, "b") == ([("", 1, "succeeded")], 1)
    assert seen(store, "never") == ([], 0)


def test_a_store_that_nobody_wrote_to_has_none(tmp_path: Path) -> None:
    store = DuckStore(tmp_path / "other")
    assert seen(store) == ([], 0)
    store.close()
