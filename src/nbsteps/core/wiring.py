"""Drafts -> sources and parents: which step's output each step reads, checked against what it declares."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from nbsteps.core.cells import Context, Draft
from nbsteps.core.errors import Problem
from nbsteps.core.options import format_line


@dataclass(slots=True)
class Wiring:
    """The connections of all drafts: see the attributes of the same names of ``Graph`` and ``Step``."""

    sources: dict[str, dict[str, str]] = field(default_factory=dict)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    reads: dict[str, frozenset[str]] = field(default_factory=dict)
    needs: dict[str, tuple[Context, ...]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reach:
    """The names that a step may read, directly or through context cells.

    Attributes:
        direct: read by the body itself or declared.
        through: name read by helpers that the body uses -> the helper.
        contexts: the context cells that shape any of the names, transitively.
    """

    direct: frozenset[str]
    through: Mapping[str, str]
    contexts: tuple[Context, ...]


class Contexts:
    """Look-ups over the context cells of one notebook."""

    def __init__(self, contexts: tuple[Context, ...]) -> None:
        self.all = contexts
        self.stars = any(context.names.stars for context in contexts)
        self._deferred: dict[str, frozenset[str]] = {}
        self._shaping: dict[str, list[Context]] = {}
        for context in contexts:
            for name, reads in context.names.deferred.items():
                self._deferred[name] = self._deferred.get(name, frozenset()) | reads
            for name in context.shapes:
                self._shaping.setdefault(name, []).append(context)
        self.names = frozenset(self._shaping)

    def helpers(self, reads: Iterable[str]) -> dict[str, str]:
        """Names that the helpers among ``reads`` read in turn, each with the helper that reads it."""
        found: dict[str, str] = {}
        waiting = [(name, name) for name in reads if name in self._deferred]
        seen = {name for name, _ in waiting}
        while waiting:
            helper, root = waiting.pop()
            for name in self._deferred[helper]:
                found.setdefault(name, root)
                if name in self._deferred and name not in seen:
                    seen.add(name)
                    waiting.append((name, root))
        return found

    def needed(self, names: Iterable[str], stop: frozenset[str] = frozenset()) -> tuple[Context, ...]:
        """The context cells that shape any of ``names``, and what those need in turn, in document order.

        Names in ``stop`` (variables that steps write) are not followed.
        """
        chosen: dict[int, Context] = {}
        waiting = [name for name in names if name in self._shaping]
        seen = set(waiting)
        while waiting:
            name = waiting.pop()
            if name in stop:
                continue
            for context in self._shaping[name]:
                if context.index not in chosen:
                    chosen[context.index] = context
                    fresh = self._needs(context) - seen
                    seen |= fresh
                    waiting += [other for other in fresh if other in self._shaping]
        return tuple(chosen[index] for index in sorted(chosen))

    def _needs(self, context: Context) -> frozenset[str]:
        names = context.names
        deferred = frozenset[str]().union(*names.deferred.values()) if names.deferred else frozenset[str]()
        return names.reads | names.mutated | context.touched | deferred


def wire(drafts: Mapping[str, Draft], contexts: tuple[Context, ...], known: Container[str]) -> Wiring:
    """Connect the drafts. ``known`` names exist although no cell writes them."""
    found = Wiring()
    writers, blocked_names = _writers(drafts, found.problems)
    shared = Contexts(contexts)
    undeclared = _undeclared(drafts)
    for draft in drafts.values():
        reach = _reach(draft, shared, frozenset(writers))
        found.reads[draft.name] = reach.direct
        found.needs[draft.name] = reach.contexts
        found.sources[draft.name] = _sources(draft, reach, writers)
        found.parents[draft.name] = _parents(draft, reach, found.sources[draft.name], writers, found.problems, drafts)
        found.problems += _check_inputs(draft, reach, found.sources[draft.name], writers)
        found.problems += _check_unknown(draft, writers, shared, known)
        found.problems += _check_outputs(draft, writers, blocked_names)
        found.problems += _check_temporaries(draft, undeclared, shared.names | frozenset(writers))
        found.problems += _check_changes(draft, shared, found.sources[draft.name], drafts)
    return found


def _writers(drafts: Mapping[str, Draft], problems: list[Problem]) -> tuple[dict[str, list[Draft]], frozenset[str]]:
    """Variable -> the drafts that write it in document order: one, and then those that declare to mutate it."""
    writers: dict[str, list[Draft]] = {}
    doubled = set[str]()
    for draft in drafts.values():
        for name in draft.outputs:
            before = writers.setdefault(name, [])
            if before and name not in draft.options.mutates:
                doubled.add(name)
                first = before[0]
                message = f"{name} is written by step {first.name} ({first.cell.label}) and by step {draft.name}"
                hint = f"give one of them another name, such as {name}_{draft.name}"
                problems.append(Problem(draft.name, draft.cell.label, message, hint))
                problems.append(Problem(first.name, first.cell.label, f"{message} ({draft.cell.label})", hint))
            before.append(draft)
    return writers, frozenset(doubled)


def _reach(draft: Draft, shared: Contexts, written: frozenset[str]) -> Reach:
    options = draft.options
    direct = (draft.names.reads | frozenset(options.inputs or ()) | frozenset(options.mutates)) - set(options.ignore)
    through = {
        name: helper
        for name, helper in shared.helpers(direct).items()
        if name not in direct and name not in options.ignore
    }
    return Reach(direct, through, shared.needed(direct | frozenset(through), stop=written))


def _sources(draft: Draft, reach: Reach, writers: Mapping[str, list[Draft]]) -> dict[str, str]:
    """Variable -> step for what this draft reads of other steps, in declared order where declared."""
    found: dict[str, str] = {}
    for name in (*(draft.options.inputs or ()), *sorted(reach.direct), *sorted(reach.through)):
        source = _source(name, draft, writers)
        if source is not None and name not in found:
            found[name] = source.name
    return found


def _source(name: str, draft: Draft, writers: Mapping[str, list[Draft]]) -> Draft | None:
    """The last other writer above the reader in the document, else the first one below it."""
    others = [writer for writer in writers.get(name, ()) if writer is not draft]
    above = [writer for writer in others if writer.index < draft.index]
    if above:
        return above[-1]
    if name in draft.outputs and name not in draft.options.mutates:
        return None
    return others[0] if others else None


def _parents(  # noqa: PLR0913 - the parts of one wiring, all needed
    draft: Draft,
    reach: Reach,
    sources: Mapping[str, str],
    writers: Mapping[str, list[Draft]],
    problems: list[Problem],
    drafts: Mapping[str, Draft],
) -> tuple[str, ...]:
    parents = dict.fromkeys(sources.values())
    for context in reach.contexts:
        for name in sorted(context.names.reads | context.names.mutated | context.touched):
            source = _source(name, draft, writers)
            if source is not None:
                parents[source.name] = None
    for name in draft.options.after:
        if name not in drafts:
            message = f"--after {name}: there is no step of that name"
            known = ", ".join(other for other in drafts if other != draft.name) or "none yet"
            problems.append(Problem(draft.name, draft.cell.label, message, f"known steps: {known}"))
        elif name == draft.name:
            problems.append(Problem(draft.name, draft.cell.label, f"--after {name}: that is this step itself"))
        else:
            parents[name] = None
    return tuple(parents)


def _check_inputs(
    draft: Draft, reach: Reach, sources: Mapping[str, str], writers: Mapping[str, list[Draft]]
) -> list[Problem]:
    """The body reads what ``--in`` leaves out; it never reads what ``--in`` lists; it reads what it writes."""
    problems = list[Problem]()
    declared = draft.options.inputs
    if declared is not None:
        listed = {*declared, *draft.options.mutates}
        for name in (name for name in sources if name not in listed):
            via = f" through helper {reach.through[name]}" if name in reach.through else ""
            message = f"the body reads {name}{via}, which step {sources[name]} writes, but --in leaves it out"
            problems.append(Problem(draft.name, draft.cell.label, message, _corrected(draft, inputs=(*declared, name))))
        used = draft.names.reads | draft.names.mutated | frozenset(reach.through)
        for name in declared:
            if not (name in used or draft.opaque or draft.names.dynamic):
                message = f"--in {name}: the body never reads it"
                hint = _corrected(draft, inputs=tuple(other for other in declared if other != name))
                problems.append(Problem(draft.name, draft.cell.label, message, hint, severity="warning"))
    for name in draft.outputs:
        if name in draft.names.reads and name not in sources and writers[name] == [draft]:
            message = f"the body reads {name} before it writes it, so each run would build on the one before"
            hint = f"write the new value to another name, such as {name}_{draft.name}"
            problems.append(Problem(draft.name, draft.cell.label, message, hint))
    return problems


def _check_unknown(
    draft: Draft, writers: Mapping[str, list[Draft]], shared: Contexts, known: Container[str]
) -> list[Problem]:
    if shared.stars:
        return []
    return [
        Problem(draft.name, draft.cell.label, f"--in {name}: no cell writes {name}", _nearest(name, writers, shared))
        for name in draft.options.inputs or ()
        if name not in writers and name not in shared.names and name not in known
    ]


def _nearest(name: str, writers: Mapping[str, list[Draft]], shared: Contexts) -> str:
    import difflib  # noqa: PLC0415 - only for a message, and slow to load

    close = difflib.get_close_matches(name, [*writers, *sorted(shared.names)], n=1)
    return f"did you mean {close[0]}?" if close else f"write {name} in a step or another cell, or drop it from --in"


def _check_outputs(draft: Draft, writers: Mapping[str, list[Draft]], doubled: frozenset[str]) -> list[Problem]:
    names = draft.names
    if draft.opaque or names.dynamic or names.stars:
        return []
    problems = list[Problem]()
    for name in draft.options.outputs or ():
        if name in names.writes or name in draft.options.mutates or name in doubled:
            continue
        others = [writer.name for writer in writers[name] if writer is not draft]
        seen = f" (step {others[0]} does)" if others else ""
        message = f"--out {name}: the body cannot assign {name}{seen}"
        hint = _corrected(draft, outputs=names.assigned) if names.assigned else f"assign {name} in the body"
        problems.append(Problem(draft.name, draft.cell.label, message, hint))
    return problems


def _undeclared(drafts: Mapping[str, Draft]) -> dict[str, Draft]:
    """Variables that a body assigns and its ``--out`` leaves out -> the first step that does."""
    found: dict[str, Draft] = {}
    for draft in drafts.values():
        for name in draft.names.writes - set(draft.outputs):
            found.setdefault(name, draft)
    return found


def _check_temporaries(draft: Draft, undeclared: Mapping[str, Draft], elsewhere: frozenset[str]) -> list[Problem]:
    """A read of what another step assigns but does not declare: it would be gone once that step is restored."""
    problems = list[Problem]()
    for name in sorted(draft.names.reads):
        owner = undeclared.get(name)
        if owner is None or owner is draft or name in elsewhere:
            continue
        message = f"the body reads {name}, which step {owner.name} ({owner.cell.label}) assigns but does not list"
        hint = _corrected(owner, outputs=(*owner.outputs, name))
        problems.append(Problem(draft.name, draft.cell.label, message, f"in {owner.cell.label}: {hint}"))
    return problems


def _check_changes(
    draft: Draft, shared: Contexts, sources: Mapping[str, str], drafts: Mapping[str, Draft]
) -> list[Problem]:
    """A context cell between producer and consumer changes the variable: no order of runs would be right."""
    problems = list[Problem]()
    for name, source in sources.items():
        for context in shared.all:
            between = drafts[source].index < context.index < draft.index
            if between and name in context.names.writes | context.names.mutated:
                message = f"{name}, which step {source} writes, is changed by {context.cell.label} in between"
                hint = f"make {context.cell.label} a step: %%step {source}_2 --in {name} --out {name}_2"
                problems.append(Problem(draft.name, draft.cell.label, message, hint))
    return problems


def _corrected(draft: Draft, **changes: tuple[str, ...]) -> str:
    """The magic line as it should be."""
    import dataclasses  # noqa: PLC0415 - only for a message

    return "%%step " + format_line(draft.name, dataclasses.replace(draft.options, **changes))  # type: ignore[arg-type]
