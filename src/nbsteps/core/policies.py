"""What a step's options say about when, how often, how long and after whose consent it runs: frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Jitter(StrEnum):
    """Whether a retry's delay is spread at random."""

    NONE = "none"
    FULL = "full"


class Trigger(StrEnum):
    """When a step runs, by the states of its direct parents; names and meaning are Airflow's."""

    ALL_SUCCESS = "all_success"
    ALL_DONE = "all_done"
    ALL_FAILED = "all_failed"
    ALL_SKIPPED = "all_skipped"
    ONE_SUCCESS = "one_success"
    ONE_FAILED = "one_failed"
    ONE_DONE = "one_done"
    NONE_FAILED = "none_failed"
    NONE_FAILED_MIN_ONE_SUCCESS = "none_failed_min_one_success"
    NONE_SKIPPED = "none_skipped"
    ALWAYS = "always"


class OnExpire(StrEnum):
    """What becomes of a request that nobody decided in time."""

    FAIL = "fail"
    REJECT = "reject"
    APPROVE = "approve"


class OnReject(StrEnum):
    """What becomes of a step whose request is rejected."""

    SKIP = "skip"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when a failed attempt is followed by another.

    Attributes:
        retries: attempts after the first.
        delay: seconds before the second attempt.
        backoff: factor from each delay to the next, at least 1.
        max_delay: seconds that no delay exceeds; None for no limit.
        jitter: ``full`` draws each delay uniformly from zero to its value.
        total_timeout: seconds over all attempts and waits; None for no limit.
    """

    retries: int = 0
    delay: float = 1.0
    backoff: float = 2.0
    max_delay: float | None = None
    jitter: Jitter = Jitter.NONE
    total_timeout: float | None = None


@dataclass(frozen=True, slots=True)
class MapSource:
    """One loop variable of ``--map`` and the variable whose items it takes."""

    item: str
    items: str


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How many items of a map may fail: a number, or a share in percent of all items."""

    limit: float = 0
    percent: bool = False

    def allows(self, failed: int, total: int) -> bool:
        """Whether so many failures among so many items leave the step a success."""
        return failed <= (self.limit * total / 100 if self.percent else self.limit)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an approval's form.

    Attributes:
        name: the variable that holds the value.
        type: ``str``, ``int``, ``float``, ``bool``, ``date`` or ``choice``.
        default: as written after ``=``; None where a value must be given.
        choices: what a ``choice`` may be.
    """

    name: str
    type: str = "str"
    default: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pool:
    """A named limit shared by steps: at most ``slots`` of them at once."""

    name: str
    slots: int
