"""What changed between two texts, as a unified diff without colours."""

from __future__ import annotations

import difflib
from typing import Final

from nbsteps.display.wording import count, plain

LIMIT: Final = 200
"""Lines of a diff that are shown; more than this nobody reads in a cell's output."""

_SLOW: Final = 20_000
"""Lines above which difflib would take seconds; a module can be that long."""


def unified(before: str, after: str, *, limit: int = LIMIT) -> str:
    """A diff with three lines around each change; ``""`` where the texts are alike."""
    old, new = plain(before).splitlines(), plain(after).splitlines()
    if old == new:
        return ""
    if len(old) + len(new) > _SLOW:
        return f"({count(len(old), 'line')} -> {count(len(new), 'line')}, too long to compare here)"
    lines = list(difflib.unified_diff(old, new, "before", "now", lineterm=""))
    rest = len(lines) - limit
    if rest > 0:
        lines[limit:] = [f"... {count(rest, 'more line')}"]
    return "\n".join(lines)
