"""Folds ``decide`` over the graph: the forecast of a run.

A plan cannot know an early cutoff: where a step will run, what follows it *may* run. It asks what would be decided if
the rerun produced the same content as the last time; only what would run even so is certain to run. Where it is not
known what the last time produced, only what runs for other reasons is.

It takes for granted that what runs succeeds. Conditions are asked where everything that they read is settled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from nbsteps.core.conditions import is_default
from nbsteps.core.decide import Action, Decision, Facts, decide
from nbsteps.core.graph import Graph
from nbsteps.core.model import Artifact, Step
from nbsteps.core.policies import Trigger
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.rules import Ruling, States, chosen_producer, ruling, why
from nbsteps.core.states import TERMINAL, StepState

Outputs = Mapping[str, Artifact]
"""Variable to stored value."""
Assess = Callable[[Step, Outputs], Facts | Decision]
"""Collects the facts of a step under the given inputs, or says that it cannot be done."""
Latest = Callable[[str], Outputs]
"""What a step's outputs were the last time; empty if it never succeeded."""


@dataclass(frozen=True, slots=True)
class Gates:
    """What stands before a body besides its content. What is left out is not known, and then the step may run.

    Attributes:
        ask: the answer of a step's ``--when`` under these stored variables and ends of other steps; None for none.
            Asked only where all that it reads is settled.
        held: whether nobody has approved the step as it is yet.
        items: how many items of a map would run, and of how many; None where that is not known.
    """

    ask: Callable[[Step, Outputs, States], bool | None] | None = None
    held: Callable[[Step], bool] | None = None
    items: Callable[[Step, Outputs], tuple[int, int] | None] | None = None


NO_GATES = Gates()
NOTHING: Final = Artifact("missing", "", "", 0, "", "")
"""Stands among stored variables for one whose step would not run: the body would find ``nbsteps.MISSING``."""
_DID_NOT_RUN = frozenset({StepState.SKIPPED, StepState.UPSTREAM_FAILED})


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


def forecast(graph: Graph, selection: frozenset[str], assess: Assess, latest: Latest, gates: Gates = NO_GATES) -> Plan:
    """Decide each selected step in graph order, with what is known before anything runs."""
    walk = _Walk(graph, selection, assess, latest, gates)
    for name in graph.steps:
        if name in selection:
            walk.take(name)
    return Plan(walk.decisions)


