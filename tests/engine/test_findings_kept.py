"""A session goes on with what an earlier one found out about the cells, and decides the same without it."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from nbsteps.core import cells, findings, names
from nbsteps.core.states import StepState
from nbsteps.identity import codeobjects, trees
from nbsteps.testing import FakeEvaluator, MemoryStore, make_session

NOTEBOOK = (
    "import math\nk = 3",
    "def helper(x):\n    return x % k",
    "%%step one\na = math.floor(helper(7.5))",
    "%%step two\nb = [helper(v) for v in range(a)]",
)
PARSERS: tuple[ModuleType, ...] = (names, cells, trees, codeobjects)


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    _new_process()
    yield
    _new_process()


def _new_process() -> None:
    findings.forget()
    cells.understand.cache_clear()
    codeobjects.body_facts.cache_clear()


def run(store: MemoryStore, *sources: str) -> list[str]:
    """Run in a process of its own; the steps whose bodies ran."""
    _new_process()
    session = make_session(*sources, store=store)
    result, errors = session.run()
    assert not errors
    assert all(done.state in {StepState.SUCCEEDED, StepState.CACHED} for done in result.steps.values())
    evaluator = session.services.evaluator
    assert isinstance(evaluator, FakeEvaluator)
    return evaluator.executed


def test_a_later_process_parses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    assert run(store, *NOTEBOOK) == ["one", "two"]
    for module in PARSERS:
        monkeypatch.setattr(module, "parse", None)
    assert run(store, *NOTEBOOK) == []


def test_only_what_is_new_is_found_out() -> None:
    store = MemoryStore()
    run(store, *NOTEBOOK)
    known = dict(store.texts)
    run(store, *NOTEBOOK[:3], "%%step two\nb = [helper(v) for v in range(a + 1)]")
    assert known.items() <= store.texts.items()
    assert len(store.texts) == len(known) + 1


def test_nothing_is_lost_with_the_findings() -> None:
    store = MemoryStore()
    run(store, *NOTEBOOK)
    store.texts.clear()
    assert run(store, *NOTEBOOK) == []


def test_a_changed_helper_counts_although_all_texts_of_steps_are_known() -> None:
    store = MemoryStore()
    run(store, *NOTEBOOK)
    assert run(store, NOTEBOOK[0], "def helper(x):\n    return x % k + 1", *NOTEBOOK[2:]) == ["one", "two"]
    assert run(store, "import math\nk = 4", *NOTEBOOK[1:]) == ["one", "two"]
    assert run(store, *NOTEBOOK) == []
