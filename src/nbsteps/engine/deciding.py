"""What people decide about a notebook's steps: requests for approval, wherever they were asked.

Needs a store and a clock only, so that the command line can decide without a kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from nbsteps.core.approvals import Approval, Request, Verdict
from nbsteps.core.errors import UsageError
from nbsteps.core.events import ApprovalDecided, Event
from nbsteps.core.forms import fill
from nbsteps.core.policies import OnExpire
from nbsteps.core.states import ApprovalState
from nbsteps.ports import Clock, Store

EXPIRY = "expiry"
"""Who decided where nobody did in time."""
_AFTER_EXPIRY: Final = {
    OnExpire.FAIL: "run it: over that it fails once (--on-expire fail), the time after it asks again",
    OnExpire.REJECT: "that counts as a rejection (--on-expire reject); to be asked again: %pipeline clear {step}",
    OnExpire.APPROVE: "that counts as an approval (--on-expire approve): run it",
}


@dataclass(frozen=True, slots=True)
class Decisions:
    """Where requests of one notebook are decided.

    Attributes:
        user: login name of whoever decides.
        emit: told of decisions; the store, and in a kernel its listeners too.
    """

    store: Store
    clock: Clock
    notebook: str
    user: str
    emit: Callable[[Event], None]

    def waiting(self, step: str = "") -> tuple[Request, ...]:
        """Requests that nobody decided yet, newest first; those whose time has passed are settled now."""
        found = (self.settled(each) for each in self.store.approvals(self.notebook, step))
        return tuple(each.request for each in found if each.verdict is None)

    def settled(self, approval: Approval) -> Approval:
        """The request with its decision, which is expiry's if its time has passed: expiry is absolute."""
        request = approval.request
        if approval.verdict is not None or request.expires_at is None or self.clock.now() < request.expires_at:
            return approval
        values = fill(request.fields, {}).values if request.on_expire is OnExpire.APPROVE else {}
        return self.decide(request, ApprovalState.EXPIRED, by=EXPIRY, values=values)

    def approve(self, step: str, given: Mapping[str, object], comment: str = "") -> Approval:
        """Approve the newest request of a step, with what was filled into its form.

        Raises:
            UsageError: nothing waits there, the user may not decide it, or the form is not valid; nothing changed.
        """
        request = self._mine(step)
        filled = fill(request.fields, given)
        if filled.messages:
            said = "; ".join(f"{name}: {message}" for name, message in filled.messages.items())
            form = " ".join(f"{field.name}={field.default or '...'}" for field in request.fields)
            msg = f"the form is not valid, nothing was decided: {said}"
            raise UsageError(msg, step=step, hint=f"approve {step} {form}".strip())
        return self._decided(request, ApprovalState.APPROVED, comment, filled.values)

    def reject(self, step: str, comment: str = "") -> Approval:
        """Reject the newest request of a step.

        Raises:
            UsageError: nothing waits there, or the user may not decide it.
        """
        return self._decided(self._mine(step), ApprovalState.REJECTED, comment, {})

    def decide(
        self,
        request: Request,
        state: ApprovalState,
        *,
        by: str,
        comment: str = "",
        values: Mapping[str, object] | None = None,
    ) -> Approval:
        """Record a decision, unless there is one: the first one counts, whoever made it in whichever process."""
        with self.store.flight(f"approval {request.request_id}"):
            for known in self.store.approvals(self.notebook, request.step):
                if known.request.request_id == request.request_id and known.verdict is not None:
                    return known
            verdict = Verdict(request.request_id, state, self.clock.now(), by, comment, dict(values or {}))
            self.emit(ApprovalDecided(verdict.at, request.run_id, request.notebook, request.step, verdict))
        return Approval(request, verdict)

    def _decided(self, request: Request, state: ApprovalState, comment: str, values: Mapping[str, object]) -> Approval:
        done = self.decide(request, state, by=self.user, comment=comment, values=values)
        mine = replace(done.verdict, at=0.0) if done.verdict is not None else None
        if mine != Verdict(request.request_id, state, 0.0, self.user, comment, dict(values)):
            raise self._late(request.step, done)
        return done

    def _mine(self, step: str) -> Request:
        """The newest waiting request of a step, which the user may decide.

        Raises:
            UsageError: there is none, or he may not.
        """
        known = [self.settled(each) for each in self.store.approvals(self.notebook, step)]
        waiting = next((each.request for each in known if each.verdict is None), None)
        if waiting is None:
            raise self._late(step, known[0]) if known else self._nothing(step)
        if waiting.approvers and self.user not in waiting.approvers:
            msg = f"{self.user or 'an unknown user'} may not decide this: approvers are {', '.join(waiting.approvers)}"
            raise UsageError(msg, step=step, hint=f"ask {waiting.approvers[0]}")
        return waiting

    def _nothing(self, step: str) -> UsageError:
        others = dict.fromkeys(request.step for request in self.waiting())
        hint = f"waiting: {', '.join(others)}" if others else f"no step of {self.notebook} waits"
        return UsageError("it waits for no approval", step=step, hint=hint)

    def _late(self, step: str, known: Approval) -> UsageError:
        verdict = known.verdict
        assert verdict is not None  # noqa: S101 - the callers have looked
        if verdict.state is ApprovalState.EXPIRED:
            msg = "it waits for no approval: its last request has expired"
            return UsageError(msg, step=step, hint=_AFTER_EXPIRY[known.request.on_expire].format(step=step))
        who = f" by {verdict.by}" if verdict.by else ""
        msg = f"it waits for no approval: its last request is {verdict.state}{who}"
        return UsageError(msg, step=step, hint="run it again; it asks again if what it asks for has changed")
