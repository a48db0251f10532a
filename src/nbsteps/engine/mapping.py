"""Steps with ``--map``: every item is looked up, executed where need be and recorded by itself; so is their list."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from nbsteps.core.errors import CrashedError, Skip, StepError, StepTimeout
from nbsteps.core.model import Artifact, Part, Step
from nbsteps.core.retry import GiveUp, Limit, after, limit, policy
from nbsteps.core.states import AttemptState
from nbsteps.engine.attempt import describe
from nbsteps.engine.bindings import Bindings
from nbsteps.engine.executed import Executed, Means, Trial
from nbsteps.engine.itemaway import Away, is_suspect
from nbsteps.engine.itemfind import Finder
from nbsteps.engine.itemhere import Bench, Ears, Guard, Here, Tried
from nbsteps.engine.itemlog import Ended, Failed, ItemLog, Made, Tally
from nbsteps.engine.itemqueue import ItemQueue, Pace
from nbsteps.engine.items import Item, identify_items, read_items
from nbsteps.engine.itemsum import Whole
from nbsteps.engine.judge import Identity, Judge
from nbsteps.engine.retrying import asked_delay, retryable, why_failed
from nbsteps.engine.sending import sent_names
from nbsteps.engine.services import Services, new_id
from nbsteps.identity import content
from nbsteps.ports import Display, Lane, Order

_LEG_SECONDS: Final = 0.25
_SLICE: Final = 0.2


class ItemMapper:
    """Executes steps with ``--map`` for one kernel."""

    def __init__(self, services: Services, bindings: Bindings, judge: Callable[[], Judge]) -> None:
        self._services, self._bindings, self._judge = services, bindings, judge

    def execute(self, step: Step, identity: Identity, trial: Trial) -> Executed:
        """Run what must run of the items and commit the step's result.

        Raises:
            StoreError: an input cannot be read back.
        """
        for name in self._bindings.provide(identity.inputs, verify=not trial.live):
            message = f"{name} was changed since its step wrote it; the step gets what was written"
            self._services.warn(trial.run_id, step.name, message, f"change a copy, or change {name} in a step")
        whole = Whole(self._services, self._bindings, step, identity, trial)
        whole.start()
        work: MapWork | None = None
        try:
            work = MapWork(self._services, self._judge(), step, identity, trial)
            work.restore(self._bindings.missing)
            work.run(self._lanes(step, trial.means))
        except (KeyboardInterrupt, StepError, StepTimeout, CrashedError) as error:
            return whole.stopped(error, None if work is None else work.tally)
        finally:
            self._services.epoch += 1
            self._bindings.unset_missing(identity.inputs)
        return whole.ended(work.tally, work.seconds_saved)

    def _lanes(self, step: Step, means: Means) -> Sequence[Lane]:
        """Where items go: to processes unless the user says otherwise, if there is more than one worker."""
        options, lanes = step.options, self._services.lanes
        most = min(
            means.workers,
            options.max_parallel or means.workers,
            means.workers if options.pool is None else options.pool.slots,
        )
        if lanes is None or means.executor == "main" or (most <= 1 and not means.executor):
            return ()
        return lanes.open(means.executor or "processes", max(1, most))


class MapWork:
    """The items of one step in one run.

    Attributes:
        tally: what has become of them.
        seconds_saved: what the bodies of the restored ones had taken.
    """

    def __init__(self, services: Services, judge: Judge, step: Step, identity: Identity, trial: Trial) -> None:
        self._services, self._step, self._run_id = services, step, trial.run_id
        namespace = services.evaluator.namespace
        self._inputs = {name: namespace[name] for name in identity.inputs if name in namespace}
        self._given = dict(trial.given)
        self._common = judge.common(step, identity.inputs)
        self._items = identify_items(step, self._common.key, read_items(step, namespace), namespace)
        self._finder = Finder(services, judge, step, self._common, trial.run_id, forced=trial.forced)
        self._live = not trial.quiet
        self._begun = services.clock.monotonic()
        self._twins: defaultdict[str, list[Item]] = defaultdict(list)
        self._restored: dict[int, Artifact] = {}
        self._unseen: dict[int, tuple[Display, ...]] = {}
        self._shown = 0
        self._queue = ItemQueue(())
        self._leg: list[tuple[Item, Tried, tuple[Part, ...]]] = []
        self._stop: BaseException | None = None
        self.tally = Tally(len(self._items))
        self.seconds_saved = 0.0
        self._log = ItemLog(services, step, self._common, trial.run_id, self.tally)
        self._guard = Guard(step, self._common, self._inputs, services)

    def restore(self, missing: set[str]) -> None:
        """Take what is stored; the other items are left for :meth:`run`, of equal ones the first."""
        for item, result in self._finder.find(self._items, frozenset(missing)):
            artifacts = tuple(result.outputs[name] for name in self._step.outputs)
            self.tally.made[item.position] = Made(tuple(each.digest for each in artifacts), artifacts)
            self.tally.restored += 1
            self.tally.note(result.observed)
            self.seconds_saved += result.duration
            if result.displays is not None:
                self._restored[item.position] = result.displays
        left = [item for item in self._items if item.position not in self.tally.made]
        if self._finder.on:
            firsts: dict[str, Item] = {}
            for item in left:
                first = firsts.setdefault(item.key, item)
                if first is not item:
                    self._twins[item.key].append(item)
            left = list(firsts.values())
        self._queue = ItemQueue(left)

    def run(self, lanes: Sequence[Lane] = ()) -> None:
        """Execute what is left, in item order; retries when their time has come. Without lanes, in the kernel.

        Raises:
            KeyboardInterrupt: the user interrupted; what had ended is committed.
            StepError: a body changed what all items share.
            StepTimeout: the time for the whole step is up.
        """
        try:
            if len(self._queue) and lanes:
                self._run_away(lanes)
            if len(self._queue):
                self._run_here()
        except KeyboardInterrupt as interrupt:
            self._settle(())
            self._log.cancel(describe(interrupt))
            raise
        self._show_until(len(self._items))
        self._log.progress(last=True)

    def _run_away(self, lanes: Sequence[Lane]) -> None:
        """Execute items on lanes; those that cannot leave the kernel stay in the queue."""
        away = Away(self._services, self._step, self._order(), lanes, self._log, self._guard)
        try:
            while (len(self._queue) and not away.kept) or away.busy:
                away.send(self._queue, self._limit())
                for item, tried, parts in away.collect(self._queue.due()):
                    self._leg.append((item, tried, parts))
                    self._unseen[item.position] = tried.outcome.displays
                    self._stop = self._stop or _stopping(tried.error)
                self._settle(())
                self._show_ready()
                self._end_early()
        finally:
            away.stop()
        self._queue.put_first(away.kept)

    def _order(self) -> Order:
        """What every item finds where it is executed, away from the kernel: what the body reads, and no more."""
        step, services = self._step, self._services
        over = {source.items for source in step.options.map} - self._common.inputs.keys()
        return Order(
            step=step,
            shared=sent_names(step, services.evaluator.namespace, self._inputs, self._given, over),
            token=new_id(),
            outputs=step.outputs,
            private=services.private,
            folder=services.folder.absolute(),
            root=services.root,
        )

    def _run_here(self) -> None:
        evaluator, step = self._services.evaluator, self._step
        bench = Bench(step, self._inputs, self._given, evaluator.namespace)
        with bench.open(), evaluator.repeat_body(step, live=self._live) as run:
            self._drive(Here(self._services, step, bench, self._guard, run))

    def _drive(self, here: Here) -> None:
        clock, pace = self._services.clock, Pace()
        while len(self._queue):
            batch = self._queue.take(pace.size, clock.monotonic())
            if not batch:
                self._wait(self._queue.due() or 0.0)
                continue
            self._limit()
            start = clock.monotonic()
            self._log.start([item for item, _ in batch], [delay for _, delay in batch])
            pending = deque(item for item, _ in batch)
            while pending:
                self._go(here, pending)
            pace.took(len(batch), clock.monotonic() - start)

    def _go(self, here: Here, pending: deque[Item]) -> None:
        """Execute announced items until they are done or a commit is due."""
        clock = self._services.clock
        enough = clock.monotonic() + max(_LEG_SECONDS, 10 * self._guard.seconds)
        ears = Ears(self._services)
        ears.open()
        late: tuple[Part, ...] = ()
        try:
            while pending and self._stop is None and (not self._leg or clock.monotonic() < enough):
                item = pending.popleft()
                self._show_until(item.position)
                tried = here.execute(item, self._limit())
                self._leg.append((item, tried, ears.take()))
                self._stop = _stopping(tried.error)
        finally:
            late = ears.close()
        self._settle(late)
        self._end_early()

    def _end_early(self) -> None:
        if self._stop is not None:
            self._log.cancel(describe(self._stop))
            raise self._stop

    def _settle(self, late: tuple[Part, ...]) -> None:
        """Record what ended, unless it rests on inputs that a body changed."""
        leg, self._leg = self._leg, []
        broken = self._guard.shared() if leg else None
        for item, tried, parts in leg:
            self._ended(item, tried, (*parts, *late))
        if broken is not None:
            failure = describe(broken)
            self._log.discard(failure)
            self._log.cancel(failure)
            raise broken
        self._log.commit()
        self._log.progress()

    def _ended(self, item: Item, tried: Tried, observed: tuple[Part, ...]) -> None:
        displays = tried.outcome.displays
        if displays:
            self.tally.shown[item.position] = displays
        if tried.made is not None:
            kept = self._keep(displays) if displays else None
            peak_rss = tried.peak_rss or self._services.host.peak_rss()
            ended = Ended(tried.outcome.duration, kept, observed, peak_rss)
            self._log.succeeded(item, tried.made, ended, tried.reasons)
            self.tally.note(observed)
            for twin in self._twins.pop(item.key, ()):
                self.tally.made[twin.position] = tried.made
                self.tally.restored += 1
        elif tried.error is not None:
            self._erred(item, tried.error, tried.outcome.traceback)

    def _erred(self, item: Item, error: BaseException, traceback: str) -> None:
        failed = Failed(item, error, describe(error, traceback))
        if isinstance(error, KeyboardInterrupt):
            self._log.failed(failed, AttemptState.CANCELLED, final=False)
            return
        if isinstance(error, Skip):
            self._log.failed(failed, AttemptState.SUCCEEDED)
            for twin in self._twins.pop(item.key, ()):
                self.tally.skipped[twin.position] = replace(failed, item=twin)
            return
        step, now = self._step, self._services.clock.monotonic()
        crashed = AttemptState.CRASHED if isinstance(error, CrashedError) else AttemptState.FAILED
        if is_suspect(error):
            item.lost += 1
            self._log.failed(failed, crashed, final=False)
            self._queue.put_first([item])
            return
        verdict = after(
            policy(step.options),
            attempt=item.attempts - item.lost,
            elapsed=now - self._begun,
            retryable=retryable(step, error, self._services, self._run_id),
            asked=asked_delay(error),
            seed=f"{self._run_id}\0{step.name}\0{item.key}",
        )
        if isinstance(verdict, GiveUp):
            failed.reason = why_failed(step, error, verdict.reason)
            self._log.failed(failed, crashed)
            for twin in self._twins.pop(item.key, ()):
                self.tally.failed[twin.position] = replace(failed, item=twin)
            return
        self._log.failed(failed, crashed, final=False)
        self._log.retrying(item, verdict.delay)
        self._queue.postpone(item, verdict.delay, now)

    def _limit(self) -> Limit:
        """How long the next body may take.

        Raises:
            StepTimeout: not at all, the step's own time is up.
        """
        found = limit(self._step.options, self._services.clock.monotonic() - self._begun)
        if found.total and not found.seconds:
            raise StepTimeout(self._step.options.total_timeout or 0.0, total=True)
        return found

    def _wait(self, due: float) -> None:
        clock = self._services.clock
        while (left := due - clock.monotonic()) > 0:
            clock.sleep(min(left, _SLICE))

    def _keep(self, displays: tuple[Display, ...]) -> Artifact:
        shown = list(displays)
        return self._services.store.put(shown, content.digest(shown))

    def _show_until(self, position: int) -> None:
        """Show what restored items before that one had shown."""
        while self._shown < position:
            artifact = self._restored.pop(self._shown, None)
            displays = self._unseen.pop(self._shown, ())
            if artifact is not None:
                stored: Any = self._services.store.get(artifact)
                displays = self.tally.shown[self._shown] = tuple(stored)
            if displays and self._live:
                self._services.evaluator.replay(displays, "", self._step.name)
            self._shown += 1

    def _show_ready(self) -> None:
        """Show what items had shown elsewhere, in item order, as far as those before them have ended."""
        tally, position = self.tally, self._shown
        while position in tally.made or position in tally.failed or position in tally.skipped:
            position += 1
        self._show_until(position)


def _stopping(error: BaseException | None) -> BaseException | None:
    """What ends not only an item but the map."""
    if isinstance(error, KeyboardInterrupt) or (isinstance(error, StepTimeout) and error.total):
        return error
    return None
