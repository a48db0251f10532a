"""Executing the items of a map one after the other in the kernel's main thread and namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final

from nbsteps.core.errors import (
    CrashedError,
    MutatedInputError,
    StepError,
    UndigestibleError,
    UnstorableValueError,
)
from nbsteps.core.missing import Missing
from nbsteps.core.model import Part, Step
from nbsteps.core.retry import Limit
from nbsteps.engine.bindings import digest_or_unique, is_volatile, unique_digest
from nbsteps.engine.judge import Identity
from nbsteps.engine.maps.items import PLAIN, Item
from nbsteps.engine.maps.log import ItemOutputs
from nbsteps.engine.monitoring import telling
from nbsteps.engine.retrying import timeout_of
from nbsteps.engine.services import Services
from nbsteps.identity import child_reads, content
from nbsteps.identity.environment import EnvObserver, observe_env
from nbsteps.identity.observed import ReadObserver, observe_reads
from nbsteps.ports import Display, Outcome, Repeat

ABSENT: Final = object()


class ReadListener:
    """Hears what one body after the other reads. Listening costs most when it begins, so it goes on where it can."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stack = ExitStack()
        self._reads: ReadObserver
        self._asked: EnvObserver
        self._start = 0

    def open(self) -> None:
        """Begin to listen."""
        self._start = child_reads.position()
        self._reads = self._stack.enter_context(observe_reads(self._services.private))
        self._asked = self._stack.enter_context(observe_env())

    def take(self) -> tuple[Part, ...]:
        """What was read since this was asked last; nearly always nothing."""
        if not self._heard() and child_reads.position() == self._start:
            return ()
        parts = self.close()
        self.open()
        return parts

    def close(self) -> tuple[Part, ...]:
        """Stop listening; what is only known now, such as which random generators moved on, is told now."""
        self._stack.close()
        return self._heard()

    def _heard(self) -> tuple[Part, ...]:
        return (*self._reads.parts(self._services.folder, self._services.root), *self._asked.parts())


