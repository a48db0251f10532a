"""Steps with ``--map`` in the loop: items go to lanes or take turns in the kernel, while other steps go on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any, Final

from nbsteps.core.errors import CrashedError, StepError, StepTimeout
from nbsteps.core.model import Part, Step
from nbsteps.engine.attempt import describe
from nbsteps.engine.bindings import Bindings
from nbsteps.engine.capacity import Capacity, Claim
from nbsteps.engine.contracts import Executed, Trial
from nbsteps.engine.judge import Identity, Judge
from nbsteps.engine.maps.items import Item
from nbsteps.engine.maps.local import LocalItems, ReadListener
from nbsteps.engine.maps.queue import Pace
from nbsteps.engine.maps.remote import RemoteItems
from nbsteps.engine.maps.summary import MapSummary
from nbsteps.engine.maps.work import MapWork
from nbsteps.engine.services import Services

_LEG_SECONDS: Final = 0.25


class ItemMapper:
    """Executes steps with ``--map`` for one kernel."""

    def __init__(self, services: Services, bindings: Bindings, judge: Callable[[], Judge]) -> None:
        self._services, self._bindings, self._judge = services, bindings, judge

    def launch(self, step: Step, identity: Identity, trial: Trial, capacity: Capacity) -> Executed | MapFlight:
        """Restore what is stored of the items, and begin with the others; commits the step's result in the end.

        Raises:
            StoreError: an input cannot be read back.
        """
        for name in self._bindings.provide(identity.inputs, verify=not trial.live):
            message = f"{name} was changed since its step wrote it; the step gets what was written"
            self._services.warn(trial.run_id, step.name, message, f"change a copy, or change {name} in a step")
        whole = MapSummary(self._services, self._bindings, step, identity, trial)
        whole.start()
        work: MapWork | None = None
        try:
            work = MapWork(self._services, self._judge(), step, identity, trial)
            work.restore(self._bindings.missing)
            flight = MapFlight(self._services, work, whole, capacity)
        except (KeyboardInterrupt, StepError) as error:
            return whole.stopped(error, None if work is None else work.tally)
        finally:
            self._services.epoch += 1
            self._bindings.unset_missing(identity.inputs)
        return flight.begin() or flight


class MapFlight:
    """A map under way: batches of its items on lanes, or one item after the other in the kernel."""

    def __init__(self, services: Services, work: MapWork, whole: MapSummary, capacity: Capacity) -> None:
        self._services, self._work, self._whole, self._capacity = services, work, whole, capacity
        self._away: RemoteItems | None = None
        self._turns = LocalTurns(services, work)
        self._claim: Claim | None = None
        self._wound = ""
        self._over = False
        self._raised: BaseException | None = None
        lanes = capacity.lanes_for_items(work.step.options) if len(work.queue) else 0
        if lanes:
            capacity.open(lanes)
            self._away = RemoteItems(services, work, capacity, lanes)

    def begin(self) -> Executed | None:
        """Send what can be sent at once; what the map came to if nothing was left to do."""
        return self.turn()

    @property
    def futures(self) -> Collection[Future[Any]]:
        """The answers that are awaited."""
        return () if self._away is None else self._away.futures

    @property
    def due(self) -> float | None:
        """When an item's retry may start or something has had its time; at once if a lane became free."""
        work = self._work
        times = [self._wait_until(), work.deadline]
        if self._away is not None:
            times += [self._away.due(), self._away.deadline]
        return min((at for at in times if at is not None), default=None)

    def _wait_until(self) -> float | None:
        """When the next retry may start; None if one may already: then it waits for a place, not for its time."""
        at = None if self._wound else self._work.queue.due()
        return None if at is None or at <= self._services.clock.monotonic() else at

    @property
    def _home(self) -> bool:
        """Whether items that are left are executed in the kernel."""
        return self._away is None or (self._away.refused and not self._away.busy)

    @property
    def hungry(self) -> bool:
        """Whether an item can be executed in the kernel now."""
        if self._wound or not self._home or not self._ready():
            return False
        pool = self._work.step.options.pool
        if pool is None:
            return True
        self._claim = self._claim or self._capacity.ask(pool, away=False)
        return self._claim.granted

    def _ready(self) -> bool:
        return self._turns.busy or self._work.queue.ready(self._services.clock.monotonic())

    def turn(self) -> Executed | None:
        """Take in what came back from lanes, and send what can be sent."""
        return self._guarded(self._look)

    def feed(self) -> Executed | None:
        """Execute items in the kernel for a quarter of a second, or one that takes longer."""
        return self._guarded(self._lay)

    def beside(self) -> None:
        """Record what came back, and send more, while a body has the main thread; nothing is shown meanwhile."""
        if self._away is None or self._away.refused or self._raised is not None:
            return
        try:
            self._away.collect()
            if not self._away.shares:
                self._work.settle(shared=False, broken=self._away.broken)
            self._send()
        except BaseException as error:  # noqa: BLE001 - raised again where it is dealt with
            self._raised = error

    def wind_down(self, reason: str) -> None:
        """Start no more items; those under way are taken in."""
        self._wound = self._wound or reason
        if self._away is not None:
            self._away.withdraw()

    def stop(self, why: BaseException) -> Executed:
        """End it; what has ended stays committed."""
        return self._stopped(why)

    def _guarded(self, act: Callable[[], None]) -> Executed | None:
        """Do a bit; what the map came to if it is over."""
        work = self._work
        try:
            act()
            if work.fail_fast and work.exceeded:
                self.wind_down("too many items failed")
            return None if self._unfinished() else self._conclude()
        except (KeyboardInterrupt, StepError, StepTimeout, CrashedError) as error:
            return self._stopped(error)
        except BaseException:
            self._leave()
            raise

    def _conclude(self) -> Executed:
        """Nothing more happens: every item has ended, or it was wound down."""
        work = self._work
        left = len(work.queue) > 0 or self._turns.busy
        self._leave()
        work.log.cancel()
        if left and not work.exceeded:
            work.log.progress(last=True)
            return self._whole.left_out(self._wound, work.tally)
        work.finish()
        return self._whole.ended(work.tally, work.seconds_saved)

    def _unfinished(self) -> bool:
        if self._over:
            return False
        under_way = self._away is not None and self._away.busy
        return under_way or (not self._wound and (len(self._work.queue) > 0 or self._turns.busy))

    def _look(self) -> None:
        work, away = self._work, self._away
        error, self._raised = self._raised, None
        if error is not None:
            raise error
        if away is not None:
            away.collect()
            work.settle(shared=away.shares, broken=away.broken)
            work.show_ready()
            work.end_early()
        self._send()

    def _send(self) -> None:
        work = self._work
        if work.fail_fast and work.exceeded:
            self.wind_down("too many items failed")
        if self._unfinished() and not self._wound and work.stop is None:
            work.limit()
            if self._away is not None:
                self._away.send()

    def _lay(self) -> None:
        try:
            with self._capacity.beside():
                self._turns.take()
        finally:
            self._services.epoch += 1
            if self._claim is not None:
                self._capacity.give_back(self._claim)
                self._claim = None
        self._work.end_early()

    def _stopped(self, error: BaseException) -> Executed:
        work = self._work
        if not isinstance(error, StepError):
            self._rescue()
        self._leave()
        work.log.cancel(describe(error))
        return self._whole.stopped(error, work.tally)

    def _rescue(self) -> None:
        """Commit what has ended and was not looked at yet."""
        work, away = self._work, self._away
        try:
            if away is None:
                work.settle()
            else:
                away.collect()
                work.settle(shared=away.shares, broken=away.broken)
        except StepError:  # which ends it as well; the other reason came first
            return

    def _leave(self) -> None:
        """Hold no lane, no slot and no order any more."""
        self._over = True
        self._services.epoch += 1
        if self._away is not None:
            self._away.stop()
        if self._claim is not None:
            self._capacity.give_back(self._claim)
            self._claim = None


