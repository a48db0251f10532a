"""What the loop keeps about a step whose turn has come."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from nbsteps.core.model import Step
from nbsteps.engine.bindings import Bound
from nbsteps.engine.capacity import Claim
from nbsteps.engine.contracts import InFlight
from nbsteps.engine.judge import Identity


@dataclass(frozen=True, slots=True)
class Wish:
    """How a step is to be taken.

    Attributes:
        forced: run its body whatever is stored.
        live: its inputs as the user sees them; None for what its parents made in this run.
        consulted: the same for what only its condition reads.
        quiet: capture its output without showing it: its cell's turn comes later.
    """

    forced: bool = False
    live: Mapping[str, Bound] | None = None
    consulted: Mapping[str, Bound] = field(default_factory=dict)
    quiet: bool = False


NO_WISH = Wish()


@dataclass(slots=True)
class Work:
    """A step whose body was started and that has not ended: it waits for its next attempt, or flies.

    Attributes:
        given: what the engine binds for the body: form values, the caught exception.
        started_at: seconds since the epoch.
        began: the same by the clock's ``monotonic``.
        number: of the latest attempt.
        delay: seconds before the next one.
        due: when that is, by the clock's ``monotonic``.
        flying: the latest attempt, where it is executed elsewhere.
        hold: keeps other processes from computing the same while it flies.
        claim: its place in the line for a pool, where it is executed in the kernel.
    """

    step: Step
    identity: Identity
    wish: Wish
    given: Mapping[str, object]
    reasons: tuple[str, ...] = ()
    started_at: float = 0.0
    began: float = 0.0
    number: int = 0
    delay: float = 0.0
    due: float = 0.0
    flying: InFlight | None = None
    hold: ExitStack = field(default_factory=ExitStack)
    claim: Claim | None = None
