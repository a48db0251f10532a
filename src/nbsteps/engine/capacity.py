"""Who may execute a body, and where: workers and pools in one account, for whole steps, items and the kernel alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from nbsteps.core.model import StepOptions
from nbsteps.core.policies import Pool
from nbsteps.engine.services import Services
from nbsteps.ports import Lane


@dataclass(frozen=True, slots=True)
class Means:
    """What a run may use beyond the kernel's main thread.

    Attributes:
        workers: bodies at once away from the main thread; 1 for none.
        executor: name of the kind, or an executor that the user passed; ``""`` for the default of each kind of work.
    """

    workers: int = 1
    executor: str | Executor = ""


@dataclass(eq=False, slots=True)
class Claim:
    """A wish to execute a body, or a few items one after the other.

    Attributes:
        pool: the pool of which it takes a slot.
        away: whether it needs a lane; else it is for the kernel's main thread.
        lane: what it was given.
        granted: whether its turn has come.
    """

    pool: Pool | None
    away: bool
    lane: Lane | None = None
    granted: bool = False


class Capacity:
    """Lanes and pool slots of one run. Who wishes for one stands in line; a map again after each batch.

    The first in line who can be served is: so neither a map of many items nor many steps keep the other waiting. What
    cannot be stopped, a thread whose time was up, keeps its place until it ends.
    """

    def __init__(self, services: Services, means: Means) -> None:
        self._services, self._means = services, means
        self._lanes: list[Lane] = []
        self._line: list[Claim] = []
        self._held: list[Claim] = []
        self._stuck: list[Claim] = []
        self.beside: Callable[[], AbstractContextManager[None]] = nullcontext
        """While a body has the main thread: has workers served beside it."""

    @property
    def workers(self) -> int:
        """Bodies at once away from the main thread."""
        return max(1, self._means.workers)

    def lanes_for_steps(self) -> int:
        """Lanes that whole steps may use: none unless the user says where they are to be executed."""
        here = self._services.lanes is None or self._means.executor in {"", "main"}
        return 0 if here else self.workers

    def lanes_for_items(self, options: StepOptions) -> int:
        """Lanes that the items of a map may use: processes unless the user says otherwise, if there are several."""
        slots = self.workers if options.pool is None else options.pool.slots
        most = max(1, min(self.workers, options.max_parallel or self.workers, slots))
        if self._services.lanes is None or self._means.executor == "main" or (most <= 1 and not self._means.executor):
            return 0
        return most

    def open(self, count: int) -> None:
        """Have so many lanes ready, beyond those in use, as far as there are workers."""
        lanes = self._services.lanes
        busy = sum(claim.away for claim in (*self._held, *self._stuck))
        wanted = min(self.workers, busy + count)
        if lanes is None or len(self._lanes) >= wanted:
            return
        kind: str | Executor = self._means.executor or "processes"
        fresh = [lane for lane in lanes.open(kind, wanted) if not any(lane is known for known in self._lanes)]
        self._lanes += fresh[: wanted - len(self._lanes)]

    def ask(self, pool: Pool | None, *, away: bool) -> Claim:
        """Stand in line."""
        claim = Claim(pool, away)
        self._line.append(claim)
        self.serve()
        return claim

    def give_back(self, claim: Claim) -> None:
        """Leave the line, or free what was given."""
        if claim in self._line:
            self._line.remove(claim)
        if claim in self._held:
            self._held.remove(claim)
            if claim.lane is not None and not claim.lane.free:
                self._stuck.append(claim)
        self.serve()

    def serve(self) -> None:
        """Grant what can be granted, in the order of the line."""
        if self._stuck:
            self._stuck = [claim for claim in self._stuck if claim.lane is not None and not claim.lane.free]
        for claim in list(self._line):
            lane = self._lane() if claim.away else None
            if (claim.away and lane is None) or not self._fits(claim.pool):
                continue
            self._line.remove(claim)
            self._held.append(claim)
            claim.lane, claim.granted = lane, True

    def _fits(self, pool: Pool | None) -> bool:
        return pool is None or _used(pool, self._held) + _used(pool, self._stuck) < pool.slots

    def _lane(self) -> Lane | None:
        taken = [claim.lane for claim in (*self._held, *self._stuck) if claim.away]
        if len(taken) >= self.workers:
            return None
        idle = [lane for lane in self._lanes if lane.free and not any(lane is each for each in taken)]
        return next((lane for lane in idle if lane.coming() is None), None)

    def coming(self) -> list[Future[Any]]:
        """Lanes that start while somebody stands in line for one."""
        if not any(claim.away for claim in self._line):
            return []
        return [future for lane in self._lanes if lane.free and (future := lane.coming()) is not None]


def _used(pool: Pool, claims: Iterable[Claim]) -> int:
    return sum(claim.pool is not None and claim.pool.name == pool.name for claim in claims)
