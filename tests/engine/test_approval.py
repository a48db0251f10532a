"""The gate and the desk by themselves: what is asked, who may decide, what a decision opens, what makes it void."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from nbsteps.core.approvals import Request
from nbsteps.core.errors import UsageError
from nbsteps.core.events import Cleared, RunStarted, StepEnded, StepWaiting
from nbsteps.core.forms import read_field
from nbsteps.core.model import Cell, Part, PartKind, Run, Step, StepOptions
from nbsteps.core.policies import OnExpire, OnReject
from nbsteps.core.states import ApprovalState, StepState
from nbsteps.engine.approval import Approvals, short
from nbsteps.engine.bindings import Bound, unique_digest
from nbsteps.engine.contracts import Open, Refused
from nbsteps.engine.deciding import Decisions
from nbsteps.engine.judge import Identity
from nbsteps.engine.services import Host, Services
from nbsteps.testing import FakeClock, FakeEvaluator, MemoryStore

NOTEBOOK = "test.ipynb"
SHOWN: Mapping[str, object] = {"total": 1234.5, "rows": [1, 2, 3]}


class Office:
    """A kernel's gate, over a store that another kernel may share."""

    def __init__(self, store: MemoryStore | None = None, user: str = "ana", **options: Any) -> None:
        self.store = store or MemoryStore()
        self.clock = FakeClock(1000.0 + len(self.store.events))
        self.services = Services(FakeEvaluator(), self.store, self.clock, Host("host", 1, user), notebook=NOTEBOOK)
        self.gate = Approvals(self.services)
        self.options = StepOptions(**{"approve": "Pay {total:.2f} for {rows}?", **options})
        self.asked = 0
        self.run("r1")

    def run(self, run_id: str) -> None:
        self.run_id = run_id
        run = Run(run_id, NOTEBOOK, "cli", self.clock.now(), "host", 1, "ana")
        self.services.emit(RunStarted(self.clock.now(), run, ("pay",)))

    def other(self, user: str = "bob") -> Office:
        """The same step in another process."""
        found = Office(self.store, user)
        found.options = self.options
        return found

    def shown(self) -> Mapping[str, object]:
        self.asked += 1
        return SHOWN

    def check(self, rows: str = "1" * 32, code: str = "2" * 32) -> Open | Refused | Request:
        parts = (Part(PartKind.CODE, "body", code), Part(PartKind.VALUE, "rows", rows, role="input"))
        inputs = {"total": Bound("3" * 32, None), "rows": Bound(rows, None)}
        step = Step("pay", Cell("cell 1", ""), "send(rows)", self.options, ("rows",), (), frozenset({"rows"}))
        return self.gate.check(step, Identity("k", "s", parts, inputs, ()), self.run_id, self.shown)

    def end(self, state: StepState) -> None:
        self.services.emit(StepEnded(self.clock.now(), self.run_id, "pay", state, ""))

    @property
    def decisions(self) -> Decisions:
        return self.gate.decisions


def wait(office: Office, **given: str) -> Request:
    found = office.check(**given)
    assert isinstance(found, Request)
    return found


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        call()
    return str(caught.value)


def test_what_was_shown_is_stored_with_the_request() -> None:
    request = wait(Office(approve_timeout=60.0, approvers=("ana",), ask=(read_field("amount:float=0.5"),)))
    assert (request.message, request.body) == ("Pay 1234.50 for list of 3?", "send(rows)")
    assert request.inputs == (("total", "float 1234.5"), ("rows", "list of 3"))
    assert (request.expires_at, request.approvers) == (request.requested_at + 60.0, ("ana",))
    assert [field.name for field in request.fields] == ["amount"]


def test_it_is_asked_once_and_announced_once_a_run() -> None:
    office = Office()
    first = wait(office)
    assert wait(office) == first
    office.run("r2")
    assert wait(office) == first
    told = [(event.run_id, event.request) for event in office.store.events if isinstance(event, StepWaiting)]
    assert told == [("r1", first), ("r2", first)]
    assert office.asked == 1


