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
from nbsteps.core.policies import Trigger
from nbsteps.core.rules import Ruling, verdict
from nbsteps.core.states import GOOD, TERMINAL, ApprovalState, RunState, StepState
from nbsteps.engine.approval import Approvals
from nbsteps.testing import FakeEvaluator, MemoryStore
from tests.engine.acting import begin

HELPERS = """
def num(value):
    return sum(value) if isinstance(value, list) else value or 0
"""
ITEMS = [3, 5, 7]
PLUS = 2
"""What is filled into forms."""
# These may decide while other parents are open: what such a step found of them would depend on the moment.
EARLY = {Trigger.ONE_SUCCESS, Trigger.ONE_FAILED, Trigger.ONE_DONE, Trigger.ALWAYS}
USUAL = [Trigger.ALL_SUCCESS, Trigger.NONE_FAILED]
NAMES = ("a", "b", "c", "m", "n", "o", "p", "q", "r")
MEMBERS = ("m", "n", "o")
SHARED = "shared"


@dataclass
class Cell:
    """One step of the program."""

    name: str
    constant: int
    reads: frozenset[str]
    trigger: Trigger
    retries: int
    flaky: int
    breaks: bool
    when: str
    catch: str
    mapped: bool
    asks: bool

    @property
    def member(self) -> bool:
        return self.name in MEMBERS

    @property
    def variable(self) -> str:
        return SHARED if self.member else f"v_{self.name}"

    def source(self) -> str:
        words = [f"--retries {self.retries} --trigger {self.trigger}"]
        early = self.trigger in EARLY
        if early and self.reads:
            words.append("--after " + " ".join(sorted(self.reads)))
        words += [f'--when "{self.when}"'] if self.when else []
        words += [f"--catch {self.catch}"] if self.catch else []
        words += ["--branch g"] if self.member else []
        words += ["--map item=items"] if self.mapped else []
        words += ["--approve 'Go on?' --ask plus:int"] if self.asks else []
        terms = [str(self.constant), *(["item"] if self.mapped else []), *(["plus"] if self.asks else [])]
        terms += [] if early else [f"num({variable})" for variable in sorted({producer(name) for name in self.reads})]
        failing = "if yes:\n    raise ValueError('told to')\n" if self.breaks else ""
        body = f"world('{self.name}')\n{failing}{self.variable} = {' + '.join(terms)}"
        return f"%%step {self.name} {' '.join(words)}\n{body}"


def producer(name: str) -> str:
    return SHARED if name in MEMBERS else f"v_{name}"


@st.composite
def programs(draw: Any) -> list[Cell]:
    cells: list[Cell] = []
    some_break, some_ask = draw(st.booleans()), draw(st.booleans())
    for at, name in enumerate(NAMES):
        earlier = [other for other in NAMES[:at] if not (name in MEMBERS and other in MEMBERS)]
        readable = [other for other in earlier if other not in MEMBERS[1:]]
        reads = draw(st.frozensets(st.sampled_from(readable), max_size=2)) if readable else frozenset()
        asked = [f"{word}('{other}')" for other in earlier for word in ("failed", "succeeded", "skipped")]
        retries = draw(st.integers(0, 2))
        mapped = draw(st.integers(0, 4)) == 0
        when = draw(st.sampled_from(["yes", "no", *asked])) if draw(st.integers(0, 3)) == 0 else ""
        cells.append(
            Cell(
                name=name,
                constant=draw(st.integers(0, 3)),
                reads=reads,
                trigger=draw(st.sampled_from(list(Trigger) if draw(st.integers(0, 3)) == 0 else USUAL)),
                retries=retries,
                flaky=0 if mapped else draw(st.integers(0, retries)),
                breaks=some_break and draw(st.integers(0, 2)) == 0,
                # Only the last member may go without a condition: it takes what no other takes.
                when="yes" if name in MEMBERS[:2] and not when else when,
                catch=draw(st.sampled_from(earlier)) if earlier and draw(st.integers(0, 7)) == 0 else "",
                mapped=mapped,
                asks=some_ask and draw(st.integers(0, 3)) == 0,
            )
        )
    return cells


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
        struck = self.strike("interrupt", "cancel")
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


