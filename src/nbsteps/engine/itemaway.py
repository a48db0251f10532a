"""Executing the items of a map away from the kernel's main thread, a batch a lane at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from typing import Final

from nbsteps.core.errors import CrashedError, StepError, StepTimeout, UnsendableError
from nbsteps.core.model import Part, Step
from nbsteps.core.retry import Limit
from nbsteps.engine.itemhere import ABSENT, Guard, Tried, collect
from nbsteps.engine.itemlog import ItemLog
from nbsteps.engine.itemqueue import ItemQueue, Pace
from nbsteps.engine.items import PLAIN, Item
from nbsteps.engine.services import Services
from nbsteps.ports import Lane, Order, Outcome, Reply

_SLICE: Final = 0.2
Ended = tuple[Item, Tried, tuple[Part, ...]]


@dataclass(slots=True)
class Sent:
    """A batch on a lane."""

    lane: Lane
    items: list[Item]
    limit: Limit
    deadline: float
    started: float


class Away:
    """The lanes as a place for items.

    Attributes:
        kept: items that cannot leave the kernel; they are left for it.
        crashed: items whose process died.
    """

    def __init__(  # noqa: PLR0913 - what a batch is made of
        self, services: Services, step: Step, order: Order, lanes: Sequence[Lane], log: ItemLog, guard: Guard
    ) -> None:
        self._services, self._step, self._order = services, step, order
        self._lanes, self._log, self._guard = list(lanes), log, guard
        self._flying: dict[Future[tuple[Reply, ...]], Sent] = {}
        self._pace = Pace()
        self._alone: set[int] = set()
        self._refused = False
        self.kept: list[Item] = []

    def send(self, queue: ItemQueue, limit: Limit) -> None:
        """Give each idle lane a batch."""
        busy = {id(sent.lane) for sent in self._flying.values()}
        for lane in self._lanes:
            if self._refused or id(lane) in busy or not lane.free:
                continue
            batch = queue.take(self._size(queue, limit), self._services.clock.monotonic())
            if batch:
                self._start(lane, batch, limit)

    def _size(self, queue: ItemQueue, limit: Limit) -> int:
        """How many items go into a batch: one where each has a time limit of its own or brought a process down."""
        if limit.seconds is not None or self._alone:
            return 1
        return min(self._pace.size, max(1, math.ceil(len(queue) / (2 * len(self._lanes)))))

    def _start(self, lane: Lane, batch: list[tuple[Item, float]], limit: Limit) -> None:
        clock = self._services.clock
        items = [item for item, _ in batch]
        try:
            packed = lane.pack(replace(self._order, items=tuple(map(self._values, items)), watch=self._watched(items)))
        except UnsendableError as error:
            self._refuse(items, error)
            return
        host = replace(self._services.host, pid=lane.pid)
        self._log.start(items, [delay for _, delay in batch], host, lane.kind)
        now = clock.monotonic()
        deadline = math.inf if limit.seconds is None else now + limit.seconds
        self._flying[lane.submit(packed)] = Sent(lane, items, limit, deadline, now)

    def _refuse(self, items: list[Item], error: UnsendableError) -> None:
        if not self._refused:
            message = f"{error.args[0]}: the items run in the kernel"
            self._services.warn(self._log.run_id, self._step.name, message, error.problem.hint)
        self._refused = True
        self.kept += items

    def _values(self, item: Item) -> Mapping[str, object]:
        return {source.item: value for source, value in zip(self._step.options.map, item.values, strict=True)}

    def _watched(self, items: Sequence[Item]) -> tuple[str, ...]:
        if not self._guard.on:
            return ()
        columns = zip(*(item.values for item in items), strict=True)
        pairs = zip(self._step.options.map, columns, strict=True)
        return tuple(source.item for source, column in pairs if any(type(value) not in PLAIN for value in column))

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self._flying)

    def collect(self, due: float | None) -> list[Ended]:
        """Wait a moment for something to end, and take it in; ``due`` is when a retry may start."""
        clock = self._services.clock
        now = clock.monotonic()
        until = min([now + _SLICE, *(sent.deadline for sent in self._flying.values()), *([] if due is None else [due])])
        if not self._flying:
            clock.sleep(max(0.0, until - now))
            return []
        done, _ = wait(self._flying, max(0.0, until - now), FIRST_COMPLETED)
        self._services.cancel.check()
        ended = [each for future in done for each in self._land(future)]
        return ended + self._expired()

    def _land(self, future: Future[tuple[Reply, ...]]) -> list[Ended]:
        sent = self._flying.pop(future)
        error = future.exception()
        if error is not None:
            return self._lost(sent, error)
        self._pace.took(len(sent.items), self._services.clock.monotonic() - sent.started)
        return [
            found for item, reply in zip(sent.items, future.result(), strict=True) for found in self._took(item, reply)
        ]

    def _lost(self, sent: Sent, error: BaseException) -> list[Ended]:
        """The batch did not come back. Of several items any may be the culprit: each is tried again, alone."""
        if len(sent.items) > 1 and isinstance(error, CrashedError):
            self._alone.update(item.position for item in sent.items)
            return [(item, Tried(Outcome(), error=_SuspectError()), ()) for item in sent.items]
        self._alone.difference_update(item.position for item in sent.items)
        return [(item, Tried(Outcome(), error=error), ()) for item in sent.items]

    def _took(self, item: Item, reply: Reply) -> list[Ended]:
        """An item came back: store what it made, here."""
        self._alone.discard(item.position)
        error: BaseException | None = reply.outcome.error
        if error is None and reply.changed:
            error = self._guard.told(reply.changed)
        if error is None and reply.unsent:
            name, why = next(iter(reply.unsent.items()))
            self._refuse([item], UnsendableError(f"{name} cannot be brought back from there: {why}"))
            self._log.withdraw(item)
            return []
        if error is not None:
            return [(item, Tried(reply.outcome, error=error), reply.observed)]
        try:
            made, reasons = collect(self._step, lambda name: reply.values.get(name, ABSENT), self._services)
        except StepError as wrong:
            return [(item, Tried(reply.outcome, error=wrong), reply.observed)]
        return [(item, Tried(reply.outcome, made, reasons, peak_rss=reply.peak_rss), reply.observed)]

    def _expired(self) -> list[Ended]:
        """Stop what has had its time."""
        now = self._services.clock.monotonic()
        ended: list[Ended] = []
        for future in [future for future, sent in self._flying.items() if sent.deadline <= now and not future.done()]:
            sent = self._flying.pop(future)
            sent.lane.stop()
            error = StepTimeout(sent.limit.seconds or 0.0, total=sent.limit.total)
            ended += [(item, Tried(Outcome(duration=now - sent.started), error=error), ()) for item in sent.items]
        return ended

    def stop(self) -> None:
        """Give up what is under way."""
        for sent in self._flying.values():
            sent.lane.stop()
        self._flying.clear()
        for lane in self._lanes:
            lane.release(self._order.token)


class _SuspectError(CrashedError):
    """Another item of the same batch may have brought the process down."""

    def __init__(self) -> None:
        super().__init__("the worker process died; each item of its batch is tried again by itself")


def is_suspect(error: BaseException) -> bool:
    """Whether an item may have been lost by another one's fault: that costs it no attempt."""
    return isinstance(error, _SuspectError)
