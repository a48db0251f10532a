"""What a step reaches through context cells: helpers, the cells that shape what it reads, the variables behind them.

Everything is asked for once a step, in document order, so sets of cells and of names are bits of one integer: a step
costs a few operations however many cells there are.
"""

from __future__ import annotations

import builtins
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from types import MappingProxyType
from typing import NamedTuple

from nbsteps.core.cells import ANY, Context, Draft

BUILTINS = frozenset(dir(builtins)) | {"display", "get_ipython", "__file__", "__name__"}
_NONE: Mapping[str, str] = MappingProxyType({})
_NO_NAMES: frozenset[str] = frozenset()


class Reach(NamedTuple):
    """What one step reaches.

    Attributes:
        through: name that a helper reads when the step calls it -> the helper.
        cells: the context cells that shape any of the names, as bits by position among the context cells.
        behind: variables of steps that those cells read.
    """

    through: Mapping[str, str] = _NONE
    cells: int = 0
    behind: tuple[str, ...] = ()


NOWHERE = Reach()


class _Made(NamedTuple):
    """How a name came to its value: cells, and names (as bits) that are to be looked up when a step asks."""

    cells: int
    later: int


class Helpers:
    """What functions, classes and lambdas of context cells, and those that steps pass on, read when called.

    Other names may lead to a function (``top = partial(f, 1)``); what else went into their value was read at once.
    """

    def __init__(self, contexts: Iterable[Context], drafts: Iterable[Draft]) -> None:
        self._reads: dict[str, frozenset[str]] = {}
        self._leads: dict[str, frozenset[str]] = {}
        self._closures: dict[frozenset[str], Mapping[str, str]] = {}
        for context in contexts:
            for name, reads in context.names.deferred.items():
                _add(name, reads, self._reads if name in context.names.defs else self._leads)
        for draft in drafts:
            if draft.names.deferred:
                self._pass_on(draft)
        self._names = frozenset((*self._reads, *self._leads))

    def _pass_on(self, draft: Draft) -> None:
        """Note the outputs of a step that are functions or lead to functions of its own."""
        names = draft.names
        for output in names.deferred.keys() & draft.firm:
            waiting, seen = [output], {output}
            while waiting:
                name = waiting.pop()
                reads = names.deferred[name]
                _add(output, reads, self._reads if name in names.defs else self._leads)
                fresh = (reads & names.deferred.keys()) - seen
                seen |= fresh
                waiting += fresh

    def through(self, names: frozenset[str]) -> Mapping[str, str]:
        """Names that the helpers among ``names`` read in turn, each with the helper that leads to it."""
        roots = names & self._names
        if not roots:
            return _NONE
        found = self._closures.get(roots)
        if found is None:
            found = self._closures[roots] = self._closure(roots)
        return found

    def _closure(self, roots: frozenset[str]) -> Mapping[str, str]:
        found: dict[str, str] = {}
        waiting = [(name, name) for name in sorted(roots)]
        seen = set(roots)
        while waiting:
            helper, root = waiting.pop()
            reads = self._reads.get(helper, _NO_NAMES)
            for name in reads:
                found.setdefault(name, root)
            for name in (reads | self._leads.get(helper, _NO_NAMES)) & self._names:
                if name not in seen:
                    seen.add(name)
                    waiting.append((name, root))
        return MappingProxyType(found)


def _add(name: str, reads: frozenset[str], known: dict[str, frozenset[str]]) -> None:
    known[name] = known.get(name, _NO_NAMES) | reads


