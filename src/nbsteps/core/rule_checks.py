"""What is wrong or doubtful about conditions, branches, catches, maps and pools among the steps of a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from nbsteps.core.cells import Draft
from nbsteps.core.checks import Checks, closest, some
from nbsteps.core.conditions import is_default, read_condition
from nbsteps.core.errors import Problem
from nbsteps.core.model import StepOptions
from nbsteps.core.placeholders import placeholders
from nbsteps.core.policies import Trigger
from nbsteps.core.writers import Writers

_NEED_SUCCESS = frozenset({Trigger.ALL_SUCCESS, Trigger.NONE_FAILED, Trigger.NONE_FAILED_MIN_ONE_SUCCESS})


class Ruled(NamedTuple):
    """A step with options that refer to others: whose outputs it reads, for its body or for its decision."""

    draft: Draft
    sources: Mapping[str, str]
    consults: Mapping[str, str]
    parents: tuple[str, ...]


class RuleChecks:
    """The checks over one notebook; only steps that use such options are asked about."""

    def __init__(
        self,
        drafts: Mapping[str, Draft],
        special: Mapping[str, Draft],
        writers: Writers,
        checks: Checks,
        groups: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._drafts = drafts
        self._special = special
        self._writers = writers
        self._checks = checks
        self._groups = groups

    def notebook(self) -> Iterator[Problem]:
        """What concerns several steps at once."""
        for group, members in self._groups.items():
            yield from self._order(group, members)
        pools: dict[str, Draft] = {}
        for draft in self._special.values():
            pool = draft.options.pool
            if pool is not None:
                first = pools.setdefault(pool.name, draft)
                if first.options.pool is not None and first.options.pool.slots != pool.slots:
                    message = f"--pool {pool.name} has {pool.slots} slots here and {first.options.pool.slots} in"
                    message += f" step {first.name} ({first.cell.label})"
                    yield Problem(draft.name, draft.cell.label, message, draft.line(pool=first.options.pool))

    def step(self, ruled: Ruled) -> Iterator[Problem]:
        """What is wrong with one step."""
        yield from self._steps(ruled.draft)
        yield from self._names(ruled)
        yield from self._hidden(ruled)
        yield from self._hopeless(ruled)

    def _order(self, group: str, members: tuple[str, ...]) -> Iterator[Problem]:
        """The member that takes what no other takes is the last, and there is one of it."""
        for at, name in enumerate(members):
            draft = self._drafts[name]
            written = self._sibling_reads(draft)
            for variable, other in written.items():
                message = (
                    f"the body reads {variable}, which step {other.name} ({other.cell.label}) writes, a member of the "
                    f"same branch {group}: only one of them runs"
                )
                yield Problem(name, draft.cell.label, message, "make the variable in a step outside the branch")
            if is_default(draft.options) and at < len(members) - 1:
                later = self._drafts[members[at + 1]]
                said = "--when else" if draft.options.when else "no --when"
                message = f"branch {group}: {said}, so step {later.name} ({later.cell.label}) below never gets its turn"
                hint = "add --when EXPR here, or move this cell below the other members"
                yield Problem(name, draft.cell.label, message, hint)

    def _sibling_reads(self, draft: Draft) -> dict[str, Draft]:
        """Variables that the body reads and only other members of its group write."""
        found: dict[str, Draft] = {}
        for name in sorted(draft.reads & self._writers.names):
            others = [writer for writer in self._writers.by_name[name] if writer is not draft]
            if others and all(writer.options.branch == draft.options.branch for writer in others):
                found[name] = others[0]
        return found

    def _steps(self, draft: Draft) -> Iterator[Problem]:
        """``--when`` or ``--catch`` names a step that is not there; itself is a problem of the line alone."""
        asked = dict.fromkeys(read_condition(draft.options.when).steps, "--when")
        if draft.options.catch:
            asked[draft.options.catch] = "--catch"
        for name, flag in asked.items():
            if name in self._drafts:
                continue
            steps = [other for other in self._drafts if other != draft.name]
            close = closest(name, steps)
            seen = f"did you mean {close}?" if close else f"known steps: {some(steps)}"
            hint = draft.line(catch=close) if flag == "--catch" else f"name a step of this notebook: {close or 'STEP'}"
            yield Problem(draft.name, draft.cell.label, f"{flag} {name}: there is no step of that name; {seen}", hint)

    def _names(self, ruled: Ruled) -> Iterator[Problem]:
        """Options read what no other cell writes."""
        draft = ruled.draft
        read = {name: f"--map {self._item(draft, name)}={name}" for name in draft.terms.items}
        for flag, names in _consulted(draft.options):
            read |= {name: f"{flag} reads {name}" for name in sorted(names & draft.terms.consults) if name not in read}
        for name, shown in read.items():
            if name in ruled.sources or name in ruled.consults:
                continue
            if name in self._writers.outputs(draft):
                message = f"{shown}: only the step itself writes {name}, after that"
                yield Problem(draft.name, draft.cell.label, message, "let another cell make the variable")
            elif self._checks.unknown(name):
                meant = self._checks.meant(name, draft)
                hint = f"write {meant} instead of {name}" if meant else f"assign {name} in a cell"
                yield self._checks.nowhere(shown, name, draft, meant, hint)

    @staticmethod
    def _item(draft: Draft, items: str) -> str:
        return next(source.item for source in draft.options.map if source.items == items)

    def _hidden(self, ruled: Ruled) -> Iterator[Problem]:
        """A loop variable or a field has the name of a variable that another step writes."""
        draft = ruled.draft
        kinds = {source.item: "the loop variable of --map" for source in draft.options.map}
        kinds |= {field.name: "a field of --ask" for field in draft.options.ask}
        # Being listed too is a problem of the line alone.
        listed = {*(draft.options.inputs or ()), *(draft.options.outputs or ()), *draft.options.mutates}
        for name, kind in kinds.items():
            writer = next((other for other in self._writers.by_name.get(name, ()) if other is not draft), None)
            if writer is not None and name not in listed:
                message = f"{name} is {kind}, and step {writer.name} ({writer.cell.label}) writes a variable {name}"
                hint = f"give it another name here, such as {name}_{'asked' if 'ask' in kind else 'item'}"
                yield Problem(draft.name, draft.cell.label, message, hint)

    def _hopeless(self, ruled: Ruled) -> Iterator[Problem]:
        """What the trigger rule keeps from ever running: it asks for a failure of what must succeed."""
        draft, options = ruled.draft, ruled.draft.options
        if options.trigger not in _NEED_SUCCESS:
            return
        asked = {step: f"--when failed({step!r})" for question, step in read_condition(options.when).questions
                 if question == "failed"}  # fmt: skip
        if options.catch:
            asked[options.catch] = f"--catch {options.catch}"
        for step, shown in asked.items():
            if step in ruled.parents:
                message = f"{shown}: the step needs {step} to succeed, so it never runs when {step} failed"
                line = draft.line(trigger=Trigger.ALL_DONE)
                yield Problem(draft.name, draft.cell.label, message, line, severity="warning")


def _consulted(options: StepOptions) -> Iterator[tuple[str, frozenset[str]]]:
    """Options that read variables, each with those."""
    if options.when:
        yield "--when", read_condition(options.when).names
    if options.map_key:
        yield "--map-key", read_condition(options.map_key).names
    if options.approve:
        yield "--approve", frozenset(placeholders(options.approve).names)
