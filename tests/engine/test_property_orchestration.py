"""Rules, retries, maps, gates under interrupts, cancels and kills: what was committed stays, and the end is the same.

Random pipelines are run with faults at random moments: an interrupt or a cancel in a body or in the wait before a
retry, a process that dies before or after any event it writes. Then they are run again, without any. An oracle of a few
lines, which knows nothing of the engine, says how each step must end and what it must have made.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nbsteps.core.decide import Action
from nbsteps.core.events import ItemsSucceeded, StepEnded, StepRestored, StepSucceeded
from nbsteps.core.missing import MISSING
from nbsteps.core.states import GOOD, TERMINAL, ApprovalState, StepState
from nbsteps.engine.approval import Approvals
from nbsteps.engine.capacity import Means
from nbsteps.testing import FakeEvaluator, MemoryStore
from tests.engine.acting import begin
from tests.engine.hands import HandLanes
from tests.engine.programs import HELPERS, ITEMS, NAMES, PLUS, Oracle, producer, programs


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Fault:
    """What happens when: at the given call of a body, wait of the clock, or event written."""

    kind: str = "none"
    at: int = 0


@dataclass
class World:
    """What bodies meet: failures that pass within a run, and the one fault of it."""

    flaky: dict[str, int]
    fault: Fault = field(default_factory=Fault)
    calls: Counter[str] = field(default_factory=Counter)
    count: int = 0
    cancel: Any = None
    means: Means = field(default_factory=Means)

    def begin(self, fault: Fault) -> None:
        self.fault, self.count = fault, 0
        self.calls.clear()

    def strike(self, *kinds: str) -> str:
        """The fault, if this is its moment."""
        if self.fault.kind not in kinds:
            return ""
        self.count += 1
        return self.fault.kind if self.count == self.fault.at else ""

    def __call__(self, step: str) -> None:
        struck = self.strike("interrupt", "cancel") if self.means.workers == 1 else self.strike("cancel")
        if struck == "interrupt":
            raise KeyboardInterrupt
        if struck:
            self.cancel()
        self.calls[step] += 1
        if self.calls[step] <= self.flaky[step]:
            raise ConnectionError(self.calls[step])


class MortalStore(MemoryStore):
    """The store as one process has it: once that process is killed, nothing more is written."""

    def __init__(self, shared: MemoryStore, world: World) -> None:
        super().__init__(shared)
        self.world = world
        self.dead = False

    def emit(self, event: Any) -> None:
        struck = "" if self.dead else self.world.strike("die before", "die after")
        if struck == "die after":
            super().emit(event)
        self.dead = self.dead or bool(struck)
        if self.dead:
            raise Killed
        super().emit(event)


FAULTS = st.one_of(
    st.builds(Fault, st.just("crash"), st.integers(1, 6)),
    st.builds(Fault, st.sampled_from(["interrupt", "cancel"]), st.integers(1, 12)),
    st.builds(Fault, st.just("cancel in a wait"), st.integers(1, 4)),
    st.builds(Fault, st.sampled_from(["die before", "die after"]), st.integers(1, 40)),
)


MEANS = [Means(1), Means(2), Means(3, "hands")]


class Orchestration(RuleBasedStateMachine):
    """Edits a pipeline, runs it with and without faults, in kernels that go on and in fresh ones, on one store."""

    def __init__(self):
        super().__init__()
        self.shared = MemoryStore()
        self.session = None

    @initialize(cells=programs(), means=st.sampled_from(MEANS), order=st.integers(0, 3))
    def begin(self, cells, means, order):
        self.cells, self.means, self.order = cells, means, order
        self.world = World({}, means=means)
        self.restart()

    def sources(self):
        context = ["yes, no = True, False", f"items = {ITEMS}", HELPERS]
        return (*context, *(cell.source() for cell in self.cells))

    def restart(self):
        """A new kernel on the same store."""
        store = MortalStore(self.shared, self.world)
        self.world.flaky = {cell.name: cell.flaky for cell in self.cells}
        self.session = begin(*self.sources(), store=store, world=self.world)
        self.world.cancel = self.session.cancel
        clock = self.session.services.clock
        sleep = clock.sleep

        def slept(seconds):
            if self.world.strike("cancel in a wait"):
                self.session.cancel()
            sleep(seconds)

        clock.sleep = slept
        HandLanes(self.session, self.order, dies=lambda: self.world.strike("crash"))

    @property
    def executed(self):
        evaluator = self.session.services.evaluator
        assert isinstance(evaluator, FakeEvaluator)
        return evaluator.executed

    def play(self, fault):
        """One run: what became of the steps as far as the store knows, and the result unless the process died."""
        before = len(self.shared.events)
        self.executed.clear()
        self.world.begin(fault)
        try:
            result, _ = self.session.run(means=self.means)
        except Killed:
            result = None
        committed = {e.step for e in self.shared.events[before:] if isinstance(e, StepSucceeded | StepRestored)}
        return result, committed

    @rule(step=st.sampled_from(range(len(NAMES))), constant=st.integers(0, 9))
    def edit(self, step, constant):
        self.cells[step].constant = constant
        self.restart()

    @rule(step=st.sampled_from(range(len(NAMES))))
    def run_edit_and_run(self, step):
        self.check_run(set())
        self.edit(step, self.cells[step].constant + 1)
        self.check_run(set())

    @rule(step=st.sampled_from(range(len(NAMES))))
    def break_or_mend(self, step):
        self.cells[step].breaks = not self.cells[step].breaks
        self.restart()

    @rule(fault=FAULTS, fresh=st.booleans())
    def run_with_a_fault(self, fault, fresh):
        expected = Oracle(self.cells)
        result, committed = self.play(fault)
        if fault.kind == "crash":
            # It may have cost the last attempt: then what followed from that failure does not hold for the next run.
            failed = {name for name, step in result.steps.items() if step.state is StepState.FAILED}
            committed = committed if all(expected.ends[name] is StepState.FAILED for name in failed) else set()
        elif result is not None:
            for name, step in result.steps.items():
                state = StepState.SUCCEEDED if step.state is StepState.CACHED else step.state
                assert state in {expected.ends[name], StepState.CANCELLED, StepState.WAITING, StepState.PENDING}
        if result is None or fresh:
            self.restart()
        self.check_run(committed)

    @rule()
    def run(self):
        self.check_run(set())

    def check_run(self, committed):
        """A run without faults ends as the oracle says, and neither it nor the next executes what was committed."""
        expected = Oracle(self.cells)
        self.world.begin(Fault())
        before = self.session.plan()
        result = self.settle(committed)
        found = {name: step.state for name, step in result.steps.items()}
        ends = {name: StepState.SUCCEEDED if state is StepState.CACHED else state for name, state in found.items()}
        assert ends == expected.ends
        assert result.state is expected.state
        self.check_values(expected)
        plan = self.session.plan()
        again, _ = self.play(Fault())
        assert not committed.intersection(self.executed), {name: again.steps[name].reasons for name in self.executed}
        assert {n: s.state in GOOD or s.state for n, s in again.steps.items()} == {
            n: s in GOOD or s for n, s in found.items()
        }
        if StepState.FAILED not in ends.values():
            self.check_plan(plan, again)
            if not any(cell.asks for cell in self.cells):
                self.check_plan(before, result)

    def settle(self, committed):
        """Run, and agree to whatever is asked, until nothing waits; notes what is committed meanwhile."""
        asked = set()
        while True:
            result, good = self.play(Fault())
            assert not committed.intersection(self.executed)
            committed |= good
            waiting = {name for name, step in result.steps.items() if step.state is StepState.WAITING}
            if not waiting:
                return result
            assert waiting <= {cell.name for cell in self.cells if cell.asks} - asked
            asked |= waiting
            for name in waiting:
                Approvals(self.session.services).decisions.approve(name, {"plus": PLUS})

    def check_plan(self, plan, result):
        """Where nothing fails, what was forecast for certain is what happened."""
        for name, decision in plan.decisions.items():
            state = result.steps[name].state
            if decision.action is Action.RESTORE:
                assert state is StepState.CACHED
            elif decision.action is Action.SKIP:
                assert state in {StepState.SKIPPED, StepState.UPSTREAM_FAILED}
            elif decision.action is Action.RUN:
                assert state is StepState.SUCCEEDED

    def check_values(self, expected):
        evaluator = self.session.services.evaluator
        made = {producer(name) for name, state in expected.ends.items() if state in GOOD}
        assert not any(value is MISSING for value in evaluator.names.values())
        evaluator.materialise(made)
        assert {name: evaluator.names[name] for name in made} == {name: expected.values[name] for name in made}

    @invariant()
    def what_ended_has_ended(self):
        ended = Counter(
            (event.run_id, event.step)
            for event in self.shared.events
            if isinstance(event, StepSucceeded | StepRestored)
            or (isinstance(event, StepEnded) and event.state in TERMINAL)
        )
        assert not [at for at, times in ended.items() if times > 1]

    @invariant()
    def nobody_is_asked_the_same_twice(self):
        requests = self.shared.requests.values()
        states = {request.request_id: self.shared.verdicts.get(request.request_id) for request in requests}
        void = {name for name, verdict in states.items() if verdict is not None and verdict.state is ApprovalState.VOID}
        asked = Counter((request.step, request.key) for request in requests if request.request_id not in void)
        assert not [at for at, times in asked.items() if times > 1]

    @invariant()
    def each_result_is_committed_once(self):
        keys = Counter(event.result.key for event in self.shared.events if isinstance(event, StepSucceeded))
        for event in self.shared.events:
            if isinstance(event, ItemsSucceeded):
                keys.update(result.key for _, result in event.done)
        assert not [key for key, times in keys.items() if times > 1]


TestOrchestration = Orchestration.TestCase
TestOrchestration.settings = settings(
    max_examples=40,
    stateful_step_count=6,
    deadline=None,
    # Explaining a failure traces every line, on Python 3.11 while looking for one already.
    phases=[phase for phase in Phase if phase is not Phase.explain],
    suppress_health_check=[HealthCheck.too_slow],
)
