"""The behaviours that people expect of an orchestrator, rows 18 to 30: resuming, dependencies, rules, branches."""

from __future__ import annotations

import pytest

from nbsteps.core.decide import Action
from nbsteps.core.errors import MissingInputError, ProblemsError
from nbsteps.core.events import StepEnded, StepSucceeded
from nbsteps.core.missing import MISSING
from nbsteps.core.states import RunState, StepState
from nbsteps.testing import MemoryStore
from tests.engine.acting import again, begin, play

GOOD = "value = 1"
BAD = "raise ValueError('bad')"
SKIPPED = "from nbsteps import Skip; raise Skip('nothing new')"


def step(name, body, options=""):
    """A step that writes a variable of its own name."""
    line = f"%%step {name} {options} --out {name}".replace("  ", " ")
    return f"{line}\nif len('x'):\n    {body}\n{name} = 0" if "raise" in body else f"{line}\n{name} = {body}"


PARENTS = {"succeeded": "1", "failed": BAD, "skipped": SKIPPED}


def check(*cells, then, run="succeeded", executed=None, store=None):
    """Given these cells, when they run, then steps and run end so; what is not named ended well."""
    played = play(*cells, store=store)
    ends = {name: str(done.state) for name, done in played.result.steps.items()}
    wanted = dict(word.split("=") for word in then.split())
    assert {name: ends[name] for name in wanted} == wanted
    assert all(end in {"succeeded", "cached"} for name, end in ends.items() if name not in wanted), ends
    assert str(played.result.state) == run
    if executed is not None:
        assert played.executed == executed.split()
    return played


@pytest.mark.parametrize(
    ("rule", "parents", "then"),
    [
        ("all_success", "succeeded failed", "upstream_failed"),
        ("all_success", "succeeded skipped", "skipped"),
        ("all_success", "failed skipped", "upstream_failed"),
        ("none_failed", "succeeded skipped", "succeeded"),
        ("none_failed", "succeeded failed", "upstream_failed"),
        ("none_failed_min_one_success", "skipped skipped", "skipped"),
        ("none_failed_min_one_success", "succeeded skipped", "succeeded"),
        ("one_success", "failed failed", "upstream_failed"),
        ("one_success", "skipped skipped", "skipped"),
        ("one_success", "failed succeeded", "succeeded"),
        ("one_failed", "succeeded succeeded", "skipped"),
        ("one_failed", "succeeded failed", "succeeded"),
        ("all_done", "failed skipped", "succeeded"),
        ("all_failed", "failed failed", "succeeded"),
        ("all_failed", "failed succeeded", "skipped"),
        ("all_skipped", "skipped skipped", "succeeded"),
        ("none_skipped", "failed succeeded", "succeeded"),
        ("always", "failed skipped", "succeeded"),
        ("one_done", "skipped skipped", "skipped"),
    ],
)
def test_22_to_27_trigger_rules(rule, parents, then):
    """Given two parents that end so, when a step with this rule is reached, then it ends so."""
    first, second = parents.split()
    run = "failed" if "failed" in (first, second) else "succeeded"
    child = step("child", "[left, right]", f"--trigger {rule}")
    played = check(
        step("left", PARENTS[first]),
        step("right", PARENTS[second]),
        child,
        then=f"left={first} right={second} child={then}",
        run=run,
    )
    if then == "succeeded":
        seen = [1 if end == "succeeded" else MISSING for end in (first, second)]
        assert played.value("child") == seen


def test_23_what_only_follows_a_step_that_could_not_run_is_upstream_failed():
    check(
        step("a", BAD),
        step("b", "a"),
        step("c", SKIPPED),
        step("d", "[b, c]", "--trigger none_failed"),
        then="a=failed b=upstream_failed c=skipped d=upstream_failed",
        run="failed",
    )


def test_26_one_failed_starts_while_another_parent_still_runs():
    played = play(
        "%%step slow --retries 1 --retry-delay 1h\nflaky(1)\nslow = 1",
        step("bad", BAD),
        step("alarm", "1", "--after slow bad --trigger one_failed"),
    )
    assert played.executed == ["slow", "bad", "alarm", "slow"]
    assert played.result.state is RunState.FAILED


