"""What was found out from a text, so that neither this process nor another one finds it out twice.

Parsing a cell, or a module of the user's, takes longer than everything else that is done where all is restored. What
comes out depends on the text alone: never may a function be remembered here that looks at a namespace, a file, a clock,
or at what else the notebook holds. Findings leave the process as JSON, by the text's digest; who keeps them sees to it
that only the same Python and the same nbsteps get them back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from typing import Any, Final, TypeVar

_T = TypeVar("_T")
_LIMIT: Final = 8192
_ABSENT: Final = object()
_JSON: Final = json.JSONDecoder()
_MALFORMED: Final = (TypeError, ValueError, KeyError, AttributeError)

_given: dict[str, str] = {}
_found: dict[str, dict[str, Any]] = {}
_fresh: dict[str, None] = {}
_caches: list[Callable[[], None]] = []


def finding(
    pack: Callable[[_T], Any], unpack: Callable[[Any], _T]
) -> Callable[[Callable[[str], _T]], Callable[[str], _T]]:
    """Make a decorator for a function of a text, whose name and module say what is found.

    What it raises is not remembered: whether a text can be parsed may hang on how deep the stack is.

    Args:
        pack: makes what ``json.dumps`` takes of the function's result.
        unpack: makes an equal result of that.
    """

    def decorate(find: Callable[[str], _T]) -> Callable[[str], _T]:
        name = f"{find.__module__.rpartition('.')[2]}.{find.__name__.lstrip('_')}"

        @lru_cache(maxsize=_LIMIT)
        @wraps(find)
        def remembering(text: str) -> _T:
            known = _known(text)
            packed = known.get(name, _ABSENT)
            if packed is not _ABSENT:
                try:
                    return unpack(packed)
                except _MALFORMED:
                    pass  # not from us: it is found out again
            result = find(text)
            known[name] = pack(result)
            _fresh[text] = None
            return result

        _caches.append(remembering.cache_clear)
        return remembering

    return decorate


def give(findings: Mapping[str, str]) -> None:
    """Take over what another process found out, as :func:`take` gave it there."""
    _given.update(findings)


def take() -> dict[str, str]:
    """What was found out since this was last asked: digest of a text to JSON."""
    texts = list(_fresh)
    _fresh.clear()
    return {_digest(text): json.dumps(_found[text], separators=(",", ":")) for text in texts if text in _found}


def forget() -> None:
    """Know nothing, as a new process does."""
    for known in (_given, _found, _fresh):
        known.clear()
    for clear in _caches:
        clear()


def _known(text: str) -> dict[str, Any]:
    """All findings about a text."""
    known = _found.get(text)
    if known is None:
        if len(_found) >= _LIMIT:
            _found.clear()
        known = _found[text] = _decoded(_given.get(_digest(text), "{}")) if _given else {}
    return known


def _decoded(line: str) -> dict[str, Any]:
    try:
        found, _ = _JSON.raw_decode(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _digest(text: str) -> str:
    """32 hexadecimal digits; lone surrogates are allowed."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