class Oracle:
    """How a run without faults ends, by the words of the documentation."""

    def __init__(self, cells: list[Cell]) -> None:
        self.ends: dict[str, StepState] = {}
        self.values: dict[str, Any] = {}
        self.taken = ""
        self.lost = False
        for cell in cells:
            self.ends[cell.name] = self.end(cell)
        caught = {cell.catch for cell in cells if cell.catch and self.ends[cell.name] in GOOD}
        failed = {name for name, state in self.ends.items() if state is StepState.FAILED}
        self.state = RunState.FAILED if failed - caught else RunState.SUCCEEDED

    def end(self, cell: Cell) -> StepState:
        kept = self.kept_from_running(cell)
        if kept is not None:
            self.lost = self.lost or (cell.member and kept is StepState.UPSTREAM_FAILED)
            return kept
        self.taken = self.taken or (cell.name if cell.member else "")
        if cell.breaks:
            return StepState.FAILED
        base = cell.constant + (PLUS if cell.asks else 0)
        if cell.trigger not in EARLY:
            base += sum(self.number(variable) for variable in {producer(name) for name in cell.reads})
        self.values[cell.variable] = [base + item for item in ITEMS] if cell.mapped else base
        return StepState.SUCCEEDED

    def kept_from_running(self, cell: Cell) -> StepState | None:
        if cell.member and (self.taken or self.lost):
            return StepState.SKIPPED if self.taken else StepState.UPSTREAM_FAILED
        if cell.catch and self.ends[cell.catch] is not StepState.FAILED:
            return StepState.SKIPPED
        found = verdict(cell.trigger, self.parents(cell))
        if found is Ruling.UPSTREAM_FAILED:
            return StepState.UPSTREAM_FAILED
        return StepState.SKIPPED if found is Ruling.SKIP or not self.holds(cell.when) else None

    def number(self, variable: str) -> int:
        value = self.values.get(variable, 0)
        return sum(value) if isinstance(value, list) else value

    def parents(self, cell: Cell) -> list[StepState]:
        early = cell.trigger in EARLY
        found = [self.ends[name] for name in cell.reads if early or name not in MEMBERS]
        if not early and not cell.reads.isdisjoint(MEMBERS):
            members = [self.ends[name] for name in MEMBERS]
            order = (StepState.SUCCEEDED, StepState.FAILED, StepState.UPSTREAM_FAILED, StepState.SKIPPED)
            found.append(next(state for state in order if state in members))
        return found

    def holds(self, when: str) -> bool:
        states = {"failed": StepState.FAILED, "succeeded": StepState.SUCCEEDED, "skipped": StepState.SKIPPED}
        word, _, step = when.removesuffix("')").partition("('")
        return self.ends[step] is states[word] if step else when != "no"


FAULTS = st.one_of(
    st.builds(Fault, st.sampled_from(["interrupt", "cancel"]), st.integers(1, 12)),
    st.builds(Fault, st.just("cancel in a wait"), st.integers(1, 4)),
    st.builds(Fault, st.sampled_from(["die before", "die after"]), st.integers(1, 40)),
)


class Orchestration(RuleBasedStateMachine):
    """Edits a pipeline, runs it with and without faults, in kernels that go on and in fresh ones, on one store."""

    def __init__(self):
        super().__init__()
        self.shared = MemoryStore()
        self.session = None

    @initialize(cells=programs())
    def begin(self, cells):
        self.cells = cells
        self.world = World({})
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
            result, _ = self.session.run()
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
        if result is not None:
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
                Approvals(self.session.services).desk.approve(name, {"plus": PLUS})

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
