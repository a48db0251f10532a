"""The only module that knows what stale means.

One pure function from facts to a decision with its reasons. The plan calls it as a forecast, the runner with real
digests; whatever else wants to know whether a step is fresh asks one of those two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from nbsteps.core.key import change, difference
from nbsteps.core.model import CacheMode, Part, Result, StepOptions
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.sides import moment
from nbsteps.core.states import StepState


class Action(StrEnum):
    """What is to be done with a step; ``may run`` only in a forecast, ``context`` only for a context cell."""

    RUN = "run"
    MAY_RUN = "may run"
    RESTORE = "restore"
    CONTEXT = "context"
    SKIP = "skip"


class Facts(NamedTuple):
    """Everything a decision depends on.

    Attributes:
        parts: the key's ingredients as they are now.
        candidates: results stored under the key, newest first.
        changed: candidate's position -> the files and variables it observed that are no longer the same, as they are.
        uncacheable: names, with what is wrong, that keep the result from having an identity.
        last_state: how the step ended last in this notebook; None if it never ran.
        last_parts: ingredients of the result it last produced or restored; None if there is none.
        now: seconds since the epoch.
        run_id: the run that asks, for ``--cache run``.
        missing: digests of stored values found to be damaged or gone.
    """

    options: StepOptions
    parts: tuple[Part, ...]
    candidates: tuple[Result, ...] = ()
    changed: Mapping[int, tuple[Part, ...]] | None = None
    uncacheable: tuple[str, ...] = ()
    forced: bool = False
    last_state: StepState | None = None
    last_parts: tuple[Part, ...] | None = None
    now: float = 0.0
    run_id: str = ""
    missing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do and why; ``result`` is what to restore."""

    action: Action
    reasons: tuple[Reason, ...] = ()
    result: Result | None = None

    @property
    def text(self) -> str:
        """All reasons in one line."""
        return ", ".join(map(str, self.reasons))


_BAD_ENDS: Final = MappingProxyType(
    {
        StepState.FAILED: ReasonKind.FAILED_LAST_TIME,
        StepState.CRASHED: ReasonKind.CRASHED_LAST_TIME,
        StepState.CANCELLED: ReasonKind.CANCELLED_LAST_TIME,
    }
)


def decide(facts: Facts) -> Decision:
    """Run or restore, and why."""
    options = facts.options
    if facts.forced:
        return _run(Reason(ReasonKind.FORCED))
    if options.cache is CacheMode.OFF:
        return _run(Reason(ReasonKind.CACHE_OFF))
    if facts.uncacheable:
        return _run(*(Reason(ReasonKind.UNCACHEABLE, name) for name in facts.uncacheable))
    refused = list[Reason]()
    for position, result in enumerate(facts.candidates):
        objections = tuple(_objections(facts, position, result))
        if not objections:
            return Decision(Action.RESTORE, (), result)
        said = set(map(str, refused))
        refused += [reason for reason in objections if str(reason) not in said]
    return _run(*(refused or _absent(facts)))


def _run(*reasons: Reason) -> Decision:
    return Decision(Action.RUN, reasons)


def _objections(facts: Facts, position: int, result: Result) -> Iterable[Reason]:
    """Why a result under the right key still cannot be taken."""
    options = facts.options
    if options.ttl is not None and facts.now - result.ended_at > options.ttl:
        due = result.ended_at + options.ttl
        yield Reason(ReasonKind.EXPIRED, "", f"computed {moment(result.ended_at)}", f"expired {moment(due)}")
    if options.cache is CacheMode.RUN and result.run_id != facts.run_id:
        yield Reason(ReasonKind.OTHER_RUN, "", f"run {result.run_id}", f"run {facts.run_id}" if facts.run_id else "")
    before = {part.name: part for part in result.observed}
    for part in (facts.changed or {}).get(position, ()):
        yield change(before[part.name], part)
    lost = [name for name, artifact in result.outputs.items() if artifact.digest in facts.missing]
    if lost:
        yield Reason(ReasonKind.RESULT_MISSING, "", ", ".join(lost))


def _absent(facts: Facts) -> tuple[Reason, ...]:
    """Why nothing is stored under the key."""
    ended = None if facts.last_state is None else _BAD_ENDS.get(facts.last_state)
    failed = () if ended is None else (Reason(ended),)
    if facts.last_parts is None:
        return failed or (Reason(ReasonKind.NEVER_RAN),)
    return difference(facts.last_parts, facts.parts) + failed or (Reason(ReasonKind.RESULT_MISSING),)
