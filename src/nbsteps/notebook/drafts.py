"""The steps as they stand if the cells that a page shows were saved: edits count before they are executed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nbsteps.core.cells import Context
from nbsteps.core.decide import Action, Decision, Facts
from nbsteps.core.graph import Graph, build
from nbsteps.core.model import Artifact, Cell, Step
from nbsteps.core.plan import forecast
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.states import GOOD, StepState
from nbsteps.display.view import Row
from nbsteps.engine.bindings import stored
from nbsteps.engine.judge import Judge
from nbsteps.engine.session import Session
from nbsteps.ports import Last

UNKNOWN = "not known until its context cells have been executed"


def preview(session: Session, cells: Iterable[Cell]) -> tuple[Row, ...]:
    """How each step ended the last time, and what would be decided for these cells. Executes nothing.

    A step that rests on a context cell which was edited and not executed is stale for that; one whose context this
    kernel has not executed at all is shown as it ended the last time. Main thread only.
    """
    services = session.services
    services.epoch += 1
    graph = build(tuple(cells), services.evaluator.namespace)
    judge = Judge(services, session.bindings, graph)
    judge.recall(tuple(name for name in graph.steps if name not in graph.blocked))
    known = frozenset(cell.source for cell in session.cells.merged())

    def assess(step: Step, inputs: Mapping[str, Artifact]) -> Facts | Decision:
        edited = [context for context in graph.needs[step.name] if context.cell.source not in known]
        if edited:
            return Decision(Action.RUN, tuple(_edited(context, step) for context in edited))
        if session.keeper.due(step, graph):
            return Decision(Action.SKIP, (Reason(ReasonKind.BLOCKED, UNKNOWN),))
        bound = {name: stored(artifact) for name, artifact in inputs.items()}
        return judge.facts(step, judge.identify(step, bound), forced=False, run_id="")

    plan = forecast(graph, frozenset(graph.steps), assess, judge.latest)
    return tuple(_row(name, plan.decisions[name], judge, graph) for name in graph.steps)


def _edited(context: Context, step: Step) -> Reason:
    """Named by what the step reads of the cell, where that can be told."""
    names = sorted(context.names.writes & step.reads)
    return Reason(ReasonKind.HELPER, names[0] if names else context.cell.label)


def _row(name: str, decision: Decision, judge: Judge, graph: Graph) -> Row:
    last = judge.last(name)
    if decision.action is Action.SKIP and not _blocked(name, graph):
        decision = _unclaimed(decision, last)
    return (name, StepState.PENDING if last is None else last.state, decision, None if last is None else last.result)


def _unclaimed(decision: Decision, last: Last | None) -> Decision:
    """What cannot be told is not claimed: neither that a step would run, nor that it could not."""
    if last is None:
        return Decision(Action.RUN, (Reason(ReasonKind.NEVER_RAN),))
    return Decision(Action.RESTORE) if last.state in GOOD else decision


def _blocked(name: str, graph: Graph) -> bool:
    return not graph.blocked.isdisjoint({name, *graph.ancestors([name])})
