"""The items of a step with ``--map`` in one run: each looked up, retried and recorded by itself."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from nbsteps.core.errors import CrashedError, Skip, StepError, StepTimeout
from nbsteps.core.model import Artifact, Part, Step
from nbsteps.core.retry import GiveUp, Limit, after, limit, policy
from nbsteps.core.states import AttemptState
from nbsteps.engine.attempt import describe
from nbsteps.engine.contracts import Trial
from nbsteps.engine.judge import Identity, Judge
from nbsteps.engine.maps.items import Item, identify_items, read_items
from nbsteps.engine.maps.local import Guard, ItemNamespace, ItemOutcome, SuspectError
from nbsteps.engine.maps.log import Ended, Failed, ItemLog, ItemOutputs, Tally
from nbsteps.engine.maps.lookup import Finder
from nbsteps.engine.maps.queue import ItemQueue
from nbsteps.engine.retrying import asked_delay, retryable, why_failed
from nbsteps.engine.sending import sent_names
from nbsteps.engine.services import Services, new_id
from nbsteps.identity import content
from nbsteps.ports import Display, Order


class MapWork:
    """The items of one step in one run: which are left, and what has become of the others.

    Attributes:
        step: the step.
        tally: what has become of the items.
        seconds_saved: what the bodies of the restored ones had taken.
        queue: those that are left.
        log: records attempts.
        guard: notices what bodies change in place.
        fail_fast: whether to start no more items once too many failed.
        live: whether output is shown.
    """

    def __init__(self, services: Services, judge: Judge, step: Step, identity: Identity, trial: Trial) -> None:
        self._services, self.step, self._run_id = services, step, trial.run_id
        namespace = services.evaluator.namespace
        self._inputs = {name: namespace[name] for name in identity.inputs if name in namespace}
        self._given = dict(trial.given)
        self._common = judge.common(step, identity.inputs)
        self._items = identify_items(step, self._common.key, read_items(step, namespace), namespace)
        self._finder = Finder(services, judge, step, self._common, trial.run_id, forced=trial.forced)
        self.live = not trial.quiet
        self.fail_fast = trial.fail_fast
        self._began: float | None = None
        self._twins: defaultdict[str, list[Item]] = defaultdict(list)
        self._restored: dict[int, Artifact] = {}
        self._unseen: dict[int, tuple[Display, ...]] = {}
        self._shown = 0
        self.queue = ItemQueue(())
        self._leg: list[tuple[Item, ItemOutcome, tuple[Part, ...]]] = []
        self.stop: BaseException | None = None
        self.tally = Tally(len(self._items))
        self.seconds_saved = 0.0
        self.log = ItemLog(services, step, self._common, trial.run_id, self.tally)
        self.guard = Guard(step, self._common, self._inputs, services)

    def restore(self, missing: set[str]) -> None:
        """Take what is stored; the other items are left for :meth:`run`, of equal ones the first."""
        for item, result in self._finder.find(self._items, frozenset(missing)):
            artifacts = tuple(result.outputs[name] for name in self.step.outputs)
            self.tally.made[item.position] = ItemOutputs(tuple(each.digest for each in artifacts), artifacts)
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
        self.queue = ItemQueue(left)

    @property
    def exceeded(self) -> bool:
        """Whether more items failed than may: nothing can make the step succeed any more."""
        return not self.step.options.tolerate.allows(len(self.tally.failed), self.tally.total)

    @property
    def unsettled(self) -> bool:
        """Whether something ended that is not recorded."""
        return bool(self._leg)

    def finish(self) -> None:
        """Every item has ended."""
        self._show_until(len(self._items))
        self.log.progress(last=True)

    def bench(self) -> ItemNamespace:
        """The kernel's namespace as a place for items."""
        return ItemNamespace(self.step, self._inputs, self._given, self._services.evaluator.namespace)

    def before(self, item: Item) -> None:
        """An item is about to be executed in the kernel."""
        self._show_until(item.position)

    def took(self, item: Item, tried: ItemOutcome, observed: tuple[Part, ...], *, shown: bool) -> None:
        """An item's body ended; it is recorded with the next :meth:`settle`. ``shown``: its output has been shown."""
        self._leg.append((item, tried, observed))
        if not shown:
            self._unseen[item.position] = tried.outcome.displays
        self.stop = self.stop or _stopping(tried.error)

    def order(self) -> Order:
        """What every item finds where it is executed, away from the kernel: what the body reads, and no more."""
        step, services = self.step, self._services
        over = {source.items for source in step.options.map} - self._common.inputs.keys()
        return Order(
            step=step,
            shared=sent_names(step, services.evaluator.namespace, self._inputs, self._given, over),
            token=new_id(),
            fixed=self.guard.fixed(),
            outputs=step.outputs,
            private=services.private,
            folder=services.folder.absolute(),
            root=services.root,
        )

    def end_early(self) -> None:
        """Raise what ends the map before its items have ended.

        Raises:
            KeyboardInterrupt: an item's body was interrupted.
            StepTimeout: the time for the whole step is up.
        """
        if self.stop is not None:
            raise self.stop

    def settle(self, late: tuple[Part, ...] = (), *, shared: bool = True, broken: StepError | None = None) -> None:
        """Record what ended, unless it rests on inputs that a body changed.

        Args:
            late: what only now is known to have been read.
            shared: whether the bodies had the kernel's own objects, so that they may have changed them.
            broken: the error for a shared input that is known to have been changed.

        Raises:
            StepError: a body changed what all items share.
        """
        leg, self._leg = self._leg, []
        if leg and shared and broken is None:
            broken = self.guard.shared()
        for item, tried, parts in leg:
            self._ended(item, tried, (*parts, *late))
        if broken is not None:
            self.log.discard(describe(broken))
            raise broken
        if leg:
            self.log.commit()
            self.log.progress()

    def _ended(self, item: Item, tried: ItemOutcome, observed: tuple[Part, ...]) -> None:
        displays = tried.outcome.displays
        if displays:
            self.tally.shown[item.position] = displays
        if tried.made is not None:
            kept = self._keep(displays) if displays else None
            peak_rss = tried.peak_rss or self._services.host.peak_rss()
            ended = Ended(tried.outcome.duration, kept, observed, peak_rss)
            self.log.succeeded(item, tried.made, ended, tried.reasons)
            self.tally.note(observed)
            for twin in self._twins.pop(item.key, ()):
                self.tally.made[twin.position] = tried.made
                self.tally.restored += 1
        elif tried.error is not None:
            self._erred(item, tried.error, tried.outcome.traceback)

    def _erred(self, item: Item, error: BaseException, traceback: str) -> None:
        failed = Failed(item, error, describe(error, traceback))
        if isinstance(error, KeyboardInterrupt):
            self.log.failed(failed, AttemptState.CANCELLED, final=False)
            return
        if isinstance(error, Skip):
            self.log.failed(failed, AttemptState.SUCCEEDED)
            for twin in self._twins.pop(item.key, ()):
                self.tally.skipped[twin.position] = replace(failed, item=twin)
            return
        step, now = self.step, self._services.clock.monotonic()
        crashed = AttemptState.CRASHED if isinstance(error, CrashedError) else AttemptState.FAILED
        if isinstance(error, SuspectError):
            item.lost += 1
            self.log.failed(failed, crashed, final=False)
            self.queue.put_first([item])
            return
        verdict = after(
            policy(step.options),
            attempt=item.attempts - item.lost,
            elapsed=now - (now if self._began is None else self._began),
            retryable=retryable(step, error, self._services, self._run_id),
            asked=asked_delay(error),
            seed=f"{self._run_id}\0{step.name}\0{item.key}",
        )
        if isinstance(verdict, GiveUp):
            failed.reason = why_failed(step, error, verdict.reason)
            self.log.failed(failed, crashed)
            for twin in self._twins.pop(item.key, ()):
                self.tally.failed[twin.position] = replace(failed, item=twin)
            return
        self.log.failed(failed, crashed, final=False)
        self.log.retrying(item, verdict.delay)
        self.queue.postpone(item, verdict.delay, now)

    def limit(self) -> Limit:
        """How long the next body may take.

        Raises:
            StepTimeout: not at all, the step's own time is up.
        """
        elapsed = 0.0 if self._began is None else self._services.clock.monotonic() - self._began
        found = limit(self.step.options, elapsed)
        if found.total and not found.seconds:
            raise StepTimeout(self.step.options.total_timeout or 0.0, total=True)
        return found

    @property
    def deadline(self) -> float | None:
        """When the time for the whole step is up, by the clock's ``monotonic``; None for never."""
        total = self.step.options.total_timeout
        return None if total is None or self._began is None else self._began + total

    def begin(self) -> None:
        """Items are about to be executed: the time over all of them begins with the first."""
        if self._began is None:
            self._began = self._services.clock.monotonic()

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
            if displays and self.live:
                self._services.evaluator.replay(displays, "", self.step.name)
            self._shown += 1

    def show_ready(self) -> None:
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
