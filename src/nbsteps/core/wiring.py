"""Drafts -> sources and parents: which step's output each step reads, checked against what it declares."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from nbsteps.core.cells import Context, Draft
from nbsteps.core.checks import Checks, Wired
from nbsteps.core.contexts import Changes, Helpers, Needs, Reach, Surroundings
from nbsteps.core.errors import Problem
from nbsteps.core.writers import Writers

_NO_NAMES: frozenset[str] = frozenset()


@dataclass(slots=True)
class Wiring:
    """The connections of all drafts: see the attributes of the same names of ``Graph`` and ``Step``."""

    sources: dict[str, Mapping[str, str]] = field(default_factory=dict)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    reads: dict[str, frozenset[str]] = field(default_factory=dict)
    outputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    optional: dict[str, frozenset[str]] = field(default_factory=dict)
    scratch: dict[str, frozenset[str]] = field(default_factory=dict)
    needs: Mapping[str, tuple[Context, ...]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def wire(drafts: Mapping[str, Draft], contexts: Sequence[Context], known: Container[str]) -> Wiring:
    """Connect the drafts, given in document order. ``known`` names exist although no cell writes them."""
    found = Wiring()
    helpers, changes = Helpers(contexts, drafts.values()), Changes(contexts)
    writers = Writers(drafts, contexts, helpers)
    around = Surroundings(contexts, helpers, writers.names)
    checks = Checks(drafts, contexts, writers, around, changes, known)
    found.problems += checks.notebook()
    cells: dict[str, int] = {}
    for name, draft in drafts.items():
        direct = _direct(draft, writers, around, found)
        reach = around.reach(direct, draft.index)
        sources = _sources(draft, direct, reach, writers)
        cells[name] = reach.cells
        found.sources[name] = sources
        found.parents[name] = _parents(draft, reach, sources, writers, drafts)
        found.problems += checks.step(Wired(draft, direct, reach, sources))
    found.needs = Needs(around, cells)
    return found


def _direct(draft: Draft, writers: Writers, around: Surroundings, found: Wiring) -> frozenset[str]:
    """Names that the body itself reads from outside; notes what the step reads, writes and leaves behind."""
    name, direct = draft.name, draft.reads
    found.outputs[name] = outputs = writers.outputs(draft)
    if name in writers.optional:
        found.optional[name] = frozenset(writers.optional[name])
    if draft.doubtful:
        others = {other for other in draft.doubtful if writers.source(other, draft) is not None}
        elsewhere = draft.doubtful if around.hiding else frozenset(others | (draft.doubtful & around.shaped))
        direct |= elsewhere
        own = draft.doubtful - elsewhere
        found.scratch[name] = scratch = own.difference(outputs)
        found.reads[name] = direct | scratch
        return direct
    found.reads[name] = direct
    return direct


def _sources(draft: Draft, direct: frozenset[str], reach: Reach, writers: Writers) -> dict[str, str]:
    """Variable -> step for what this draft reads of other steps, in declared order where declared."""
    options = draft.options
    names = sorted(direct & writers.names)
    if options.inputs is not None:
        listed = (*options.inputs, *options.mutates)
        names = [*listed, *(() if draft.opaque else names)]
    if reach.through:
        names += sorted(writers.names.intersection(reach.through).difference(options.ignore))
    found: dict[str, str] = {}
    for name in names:
        source = writers.source(name, draft)
        if source is not None:
            found.setdefault(name, source.name)
    return found


def _parents(
    draft: Draft, reach: Reach, sources: Mapping[str, str], writers: Writers, drafts: Mapping[str, Draft]
) -> tuple[str, ...]:
    """Steps that come first: through data, through context cells in between, through ``--after``."""
    parents = dict.fromkeys(sources.values())
    for name in reach.behind:
        source = writers.source(name, draft)
        if source is not None:
            parents[source.name] = None
    for name in draft.options.after:
        if name in drafts and name != draft.name:
            parents[name] = None
    return tuple(parents)
