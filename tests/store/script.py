"""What the engine emits, without the engine: the store's tests drive it with this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nbsteps.core.approvals import Request, Verdict
from nbsteps.core.events import (
    Accepted,
    ApprovalDecided,
    AttemptEnded,
    AttemptStarted,
    ItemsStarted,
    ItemsSucceeded,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepRetrying,
    StepStarted,
    StepSucceeded,
    StepWaiting,
)
from nbsteps.core.model import Attempt, Failure, ItemCounts, Part, PartKind, Result, Run
from nbsteps.core.policies import Field, OnExpire, OnReject
from nbsteps.core.states import ApprovalState, AttemptState, RunState, StepState
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

    def begin(self, step: str, key: str = "", executor: str = "main") -> Attempt:
        self.store.emit(StepStarted(self.tick(), self.run_id, step, key or f"k-{step}", ("never ran",)))
        attempt = Attempt(self.run_id, step, 1, self.tick(), executor, "host", 7)
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

    def retry(self, step: str) -> None:
        """The first attempt failed and a second will follow."""
        self.begin(step)
        self.store.emit(StepRetrying(self.tick(), self.run_id, step, 1, 5.0, self.now + 5.0))

    def map(self, step: str, values: Sequence[object], parts: tuple[Part, ...] = PARTS) -> tuple[Result, ...]:
        """Items run in one batch; then the step itself succeeds."""
        whole = self.begin(step, executor="map")
        attempts = tuple(
            replace(whole, item=f"i{n}", executor="main", position=n, label=repr(value))
            for n, value in enumerate(values)
        )
        self.store.emit(ItemsStarted(self.tick(), self.run_id, step, attempts))
        done = tuple(
            (
                attempt,
                self._made(attempt, value, f"k-{step}-{attempt.item}", (*parts, Part(PartKind.VALUE, "x", f"{n}"))),
            )
            for n, (attempt, value) in enumerate(zip(attempts, values, strict=True))
        )
        self.store.emit(ItemsSucceeded(self.tick(), self.run_id, step, done))
        result = self._made(whole, list(values), f"k-{step}", parts)
        counts = ItemCounts(len(values) + 1, len(values), 1, 0)
        self.store.emit(StepSucceeded(self.tick(), whole, result, items=counts))
        return tuple(result for _, result in done)

    def _made(self, attempt: Attempt, value: object, key: str, parts: tuple[Part, ...]) -> Result:
        artifact = self.store.put(value, digest(value))
        return Result(
            key, f"s-{attempt.step}", NOTEBOOK, attempt.step, self.run_id, {"out": artifact}, parts,
            started_at=attempt.started_at, ended_at=self.now, duration=1.0, item=attempt.item,
        )  # fmt: skip

    def ask(self, step: str, identifier: str, **more: Any) -> Request:
        """The step waits for a person."""
        rules = {"expires_at": 5000.0, "on_expire": OnExpire.REJECT, "on_reject": OnReject.FAIL}
        request = Request(
            identifier, NOTEBOOK, self.run_id, step, f"k-{step}", f"{step}: go on?", self.tick(),
            (Field("amount", "float", "0.5"), Field("way", "choice", None, ("a", "b"))), "x = 1",
            (("total", "float 1.5"),), **{**rules, "approvers": ("ana", "bob"), **more},
        )  # fmt: skip
        self.store.emit(StepWaiting(self.now, self.run_id, step, request))
        return request

    def decide(self, request: Request, state: ApprovalState = ApprovalState.APPROVED) -> Verdict:
        verdict = Verdict(request.request_id, state, self.tick(), "ana", "fine", {"amount": 0.25, "way": "b"})
        self.store.emit(ApprovalDecided(self.now, request.run_id, NOTEBOOK, request.step, verdict))
        return verdict

    def accept(self, result: Result) -> Result:
        """The user keeps a result under another key."""
        kept = replace(result, key=f"{result.key}-new", accepted_by="ana")
        self.store.emit(Accepted(self.tick(), NOTEBOOK, result.step, kept, ("code changed",)))
        return kept

    def end(self, state: RunState = RunState.SUCCEEDED) -> None:
        self.store.emit(RunEnded(self.tick(), self.run_id, state))


def keys(store: DuckStore, *steps: str) -> dict[str, list[str]]:
    """Step to the runs whose results are found for it, newest first."""
    recall = store.recall(NOTEBOOK, steps, [f"s-{step}" for step in steps])
    return {step: [result.run_id for result in recall.results.get(f"k-{step}", ())] for step in steps}
