"""Keeping a stored result although code changed, because the user says that the change is harmless."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from nbsteps.core.decide import Action, Decision
from nbsteps.core.errors import UsageError
from nbsteps.core.events import Accepted
from nbsteps.core.model import Result, Step
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.engine.forecasting import Forecast

if TYPE_CHECKING:
    from nbsteps.engine.session import Session

_K = ReasonKind
_HARMLESS: Final = frozenset(
    {_K.CODE, _K.HELPER, _K.CONSTANT, _K.MODULE, _K.PACKAGE, _K.VERSION, _K.PYTHON, _K.SCHEME, _K.OUTPUTS}
) | {_K.FAILED_LAST_TIME, _K.CANCELLED_LAST_TIME, _K.CRASHED_LAST_TIME}
"""What a user may say is of no consequence. Another input, file or parameter asks for another result."""


def acceptable(decision: Decision, result: Result | None) -> bool:
    """Whether a decision is one that :func:`accept` can turn: a step that would run for its code only."""
    reasons = decision.reasons
    return result is not None and decision.action is Action.RUN and all(each.kind in _HARMLESS for each in reasons)


def accept(session: Session, name: str) -> tuple[Result, tuple[Reason, ...]]:
    """Record the step's last result under its present key; void as soon as anything changes again.

    Returns:
        The result that is kept, and the reasons that would have made the step run.

    Raises:
        UsageError: there is nothing to accept, or it is not for code that the step would run.
    """
    graph = session.graph()
    session.services.epoch += 1
    forecast = Forecast(session, frozenset())
    decisions = forecast.over(session.select([name])).decisions
    step, decision = graph.steps[name], decisions[name]
    _check_parents(step, {parent: decisions[parent] for parent in graph.parents[name] if parent in decisions})
    result = _kept(session, step, decision)
    identity = forecast.identities[name]
    kept = replace(
        result,
        key=identity.key,
        static=identity.static,
        parts=identity.parts,
        notebook=session.services.notebook,
        step=name,
        accepted_by=session.services.host.user or "somebody",
    )
    refused = session.judge().would(step, identity, kept)
    if refused.action is not Action.RESTORE:
        raise _refusal(step, f"its result cannot be kept: {refused.text}")
    services = session.services
    services.emit(Accepted(services.clock.now(), services.notebook, name, kept, tuple(map(str, decision.reasons))))
    return kept, decision.reasons


def _check_parents(step: Step, parents: dict[str, Decision]) -> None:
    """What the step reads must be known.

    Raises:
        UsageError: a step before it is not fresh.
    """
    for parent, decision in parents.items():
        if decision.action is not Action.RESTORE:
            msg = f"step {parent}, which it rests on, is not fresh ({decision.text})"
            hint = f"%pipeline run {parent}, or %pipeline accept {parent}"
            raise UsageError(msg, step=step.name, cell=step.cell.label, hint=hint)


def _kept(session: Session, step: Step, decision: Decision) -> Result:
    """The result that the step had last.

    Raises:
        UsageError: it has none that could stand for the present one.
    """
    if decision.action is Action.RESTORE:
        raise _refusal(step, "it is up to date: there is nothing to accept")
    last = session.judge().last(step.name)
    if last is None or last.result is None:
        raise _refusal(step, f"it has no result to keep: {decision.text}")
    other = [reason for reason in decision.reasons if reason.kind not in _HARMLESS]
    if other:
        raise _refusal(step, f"it is not only for code that it would run: {other[0]}")
    absent = [each for each in step.outputs if each not in last.result.outputs and each not in step.optional]
    if absent:
        raise _refusal(step, f"its last result has no {absent[0]}")
    return last.result


def _refusal(step: Step, message: str) -> UsageError:
    return UsageError(message, step=step.name, cell=step.cell.label, hint=f"%pipeline why {step.name}")