def test_27_a_cleanup_turns_no_run_green_and_is_executed_each_time_the_failure_is():
    store = MemoryStore()
    cells = (step("a", BAD), step("clean", "1", "--after a --trigger all_done --cache off"))
    check(*cells, then="a=failed clean=succeeded", run="failed", executed="a clean", store=store)
    check(*cells, then="a=failed clean=succeeded", run="failed", executed="a clean", store=store)


def test_21_a_diamond_runs_each_step_once():
    check(step("a", "1"), step("d", "b + c"), step("b", "a + 1"), step("c", "a + 2"), then="", executed="a b c d")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (("%%step a\nx = y", "%%step b\ny = x"), "need each other in a circle: .*a .cell 1.*b .cell 2"),
        (("%%step a --in nowhere\nx = nowhere",), "nowhere"),
        (("%%step a --after nobody\nx = 1",), "nobody"),
        (("%%step a --when \"failed('nobody')\"\nx = 1",), "nobody"),
        (("%%step a --catch nobody\nx = 1",), "nobody"),
    ],
)
def test_21_what_cannot_be_ordered_is_said_and_nothing_runs(cells, message):
    session = begin(*cells, "%%step other\nz = 1")
    with pytest.raises(ProblemsError, match=message):
        session.run()
    assert session.services.evaluator.executed == []


def test_28_a_caught_failure_leaves_the_run_a_success():
    played = check(
        step("load", "raise KeyError('shop')"),
        step("use", "load"),
        "%%step handle --catch load --out said\nsaid = repr(error)",
        step("tell", "said"),
        then="load=failed use=upstream_failed handle=succeeded",
    )
    assert played.value("tell") == "KeyError('shop')"
    assert played.result.steps["load"].handled
    assert "error" not in played.evaluator.names


def test_28_without_a_failure_there_is_nothing_to_handle():
    check(step("load", "1"), "%%step handle --catch load\nsaid = repr(error)", then="handle=skipped", executed="load")


def test_28_another_failure_is_handled_anew():
    store = MemoryStore()
    handle = "%%step handle --catch load --out said\nsaid = repr(error)"
    assert (
        check(step("load", "raise KeyError(1)"), handle, then="load=failed", store=store).value("said") == "KeyError(1)"
    )
    second = check(step("load", "raise KeyError(2)"), handle, then="load=failed", store=store)
    assert (second.executed, second.value("said")) == (["load", "handle"], "KeyError(2)")
    third = check(step("load", "raise KeyError(2)"), handle, then="load=failed", store=store)
    assert (third.executed, third.value("said")) == (["load"], "KeyError(2)")


def test_28_a_handler_that_fails_handles_nothing():
    check(
        step("load", BAD),
        "%%step handle --catch load\nraise RuntimeError",
        then="load=failed handle=failed",
        run="failed",
    )


MEMBERS = (
    "%%step small --branch size --when \"total < 10\" --out answer\nanswer = 'small'",
    "%%step middle --branch size --when \"total < 100\" --out answer\nanswer = 'middle'",
    "%%step big --branch size --when \"total < 1000\" --out answer\nanswer = 'big'",
)
ELSE = "%%step huge --branch size --when else --out answer\nanswer = 'huge'"
JOIN = "%%step report\ntext = f'it is {answer}'"


@pytest.mark.parametrize(
    ("total", "members", "taken", "then"),
    [
        (50, MEMBERS, "middle", "small=skipped big=skipped"),
        (5, MEMBERS, "small", "middle=skipped big=skipped"),
        (5000, (*MEMBERS, ELSE), "huge", "small=skipped middle=skipped big=skipped"),
        (5000, MEMBERS, "", "small=skipped middle=skipped big=skipped report=skipped"),
    ],
)
def test_29_one_member_of_a_branch_runs_and_a_join_reads_what_it_made(total, members, taken, then):
    store = MemoryStore()
    cells = (step("total", str(total)), *members, JOIN)
    played = check(*cells, then=then, executed=f"total {taken} report" if taken else "total", store=store)
    if taken:
        assert played.value("text") == f"it is {taken}"
    restored = check(*cells, then=then, executed="", store=store)
    if taken:
        assert restored.value("text") == f"it is {taken}"
    planned = begin(*cells, store=store).plan()
    assert not planned.steps(Action.RUN, Action.MAY_RUN)