class Surroundings:
    """Which context cells a step needs executed before it.

    A cell is asked what the names that it needs were when it was reached in document order; only what has been shaped
    nowhere above is looked for below.
    """

    def __init__(self, contexts: Sequence[Context], helpers: Helpers, written: frozenset[str]) -> None:
        self._contexts = contexts
        self._helpers = helpers
        self._written = written
        self._indexes = [context.index for context in contexts]
        self._shapers: dict[str, list[int]] = {}
        for position, context in enumerate(contexts):
            for name in context.shapes:
                self._shapers.setdefault(name, []).append(position)
        self.shaped = frozenset(self._shapers) - {ANY}
        self.hiding = ANY in self._shapers
        self._seen = self.shaped - written
        self._made: dict[str, _Made] = {}
        self._taken = 0
        self._ids: dict[str, int] = {}
        self._names: list[str] = []
        self._spelled: dict[int, tuple[str, ...]] = {}
        self._cells: dict[int, tuple[Context, ...]] = {0: ()}

    def reach(self, reads: frozenset[str], index: int) -> Reach:
        """What a step at ``index`` that reads these names reaches. Ask in document order."""
        through = self._helpers.through(reads)
        if not self._shapers:
            return Reach(through) if through else NOWHERE
        while self._taken < len(self._contexts) and self._indexes[self._taken] < index:
            self._take(self._taken)
        wanted = self._wanted(reads.union(through) if through else reads)
        if not wanted:
            return Reach(through) if through else NOWHERE
        return Reach(through, *self._resolve(wanted))

    def contexts(self, cells: int) -> tuple[Context, ...]:
        """The cells whose bits are set, in document order."""
        found = self._cells.get(cells)
        if found is None:
            found = self._cells[cells] = tuple(compress(self._contexts, map(int, reversed(f"{cells:b}"))))
        return found

    def _wanted(self, names: frozenset[str]) -> frozenset[str]:
        """Those of the names that context cells shape; what nobody is seen to make may come from where names hide."""
        wanted = names & self._seen
        if self.hiding and names - self.shaped - self._written - BUILTINS:
            wanted |= {ANY}
        return wanted

    def _take(self, position: int) -> None:
        """Pass one context cell: it builds on what is above it."""
        self._taken = position + 1
        context = self._contexts[position]
        cells, later = 1 << position, 0
        needs = self._all_needs(context)
        for name in self._wanted(needs):
            made = self._made.get(name)
            if made is None:
                later |= self._bit(name)
            else:
                cells |= made.cells
                later |= made.later
        for name in needs & self._written:
            later |= self._bit(name)
        made = _Made(cells, later)
        for name in context.shapes:
            before = None if name in context.names.definite else self._made.get(name)
            self._made[name] = made if before is None else _Made(before.cells | cells, before.later | later)

    def _all_needs(self, context: Context) -> frozenset[str]:
        """Names that the cell needs, through the helpers that it calls too."""
        return context.needs.union(self._helpers.through(context.needs))

    def _resolve(self, wanted: Iterable[str]) -> tuple[int, tuple[str, ...]]:
        """The cells that make these names, and the step variables that those cells read."""
        cells, later = 0, 0
        behind: dict[str, None] = {}
        waiting, seen = list(wanted), set(wanted)
        while waiting:
            made = self._made.get(waiting[-1]) or self._below(waiting[-1])
            waiting.pop()
            cells |= made.cells
            if made.later & ~later:
                later |= made.later
                for name in self._spell(made.later):
                    if name in self._written:
                        behind[name] = None
                    elif name not in seen:
                        seen.add(name)
                        waiting.append(name)
        return cells, tuple(sorted(behind)) if behind else ()

    def _below(self, name: str) -> _Made:
        """What makes a name that no cell above shapes: the cells below that do, with what they need.

        A cell below that only may hide it and needs a step's result is none: it looks back on what was made.
        """
        cells, later = 0, 0
        for position in self._shapers.get(name, ()):
            needs = self._all_needs(self._contexts[position])
            if name == ANY and needs & self._written:
                continue
            cells |= 1 << position
            for other in (self._wanted(needs) | (needs & self._written)) - {name}:
                later |= self._bit(other)
        return _Made(cells, later)

    def _bit(self, name: str) -> int:
        number = self._ids.get(name)
        if number is None:
            number = self._ids[name] = len(self._names)
            self._names.append(name)
        return 1 << number

    def _spell(self, later: int) -> tuple[str, ...]:
        found = self._spelled.get(later)
        if found is None:
            found = self._spelled[later] = tuple(compress(self._names, map(int, reversed(f"{later:b}"))))
        return found


class Needs(Mapping[str, tuple[Context, ...]]):
    """Step to the context cells that it needs, spelled out when asked for."""

    def __init__(self, surroundings: Surroundings, cells: Mapping[str, int]) -> None:
        self._surroundings = surroundings
        self._cells = cells

    def __getitem__(self, step: str) -> tuple[Context, ...]:
        return self._surroundings.contexts(self._cells[step])

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)


class Changes:
    """Where context cells give a new value to a name."""

    def __init__(self, contexts: Iterable[Context]) -> None:
        self._changes: dict[str, list[Context]] = {}
        for context in contexts:
            for name in context.names.writes | context.names.mutated:
                self._changes.setdefault(name, []).append(context)
        self.names = frozenset(self._changes)

    def between(self, name: str, start: int, end: int) -> Context | None:
        """The first context cell after ``start`` and before ``end`` that changes ``name``."""
        found = self._changes[name]
        at = bisect_right(found, start, key=lambda context: context.index)
        return found[at] if at < len(found) and found[at].index < end else None

    def of(self, name: str) -> Context | None:
        """The first context cell that changes ``name``."""
        found = self._changes.get(name)
        return None if found is None else found[0]
