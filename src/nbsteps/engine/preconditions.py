"""What stands before a body: its inputs, its condition, and a person's consent."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from nbsteps.core import rules
from nbsteps.core.approvals import Request
from nbsteps.core.conditions import read_condition
from nbsteps.core.graph import Graph
from nbsteps.core.model import Step
from nbsteps.core.placeholders import placeholders
from nbsteps.core.states import StepState
from nbsteps.engine.attempt import describe
from nbsteps.engine.bindings import NO_VALUE, Bindings, Bound, stored, unique_digest
from nbsteps.engine.conditions import holds
from nbsteps.engine.contracts import Gate, Open, Refused
from nbsteps.engine.judge import Identity
from nbsteps.engine.services import Services
from nbsteps.engine.tracking import Tracker


class Preconditions:
    """Lets the steps of one run through to their bodies, or records why not."""

    def __init__(self, services: Services, bindings: Bindings, tracker: Tracker, gate: Gate | None) -> None:
        self._services = services
        self._bindings = bindings
        self._tracker = tracker
        self._gate = gate
        self._graph = Graph()

    def over(self, graph: Graph) -> None:
        """Work on this graph from now on."""
        self._graph = graph

    def inputs(self, name: str) -> dict[str, Bound]:
        """What the parents made in this run."""
        return {variable: self._made(name, variable, source) for variable, source in self._graph.sources[name].items()}

    def _made(self, name: str, variable: str, source: str) -> Bound:
        result = self._tracker.results.get(source)
        if result is None and self._graph.groups:
            source = rules.chosen_producer(self._graph, name, variable, self._tracker.states)
            result = self._tracker.results.get(source)
        if result is None:
            # Also of a step that is still open: a rule may fire early.
            return NO_VALUE
        if variable in result.outputs:
            return stored(result.outputs[variable])
        return self._bindings.known(variable) or Bound(unique_digest(), None)

    def wanted(self, step: Step, inputs: Mapping[str, Bound], live: Mapping[str, Bound] | None) -> bool:
        """Whether the condition is true; if not, or if it cannot be told, the step ends here.

        Args:
            step: has ``--when``.
            inputs: its inputs.
            live: what else its condition reads, as the user sees it; None for what was made in this run.
        """
        tracker, name = self._tracker, step.name
        bound = self._consulted(name) if live is None else live
        reads = read_condition(step.options.when).names
        self._bindings.provide({v: value for v, value in (*inputs.items(), *bound.items()) if v in reads})
        try:
            wanted = holds(step, tracker.standing(), self._services)
        except Exception as error:  # noqa: BLE001 - whatever the user's expression raises
            tracker.errors[name] = error
            tracker.end(name, StepState.FAILED, "condition", failure=describe(error))
            return False
        finally:
            self._bindings.unset_missing(reads)
        if not wanted:
            self.skip(step, f"condition is false: {step.options.when}")
        elif step.options.branch:
            tracker.chosen.add(name)
        return wanted

    def _consulted(self, name: str) -> dict[str, Bound]:
        return {v: self._made(name, v, source) for v, source in self._graph.consults.get(name, {}).items()}

    def skip(self, step: Step, reason: str, **more: object) -> None:
        """A step has nothing to do in this run."""
        self._tracker.end(step.name, StepState.SKIPPED, reason, **more)
        self.unmake(step)

    def unmake(self, step: Step) -> None:
        """A step was skipped: what it writes does not exist, unless another member of its branch made it."""
        group = self._graph.groups.get(step.options.branch, ())
        made = {
            name for member in group if member in self._tracker.results for name in self._graph.steps[member].outputs
        }
        for name in step.outputs:
            if name not in made and name not in step.options.mutates:
                self._bindings.drop(name)

    def caught(self, name: str) -> BaseException:
        """The exception of the step that is caught; one that says the same where it is not there any more."""
        error = self._tracker.errors.get(name)
        if error is not None:
            return error
        done = self._tracker.steps.get(name) or self._tracker.before.get(name)
        said = "" if done is None or done.failure is None else f": {done.failure.error_type}: {done.failure.message}"
        return RuntimeError(f"step {name} failed{said}")

    def decided(self, names: Collection[str] | None = None) -> str | None:
        """A step, of these, that waited for a person, and does not any more."""
        if self._gate is None:
            return None
        for name, state in self._tracker.states.items():
            if state is StepState.WAITING and (names is None or name in names):
                request = self._tracker.steps[name].request
                if request is not None and self._gate.decided(request):
                    return name
        return None

    def open(
        self, step: Step, identity: Identity, inputs: Mapping[str, Bound], live: Mapping[str, Bound] | None
    ) -> Mapping[str, object] | None:
        """The values of the form if a person let the step through; else it waits or ends here.

        Args:
            step: has ``--approve``.
            identity: what it is without them.
            inputs: its inputs.
            live: what else its question shows, as the user sees it; None for what was made in this run.
        """
        if self._gate is None:
            return {}
        more = self._consulted(step.name) if live is None else live

        def shown() -> dict[str, object]:
            named = placeholders(step.options.approve).names
            wanted = {**inputs, **{v: value for v, value in more.items() if v in named}}
            self._bindings.provide(wanted)
            namespace = self._services.evaluator.namespace
            return {v: namespace[v] for v in wanted if v in namespace}

        answer = self._gate.check(step, identity, self._tracker.run_id, shown)
        match answer:
            case Open():
                return answer.values
            case Refused():
                if answer.state is StepState.SKIPPED:
                    self.skip(step, answer.reason, key=identity.key)
                else:
                    self._tracker.end(step.name, answer.state, answer.reason, key=identity.key)
            case Request():
                self._tracker.wait(step.name, answer)
        return None
