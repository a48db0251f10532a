"""One kernel's engine: the notebook as it stands, and what can be asked of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nbsteps.core.decide import Action, Decision, Facts
from nbsteps.core.errors import MissingInputError, ProblemsError, StoreError, UsageError
from nbsteps.core.events import Cleared
from nbsteps.core.graph import Graph, build
from nbsteps.core.model import Artifact, Cell, Result, Run, RunResult, Step, StepRun
from nbsteps.core.plan import Plan, forecast
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.states import RunState, StepState
from nbsteps.engine.bindings import Bindings, Bound, stored
from nbsteps.engine.contexts import ContextError, ContextKeeper
from nbsteps.engine.judge import Judge
from nbsteps.engine.notebook import NotebookCells
from nbsteps.engine.runner import Runner
from nbsteps.engine.services import Services, new_id, paused_collector


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
        self._forced = frozenset[str]()
        self._parameters: dict[str, object] = {}

    def graph(self) -> Graph:
        """The notebook's graph, rebuilt only when a cell changed."""
        cells = self.cells.merged()
        stale = self._graph is None or cells is not self._built_from or bool(self._graph.errors())
        if self._graph is None or stale:
            with paused_collector():
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
        names = self.select(targets)
        graph, judge = self.graph(), self.judge()
        contexts: dict[str, str] = {}
        judge.recall(tuple(name for name in names if name not in graph.blocked))

        def assess(step: Step, inputs: Mapping[str, Artifact]) -> Facts | Decision:
            for context in self.keeper.due(step, graph):
                contexts.setdefault(context.cell.label, step.name)
                self._lend(context.names.reads | context.touched, graph, judge)
            try:
                self.keeper.prepare(step, graph, "")
            except (ContextError, StoreError) as error:
                return Decision(Action.SKIP, (Reason(ReasonKind.BLOCKED, str(error.args[0])),))
            bound = {name: stored(artifact) for name, artifact in inputs.items()}
            return judge.facts(step, judge.identify(step, bound), forced=step.name in forced, run_id="")

        found = forecast(graph, frozenset(names), assess, judge.latest)
        return Plan(found.decisions, contexts)

    def _lend(self, names: Iterable[str], graph: Graph, judge: Judge) -> None:
        """Bind what a context cell reads of other steps, where the kernel has nothing under that name."""
        for source, step in graph.steps.items():
            latest = judge.latest(source)
            for name in set(step.outputs) & set(names) & latest.keys():
                if not self.bindings.present(name):
                    self.bindings.bind(name, latest[name])

    def run(
        self,
        targets: Iterable[str] = (),
        *,
        forced: Iterable[str] = (),
        parameters: Mapping[str, object] | None = None,
        trigger: str = "magic",
    ) -> tuple[RunResult, Mapping[str, BaseException]]:
        """Run what must run, for the targets and what they need.

        Returns:
            What became of the steps, and the exceptions of those that failed; ``""`` holds an interrupt.

        Raises:
            ProblemsError: a selected step has problems; nothing was executed.
            UsageError: an unknown step or parameter.
        """
        self.services.epoch += 1
        wanted = tuple(targets)
        names = self.select(wanted)
        graph = self.graph()
        # What has no name cannot be asked for: it counts where everything is.
        wrong = graph.errors(names if wanted else (*names, ""))
        if wrong:
            raise ProblemsError(wrong)
        if parameters:
            self.set_parameters(parameters)
        self.bindings.retire(graph.assigned())
        runner = self._runner(trigger)
        self._recall(names)
        result = runner.run_all(names, frozenset(forced))
        return result, runner.progress.errors

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

    def begin(
        self,
        trigger: str,
        *,
        managed: bool,
        forced: Iterable[str] = (),
        steps: Iterable[str] = (),
        parameters: Mapping[str, object] | None = None,
    ) -> str:
        """Open a run that step cells join until :meth:`end`; returns its identifier.

        With ``managed`` a step takes its inputs from its parents' results, which are made first where they are
        missing; otherwise from the kernel as the user sees them. ``parameters`` are only recorded.
        """
        self._parameters.update(parameters or {})
        self._open, self._managed, self._forced = self._runner(trigger), managed, frozenset(forced)
        self._open.start(self.select(steps))
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
        graph = self.graph()
        wrong = graph.errors([name])
        if wrong:
            raise ProblemsError(wrong)
        if self._open is not None:
            self._open.over(graph, self.judge())
        if self._open is not None and self._managed:
            return self._join(self._open, name)
        return self._alone(name, trigger)

    def _alone(self, name: str, trigger: str) -> CellRun:
        self._recall((name,))
        live = self._live_inputs(name)
        joined = self._open
        runner = joined or self._runner(trigger)
        if joined is None:
            runner.start([name])
        state: RunState | None = RunState.FAILED
        try:
            runner.take(name, live=live)
            state = None
        except KeyboardInterrupt as interrupt:
            state = RunState.CANCELLED
            runner.cancel([name])
            runner.progress.errors[name] = interrupt
        finally:
            if joined is None:
                runner.finish(state)
        return self._outcome(runner, name, runner.progress.steps[name])

    def _join(self, runner: Runner, name: str) -> CellRun:
        """A step cell in a managed run: what it needs and has not been taken yet comes first."""
        done = runner.progress.steps
        if name in done:
            return self._outcome(runner, name, done[name], shown=False)
        names = tuple(needed for needed in self.select([name]) if needed not in done)
        self._recall(names)
        try:
            for needed in names:
                runner.take(needed, forced=needed in self._forced)
        except KeyboardInterrupt as interrupt:
            runner.cancel([name])
            runner.progress.errors[name] = interrupt
        return self._outcome(runner, name, done[name])

    def _outcome(self, runner: Runner, name: str, step: StepRun, *, shown: bool = True) -> CellRun:
        progress = runner.progress
        executed = shown and step.state is not StepState.CACHED
        return CellRun(step, progress.results.get(name), progress.errors.get(name), shown=executed)

    def _live_inputs(self, name: str) -> dict[str, Bound]:
        """The step's inputs as the user sees them; those that the kernel lacks are restored where fresh."""
        graph = self.graph()
        for variable, source in graph.sources[name].items():
            if not self.bindings.present(variable):
                self._fetch(name, variable, source)
        return {variable: self.bindings.live(variable) for variable in graph.sources[name]}

    def _fetch(self, name: str, variable: str, source: str) -> None:
        plan = self.plan([source])
        decision = plan.decisions[source]
        if decision.result is None or decision.action is not Action.RESTORE:
            step = self.graph().steps[name]
            missing = ", ".join(plan.steps(Action.RUN, Action.MAY_RUN, Action.SKIP))
            message = f"input {variable} is not in the kernel, and step {source}, which writes it, is not fresh"
            seen = f"{message} ({decision.text}); steps to run: {missing}"
            raise MissingInputError(seen, step=name, cell=step.cell.label, hint=f"%pipeline run {name}")
        self.bindings.restore(decision.result, [variable])

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
        for notebook, step in owners:
            self.services.emit(Cleared(self.services.clock.now(), notebook, step))
        self._judge = None
        return names

    def _recall(self, names: tuple[str, ...]) -> None:
        self.judge().recall(names)

    def _runner(self, trigger: str) -> Runner:
        services = self.services
        shown = {name: shown_parameter(name, value) for name, value in self._parameters.items()}
        run = Run(
            run_id=new_id(),
            notebook=services.notebook,
            trigger=trigger,
            started_at=services.clock.now(),
            host=services.host.name,
            pid=services.host.pid,
            user=services.host.user,
            parameters=shown,
        )
        return Runner(services, self.bindings, self.keeper, self.judge(), self.graph(), run)


_SECRET = re.compile(r"pass|secret|token|credential|api_?key|auth", re.IGNORECASE)
_SHOWN = 200


def shown_parameter(name: str, value: object) -> str:
    """A parameter as the history may keep it: short, and never a secret."""
    return "***" if _SECRET.search(name) else repr(value)[:_SHOWN]
