"""Drafts -> sources and parents: which step's output each step reads, checked against what it declares."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nbsteps.core.cells import Context, Draft
from nbsteps.core.checks import Checks, Wired
from nbsteps.core.contexts import Changes, Helpers, Needs, Reach, Surroundings
from nbsteps.core.errors import Problem
from nbsteps.core.rule_checks import RuleChecks, Ruled
from nbsteps.core.terms import NO_TERMS
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
    consults: dict[str, Mapping[str, str]] = field(default_factory=dict)
    asked: dict[str, frozenset[str]] = field(default_factory=dict)
    watched: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    joins: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    catches: tuple[tuple[str, str], ...] = ()
    problems: list[Problem] = field(default_factory=list)


def wire(drafts: Mapping[str, Draft], contexts: Sequence[Context], known: Container[str]) -> Wiring:
    """Connect the drafts, given in document order. ``known`` names exist although no cell writes them."""
    found = Wiring()
    helpers, changes = Helpers(contexts, drafts.values()), Changes(contexts)
    writers = Writers(drafts, contexts, helpers)
    around = Surroundings(contexts, helpers, writers.names)
    checks = Checks(drafts, contexts, writers, around, changes, known)
    found.problems += checks.notebook()
    special = {name: draft for name, draft in drafts.items() if draft.terms is not NO_TERMS}
    _rules(special, drafts, found)
    rules = RuleChecks(drafts, special, writers, checks, found.groups)
    found.problems += rules.notebook()
    cells: dict[str, int] = {}
    for name, draft in drafts.items():
        direct = _direct(draft, writers, around, found)
        reach = around.reach(direct, draft.index)
        sources = _sources(draft, direct, reach, writers)
        cells[name] = reach.cells
        found.sources[name] = sources
        behind = reach.behind
        found.parents[name] = _parents(draft, behind, sources, writers, drafts)
        found.problems += checks.step(Wired(draft, direct, reach, sources))
        if name in special:
            asked = around.reach(draft.terms.consults, draft.index)
            cells[name] |= asked.cells
            found.asked[name] = writers.names & draft.terms.consults.union(asked.through)
            found.consults[name] = consults = _consults(draft, found.asked[name], sources, writers)
            behind += asked.behind
            found.parents[name] = _parents(draft, behind, {**sources, **consults}, writers, drafts)
            found.problems += rules.step(Ruled(draft, sources, consults, found.parents[name]))
        if found.groups:
            _join(draft, (*sources, *found.consults.get(name, ()), *behind), writers, found)
    found.needs = Needs(around, cells)
    return found


def _rules(special: Mapping[str, Draft], drafts: Mapping[str, Draft], found: Wiring) -> None:
    """Groups in the order of their cells, and the steps whose end others look at."""
    groups: dict[str, list[str]] = {}
    for name, draft in special.items():
        watched = [step for step in draft.terms.steps if step in drafts and step != name]
        if draft.options.branch:
            members = groups.setdefault(draft.options.branch, [])
            watched += (member for member in members if member not in watched)
            members.append(name)
        if watched:
            found.watched[name] = tuple(watched)
    found.groups = {group: tuple(members) for group, members in groups.items()}
    found.catches = tuple((name, draft.options.catch) for name, draft in special.items() if draft.options.catch)


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
        listed = (*options.inputs, *options.mutates, *draft.terms.items)
        names = [*listed, *(() if draft.opaque else names)]
    if reach.through:
        names += sorted(writers.names.intersection(reach.through).difference(options.ignore))
    found: dict[str, str] = {}
    for name in names:
        source = writers.source(name, draft)
        if source is not None:
            found.setdefault(name, source.name)
    return found


def _consults(draft: Draft, asked: frozenset[str], sources: Mapping[str, str], writers: Writers) -> dict[str, str]:
    """Variable -> step for what only the options of this draft read."""
    found = {name: writers.source(name, draft) for name in sorted(asked.difference(sources))}
    return {name: source.name for name, source in found.items() if source is not None}


def _join(draft: Draft, variables: Iterable[str], writers: Writers, found: Wiring) -> None:
    """Add all members of a branch of which one makes a variable to the parents, and note that they stand for one."""
    joins: dict[tuple[str, ...], None] = {}
    for name in variables:
        source = writers.source(name, draft)
        if source is not None and source.options.branch:
            joins[tuple(other.name for other in writers.candidates(name, source))] = None
    if joins:
        members = (name for join in joins for name in join)
        found.parents[draft.name] = tuple(dict.fromkeys((*found.parents[draft.name], *members)))
        together = tuple(join for join in joins if len(join) > 1)
        if together:
            found.joins[draft.name] = together


def _parents(
    draft: Draft, behind: Iterable[str], sources: Mapping[str, str], writers: Writers, drafts: Mapping[str, Draft]
) -> tuple[str, ...]:
    """Steps that come first: through data, through context cells in between, through ``--after``."""
    parents = dict.fromkeys(sources.values())
    for name in behind:
        source = writers.source(name, draft)
        if source is not None:
            parents[source.name] = None
    for name in draft.options.after:
        if name in drafts and name != draft.name:
            parents[name] = None
    return tuple(parents)
