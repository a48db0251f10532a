"""What is wrong or doubtful about the steps of a notebook among each other, each with its mend."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from nbsteps.core.cells import Context, Draft
from nbsteps.core.contexts import BUILTINS, Changes, Reach, Surroundings
from nbsteps.core.errors import Problem, Severity
from nbsteps.core.writers import Writers

_SHOWN = 10


class Wired(NamedTuple):
    """A step with its connections: the names that its body reads, what it reaches, whose outputs it reads."""

    draft: Draft
    direct: frozenset[str]
    reach: Reach
    sources: Mapping[str, str]


class Checks:
    """All checks over one notebook. A step without anything special costs a few look-ups."""

    def __init__(  # noqa: PLR0913 - the parts of one notebook, all needed
        self,
        drafts: Mapping[str, Draft],
        contexts: Sequence[Context],
        writers: Writers,
        around: Surroundings,
        changes: Changes,
        known: Container[str],
    ) -> None:
        self._drafts = drafts
        self._contexts = contexts
        self._writers = writers
        self._around = around
        self._changes = changes
        self._known = known
        self._owners = self._temporaries()
        self._unlisted = frozenset(self._owners)

    def notebook(self) -> Iterator[Problem]:
        """What concerns several cells at once."""
        for name, makers in self._writers.doubled().items():
            for other in makers[1:]:
                yield from self._doubled(name, makers[0], other)
        for context in self._contexts if self._unlisted else ():
            yield from self._gone(context)

    def step(self, wired: Wired) -> Iterator[Problem]:
        """What is wrong with one step."""
        draft, direct, reach, sources = wired
        options = draft.options
        if options.inputs is not None:
            yield from self._inputs(wired)
        if options.mutates:
            yield from self._mutates(wired)
        if draft.unable:
            yield from self._unassigned(draft)
        if options.after:
            yield from self._after(draft)
        if draft.maybe or not direct.isdisjoint(draft.firm):
            yield from self._rewritten(wired)
        if not self._unlisted.isdisjoint(direct) or (reach.through and not self._unlisted.isdisjoint(reach.through)):
            yield from self._temporary(wired)
        if not self._changes.names.isdisjoint(sources):
            yield from self._changed(wired)

    def _temporaries(self) -> dict[str, Draft]:
        """Names that a step assigns, that it does not list and that no other cell makes -> the first such step."""
        found: dict[str, Draft] = {}
        for draft in self._drafts.values():
            writes = draft.names.writes
            if not writes.issubset(draft.firm):
                for name in writes - self._writers.names - self._around.shaped - BUILTINS:
                    found.setdefault(name, draft)
        return found

    def _doubled(self, name: str, first: Draft, other: Draft) -> Iterator[Problem]:
        message = (
            f"{name} is written by step {first.name} ({first.cell.label}) and by step {other.name} ({other.cell.label})"
        )
        if name in other.names.reads:
            line = other.line(mutates=(*other.options.mutates, name))
            yield Problem(other.name, other.cell.label, message, line)
            yield Problem(first.name, first.cell.label, message, f"in {other.cell.label}: {line}")
            return
        hint = f"give one of them another name, such as {name}_{other.name}"
        yield Problem(other.name, other.cell.label, message, hint)
        yield Problem(first.name, first.cell.label, message, hint)

    def _gone(self, context: Context) -> Iterator[Problem]:
        """A context cell reads what a step assigns and does not keep: there while the body runs, else not."""
        for name in sorted(self._unlisted & context.needs):
            owner = self._owners[name]
            if owner.index < context.index:
                message = (
                    f"{context.cell.label} reads {name}, which step {owner.name} ({owner.cell.label}) assigns but does "
                    "not list: it will be missing once the step is restored"
                )
                yield Problem(owner.name, context.cell.label, message, self._listed(name, owner), severity="warning")

    def _inputs(self, wired: Wired) -> Iterator[Problem]:
        """The body reads what ``--in`` leaves out; ``--in`` lists what nobody writes, or what the body never reads."""
        draft, _, reach, sources = wired
        declared = tuple(name for name in draft.options.inputs or () if name not in draft.terms.bound)
        meant = {name: self.meant(name, draft) for name in declared if self.unknown(name)}
        known = {*(draft.options.inputs or ()), *draft.options.mutates, *draft.terms.items, *meant.values()}
        left_out = tuple(name for name in sources if name not in known)
        for name in left_out:
            via = f" through helper {reach.through[name]}" if name in reach.through else ""
            message = f"the body reads {name}{via}, which step {sources[name]} writes, but --in leaves it out"
            yield Problem(draft.name, draft.cell.label, message, draft.line(inputs=(*declared, *left_out)))
        for name in declared:
            if name in meant:
                line = draft.line(inputs=without(declared, name, meant[name]))
                yield self.nowhere(f"--in {name}", name, draft, meant[name], line)
            elif name not in draft.options.mutates and not _mentions(wired, name):
                message, line = f"--in {name}: the body never reads it", draft.line(inputs=without(declared, name))
                yield Problem(draft.name, draft.cell.label, message, line, severity="warning")

    def _mutates(self, wired: Wired) -> Iterator[Problem]:
        """``--mutates`` lists what nobody writes, what no step writes, or what the body never touches."""
        draft = wired.draft
        mutates = tuple(name for name in draft.options.mutates if name not in draft.terms.bound)
        for name in mutates:
            if self._writers.source(name, draft) is not None:
                if not _mentions(wired, name) and name not in draft.names.writes:
                    message, line = f"--mutates {name}: the body never touches it", without(mutates, name)
                    yield Problem(draft.name, draft.cell.label, message, draft.line(mutates=line), severity="warning")
            elif name in self._around.shaped or name in self._known:
                context = self._changes.of(name)
                where = "the cell" if context is None else context.cell.label
                message = f"--mutates {name}: no other step writes {name}, so each run would build on the one before"
                hint = f"make {where}, which assigns {name}, a step, or work on a copy of it"
                yield Problem(draft.name, draft.cell.label, message, hint)
            elif name not in self._unlisted:
                meant = self.meant(name, draft)
                line = without(mutates, name, meant)
                yield self.nowhere(f"--mutates {name}", name, draft, meant, draft.line(mutates=line))

    def unknown(self, name: str) -> bool:
        """Whether nobody writes the name; a temporary of another step is a problem of its own."""
        return not (
            name in self._writers.names or name in self._around.shaped or name in self._unlisted or name in self._known
        )

    def meant(self, name: str, draft: Draft) -> str:
        """The variable whose name is nearest, ``""`` if none is near."""
        return closest(name, [*self._writers.names.difference(draft.firm, draft.maybe), *self._around.shaped])

    def nowhere(self, said: str, name: str, draft: Draft, meant: str, line: str) -> Problem:
        """A name that an option says and that no cell is seen to write."""
        message = f"{said}: no cell writes {name}"
        if meant:
            return Problem(draft.name, draft.cell.label, f"{message}; did you mean {meant}?", line)
        hidden = next((context for context in self._contexts if context.names.stars), None)
        if hidden is not None:
            module = hidden.names.stars[0]
            message += f", unless {hidden.cell.label} does with from {module} import *"
            hint = f"in {hidden.cell.label}: from {module} import {name}"
            return Problem(draft.name, draft.cell.label, message, hint, severity="warning")
        severity: Severity = "warning" if self._around.hiding else "error"
        return Problem(draft.name, draft.cell.label, message, line, severity=severity)

    def _unassigned(self, draft: Draft) -> Iterator[Problem]:
        """``--out`` lists what the body cannot assign."""
        names, declared = draft.names, draft.options.outputs or ()
        for name in draft.unable:
            writer = next((writer for writer in self._writers.by_name[name] if writer is not draft), None)
            seen = "" if writer is None else f" (step {writer.name} does)"
            message = f"--out {name}: the body cannot assign {name}{seen}"
            others = without(declared, name)
            if name in names.reads and writer is not None:
                line = draft.line(outputs=others or None, mutates=(*draft.options.mutates, name))
                yield Problem(draft.name, draft.cell.label, message, line)
                continue
            close = closest(name, names.writes.difference(declared))
            if close:
                message += f"; did you mean {close}?"
            fitting = without(declared, name, close) or names.assigned
            hint = draft.line(outputs=fitting) if fitting else f"assign {name} in the body"
            yield Problem(draft.name, draft.cell.label, message, hint)

    def _after(self, draft: Draft) -> Iterator[Problem]:
        """``--after`` names no step, or the step itself."""
        after = draft.options.after
        for name in after:
            if name in self._drafts and name != draft.name:
                continue
            message, close = f"--after {name}: that is this step itself", ""
            if name != draft.name:
                steps = [other for other in self._drafts if other != draft.name and other not in after]
                close = closest(name, steps)
                seen = f"did you mean {close}?" if close else f"known steps: {some(steps)}"
                message = f"--after {name}: there is no step of that name; {seen}"
            yield Problem(draft.name, draft.cell.label, message, draft.line(after=without(after, name, close)))

    def _rewritten(self, wired: Wired) -> Iterator[Problem]:
        """The body reads a variable that only it writes."""
        draft, direct = wired.draft, wired.direct & wired.draft.names.reads
        for name in self._writers.outputs(draft):
            alone = self._writers.by_name[name] == [draft] and name not in draft.options.mutates
            if alone and name in direct and name not in draft.unable:
                message = f"the body reads {name} before it writes it, so each run would build on the one before"
                hint = f"write the new value to another name, such as {name}_{draft.name}"
                yield Problem(draft.name, draft.cell.label, message, hint)
        yield from self._contested(draft)

    def _contested(self, draft: Draft) -> Iterator[Problem]:
        """A context cell assigns what the body assigns on some paths: which one is meant would depend on the run."""
        for name in self._writers.optional.get(draft.name, ()):
            context = self._changes.of(name)
            if context is not None and name not in draft.reads:
                message = f"{name} is assigned by {context.cell.label}, and by the body on some paths only"
                hint = f"assign {name} on every path, or give it another name here, such as {name}_{draft.name}"
                yield Problem(draft.name, draft.cell.label, message, hint)

    def _temporary(self, wired: Wired) -> Iterator[Problem]:
        """The body reads what another step assigns and does not list: it would be gone once that step is restored."""
        draft, direct, reach, _ = wired
        for name in sorted(self._unlisted & direct.union(reach.through)):
            owner = self._owners[name]
            if owner is not draft:
                via = f" through helper {reach.through[name]}" if name not in direct else ""
                where = f"{owner.name} ({owner.cell.label})"
                message = f"the body reads {name}{via}, which step {where} assigns but does not list"
                yield Problem(draft.name, draft.cell.label, message, self._listed(name, owner))

    def _listed(self, name: str, owner: Draft) -> str:
        """How another cell may read what ``owner`` assigns."""
        if name in owner.names.imports or name in owner.names.defs:
            what = "import" if name in owner.names.imports else "definition"
            return f"move the {what} of {name} from {owner.cell.label} to a cell without %%step"
        return f"in {owner.cell.label}: {owner.line(outputs=(*self._writers.outputs(owner), name))}"

    def _changed(self, wired: Wired) -> Iterator[Problem]:
        """A context cell between producer and consumer changes the variable: no order of runs would be right."""
        draft, _, _, sources = wired
        for name, source in sources.items():
            if name not in self._changes.names:
                continue
            context = self._changes.between(name, self._drafts[source].index, draft.index)
            if context is not None:
                message = f"{name}, which step {source} writes, is changed by {context.cell.label} in between"
                if name in context.needs:
                    step = next(f"{source}_{i}" for i in count(2) if f"{source}_{i}" not in self._drafts)
                    hint = f"at the top of {context.cell.label}: %%step {step} --mutates {name}"
                else:
                    hint = f"give it another name in {context.cell.label}, such as {name}_2"
                yield Problem(draft.name, draft.cell.label, message, hint)


def _mentions(wired: Wired, name: str) -> bool:
    """Whether the body may read the name, itself, through a helper or through a context cell."""
    draft, _, reach, _ = wired
    names = draft.names
    seen = name in names.reads or name in reach.through or name in reach.behind
    seen = seen or name in draft.terms.items or name in draft.terms.consults
    return seen or draft.opaque or names.dynamic or bool(names.stars)


def without(names: Iterable[str], name: str, instead: str = "") -> tuple[str, ...]:
    """``names`` with ``instead`` in the place of ``name``, or without it."""
    replaced = (instead if other == name else other for other in names)
    return tuple(dict.fromkeys(other for other in replaced if other))


def closest(name: str, names: Iterable[str]) -> str:
    """The name most like ``name``, ``""`` if none is like it."""
    import difflib  # noqa: PLC0415 - only for a message, and slow to load

    close = difflib.get_close_matches(name, sorted(names), n=1)
    return close[0] if close else ""


def some(names: Sequence[str]) -> str:
    """The names, the first of many, or that there are none."""
    shown = ", ".join(names[:_SHOWN])
    return f"{shown}, ..." if len(names) > _SHOWN else shown or "none yet"
