"""One kernel's engine: the notebook as it stands, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nbsteps.core import findings
from nbsteps.core.decide import Decision
from nbsteps.core.errors import ProblemsError, UsageError
from nbsteps.core.events import Cleared
from nbsteps.core.graph import Graph, build
from nbsteps.core.model import Cell, Result, RunResult, Step, StepRun
from nbsteps.core.plan import Plan
from nbsteps.core.states import RunState, StepState
from nbsteps.engine.approval import Approvals
from nbsteps.engine.bindings import Bindings, Bound
from nbsteps.engine.contexts import ContextKeeper
from nbsteps.engine.contracts import Means
from nbsteps.engine.forecasting import Forecast
from nbsteps.engine.hands import crew
from nbsteps.engine.judge import Identity, Judge
from nbsteps.engine.lifecycle import given_parts
from nbsteps.engine.live import live_inputs
from nbsteps.engine.manner import Manner, Paused, new_run
from nbsteps.engine.notebook import NotebookCells
from nbsteps.engine.refusals import refusals
from nbsteps.engine.runner import Runner
from nbsteps.engine.services import Services, paused_collector
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


class Session:
    """The engine of one kernel. Not thread-safe: called from the kernel's main thread."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.cells = NotebookCells()
        self.bindings = Bindings(services)
        self.keeper = ContextKeeper(services, self.bindings)
        self._graph: Graph | None = None
        self._built_from: tuple[Cell, ...] = ()
        self._judge: Judge | None = None
        self._open: Runner | None = None
        self._managed = False
        self._before: Mapping[str, Last] = {}
        self._paused: Paused | None = None
        self.gate = Approvals(services)
        self._crew = crew(services, self.bindings, self.judge, self.gate)
        self.ended: dict[str, StepRun] = {}
        """How each step ended the last time that this kernel took it."""
        self._raised: dict[str, BaseException] = {}
        self._parameters: dict[str, object] = {}

    def graph(self) -> Graph:
        """The notebook's graph, rebuilt only when a cell changed."""
        cells = self.cells.merged()
        stale = self._graph is None or cells is not self._built_from or bool(self._graph.errors())
        if self._graph is None or stale:
            with paused_collector():
                if self._graph is None:
                    findings.give(self.services.store.findings())
                self._graph = build(cells, self.services.evaluator.namespace)
            self._built_from = cells
            self._judge = None
        return self._graph

    def judge(self) -> Judge:
        """Collects facts over the current graph."""
        graph = self.graph()
        if self._judge is None:
            self._judge = Judge(self.services, self.bindings, graph)
        return self._judge

    def note_context(self, cell: Cell) -> None:
        """The user executed a context cell."""
        self.keeper.note(cell.source, self.graph())

    def select(self, targets: Iterable[str] = ()) -> tuple[str, ...]:
        """The target steps and what they need, in graph order; all steps if no target is given.

        Raises:
            UsageError: a target is no step of the notebook.
        """
        graph = self.graph()
        wanted = tuple(targets)
        for name in wanted:
            self._require(name, graph)
        chosen = graph.ancestors(wanted) if wanted else frozenset(graph.steps)
        return tuple(name for name in graph.steps if name in chosen)

    def _require(self, name: str, graph: Graph) -> None:
        if name not in graph.steps:
            import difflib  # noqa: PLC0415 - only for a message

            close = difflib.get_close_matches(name, list(graph.steps), n=1)
            steps = ", ".join(graph.steps) or "none"
            hint = f"did you mean {close[0]}?" if close else f"steps of this notebook: {steps}"
            msg = f"there is no step {name!r}"
            raise UsageError(msg, hint=hint)

    def plan(self, targets: Iterable[str] = (), forced: frozenset[str] = frozenset()) -> Plan:
        """What a run would do now. Context cells that are needed and missing are executed, steps never."""
        self.services.epoch += 1
        return Forecast(self, forced).over(self.select(targets))

    def past_gate(
        self, step: Step, identity: Identity, inputs: Mapping[str, Bound], judge: Judge | None = None
    ) -> Identity:
        """What the step is with the values that a person approved it with; unchanged where nobody has.

        Args:
            step: has ``--approve``.
            identity: what it is without them.
            inputs: what it reads.
            judge: of another graph than the session's, where the step is of that.
        """
        opened = self.gate.known(step, identity)
        if opened is None or not opened.values:
            return identity
        return (judge or self.judge()).identify(step, inputs, tuple(given_parts(opened.values)))

    def is_open(self, step: Step, identity: Identity) -> bool:
        """Whether a person has approved the step as it is."""
        return self.gate.known(step, identity) is not None

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

    @property
    def parameters(self) -> Mapping[str, object]:
        """What was set for variables of a ``parameters`` cell so far."""
        return self._parameters

    def set_parameters(self, values: Mapping[str, object]) -> None:
        """Set variables that a ``parameters`` cell assigns.

        Raises:
            UsageError: one of them is assigned by no ``parameters`` cell.
        """
        graph = self.graph()
        for name in values:
            if name not in graph.parameters:
                known = ", ".join(sorted(graph.parameters))
                hint = f"parameters: {known}" if known else "tag the cell that assigns it with 'parameters'"
                msg = f"the notebook has no parameter {name!r}"
                raise UsageError(msg, hint=hint)
        self._parameters.update(values)
        self.keeper.override(graph, values)

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