class _Walk:
    """One forecast: what was decided so far, and how the steps would stand after it.

    A step of which it is not known whether it would run stands as pending.
    """

    def __init__(self, graph: Graph, selection: frozenset[str], assess: Assess, latest: Latest, gates: Gates) -> None:
        self._graph = graph
        self._assess = assess
        self._latest = latest
        self._gates = gates
        self._outputs: dict[str, Outputs] = {}
        self._chosen = set[str]()
        # Of steps that nobody asked about nothing bad is known.
        self._states = {name: StepState.SUCCEEDED for name in graph.steps if name not in selection}
        self.decisions: dict[str, Decision] = {}

    def take(self, name: str) -> None:
        """Decide one step; those that come before it were taken."""
        stopped = self._stopped(name)
        found = ruling(self._graph, name, self._states, self._chosen) if stopped is None else Ruling.UPSTREAM_FAILED
        doubts = self._failing(name) if found is Ruling.SKIP else ()
        if stopped is None and not doubts and found in {Ruling.SKIP, Ruling.UPSTREAM_FAILED}:
            kind = ReasonKind.SKIPPED if found is Ruling.SKIP else ReasonKind.BLOCKED
            text = why(self._graph, name, self._states, self._chosen) if found is Ruling.SKIP else self._needed(name)
            stopped = _never(kind, text)
        if stopped is not None:
            self._note(name, stopped, StepState.SKIPPED if found is Ruling.SKIP else StepState.UPSTREAM_FAILED)
            return
        step = self._graph.steps[name]
        doubts = self._doubts(name) if found is Ruling.WAIT else doubts
        if not doubts and step.options.when and not is_default(step.options):
            answer = self._answer(step)
            if answer is False:
                self._note(name, _never(ReasonKind.SKIPPED, "its condition is false"), StepState.SKIPPED)
                return
            doubts = () if answer else (Reason(ReasonKind.CONDITION),)
        if not doubts and step.options.branch:
            self._chosen.add(name)
        self._decide(step, doubts)

    def _stopped(self, name: str) -> Decision | None:
        """A step that cannot run for a problem of its own."""
        if name not in self._graph.blocked:
            return None
        problem = next(p for p in self._graph.problems if p.step == name and p.severity == "error")
        return _never(ReasonKind.BLOCKED, problem.message)

    def _needed(self, name: str) -> str:
        """The step whose problem is this one's."""
        edges = self._graph.edges[name]
        return f"needs step {next(step for step in edges if self._states.get(step) is StepState.UPSTREAM_FAILED)}"

    def _failing(self, name: str) -> tuple[Reason, ...]:
        """The steps whose failure this one waits for, where they will run: nobody knows how they end."""
        options, parents = self._graph.steps[name].options, self._graph.parents[name]
        run = [step for step in parents if self._runs(step)]
        if options.catch:
            hoped = [options.catch] if self._runs(options.catch) else []
        elif options.trigger is Trigger.ONE_FAILED or (
            options.trigger is Trigger.ALL_FAILED and len(run) == len(parents)
        ):
            hoped = run
        else:
            hoped = []
        return tuple(Reason(ReasonKind.DEPENDS, step) for step in hoped)

    def _doubts(self, name: str) -> tuple[Reason, ...]:
        """The steps of which it depends whether this one runs, where they are in doubt themselves."""
        opened = (step for step in self._graph.edges[name] if self._states.get(step) not in TERMINAL)
        return tuple(Reason(ReasonKind.DEPENDS, step) for step in opened)

    def _answer(self, step: Step) -> bool | None:
        """What ``--when`` says; None where it cannot be asked yet."""
        read = {**self._graph.sources[step.name], **self._graph.consults.get(step.name, {})}
        asked = self._graph.asked.get(step.name, ())
        producers = self._producers(step.name, {name: read[name] for name in asked if name in read})
        settled = all(self._settled(name) for name in producers.values())
        known = all(self._states.get(name) in TERMINAL for name in self._graph.watched.get(step.name, ()))
        if self._gates.ask is None or not settled or not known:
            return None
        return self._gates.ask(step, self._stored(producers), self._states)

    def _settled(self, name: str) -> bool:
        return name not in self.decisions or self.decisions[name].action in {Action.RESTORE, Action.SKIP}

    def _producers(self, name: str, read: Mapping[str, str]) -> dict[str, str]:
        """Variable to the step that makes it in this forecast: of a branch the member that would run."""
        if not self._graph.groups:
            return dict(read)
        return {variable: chosen_producer(self._graph, name, variable, self._states) for variable in read}

    def _stored(self, producers: Mapping[str, str]) -> dict[str, Artifact]:
        found: dict[str, Artifact] = {}
        for variable, source in producers.items():
            if self._states.get(source) in _DID_NOT_RUN:
                found[variable] = NOTHING
            elif variable in self._outputs.get(source, {}):
                found[variable] = self._outputs[source][variable]
        return found

    def _decide(self, step: Step, doubts: tuple[Reason, ...]) -> None:
        name = step.name
        producers = self._producers(name, self._graph.sources[name])
        inputs = self._stored(producers)
        facts = self._assess(step, inputs)
        decision = facts if isinstance(facts, Decision) else decide(facts)
        unsettled = frozenset(parent for parent in self._graph.parents[name] if self._runs(parent))
        if unsettled:
            decision = _softened(decision, step, self._graph, unsettled, producers, inputs)
        result = decision.result
        self._outputs[name] = self._latest(name) if result is None else result.outputs
        if decision.action is Action.SKIP:
            self._note(name, decision, StepState.UPSTREAM_FAILED)
            return
        if step.options.map and decision.action is Action.RUN and unsettled.isdisjoint(producers.values()):
            decision = self._counted(step, decision, inputs)
        state = StepState.CACHED if decision.action is Action.RESTORE else StepState.SUCCEEDED
        if doubts:
            decision = Decision(Action.MAY_RUN, doubts + decision.reasons, result)
            state = StepState.PENDING
        elif step.options.approve and decision.action is not Action.RESTORE and self._held(step):
            decision = Decision(Action.MAY_RUN, (Reason(ReasonKind.APPROVAL), *decision.reasons), result)
            state = StepState.WAITING
        self._note(name, decision, state)

    def _counted(self, step: Step, decision: Decision, inputs: Outputs) -> Decision:
        """How many items of a map would run, where its inputs are settled."""
        counts = None if self._gates.items is None else self._gates.items(step, inputs)
        if counts is None:
            return decision
        said = Reason(ReasonKind.ITEMS, f"{counts[0]} of {counts[1]}")
        return Decision(decision.action, (said, *decision.reasons), decision.result)

    def _held(self, step: Step) -> bool:
        return self._gates.held is None or self._gates.held(step)

    def _runs(self, name: str) -> bool:
        return name in self.decisions and self.decisions[name].action in {Action.RUN, Action.MAY_RUN}

    def _note(self, name: str, decision: Decision, state: StepState) -> None:
        self.decisions[name] = decision
        self._states[name] = state


def _never(kind: ReasonKind, text: str) -> Decision:
    return Decision(Action.SKIP, (Reason(kind, text),))


def _softened(  # noqa: PLR0913 - what one decision rests on, all needed
    decision: Decision,
    step: Step,
    graph: Graph,
    unsettled: frozenset[str],
    producers: Mapping[str, str],
    inputs: Outputs,
) -> Decision:
    """What rests on a step that runs first is only a guess: a restore, and a run for want of that step's output."""
    variables = [variable for variable, source in producers.items() if source in unsettled]
    if decision.action is Action.RESTORE:
        behind = sorted(unsettled.difference(producers.values()))
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
