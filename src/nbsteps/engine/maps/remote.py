"""Executing the items of a map away from the kernel's main thread, a batch a lane at a time."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

from nbsteps.core.errors import CrashedError, StepError, StepTimeout, UnsendableError
from nbsteps.core.retry import Limit
from nbsteps.engine.capacity import Capacity, Claim
from nbsteps.engine.maps.items import PLAIN, Item
from nbsteps.engine.maps.local import ABSENT, ItemOutcome, SuspectError, collect
from nbsteps.engine.maps.queue import Pace
from nbsteps.engine.maps.work import MapWork
from nbsteps.engine.monitoring import Hearing
from nbsteps.engine.retrying import timeout_of
from nbsteps.engine.sending import lost, tell_stuck, unsent
from nbsteps.engine.services import Services
from nbsteps.ports import Lane, Outcome, Reply


@dataclass(slots=True)
class Sent:
    """A batch on a lane."""

    claim: Claim
    lane: Lane
    items: list[Item]
    limit: Limit
    deadline: float
    started: float


class RemoteItems:
    """The lanes as a place for the items of one map.

    Attributes:
        refused: whether items cannot leave the kernel; those that are in the queue are left for it.
        shares: whether bodies have the kernel's own objects, as threads do.
        broken: the error for a shared input that a body changed elsewhere.
    """

    def __init__(self, services: Services, work: MapWork, capacity: Capacity, most: int) -> None:
        self._services, self._work, self._capacity, self._most = services, work, capacity, most
        self._order = work.order()
        self._flying: dict[Future[tuple[Reply, ...]], Sent] = {}
        self._claim: Claim | None = None
        self._lanes: dict[int, Lane] = {}
        self._pace = Pace()
        self._alone: set[int] = set()
        self._hearing = Hearing(self._said, services.clock.monotonic)
        self._running: dict[int, Item] = {}
        self.refused = False
        self.shares = False
        self.broken: StepError | None = None

    @property
    def futures(self) -> Collection[Future[tuple[Reply, ...]]]:
        """The answers that are awaited."""
        return self._flying.keys()

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self._flying)

    @property
    def deadline(self) -> float | None:
        """When the first of what is under way has had its time, by the clock's ``monotonic``."""
        first = min((sent.deadline for sent in self._flying.values()), default=math.inf)
        return None if first == math.inf else first

    def due(self) -> float | None:
        """At once if a lane was granted meanwhile."""
        return 0.0 if self._claim is not None and self._claim.granted else None

    def send(self) -> None:
        """Give each lane that is granted a batch. The map asks for one at a time: others have their turn in between.

        Raises:
            StepTimeout: the time for the whole step is up.
            CrashedError: a worker process does not start.
        """
        queue, clock = self._work.queue, self._services.clock
        while not self.refused:
            if not queue.ready(clock.monotonic()) or len(self._flying) >= self._most:
                self.withdraw()
                return
            if self._claim is None:
                self._claim = self._capacity.ask(self._work.step.options.pool, away=True)
            claim, lane = self._claim, self._claim.lane
            if not claim.granted or lane is None:
                return
            self._claim = None
            self._start(claim, lane)

    def withdraw(self) -> None:
        """Wait for no lane any more."""
        claim, self._claim = self._claim, None
        if claim is not None:
            self._capacity.give_back(claim)

    def _start(self, claim: Claim, lane: Lane) -> None:
        work, clock = self._work, self._services.clock
        self._lanes[id(lane)] = lane
        try:
            limit = work.limit()
            batch = work.queue.take(self._size(limit), clock.monotonic())
            items = [item for item, _ in batch]
            packed = lane.pack(replace(self._order, items=tuple(map(self._values, items)), watch=self._watched(items)))
            host = replace(self._services.host, pid=lane.pid)
        except UnsendableError as error:
            self._capacity.give_back(claim)
            self._refuse(items, error)
            return
        except BaseException:
            self._capacity.give_back(claim)
            raise
        self.shares = self.shares or lane.pid == self._services.host.pid
        work.begin()
        work.log.start(items, [delay for _, delay in batch], host, lane.kind)
        now = clock.monotonic()
        deadline = math.inf if limit.seconds is None else now + limit.seconds
        self._running.update((item.position, item) for item in items)
        future = lane.submit(packed, partial(self._hear, items))
        self._flying[future] = Sent(claim, lane, items, limit, deadline, now)

    def _size(self, limit: Limit) -> int:
        """How many items go into a batch: one where each has a time limit of its own or brought a process down."""
        if limit.seconds is not None or self._alone:
            return 1
        return min(self._pace.size, max(1, math.ceil(len(self._work.queue) / (2 * self._most))))

    def _hear(self, items: Sequence[Item], at: int, done: float, total: float, text: str) -> None:
        self._hearing(items[at].position, done, total, text)

    def _said(self, position: int, done: float, total: float, text: str) -> None:
        item = self._running.get(position)
        if item is not None:
            self._work.log.said(item, done, total, text)

    def _refuse(self, items: list[Item], error: UnsendableError) -> None:
        work = self._work
        message = f"{error.args[0]}: the items run in the kernel"
        self._services.warn(work.log.run_id, work.step.name, message, error.problem.hint)
        self.refused = True
        work.queue.put_first(items)

    def _values(self, item: Item) -> Mapping[str, object]:
        return {source.item: value for source, value in zip(self._work.step.options.map, item.values, strict=True)}

    def _watched(self, items: Sequence[Item]) -> tuple[str, ...]:
        if not self._work.guard.on:
            return ()
        columns = zip(*(item.values for item in items), strict=True)
        pairs = zip(self._work.step.options.map, columns, strict=True)
        return tuple(source.item for source, column in pairs if any(type(value) not in PLAIN for value in column))

    def collect(self) -> None:
        """Take in what has come back, and stop what has had its time."""
        for future in [future for future in self._flying if future.done()]:
            self._land(future)
        now = self._services.clock.monotonic()
        for future in [future for future, sent in self._flying.items() if sent.deadline <= now]:
            self._expire(self._flying.pop(future), now)

    def _land(self, future: Future[tuple[Reply, ...]]) -> None:
        sent = self._flying.pop(future)
        self._done_with(sent)
        error = future.exception()
        if error is not None:
            self._lost(sent, error)
            return
        replies = future.result()
        checked = max(reply.checked for reply in replies)
        self._pace.took(len(sent.items), self._services.clock.monotonic() - sent.started - checked, beside=checked)
        for item, reply in zip(sent.items, replies, strict=True):
            self._took(item, reply)

    def _done_with(self, sent: Sent) -> None:
        self._capacity.give_back(sent.claim)
        for item in sent.items:
            self._running.pop(item.position, None)

    def _lost(self, sent: Sent, error: BaseException) -> None:
        """The batch did not come back. Of several items any may be the culprit: each is tried again, alone."""
        positions = {item.position for item in sent.items}
        if len(sent.items) > 1 and isinstance(error, CrashedError):
            self._alone |= positions
            for item in sent.items:
                self._work.took(item, ItemOutcome(Outcome(), error=SuspectError()), (), shown=False)
            return
        self._alone -= positions
        for item in sent.items:
            found = lost(self._work.step, error, item.name)
            self._work.took(item, ItemOutcome(Outcome(), error=found), (), shown=False)

    def _took(self, item: Item, reply: Reply) -> None:
        """An item came back: store what it made, here."""
        self._alone.discard(item.position)
        self._work.took(item, self._tried(reply), reply.observed, shown=False)

    def _tried(self, reply: Reply) -> ItemOutcome:
        work, guard = self._work, self._work.guard
        error: BaseException | None = reply.outcome.error
        if reply.changed in self._order.fixed:
            self.broken = self.broken or guard.told(reply.changed)
        elif error is None and reply.changed:
            error = guard.told(reply.changed)
        error = error or unsent(work.step, reply)
        if error is not None:
            return ItemOutcome(reply.outcome, error=error)
        try:
            made, reasons = collect(work.step, lambda name: reply.values.get(name, ABSENT), self._services)
        except StepError as wrong:
            return ItemOutcome(reply.outcome, error=wrong)
        return ItemOutcome(reply.outcome, made, reasons, peak_rss=reply.peak_rss)

    def _expire(self, sent: Sent, now: float) -> None:
        sent.lane.stop()
        tell_stuck(sent.lane, self._work.step, self._services, self._work.log.run_id)
        self._done_with(sent)
        error = timeout_of(self._work.step, StepTimeout(sent.limit.seconds or 0.0), sent.limit)
        for item in sent.items:
            tried = ItemOutcome(Outcome(duration=now - sent.started), error=error)
            self._work.took(item, tried, (), shown=False)

    def stop(self) -> None:
        """Give up what is under way."""
        self._hearing.close()
        self.withdraw()
        flying, self._flying = self._flying, {}
        for sent in flying.values():
            sent.lane.stop()
            self._done_with(sent)
        for lane in self._lanes.values():
            lane.release(self._order.token)