def test_29_another_member_takes_over_in_the_same_kernel():
    session = begin("# parameters\ntotal = 5", *MEMBERS, JOIN)
    assert again(session).value("text") == "it is small"
    assert again(session, parameters={"total": 500}).value("text") == "it is big"
    assert again(session, parameters={"total": 5}).value("text") == "it is small"
    assert session.services.evaluator.executed == ["small", "report", "big", "report"]


@pytest.mark.parametrize(("when", "word"), [("1 / 0", "failed"), ("total", "was taken")])
def test_29_a_member_that_fails_before_its_condition_is_known_was_not_taken(when, word):
    first = f"%%step first --branch size --when '{when}' --out answer\nanswer = 1 / 0"
    played = check(step("total", "5"), first, ELSE, then="first=failed huge=skipped", run="failed")
    assert played.said()["huge"] == f"skipped(step first of branch size {word})"


@pytest.mark.parametrize("options", ["", "--retries 3"])
def test_30_a_condition_that_raises_fails_its_step_without_a_retry(options):
    played = check(
        step("a", "0"), step("b", "1", f'--when "1 / a" {options}'), then="b=failed", run="failed", executed="a"
    )
    assert played.said()["b"] == "failed(condition)"
    assert isinstance(played.errors["b"], ZeroDivisionError)
    assert played.result.steps["b"].failure.error_type == "ZeroDivisionError"


@pytest.mark.parametrize(
    ("condition", "then"),
    [
        ("a > 0", "succeeded"),
        ("a > LIMIT", "skipped"),
        ("failed('bad') and not succeeded('bad')", "succeeded"),
        ("skipped('idle')", "succeeded"),
        ("succeeded('a') and not skipped('a')", "succeeded"),
        ("any(x > 0 for x in [a])", "succeeded"),
    ],
)
def test_conditions_ask_values_and_ends(condition, then):
    check(
        "LIMIT = 3",
        step("a", "1"),
        step("bad", BAD),
        step("idle", SKIPPED),
        step("b", "1", f'--when "{condition}"'),
        then=f"bad=failed idle=skipped b={then}",
        run="failed",
    )


def test_a_condition_is_no_part_of_the_identity():
    store = MemoryStore()
    check(step("a", "1"), step("b", "2", '--when "a > 0"'), then="", store=store)
    check(step("a", "3"), step("b", "2", '--when "a > 1"'), then="", executed="a", store=store)


def test_a_body_may_say_that_it_has_nothing_to_do():
    played = check(step("a", SKIPPED), step("b", "a"), then="a=skipped b=skipped", executed="a")
    assert played.said() == {"a": "skipped(nothing new)", "b": "skipped(step a skipped)"}
    assert [type(event).__name__ for event in played.heard.events if isinstance(event, StepSucceeded | StepEnded)] == [
        "StepEnded",
        "StepEnded",
    ]


def test_what_a_skipped_step_made_before_is_gone():
    session = begin("# parameters\ngo = True", step("a", "1", '--when "go"'), "doubled = a * 2", step("b", "doubled"))
    assert again(session).value("b") == 2
    played = again(session, parameters={"go": False})
    assert played.said() == {"a": "skipped(condition is false: go)", "b": "skipped(step a skipped)"}
    assert "a" not in played.evaluator.names


def test_fail_fast_starts_nothing_more():
    cells = (step("a", "1"), step("b", BAD), step("c", "1"), step("d", "b"))
    played = play(*cells, fail_fast=True)
    assert played.executed == ["a", "b"]
    assert played.result.state is RunState.FAILED
    assert played.said()["c"] == "cancelled(step b failed (--fail-fast))"
    going = play(*cells)
    assert going.executed == ["a", "b", "c"]
    assert going.said()["d"] == "upstream_failed(step b failed)"


def test_18_a_second_run_executes_only_what_did_not_succeed():
    store = MemoryStore()
    cells = [step(f"s{i}", f"s{i - 1}" if i else "0") for i in range(7)]
    broken = [*cells[:3], step("s3", BAD), *cells[4:]]
    assert play(*broken, store=store).executed == ["s0", "s1", "s2", "s3"]
    assert play(*cells, store=store).executed == ["s3", "s4", "s5", "s6"]
    assert play(*cells, store=store).executed == []


