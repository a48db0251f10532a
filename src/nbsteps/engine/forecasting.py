"""What a run would do now, asked of the live kernel: context cells are executed, steps never."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from nbsteps.engine.session import Session


class Forecast:
    """One forecast.

    Attributes:
        identities: what each step would be, as far as that could be told.
    """

    def __init__(self, session: Session, forced: frozenset[str]) -> None:
        self._session = session
        self._forced = forced
        self._graph, self._judge = session.graph(), session.judge()
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
        session = self._session
        edits = session.keeper.edits(step, self._graph)
        if edits:
            return Decision(Action.RUN, edits)
        for context in session.keeper.due(step, self._graph):
            self._contexts.setdefault(context.cell.label, step.name)
            self._lend(context.names.reads | context.touched)
        try:
            session.keeper.prepare(step, self._graph, "")
        except (ContextError, StoreError) as error:
            return Decision(Action.SKIP, (Reason(ReasonKind.BLOCKED, str(error.args[0])),))
        bound = {name: _found(artifact) for name, artifact in inputs.items()}
        bound |= self._unassigned(step, bound)
        identity = self._judge.identify(step, bound)
        if step.options.approve:
            self._asked[step.name] = identity
            identity = session.past_gate(step, identity, bound)
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
                if not self._session.bindings.present(name):
                    self._session.bindings.bind(name, latest[name])

    def _ask(self, step: Step, stored_values: Mapping[str, Artifact], states: Mapping[str, StepState]) -> bool | None:
        """The answer of a condition under stored values, whatever the kernel has in their place."""
        session = self._session
        if session.keeper.edits(step, self._graph):
            return None
        try:
            session.keeper.prepare(step, self._graph, "")
            instead = {name: self._value(name, artifact) for name, artifact in stored_values.items()}
            return holds(step, states, session.services, instead)
        except Exception:  # noqa: BLE001 - what fails in a forecast fails again in the run, and is reported there
            return None

    def _value(self, name: str, artifact: Artifact) -> object:
        """A stored value, taken from the kernel where that has it; what the user has made of it stays as it is."""
        bindings, services = self._session.bindings, self._session.services
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
        session = self._session
        forced = step.name in self._forced
        identity = self.identities[step.name]
        return due_items(session.services, session.bindings, self._judge, step, identity, forced=forced)

    def _held(self, step: Step) -> bool:
        identity = self._asked.get(step.name)
        return identity is None or not self._session.is_open(step, identity)


def _found(artifact: Artifact) -> Bound:
    """What a body or a condition would find."""
    return NO_VALUE if artifact is NOTHING else stored(artifact)
