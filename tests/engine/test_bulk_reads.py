"""Context cells that run make steps others than the bulk read was about: then a few questions do, not one a step."""

from __future__ import annotations

import pytest

from nbsteps.core.model import Result
from nbsteps.core.states import StepState
from nbsteps.testing import FakeEvaluator, MemoryStore, make_session

STEPS = 40


class Asked(MemoryStore):
    """Counts what it is asked for; ``recall`` gives only what it was asked for, as the real one may."""

    def __init__(self, shared: MemoryStore | None = None) -> None:
        super().__init__(shared)
        self.finds = self.reads = 0

    def find(self, key: str) -> tuple[Result, ...]:
        self.finds += 1
        return super().find(key)

    def recall(self, notebook: str, steps: object, statics: object) -> object:  # type: ignore[override]
        self.reads += 1
        wanted = frozenset(statics)  # type: ignore[call-overload]
        known = super().recall(notebook, steps, wanted)  # type: ignore[arg-type]
        found = {key: kept for key, kept in known.results.items() if kept[0].static in wanted}
        return type(known)(found, known.last, wanted)


def run(store: Asked, cells: tuple[str, ...]) -> list[str]:
    """Run in a new kernel; the steps whose bodies ran."""
    session = make_session(*cells, store=store)
    result, errors = session.run()
    assert not errors
    assert all(done.state in {StepState.SUCCEEDED, StepState.CACHED} for done in result.steps.values())
    evaluator = session.services.evaluator
    assert isinstance(evaluator, FakeEvaluator)
    return evaluator.executed


def above(count: int) -> tuple[str, ...]:
    """One context cell above all steps, which use it."""
    return ("k = 3\ndef helper(x):\n    return x + k", *(f"%%step s{i}\nv{i} = helper({i})" for i in range(count)))


def between(count: int) -> tuple[str, ...]:
    """A context cell above each step."""
    pairs = ((f"def helper{i}(x):\n    return x + {i}", f"%%step s{i}\nv{i} = helper{i}({i})") for i in range(count))
    return tuple(cell for pair in pairs for cell in pair)


@pytest.mark.parametrize(("cells", "finds", "reads"), [(above, STEPS // 4, 2), (between, STEPS, STEPS // 4)])
def test_a_warm_run_asks_little(cells: object, finds: int, reads: int) -> None:
    store = Asked()
    notebook = cells(STEPS)  # type: ignore[operator]
    assert len(run(store, notebook)) == STEPS
    store.finds = store.reads = 0
    assert run(store, notebook) == []
    assert store.finds <= finds
    assert store.reads <= reads


def test_what_was_read_again_still_tells_old_from_new() -> None:
    store = Asked()
    run(store, above(STEPS))
    changed = above(STEPS)[0].replace("k = 3", "k = 4")
    assert len(run(store, (changed, *above(STEPS)[1:]))) == STEPS
    assert run(store, above(STEPS)) == []


def test_a_run_that_goes_on_does_not_take_its_own_ends_for_those_before() -> None:
    """``--cache run`` resumes the run before only where that left something undone."""
    store = Asked()
    cells = tuple(cell.replace("\nv", " --cache run\nv", 1) if cell.startswith("%%") else cell for cell in above(STEPS))
    failing = "%%step broken\nlast = helper(0) / 0"
    session = make_session(cells[0], failing, *cells[1:], store=store)
    assert session.run()[1]
    first = make_session(cells[0], "%%step broken\nlast = helper(0)", *cells[1:], store=store)
    first.run()
    whole = make_session(cells[0], failing, *cells[1:], store=store)
    whole.run()
    evaluator = whole.services.evaluator
    assert isinstance(evaluator, FakeEvaluator)
    assert len(evaluator.executed) == STEPS + 1, "the run before left nothing undone: all of this one is new"
