"""What keeps a run from starting beyond what is wrong with the notebook: what this kernel knows and can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nbsteps.core.errors import Problem
from nbsteps.core.graph import Graph
from nbsteps.core.model import Step
from nbsteps.engine.capacity import Means
from nbsteps.engine.retrying import doubtful_names
from nbsteps.ports import Evaluator

_HERE = frozenset({"", "main"})


def refusals(graph: Graph, names: Iterable[str], evaluator: Evaluator, means: Means) -> tuple[Problem, ...]:
    """A problem for each named step that must not be started; ``""`` among the names stands for nameless cells."""
    asked = list(names)
    steps = [name for name in asked if name in graph.steps]
    found = graph.errors(asked)
    if not evaluator.limits and means.executor in _HERE:
        found += tuple(_endless(graph.steps[name] for name in steps))
    return found + tuple(doubtful_names(graph, steps, evaluator.namespace))


def _endless(steps: Iterable[Step]) -> Iterator[Problem]:
    for step in steps:
        if step.options.timeout is not None or step.options.total_timeout is not None:
            message = "a timeout cannot be enforced here: there is no signal for it, or this is not the main thread"
            hint = "execute it elsewhere: --workers 1 --executor processes"
            yield Problem(step.name, step.cell.label, message, hint)
