"""The behaviours that people expect of an orchestrator, rows 38 to 40: approval; and results kept by decision."""

from __future__ import annotations

import pytest

from nbsteps.core.decide import Action
from nbsteps.core.errors import UsageError
from nbsteps.core.events import Accepted, ApprovalDecided, StepWaiting
from nbsteps.core.states import ApprovalState, RunState
from nbsteps.engine.accepting import accept
from nbsteps.engine.deciding import Decisions
from nbsteps.engine.services import Host
from nbsteps.testing import MemoryStore
from tests.engine.acting import Played, again, begin, play

LOAD = "%%step load --out rows\nrows = [1, 2, 3]"
OTHER = "%%step other --out size\nsize = len(rows)"
SHIP = "%%step ship --in paid --out shipped\nshipped = paid"


def pay(options="", body="paid = sum(rows)"):
    return f"%%step pay --in rows --out paid --approve 'Pay {{rows}}?' {options}\n{body}"


def cells(options="", body="paid = sum(rows)"):
    return LOAD, pay(options, body), OTHER, SHIP


def office(played: Played, user="ana") -> Decisions:
    """Where somebody in another process decides."""
    services = played.session.services
    return Decisions(services.store, services.clock, services.notebook, user, services.store.emit)


def kernel(played: Played, *other, **options) -> Played:
    """A fresh kernel on the same store runs these cells; its clock goes on where the other one stood."""
    session = begin(*(other or tuple(cell.source for cell in played.session.cells.merged())), store=stored(played))
    session.services.clock.time = played.session.services.clock.time + options.pop("later", 1.0)
    return again(session, **options)


def stored(played: Played) -> MemoryStore:
    store = played.session.services.store
    assert isinstance(store, MemoryStore)
    return store


WAITING = {
    "load": "succeeded",
    "pay": "waiting(Pay list of 3?)",
    "other": "succeeded",
    "ship": "pending(step pay waits for approval)",
}


def test_38_the_run_pauses_and_everything_else_finishes():
    """Given a gate and another branch, when the pipeline runs, then the branch finishes and the call returns."""
    played = play(*cells())
    assert played.said() == WAITING
    assert played.result.state is RunState.WAITING
    assert played.executed == ["load", "other"]


def test_38_it_waits_still_after_the_kernel_restarted():
    """Given a pending request, when the kernel restarts and runs again, then the same request is still pending."""
    played = play(*cells())
    later = kernel(played)
    assert later.said() == WAITING | {"load": "cached", "other": "cached"}
    assert later.executed == []
    assert [event.request.request_id for event in later.heard.events if isinstance(event, StepWaiting)] == [
        request.request_id for request in office(played).waiting()
    ]


@pytest.mark.parametrize("restart", [False, True])
def test_38_after_the_approval_only_what_waited_runs(restart):
    """Given an approval from another process, when the run goes on, then only the gated part runs."""
    played = play(*cells())
    office(played).approve("pay", {})
    done = kernel(played) if restart else again(played.session)
    assert done.said() == {"load": "cached", "pay": "succeeded", "other": "cached", "ship": "succeeded"}
    assert done.executed[-2:] == ["pay", "ship"]
    assert done.value("shipped") == 6


def test_38_a_run_in_this_kernel_is_resumed_as_it_was_asked_for():
    """Given a run of one step that waits, when it is approved and resumed, then it goes on with just that step."""
    session = begin(*cells())
    assert session.resume() is None
    again(session, "pay")
    session.gate.decisions.approve("pay", {})
    result, _errors = session.resume()
    assert {name: str(step.state) for name, step in result.steps.items()} == {"load": "cached", "pay": "succeeded"}
    assert session.resume() is None


def test_38_a_run_that_still_goes_on_sees_the_approval():
    """Given another branch that is busy, when somebody approves meanwhile, then the same run goes on with the gate."""
    desks = []

    def decide():
        desks[0].approve("pay", {})
        return 1

    session = begin(LOAD, pay(), "%%step other --out size\nsize = decide()", SHIP, decide=decide)
    desks.append(session.gate.decisions)
    played = again(session)
    assert played.said() == dict.fromkeys(("load", "pay", "other", "ship"), "succeeded")
    assert played.executed == ["load", "other", "pay", "ship"]


def test_38_a_step_that_waits_for_a_retry_keeps_the_run_looking():
    """Given a retry that waits, when somebody approves meanwhile, then the gated step runs during the wait."""
    desks, calls = [], []

    def decide():
        calls.append(1)
        if len(calls) == 1:
            desks[0].approve("pay", {})
            raise ValueError
        return 1

    other = "%%step other --retries 1 --retry-delay 60s --out size\nsize = decide()"
    session = begin(LOAD, pay(), other, SHIP, decide=decide)
    desks.append(session.gate.decisions)
    assert again(session).executed == ["load", "other", "pay", "ship", "other"]


