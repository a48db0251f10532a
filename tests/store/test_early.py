"""The first look into the home, begun in a thread while the caller does something else."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nbsteps.core.errors import StoreVersionError
from nbsteps.store.home import BusyError, Home
from nbsteps.store.store import DuckStore
from tests.store.script import NOTEBOOK, Script


@pytest.fixture
def filled(opened: Callable[..., DuckStore]) -> Callable[..., DuckStore]:
    """Opens a store that already holds a result, folded into its home."""
    store = opened()
    script = Script(store)
    script.succeed("a", [1, 2])
    script.end()
    store.close()
    return opened


def check(store: DuckStore) -> None:
    recall = store.recall(NOTEBOOK, ["a"], ["s-a"])
    assert [result.step for result in recall.results["k-a"]] == ["a"]
    assert store.get(recall.results["k-a"][0].outputs["out"]) == [1, 2]


def test_a_recall_sees_what_the_thread_read(filled: Callable[..., DuckStore], monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled()
    interval = sys.getswitchinterval()
    store.prepare()
    store.ledger.settle()
    assert store.ledger.index.loaded > 0
    assert sys.getswitchinterval() == interval
    monkeypatch.setattr(Home, "use", None)
    assert store.recall(NOTEBOOK, ["a"], ["s-a"]).results.keys() == {"k-a"}


def test_a_recall_may_come_at_any_moment(filled: Callable[..., DuckStore]) -> None:
    store = filled()
    store.prepare()
    store.prepare()
    check(store)


def test_one_thread_at_most(filled: Callable[..., DuckStore]) -> None:
    store = filled()
    store.prepare()
    first = store.ledger._early
    store.ledger.settle()
    store.prepare()
    assert store.ledger._early is first


def test_nothing_is_begun_where_nothing_is_stored(opened: Callable[..., DuckStore]) -> None:
    store = opened()
    store.prepare()
    assert store.ledger._early is None


def test_whoever_holds_the_lock_is_not_waited_for(filled: Callable[..., DuckStore]) -> None:
    store = filled()
    with store.ledger.lock:
        store.prepare()
        store.ledger.settle()  # would not end if the thread waited
        assert store.ledger.index.loaded < 0
    check(store)


def test_a_home_that_is_in_use_is_left_to_the_one_who_asks(filled: Callable[..., DuckStore]) -> None:
    store, told = filled(), list[str]()
    store.ledger._warn = told.append
    with store.home.lock(timeout=1.0):
        store.prepare()
        store.ledger.settle()
        assert store.ledger.index.loaded < 0
    check(store)
    assert told == []


@pytest.mark.parametrize("error", [BusyError("busy"), StoreVersionError("newer"), MemoryError()])
def test_whatever_goes_wrong_is_said_by_the_one_who_asks(
    filled: Callable[..., DuckStore], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    store = filled()

    @contextmanager
    def refuse(_home: Home, _timeout: float = 0.0) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            raise error
        with original(store.home) as connection:
            yield connection  # type: ignore[misc]

    original = Home.opened
    monkeypatch.setattr(Home, "opened", refuse)
    store.prepare()
    store.ledger.settle()
    assert store.ledger.index.loaded < 0
    check(store)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_waits_for_the_thread(filled: Callable[..., DuckStore]) -> None:
    store = filled()
    reached, may_go_on = threading.Event(), threading.Event()
    original = store.ledger._load_from

    def slow(connection: object, *, writable: bool) -> None:
        reached.set()
        may_go_on.wait()
        original(connection, writable=writable)  # type: ignore[arg-type]

    store.ledger._load_from = slow  # type: ignore[method-assign]
    store.prepare()
    reached.wait()
    threading.Timer(0.05, may_go_on.set).start()
    child = os.fork()
    if not child:
        os._exit(0 if store.recall(NOTEBOOK, ["a"], ["s-a"]).results.keys() == {"k-a"} else 1)
    assert store.ledger.index.loaded > 0
    assert os.waitpid(child, 0)[1] == 0
    check(store)


def test_a_store_is_closed_only_when_the_thread_is_done(filled: Callable[..., DuckStore], folder: Path) -> None:
    store = filled()
    store.prepare()
    store.close()
    store.ledger.settle()
    assert (folder / "store.duckdb").exists()
