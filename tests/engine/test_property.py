"""The backbone: after any sequence of edits, runs and faults, the store equals a from-scratch run.

Random small pipelines of steps, helpers, constants, files, parameters and maps are edited and run, in fresh kernels and
in ones that go on, with workers and without; cells are executed alone, steps are forced; bodies fail; values are
damaged in the store. After each run whatever succeeded must have the value that an empty store gives, and a second run
must execute nothing that succeeded.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nbsteps.core.errors import NbstepsError
from nbsteps.core.states import GOOD, StepState
from nbsteps.engine.capacity import Means
from nbsteps.identity import filehash
from nbsteps.testing import FakeEvaluator, MemoryStore, make_cells, make_session
from tests.engine.drafts import FILES, MANNERS, STEPS, Draft
from tests.engine.hands import HandLanes

numbers = st.integers(0, 3)
steps = st.integers(0, STEPS - 1)
means = st.sampled_from([Means(1), Means(1), Means(2), Means(3, "hands")])
ALWAYS = ("--cache off", "--cache run")
"""Options with which a body runs in each run."""


class Pipeline(RuleBasedStateMachine):
    """Edits a notebook of five steps, and runs it on one store."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="nbsteps-property-"))
        (self.folder / "data").mkdir()
        self.draft = Draft(self.folder / "data")
        self.trusting = ExitStack()
        self.store = self._first_store()
        self.session = None

    def _first_store(self):
        return MemoryStore()

    def teardown(self):
        self.trusting.close()
        shutil.rmtree(self.folder)

    @initialize(constants=st.lists(numbers, min_size=STEPS, max_size=STEPS), old=st.booleans(), data=st.data())
    def begin(self, constants, old, data):
        if old:
            # Files that are read here have just changed: take them for old, so that nothing but their state tells.
            self.trusting.enter_context(patch.object(filehash, "RACY_NS", 0))
        self.draft.constants = constants
        self.draft.parents = [
            data.draw(st.sets(st.integers(0, i - 1), max_size=2)) if i else set() for i in range(STEPS)
        ]
        self._fresh()

    def _begin(self, store):
        session = make_session(*self.draft.sources(), store=store)
        session.services.folder = self.draft.folder
        HandLanes(session)
        return session

    def _fresh(self):
        """A new kernel on the same store."""
        self.session = self._begin(self.store)

    def _save(self):
        """Save the edited notebook, and execute the context cells that a user would after editing them."""
        for cell in make_cells(*self.draft.context()):
            self.session.services.evaluator.run_context(cell)
            self.session.keeper.note(cell.source)
        self.session.cells.saved(make_cells(*self.draft.sources()), self.session.services.clock.now())

    @rule(step=steps, value=numbers)
    def edit_a_constant(self, step, value):
        self.draft.constants[step] = value
        self._save()

    @rule(value=numbers)
    def edit_the_global(self, value):
        self.draft.factor = value
        self._save()

    @rule(value=numbers)
    def edit_a_nested_helper(self, value):
        self.draft.offset = value
        self._save()

    @rule(items=st.lists(numbers, max_size=3, unique=True))
    def edit_the_items(self, items):
        self.draft.items = items
        self._save()

    @rule(step=steps, trait=st.sampled_from(["helped", "failing", "mapped", "monthly"]))
    def turn(self, step, trait):
        """Have a step use the helper, fail, run over items, use the parameter, or no longer."""
        found = getattr(self.draft, trait)
        found[step] = not found[step]
        self._save()

    @rule(step=steps, file=st.sampled_from(["", *FILES]))
    def read_a_file(self, step, file):
        self.draft.reads[step] = file
        self._save()

    @rule(step=steps, words=st.sampled_from(["", "--version 2", *ALWAYS]))
    def edit_the_options(self, step, words):
        self.draft.options[step] = words
        self._save()

    @rule()
    def use_a_context_value(self):
        self.draft.limited = not self.draft.limited
        self._save()

    @rule(step=steps)
    def comment(self, step):
        self.draft.comments[step] += "#"
        self._save()

    @rule(step=steps, file=st.sampled_from(FILES), manner=st.sampled_from(MANNERS), means=means)
    def change_a_file(self, step, file, manner, means):
        """A file that a step read says something else, then what it said before."""
        self.draft.reads[step] = file
        self._save()
        before = self.draft.content(file)
        for content in (before, before + 1, before):
            self.draft.write(file, content, manner)
            self._check(self.session, means=means)

    @rule(step=steps, month=numbers, means=means)
    def change_the_parameter(self, step, month, means):
        self.draft.monthly[step] = True
        self._save()
        for value in (month, month + 1):
            self.session.set_parameters({"month": value})
            self._check(self.session, means=means)

    @rule(step=steps, items=st.lists(numbers, max_size=3, unique=True), means=means)
    def map_over_other_items(self, step, items, means):
        """An item more, and the base of all of them."""
        self.draft.mapped[step] = True
        for self.draft.items in (items, [*items, 4]):
            self._save()
            self._check(self.session, means=means)
        self.draft.constants[step] += 1
        self._save()
        self._check(self.session, means=means)

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

    @rule(means=means)
    def run(self, means):
        self._check(self.session, means=means)

    @rule(step=steps)
    def run_up_to(self, step):
        self._check(self.session, [f"s{step}"])

    @rule(step=steps, means=means)
    def force(self, step, means):
        """The body runs although nothing changed, and what comes of it counts."""
        self.session.services.evaluator.executed.clear()
        result, _errors = self.session.run(forced=[f"s{step}"], means=means)
        state = result.steps[f"s{step}"].state
        ran = self.session.services.evaluator.executed.count(f"s{step}")
        assert state is not StepState.CACHED
        if state in GOOD:
            assert ran == (len(self.draft.items) if self.draft.mapped[step] else 1)
        self._check(self.session, means=means)

    def _check(self, session, targets=(), **options):
        """A run makes what an empty store gives, and the next executes only what failed."""
        result, _errors = session.run(targets, **options)
        assert self._values(session, result) == self._from_scratch(session, result)
        self._check_restored(session, targets, **options)

    def _check_restored(self, session, targets=(), **options):
        """What ran before executes no more than what failed."""
        executed = session.services.evaluator.executed
        executed.clear()
        again, _errors = session.run(targets, **options)
        rerun = {
            name: (times, again.steps[name].reasons)
            for name, times in Counter(executed).items()
            if self.draft.options[int(name[1:])] not in ALWAYS and times > self.draft.least(int(name[1:]))
        }
        assert not rerun, rerun

    def _values(self, session, result):
        evaluator = session.services.evaluator
        names = [f"v{name[1:]}" for name, step in result.steps.items() if step.state in GOOD]
        return {name: self._value(session, evaluator, name) for name in names}

    def _value(self, session, evaluator, name):
        """What a cell that mentions the name would see; each damaged value that it meets makes its step run again."""
        for _ in range(1 + len(self.draft.items)):
            try:
                evaluator.materialise([name])
                break
            except NbstepsError:
                session.run([f"s{name[1:]}"])
        found = evaluator.namespace[name]
        return list(found) if isinstance(found, list) else found

    def _from_scratch(self, session, result):
        scratch = self._begin(MemoryStore())
        fresh, _errors = scratch.run(parameters=session.parameters)
        ends = {name: (step.state in GOOD, step.reason) for name, step in result.steps.items()}
        wanted = {name: (fresh.steps[name].state in GOOD, fresh.steps[name].reason) for name in ends}
        assert {name: end[0] for name, end in ends.items()} == {name: end[0] for name, end in wanted.items()}, (
            f"{ends} but from scratch {wanted}"
        )
        assert isinstance(scratch.services.evaluator, FakeEvaluator)
        values = self._values(scratch, fresh)
        return {f"v{name[1:]}": values[f"v{name[1:]}"] for name in ends if f"v{name[1:]}" in values}

    @invariant()
    def nothing_is_left_half_way(self):
        for last in self.store.last.values():
            assert last.state not in {StepState.RUNNING, StepState.QUEUED}


TestPipeline = Pipeline.TestCase
TestPipeline.settings = settings(
    max_examples=40, stateful_step_count=10, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
