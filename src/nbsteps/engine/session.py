"""One kernel's engine: the notebook's pipeline, and what can be asked of it and done with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nbsteps.core import findings
from nbsteps.core.decide import Decision
from nbsteps.core.errors import ProblemsError
from nbsteps.core.events import Cleared
from nbsteps.core.model import Result, RunResult, Step, StepRun
from nbsteps.core.plan import Plan
from nbsteps.core.states import RunState, StepState
from nbsteps.engine.capacity import Means
from nbsteps.engine.forecasting import plan
from nbsteps.engine.hands import crew
from nbsteps.engine.live import live_inputs
from nbsteps.engine.manner import Manner, Paused, new_run
from nbsteps.engine.pipeline import Pipeline
from nbsteps.engine.refusals import refusals
from nbsteps.engine.runner import Runner
from nbsteps.engine.services import Services
from nbsteps.engine.tracking import Tracker
from nbsteps.ports import Last


@dataclass(frozen=True, slots=True)
class CellRun:
    """What executing one step cell came to.

    Attributes:
        step: what became of the step.
        result: its result, computed or restored; None if it has none.
        error: the user's exception, to be raised again by the cell.
        shown: whether the body's output has been shown live just now.
    """

    step: StepRun
    result: Result | None = None
    error: BaseException | None = None
    shown: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """A step as it stands now: how it ended the last time, and what would be decided."""

    step: Step
    state: StepState
    decision: Decision
    result: Result | None = field(default=None)


class Session(Pipeline):
    """The engine of one kernel: a pipeline that is run. Not thread-safe: called from the kernel's main thread."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._open: Runner | None = None
        self._managed = False
        self._before: Mapping[str, Last] = {}
        self._paused: Paused | None = None
        self._crew = crew(services, self.bindings, self.judge, self.gate)
        self.ended: dict[str, StepRun] = {}
        """How each step ended the last time that this kernel took it."""
        self._raised: dict[str, BaseException] = {}

    def plan(self, targets: Iterable[str] = (), forced: frozenset[str] = frozenset()) -> Plan:
        """What a run would do now. Context cells that are needed and missing are executed, steps never."""
        return plan(self, targets, forced)

    def run(  # noqa: PLR0913 - each is a word of its own, by keyword
        self,
        targets: Iterable[str] = (),
        *,
        forced: Iterable[str] = (),
        parameters: Mapping[str, object] | None = None,
        trigger: str = "magic",
        fail_fast: bool = False,
        means: Means | None = None,
    ) -> tuple[RunResult, Mapping[str, BaseException]]:
        """Run what must run, for the targets and what they need.

        Args:
            targets: steps; all if there is none.
            forced: steps whose bodies run whatever is stored.
            parameters: values for variables of a ``parameters`` cell.
            trigger: what the history says started the run.
            fail_fast: start nothing more once a step failed.
            means: what may be executed away from the main thread.

        Returns:
            What became of the steps, and the exceptions of those that failed; ``""`` holds an interrupt.

        Raises:
            ProblemsError: a selected step has problems; nothing was executed.
            UsageError: an unknown step or parameter.
        """
        self.services.epoch += 1
        wanted = tuple(targets)
        names = self.select(wanted)
        # What has no name cannot be asked for: it counts where everything is.
        self._refuse(names if wanted else (*names, ""), means)
        if parameters:
            self.set_parameters(parameters)
        self.bindings.retire(self.graph().assigned())
        return self._run_all(wanted, names, Manner(frozenset(forced), fail_fast, means or Means()), trigger)

    def _run_all(
        self, wanted: tuple[str, ...], names: tuple[str, ...], manner: Manner, trigger: str
    ) -> tuple[RunResult, Mapping[str, BaseException]]:
        runner = self._runner(trigger, manner, wanted)
        self._recall(names)
        self._paused = None
        try:
            result = runner.run_all(names)
        finally:
            self._note(runner.tracker)
        if result.state is RunState.WAITING:
            self._paused = Paused.after(wanted, manner, result)
        return result, runner.tracker.errors

    def resume(self, trigger: str = "magic", step: str = "") -> tuple[RunResult, Mapping[str, BaseException]] | None:
        """Go on with the run that waits for a person, about ``step`` if it is named; None if this kernel has none."""
        paused = self._paused
        if paused is None or (step and step not in paused.waiting):
            return None
        manner = paused.manner
        forced, means = manner.forced, manner.means
        return self.run(paused.wanted, forced=forced, trigger=trigger, fail_fast=manner.fail_fast, means=means)

    def cancel(self) -> bool:
        """Ask the current run to end; callable from any thread. False if there is none."""
        return self.services.cancel.ask()

    def _refuse(self, names: Iterable[str], means: Means | None = None) -> None:
        """Start nothing where something is known to be wrong.

        Raises:
            ProblemsError: it is.
        """
        wrong = refusals(self.graph(), names, self.services.evaluator, means or Means())
        if wrong:
            raise ProblemsError(wrong)

    def begin(  # noqa: PLR0913 - each is a word of its own, by keyword
        self,
        trigger: str,
        *,
        managed: bool,
        forced: Iterable[str] = (),
        steps: Iterable[str] = (),
        parameters: Mapping[str, object] | None = None,
        fail_fast: bool = False,
        means: Means | None = None,
    ) -> str:
        """Open a run that step cells join until :meth:`end`; returns its identifier.

        With ``managed`` a step takes its inputs from its parents' results, which are made first where they are
        missing; otherwise from the kernel as the user sees them. ``parameters`` are only recorded.
        """
        self._parameters.update(parameters or {})
        self._managed = managed
        wanted = tuple(steps)
        names = self.select(wanted)
        # Cells come one by one, yet what they resume is a whole run: how its steps ended before this one changes that.
        self._before = self.services.store.recall(self.services.notebook, names, ()).last if managed else {}
        self._open = self._runner(trigger, Manner(frozenset(forced), fail_fast, means or Means()), wanted)
        self._open.start(names)
        return self._open.run.run_id

    def end(self, state: RunState | None = None) -> RunResult | None:
        """Close the open run; without ``state`` its state follows from its steps."""
        runner, self._open, self._managed = self._open, None, False
        return None if runner is None else runner.finish(state)

    def run_cell(self, name: str, *, trigger: str = "cell") -> CellRun:
        """Run or restore one step, because its cell is executed.

        Raises:
            ProblemsError: the step has problems.
            MissingInputError: an input is neither in the kernel nor fresh in the store.
        """
        self.services.epoch += 1
        self._refuse([name])
        if self._open is not None:
            self._open.over(self.graph(), self.judge())
        if self._open is not None and self._managed:
            return self._join(self._open, name)
        return self._alone(name, trigger)

    def _alone(self, name: str, trigger: str) -> CellRun:
        live = live_inputs(self, name, self.ended)
        self._recall((name,))
        joined = self._open
        runner = joined or self._runner(trigger, Manner(), (name,))
        runner.tracker.before = self.ended
        caught = self.graph().steps[name].options.catch
        if caught in self._raised:
            runner.tracker.errors.setdefault(caught, self._raised[caught])
        if joined is None:
            runner.start([name])
        state: RunState | None = RunState.FAILED
        try:
            runner.alone(name, live)
            state = None
        except KeyboardInterrupt as interrupt:
            state = RunState.CANCELLED
            runner.cancel([name])
            runner.tracker.errors[name] = interrupt
        finally:
            if joined is None:
                runner.finish(state)
        return self._outcome(runner, name)

    def _join(self, runner: Runner, name: str) -> CellRun:
        """A step cell in a managed run: what it needs and has not been taken yet comes first."""
        tracker = runner.tracker
        if tracker.over(name):
            return self._outcome(runner, name, shown=False)
        names = tuple(needed for needed in self.select([name]) if not tracker.over(needed))
        self.judge().recall(names, self._before)
        try:
            runner.until(name, names)
        except KeyboardInterrupt as interrupt:
            runner.cancel([name])
            tracker.errors[name] = interrupt
        return self._outcome(runner, name)

    def _note(self, tracker: Tracker) -> None:
        """Remember how steps ended, and the exceptions: a cell that handles one may not be known yet."""
        self.services.store.keep_findings(findings.take())
        self.ended.update(tracker.steps)
        for name in tracker.steps:
            self._raised.pop(name, None)
        self._raised.update({name: error for name, error in tracker.errors.items() if name in tracker.steps})

    def _outcome(self, runner: Runner, name: str, *, shown: bool = True) -> CellRun:
        tracker = runner.tracker
        self._note(tracker)
        step = tracker.steps.get(name) or runner.held(name)
        if step.state is StepState.PENDING:
            self.ended[name] = step  # what needs it is held, too
        executed = shown and step.state is not StepState.CACHED
        return CellRun(step, tracker.results.get(name), tracker.errors.get(name), shown=executed)

    def why(self, name: str) -> Decision:
        """What would be decided for one step now, and why."""
        self._require(name, self.graph())
        return self.plan([name]).decisions[name]

    def status(self) -> tuple[Standing, ...]:
        """Every step as it stands."""
        plan, judge = self.plan(), self.judge()
        found = list[Standing]()
        for name, step in self.graph().steps.items():
            last = judge.last(name)
            state = StepState.PENDING if last is None else last.state
            found.append(Standing(step, state, plan.decisions[name], None if last is None else last.result))
        return tuple(found)

    def clear(self, targets: Iterable[str] = ()) -> tuple[str, ...]:
        """Forget the stored results of the named steps (of all steps if none is named); returns their names.

        What such a step would restore now is forgotten too where another notebook or a step of another name made it.

        Raises:
            UsageError: an unknown step.
        """
        graph = self.graph()
        names = tuple(targets) or tuple(graph.steps)
        decisions = self.plan(names).decisions
        owners = dict.fromkeys((self.services.notebook, name) for name in names)
        for name in names:
            result = decisions[name].result
            if result is not None:
                owners[result.notebook, result.step] = None
        self.gate.withdraw(names)
        for notebook, step in owners:
            self.services.emit(Cleared(self.services.clock.now(), notebook, step))
        self._judge = None
        return names

    def _recall(self, names: tuple[str, ...]) -> None:
        self.judge().recall(names)

    def _runner(self, trigger: str, manner: Manner, wanted: Iterable[str] = ()) -> Runner:
        services = self.services
        run = new_run(services, trigger, manner.wishes(wanted), self._parameters)
        graph = self.graph()
        return Runner(services, self.bindings, self.keeper, self.judge(), graph, run, crew=self._crew, manner=manner)
