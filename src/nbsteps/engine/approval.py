"""The gate before a body: a step with ``--approve`` runs only after a person let it.

Waiting holds nothing: the request is a durable row, and whoever decides it may be in any process. A request belongs to
the code and the inputs that were shown; when they change it is void and another one is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from nbsteps.core.approvals import Approval, Request
from nbsteps.core.errors import UndigestibleError
from nbsteps.core.events import StepWaiting
from nbsteps.core.forms import bound, show_field
from nbsteps.core.key import make_key
from nbsteps.core.model import Part, PartKind, Step
from nbsteps.core.placeholders import fill, placeholders
from nbsteps.core.policies import OnExpire, OnReject
from nbsteps.core.states import ApprovalState, StepState
from nbsteps.engine.bindings import is_volatile
from nbsteps.engine.contracts import Open, Refused
from nbsteps.engine.deciding import Decisions
from nbsteps.engine.judge import Identity
from nbsteps.engine.services import Services, new_id
from nbsteps.identity import content

_PLAIN = (str, int, float, bool, type(None), Decimal, date, datetime)
_LONGEST = 200

Shown = Callable[[], Mapping[str, object]]


class Approvals:
    """The gate of one kernel's engine."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._announced: set[tuple[str, str]] = set()

    @property
    def decisions(self) -> Decisions:
        """Where requests of this notebook are decided."""
        services = self._services
        return Decisions(services.store, services.clock, services.notebook, services.host.user, services.emit)

    def check(self, step: Step, identity: Identity, run_id: str, shown: Shown) -> Open | Refused | Request:
        """Whether a person let the body run.

        Args:
            step: has ``--approve``.
            identity: as it is without the form's values; the request belongs to it.
            run_id: the run that asks.
            shown: gives the values of inputs and of what the text refers to; called to make a new request, and where
                the text shows something that is no input.

        Returns:
            ``Open``, ``Refused``, or the request that waits; it has been stored by ``StepWaiting`` in this run.
        """
        key = self._key(step, identity, shown)
        self._void(step, key)
        found = self._found(step, key)
        if found is None or self._past(found):
            return self._ask(step, identity, key, run_id, shown)
        return self._answer(found, run_id)

    def decided(self, request: Request) -> bool:
        """Whether a request that waited has been decided meanwhile, by whoever and wherever, or by its time."""
        every = self._services.store.approvals(request.notebook, request.step)
        mine = next((each for each in every if each.request.request_id == request.request_id), None)
        return mine is None or self.decisions.settled(mine).verdict is not None

    def known(self, step: Step, identity: Identity) -> Open | None:
        """What :meth:`check` would open with, asking nobody: for a forecast. None where it would not open."""
        if not set(placeholders(step.options.approve).names) <= identity.inputs.keys():
            return None
        found = self._found(step, self._key(step, identity, dict))
        answer = None if found is None or found.verdict is None else self._answer(found, "")
        return answer if isinstance(answer, Open) else None

    def withdraw(self, steps: Iterable[str]) -> None:
        """Nobody needs to decide about these steps any more."""
        decisions = self.decisions
        for step in steps:
            for request in decisions.waiting(step):
                decisions.decide(request, ApprovalState.VOID, by="", comment="cleared")

    def _answer(self, found: Approval, run_id: str) -> Open | Refused | Request:
        request, verdict = found.request, found.verdict
        if verdict is None:
            self._announce(request, run_id)
            return request
        late = verdict.state is ApprovalState.EXPIRED
        if verdict.state is ApprovalState.APPROVED or (late and request.on_expire is OnExpire.APPROVE):
            return Open(bound(request.fields, verdict.values))
        if late and request.on_expire is OnExpire.FAIL:
            return Refused(StepState.FAILED, "approval expired")
        state = StepState.FAILED if request.on_reject is OnReject.FAIL else StepState.SKIPPED
        said = f": {verdict.comment}" if verdict.comment else ""
        return Refused(state, "approval expired" if late else f"rejected by {verdict.by or 'somebody'}{said}")

    def _found(self, step: Step, key: str) -> Approval | None:
        """The newest request under this key that is not void."""
        decisions = self.decisions
        for each in self._services.store.approvals(self._services.notebook, step.name):
            if each.request.key == key:
                settled = decisions.settled(each)
                if settled.verdict is None or settled.verdict.state is not ApprovalState.VOID:
                    return settled
        return None

    def _past(self, found: Approval) -> bool:
        """Whether it expired and a run has failed over that already: nobody decided, so it is asked again."""
        verdict = found.verdict
        expired = verdict is not None and verdict.state is ApprovalState.EXPIRED
        if not expired or found.request.on_expire is not OnExpire.FAIL:
            return False
        name = found.request.step
        last = self._services.store.recall(self._services.notebook, (name,), ()).last.get(name)
        return last is None or last.state is not StepState.WAITING

    def _void(self, step: Step, key: str) -> None:
        """What was asked about other inputs or other code is of no use any more."""
        decisions = self.decisions
        for each in self._services.store.approvals(self._services.notebook, step.name):
            if each.verdict is None and each.request.key != key and decisions.settled(each).verdict is None:
                decisions.decide(each.request, ApprovalState.VOID, by="", comment="inputs or code changed")

    def _ask(self, step: Step, identity: Identity, key: str, run_id: str, shown: Shown) -> Open | Refused | Request:
        values = shown()
        try:
            message = fill(step.options.approve, values, short)
        except Exception as error:  # noqa: BLE001 - whatever a value does when it is formatted, the text shows it
            reason = f"the text of --approve cannot be filled in: {type(error).__name__}: {error}"
            return Refused(StepState.FAILED, reason)
        services, options = self._services, step.options
        now = services.clock.now()
        request = Request(
            request_id=new_id(),
            notebook=services.notebook,
            run_id=run_id,
            step=step.name,
            key=key,
            message=message,
            requested_at=now,
            fields=options.ask,
            body=step.body,
            inputs=tuple((name, content.summary(values[name])) for name in identity.inputs if name in values),
            expires_at=None if options.approve_timeout is None else now + options.approve_timeout,
            on_expire=options.on_expire,
            on_reject=options.on_reject,
            approvers=options.approvers,
        )
        with services.store.flight(f"request {services.notebook} {step.name}"):
            other = self._found(step, key)
            if other is not None and not self._past(other):
                return self._answer(other, run_id)
            self._announce(request, run_id)
        return request

    def _announce(self, request: Request, run_id: str) -> None:
        """Say once in each run that the step waits."""
        if (run_id, request.request_id) not in self._announced:
            self._announced.add((run_id, request.request_id))
            self._services.emit(StepWaiting(self._services.clock.now(), run_id, request.step, request))

    def _key(self, step: Step, identity: Identity, shown: Shown) -> str:
        """Digest of what a person is shown: code, inputs, question and form.

        What has no content digest cannot be told apart from one time to the next, and does not count.
        """
        parts = [replace(part, digest="-") if is_volatile(part.digest) else part for part in identity.parts]
        names = [name for name in placeholders(step.options.approve).names if name not in identity.inputs]
        more = shown() if names else {}
        parts += [Part(PartKind.VALUE, f"--approve {name}", _digest(more.get(name))) for name in names]
        form = (step.options.approve, *(show_field(field) for field in step.options.ask))
        return make_key([*parts, Part(PartKind.VALUE, "--approve", _text_digest(form))])


def short(value: object) -> str:
    """A value in a question: itself where it is a number or a text, else a few words on it."""
    if type(value) in _PLAIN:
        text = str(value)
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return content.summary(value)


def _digest(value: object) -> str:
    try:
        return content.digest(value)
    except UndigestibleError:
        return "-"


def _text_digest(texts: Iterable[str]) -> str:
    text = "\0".join(f"{len(each)}:{each}" for each in texts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
