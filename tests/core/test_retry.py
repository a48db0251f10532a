"""How long to wait before another attempt, and when there is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.core.model import StepOptions
from nbsteps.core.policies import Jitter, RetryPolicy
from nbsteps.core.retry import GiveUp, Limit, Reason, Wait, after, delay, limit, policy


@pytest.mark.parametrize(
    ("options", "expect"),
    [
        ({"delay": 1, "backoff": 2, "max_delay": 5}, [1, 2, 4, 5, 5]),
        ({"delay": 1, "backoff": 2}, [1, 2, 4, 8, 16]),
        ({"delay": 3, "backoff": 1}, [3, 3, 3, 3, 3]),
        ({"delay": 0, "backoff": 2}, [0, 0, 0, 0, 0]),
        ({"delay": 10, "backoff": 2, "max_delay": 4}, [4, 4, 4, 4, 4]),
        ({"delay": 2, "backoff": 1.5}, [2, 3, 4.5, 6.75, 10.125]),
    ],
)
def test_delays(options: dict[str, float], expect: list[float]) -> None:
    assert [delay(RetryPolicy(retries=9, **options), k, "") for k in range(1, 6)] == expect  # type: ignore[arg-type]


@pytest.mark.parametrize(("start", "expect"), [(1.0, 1e9), (0.0, 0.0)])
def test_no_power_is_too_large(start: float, expect: float) -> None:
    assert delay(RetryPolicy(delay=start, backoff=1e300), 10_000, "") == expect


@given(st.text(), st.integers(1, 50), st.floats(0, 1e6), st.floats(1, 10))
def test_full_jitter_draws_from_nothing_to_the_delay_and_the_same_again(
    seed: str, attempt: int, first: float, factor: float
) -> None:
    plain = RetryPolicy(delay=first, backoff=factor)
    spread = RetryPolicy(delay=first, backoff=factor, jitter=Jitter.FULL)
    drawn = delay(spread, attempt, seed)
    assert 0 <= drawn <= delay(plain, attempt, seed)
    assert drawn == delay(spread, attempt, seed)


def test_full_jitter_differs_by_seed_and_attempt_and_is_spread_evenly() -> None:
    spread = RetryPolicy(delay=1, backoff=1, jitter=Jitter.FULL)
    drawn = [delay(spread, attempt, f"run {seed}") for seed in range(100) for attempt in range(1, 11)]
    assert len(set(drawn)) == 1000
    for tenth in range(10):
        assert 60 <= sum(tenth / 10 <= value < (tenth + 1) / 10 for value in drawn) <= 140


POLICY = RetryPolicy(retries=2, delay=1, backoff=2)


@pytest.mark.parametrize(
    ("policy", "case", "expect"),
    [
        (POLICY, {"attempt": 1}, Wait(1)),
        (POLICY, {"attempt": 2}, Wait(2)),
        (POLICY, {"attempt": 3}, GiveUp(Reason.RETRIES_EXHAUSTED)),
        (RetryPolicy(), {"attempt": 1}, GiveUp(Reason.RETRIES_EXHAUSTED)),
        (POLICY, {"attempt": 1, "retryable": False}, GiveUp(Reason.NON_RETRYABLE)),
        (POLICY, {"attempt": 3, "retryable": False}, GiveUp(Reason.NON_RETRYABLE)),
        (POLICY, {"attempt": 1, "asked": 3}, Wait(3)),
        (POLICY, {"attempt": 1, "asked": 0}, Wait(0)),
        (POLICY, {"attempt": 1, "asked": -3}, Wait(0)),
        (POLICY, {"attempt": 3, "asked": 3}, GiveUp(Reason.RETRIES_EXHAUSTED)),
        (RetryPolicy(retries=1, delay=20, total_timeout=10), {"elapsed": 5}, GiveUp(Reason.TOTAL_TIMEOUT)),
        (RetryPolicy(retries=1, delay=5, total_timeout=10), {"elapsed": 5}, GiveUp(Reason.TOTAL_TIMEOUT)),
        (RetryPolicy(retries=1, delay=4, total_timeout=10), {"elapsed": 5}, Wait(4)),
        (RetryPolicy(retries=1, delay=1, total_timeout=10), {"elapsed": 5, "asked": 20}, GiveUp(Reason.TOTAL_TIMEOUT)),
    ],
)
def test_what_follows_a_failure(policy: RetryPolicy, case: dict[str, float], expect: Wait | GiveUp) -> None:
    circumstances = {"attempt": 1, "elapsed": 0.0, "retryable": True} | case
    assert after(policy, **circumstances) == expect  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "elapsed", "expect"),
    [
        ({}, 5, Limit(None)),
        ({"timeout": 3.0}, 5, Limit(3)),
        ({"total_timeout": 10.0}, 4, Limit(6, total=True)),
        ({"timeout": 3.0, "total_timeout": 10.0}, 4, Limit(3)),
        ({"timeout": 6.0, "total_timeout": 10.0}, 4, Limit(6, total=True)),
        ({"timeout": 8.0, "total_timeout": 10.0}, 4, Limit(6, total=True)),
        ({"total_timeout": 10.0}, 12, Limit(0, total=True)),
    ],
)
def test_how_long_an_attempt_may_take(options: dict[str, float], elapsed: float, expect: Limit) -> None:
    assert limit(StepOptions(**options), elapsed) == expect  # type: ignore[arg-type]


def test_the_policy_of_a_step_is_what_its_options_say() -> None:
    options = StepOptions(
        retries=3, retry_delay=4.0, backoff=1.5, max_delay=9.0, jitter=Jitter.FULL, total_timeout=60.0
    )
    assert policy(options) == RetryPolicy(3, 4.0, 1.5, 9.0, Jitter.FULL, 60.0)
    assert policy(StepOptions()) == RetryPolicy()
