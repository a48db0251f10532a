"""The engine over fakes: what runs, what is restored, and why."""

from __future__ import annotations

import pytest

from nbsteps.core.errors import MissingInputError, MutatedInputError, ProblemsError, UsageError
from nbsteps.core.events import RunStarted, Warned
from nbsteps.core.states import RunState, StepState
from nbsteps.testing import FakeEvaluator, MemoryStore, RecordingListener, make_session

RAW = "%%step load\nraw = [3, 1, 2]"
CLEAN = "%%step clean\nclean = sorted(raw)"
TOTAL = "%%step total\ntotal = sum(clean)"
CHAIN = (RAW, CLEAN, TOTAL)


def run(*sources, store, forced=(), targets=(), parameters=None):
    """Run a notebook in a fresh kernel; returns the steps whose bodies ran, the values, and the result."""
    session = make_session(*sources, store=store)
    result, errors = session.run(targets, forced=forced, parameters=parameters)
    evaluator = session.services.evaluator
    assert isinstance(evaluator, FakeEvaluator)
    evaluator.materialise(list(evaluator.waiting))
    return evaluator.executed, evaluator.names, result, errors


def check(before, after, *, reruns, because="", store=None):
    """Run ``before``, then ``after`` in a fresh kernel: exactly ``reruns`` execute, and equal a from-scratch run."""
    store = store or MemoryStore()
    run(*before, store=store)
    executed, names, result, _ = run(*after, store=store)
    assert executed == reruns.split(), {step.step: step.reasons for step in result.steps.values()}
    if because:
        assert ", ".join(result.steps[executed[0]].reasons) == because
    _, scratch, _, _ = run(*after, store=MemoryStore())
    values = {name: value for name, value in names.items() if isinstance(value, int | list | str | dict)}
    assert values == {name: scratch[name] for name in values}


def test_a_chain_runs_in_order_and_then_restores():
    store = MemoryStore()
    executed, names, result, _ = run(*CHAIN, store=store)
    assert executed == ["load", "clean", "total"]
    assert names["total"] == 6
    assert result.state is RunState.SUCCEEDED
    executed, names, result, _ = run(*CHAIN, store=store)
    assert executed == []
    assert names["total"] == 6
    assert {step.state for step in result.steps.values()} == {StepState.CACHED}


HELPER = "def scale(x):\n    return [FACTOR * y for y in x]"
SCALED = "%%step scaled\nscaled = scale(raw)"


@pytest.mark.parametrize(
    ("before", "after", "reruns", "because"),
    [
        pytest.param(CHAIN, CHAIN, "", "", id="nothing changed"),
        pytest.param(CHAIN, (RAW + "  # sorted below", CLEAN, TOTAL), "", "", id="a comment"),
        pytest.param(CHAIN, (CLEAN, TOTAL, RAW), "", "", id="moved cells"),
        pytest.param(CHAIN, ("%%step fetch\nraw = [3, 1, 2]", CLEAN, TOTAL), "", "", id="a renamed step"),
        pytest.param(CHAIN, ("%%step load --owner me\nraw = [3, 1, 2]", CLEAN, TOTAL), "", "", id="a label"),
        pytest.param(CHAIN, (RAW.replace("3", "4"), CLEAN, TOTAL), "load clean total", "code changed", id="a body"),
        pytest.param(CHAIN, (RAW.replace("3, 1", "1, 3"), CLEAN, TOTAL), "load clean", "code changed", id="cutoff"),
        pytest.param(
            ("FACTOR = 2", HELPER, RAW, SCALED),
            ("FACTOR = 3", HELPER, RAW, SCALED),
            "scaled",
            "constant FACTOR changed",
            id="a constant behind a helper",
        ),
        pytest.param(
            ("FACTOR = 2", HELPER, RAW, SCALED),
            ("FACTOR = 2", HELPER, RAW, SCALED, "unrelated = 1"),
            "",
            "",
            id="an unrelated cell",
        ),
        pytest.param(
            (RAW, "limit = max(raw)", "%%step below\nbelow = [x for x in clean if x < limit]", CLEAN),
            (
                "%%step load\nraw = [9, 1, 2]",
                "limit = max(raw)",
                "%%step below\nbelow = [x for x in clean if x < limit]",
                CLEAN,
            ),
            "load clean below",
            "code changed",
            id="a context cell between steps",
        ),
        pytest.param(
            CHAIN, ("%%step load --version 2\nraw = [3, 1, 2]", CLEAN, TOTAL), "load", "version is new", id="version"
        ),
    ],
)
def test_what_reruns(before, after, reruns, because):
    check(before, after, reruns=reruns, because="" if because == "version is new" else because)