def test_38_a_lone_cell_waits_and_runs_after_the_approval():
    """Given a step cell that is executed by itself, when it needs approval, then it waits; afterwards it runs."""
    session = begin(*cells())
    again(session, "load")
    assert str(session.run_cell("pay").step.state) == "waiting"
    session.gate.decisions.approve("pay", {})
    assert str(session.run_cell("pay").step.state) == "succeeded"


def test_38_a_lone_cell_shows_what_its_question_is_about_and_leaves_it_there():
    """Given a question about what is no input, when its cell is executed by itself, then it shows the user's value."""
    session = begin(LOAD, "%%step gate --out passed --approve 'Go on with {rows}?'\npassed = True")
    again(session, "load")
    for _again in range(2):
        request = session.run_cell("gate").step.request
        assert request is not None
        assert request.message == "Go on with list of 3?"
        assert session.services.evaluator.namespace["rows"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("options", "pays", "ships", "run"),
    [
        ("", "skipped(rejected by ana: too much)", "skipped", "succeeded"),
        ("--on-reject fail", "failed(rejected by ana: too much)", "upstream_failed", "failed"),
    ],
)
def test_39_a_rejected_body_never_runs(options, pays, ships, run):
    """Given a rejection, when the run goes on, then the body never runs and its children are skipped."""
    played = play(*cells(options))
    office(played).reject("pay", "too much")
    done = kernel(played)
    assert done.said()["pay"] == pays
    assert str(done.result.steps["ship"].state) == ships
    assert str(done.result.state) == run
    assert done.executed == []
    assert kernel(played).said()["pay"] == pays


@pytest.mark.parametrize(
    ("rule", "pays", "run"),
    [
        ("", "failed(approval expired)", "failed"),
        ("--on-expire fail", "failed(approval expired)", "failed"),
        ("--on-expire reject", "skipped(approval expired)", "succeeded"),
        ("--on-expire reject --on-reject fail", "failed(approval expired)", "failed"),
        ("--on-expire approve", "succeeded", "succeeded"),
    ],
)
def test_39_a_request_expires_while_the_kernel_is_off(rule, pays, run):
    """Given a request that expired while nobody looked, when it is opened, then its rule holds, a click does not."""
    played = play(*cells(f"--approve-timeout 1h {rule}"))
    later = kernel(played, later=3601.0)
    assert later.said()["pay"] == pays
    assert str(later.result.state) == run
    for decide in (office(later).reject, lambda step: office(later).approve(step, {})):
        with pytest.raises(UsageError, match="waits for no approval: its last request has expired"):
            decide("pay")
    decided = [event for event in stored(played).events if isinstance(event, ApprovalDecided)]
    assert [(event.verdict.state, event.verdict.by) for event in decided] == [(ApprovalState.EXPIRED, "expiry")]


def test_39_a_click_that_comes_in_time_counts_after_the_time_too():
    """Given an approval in time, when the run goes on after the time, then it is approved."""
    played = play(*cells("--approve-timeout 1h"))
    office(played).approve("pay", {})
    assert kernel(played, later=36000.0).said()["pay"] == "succeeded"


def test_40_it_is_asked_again_when_what_was_shown_changed():
    """Given an approval, when an input changes, then it is asked again; when nothing changes, it is not."""
    played = play(*cells())
    office(played).approve("pay", {})
    assert kernel(played).said()["pay"] == "succeeded"
    assert kernel(played).said()["pay"] == "cached"
    changed = kernel(played, LOAD.replace("3]", "3, 4]"), pay(), OTHER, SHIP)
    assert changed.said()["pay"] == "waiting(Pay list of 4?)"
    edited = kernel(played, *cells(body="paid = 2 * sum(rows)"))
    assert edited.said()["pay"] == "waiting(Pay list of 3?)"
    assert len(office(played).waiting()) == 1
    assert kernel(played).said()["pay"] == "cached"


def test_40_an_approved_step_that_fails_is_not_asked_about_again():
    """Given an approval, when the body fails and runs again, then nobody is asked again."""
    played = play(*cells(body="paid = flaky(1)"))
    office(played).approve("pay", {})
    failed = again(played.session)
    assert str(failed.result.steps["pay"].state) == "failed"
    assert str(again(played.session).result.steps["pay"].state) == "succeeded"


def test_40_the_form_is_checked_and_its_values_are_inputs():
    """Given a form, when a value is invalid, then it is refused and nothing changes; valid ones reach the body."""
    form = "--ask amount:float=0.5 urgent:bool"
    played = play(*cells(form, body="paid = (amount, urgent)"))
    with pytest.raises(UsageError, match="urgent: it needs a value"):
        office(played).approve("pay", {"amount": "1"})
    assert again(played.session).said() == WAITING | {"load": "cached", "other": "cached"}
    office(played).approve("pay", {"urgent": "yes"}, "looks right")
    done = kernel(played)
    assert done.value("shipped") == (0.5, True)
    assert "amount" not in done.evaluator.names
    verdict = stored(played).verdicts[next(iter(stored(played).requests))]
    assert (verdict.by, verdict.comment, verdict.values) == ("ana", "looks right", {"amount": 0.5, "urgent": True})
    assert verdict.at == pytest.approx(played.session.services.clock.time, abs=10.0)
    assert kernel(played).said()["pay"] == "cached"