def test_an_approval_in_another_process_opens_the_gate_with_its_values() -> None:
    office = Office(ask=(read_field("amount:float=0.5"), read_field("day:date")))
    wait(office)
    done = office.other().decisions.approve("pay", {"amount": "0.25", "day": "2026-01-31"}, "looks right")
    assert done.verdict is not None
    assert (done.verdict.by, done.verdict.comment) == ("bob", "looks right")
    opened = office.check()
    assert isinstance(opened, Open)
    assert {name: str(value) for name, value in opened.values.items()} == {"amount": "0.25", "day": "2026-01-31"}
    office.run("r2")
    assert office.check() == opened


def test_whether_a_request_was_decided_meanwhile_is_seen() -> None:
    office = Office(approve_timeout=60.0)
    first = wait(office)
    assert not office.gate.decided(first)
    office.other().decisions.reject("pay")
    assert office.gate.decided(first)
    second = wait(office, rows="9" * 32)
    office.clock.time += 60.0
    assert office.gate.decided(second)
    assert office.gate.decided(replace(second, request_id="cleared"))


@pytest.mark.parametrize("change", [{"rows": "9" * 32}, {"code": "9" * 32}])
def test_a_request_is_void_when_what_it_showed_changes(change: dict[str, str]) -> None:
    office = Office()
    first = wait(office)
    second = wait(office, **change)
    assert second.request_id != first.request_id
    assert office.store.verdicts[first.request_id].state is ApprovalState.VOID
    assert [request.request_id for request in office.decisions.waiting()] == [second.request_id]
    third = wait(office)
    assert third.request_id not in {first.request_id, second.request_id}


@pytest.mark.parametrize("options", [{"approve": "Really?"}, {"ask": (read_field("note"),)}])
def test_another_question_is_asked_again(options: dict[str, Any]) -> None:
    office = Office()
    wait(office)
    office.decisions.approve("pay", {})
    assert isinstance(office.check(), Open)
    office.options = replace(office.options, **options)
    wait(office)


def test_an_approval_holds_for_what_it_was_given_for() -> None:
    office = Office()
    wait(office)
    office.decisions.approve("pay", {})
    wait(office, rows="9" * 32)
    assert isinstance(office.check(), Open)


def test_a_value_without_content_does_not_make_every_request_void() -> None:
    office = Office()
    first = wait(office, rows=unique_digest())
    assert wait(office, rows=unique_digest()) == first


def test_what_is_shown_and_is_no_input_counts() -> None:
    office = Office(approve="Pay {fee}?")
    values = {"fee": 1}
    office.shown = lambda: values  # type: ignore[method-assign]
    first = wait(office)
    assert wait(office) == first
    values["fee"] = 2
    assert wait(office).message == "Pay 2?"


@pytest.mark.parametrize(
    ("on_reject", "state"), [(OnReject.SKIP, StepState.SKIPPED), (OnReject.FAIL, StepState.FAILED)]
)
def test_a_rejection_keeps_the_body_from_running(on_reject: OnReject, state: StepState) -> None:
    office = Office(on_reject=on_reject)
    wait(office)
    office.decisions.reject("pay", "too much")
    assert office.check() == Refused(state, "rejected by ana: too much")
    office.end(state)
    office.run("r2")
    assert office.check() == Refused(state, "rejected by ana: too much")
    wait(office, rows="9" * 32)


@pytest.mark.parametrize(
    ("on_expire", "on_reject", "expected"),
    [
        (OnExpire.FAIL, OnReject.SKIP, Refused(StepState.FAILED, "approval expired")),
        (OnExpire.REJECT, OnReject.SKIP, Refused(StepState.SKIPPED, "approval expired")),
        (OnExpire.REJECT, OnReject.FAIL, Refused(StepState.FAILED, "approval expired")),
        (OnExpire.APPROVE, OnReject.SKIP, Open({"amount": 0.5})),
    ],
)
def test_a_request_expires_also_while_nobody_looks(
    on_expire: OnExpire, on_reject: OnReject, expected: Open | Refused
) -> None:
    form = (read_field("amount:float=0.5"),)
    office = Office(on_expire=on_expire, on_reject=on_reject, approve_timeout=60.0, ask=form)
    wait(office)
    later = office.other("ana")
    later.clock.time = office.clock.time + 61.0
    later.run("r2")
    assert later.check() == expected
    assert "expired" in refused(lambda: later.decisions.approve("pay", {}))
    assert "expired" in refused(lambda: later.decisions.reject("pay"))


