"""The table of transitions is complete and leads somewhere."""

from __future__ import annotations

import itertools

import pytest

from nbsteps.core.states import GOOD, TERMINAL, TRANSITIONS, StepState, advance

ENDS = "succeeded cached skipped failed upstream_failed cancelled crashed"


def test_every_state_has_a_row_and_only_states_follow():
    assert set(TRANSITIONS) == set(StepState)
    assert all(following <= set(StepState) for following in TRANSITIONS.values())


def test_the_states_that_a_step_does_not_leave():
    assert set(ENDS.split()) == TERMINAL
    assert GOOD <= TERMINAL


@pytest.mark.parametrize("state", StepState)
def test_no_state_follows_itself(state):
    assert state not in TRANSITIONS[state]


@pytest.mark.parametrize("state", [state for state in StepState if state not in TERMINAL])
def test_from_everywhere_a_step_can_be_cancelled_crash_and_end_badly(state):
    assert {StepState.CANCELLED, StepState.CRASHED, StepState.FAILED} <= TRANSITIONS[state]


def test_every_state_can_be_reached():
    seen = {StepState.PENDING}
    waiting = [StepState.PENDING]
    while waiting:
        fresh = TRANSITIONS[waiting.pop()] - seen
        seen |= fresh
        waiting += fresh
    assert seen == set(StepState)


@pytest.mark.parametrize(
    "way",
    [
        "pending cached",
        "pending queued running succeeded",
        "pending queued running retrying running succeeded",
        "pending queued running retrying failed",
        "pending waiting queued running failed",
        "pending waiting cached",
        "pending waiting skipped",
        "pending upstream_failed",
        "pending queued cached",
        "pending queued running cancelled",
        "pending queued running skipped",
    ],
)
def test_the_ways_that_a_step_goes(way):
    for current, following in itertools.pairwise(map(StepState, way.split())):
        assert advance(current, following) is following


@pytest.mark.parametrize(
    ("current", "following"),
    [pair for pair in itertools.product(StepState, StepState) if pair[1] not in TRANSITIONS[pair[0]]],
)
def test_no_other_way_is_open(current, following):
    with pytest.raises(ValueError, match=f"from {current} to {following}"):
        advance(current, following)