class LocalTurns:
    """Executes a map's items in the kernel, a leg at a time; between two legs the namespace is the user's."""

    def __init__(self, services: Services, work: MapWork) -> None:
        self._services, self._work = services, work
        self._pace = Pace()
        self._pending: deque[Item] = deque()
        self._announced = 0
        self._spent = 0.0
        """Seconds that the announced items took so far, without what came between two legs."""

    @property
    def busy(self) -> bool:
        """Whether items have been announced and not been executed."""
        return bool(self._pending)

    def take(self) -> None:
        """Execute items for a moment, or one that takes longer; each announced batch is committed as it ends.

        Raises:
            KeyboardInterrupt: the user interrupted between two bodies.
            StepError: a body changed what all items share.
            StepTimeout: the time for the whole step is up.
        """
        services, work, bench = self._services, self._work, self._work.bench()
        evaluator = services.evaluator
        until = services.clock.monotonic() + max(_LEG_SECONDS, 10 * work.guard.seconds)
        with bench.open(), evaluator.repeat_body(work.step, live=work.live) as run:
            here = LocalItems(services, work.step, bench, work.guard, run, work.log.said)
            while work.stop is None and self._announced_some():
                self._batch(here, until)
                if services.clock.monotonic() >= until:
                    return

    def _batch(self, here: LocalItems, until: float) -> None:
        """Execute announced items until they are done or what they made is worth a commit."""
        work, clock = self._work, self._services.clock
        late: tuple[Part, ...] = ()
        ears = ReadListener(self._services)
        ears.open()
        start = clock.monotonic()
        try:
            while self._pending and work.stop is None and not self._due(until):
                item = self._pending.popleft()
                work.before(item)
                tried = here.execute(item, work.limit())
                work.took(item, tried, ears.take(), shown=True)
        finally:
            late = ears.close()
            self._spent += clock.monotonic() - start
        work.settle(late)

    def _due(self, until: float) -> bool:
        """Whether what ended is to be committed now, or a retry has its turn."""
        now = self._services.clock.monotonic()
        return (self._work.unsettled and now >= until) or self._work.queue.is_due(now)

    def _announced_some(self) -> bool:
        """Announce the next items if none are left of those before, or if one is due again; False if there are none."""
        now = self._services.clock.monotonic()
        if not self._pending or self._work.queue.is_due(now):
            self._announce(now)
        return bool(self._pending)

    def _announce(self, now: float) -> None:
        work = self._work
        if self._announced and not self._pending:
            self._pace.took(self._announced, self._spent)
            self._announced, self._spent = 0, 0.0
        batch = work.queue.take(1 if self._pending else self._pace.size, now)
        if batch:
            work.limit()
            work.begin()
            self._announced += len(batch)
            work.log.start([item for item, _ in batch], [delay for _, delay in batch])
            self._pending.extendleft(item for item, _ in reversed(batch))
