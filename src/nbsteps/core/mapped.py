"""What a step with ``--map`` gives: the list of its items' outputs, and the identity of one item."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_SHORT = 8


def item_name(position: int | None, label: str, key: str = "") -> str:
    """An item as people know it: ``item 37 ('2024-03.csv')``; the beginning of its key where nobody noted more."""
    if position is None:
        return f"item {key[:_SHORT]}"
    return f"item {position} ({label})" if label else f"item {position}"


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why an item is absent from the list: its body failed, or skipped it.

    Attributes:
        index: the item's position among all items, from 0.
        item: a short text of the item.
        error_type: qualified name of the exception's class.
        message: its text.
    """

    index: int
    item: str
    error_type: str
    message: str

    def __str__(self) -> str:
        """Render as ``item 3 (7): ValueError: no such shop``."""
        return f"{item_name(self.index, self.item)}: {self.error_type}: {self.message}"


class MapOutput(list[Any]):
    """The outputs of a map's items, in item order; a list like any other.

    Attributes:
        errors: the items that are absent because they failed and ``--tolerate`` allows it, in item order.
    """

    __slots__ = ("errors",)
    errors: tuple[ItemError, ...]

    def __init__(self, values: Iterable[Any] = (), errors: Iterable[ItemError] = ()) -> None:
        super().__init__(values)
        self.errors = tuple(errors)

    def __reduce__(self) -> tuple[type[MapOutput], tuple[list[Any], tuple[ItemError, ...]]]:
        return MapOutput, (list(self), self.errors)


def item_key(base: str, digests: Sequence[str]) -> str:
    """The key of one item, 32 hexadecimal digits.

    Args:
        base: digest of all that the items have in common: the step's key without what it maps over.
        digests: content digest for each loop variable, or the one of ``--map-key``'s value.
    """
    text = "\0".join((base, str(len(digests)), *digests))
    return hashlib.blake2b(text.encode(), digest_size=16, person=b"nbsteps item").hexdigest()
