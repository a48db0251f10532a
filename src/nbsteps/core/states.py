"""The states of a step and of a run, and the one table of allowed transitions."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final


class StepState(StrEnum):
    """Where a step stands within one run (SPEC 6.1)."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    CACHED = "cached"
    SKIPPED = "skipped"
    FAILED = "failed"
    UPSTREAM_FAILED = "upstream_failed"
    CANCELLED = "cancelled"
    CRASHED = "crashed"


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    CRASHED = "crashed"


class AttemptState(StrEnum):
    """Where one execution of a body stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    CRASHED = "crashed"


class ApprovalState(StrEnum):
    """Where a request for approval stands; ``void`` is one whose inputs or code changed before anybody decided."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    VOID = "void"


_S = StepState
_ENDS_EARLY = frozenset({_S.CANCELLED, _S.CRASHED})

TRANSITIONS: Final = MappingProxyType(
    {
        _S.PENDING: frozenset({_S.QUEUED, _S.WAITING, _S.CACHED, _S.SKIPPED, _S.FAILED, _S.UPSTREAM_FAILED})
        | _ENDS_EARLY,
        _S.QUEUED: frozenset({_S.RUNNING, _S.CACHED, _S.FAILED}) | _ENDS_EARLY,
        _S.RUNNING: frozenset({_S.SUCCEEDED, _S.FAILED, _S.RETRYING, _S.SKIPPED}) | _ENDS_EARLY,
        _S.RETRYING: frozenset({_S.RUNNING, _S.CACHED, _S.FAILED}) | _ENDS_EARLY,
        _S.WAITING: frozenset({_S.QUEUED, _S.CACHED, _S.SKIPPED, _S.FAILED}) | _ENDS_EARLY,
        _S.SUCCEEDED: frozenset[StepState](),
        _S.CACHED: frozenset[StepState](),
        _S.SKIPPED: frozenset[StepState](),
        _S.FAILED: frozenset[StepState](),
        _S.UPSTREAM_FAILED: frozenset[StepState](),
        _S.CANCELLED: frozenset[StepState](),
        _S.CRASHED: frozenset[StepState](),
    }
)
"""From a state to the states that may follow it; terminal states have none."""

TERMINAL: Final = frozenset(state for state, following in TRANSITIONS.items() if not following)
"""States that a step does not leave within its run."""

GOOD: Final = frozenset({_S.SUCCEEDED, _S.CACHED})
"""States after which a step's outputs are there."""


def advance(current: StepState, following: StepState) -> StepState:
    """Return ``following`` if the table allows it after ``current``.

    Raises:
        ValueError: the transition is not in :data:`TRANSITIONS`.
    """
    if following not in TRANSITIONS[current]:
        msg = f"a step cannot go from {current} to {following}"
        raise ValueError(msg)
    return following
