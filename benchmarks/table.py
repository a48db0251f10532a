"""One row a number: ours, a peer's or floor's from the same run, their ratio, the target and whether it was met."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HEAD = ("what", "ours", "beside", "ratio", "target", "met", "published")


@dataclass(frozen=True, slots=True)
class Row:
    """One number.

    Attributes:
        what: what was measured.
        ours: the value of nbsteps, in ``unit``.
        unit: ``s``, ``ms`` or ``GB/s``.
        beside: what it is compared with; ``""`` for nothing.
        theirs: its value from the same run, in the same unit.
        most: target: ``ours`` is at most this.
        most_ratio: target: ``ours / theirs`` is at most this.
        least_ratio: target: ``ours / theirs`` is at least this.
        fact: something that must hold as well, such as that nothing was loaded.
        published: the figure that the peer, or an earlier measurement of it, gives.
    """

    what: str
    ours: float
    unit: str
    beside: str = ""
    theirs: float | None = None
    most: float | None = None
    most_ratio: float | None = None
    least_ratio: float | None = None
    fact: tuple[str, bool] | None = None
    published: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours over theirs."""
        return self.ours / self.theirs if self.theirs else None

    @property
    def met(self) -> bool | None:
        """Whether every target is met; None where there is none."""
        ratio = self.ratio
        held = [] if self.fact is None else [self.fact[1]]
        if self.most is not None:
            held.append(self.ours <= self.most)
        if self.most_ratio is not None and ratio is not None:
            held.append(ratio <= self.most_ratio)
        if self.least_ratio is not None and ratio is not None:
            held.append(ratio >= self.least_ratio)
        return all(held) if held else None

    def cells(self) -> tuple[str, ...]:
        """The row as texts, in the order of :data:`HEAD`."""
        beside = self.beside if self.theirs is None else f"{self.beside} {quantity(self.theirs, self.unit)}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2g}" if self.ratio < 100 else f"{self.ratio:.0f}"
        met = {None: "", True: "yes", False: "NO"}[self.met]
        return (self.what, quantity(self.ours, self.unit), beside, ratio, self._target(), met, self.published)

    def _target(self) -> str:
        texts = []
        if self.most is not None:
            texts.append(f"<= {quantity(self.most, self.unit)}")
        if self.most_ratio is not None:
            texts.append(f"ratio <= {self.most_ratio:g}")
        if self.least_ratio is not None:
            texts.append(f"ratio >= {self.least_ratio:g}")
        if self.fact is not None:
            texts.append(self.fact[0])
        return ", ".join(texts)


def quantity(value: float, unit: str) -> str:
    """Three significant digits and the unit."""
    text = f"{value:.3g}"
    return f"{float(text):.0f} {unit}" if "e" in text else f"{text} {unit}"


def render(rows: Iterable[Row]) -> str:
    """The table in Markdown, its columns aligned for reading as plain text."""
    return "\n".join(_lines([HEAD, *(row.cells() for row in rows)]))


def _lines(cells: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for number, row in enumerate(cells):
        yield "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
        if number == 0:
            yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"
