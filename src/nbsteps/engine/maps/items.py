"""The items of a map: what a step runs over, and what identifies each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nbsteps.core.errors import StepError
from nbsteps.core.mapped import item_key
from nbsteps.core.model import Part, PartKind, Step
from nbsteps.engine.bindings import digest_or_unique, is_volatile
from nbsteps.identity import content

PLAIN: Final = frozenset({int, float, complex, bool, str, bytes, type(None)})
"""Types of values that nothing can change in place."""
_SHOWN: Final = 60


@dataclass(slots=True)
class Item:
    """One item of a map.

    Attributes:
        position: among all items, from 0.
        values: one for each loop variable.
        key: identity of its result.
        digests: content of the values; empty where ``--map-key`` stands for it.
        named: digest of the value of ``--map-key``, or ``""``.
        attempts: how often its body was started.
        lost: how many of these came to nothing by no fault of its own.
    """

    position: int
    values: tuple[object, ...]
    key: str
    digests: tuple[str, ...] = ()
    named: str = ""
    attempts: int = 0
    lost: int = 0

    @property
    def volatile(self) -> bool:
        """Whether the item has no identity, so that its result cannot be reused."""
        return any(map(is_volatile, self.digests)) or is_volatile(self.named)

    def text(self) -> str:
        """A few words on the item."""
        shown = ", ".join(map(shown_value, self.values))
        return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"

    def parts(self, step: Step) -> tuple[Part, ...]:
        """What its key adds to what all items have in common."""
        if self.named:
            return (Part(PartKind.VALUE, "--map-key", self.named, step.options.map_key, "item"),)
        return tuple(
            Part(PartKind.VALUE, source.item, digest, content.summary(value), "item")
            for source, digest, value in zip(step.options.map, self.digests, self.values, strict=True)
        )


def shown_value(value: object) -> str:
    """A value in a few words; plain ones as they are written."""
    return repr(value) if type(value) in PLAIN else content.summary(value)


def read_items(step: Step, namespace: Mapping[str, object]) -> list[tuple[object, ...]]:
    """The values that the loop variables take, item by item.

    Raises:
        StepError: a variable cannot be run over, or several are not equally long.
    """
    columns = [_values(step, source.items, namespace) for source in step.options.map]
    lengths = {source.items: len(column) for source, column in zip(step.options.map, columns, strict=True)}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length:,}" for name, length in lengths.items())
        hint = "items go together one by one: make the variables equally long"
        raise _error(step, f"--map needs as many items in each variable: {told}", hint)
    return list(zip(*columns, strict=True))


def _values(step: Step, name: str, namespace: Mapping[str, object]) -> Sequence[object]:
    value: Any = namespace.get(name)
    if isinstance(value, str | bytes | bytearray):
        kind = type(value).__name__
        raise _error(step, f"--map cannot run over {name}: it is a {kind}", f"{name} = [{name}]")
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, set | frozenset):
        return sorted(value, key=digest_or_unique)
    if isinstance(value, Iterator):
        hint = f"{name} = list({name})"
        raise _error(step, f"--map cannot run over {name}: reading a {type(value).__name__} uses it up", hint)
    if not isinstance(value, Iterable) and not hasattr(type(value), "__getitem__"):
        kind = type(value).__name__
        raise _error(step, f"--map cannot run over {name}: {kind} is not iterable", f"{name} = [{name}]")
    return value if isinstance(value, list | tuple) else list(value)


def identify_items(
    step: Step, base: str, values: Iterable[tuple[object, ...]], namespace: Mapping[str, object]
) -> list[Item]:
    """Each item with its key.

    Args:
        step: the step.
        base: key of what all items have in common.
        values: as :func:`read_items` gives them.
        namespace: where ``--map-key`` finds its names.

    Raises:
        StepError: ``--map-key`` fails, or is the same for two items.
    """
    if step.options.map_key:
        return _by_key(step, base, values, namespace)
    items = []
    # By name: the order in which --map lists its variables does not count.
    order = sorted(range(len(step.options.map)), key=lambda at: step.options.map[at].item)
    for position, each in enumerate(values):
        digests = tuple(map(digest_or_unique, each))
        items.append(Item(position, each, item_key(base, [digests[at] for at in order]), digests))
    return items


def _by_key(step: Step, base: str, values: Iterable[tuple[object, ...]], namespace: Mapping[str, object]) -> list[Item]:
    ask = _asking(step, namespace)
    items: dict[str, Item] = {}
    for position, each in enumerate(values):
        named = digest_or_unique(ask(position, each))
        other = items.get(named)
        if other is not None:
            message = f"--map-key is the same for items {other.position} ({other.text()}) and {position}"
            raise _error(step, message, "--map-key must tell all items apart; without it, content does")
        items[named] = Item(position, each, item_key(base, (named,)), named=named)
    return list(items.values())


def _asking(step: Step, namespace: Mapping[str, object]) -> Callable[[int, tuple[object, ...]], object]:
    names = ", ".join(source.item for source in step.options.map)
    text = f"lambda {names}: (\n{step.options.map_key.strip()}\n)"
    there: Any = namespace
    key = eval(compile(text, f"--map-key of step {step.name}", "eval"), there)  # noqa: S307 - the user's expression

    def ask(position: int, values: tuple[object, ...]) -> object:
        try:
            return key(*values)
        except Exception as error:
            kind = type(error).__name__
            message = f"--map-key {step.options.map_key} failed for item {position}: {kind}: {error}"
            raise _error(step, message, "") from error

    return ask


def _error(step: Step, message: str, hint: str) -> StepError:
    return StepError(message, step=step.name, cell=step.cell.label, hint=hint)
