"""The backbone: after any sequence of edits, runs and faults, the store equals a from-scratch run.

Random small pipelines of steps, helpers and constants are edited and run, in fresh kernels and in ones that go on;
cells are executed alone; bodies fail; values are damaged in the store. After each run whatever succeeded must have the
value that an empty store gives, and a second run must execute nothing that succeeded.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nbsteps.core.errors import NbstepsError
from nbsteps.core.states import GOOD, StepState
from nbsteps.testing import FakeEvaluator, MemoryStore, make_cells, make_session

STEPS = 5
numbers = st.integers(0, 3)
steps = st.integers(0, STEPS - 1)


class Pipeline(RuleBasedStateMachine):
    """Edits a notebook of five steps over two helpers and a constant, and runs it on one store."""

    def __init__(self):
        super().__init__()
        self.store = MemoryStore()
        self.session = None
        self.good = {}

    @initialize(constants=st.lists(numbers, min_size=STEPS, max_size=STEPS), data=st.data())
    def begin(self, constants, data):
        self.constants = constants
        self.parents = [data.draw(st.sets(st.integers(0, i - 1), max_size=2)) if i else set() for i in range(STEPS)]
        self.uses_helper = [False] * STEPS
        self.fails = [False] * STEPS
        self.comments = [""] * STEPS
        self.factor, self.offset, self.threshold = 1, 0, False
        self._fresh()

    def _sources(self):
        bodies = []
        for i in range(STEPS):
            terms = [str(self.constants[i])] + [f"v{parent}" for parent in sorted(self.parents[i])]
            value = " + ".join(terms)
            if self.uses_helper[i]:
                value = f"scale({value})"
            if self.threshold and i == STEPS - 1:
                value += " + limit"
            failing = "    raise ValueError('told to')\n" if self.fails[i] else "    pass\n"
            bodies.append(f"%%step s{i}\n{self.comments[i]}\nif True:\n{failing}v{i} = {value}")
        helpers = (f"FACTOR = {self.factor}", f"def shift(x):\n    return x + {self.offset}", SCALE)
        return (*helpers, bodies[0], "limit = v0 * 2", *bodies[1:])

    def _fresh(self):
        """A new kernel on the same store."""
        self.session = make_session(*self._sources(), store=self.store)

    def _save(self):
        """Save the edited notebook, and execute the context cells that a user would after editing them."""
        for cell in make_cells(*self._sources()[:3]):
            self.session.services.evaluator.run_context(cell)
            self.session.keeper.note(cell.source)
        self.session.cells.saved(make_cells(*self._sources()), self.session.services.clock.now())

    @rule(step=steps, value=numbers)
    def edit_a_constant(self, step, value):
        self.constants[step] = value
        self._save()

    @rule(value=numbers)
    def edit_the_global(self, value):
        self.factor = value
        self._save()

    @rule(value=numbers)
    def edit_a_nested_helper(self, value):
        self.offset = value
        self._save()

    @rule(step=steps)
    def use_the_helper(self, step):
        self.uses_helper[step] = not self.uses_helper[step]
        self._save()

    @rule()
    def use_a_context_value(self):
        self.threshold = not self.threshold
        self._save()

    @rule(step=steps)
    def comment(self, step):
        self.comments[step] += "#"
        self._save()

    @rule(step=steps)
    def break_or_mend(self, step):
        self.fails[step] = not self.fails[step]
        self._save()

    @rule()
    def restart(self):
        self._fresh()

    @rule(digests=st.integers(0, 10))
    def damage(self, digests):
        kept = list(self.store.values)
        if kept:
            del self.store.values[kept[digests % len(kept)]]

    @rule(step=steps)
    def execute_one_cell(self, step):
        try:
            self.session.run_cell(f"s{step}")
        except NbstepsError:
            return

    @rule()
    def run(self):
        result, _errors = self.session.run()
        assert self._values(self.session, result) == self._from_scratch(result)
        executed = self.session.services.evaluator.executed
        assert isinstance(executed, list)
        executed.clear()
        again, _errors = self.session.run()
        rerun = {name for name in executed if result.steps[name].state in GOOD}
        assert not rerun, {name: again.steps[name].reasons for name in rerun}

    def _values(self, session, result):
        evaluator = session.services.evaluator
        names = [f"v{name[1:]}" for name, step in result.steps.items() if step.state in GOOD]
        return {name: self._value(session, evaluator, name) for name in names}

    def _value(self, session, evaluator, name):
        """What a cell that mentions the name would see; a damaged value makes its step run again."""
        try:
            evaluator.materialise([name])
        except NbstepsError:
            session.run([f"s{name[1:]}"])
            evaluator.materialise([name])
        return evaluator.namespace[name]

    def _from_scratch(self, result):
        session = make_session(*self._sources(), store=MemoryStore())
        fresh, _errors = session.run()
        ends = {name: (step.state in GOOD, step.reason) for name, step in result.steps.items()}
        scratch = {name: (step.state in GOOD, step.reason) for name, step in fresh.steps.items()}
        assert {name: end[0] for name, end in ends.items()} == {name: end[0] for name, end in scratch.items()}, (
            f"{ends} but from scratch {scratch}"
        )
        assert isinstance(session.services.evaluator, FakeEvaluator)
        return self._values(session, fresh)

    @invariant()
    def nothing_is_left_half_way(self):
        for last in self.store.last.values():
            assert last.state not in {StepState.RUNNING, StepState.QUEUED}


SCALE = "def scale(x):\n    return shift(x) * FACTOR"
TestPipeline = Pipeline.TestCase
TestPipeline.settings = settings(
    max_examples=40, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
