"""Whether a body changed the items that it was given, noticed where it was executed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nbsteps.core.errors import UndigestibleError
from nbsteps.identity import content


def digests_of(item: Mapping[str, object], names: Iterable[str]) -> dict[str, str]:
    """Content of the watched names; what has no digest is not watched."""
    return {name: _digest(item[name]) for name in names}


def changed_name(item: Mapping[str, object], before: Mapping[str, str]) -> str:
    """The first name whose value is no longer what it was, or ``""``."""
    return next((name for name, digest in before.items() if digest and _digest(item[name]) != digest), "")


def _digest(value: object) -> str:
    try:
        return content.digest(value)
    except UndigestibleError:
        return ""
