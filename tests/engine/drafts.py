"""A notebook that is edited in every way: bodies, helpers, constants, context, files, items, options."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

STEPS = 5
FILES = ("rate", "shift")
MANNERS = ("in place", "replaced", "with its old time")


@dataclass
class Draft:
    """What the notebook of five steps says now, and the two files that it reads.

    Each list has an entry for a step: its constant, whether it asks the helper, whether it fails, and so on. A mapped
    step that fails does so for its odd items only.
    """

    folder: Path
    constants: Sequence[int] = ()
    parents: Sequence[set[int]] = ()
    helped: list[bool] = field(default_factory=lambda: [False] * STEPS)
    failing: list[bool] = field(default_factory=lambda: [False] * STEPS)
    mapped: list[bool] = field(default_factory=lambda: [False] * STEPS)
    monthly: list[bool] = field(default_factory=lambda: [False] * STEPS)
    reads: list[str] = field(default_factory=lambda: [""] * STEPS)
    options: list[str] = field(default_factory=lambda: [""] * STEPS)
    comments: list[str] = field(default_factory=lambda: [""] * STEPS)
    items: Sequence[int] = (1, 2)
    factor: int = 1
    offset: int = 0
    limited: bool = False

    def __post_init__(self) -> None:
        for name in FILES:
            (self.folder / name).write_text("0", encoding="ascii")

    def context(self) -> list[str]:
        """The cells that whoever edits them executes again."""
        return [
            f"FACTOR = {self.factor}",
            f"def shift(x):\n    return x + {self.offset}",
            "def scale(x):\n    return shift(x) * FACTOR",
            "def number(x):\n    return sum(x) if isinstance(x, list) else x",
            f"FOLDER = {str(self.folder)!r}",
            "def told(name):\n    with open(FOLDER + '/' + name) as file:\n        return int(file.read())",
            f"items = {list(self.items)}",
        ]

    def sources(self) -> list[str]:
        bodies = [self._step(number) for number in range(STEPS)]
        return ["# parameters\nmonth = 1", *self.context(), bodies[0], "limit = number(v0) * 2", *bodies[1:]]

    def _step(self, number: int) -> str:
        terms = [str(self.constants[number]), *(f"number(v{parent})" for parent in sorted(self.parents[number]))]
        terms += [f"told({self.reads[number]!r})"] if self.reads[number] else []
        terms += ["month"] if self.monthly[number] else []
        value = " + ".join(terms)
        value = f"scale({value})" if self.helped[number] else value
        value += " + limit" if self.limited and number == STEPS - 1 else ""
        value += " + item" if self.mapped[number] else ""
        words = ["--map item=items"] if self.mapped[number] else []
        words += [self.options[number]] if self.options[number] else []
        # What follows a certain error is assigned by no one, as far as the analysis of names goes.
        wrong = "item % 2" if self.mapped[number] else "len('x')"
        failing = f"if {wrong}:\n    raise ValueError('told to')\n" if self.failing[number] else ""
        return f"%%step s{number} {' '.join(words)}\n{self.comments[number]}\n{failing}v{number} = {value}"

    def least(self, number: int) -> int:
        """How often the body of a step runs again that was just run: as often as it failed."""
        if not self.failing[number]:
            return 0
        return sum(item % 2 for item in self.items) if self.mapped[number] else 1

    def content(self, name: str) -> int:
        """What a file says."""
        return int((self.folder / name).read_text(encoding="ascii"))

    def write(self, name: str, value: int, manner: str) -> None:
        """Have a file say a digit: as many bytes as before, written in one of the ways in which files change."""
        path = self.folder / name
        before = path.stat()
        while path.stat().st_ctime_ns == before.st_ctime_ns:  # within one tick of the file system's clock
            fresh = path.with_name("fresh") if manner == "replaced" else path
            fresh.write_text(str(value % 10), encoding="ascii")
            if manner == "with its old time":
                os.utime(fresh, ns=(before.st_atime_ns, before.st_mtime_ns))
            fresh.replace(path)
