"""Annotations: by their text, and by the user's classes that they name, for pydantic and its like run on them."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from nbsteps.identity.codeobjects import Chain, Facts
from nbsteps.identity.feed import digest_text, digest_texts
from nbsteps.identity.places import Origin, name_origin
from nbsteps.identity.visitor import Visitor

_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")


def annotation_digest(value: object, names: Mapping[str, object], visitor: Visitor) -> str:
    """Digest of one annotation; ``names`` are the globals in which a text is looked up."""
    if isinstance(value, str):
        known: dict[str, tuple[Chain, ...]] = {n: ((),) for n in _names_in(value) if isinstance(names.get(n), type)}
        if known:
            visitor.read(names, Facts(known, ()), "")
        return digest_text(value)
    if isinstance(value, type) and not getattr(value, "__args__", None):
        if name_origin(value.__module__) is Origin.LOCAL:
            return visitor.ref(value)
        return digest_texts("named", value.__module__, value.__qualname__)
    arguments = getattr(value, "__args__", ())
    arguments = arguments if isinstance(arguments, tuple) else ()
    texts = [annotation_digest(each, names, visitor) for each in arguments]
    return digest_texts("annotation", _ADDRESS.sub("", repr(value)), *texts)


@lru_cache(maxsize=4096)
def _names_in(text: str) -> tuple[str, ...]:
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return ()
    return tuple(sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}))
