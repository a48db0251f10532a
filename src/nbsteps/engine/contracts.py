"""The words that the loop shares with whatever executes bodies: an order for one attempt, and what it came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from nbsteps.core.approvals import Request
from nbsteps.core.model import Failure, ItemCounts, Result, Step
from nbsteps.core.retry import Limit
from nbsteps.core.states import StepState
from nbsteps.engine.capacity import Capacity
from nbsteps.engine.judge import Identity


@dataclass(frozen=True, slots=True)
class Trial:
    """One attempt as the loop orders it.

    Attributes:
        run_id: the run it belongs to.
        number: counted from 1.
        delay: seconds waited before it.
        limit: how long it may take.
        live: whether the inputs were just taken from the kernel as the user sees them, and nothing ran since.
        forced: whether the user wants the body run whatever is stored.
        quiet: capture its output without showing it.
        given: what the engine binds for the body beyond its inputs, by variable.
        began: when the first attempt began, by the clock's ``monotonic``.
        fail_fast: whether a map starts nothing more once too many items failed.
    """

    run_id: str
    number: int = 1
    delay: float = 0.0
    limit: Limit = field(default_factory=Limit)
    live: bool = False
    forced: bool = False
    quiet: bool = False
    given: Mapping[str, object] = field(default_factory=dict)
    began: float = 0.0
    fail_fast: bool = False


@dataclass(frozen=True, slots=True)
class Executed:
    """What an attempt came to: a result, a skip, or the error that ended it.

    Attributes:
        skipped: the reason that the body gave with ``Skip``; None where it did not.
        items: what became of a map's items.
        reason: why the step failed where that is more than its error, such as ``tolerance_exceeded``.
        cancelled: why it was left unfinished without an error; ``""`` where it was not.
        began: when the body began, by the clock's ``monotonic``, where it had waited for a place; else None.
    """

    result: Result | None
    error: BaseException | None = None
    failure: Failure | None = None
    skipped: str | None = None
    items: ItemCounts | None = None
    reason: str = ""
    cancelled: str = ""
    began: float | None = None


class InFlight(Protocol):
    """A step whose body, or whose items' bodies, are under way while the loop goes on. Used by one thread at a time."""

    @property
    def futures(self) -> Iterable[Future[Any]]:
        """Of what is executed elsewhere: one that is done makes a :meth:`turn` worth while."""

    @property
    def due(self) -> float | None:
        """When a :meth:`turn` is worth while whatever the futures, by the clock's ``monotonic``; None for never."""

    @property
    def hungry(self) -> bool:
        """Whether there is something to do for the main thread now."""

    def turn(self) -> Executed | None:
        """Take in what has come, stop what has had its time, send what can be sent; what it came to if that is all.

        Raises:
            StoreError: a stored value cannot be read back; nothing of it is under way any more.
        """

    def feed(self) -> Executed | None:
        """Use the main thread: for one body, or a fraction of a second of short ones; what it came to if that is all.

        Raises:
            StoreError: as :meth:`turn`.
        """

    def beside(self) -> None:
        """Serve the workers while a body has the main thread: called from another thread, and never raises."""

    def wind_down(self, reason: str) -> None:
        """Start nothing more; what is under way is taken in."""

    def stop(self, why: BaseException) -> Executed:
        """End it because of an interrupt, and record that; a result that comes later is discarded."""


class Dispatcher(Protocol):
    """Executes bodies away from the main thread."""

    def launch(self, step: Step, identity: Identity, trial: Trial, capacity: Capacity) -> InFlight:
        """Start an attempt as soon as there is a place for it."""


class Mapper(Protocol):
    """Executes steps with ``--map``: each item with its own attempts, timeouts and record."""

    def launch(self, step: Step, identity: Identity, trial: Trial, capacity: Capacity) -> Executed | InFlight:
        """Restore what is stored of the items, and begin with the others. The loop does not retry it."""


@dataclass(frozen=True, slots=True)
class Open:
    """The gate is open; ``values`` are those of the form, by variable, as the body sees them."""

    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """The gate stays shut: the step ends in ``state`` (skipped or failed), ``reason`` says why."""

    state: StepState
    reason: str


class Gate(Protocol):
    """Human approval before a body."""

    def check(
        self, step: Step, identity: Identity, run_id: str, shown: Callable[[], Mapping[str, object]]
    ) -> Open | Refused | Request:
        """Whether a person let the body run.

        Args:
            step: has ``--approve``.
            identity: as it is without the form's values; the request belongs to its key.
            run_id: the run that asks.
            shown: gives the values of inputs and of what the text refers to; called only to make a new request.

        Returns:
            ``Open``, ``Refused``, or the request that waits; it has been stored by ``StepWaiting`` in this run.
        """

    def decided(self, request: Request) -> bool:
        """Whether a request that waited has been decided meanwhile, by whoever and wherever, or by its time."""


@dataclass(frozen=True, slots=True)
class Crew:
    """Who does what the loop does not do itself; None where nobody does."""

    gate: Gate | None = None
    mapper: Mapper | None = None
    elsewhere: Dispatcher | None = None