def test_a_run_announces_owners_and_tags_of_its_steps():
    store = MemoryStore()
    run("%%step load --owner ana --tags x y\nraw = 1", "%%step clean\nclean = raw", store=store)
    started = next(event for event in store.events if isinstance(event, RunStarted))
    assert (started.owners, started.tags) == ({"load": "ana"}, {"load": ("x", "y")})


def test_parameters_count():
    cells = ("# parameters\nmonth = 1", "%%step load\nraw = [month] * 3", TOTAL.replace("clean", "raw"))
    store = MemoryStore()
    run(*cells, store=store)
    executed, names, _, _ = run(*cells, store=store, parameters={"month": 2})
    assert (executed, names["total"]) == (["load", "total"], 6)
    executed, names, _, _ = run(*cells, store=store, parameters={"month": 1})
    assert (executed, names["total"]) == ([], 3)


def test_an_unknown_parameter_is_refused():
    with pytest.raises(UsageError, match="no parameter 'year'"):
        run("# parameters\nmonth = 1", RAW, store=MemoryStore(), parameters={"year": 1})


def test_a_failure_stops_only_what_needs_it():
    store = MemoryStore()
    broken = ("%%step bad\nbad = 1 / 0", "%%step worse\nworse = bad + 1", *CHAIN)
    executed, _, result, errors = run(*broken, store=store)
    assert executed == ["bad", "load", "clean", "total"]
    assert result.steps["worse"].state is StepState.UPSTREAM_FAILED
    assert isinstance(errors["bad"], ZeroDivisionError)
    assert result.state is RunState.FAILED
    mended = ("%%step bad\nbad = 1", *broken[1:])
    executed, _, result, _ = run(*mended, store=store)
    assert executed == ["bad", "worse"]
    assert result.state is RunState.SUCCEEDED


def test_an_output_that_is_not_assigned_fails_the_step():
    _, _, result, _ = run("%%step a --out x\nif []:\n    x = 1", store=MemoryStore())
    assert result.steps["a"].failure.message == "the body ended without assigning x"


def test_an_input_changed_in_place_fails_the_step_and_is_put_back():
    store = MemoryStore()
    _, names, result, errors = run(RAW, "%%step clean\nraw.sort()\nclean = raw[0]", store=store)
    assert isinstance(errors["clean"], MutatedInputError)
    assert names["raw"] == [3, 1, 2]
    assert "raw" in result.steps["clean"].failure.message


def test_forced_steps_run_and_an_equal_result_spares_the_rest():
    store = MemoryStore()
    run(*CHAIN, store=store)
    executed, _, result, _ = run(*CHAIN, store=store, forced=["load"])
    assert executed == ["load"]
    assert result.steps["load"].reasons == ("forced",)


def test_a_damaged_value_is_made_again():
    store = MemoryStore()
    session = make_session(*CHAIN, store=store)
    session.run()
    store.values = {digest: value for digest, value in store.values.items() if value != [3, 1, 2]}
    executed, names, result, _ = run(*CHAIN[:1], CLEAN.replace("sorted", "list"), TOTAL, store=store)
    assert executed == ["load", "clean", "total"]
    assert names["clean"] == [3, 1, 2]
    assert result.state is RunState.SUCCEEDED


def test_a_cell_alone_takes_its_inputs_as_the_user_sees_them():
    session = make_session(*CHAIN)
    session.run()
    session.services.evaluator.materialise(["clean"])
    session.services.evaluator.namespace["clean"] = [10]
    done = session.run_cell("total")
    assert done.step.state is StepState.SUCCEEDED
    assert session.services.evaluator.namespace["total"] == 10


