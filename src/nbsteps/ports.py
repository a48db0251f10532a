"""What the engine asks of the outside, as protocols: each has a real side and a fake in :mod:`nbsteps.testing`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nbsteps.core.approvals import Approval
from nbsteps.core.events import Event
from nbsteps.core.mapped import ItemError
from nbsteps.core.model import Artifact, Cell, Part, Result, Step
from nbsteps.core.states import StepState

Display = dict[str, Any]
"""One output in notebook format (``output_type`` stream, display_data or execute_result), JSON-able."""


ItemTell = Callable[[int, float, float, str], None]
"""Told how far a body is: which of an order's executions, counted from 0, how much of how much is done, and words."""


@dataclass(frozen=True, slots=True)
class Last:
    """How a step ended the last time in its notebook.

    Attributes:
        state: the state it ended in.
        result: the result that it produced or restored most recently, also if it failed after that; None if never.
    """

    state: StepState
    result: Result | None


@dataclass(frozen=True, slots=True)
class Recall:
    """What one bulk read of the store knows.

    Attributes:
        results: key to the results stored under it, newest first (several differ in what they observed).
        last: step to its last outcome in this notebook.
        statics: the static digests for which ``results`` is complete as of the read.
    """

    results: Mapping[str, tuple[Result, ...]] = field(default_factory=dict)
    last: Mapping[str, Last] = field(default_factory=dict)
    statics: frozenset[str] = frozenset()


class Listener(Protocol):
    """Anything that is told of events, in order, synchronously."""

    def emit(self, event: Event) -> None:
        """Take note of ``event``."""


class Store(Listener, Protocol):
    """Where results and history are kept. ``emit`` is durable on return for AttemptStarted and StepSucceeded."""

    def recall(self, notebook: str, steps: Collection[str], statics: Collection[str]) -> Recall:
        """Read in bulk what is known of these steps and static digests; cheap when repeated in one process."""

    def find(self, key: str) -> tuple[Result, ...]:
        """Results under one key, newest first, including what other processes committed a moment ago."""

    def find_items(self, keys: Collection[str]) -> Mapping[str, tuple[Result, ...]]:
        """Results of a map's items under each of the keys, newest first, in one look; keys without any are absent."""

    def flight(self, key: str, *, wait: bool = True) -> AbstractContextManager[bool]:
        """Hold the key so that one process at a time computes it; gives whether it is held.

        While another live process holds it this waits, or gives False at once without ``wait``.
        """

    def approvals(self, notebook: str, step: str = "") -> tuple[Approval, ...]:
        """Requests of a notebook, or of one step, newest first, with what other processes decided a moment ago."""

    def durations(self, notebook: str, step: str) -> tuple[float, ...]:
        """Seconds that the latest successes of a step took, newest first, fifty at most."""

    def findings(self) -> Mapping[str, str]:
        """What was found out about texts of cells and modules, by digest, as far as the same code found it out."""

    def keep_findings(self, findings: Mapping[str, str]) -> None:
        """Keep what was found out about texts; losing it costs time only."""

    def put(self, value: object, digest: str) -> Artifact:
        """Store a value under its content digest, once.

        Raises:
            UnstorableValueError: no codec can store it.
        """

    def put_items(self, artifacts: Sequence[Artifact], errors: Sequence[ItemError], digest: str) -> Artifact:
        """Store the output of a map under its content digest: which stored values it is made of, and what failed."""

    def get(self, artifact: Artifact) -> object:
        """Read a value back, verified.

        Raises:
            DamagedValueError: checksum wrong or bytes gone.
            UntrustedValueError: written by somebody else and needs unpickling.
        """

    def close(self) -> None:
        """Release everything; what was acknowledged stays."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What executing a body or a context cell came to.

    Attributes:
        displays: everything it showed, in order.
        error: the exception that ended it, with its traceback; None for success.
        traceback: the error as plain text, the user's frames only.
        duration: seconds.
    """

    displays: tuple[Display, ...] = ()
    error: BaseException | None = None
    traceback: str = ""
    duration: float = 0.0


Repeat = Callable[[float | None], Outcome]
"""Executes a body once more; takes a timeout in seconds, or None."""


