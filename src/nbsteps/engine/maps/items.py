"""The items of a map: what a step runs over, and what identifies each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nbsteps.core.errors import StepError
from nbsteps.core.mapped import item_key, item_name
from nbsteps.core.model import Part, PartKind, Step
from nbsteps.core.secrecy import MASKED, is_secret
from nbsteps.engine.bindings import digest_or_unique, is_volatile
from nbsteps.engine.maps.words import words
from nbsteps.identity import content

PLAIN: Final = frozenset({int, float, complex, bool, str, bytes, type(None)})
"""Types of values that nothing can change in place."""


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
        names: of the loop variables.
        told: the value of ``--map-key`` in a few words, or ``""``.
    """

    position: int
    values: tuple[object, ...]
    key: str
    digests: tuple[str, ...] = ()
    named: str = ""
    attempts: int = 0
    lost: int = 0
    names: tuple[str, ...] = ()
    told: str = ""

    @property
    def volatile(self) -> bool:
        """Whether the item has no identity, so that its result cannot be reused."""
        return any(map(is_volatile, self.digests)) or is_volatile(self.named)

    def text(self) -> str:
        """What tells it from the others, in a few words: what ``--map-key`` says, or else its values."""
        return self.told or words(self.names, self.values)

    @property
    def name(self) -> str:
        """How messages name it."""
        return item_name(self.position, self.text())

    def parts(self, step: Step) -> tuple[Part, ...]:
        """What its key adds to what all items have in common."""
        if self.named:
            return (Part(PartKind.VALUE, "--map-key", self.named, step.options.map_key, "item"),)
        return tuple(
            Part(PartKind.VALUE, source.item, digest, _detail(source.item, value), "item")
            for source, digest, value in zip(step.options.map, self.digests, self.values, strict=True)
        )


def _detail(name: str, value: object) -> str:
    return MASKED if is_secret(name) else content.summary(value)


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
    items, names = [], _names(step)
    # By name: the order in which --map lists its variables does not count.
    order = sorted(range(len(step.options.map)), key=lambda at: step.options.map[at].item)
    for position, each in enumerate(values):
        digests = tuple(map(digest_or_unique, each))
        items.append(Item(position, each, item_key(base, [digests[at] for at in order]), digests, names=names))
    return items


def _by_key(step: Step, base: str, values: Iterable[tuple[object, ...]], namespace: Mapping[str, object]) -> list[Item]:
    ask, names = _asking(step, namespace), _names(step)
    items: dict[str, Item] = {}
    for position, each in enumerate(values):
        value = ask(position, each)
        named = digest_or_unique(value)
        told = words((step.options.map_key,), (value,))
        other = items.get(named)
        if other is not None:
            pair = (_by_values(step, other.position, other.values), _by_values(step, position, each))
            message = f"--map-key is the same for {pair[0]} and {pair[1]}: {told}"
            raise _error(step, message, "--map-key must tell all items apart; without it, content does")
        items[named] = Item(position, each, item_key(base, (named,)), named=named, names=names, told=told)
    return list(items.values())


def _names(step: Step) -> tuple[str, ...]:
    return tuple(source.item for source in step.options.map)


def _by_values(step: Step, position: int, values: tuple[object, ...]) -> str:
    """How messages name an item that ``--map-key`` does not tell from others."""
    return item_name(position, words(_names(step), values))


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
            message = (
                f"--map-key {step.options.map_key} failed for {_by_values(step, position, values)}: {kind}: {error}"
            )
            raise _error(step, message, "") from error

    return ask


def _error(step: Step, message: str, hint: str) -> StepError:
    return StepError(message, step=step.name, cell=step.cell.label, hint=hint)
