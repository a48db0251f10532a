"""What becomes of a map's items, and the events that say so: in batches, so that a record costs little."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from nbsteps.core.errors import Skip
from nbsteps.core.events import AttemptEnded, ItemsStarted, ItemsSucceeded, Progressed, StepRetrying
from nbsteps.core.mapped import ItemError, item_name
from nbsteps.core.model import Artifact, Attempt, Failure, ItemCounts, Part, PartKind, Result, Step
from nbsteps.core.states import AttemptState
from nbsteps.engine.bindings import unique_digest
from nbsteps.engine.judge import Identity
from nbsteps.engine.maps.items import Item
from nbsteps.engine.services import Host, Services
from nbsteps.ports import Display

_PROGRESS_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class ItemOutputs:
    """What one item's body left behind.

    Attributes:
        digests: content of the outputs, in declared order.
        artifacts: the stored outputs; None where one could not be stored.
        values: the outputs that could not be stored, by position.
    """

    digests: tuple[str, ...]
    artifacts: tuple[Artifact | None, ...]
    values: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt at an item ended, apart from its outputs."""

    duration: float = 0.0
    displays: Artifact | None = None
    observed: tuple[Part, ...] = ()
    peak_rss: int | None = None


@dataclass(slots=True)
class Failed:
    """Why an item has no output."""

    item: Item
    error: BaseException
    failure: Failure
    reason: str = ""

    def told(self) -> ItemError:
        """As the step's output tells it."""
        return ItemError(self.item.position, self.item.text(), self.failure.error_type, self.failure.message)


@dataclass(slots=True)
class Tally:
    """What has become of the items so far, by position."""

    total: int
    made: dict[int, ItemOutputs] = field(default_factory=dict)
    failed: dict[int, Failed] = field(default_factory=dict)
    skipped: dict[int, Failed] = field(default_factory=dict)
    shown: dict[int, tuple[Display, ...]] = field(default_factory=dict)
    restored: int = 0
    executed: int = 0
    uncacheable: list[str] = field(default_factory=list)
    read: dict[tuple[PartKind, str], Part] = field(default_factory=dict)

    def note(self, observed: Iterable[Part]) -> None:
        """An item's body read these files and variables: the whole depends on them, too."""
        for part in observed:
            self.read.setdefault((part.kind, part.name), part)

    def observed(self) -> tuple[Part, ...]:
        """What all items read."""
        return tuple(self.read.values())

    def counts(self) -> ItemCounts:
        """As events tell it."""
        return ItemCounts(self.total, self.executed, self.restored, len(self.failed))

    @property
    def done(self) -> int:
        """Items of which nothing more will be heard."""
        return len(self.made) + len(self.failed) + len(self.skipped)