class Evaluator(Protocol):
    """Executes cells in the user's namespace."""

    @property
    def namespace(self) -> MutableMapping[str, object]:
        """The user's global names, live."""

    def bind(self, name: str, load: Callable[[], object]) -> None:
        """Bind a stored value to a name lazily: ``load`` is called when something first mentions the name.

        Until then the name is pending and absent from :attr:`namespace`.
        """

    def forget(self, name: str) -> None:
        """Unbind a name, loaded or pending."""

    def pending(self, name: str) -> bool:
        """Whether the name is bound lazily and not loaded yet."""

    def materialise(self, names: Iterable[str]) -> None:
        """Load those of the names that are pending."""

    def run_body(self, step: Step, *, live: bool = True, timeout: float | None = None) -> Outcome:
        """Execute a step's body; with ``live`` its output is shown as it comes, always it is captured.

        After ``timeout`` seconds the body is stopped, and the outcome's error is a ``StepTimeout``.
        """

    @property
    def limits(self) -> bool:
        """Whether a body that runs here can be stopped when its time is up."""

    def interrupt(self) -> None:
        """Interrupt the body that is being executed, from another thread."""

    def repeat_body(self, step: Step, *, live: bool = True) -> AbstractContextManager[Repeat]:
        """Get ready to execute a body many times: each call of what is given executes it once.

        The call takes the timeout of :meth:`run_body`, and has its outcome. Between the calls
        the caller changes the namespace as it likes; nothing else is executed meanwhile.
        """

    def run_context(self, cell: Cell) -> Outcome:
        """Execute a context cell as if the user had."""

    def replay(self, displays: tuple[Display, ...], note: str, step: str = "") -> None:
        """Show stored outputs again, marked with ``note`` (``restored from 2026-01-01 10:00``), as ``step``'s."""


class Clock(Protocol):
    """Time, so that tests own it."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never stepping back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def wait(self, futures: Collection[Future[Any]], seconds: float) -> None:
        """Wait until one of the futures is done, no longer than so many seconds."""

    def beside(self, look: Callable[[], tuple[Collection[Future[Any]], float]]) -> AbstractContextManager[None]:
        """While inside, have ``look`` called from another thread, and again when what it returns says so.

        It returns futures of which one must be done, and the seconds after which it is called in any case. On leaving,
        a call that has begun has ended.
        """


@dataclass(frozen=True, slots=True)
class Order:
    """Executions of one body away from the kernel.

    Attributes:
        step: whose body.
        shared: variables that every execution finds, by name.
        token: names what ``shared`` holds: with an equal one it need not be sent again.
        items: what each execution finds beyond that; one execution for each.
        watch: names among those of an item whose values must not be changed in place.
        fixed: names among the shared ones of which the same is true, with their digests.
        outputs: variables to bring back.
        private: files and folders that never count as read.
        folder: the notebook's folder.
        root: the project's folder.
    """

    step: Step
    shared: Mapping[str, object]
    token: str
    items: tuple[Mapping[str, object], ...] = field(default=({},))
    watch: tuple[str, ...] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    private: tuple[Path, ...] = ()
    folder: Path = field(default_factory=Path)
    root: Path | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What one execution away from the kernel came to.

    Attributes:
        outcome: displays, error, duration.
        values: the outputs that were assigned.
        observed: files and variables that it read.
        changed: one of the watched or fixed names whose value was changed in place, or ``""``. Fixed ones are looked
            at once an order: then it is said of all its executions.
        checked: seconds that this look took.
        unsent: output to why it cannot be brought back.
        peak_rss: largest resident size of its process, bytes.
    """

    outcome: Outcome
    values: Mapping[str, object] = field(default_factory=dict)
    observed: tuple[Part, ...] = ()
    changed: str = ""
    checked: float = 0.0
    unsent: Mapping[str, str] = field(default_factory=dict)
    peak_rss: int | None = None


class Lane(Protocol):
    """A place away from the kernel's main thread for one order at a time."""

    @property
    def kind(self) -> str:
        """What history calls it, such as ``processes``."""

    @property
    def pid(self) -> int:
        """Process that executes there; waits until it has started."""

    @property
    def kills(self) -> bool:
        """Whether :meth:`stop` ends the body; otherwise the body goes on, and only its result is discarded."""

    @property
    def free(self) -> bool:
        """Whether it takes an order now; one whose body goes on after :meth:`stop` does not."""

    def coming(self) -> Future[Any] | None:
        """Done when it has started, which this begins if need be; None if it has."""

    def pack(self, order: Order) -> Any:
        """Make an order ready for :meth:`submit`.

        Raises:
            UnsendableError: something that the body needs cannot be sent.
        """

    def submit(self, packed: Any, tell: ItemTell) -> Future[tuple[Reply, ...]]:
        """Start a packed order.

        If the process dies, the future fails with ``CrashedError``; if what was made cannot be brought back, with
        ``UnsendableError``. What bodies say about their progress is told meanwhile, where it can be heard from there.
        """

    def stop(self) -> None:
        """Give up the order that runs there."""

    def release(self, token: str) -> None:
        """No order with that token follows: what was kept for it can go."""


class Lanes(Protocol):
    """The places there are."""

    def open(self, executor: str | Executor, workers: int) -> Sequence[Lane]:
        """So many lanes of a kind; those opened before are used again.

        Raises:
            UsageError: there is no executor of that name.
        """

    def close(self) -> None:
        """End all processes and threads."""
