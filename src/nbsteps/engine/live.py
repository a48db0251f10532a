"""A step cell that is executed by itself: its inputs as the user sees them, and what earlier cells say about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nbsteps.core import rules
from nbsteps.core.decide import Action
from nbsteps.core.errors import MissingInputError
from nbsteps.core.model import StepRun
from nbsteps.core.rules import Ruling
from nbsteps.core.states import GOOD, StepState
from nbsteps.engine.bindings import ABSENT, NO_VALUE, Bound
from nbsteps.engine.forecasting import plan
from nbsteps.engine.pipeline import Pipeline

_HELD = frozenset({StepState.WAITING, StepState.PENDING})


@dataclass(frozen=True, slots=True)
class LiveInputs:
    """What a step cell finds.

    Attributes:
        inputs: content of its inputs.
        consulted: content of what only its condition reads.
        ruling: whether it runs, as far as the ends of other steps say.
        reason: why not.
    """

    inputs: Mapping[str, Bound] = field(default_factory=dict)
    consulted: Mapping[str, Bound] = field(default_factory=dict)
    ruling: Ruling = Ruling.RUN
    reason: str = ""


def live_inputs(pipeline: Pipeline, name: str, before: Mapping[str, StepRun]) -> LiveInputs:
    """Find a step's inputs; those that the kernel lacks are restored where fresh.

    A variable that is there counts, whoever made it. Only where one is lacking do the ends of the steps that might
    have made it decide, by the step's rule.

    Args:
        pipeline: the kernel's.
        name: the step.
        before: how steps ended the last time that this kernel took them.

    Raises:
        MissingInputError: an input is neither in the kernel nor fresh in the store.
    """
    held = {step: reason for step in before if (reason := _held(pipeline, step, before))}
    # What waited and waits no longer is as unknown as what this kernel has never taken.
    states = {step: done.state for step, done in before.items() if done.state not in _HELD or step in held}
    return _beforehand(pipeline, name, states, held) or _as_seen(pipeline, name, states, held)


def _as_seen(pipeline: Pipeline, name: str, states: Mapping[str, StepState], held: Mapping[str, str]) -> LiveInputs:
    graph = pipeline.graph()
    found: dict[str, Bound] = {}
    lacking = list[str]()
    consults = graph.consults.get(name, {})
    for variable, source in (*graph.sources[name].items(), *consults.items()):
        if _fetched(pipeline, name, variable, states):
            known = pipeline.bindings.known(variable)
            present = pipeline.bindings.present(variable)
            found[variable] = pipeline.bindings.live(variable) if present else known or ABSENT
        elif _bad(graph.candidates(name, variable), states):
            lacking.append(variable)
            found[variable] = NO_VALUE
        else:
            raise _missing(pipeline, name, variable, source)
    inputs = {variable: found[variable] for variable in graph.sources[name]}
    consulted = {variable: found[variable] for variable in consults}
    if not lacking:
        return LiveInputs(inputs, consulted)
    waits = next((held[parent] for parent in graph.parents[name] if parent in held), "")
    ruling, reason = (Ruling.WAIT, waits) if waits else _ruled(pipeline, name, states)
    if ruling is Ruling.UPSTREAM_FAILED:
        raise _missing(pipeline, name, lacking[0], graph.candidates(name, lacking[0])[0])
    return LiveInputs(inputs, consulted, ruling, reason)


def _held(pipeline: Pipeline, step: str, before: Mapping[str, StepRun]) -> str:
    """What a step that this kernel left waits for, directly or behind another: a request that nobody has decided."""
    if before[step].state not in _HELD:
        return ""
    above = pipeline.graph().ancestors([step]) if step in pipeline.graph().steps else ()
    for name, done in before.items():
        request = done.request if name in above and done.state is StepState.WAITING else None
        if request is not None and not pipeline.gate.decided(request):
            return f"step {name} waits for approval"
    return ""


def _beforehand(
    pipeline: Pipeline, name: str, states: Mapping[str, StepState], held: Mapping[str, str]
) -> LiveInputs | None:
    """What a branch of which another member was taken, or a catch without a failure, says before anything else."""
    graph = pipeline.graph()
    options = graph.steps[name].options
    if options.branch:
        # Of members that this kernel has not seen it is taken that they are not the ones.
        members = dict.fromkeys(graph.groups[options.branch], StepState.SKIPPED)
        if rules.branch(graph, name, members | dict(states)) is Ruling.SKIP:
            reason = rules.why(graph, name, members | dict(states))
            return LiveInputs(ruling=Ruling.SKIP, reason=reason)
    if options.catch and rules.catch(graph, name, states) is not Ruling.RUN:
        if options.catch in held:
            return LiveInputs(ruling=Ruling.WAIT, reason=held[options.catch])
        return LiveInputs(ruling=Ruling.SKIP, reason=f"step {options.catch} did not fail")
    return None


def _fetched(pipeline: Pipeline, name: str, variable: str, states: Mapping[str, StepState]) -> bool:
    """Whether a variable is in the kernel, restored if need be, or known to have been left unassigned."""
    bindings = pipeline.bindings
    if bindings.present(variable) or bindings.known(variable) is ABSENT:
        return True
    for source in pipeline.graph().candidates(name, variable):
        if states.get(source, StepState.SUCCEEDED) not in GOOD:
            continue
        decision = plan(pipeline, [source]).decisions[source]
        if decision.result is not None and decision.action is Action.RESTORE:
            if variable in decision.result.outputs:
                bindings.restore(decision.result, [variable])
            else:
                bindings.absent(variable)
            return True
    return False


def _bad(candidates: Iterable[str], states: Mapping[str, StepState]) -> bool:
    return all(states.get(source, StepState.SUCCEEDED) not in GOOD for source in candidates)


def _ruled(pipeline: Pipeline, name: str, states: Mapping[str, StepState]) -> tuple[Ruling, str]:
    graph = pipeline.graph()
    taken = dict.fromkeys(graph.parents[name], StepState.SUCCEEDED) | dict(states)
    trigger = graph.steps[name].options.trigger
    found = rules.verdict(trigger, rules.parent_states(graph, name, taken))
    return found, "" if found is Ruling.RUN else rules.why(graph, name, taken)


def _missing(pipeline: Pipeline, name: str, variable: str, source: str) -> MissingInputError:
    found = plan(pipeline, [source])
    step = pipeline.graph().steps[name]
    missing = ", ".join(found.steps(Action.RUN, Action.MAY_RUN, Action.SKIP))
    message = f"input {variable} is not in the kernel, and step {source}, which writes it, is not fresh"
    seen = f"{message} ({found.decisions[source].text}); steps to run: {missing}"
    return MissingInputError(seen, step=name, cell=step.cell.label, hint=f"%pipeline run {name}")
