"""Folds ``decide`` over the graph: the forecast of a run.

A plan cannot know an early cutoff: where a step will run, what follows it *may* run. It asks what would be decided if
the rerun produced the same content as the last time; only what would run even so is certain to run. Where it is not
known what the last time produced, only what runs for other reasons is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nbsteps.core.decide import Action, Decision, Facts, decide
from nbsteps.core.graph import Graph
from nbsteps.core.model import Artifact, Step
from nbsteps.core.reasons import Reason, ReasonKind

Outputs = Mapping[str, Artifact]
"""Variable to stored value."""
Assess = Callable[[Step, Outputs], Facts | Decision]
"""Collects the facts of a step under the given inputs, or says that it cannot be done."""
Latest = Callable[[str], Outputs]
"""What a step's outputs were the last time; empty if it never succeeded."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Forecast.

    Attributes:
        decisions: step to decision, in graph order.
        contexts: labels of the context cells that the kernel lacks, each with the step that needs it first.
    """

    decisions: Mapping[str, Decision] = field(default_factory=dict)
    contexts: Mapping[str, str] = field(default_factory=dict)

    def steps(self, *actions: Action) -> tuple[str, ...]:
        """Names of the steps with one of these actions."""
        return tuple(name for name, decision in self.decisions.items() if decision.action in actions)


def forecast(graph: Graph, selection: frozenset[str], assess: Assess, latest: Latest) -> Plan:
    """Decide each selected step in graph order, with what is known before anything runs."""
    decisions: dict[str, Decision] = {}
    outputs: dict[str, Outputs] = {}
    for name, step in graph.steps.items():
        if name not in selection:
            continue
        stopped = _stopped(name, graph, decisions)
        if stopped is not None:
            decisions[name] = stopped
            continue
        unsettled = frozenset(parent for parent in graph.parents[name] if _runs(decisions, parent))
        inputs = {
            variable: outputs[source][variable]
            for variable, source in graph.sources[name].items()
            if variable in outputs.get(source, {})
        }
        facts = assess(step, inputs)
        decision = facts if isinstance(facts, Decision) else decide(facts)
        decisions[name] = _softened(decision, step, graph, unsettled, inputs) if unsettled else decision
        result = decision.result
        outputs[name] = latest(name) if result is None else result.outputs
    return Plan(decisions)


def _stopped(name: str, graph: Graph, decisions: Mapping[str, Decision]) -> Decision | None:
    """A step that cannot run: its own problem, or that of a step it needs."""
    if name in graph.blocked:
        problem = next(p for p in graph.problems if p.step == name and p.severity == "error")
        return Decision(Action.SKIP, (Reason(ReasonKind.BLOCKED, problem.message),))
    for parent in graph.parents[name]:
        if parent in decisions and decisions[parent].action is Action.SKIP:
            return Decision(Action.SKIP, (Reason(ReasonKind.BLOCKED, f"needs step {parent}"),))
    return None


def _runs(decisions: Mapping[str, Decision], name: str) -> bool:
    return name in decisions and decisions[name].action in {Action.RUN, Action.MAY_RUN}


def _softened(decision: Decision, step: Step, graph: Graph, unsettled: frozenset[str], inputs: Outputs) -> Decision:
    """What rests on a step that runs first is only a guess: a restore, and a run for want of that step's output."""
    sources = graph.sources[step.name]
    variables = [variable for variable, source in sources.items() if source in unsettled]
    if decision.action is Action.RESTORE:
        behind = sorted(unsettled.difference(sources.values()))
        doubts = variables + [parent for parent in behind if _matters(parent, step, graph, decision)]
    elif decision.action is Action.RUN and _only_inputs(decision, frozenset(variables) - inputs.keys()):
        doubts = variables
    else:
        return decision
    if not doubts:
        return decision
    return Decision(Action.MAY_RUN, tuple(Reason(ReasonKind.UPSTREAM, name) for name in doubts), decision.result)


def _only_inputs(decision: Decision, unknown: frozenset[str]) -> bool:
    """Whether nothing but inputs of unknown content speaks for a run."""
    return all(reason.kind is ReasonKind.INPUT and reason.name in unknown for reason in decision.reasons)


def _matters(parent: str, step: Step, graph: Graph, decision: Decision) -> bool:
    """Whether a step that passes no variable can change the result: through files, or through a context cell."""
    if step.options.files or (decision.result is not None and decision.result.observed):
        return True
    written = graph.steps[parent].outputs
    return any(not context.needs.isdisjoint(written) for context in graph.needs[step.name])
