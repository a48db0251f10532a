"""The states as people see them: id, word and mark, and the forecast state ``stale`` that no run ever records."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from nbsteps.core.decide import Action, Decision
from nbsteps.core.states import GOOD, StepState

STALE: Final = "stale"
"""Id of the forecast: succeeded earlier, would execute now."""

WORDS: Final = MappingProxyType(
    {
        StepState.PENDING: "Pending",
        StepState.QUEUED: "Queued",
        StepState.RUNNING: "Running",
        StepState.RETRYING: "Retrying",
        StepState.WAITING: "Needs approval",
        StepState.SUCCEEDED: "Succeeded",
        StepState.CACHED: "Cached",
        StepState.SKIPPED: "Skipped",
        StepState.FAILED: "Failed",
        StepState.UPSTREAM_FAILED: "Upstream failed",
        StepState.CANCELLED: "Cancelled",
        StepState.CRASHED: "Crashed",
        STALE: "Stale",
    }
)
"""State id to the word beside its mark."""

SIGNS: Final = MappingProxyType(
    {
        StepState.PENDING: "◌",
        StepState.QUEUED: "…",
        StepState.RUNNING: "▸",
        StepState.RETRYING: "↻",
        StepState.WAITING: "◆",
        StepState.SUCCEEDED: "✓",
        StepState.CACHED: "○",
        StepState.SKIPPED: "»",
        StepState.FAILED: "✗",
        StepState.UPSTREAM_FAILED: "←",
        StepState.CANCELLED: "■",
        StepState.CRASHED: "▲",
        STALE: "≠",
    }
)
"""State id to a mark for plain text; no two alike."""

_ACTIVE: Final = frozenset({StepState.QUEUED, StepState.RUNNING, StepState.RETRYING, StepState.WAITING})


BLOCKED: Final = "Blocked"
"""The word for a step that has a problem, or needs one that has."""


def outcome(state: StepState) -> str:
    """What a run did with a step, as its lines say it: a step whose result is cached was restored."""
    return "restored" if state is StepState.CACHED else WORDS[state].lower()


def shown_state(state: StepState, decision: Decision) -> str:
    """The id to show for a step that ended in ``state`` the last time and for which ``decision`` is the forecast."""
    if state in _ACTIVE:
        return state
    if decision.action is Action.RESTORE:
        return StepState.CACHED
    if decision.action is Action.SKIP and state in GOOD:
        return StepState.PENDING
    return STALE if state in GOOD else state


def shown_word(state: StepState, decision: Decision) -> str:
    """The word for :func:`shown_state`; a step with a problem is blocked, which is no state of its own."""
    shown = shown_state(state, decision)
    if decision.action is Action.SKIP and shown == StepState.PENDING:
        return BLOCKED
    return WORDS[shown]
