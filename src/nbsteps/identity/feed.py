"""Digests over texts: tagged and length-prefixed, so that no two different feeds run together."""

from __future__ import annotations

from collections.abc import Iterable

import xxhash

MISSING = "missing"
"""What the digest of something that is not there is made of, so that its appearing counts."""


def digest_text(text: str) -> str:
    """Digest of one text, 32 hexadecimal digits; lone surrogates are allowed."""
    return xxhash.xxh3_128_hexdigest(text.encode("utf-8", "surrogatepass"))


def digest_texts(tag: str, *texts: str) -> str:
    """Digest of a sequence of texts under a tag; order counts."""
    pieces = [tag, *(f"{len(text)}:{text}" for text in texts)]
    return digest_text("\0".join(pieces))


def constant_text(value: object) -> str:
    """A constant of a program with its type: ``1``, ``1.0``, ``True`` and ``'1'`` differ, ``0.0`` and ``-0.0`` too."""
    kind = type(value)
    if kind is str:
        return f"s{len(value)}:{value}"  # type: ignore[arg-type]  # the class was just checked, fast
    if kind is int:
        return f"i{value:x}"
    if isinstance(value, float):
        return f"f{value.hex()}"
    if isinstance(value, complex):
        return f"c{value.real.hex()},{value.imag.hex()}"
    if isinstance(value, bytes):
        return f"y{value.hex()}"
    return f"o{value!r}"  # None, True, False, Ellipsis


def digest_unordered(tag: str, texts: Iterable[str]) -> str:
    """Digest of texts under a tag; order never counts, repetition does."""
    return digest_texts(tag, *sorted(texts))
