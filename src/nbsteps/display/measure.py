"""How wide a text will be, about: no font can be measured here, and each reader has another one."""

from __future__ import annotations

from typing import Final

from nbsteps.display.wording import one_line

_NARROW: Final = frozenset("iljtfrI.,:;|!'()[] ")
_BROAD: Final = frozenset("mwM")
_BROADEST: Final = frozenset("W@%")
_WIDE_SCRIPTS: Final = 0x2E80
_SIGNS: Final = 0x2000

_SAFE: Final = 0.85
"""Share of its room that a text may take without being held: fonts are hardly wider than that."""


def breadth(text: str, size: float) -> float:
    """Pixels that a text takes at a font size, rather too many than too few."""
    return sum(map(_em, text)) * size


def fit(text: str, room: float, size: float) -> str:
    """Shorten a text in the middle until it fits into ``room`` pixels at ``size``; both ends tell names apart."""
    shown = one_line(text)
    if breadth(shown, size) <= room:
        return shown
    for kept in range(len(shown) - 1, 1, -1):
        tail = kept // 2
        candidate = f"{shown[: kept - tail]}…{shown[len(shown) - tail :]}"
        if breadth(candidate, size) <= room:
            return candidate
    return "…"


def held(text: str, room: float, size: float) -> str:
    """Attributes that keep a text of SVG to its room where the reader's font might be wider; ``""`` for short ones."""
    wide = breadth(text, size)
    if wide <= _SAFE * room:
        return ""
    return f' textLength="{min(wide, room):.1f}" lengthAdjust="spacingAndGlyphs"'


def _em(character: str) -> float:
    if character in _NARROW:
        return 0.36
    if character in _BROAD:
        return 0.92
    if character in _BROADEST:
        return 1.02
    if ord(character) >= _WIDE_SCRIPTS:
        return 1.05
    return 0.7 if character.isupper() or ord(character) >= _SIGNS else 0.63
