"""The steps as they stand by the text of their cells: edits count before they are executed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nbsteps.core.decide import Action, Decision, Facts
from nbsteps.core.graph import Graph, build
from nbsteps.core.model import Artifact, Cell, Step
from nbsteps.core.plan import Gates, forecast
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.states import GOOD, StepState
from nbsteps.display.view import Row
from nbsteps.engine.bindings import stored
from nbsteps.engine.judge import Identity, Judge
from nbsteps.engine.session import Session, Standing
from nbsteps.ports import Last

UNKNOWN = "not known until its context cells have been executed"


def preview(session: Session, cells: Iterable[Cell]) -> tuple[Row, ...]:
    """How each step ended the last time, and what would be decided for these cells, as :func:`look` tells it."""
    _graph, standings = look(session, cells)
    return tuple((row.step.name, row.state, row.decision, row.result) for row in standings)


def look(session: Session, cells: Iterable[Cell]) -> tuple[Graph, tuple[Standing, ...]]:
    """The graph of these cells, and every step of it as it stands. Executes nothing.

    A step that rests on a context cell which was edited and not executed is stale for that, whether the edit was saved
    or not; one whose context this kernel has not executed at all is shown as it ended the last time. Main thread only.
    """
    services = session.services
    services.epoch += 1
    graph = build(tuple(cells), services.evaluator.namespace)
    judge = Judge(services, session.bindings, graph)
    judge.recall(tuple(name for name in graph.steps if name not in graph.blocked))
    asked: dict[str, Identity] = {}

    def assess(step: Step, inputs: Mapping[str, Artifact]) -> Facts | Decision:
        edits = session.keeper.edits(step, graph)
        if edits:
            return Decision(Action.RUN, edits)
        if session.keeper.due(step, graph):
            return Decision(Action.SKIP, (Reason(ReasonKind.BLOCKED, UNKNOWN),))
        bound = {name: stored(artifact) for name, artifact in inputs.items()}
        identity = judge.identify(step, bound)
        if step.options.approve:
            asked[step.name] = identity
            identity = session.past_gate(step, identity, bound, judge)
        return judge.facts(step, identity, forced=False, run_id="")

    def held(step: Step) -> bool:
        return step.name not in asked or not session.is_open(step, asked[step.name])

    plan = forecast(graph, frozenset(graph.steps), assess, judge.latest, Gates(held=held))
    return graph, tuple(_standing(step, plan.decisions[name], judge, graph) for name, step in graph.steps.items())


def _standing(step: Step, decision: Decision, judge: Judge, graph: Graph) -> Standing:
    last = judge.last(step.name)
    if decision.action is Action.SKIP and not _blocked(step.name, graph):
        decision = _unclaimed(decision, last)
    state = StepState.PENDING if last is None else last.state
    return Standing(step, state, decision, None if last is None else last.result)


def _unclaimed(decision: Decision, last: Last | None) -> Decision:
    """What cannot be told is not claimed: neither that a step would run, nor that it could not."""
    if last is None:
        return Decision(Action.RUN, (Reason(ReasonKind.NEVER_RAN),))
    return Decision(Action.RESTORE) if last.state in GOOD else decision


def _blocked(name: str, graph: Graph) -> bool:
    return not graph.blocked.isdisjoint({name, *graph.ancestors([name])})
