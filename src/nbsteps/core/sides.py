"""The old and the new side of a part of a key, for people: what ``why`` shows of a change."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from nbsteps.core.model import Part, PartKind

_LONGEST: Final = 10_000
"""Characters of one side that are kept."""


def sides(before: Part | None, after: Part | None) -> tuple[str, str]:
    """Both sides of a change; ``""`` where there was none. Where both read the same, digests tell them apart."""
    old, new = ("" if part is None else _shown(part) for part in (before, after))
    if before is not None and after is not None and old == new and before.digest != after.digest:
        old, new = (_with_digest(part, text) for part, text in ((before, old), (after, new)))
    return old[:_LONGEST], new[:_LONGEST]


def moment(at: float) -> str:
    """Seconds since the epoch as local time, to the second; ``an unknown time`` where there is none."""
    try:
        return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OSError, OverflowError, ValueError):
        return "an unknown time"


def _with_digest(part: Part, text: str) -> str:
    told = f"content {part.digest[:8]}"
    if not text:
        return told
    return f"{text}\n# {told}" if part.kind is PartKind.HELPER else f"{text}, {told}"


def _shown(part: Part) -> str:
    return _of_file(part.detail) if part.kind is PartKind.FILE else part.detail


def _of_file(detail: str) -> str:
    """What a file's part keeps beside its digest: its state, what was asked about it, or what a folder held."""
    try:
        told: Any = json.loads(detail)
    except ValueError:
        return detail
    if not isinstance(told, dict):
        return detail
    if "size" in told:
        return f"{told['size']:,} B of {moment(told['mtime_ns'] / 1e9)}"
    if "names" in told:
        more = ["..."] if told["count"] > len(told["names"]) else []
        return f"{told['count']} entries: {', '.join([*told['names'], *more])}".removesuffix(": ")
    return str(told.get("text", ""))