class ItemNamespace:
    """The namespace, made ready for one item after the other; on leaving it is as the user had it."""

    def __init__(
        self,
        step: Step,
        inputs: Mapping[str, object],
        given: Mapping[str, object],
        namespace: MutableMapping[str, object],
    ) -> None:
        self._inputs, self._given, self._namespace = inputs, given, namespace
        self._variables = tuple(source.item for source in step.options.map)
        self._cleared = tuple(name for name in (*step.outputs, *step.scratch) if name not in inputs)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Put away what the user has under the names that items need, and put it back."""
        names = (*self._cleared, *self._variables, *self._given, *self._inputs)
        stash = {name: self._namespace[name] for name in names if name in self._namespace}
        try:
            yield
        finally:
            for name in names:
                self._namespace.pop(name, None)
            self._namespace.update(stash)

    def lay(self, item: Item) -> None:
        """Inputs as they were handed to the first item, loop variables of this one, no outputs."""
        namespace = self._namespace
        for name in self._cleared:
            namespace.pop(name, None)
        namespace.update(self._inputs)
        namespace.update(self._given)
        for name, value in zip(self._variables, item.values, strict=True):
            namespace[name] = value

    def take(self, name: str) -> object:
        """What the body assigned to an output; ``ABSENT`` if nothing."""
        return self._namespace.get(name, ABSENT)


def collect(step: Step, take: Callable[[str], object], services: Services) -> tuple[ItemOutputs, tuple[str, ...]]:
    """Digest and store an item's outputs; what cannot be kept is named.

    Raises:
        StepError: an output was not assigned.
    """
    digests, artifacts, values, reasons = [], [], [], []
    for name in step.outputs:
        value = take(name)
        if value is ABSENT:
            message = f"the body ended without assigning {name}"
            hint = f"assign {name}, or drop it from --out; an item without a result: raise nbsteps.Skip"
            raise StepError(message, step=step.name, cell=step.cell.label, hint=hint)
        digest, artifact = "", None
        try:
            digest = content.digest(value)
            artifact = services.store.put(value, digest)
        except (UndigestibleError, UnstorableValueError) as error:
            reasons.append(f"{name}: {error.problem.message}")
        digests.append(digest or unique_digest())
        artifacts.append(artifact)
        values.append(value if artifact is None else None)
    kept = tuple(values) if None in artifacts else ()
    return ItemOutputs(tuple(digests), tuple(artifacts), kept), tuple(reasons)


class Guard:
    """Notices what bodies change in place: the item itself after each, what all items share after each batch."""

    def __init__(self, step: Step, common: Identity, inputs: Mapping[str, object], services: Services) -> None:
        self._step, self._services = step, services
        self.on = services.config.mutation != "off"
        self._shared = {
            name: (inputs[name], bound.digest)
            for name, bound in common.inputs.items()
            if name in inputs and not is_volatile(bound.digest) and type(inputs[name]) not in PLAIN | {Missing}
        }
        self.seconds = 0.0
        """What the last look at the shared inputs took."""

    def fixed(self) -> Mapping[str, str]:
        """Digests of the inputs that items share, by name: what bodies elsewhere must not change, either."""
        return {name: digest for name, (_, digest) in self._shared.items()} if self.on else {}

    def before(self, item: Item) -> tuple[str, ...]:
        """Digests to compare with afterwards; none where nothing can change."""
        if not self.on or all(type(value) in PLAIN for value in item.values):
            return ()
        return item.digests or tuple(map(digest_or_unique, item.values))

    def after(self, item: Item, before: Sequence[str]) -> StepError | None:
        """Which loop variable's value the body changed, if any."""
        for source, value, digest in zip(self._step.options.map, item.values, before, strict=bool(before)):
            if not is_volatile(digest) and digest_or_unique(value) != digest:
                return self.told(source.item)
        return None

    def shared(self) -> StepError | None:
        """Which input that items share was changed, if any."""
        if not self.on or not self._shared:
            return None
        clock = self._services.clock
        start = clock.monotonic()
        changed = next(
            (name for name, (value, before) in self._shared.items() if digest_or_unique(value) != before), ""
        )
        self.seconds = clock.monotonic() - start
        return self.told(changed) if changed else None

    def told(self, name: str) -> StepError | None:
        """The error for a value that a body changed; None where that is only a warning."""
        message = f"the body changed its input {name} in place"
        hint = f"work on a copy: {name} = {name}.copy()"
        if self._services.config.mutation == "warn":
            self._services.warn("", self._step.name, message, hint)
            return None
        return MutatedInputError(message, step=self._step.name, cell=self._step.cell.label, hint=hint)


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """What executing an item's body came to.

    Attributes:
        outcome: as the evaluator gave it.
        made: the outputs; None where there is an error.
        reasons: what keeps the outputs from being reused.
        error: what the body raised, or what it did not keep.
        peak_rss: largest resident size of the process where it was executed, bytes; None for the kernel.
    """

    outcome: Outcome
    made: ItemOutputs | None = None
    reasons: tuple[str, ...] = ()
    error: BaseException | None = None
    peak_rss: int | None = None


class SuspectError(CrashedError):
    """An item was lost, perhaps by the fault of another one of its batch: that costs it no attempt."""

    def __init__(self) -> None:
        super().__init__("the worker process died; each item of its batch is tried again by itself")


class LocalItems:
    """The kernel as a place for items."""

    def __init__(  # noqa: PLR0913 - what a body needs
        self,
        services: Services,
        step: Step,
        bench: ItemNamespace,
        guard: Guard,
        run: Repeat,
        tell: Callable[[Item, float, float, str], None],
    ) -> None:
        self._services, self._step, self._bench, self._guard, self._run = services, step, bench, guard, run
        self._tell = tell

    def _hear(self, item: Item) -> AbstractContextManager[None]:
        return telling(partial(self._tell, item), self._services.clock.monotonic)

    def execute(self, item: Item, limit: Limit) -> ItemOutcome:
        """Execute one item's body, and store what it made."""
        self._bench.lay(item)
        before = self._guard.before(item)
        try:
            with self._services.cancel.body(), self._hear(item):
                outcome = self._run(limit.seconds)
        except KeyboardInterrupt as interrupt:
            outcome = Outcome(error=interrupt)
        error = timeout_of(self._step, outcome.error, limit) or (self._guard.after(item, before) if before else None)
        if error is not None:
            return ItemOutcome(outcome, error=error)
        try:
            return ItemOutcome(outcome, *collect(self._step, self._bench.take, self._services))
        except StepError as wrong:
            return ItemOutcome(outcome, error=wrong)


def merged(shown: Iterable[Display]) -> list[Display]:
    """Displays in one list; texts of one stream that follow each other become one."""
    found: list[Display] = []
    for kind, group in groupby(shown, lambda display: (display["output_type"], display.get("name"))):
        together = list(group)
        if kind[0] == "stream" and len(together) > 1:
            found.append({**together[0], "text": "".join(display["text"] for display in together)})
        else:
            found += together
    return found
