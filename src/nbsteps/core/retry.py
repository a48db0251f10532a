"""Whether and when a failed attempt is followed by another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from nbsteps.core.model import StepOptions
from nbsteps.core.policies import Jitter, RetryPolicy

_BITS = 53
_AGES = 1e9
"""No delay is longer, whatever the powers of the factor come to: thirty years."""


class Reason(StrEnum):
    """Why there is no further attempt."""

    RETRIES_EXHAUSTED = "retries_exhausted"
    NON_RETRYABLE = "non_retryable"
    TOTAL_TIMEOUT = "total_timeout"


@dataclass(frozen=True, slots=True)
class Wait:
    """Another attempt follows after ``delay`` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No attempt follows."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Limit:
    """How long the next attempt may take.

    Attributes:
        seconds: None for as long as it wants.
        total: whether it is the limit over all attempts that ends it, so that no other follows.
    """

    seconds: float | None = None
    total: bool = False


def policy(options: StepOptions) -> RetryPolicy:
    """What a step's options say about retries."""
    return RetryPolicy(
        retries=options.retries,
        delay=options.retry_delay,
        backoff=options.backoff,
        max_delay=options.max_delay,
        jitter=options.jitter,
        total_timeout=options.total_timeout,
    )


def delay(policy: RetryPolicy, attempt: int, seed: str) -> float:
    """Seconds between the failed attempt number ``attempt``, counted from 1, and the next one.

    With full jitter it is drawn from a digest of ``seed`` and the attempt: the same again for the same run, step and
    item, whatever else draws numbers.
    """
    try:
        longest = policy.delay * policy.backoff ** (attempt - 1)
    except OverflowError:
        longest = _AGES if policy.delay else 0.0
    longest = min(longest, _AGES)
    if policy.max_delay is not None:
        longest = min(longest, policy.max_delay)
    if policy.jitter is Jitter.NONE:
        return longest
    digest = hashlib.blake2b(f"{seed}\0{attempt}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return longest * ((int.from_bytes(digest) >> (64 - _BITS)) / (1 << _BITS))


def after(  # noqa: PLR0913 - one failure's circumstances, all needed
    policy: RetryPolicy, *, attempt: int, elapsed: float, retryable: bool, asked: float | None = None, seed: str = ""
) -> Wait | GiveUp:
    """What follows the failure of attempt number ``attempt``, counted from 1.

    Args:
        policy: what the step says.
        attempt: number of the attempt that failed.
        elapsed: seconds since the first attempt began, waits included.
        retryable: whether the failure is of a kind that is worth another attempt.
        asked: the delay that the body asked for with ``Retry(after=...)``, in place of the policy's.
        seed: what full jitter draws from: run, step and item.
    """
    if not retryable:
        return GiveUp(Reason.NON_RETRYABLE)
    if attempt > policy.retries:
        return GiveUp(Reason.RETRIES_EXHAUSTED)
    wait = delay(policy, attempt, seed) if asked is None else max(0.0, asked)
    if policy.total_timeout is not None and elapsed + wait >= policy.total_timeout:
        return GiveUp(Reason.TOTAL_TIMEOUT)
    return Wait(wait)


def limit(options: StepOptions, elapsed: float) -> Limit:
    """How long an attempt may take that starts ``elapsed`` seconds after the first one began."""
    if options.total_timeout is None:
        return Limit(options.timeout)
    left = max(0.0, options.total_timeout - elapsed)
    return Limit(left, total=True) if options.timeout is None or left <= options.timeout else Limit(options.timeout)
