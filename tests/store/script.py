"""What the engine emits, without the engine: the store's tests drive it with this."""

from __future__ import annotations

from typing import Any

from nbsteps.core.events import (
    AttemptEnded,
    AttemptStarted,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepStarted,
    StepSucceeded,
)
from nbsteps.core.model import Attempt, Failure, Part, PartKind, Result, Run
from nbsteps.core.states import AttemptState, RunState, StepState
from nbsteps.identity.content import digest
from nbsteps.store.store import DuckStore

NOTEBOOK = "nb.ipynb"
PARTS = (Part(PartKind.CODE, "body", "1" * 32, "x = 1"),)


class Script:
    """Emits what the engine would emit for a small pipeline."""

    def __init__(self, store: DuckStore, run_id: str = "r1", trigger: str = "cli", **labels: Any) -> None:
        self.store, self.run_id, self.now = store, run_id, 1000.0
        run = Run(run_id, NOTEBOOK, trigger, self.tick(), "host", 7, "me", {"month": "1"})
        store.emit(RunStarted(self.now, run, ("a", "b"), **labels))

    def tick(self) -> float:
        self.now += 1.0
        return self.now

    def begin(self, step: str, key: str = "") -> Attempt:
        self.store.emit(StepStarted(self.tick(), self.run_id, step, key or f"k-{step}", ("never ran",)))
        attempt = Attempt(self.run_id, step, 1, self.tick(), "main", "host", 7)
        self.store.emit(AttemptStarted(self.now, attempt))
        return attempt

    def succeed(
        self, step: str, value: object = 1, key: str = "", uncacheable: tuple[str, ...] = (), **more: Any
    ) -> Result:
        attempt = self.begin(step, key)
        artifact = self.store.put(value, digest(value))
        result = Result(
            key or f"k-{step}", f"s-{step}", NOTEBOOK, step, self.run_id, {"out": artifact}, PARTS,
            started_at=attempt.started_at, ended_at=self.tick(), duration=1.0, **more,
        )  # fmt: skip
        self.store.emit(StepSucceeded(self.now, attempt, result, uncacheable))
        return result

    def fail(self, step: str) -> None:
        attempt = self.begin(step)
        failure = Failure("ValueError", "bad", "trace")
        failed = Attempt(
            self.run_id, step, 1, attempt.started_at, "main", "host", 7, state=AttemptState.FAILED,
            ended_at=self.tick(), failure=failure, peak_rss=10,
        )  # fmt: skip
        self.store.emit(AttemptEnded(self.now, failed))
        self.store.emit(StepEnded(self.tick(), self.run_id, step, StepState.FAILED, "failed", ("never ran",)))

    def restore(self, step: str) -> None:
        self.store.emit(StepRestored(self.tick(), self.run_id, step, f"k-{step}", 1.0, 5))

    def end(self, state: RunState = RunState.SUCCEEDED) -> None:
        self.store.emit(RunEnded(self.tick(), self.run_id, state))


def keys(store: DuckStore, *steps: str) -> dict[str, list[str]]:
    """Step to the runs whose results are found for it, newest first."""
    recall = store.recall(NOTEBOOK, steps, [f"s-{step}" for step in steps])
    return {step: [result.run_id for result in recall.results.get(f"k-{step}", ())] for step in steps}