@pytest.mark.parametrize(
    ("rule", "mend"),
    [("fail", "the time after it asks again"), ("reject", "%pipeline clear pay"), ("approve", "an approval")],
)
def test_who_comes_too_late_hears_what_that_means(rule, mend) -> None:
    office = Office(approve_timeout=60.0, on_expire=OnExpire(rule))
    wait(office)
    office.clock.time += 60.0
    with pytest.raises(UsageError) as error:
        office.decisions.approve("pay", {})
    assert mend in error.value.problem.hint


def test_who_comes_too_late_is_refused_although_nobody_looked_before() -> None:
    office = Office(approve_timeout=60.0)
    wait(office)
    office.clock.time += 60.0
    assert "its last request has expired" in refused(lambda: office.decisions.approve("pay", {}))
    assert office.check() == Refused(StepState.FAILED, "approval expired")


def test_after_a_run_failed_because_nobody_decided_it_is_asked_again() -> None:
    office = Office(approve_timeout=60.0)
    first = wait(office)
    office.clock.time += 60.0
    assert office.check() == Refused(StepState.FAILED, "approval expired")
    office.end(StepState.FAILED)
    office.run("r2")
    second = wait(office)
    assert second.request_id != first.request_id
    assert second.expires_at == office.clock.time + 60.0


def test_a_form_that_is_not_valid_changes_nothing() -> None:
    office = Office(ask=(read_field("amount:float"), read_field("size:small|large=small")))
    wait(office)
    before = list(office.store.events)
    for given, said in [
        ({}, "amount: it needs a value"),
        ({"amount": "much"}, "amount: 'much' is no number"),
        ({"amount": "1", "size": "huge"}, "size: 'huge' is none of small, large"),
        ({"amount": "1", "colour": "red"}, "colour: the form has no such field"),
    ]:
        assert said in refused(lambda given=given: office.decisions.approve("pay", given))  # type: ignore[misc]
    assert office.store.events == before
    wait(office)


def test_only_the_approvers_decide() -> None:
    office = Office(approvers=("ana", "carl"))
    wait(office)
    assert "bob may not decide this: approvers are ana, carl" in refused(
        lambda: office.other("bob").decisions.approve("pay", {})
    )
    assert "may not decide" in refused(lambda: office.other("").decisions.reject("pay"))
    office.other("carl").decisions.reject("pay")
    assert isinstance(office.check(), Refused)


def test_the_first_decision_counts() -> None:
    office = Office()
    wait(office)
    office.decisions.approve("pay", {})
    assert "its last request is approved by ana" in refused(lambda: office.other("bob").decisions.reject("pay"))
    assert isinstance(office.check(), Open)


def test_two_who_decide_the_same_request_at_once_do_not_both_win() -> None:
    office = Office()
    request = wait(office)
    bob = office.other("bob").decisions
    office.decisions.decide(request, ApprovalState.REJECTED, by="ana")
    said = refused(lambda: bob._decided(request, ApprovalState.APPROVED, "", {}))
    assert "rejected by ana" in said


def test_where_nothing_waits_others_that_do_are_named() -> None:
    office = Office()
    assert "no step of test.ipynb waits" in refused(lambda: office.decisions.approve("ship", {}))
    wait(office)
    assert "waiting: pay" in refused(lambda: office.decisions.approve("ship", {}))


def test_a_question_that_cannot_be_filled_in_fails_the_step() -> None:
    office = Office(approve="Pay {rows:.2f}?")
    found = office.check()
    assert isinstance(found, Refused)
    assert (found.state, "--approve cannot be filled in: TypeError" in found.reason) == (StepState.FAILED, True)
    assert office.store.requests == {}


def test_a_cleared_step_is_asked_again() -> None:
    office = Office()
    wait(office)
    office.decisions.reject("pay")
    office.services.emit(Cleared(office.clock.now(), NOTEBOOK, "pay"))
    wait(office)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(3, "3"), ("Ana", "Ana"), (1.5, "1.5"), (None, "None"), ([1, 2], "list of 2"), ("x" * 300, "x" * 199 + "…")],
)
def test_values_in_a_question_are_short(value: object, shown: str) -> None:
    assert short(value) == shown
