"""What the engine asks of the outside, as protocols: each has a real side and a fake in :mod:`nbsteps.testing`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from nbsteps.core.approvals import Approval
from nbsteps.core.events import Event
from nbsteps.core.mapped import ItemError
from nbsteps.core.model import Artifact, Cell, Result, Step
from nbsteps.core.states import StepState

Display = dict[str, Any]
"""One output in notebook format (``output_type`` stream, display_data or execute_result), JSON-able."""


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

    def flight(self, key: str) -> AbstractContextManager[None]:
        """Hold the key so that one process at a time computes it; waits while another live process holds it."""

    def approvals(self, notebook: str, step: str = "") -> tuple[Approval, ...]:
        """Requests of a notebook, or of one step, newest first, with what other processes decided a moment ago."""

    def durations(self, notebook: str, step: str) -> tuple[float, ...]:
        """Seconds that the latest successes of a step took, newest first, fifty at most."""

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

    def replay(self, displays: tuple[Display, ...], note: str) -> None:
        """Show stored outputs again, marked with ``note`` (``restored from 2026-01-01 10:00``)."""


class Clock(Protocol):
    """Time, so that tests own it."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never stepping back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