class ItemLog:
    """Records the attempts at the items of one step in one run.

    Started items are announced together before the first of them runs, and successes are committed together: a batch
    costs one record of each kind. Nobody waits longer for a commit than one item takes, or a quarter of a second.
    """

    def __init__(self, services: Services, step: Step, common: Identity, run_id: str, tally: Tally) -> None:
        self.tally = tally
        self._services, self._step, self._common, self.run_id = services, step, common, run_id
        self._running: dict[int, Attempt] = {}
        self._done: list[tuple[int, Attempt, Result]] = []
        self._told = float("-inf")

    def start(
        self, items: Sequence[Item], delays: Sequence[float] = (), host: Host | None = None, executor: str = "main"
    ) -> None:
        """Announce that the bodies of these items are about to be executed."""
        services, now = self._services, self._services.clock.now()
        host = host or services.host
        waited = delays or (0.0,) * len(items)
        for item, delay in zip(items, waited, strict=True):
            item.attempts += 1
            self._running[item.position] = Attempt(
                self.run_id,
                self._step.name,
                item.attempts,
                now,
                executor,
                host.name,
                host.pid,
                item.key,
                delay,
                position=item.position,
                label=item.text(),
            )
        attempts = tuple(self._running[item.position] for item in items)
        services.emit(ItemsStarted(now, self.run_id, self._step.name, attempts))

    def succeeded(self, item: Item, made: ItemOutputs, ended: Ended, uncacheable: Iterable[str] = ()) -> None:
        """An item's body ran to its end. It is committed with the next :meth:`commit`."""
        tally, now = self.tally, self._services.clock.now()
        attempt = _ended(self._running.pop(item.position), AttemptState.SUCCEEDED, now, ended.peak_rss)
        tally.made[item.position] = made
        tally.executed += 1
        names = self._step.outputs
        outputs = {name: stored for name, stored in zip(names, made.artifacts, strict=True) if stored is not None}
        reasons = tuple(uncacheable)
        tally.uncacheable += [text for text in reasons if text not in tally.uncacheable]
        common = self._common
        # What must not be found again is recorded under a key that nobody asks for.
        reusable = not (reasons or common.uncacheable or item.volatile)
        result = Result(
            key=item.key if reusable else unique_digest(),
            static=common.key,
            notebook=self._services.notebook,
            step=self._step.name,
            run_id=self.run_id,
            outputs=outputs,
            parts=(*common.parts, *item.parts(self._step)),
            observed=ended.observed,
            displays=ended.displays,
            started_at=attempt.started_at,
            ended_at=now,
            duration=ended.duration,
            item=item.key,
        )
        self._done.append((item.position, attempt, result))

    def failed(self, failed: Failed, state: AttemptState = AttemptState.FAILED, *, final: bool = True) -> None:
        """An item's body ended without success; ``final`` if no other attempt follows."""
        now = self._services.clock.now()
        running = self._running.pop(failed.item.position)
        failure = None if state is AttemptState.SUCCEEDED else failed.failure
        attempt = _ended(running, state, now, self._services.host.peak_rss(), failure)
        self._services.emit(AttemptEnded(now, attempt))
        if final:
            kept = self.tally.skipped if isinstance(failed.error, Skip) else self.tally.failed
            kept[failed.item.position] = failed
            self.tally.executed += 1

    def retrying(self, item: Item, delay: float) -> None:
        """Another attempt at an item follows after so many seconds."""
        now = self._services.clock.now()
        which = (item.key, item.position, item.text())
        self._services.emit(StepRetrying(now, self.run_id, self._step.name, item.attempts, delay, now + delay, *which))

    def withdraw(self, item: Item) -> None:
        """An attempt came to nothing, by nobody's fault: another one follows at once."""
        now = self._services.clock.now()
        item.lost += 1
        ended = _ended(self._running.pop(item.position), AttemptState.CANCELLED, now, None)
        self._services.emit(AttemptEnded(now, ended))

    def commit(self) -> None:
        """Make the successes durable, and tell how far the step is."""
        if self._done:
            done, self._done = tuple((attempt, result) for _, attempt, result in self._done), []
            self._services.emit(ItemsSucceeded(self._services.clock.now(), self.run_id, self._step.name, done))

    def discard(self, failure: Failure) -> None:
        """Take back the successes that are not committed: what made them turned out to be wrong."""
        now = self._services.clock.now()
        for position, attempt, _result in self._done:
            del self.tally.made[position]
            self._services.emit(AttemptEnded(now, _ended(attempt, AttemptState.FAILED, now, None, failure)))
        self._done = []

    def cancel(self, failure: Failure | None = None) -> None:
        """Whatever was announced and has not ended will not be executed."""
        now = self._services.clock.now()
        for attempt in self._running.values():
            ended = _ended(attempt, AttemptState.CANCELLED, now, None, failure)
            self._services.emit(AttemptEnded(now, ended))
        self._running.clear()

    def said(self, item: Item, done: float, total: float, text: str) -> None:
        """Tell what an item's body says about its progress; from any thread."""
        share = f"{done:g} of {total:g}" if total else f"{done:g}"
        attempt = self._running.get(item.position)
        words = f"{item_name(item.position, attempt.label if attempt else '')}: {share} {text}".rstrip()
        tally, at = self.tally, self._services.clock.now()
        event = Progressed(at, self.run_id, self._step.name, tally.done, tally.total, words, tally.counts())
        self._services.emit(event)

    def progress(self, *, last: bool = False) -> None:
        """Tell how far the step is, ten times a second at most."""
        now = self._services.clock.monotonic()
        if last or now - self._told >= _PROGRESS_SECONDS:
            self._told = now
            tally, at = self.tally, self._services.clock.now()
            event = Progressed(at, self.run_id, self._step.name, tally.done, tally.total, "", tally.counts())
            self._services.emit(event)


def _ended(
    attempt: Attempt, state: AttemptState, at: float, peak_rss: int | None, failure: Failure | None = None
) -> Attempt:
    return Attempt(
        attempt.run_id,
        attempt.step,
        attempt.attempt,
        attempt.started_at,
        attempt.executor,
        attempt.host,
        attempt.pid,
        attempt.item,
        attempt.delay,
        state,
        at,
        failure,
        peak_rss,
        attempt.position,
        attempt.label,
    )
