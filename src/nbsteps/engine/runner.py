"""The loop of one run: each step in its turn is decided with real digests, then restored or executed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

from nbsteps.core.decide import Decision, decide
from nbsteps.core.errors import StoreError
from nbsteps.core.events import RunEnded, RunStarted, StepEnded, StepRestored, StepStarted
from nbsteps.core.graph import Graph
from nbsteps.core.model import Result, Run, RunResult, Step, StepRun
from nbsteps.core.states import GOOD, RunState, StepState
from nbsteps.engine.attempt import Attempts, Executed, describe
from nbsteps.engine.bindings import Bindings, Bound, stored, unique_digest
from nbsteps.engine.contexts import ContextError, ContextKeeper
from nbsteps.engine.judge import Identity, Judge
from nbsteps.engine.services import Services


@dataclass(slots=True)
class Progress:
    """What a run has come to so far.

    Attributes:
        steps: what became of each step.
        results: results of the steps that succeeded or were restored.
        errors: the exceptions of the steps that failed.
    """

    steps: dict[str, StepRun] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    errors: dict[str, BaseException] = field(default_factory=dict)


class Runner:
    """One run over one graph."""

    def __init__(  # noqa: PLR0913 - the parts of one kernel's engine, all needed
        self, services: Services, bindings: Bindings, keeper: ContextKeeper, judge: Judge, graph: Graph, run: Run
    ) -> None:
        self._services = services
        self._bindings = bindings
        self._keeper = keeper
        self._judge = judge
        self._graph = graph
        self._attempts = Attempts(services, bindings)
        self._names: tuple[str, ...] = ()
        self.run = run
        self.progress = Progress()

    def over(self, graph: Graph, judge: Judge) -> None:
        """Go on with the notebook as it has become."""
        self._graph, self._judge = graph, judge

    def start(self, names: Iterable[str]) -> None:
        """Announce the run over these steps."""
        self._names = tuple(names)
        options = {name: self._graph.steps[name].options for name in self._names}
        owners = {name: option.owner for name, option in options.items() if option.owner}
        tags = {name: option.tags for name, option in options.items() if option.tags}
        self._services.emit(RunStarted(self.run.started_at, self.run, self._names, owners, tags))

    def finish(self, state: RunState | None = None) -> RunResult:
        """Announce the end; without ``state`` it follows from the steps. Of a cancelled run the rest is cancelled."""
        if state is RunState.CANCELLED:
            self.cancel(self._names)
        if state is None:
            good = all(step.state in GOOD | {StepState.SKIPPED} for step in self.progress.steps.values())
            state = RunState.SUCCEEDED if good else RunState.FAILED
        now = self._services.clock.now()
        self.run = replace(self.run, state=state, ended_at=now)
        self._services.emit(RunEnded(now, self.run.run_id, state))
        steps = self.progress.steps
        order = [name for name in self._graph.steps if name in steps]
        return RunResult(self.run, {name: steps[name] for name in (*order, *(steps.keys() - order))})

    def run_all(self, names: tuple[str, ...], forced: frozenset[str]) -> RunResult:
        """Run or restore the named steps in graph order; failures keep their descendants from running."""
        self.start(names)
        try:
            for name in names:
                self.take(name, forced=name in forced)
        except KeyboardInterrupt as interrupt:
            self.progress.errors.setdefault("", interrupt)
            return self.finish(RunState.CANCELLED)
        except BaseException:
            self.finish(RunState.FAILED)
            raise
        return self.finish()

    def take(self, name: str, *, forced: bool = False, live: Mapping[str, Bound] | None = None) -> StepRun:
        """Restore or execute one step. ``live`` gives its inputs as the user sees them, else its parents' results do.

        A stored value that turns out to be damaged is made again by its step first.

        Raises:
            KeyboardInterrupt: the user interrupted; the step is recorded as cancelled.
        """
        bad = [parent for parent in self._graph.parents[name] if self._is_bad(parent)]
        if bad and live is None:
            return self._end(name, StepState.UPSTREAM_FAILED, f"step {bad[0]} {self.progress.steps[bad[0]].state}")
        try:
            return self._take(self._graph.steps[name], forced=forced, live=live)
        except StoreError as error:
            if live is None and self._remake(error):
                return self.take(name, forced=forced)
            self.progress.errors[name] = error
            failure = replace(describe(error), hint=f"%pipeline run {name}")
            return self._end(name, StepState.FAILED, str(error.args[0]), failure=failure)

    def _take(self, step: Step, *, forced: bool, live: Mapping[str, Bound] | None) -> StepRun:
        name = step.name
        try:
            self._keeper.prepare(step, self._graph, self.run.run_id, lacking_only=live is not None)
        except ContextError as error:
            self.progress.errors[name] = error.cause
            failure = describe(error.cause, error.traceback)
            return self._end(name, StepState.FAILED, str(error.args[0]), failure=failure)
        except KeyboardInterrupt:
            self._end(name, StepState.CANCELLED, "interrupted")
            raise
        identity = self._judge.identify(step, self._inputs(name) if live is None else live)
        for text in self._judge.warnings(step):
            self._services.warn(self.run.run_id, name, text, _mend(text))
        return self._settle(step, identity, forced=forced, live=live is not None)

    def _remake(self, error: StoreError) -> bool:
        """Run the steps of this run again whose stored outputs are damaged; whether there were any."""
        lost = [name for name in self._graph.steps if self._is_damaged(name)]
        for name in lost:
            self._services.warn(self.run.run_id, name, f"{error.args[0]}; the step runs again")
            del self.progress.results[name]
            self.take(name)
        return bool(lost)

    def _is_damaged(self, name: str) -> bool:
        result = self.progress.results.get(name)
        outputs = () if result is None else result.outputs.values()
        return any(artifact.digest in self._bindings.missing for artifact in outputs)

    def _is_bad(self, name: str) -> bool:
        done = self.progress.steps.get(name)
        return done is not None and done.state not in GOOD

    def _inputs(self, name: str) -> dict[str, Bound]:
        """What the parents made in this run."""
        return {variable: self._output(source, variable) for variable, source in self._graph.sources[name].items()}

    def _output(self, source: str, variable: str) -> Bound:
        result = self.progress.results.get(source)
        if result is not None and variable in result.outputs:
            return stored(result.outputs[variable])
        return self._bindings.known(variable) or Bound(unique_digest(), None)

    def _settle(self, step: Step, identity: Identity, *, forced: bool, live: bool) -> StepRun:
        decision = self._decide(step, identity, forced=forced)
        if decision.result is not None:
            return self._restore(step, decision.result)
        reusable = not identity.uncacheable
        with self._services.store.flight(identity.key) if reusable else nullcontext():
            if reusable and not forced:
                decision = self._decide(step, identity, forced=False, fresh=True)
                if decision.result is not None:
                    return self._restore(step, decision.result)
            return self._execute(step, identity, decision, live=live)

    def _decide(self, step: Step, identity: Identity, *, forced: bool, fresh: bool = False) -> Decision:
        facts = self._judge.facts(step, identity, forced=forced, run_id=self.run.run_id, fresh=fresh)
        return decide(facts)

    def _restore(self, step: Step, result: Result) -> StepRun:
        services = self._services
        self._bindings.restore(result)
        now = services.clock.now()
        size = sum(artifact.bytes for artifact in result.outputs.values())
        services.emit(StepRestored(now, self.run.run_id, step.name, result.key, result.duration, size))
        self.progress.results[step.name] = result
        done = StepRun(
            step=step.name,
            state=StepState.CACHED,
            reason="unchanged",
            key=result.key,
            started_at=now,
            ended_at=now,
            time_saved=result.duration,
            output_bytes=size,
        )
        self.progress.steps[step.name] = done
        return done

    def _execute(self, step: Step, identity: Identity, decision: Decision, *, live: bool) -> StepRun:
        services = self._services
        started = services.clock.now()
        reasons = tuple(map(str, decision.reasons))
        services.emit(StepStarted(started, self.run.run_id, step.name, identity.key, reasons))
        executed = self._attempts.execute(step, identity, self.run.run_id, live=live)
        if executed.result is None:
            more = {"reasons": reasons, "key": identity.key, "started_at": started, "attempts": 1}
            return self._failed(step, executed, more)
        self.progress.results[step.name] = executed.result
        for name in self._judge.drift(step, identity):
            message = f"the body changed {name}, which it also reads: the next run sees another value and runs again"
            services.warn(self.run.run_id, step.name, message, f"work on a copy, or do not count it: --ignore {name}")
        done = StepRun(
            step=step.name,
            state=StepState.SUCCEEDED,
            reason=reasons[0] if reasons else "",
            reasons=reasons,
            key=identity.key,
            started_at=started,
            ended_at=services.clock.now(),
            attempts=1,
            output_bytes=sum(artifact.bytes for artifact in executed.result.outputs.values()),
        )
        self.progress.steps[step.name] = done
        return done

    def _failed(self, step: Step, executed: Executed, more: Mapping[str, object]) -> StepRun:
        error = executed.error
        if isinstance(error, KeyboardInterrupt):
            self._end(step.name, StepState.CANCELLED, "interrupted", **more)
            raise error
        if error is not None:
            self.progress.errors[step.name] = error
        failure = executed.failure
        text = "" if failure is None else f"{failure.error_type}: {failure.message}"
        return self._end(step.name, StepState.FAILED, text, failure=failure, **more)

    def _end(self, name: str, state: StepState, reason: str, **more: object) -> StepRun:
        now = self._services.clock.now()
        done = replace(StepRun(name, state, reason, ended_at=now), **more)  # type: ignore[arg-type]
        self._services.emit(StepEnded(now, self.run.run_id, name, state, reason, done.reasons))
        self.progress.steps[name] = done
        return done

    def cancel(self, names: Iterable[str]) -> None:
        """Record those of the steps that have not been taken yet as cancelled."""
        for name in names:
            if name not in self.progress.steps:
                self._end(name, StepState.CANCELLED, "interrupted")


def _mend(text: str) -> str:
    kind, _, rest = text.partition("uncacheable: ")
    name = rest.partition(":")[0]
    return "" if kind or not name.isidentifier() else f"--ignore {name}, or make {name} the output of a step"