def test_40_other_values_are_another_result():
    """Given two approvals with other values, when the step runs, then it does not restore what the first ones gave."""
    played = play(*cells("--ask amount:int", body="paid = amount"))
    office(played).approve("pay", {"amount": 1})
    assert kernel(played).value("shipped") == 1
    played.session.clear(["pay"])
    assert kernel(played).said()["pay"] == "waiting(Pay list of 3?)"
    office(played).approve("pay", {"amount": 2})
    assert kernel(played).value("shipped") == 2


def test_40_a_forecast_knows_what_was_approved():
    """Given approvals, when a plan is made, then it knows what would wait, run and be restored."""
    played = play(*cells("--ask amount:int", body="paid = amount"))
    assert "waits for approval" in played.session.plan().decisions["pay"].text
    office(played).approve("pay", {"amount": 1})
    assert played.session.plan().decisions["pay"].action is Action.RUN
    again(played.session)
    assert played.session.plan().decisions["pay"].action is Action.RESTORE


def test_clearing_withdraws_what_waits():
    played = play(*cells())
    (request,) = office(played).waiting()
    played.session.clear(["pay"])
    assert stored(played).verdicts[request.request_id].state is ApprovalState.VOID
    assert again(played.session).said() == WAITING | {"load": "cached", "other": "cached"}


CHAIN = ("%%step a --out x\nx = 1", "%%step b --in x --out y\ny = x + 1", "%%step c --in y --out z\nz = y + 1")
EDITED = (CHAIN[0], "%%step b --in x --out y\ny = 1 + x", CHAIN[2])


def test_an_accepted_result_stands_for_the_changed_code_until_the_next_change():
    store = MemoryStore()
    play(*CHAIN, store=store)
    session = begin(*EDITED, store=store)
    assert session.plan().decisions["b"].text == "code changed"
    kept, reasons = accept(session, "b")
    assert (kept.accepted_by, [str(reason) for reason in reasons]) == ("user", ["code changed"])
    assert [event.result for event in store.events if isinstance(event, Accepted)] == [kept]
    done = again(session)
    assert (done.executed, done.said()) == ([], dict.fromkeys("abc", "cached"))
    assert done.result.steps["b"].reason == "accepted by user"
    assert session.why("b").result == kept
    changed = begin(CHAIN[0], "%%step b --in x --out y\ny = 2 + x", CHAIN[2], store=store)
    assert changed.plan().decisions["b"].text == "code changed"
    assert play(*EDITED, store=store).executed == []


def test_a_failed_attempt_with_the_changed_code_can_be_undone_by_accepting():
    store = MemoryStore()
    play(*CHAIN, store=store)
    failed = play(CHAIN[0], "%%step b --in x --out y\ny = x / 0", CHAIN[2], store=store)
    accept(failed.session, "b")
    assert again(failed.session).said() == dict.fromkeys("abc", "cached")


@pytest.mark.parametrize(
    ("ran", "now", "step", "said"),
    [
        (CHAIN, CHAIN, "b", "it is up to date: there is nothing to accept"),
        (CHAIN[:1], CHAIN, "b", "it has no result to keep: never ran"),
        (CHAIN, ("%%step a --out x\nx = 2", *CHAIN[1:]), "b", "step a, which it rests on, is not fresh (code changed)"),
        (CHAIN, EDITED, "nosuch", "there is no step 'nosuch'"),
        (CHAIN, (CHAIN[0], "%%step b --in x --out y w\ny = w = x", CHAIN[2]), "b", "its last result has no w"),
        (CHAIN, (CHAIN[0], "%%step b --cache off --in x --out y\ny = 1 + x", CHAIN[2]), "b", "cache off"),
        (CHAIN, (CHAIN[0], "%%step b --ttl 1s --in x --out y\ny = 1 + x", CHAIN[2]), "b", "cannot be kept: expired"),
    ],
)
def test_what_cannot_be_accepted_says_why(ran, now, step, said):
    store = MemoryStore()
    play(*ran, store=store)
    session = begin(*now, store=store)
    session.services.clock.time += 3600.0
    before = list(store.events)
    with pytest.raises(UsageError) as caught:
        accept(session, step)
    assert said in str(caught.value)
    assert store.events == before


def test_another_input_is_no_change_of_code():
    store = MemoryStore()
    play(*CHAIN, store=store)
    session = begin("%%step a --out x\nx = 2", *CHAIN[1:], store=store)
    again(session, "a")
    with pytest.raises(UsageError, match="it is not only for code that it would run: input x changed"):
        accept(session, "b")


def test_the_user_of_this_kernel_is_who_decides():
    session = begin(*cells())
    again(session)
    session.services.host = Host("host", 1, "carl")
    session.gate.decisions.reject("pay")
    assert again(session).said()["pay"] == "skipped(rejected by carl)"
