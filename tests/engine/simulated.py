"""Workers whose bodies take simulated time: what runs beside what, and for how long, without waiting for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from nbsteps.core.errors import CrashedError, UnsendableError
from nbsteps.engine.capacity import Means
from nbsteps.engine.session import Session
from nbsteps.ports import Order, Outcome, Reply
from nbsteps.testing import FakeClock, FakeEvaluator, MemoryStore, make_session


@dataclass
class Spell:
    """One body, from when to when; ``who`` is what it calls itself."""

    who: str
    start: float
    end: float
    away: bool


@dataclass
class Batch:
    """An order under way."""

    lane: SimLane
    order: Order
    future: Future[tuple[Reply, ...]]
    ends: float
    outcome: Any
    spells: list[Spell]


@dataclass
class Sim:
    """The workers, and what bodies did. A body calls ``work(who, seconds)`` to take time.

    Attributes:
        spells: what was executed, in the order of its beginning.
        deadly: what kills its worker, by what it calls itself.
        hook: called whenever time has moved.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    spells: list[Spell] = field(default_factory=list)
    flying: list[Batch] = field(default_factory=list)
    opened: list[tuple[Any, int]] = field(default_factory=list)
    lanes: list[SimLane] = field(default_factory=list)
    deadly: set[str] = field(default_factory=set)
    unsendable: set[str] = field(default_factory=set)
    hook: Callable[[], None] = lambda: None
    stopped: int = 0
    kills: bool = True
    boot: float = 0.0

    def begin(self, *cells: str, store: MemoryStore | None = None, **offered: object) -> Session:
        """A kernel with these cells and these workers."""
        session = make_session(*cells, store=store)
        evaluator = session.services.evaluator
        assert isinstance(evaluator, FakeEvaluator)
        session.services.clock = evaluator.clock = self.clock
        session.services.lanes = self
        evaluator.offered |= {"work": self.work_here, "cancel": session.cancel, **offered}
        self.offered = evaluator.offered
        self.clock.tick = 0.0
        self.clock.sleep = self.pass_time
        self.clock.wait = lambda _futures, seconds: self.pass_time(seconds)
        return session

    def work_here(self, who: object, seconds: float = 1.0) -> None:
        """A body in the kernel takes time."""
        start = self.clock.time
        self.spells.append(Spell(str(who), start, start + seconds, away=False))
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        until = self.clock.time + max(seconds, 1e-6)
        while self.flying and (first := min(self.flying, key=lambda batch: batch.ends)).ends <= until:
            self.clock.time = max(self.clock.time, first.ends)
            self.flying.remove(first)
            self.deliver(first)
            self.moved()
        self.clock.time = until
        self.moved()

    def moved(self) -> None:
        self.hook()
        if self.clock.look is not None:
            self.clock.look()

    def deliver(self, batch: Batch) -> None:
        if isinstance(batch.outcome, BaseException):
            batch.future.set_exception(batch.outcome)
        else:
            batch.future.set_result(batch.outcome)

    def open(self, executor: Any, workers: int) -> list[SimLane]:
        self.opened.append((executor, workers))
        self.lanes += [SimLane(self) for _ in range(workers - len(self.lanes))]
        return self.lanes[:workers]

    def close(self) -> None:
        """Nothing to end."""

    def most_at_once(self, *kinds: str) -> int:
        """How many bodies at once, of those whose names begin so."""
        spells = [spell for spell in self.spells if spell.who.startswith(kinds or ("",))]
        edges = [edge for spell in spells for edge in ((spell.start, 1), (spell.end, -1))]
        count = most = 0
        for _, change in sorted(edges):
            count += change
            most = max(most, count)
        return most

    def times(self) -> Counter[str]:
        """How often each body was executed."""
        return Counter(spell.who for spell in self.spells)


class SimLane:
    """A worker."""

    kind, pid = "simulated", 4711

    def __init__(self, sim: Sim) -> None:
        self.sim = sim
        self.released: list[str] = []
        self.born = sim.clock.time

    @property
    def kills(self) -> bool:
        return self.sim.kills

    @property
    def free(self) -> bool:
        """One that cannot be killed is occupied until its body ends."""
        return not any(batch.lane is self for batch in self.sim.flying)

    def coming(self) -> Future[Any] | None:
        """It takes its time to start."""
        return None if self.sim.clock.time >= self.born + self.sim.boot else Future()

    def pack(self, order: Order) -> Order:
        for name in self.sim.unsendable & order.shared.keys():
            raise UnsendableError(f"{name} cannot be sent")
        return order

    def submit(self, order: Order, tell: Any) -> Future[tuple[Reply, ...]]:
        future: Future[tuple[Reply, ...]] = Future()
        at, outcome = self.sim.clock.time, self._executed(order, tell)
        took = sum(spell.end - spell.start for spell in outcome[1])
        self.sim.spells += outcome[1]
        self.sim.flying.append(Batch(self, order, future, at + took, *outcome))
        return future

    def _executed(self, order: Order, tell: Any) -> tuple[Any, list[Spell]]:
        spells: list[Spell] = []
        replies = []
        for at, item in enumerate(order.items):
            clock = spells[-1].end if spells else self.sim.clock.time
            names: dict[str, Any] = {**self.sim.offered, **order.shared, **item}
            names["work"] = _worker(spells, clock)
            names["progress"] = lambda done, total, at=at: tell(at, done, total, "")
            try:
                exec(order.step.body, names)  # noqa: S102 - executing a body is what a lane does
                replies.append(Reply(Outcome(), {name: names[name] for name in order.outputs if name in names}))
            except Exception as error:  # noqa: BLE001 - as a worker
                replies.append(Reply(Outcome(error=error, traceback=repr(error))))
            if any(spell.who in self.sim.deadly for spell in spells):
                return CrashedError("the worker process died (memory ran out, as a rule)"), spells
        return tuple(replies), spells

    def stop(self) -> None:
        self.sim.stopped += 1
        if self.sim.kills:
            now = self.sim.clock.time
            for batch in [batch for batch in self.sim.flying if batch.lane is self]:
                for spell in batch.spells:
                    spell.end = min(spell.end, now)
            self.sim.flying = [batch for batch in self.sim.flying if batch.lane is not self]

    def release(self, token: str) -> None:
        self.released.append(token)


def _worker(spells: list[Spell], clock: float) -> Callable[..., None]:
    def work(who: object, seconds: float = 1.0) -> None:
        start = max(clock, spells[-1].end) if spells else clock
        spells.append(Spell(str(who), start, start + seconds, away=True))

    return work


MEANS = {"kernel": Means(1), "workers": Means(2), "all on workers": Means(2, "simulated")}
