"""The cells of one notebook as the engine sees them: the saved document, overlaid by what the kernel executed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from nbsteps.core.cells import Context, Draft, understand
from nbsteps.core.model import Cell
from nbsteps.core.options import parse_line
from nbsteps.core.source import split_cell


@dataclass(frozen=True, slots=True)
class _Seen:
    """A cell as executed, ``at`` seconds since the epoch."""

    cell: Cell
    at: float


class NotebookCells:
    """Merges saved and executed cells: what was executed counts, until the document is saved with another text."""

    def __init__(self) -> None:
        self._saved: tuple[Cell, ...] = ()
        self._saved_at = 0.0
        self._executed: dict[str, _Seen] = {}
        self._merged: tuple[Cell, ...] = ()
        self._sources: frozenset[str] = frozenset()
        self._ids: dict[str, str] = {}
        self._stale = False

    def saved(self, cells: tuple[Cell, ...], at: float) -> None:
        """The document as last saved, ``at`` seconds since the epoch."""
        if cells != self._saved or at != self._saved_at:
            self._saved, self._saved_at, self._stale = cells, at, True

    def executed(self, cell: Cell, at: float) -> None:
        """The kernel executed this cell.

        A front end that tells no ids leaves it to the text which cell that is: by a step's name, or by its body and
        outputs under another name. Of a context cell that is edited both texts count until the document is saved.
        """
        key = cell.id or _step_name(cell.source) or cell.source
        before = self._executed.get(key)
        if not cell.id:
            self._replace(cell, key)
        self._executed[key] = _Seen(cell, at)
        if before is None or before.cell.source != cell.source or before.at < self._saved_at:
            known = self._ids.get(cell.id) == cell.source if cell.id else cell.source in self._sources
            self._stale = self._stale or not known

    def _replace(self, cell: Cell, key: str) -> None:
        """Make room for another version of a cell without id, or for one that has been changed and changed back."""
        content = _content(cell)
        if content is None:
            others = [seen.cell for each, seen in self._executed.items() if each != key and not seen.cell.id]
            if key in self._executed and any(not _made(cell).isdisjoint(_made(other)) for other in others):
                del self._executed[key]
                self._stale = True
            return
        for other, seen in self._executed.items():
            if other != key and not seen.cell.id and _content(seen.cell) == content:
                self._executed = {key if each == other else each: found for each, found in self._executed.items()}
                self._stale = True
                return

    def merged(self) -> tuple[Cell, ...]:
        """All code cells in document order; those that the document does not have come last.

        The same object as long as nothing changed.
        """
        if self._stale:
            self._stale = False
            found = tuple(self._merge())
            if found != self._merged:
                self._merged = found
                self._sources = frozenset(cell.source for cell in found)
                self._ids = {cell.id: cell.source for cell in found if cell.id}
        return self._merged

    def _merge(self) -> Iterable[Cell]:
        if not self._executed:
            yield from self._saved
            return
        by_id = {seen.cell.id: seen for seen in self._executed.values() if seen.cell.id}
        anonymous = [seen for seen in self._executed.values() if not seen.cell.id]
        by_step = {name: seen for seen in anonymous if (name := _step_name(seen.cell.source))}
        kept = {_step_name(cell.source) for cell in self._saved}
        by_content = {_content(seen.cell): seen for name, seen in by_step.items() if name not in kept}
        by_content.pop(None, None)
        saved_ids = {cell.id for cell in self._saved if cell.id}
        sources, names = set[str](), set[str]()
        for cell in self._saved:
            newer = by_id.get(cell.id) or by_step.get(_step_name(cell.source))
            if newer is None and by_content:
                newer = by_content.get(_content(cell))
            older = newer is None or newer.at < self._saved_at
            current = cell if newer is None or older else replace(cell, source=newer.cell.source)
            sources.add(current.source)
            names.add(_step_name(current.source) or current.source)
            yield current
        for seen in self._executed.values():
            cell = seen.cell
            known = cell.id in saved_ids or cell.source in sources or (not cell.id and _step_name(cell.source) in names)
            if not known and not (self._saved and self._saved_at > seen.at and self._gone(cell)):
                yield cell

    def _gone(self, cell: Cell) -> bool:
        """Whether a cell that the document does not have, though saved since, is none: a console's cells may stay."""
        if cell.id or _step_name(cell.source):
            return True
        made = _made(cell)
        return bool(made) and any(made <= _made(other) for other in self._saved)


def _step_name(source: str) -> str:
    """Name of the step that a cell holds, ``""`` for a context cell."""
    split = split_cell(source)
    return "" if split is None else parse_line(split.line).name


def _content(cell: Cell) -> tuple[str, tuple[str, ...]] | None:
    """What tells a step from others but its name: body, outputs; None for a context cell, and where twins are fine."""
    understood, _problems = understand(cell, 0)
    if not isinstance(understood, Draft) or understood.options.branch:
        return None
    outputs = understood.firm + understood.maybe
    return (understood.body.strip(), outputs) if outputs else None


def _made(cell: Cell) -> frozenset[str]:
    """The names that a context cell assigns; none for a step, and for one that also changes what it does not assign."""
    understood, _problems = understand(cell, 0)
    if not isinstance(understood, Context) or understood.shapes - understood.names.writes:
        return frozenset()
    return understood.names.writes
