"""Digest of a map's output: over the digests of its items, each on its own; so it is known without their values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xxhash import xxh3_128_hexdigest

from nbsteps.core.errors import UndigestibleError
from nbsteps.core.mapped import ItemError, MapOutput
from nbsteps.identity.content.registry import HANDLERS, Handler, Part, text


def items_digest(digests: Iterable[str], errors: Iterable[ItemError] = ()) -> str:
    """The digest of a :class:`MapOutput` whose items have these digests."""
    return xxh3_128_hexdigest(_bytes(digests, errors))


def _bytes(digests: Iterable[str], errors: Iterable[ItemError]) -> bytes:
    pieces = [bytes.fromhex(digest) for digest in digests]
    told = [b"%x;" % error.index + text(error.error_type) + text(error.message) for error in errors]
    return b"".join((b"(map;%x;%x;" % (len(pieces), len(told)), *pieces, *told))


def _handler(value: MapOutput) -> Iterator[Part]:
    yield _bytes(_each(value), value.errors)


def _each(value: MapOutput) -> Iterator[str]:
    from nbsteps.identity.content.walk import digest_bytes  # noqa: PLC0415  walk builds on the registry

    for position, item in enumerate(value):
        try:
            yield digest_bytes(item).hex()
        except UndigestibleError as error:
            raise UndigestibleError(error.type_name, f"[{position}]{error.path}", error.detail) from error


def handler_for(kind: type) -> Handler | None:  # noqa: ARG001  the signature of every family
    """No other type of nbsteps is special."""
    return None


HANDLERS[MapOutput] = _handler
