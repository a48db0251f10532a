"""The closed set of events: the engine's only outlet. Store, widget, progress lines and notifiers listen.

``at`` is seconds since the epoch, UTC. An event that changes what a step or run is carries the whole new fact, so that
a store can be rebuilt by replaying events in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nbsteps.core.approvals import Request, Verdict
from nbsteps.core.model import Attempt, ItemCounts, Result, Run
from nbsteps.core.states import RunState, StepState


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run began; ``steps`` are the names it covers, in graph order.

    ``owners`` and ``tags`` say who answers for a step and what labels it, of those steps that have them.
    """

    at: float
    run: Run
    steps: tuple[str, ...]
    owners: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """Identifier of the run."""
        return self.run.run_id


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step was decided to run; ``reasons`` say why. Its attempts follow."""

    at: float
    run_id: str
    step: str
    key: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A body is about to be executed. Durable before the body starts."""

    at: float
    attempt: Attempt

    @property
    def run_id(self) -> str:
        """Identifier of the run."""
        return self.attempt.run_id

    @property
    def step(self) -> str:
        """Name of the step."""
        return self.attempt.step


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """A body ended without success, ``attempt.state`` and ``attempt.failure`` say how.

    A success is not announced by this event but by :class:`StepSucceeded`, so that a result and its success are one
    record.
    """

    at: float
    attempt: Attempt

    @property
    def run_id(self) -> str:
        """Identifier of the run."""
        return self.attempt.run_id

    @property
    def step(self) -> str:
        """Name of the step."""
        return self.attempt.step


@dataclass(frozen=True, slots=True)
class StepSucceeded:
    """A body ran to its end and its outputs are stored. Durable before the run says so.

    ``uncacheable`` names what keeps the result from being reused; empty for a result that can be.
    """

    at: float
    attempt: Attempt
    result: Result
    uncacheable: tuple[str, ...] = ()
    items: ItemCounts | None = None

    @property
    def run_id(self) -> str:
        """Identifier of the run."""
        return self.attempt.run_id

    @property
    def step(self) -> str:
        """Name of the step."""
        return self.attempt.step


@dataclass(frozen=True, slots=True)
class StepRetrying:
    """Attempt number ``attempt`` failed and another follows at ``until``, seconds since the epoch.

    ``item`` is the key of a mapped item, else ``""``; ``position`` and ``label`` as its attempts have them.
    """

    at: float
    run_id: str
    step: str
    attempt: int
    delay: float
    until: float
    item: str = ""
    position: int | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class StepWaiting:
    """A step waits for a person. The request is stored with it; durable before the run says so."""

    at: float
    run_id: str
    step: str
    request: Request


@dataclass(frozen=True, slots=True)
class ApprovalDecided:
    """Somebody, or the passing of time, decided a request. ``run_id`` is the run that asked."""

    at: float
    run_id: str
    notebook: str
    step: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ItemsStarted:
    """Bodies of these items of a map are about to be executed. Durable before the first of them starts."""

    at: float
    run_id: str
    step: str
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class ItemsSucceeded:
    """Bodies of these items ran to their end and their outputs are stored. Durable before the run says so."""

    at: float
    run_id: str
    step: str
    done: tuple[tuple[Attempt, Result], ...]


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a running step is, by its own word (``nbsteps.progress``) or by its items. Never durable.

    ``total`` 0 means unknown. ``items`` counts those of a map.
    """

    at: float
    run_id: str
    step: str
    done: float
    total: float = 0
    text: str = ""
    items: ItemCounts | None = None


@dataclass(frozen=True, slots=True)
class StepSlow:
    """A step takes longer than ``--slow`` allows; ``seconds`` so far, ``median`` of its earlier runs."""

    at: float
    run_id: str
    step: str
    seconds: float
    median: float


@dataclass(frozen=True, slots=True)
class Accepted:
    """The user decided to keep a stored result although the code changed: it is recorded under the new key.

    ``reasons`` are those that would have made the step run.
    """

    at: float
    notebook: str
    step: str
    result: Result
    reasons: tuple[str, ...] = ()
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class StepRestored:
    """A stored result was taken instead of running the body; ``time_saved`` is the seconds the body had taken."""

    at: float
    run_id: str
    step: str
    key: str
    time_saved: float
    output_bytes: int = 0
    items: ItemCounts | None = None


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step ended without a result: failed, upstream_failed, skipped, cancelled or crashed."""

    at: float
    run_id: str
    step: str
    state: StepState
    reason: str
    reasons: tuple[str, ...] = ()
    items: ItemCounts | None = None


@dataclass(frozen=True, slots=True)
class ContextExecuted:
    """A context cell was executed because a step needed a name from it."""

    at: float
    run_id: str
    cell: str
    duration: float


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the user should know that stops nothing; ``step`` may be empty."""

    at: float
    run_id: str
    step: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Cleared:
    """The user asked to forget the results of a step of a notebook."""

    at: float
    notebook: str
    step: str
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run ended, or paused for a person."""

    at: float
    run_id: str
    state: RunState


Event = (
    RunStarted
    | StepStarted
    | AttemptStarted
    | AttemptEnded
    | StepSucceeded
    | StepRetrying
    | StepWaiting
    | ApprovalDecided
    | ItemsStarted
    | ItemsSucceeded
    | Progressed
    | StepSlow
    | Accepted
    | StepRestored
    | StepEnded
    | ContextExecuted
    | Warned
    | Cleared
    | RunEnded
)
"""Any event; `match` on it exhaustively."""
