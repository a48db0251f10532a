"""A probe: one notebook, one change, and what a cache has to make of it. Pure data, to ask other tools with, too."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

NOTHING: Mapping[str, str] = {}
Expect = Literal["rerun", "restore", "error"]
Level = Literal["shell", "process", "kernel"]


@dataclass(frozen=True)
class StepCell:
    """A cell whose result is to be cached.

    Attributes:
        name: of the step.
        body: its code.
        reads: the variables of other steps that it reads.
        writes: the variables that it makes.
        options: further words of the magic line.
    """

    name: str
    body: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ("result",)
    options: str = ""

    @property
    def source(self) -> str:
        """The cell as nbsteps reads it."""
        return f"%%step {self.name} {self.options}".rstrip() + f"\n{self.body}"


Cell = str | StepCell


@dataclass(frozen=True)
class Probe:
    """One case.

    Version A is executed top to bottom on an empty store. Then something changes, and version B is executed: in a new
    process, or with ``live`` in the same one. ``expect`` says what must become of ``step`` then; whichever it is, B's
    result must be what B gives on an empty store.

    Attributes:
        name: short and unique; starts with the family.
        cells: version A. Plain texts are cells without a cache.
        edits: text -> text in the one cell that holds it, to make version B.
        again: the cells of version B where edits cannot say it; with ``live``, what is executed next.
        files: text files beside the notebook, made before A; names may hold folders.
        changed: the same before B; None removes a file.
        before: Python code that the harness executes in the notebook's folder before A, for files that are no text.
        change: the same before B.
        environment: variables of A's process.
        changed_environment: of B's, in place of ``environment``.
        parameters: what the first cell, tagged ``parameters``, is overridden with in B.
        notebook: where the notebook lies in the project, in A.
        moved: where it lies in B; ``..`` at its start moves the project's folder.
        step: the step that is asked about.
        changed_step: its name in B, if another.
        live: B goes on in the process that executed A.
        level: ``process`` where a new shell in one process would not show it, ``kernel`` where only a kernel does.
        sampled: also executed by real kernels.
        differs: whether B's result must differ from A's, which shows that a rerun is needed.
        excused: why a rerun is right although a restore would do; for false misses that are meant.
        uncacheable: why even an unchanged notebook executes the step again.
        note: what somebody who translates the probe should know.
    """

    name: str
    expect: Expect
    cells: tuple[Cell, ...]
    edits: Mapping[str, str] = field(default_factory=dict)
    again: tuple[Cell, ...] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, str | None] = field(default_factory=dict)
    before: str = ""
    change: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    changed_environment: Mapping[str, str] | None = None
    notebook: str = "analysis.ipynb"
    moved: str = ""
    step: str = "work"
    changed_step: str = ""
    live: bool = False
    level: Level = "shell"
    sampled: bool = False
    differs: bool = True
    excused: str = ""
    uncacheable: str = ""
    note: str = ""

    @property
    def family(self) -> str:
        """The first part of the name."""
        return self.name.partition("/")[0]

    @property
    def changed_cells(self) -> tuple[Cell, ...]:
        """Version B."""
        cells = self.cells if self.again is None else self.again
        for old, new in self.edits.items():
            cells = _edited(cells, old, new, self.name)
        return cells

    def step_of(self, version: str) -> str:
        """Name of the step that is asked about."""
        return self.step if version == "A" else self.changed_step or self.step

    def environment_of(self, version: str) -> Mapping[str, str]:
        """The variables of a version's process."""
        changed = self.changed_environment
        return self.environment if version == "A" or changed is None else changed


def _edited(cells: tuple[Cell, ...], old: str, new: str, name: str) -> tuple[Cell, ...]:
    found = [at for at, cell in enumerate(cells) if old in source_of(cell)]
    assert len(found) == 1, f"{name}: {old!r} is in {len(found)} cells"
    return tuple(_replaced(cell, old, new) if at == found[0] else cell for at, cell in enumerate(cells))


def _replaced(cell: Cell, old: str, new: str) -> Cell:
    if isinstance(cell, str):
        return cell.replace(old, new)
    change = {"name": cell.name, "body": cell.body, "options": cell.options}
    edited = {key: text.replace(old, new) for key, text in change.items()}
    return StepCell(reads=cell.reads, writes=cell.writes, **edited)


def source_of(cell: Cell) -> str:
    """A cell's text as nbsteps reads it."""
    return cell if isinstance(cell, str) else cell.source


def text(code: str) -> str:
    """Code as written between triple quotes."""
    return textwrap.dedent(code).strip("\n")


def work(body: str, reads: str = "", options: str = "") -> StepCell:
    """The step that a probe asks about; it makes ``result``."""
    return StepCell("work", text(body), tuple(reads.split()), options=options)


def step(name: str, body: str, reads: str = "", writes: str | None = None) -> StepCell:
    """Another step; it makes a variable of the same name unless ``writes`` says otherwise."""
    return StepCell(name, text(body), tuple(reads.split()), tuple((writes or name).split()))
