"""What a run would do now, asked of the live kernel: context cells are executed, steps never."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nbsteps.core.decide import Action, Decision, Facts
from nbsteps.core.errors import StoreError
from nbsteps.core.missing import MISSING
from nbsteps.core.model import Artifact, Step
from nbsteps.core.plan import NOTHING, Gates, Plan, forecast
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.states import StepState
from nbsteps.engine.bindings import ABSENT, NO_VALUE, Bound, stored
from nbsteps.engine.conditions import holds
from nbsteps.engine.contexts import ContextError
from nbsteps.engine.judge import Identity
from nbsteps.engine.maps.forecast import due_items
from nbsteps.engine.pipeline import Pipeline


def plan(pipeline: Pipeline, targets: Iterable[str] = (), forced: frozenset[str] = frozenset()) -> Plan:
    """What a run would do now. Context cells that are needed and missing are executed, steps never."""
    pipeline.services.epoch += 1
    return Forecast(pipeline, forced).over(pipeline.select(targets))


class Forecast:
    """One forecast.

    Attributes:
        identities: what each step would be, as far as that could be told.
    """

    def __init__(self, pipeline: Pipeline, forced: frozenset[str]) -> None:
        self._pipeline = pipeline
        self._forced = forced
        self._graph, self._judge = pipeline.graph(), pipeline.judge()
        self._contexts: dict[str, str] = {}
        self._asked: dict[str, Identity] = {}
        self.identities: dict[str, Identity] = {}

    def over(self, names: tuple[str, ...]) -> Plan:
        """Decide the steps, given in graph order."""
        self._judge.recall(tuple(name for name in names if name not in self._graph.blocked))
        gates = Gates(ask=self._ask, held=self._held, items=self._items)
        found = forecast(self._graph, frozenset(names), self._assess, self._judge.latest, gates)
        return Plan(found.decisions, self._contexts)

    def _assess(self, step: Step, inputs: Mapping[str, Artifact]) -> Facts | Decision:
        pipeline = self._pipeline
        edits = pipeline.keeper.edits(step, self._graph)
        if edits:
            return Decision(Action.RUN, edits)
        for context in pipeline.keeper.due(step, self._graph):
            self._contexts.setdefault(context.cell.label, step.name)
            self._lend(context.names.reads | context.touched)
        try:
            pipeline.keeper.prepare(step, self._graph, "")
        except (ContextError, StoreError) as error:
            return Decision(Action.SKIP, (Reason(ReasonKind.BLOCKED, str(error.args[0])),))
        bound = {name: _found(artifact) for name, artifact in inputs.items()}
        bound |= self._unassigned(step, bound)
        identity = self._judge.identify(step, bound)
        if step.options.approve:
            self._asked[step.name] = identity
            identity = pipeline.past_gate(step, identity, bound)
        self.identities[step.name] = identity
        return self._judge.facts(step, identity, forced=step.name in self._forced, run_id="")

    def _unassigned(self, step: Step, bound: Mapping[str, Bound]) -> dict[str, Bound]:
        """Inputs that their step left unassigned the last time, as it may."""
        return {
            name: ABSENT
            for name, source in self._graph.sources[step.name].items()
            if name not in bound and name in self._graph.steps[source].optional and self._judge.had_result(source)
        }

    def _lend(self, names: Iterable[str]) -> None:
        """Bind what a context cell reads of other steps, where the kernel has nothing under that name."""
        for source, step in self._graph.steps.items():
            latest = self._judge.latest(source)
            for name in set(step.outputs) & set(names) & latest.keys():
                if not self._pipeline.bindings.present(name):
                    self._pipeline.bindings.bind(name, latest[name])

    def _ask(self, step: Step, stored_values: Mapping[str, Artifact], states: Mapping[str, StepState]) -> bool | None:
        """The answer of a condition under stored values, whatever the kernel has in their place."""
        pipeline = self._pipeline
        if pipeline.keeper.edits(step, self._graph):
            return None
        try:
            pipeline.keeper.prepare(step, self._graph, "")
            instead = {name: self._value(name, artifact) for name, artifact in stored_values.items()}
            return holds(step, states, pipeline.services, instead)
        except Exception:  # noqa: BLE001 - what fails in a forecast fails again in the run, and is reported there
            return None

    def _value(self, name: str, artifact: Artifact) -> object:
        """A stored value, taken from the kernel where that has it; what the user has made of it stays as it is."""
        bindings, services = self._pipeline.bindings, self._pipeline.services
        if artifact is NOTHING:
            return MISSING
        if not bindings.present(name):
            bindings.bind(name, artifact)
        if bindings.live(name).digest != artifact.digest:
            return services.store.get(artifact)
        services.evaluator.materialise([name])
        return services.evaluator.namespace[name]

    def _items(self, step: Step, inputs: Mapping[str, Artifact]) -> tuple[int, int] | None:
        """How many items of a map would run, and of how many."""
        del inputs  # the step's identity has their content
        pipeline = self._pipeline
        forced = step.name in self._forced
        identity = self.identities[step.name]
        return due_items(pipeline.services, pipeline.bindings, self._judge, step, identity, forced=forced)

    def _held(self, step: Step) -> bool:
        identity = self._asked.get(step.name)
        return identity is None or not self._pipeline.is_open(step, identity)


def _found(artifact: Artifact) -> Bound:
    """What a body or a condition would find."""
    return NO_VALUE if artifact is NOTHING else stored(artifact)
