"""Variables that a body assigns on some paths only: kept where another cell reads them, never stale."""

from __future__ import annotations

from nbsteps.core.decide import Action
from nbsteps.core.events import StepSucceeded
from nbsteps.core.states import GOOD, StepState
from nbsteps.testing import FakeEvaluator, MemoryStore, make_session

MODE = "mode = 'full'"
LOAD = "%%step load\nrows = 3\nif mode == 'full':\n    note = 'all'"
SHOW = "%%step show\nshown = note if mode == 'full' else 'nothing'"


def run(*sources, store, names=None):
    """Run a notebook in a fresh kernel, or in one whose names are given."""
    session = make_session(*sources, store=store)
    evaluator = session.services.evaluator
    assert isinstance(evaluator, FakeEvaluator)
    evaluator.names.update(names or {})
    result, errors = session.run()
    evaluator.materialise(list(evaluator.waiting))
    return evaluator.executed, evaluator.names, result, errors


def test_one_that_nobody_reads_is_a_temporary_and_need_not_be_assigned():
    store = MemoryStore()
    first, _, result, _ = run("mode = 'some'", LOAD, store=store)
    again, names, _, _ = run("mode = 'some'", LOAD, store=store)
    assert (first, again) == (["load"], [])
    assert result.steps["load"].state is StepState.SUCCEEDED
    assert "note" not in names


def test_one_that_another_step_reads_is_restored():
    store = MemoryStore()
    run(MODE, LOAD, SHOW, store=store)
    executed, names, _, _ = run(MODE, LOAD, SHOW, store=store)
    assert executed == []
    assert (names["note"], names["shown"]) == ("all", "all")


def test_without_it_the_step_succeeds_is_kept_like_any_other_and_leaves_no_older_value():
    store = MemoryStore()
    run(MODE, LOAD, SHOW, store=store)
    for expected in (["load", "show"], []):
        executed, names, result, errors = run("mode = 'some'", LOAD, SHOW, store=store, names={"note": "older"})
        assert executed == expected
        assert not errors
        assert result.steps["load"].state in GOOD
        assert "note" not in names
        assert names["shown"] == "nothing"
    assert not [event for event in store.events if isinstance(event, StepSucceeded) and event.uncacheable]


def test_the_plan_knows_that_it_was_left_unassigned():
    store = MemoryStore()
    cells = ("mode = 'some'", LOAD, SHOW)
    run(*cells, store=store)
    assert not make_session(*cells, store=store).plan().steps(Action.RUN, Action.MAY_RUN)


def test_a_reader_that_needs_it_meets_a_plain_name_error():
    _, _, result, errors = run(
        "mode = 'some'", LOAD, "%%step show\nshown = note", store=MemoryStore(), names={"note": 1}
    )
    assert isinstance(errors["show"], NameError)
    assert result.steps["show"].state is StepState.FAILED


def test_a_declared_one_must_be_assigned():
    declared = LOAD.replace("load", "load --out rows note")
    _, _, result, _ = run("mode = 'some'", declared, store=MemoryStore())
    failure = result.steps["load"].failure
    assert failure is not None
    assert "without assigning note" in failure.message


def test_a_second_run_in_the_same_kernel_sees_nothing_of_the_first():
    store = MemoryStore()
    cells = ("values = [1, 2]", "%%step pick\nfor v in values:\n    last = v\nend = last", "%%step use\nused = last")
    session = make_session(*cells, store=store)
    session.run()
    executed, _, _, _ = run(*cells, store=store, names=dict(session.services.evaluator.namespace))
    assert executed == []
