"""The critical path of a run: the chain of steps that no number of workers makes shorter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter


@dataclass(frozen=True, slots=True)
class Span:
    """When a step was at work: start and end on the run's axis, and ``busy``, the seconds that it took itself."""

    start: float
    end: float
    busy: float


def critical_path(spans: Mapping[str, Span], parents: Mapping[str, Sequence[str]] | None) -> tuple[str, ...]:
    """The steps of the path, first to last; none where nothing took time.

    With ``parents`` it is the longest chain of the graph, each step counted with its busy seconds. Where the graph is
    not known (or has a cycle) it goes back in time: before a step comes the one that ended last before it started.
    """
    if not any(span.busy > 0 for span in spans.values()):
        return ()
    if parents is None:
        return _back_in_time(spans)
    known = {name: [parent for parent in parents.get(name, ()) if parent in spans] for name in spans}
    try:
        order = tuple(TopologicalSorter(known).static_order())
    except CycleError:
        return _back_in_time(spans)
    return _longest(order, spans, known)


def _longest(order: Sequence[str], spans: Mapping[str, Span], parents: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    length: dict[str, float] = {}
    before: dict[str, str | None] = {}
    for name in order:
        best = max(parents[name], key=lambda parent: (length[parent], spans[parent].end), default=None)
        before[name] = best
        length[name] = spans[name].busy + (length[best] if best is not None else 0.0)
    last: str | None = max(order, key=lambda name: (length[name], spans[name].busy > 0, -spans[name].end))
    path = list[str]()
    while last is not None:
        path.append(last)
        last = before[last]
    return tuple(reversed(path))


def _back_in_time(spans: Mapping[str, Span]) -> tuple[str, ...]:
    """By ends: each name once, since what is taken ended no later than the last one started."""
    left = sorted(spans, key=lambda name: (spans[name].end, spans[name].start))
    path = [left.pop()]
    while left:
        name = left.pop()
        if spans[name].end <= spans[path[-1]].start:
            path.append(name)
    return tuple(reversed(path))