def cells_one_by_one(session, *names):
    """Execute step cells alone, one after the other, as a user goes through a notebook."""
    return [str(session.run_cell(name).step.state) for name in names]


def test_lone_cells_follow_branches_conditions_and_skips():
    session = begin("total = 50", *MEMBERS, JOIN, step("idle", SKIPPED), step("after", "idle"))
    session.services.evaluator.run_context(session.cells.merged()[0])
    ends = cells_one_by_one(session, "small", "middle", "big", "report", "idle", "after")
    assert ends == ["skipped", "succeeded", "skipped", "succeeded", "skipped", "skipped"]
    assert session.services.evaluator.names["text"] == "it is middle"


def test_lone_cells_handle_failures():
    session = begin(step("load", BAD), "%%step handle --catch load\nsaid = repr(error)", step("use", "load"))
    assert cells_one_by_one(session, "load", "handle") == ["failed", "succeeded"]
    assert session.services.evaluator.names["said"] == "ValueError('bad')"
    with pytest.raises(MissingInputError, match="step load, which writes it, is not fresh"):
        session.run_cell("use")


def test_a_lone_cell_that_takes_what_is_missing_gets_it():
    session = begin(step("a", SKIPPED), step("b", "repr(a)", "--trigger none_failed"))
    assert cells_one_by_one(session, "a", "b") == ["skipped", "succeeded"]
    assert session.services.evaluator.names["b"] == "nbsteps.MISSING"
    assert StepState.SKIPPED is session.ended["a"].state


def test_18_a_step_with_side_effects_is_reused_only_while_its_run_is_resumed():
    store = MemoryStore()
    send, bad, good = step("send", "1", "--cache run"), step("after", BAD), step("after", "send")
    assert play(send, bad, store=store).executed == ["send", "after"]
    assert play(send, bad, store=store).executed == ["after"]
    assert begin(send, good, store=store).plan().decisions["send"].action is Action.RESTORE
    assert play(send, good, store=store).executed == ["after"]
    assert play(send, good, store=store).executed == ["send"]


def test_18_so_it_is_while_a_run_waits_for_a_person():
    store = MemoryStore()
    cells = (step("send", "1", "--cache run"), step("pay", "send", "--approve 'go on?'"))
    first = play(*cells, store=store)
    assert first.said() == {"send": "succeeded", "pay": "waiting(go on?)"}
    first.session.gate.decisions.approve("pay", {})
    second = play(*cells, store=store)
    assert (second.executed, second.said()) == (["pay"], {"send": "cached", "pay": "succeeded"})
    assert play(*cells, store=store).executed == ["send"]


def managed(*cells):
    """A kernel in which the papermill engine has opened a run."""
    session = begin(*cells)
    session.begin("papermill", managed=True)
    return session, session.services.evaluator


def test_a_managed_cell_that_waits_for_its_retry_lets_others_run_that_need_no_cell_above_them():
    session, evaluator = managed(
        "%%step slow --retries 1 --retry-delay 1h\nflaky(1)\nslow = 1",
        step("other", "2"),
        "LIMIT = 3",
        step("limited", "LIMIT"),
        step("after", "other"),
        step("last", "slow"),
    )
    assert session.run_cell("slow").shown
    assert evaluator.executed == ["slow", "other", "after", "slow"]
    assert evaluator.contexts == []
    done = session.run_cell("other")
    assert (str(done.step.state), done.shown) == ("succeeded", False)
    assert cells_one_by_one(session, "limited", "after", "last") == ["succeeded"] * 3
    assert str(session.end().state) == "succeeded"


def test_a_managed_run_says_what_has_to_wait():
    session, _ = managed(step("pay", "1", "--approve 'go on?'"), step("after", "pay"), step("other", "2"))
    assert cells_one_by_one(session, "pay", "after", "other") == ["waiting", "pending", "succeeded"]
    result = session.end()
    assert str(result.state) == "waiting"
    assert result.steps["after"].reason == "step pay waits for approval"
