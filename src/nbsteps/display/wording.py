"""Numbers, times and harmless text, as every view writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

_UNSAFE: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""What drives a terminal, turns the writing direction, or is no character in XML."""
_MINUTE: Final = 60
_HOUR: Final = 3600
_KILO: Final = 1000
_FEW: Final = 10


def duration(seconds: float) -> str:
    """Seconds as ``<1ms``, ``12ms``, ``0.1s``, ``42s``, ``1m 04s`` or ``2h 10m``; ``?`` for what is no number."""
    if not math.isfinite(seconds):
        return "?"
    seconds = max(seconds, 0.0)
    if seconds < _MINUTE - 0.5:
        return _below_a_minute(seconds)
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE:02d}s"
    minutes = round(seconds / _MINUTE)
    return f"{minutes // _MINUTE}h {minutes % _MINUTE:02d}m"


def _below_a_minute(seconds: float) -> str:
    if 0 < seconds < 0.0005:  # noqa: PLR2004 - rounds to nothing
        return "<1ms"
    if seconds < 0.0995:  # noqa: PLR2004 - from here on the text rounds to 0.1s
        return f"{round(seconds * 1000)}ms"
    return f"{seconds:.1f}s" if seconds < 9.95 else f"{round(seconds)}s"  # noqa: PLR2004 - a decimal says nothing then


def roughly(seconds: float) -> str:
    """Seconds that are only an estimate: ``a few seconds``, ``25s``, ``2 min``, ``1 h 20 min``; never negative."""
    if not _FEW <= seconds < math.inf:
        return "a few seconds"
    if seconds < _MINUTE - 5:
        return f"{-(-int(seconds) // 5) * 5}s"
    minutes = max(round(seconds / _MINUTE), 1) if seconds < _HOUR else round(seconds / _MINUTE / 5) * 5
    hours, rest = divmod(minutes, 60)
    parts = (f"{hours} h" if hours else "", f"{rest} min" if rest else "")
    return " ".join(filter(None, parts))


def size(amount: float) -> str:
    """Bytes as ``12 B``, ``1.2 kB``, ``330 MB``: decimal units, two or three digits."""
    if amount < _KILO:
        return f"{amount:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        amount /= _KILO
        if amount < 9.95:  # noqa: PLR2004 - from here on a decimal says nothing
            return f"{amount:.1f} {unit}"
        if amount < _KILO - 0.5:
            return f"{amount:.0f} {unit}"
    return f"{amount / _KILO:,.0f} PB"


def moment(at: float) -> str:
    """Seconds since the epoch as local time, ``2026-01-01 10:00``; ``an unknown time`` where there is none."""
    try:
        return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")
    except (OSError, OverflowError, ValueError):
        return "an unknown time"


def count(number: int, noun: str) -> str:
    """``1 step``, ``12 steps``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def plain(text: str) -> str:
    """Text without what could drive a terminal, turn the writing direction or break XML; line ends stay."""
    return _UNSAFE.sub("\ufffd", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The first line of a text, harmless; ``...`` says that there is more."""
    lines = plain(text).strip().split("\n")
    return f"{lines[0].rstrip()} ..." if len(lines) > 1 else lines[0].replace("\t", " ")


def indent(text: str, by: str = "    ") -> str:
    """Each line further to the right; empty lines stay empty."""
    return "\n".join(f"{by}{line}" if line else "" for line in text.split("\n"))


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows as aligned lines; the last column is as long as it is."""
    harmless = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*harmless, strict=True)]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in harmless]