def test_a_cell_alone_restores_fresh_inputs():
    store = MemoryStore()
    make_session(*CHAIN, store=store).run()
    session = make_session(RAW, CLEAN, TOTAL.replace("sum", "max"), store=store)
    done = session.run_cell("total")
    assert session.services.evaluator.executed == ["total"]
    assert done.step.state is StepState.SUCCEEDED


def test_a_cell_alone_says_which_steps_to_run():
    session = make_session(*CHAIN)
    with pytest.raises(MissingInputError, match="steps to run: load, clean") as caught:
        session.run_cell("total")
    assert caught.value.problem.hint == "%pipeline run total"


def test_problems_keep_a_run_from_starting():
    session = make_session("%%step a --in nothing --out x\nx = nothing")
    with pytest.raises(ProblemsError, match="no cell writes nothing"):
        session.run()
    assert session.services.evaluator.executed == []


def test_an_output_that_cannot_be_stored_runs_each_time():
    store = MemoryStore()
    cells = ("import threading", "%%step lock\nlock = threading.Lock()", RAW)
    executed, _, _, _ = run(*cells, store=store)
    assert executed == ["lock", "load"]
    executed, _, result, _ = run(*cells, store=store)
    assert executed == ["lock"]
    assert result.state is RunState.SUCCEEDED


def test_a_managed_run_takes_each_step_once():
    session = make_session(*CHAIN)
    session.begin("papermill", managed=True)
    session.run_cell("total")
    session.run_cell("load")
    session.run_cell("clean")
    result = session.end()
    assert session.services.evaluator.executed == ["load", "clean", "total"]
    assert list(result.steps) == ["load", "clean", "total"]


def test_the_plan_is_a_forecast():
    store = MemoryStore()
    make_session(*CHAIN, store=store).run()
    session = make_session(RAW.replace("3", "4"), CLEAN, TOTAL, store=store)
    plan = session.plan()
    assert {name: str(decision.action) for name, decision in plan.decisions.items()} == {
        "load": "run",
        "clean": "may run",
        "total": "may run",
    }
    assert session.services.evaluator.executed == []
    assert plan.decisions["clean"].text == "raw may change"


def test_a_value_changed_between_its_step_and_the_next_is_put_back_with_a_warning():
    session = make_session(*CHAIN)
    heard = RecordingListener()
    session.services.listeners.append(heard)
    session.begin("papermill", managed=True)
    session.run_cell("load")
    session.services.evaluator.namespace["raw"].append(100)
    session.run_cell("clean")
    assert session.services.evaluator.namespace["clean"] == [1, 2, 3]
    assert [event.message for event in heard.events if isinstance(event, Warned)] == [
        "raw was changed since its step wrote it; the step gets what was written"
    ]


def test_a_body_that_changes_a_constant_behind_it_is_told():
    session = make_session("seen = []", "def note(x):\n    seen.append(x)\n    return x", "%%step load\nraw = note(1)")
    heard = RecordingListener()
    session.services.listeners.append(heard)
    session.run()
    assert [event.hint for event in heard.events if isinstance(event, Warned)] == [
        "work on a copy, or do not count it: --ignore seen"
    ]


def test_what_the_user_changed_in_the_same_cell_counts():
    session = make_session("FACTOR = 2", "%%step load\nraw = FACTOR")
    session.run()
    session.services.evaluator.namespace["FACTOR"] = 3
    session.run()
    assert session.services.evaluator.executed == ["load", "load"]


def test_an_unstorable_input_that_was_changed_is_not_passed_on():
    store = MemoryStore()
    store.refuse = lambda value: value == [1]
    session = make_session("%%step load\nraw = [1]", "%%step total\ntotal = sum(raw)", store=store)
    session.begin("papermill", managed=True)
    session.run_cell("load")
    session.services.evaluator.namespace["raw"].append(5)
    done = session.run_cell("total")
    assert done.step.state is StepState.FAILED
    assert "could not be stored" in done.step.reason


def test_clear_forgets_what_a_step_of_another_name_made():
    store = MemoryStore()
    run(*CHAIN, store=store)
    session = make_session("%%step fetch\nraw = [3, 1, 2]", CLEAN, TOTAL, store=store)
    session.clear(["fetch"])
    session.run()
    assert session.services.evaluator.executed == ["fetch"]
