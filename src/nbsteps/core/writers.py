"""Which step writes which variable: outputs settled over the whole notebook, writers of a name in order.

An output is declared, or inferred where the body surely assigns it. What a body assigns on some paths only is an output
if another cell would see it, and then the step may end without it; otherwise it is a temporary like any other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from nbsteps.core.cells import Context, Draft
from nbsteps.core.contexts import Helpers


class Writers:
    """The writers of every variable.

    Attributes:
        names: every variable that a step writes.
        optional: step to those of its outputs that it may end without; steps without any are left out.
        by_name: variable to the drafts that write it: first who makes it, then those that declare to mutate it, in
            document order.
    """

    def __init__(self, drafts: Mapping[str, Draft], contexts: Sequence[Context], helpers: Helpers) -> None:
        self.by_name: dict[str, list[Draft]] = {}
        self.optional: dict[str, tuple[str, ...]] = {}
        for draft in drafts.values():
            for name in draft.firm:
                self.by_name.setdefault(name, []).append(draft)
        unsure = [draft for draft in drafts.values() if draft.maybe]
        if unsure:
            self._settle(unsure, drafts, contexts, helpers)
        for name, found in self.by_name.items():
            if len(found) > 1:
                found.sort(key=partial(_rank, name))
        self.names = frozenset(self.by_name)

    def outputs(self, draft: Draft) -> tuple[str, ...]:
        """Everything that the step writes."""
        optional = self.optional.get(draft.name)
        return draft.firm if optional is None else (*draft.firm, *optional)

    def source(self, name: str, draft: Draft) -> Draft | None:
        """Whose value of ``name`` a step reads: the last other writer above it, else the first one below it.

        Of a branch group it is the first member that writes the name: :meth:`candidates` has the others. Members read
        nothing of each other, since only one of them runs.
        """
        writers = self.by_name.get(name, ())
        if len(writers) == 1:
            return None if writers[0] is draft or _is_sibling(writers[0], draft) else writers[0]
        found = self._nearest(name, draft, writers)
        return found if found is None or not found.options.branch else self.candidates(name, found)[0]

    def candidates(self, name: str, writer: Draft) -> tuple[Draft, ...]:
        """The steps of which one makes what ``writer`` makes: the members of its group that write the name."""
        if not writer.options.branch:
            return (writer,)
        return tuple(other for other in self.by_name[name] if other is writer or _is_sibling(other, writer))

    def _nearest(self, name: str, draft: Draft, writers: Sequence[Draft]) -> Draft | None:
        others = [writer for writer in writers if writer is not draft and not _is_sibling(writer, draft)]
        above = [writer for writer in others if writer.index < draft.index]
        if above:
            return above[-1]
        if others and draft in writers and name not in draft.options.mutates:
            return None
        return others[0] if others else None

    def doubled(self) -> dict[str, tuple[Draft, ...]]:
        """Variables that several steps make: each with those steps."""
        found: dict[str, tuple[Draft, ...]] = {}
        for name, writers in self.by_name.items():
            if len(writers) > 1:
                made = [w for w in writers if name not in w.options.mutates and name not in w.unable]
                # Members of one branch group may: they count as their first.
                makers = tuple(w for at, w in enumerate(made) if not any(_is_sibling(w, other) for other in made[:at]))
                if len(makers) > 1:
                    found[name] = makers
        return found

    def _settle(
        self,
        unsure: Iterable[Draft],
        drafts: Mapping[str, Draft],
        contexts: Sequence[Context],
        helpers: Helpers,
    ) -> None:
        names = frozenset(name for draft in unsure for name in draft.maybe)
        readers = _readers(names, drafts, contexts, helpers)
        made = self._made(names, contexts)
        kept: dict[str, tuple[str, ...]] = {}
        for draft in unsure:
            seen = tuple(name for name in draft.maybe if _is_seen(draft, readers.get(name, ()), made.get(name, ())))
            if seen:
                kept[draft.name] = seen
        for step, outputs in kept.items():
            self.optional[step] = outputs
            for name in outputs:
                self.by_name.setdefault(name, []).append(drafts[step])

    def _made(self, names: frozenset[str], contexts: Iterable[Context]) -> dict[str, list[int]]:
        """Where each of the names is surely assigned."""
        made = {name: [draft.index for draft in self.by_name.get(name, ())] for name in names}
        for context in contexts:
            for name in context.names.definite & names:
                made[name].append(context.index)
        return {name: sorted(found) for name, found in made.items() if found}


def _is_sibling(one: Draft, other: Draft) -> bool:
    """Whether both are members of one branch group."""
    return bool(one.options.branch) and one.options.branch == other.options.branch


def _rank(name: str, draft: Draft) -> tuple[bool, int]:
    """Who makes a variable comes before those that mutate it."""
    return name in draft.options.mutates, draft.index


def _readers(
    names: frozenset[str], drafts: Mapping[str, Draft], contexts: Iterable[Context], helpers: Helpers
) -> dict[str, list[int]]:
    """Where each of the names is read."""
    found: dict[str, list[int]] = {}
    for draft in drafts.values():
        for name in names & draft.reads.union(helpers.through(draft.reads)):
            found.setdefault(name, []).append(draft.index)
    for context in contexts:
        own = context.names.unsure & context.names.writes
        for name in (names & (context.needs | helpers.through(context.needs).keys())) - own:
            found.setdefault(name, []).append(context.index)
    return found


def _is_seen(draft: Draft, readers: Sequence[int], made: Sequence[int]) -> bool:
    """Whether what the draft may assign would be seen by a reader: nothing surely assigns it again in between."""
    for reader in readers:
        if reader < draft.index and not made:
            return True
        if reader > draft.index:
            following = bisect_right(made, draft.index)
            if following == len(made) or made[following] >= reader:
                return True
    return False
