"""Every other object: through its pickle reduction, piece by piece.

The pickled bytes themselves will not do: they differ with the identity of strings, the order of sets and the layout
of blocks while the content is the same.
"""

from __future__ import annotations

import copyreg
import itertools
import types
import weakref
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Final

from nbsteps.identity.content import builtin, code
from nbsteps.identity.content.registry import ATTRIBUTE, CODE, ITEM, Handler, Part, Refusal, text

_FIELDS: Final = 6
_ITERABLES: Final[tuple[Any, ...]] = ([], (), {}, set(), "", b"", range(0), range(1 << 70), {}.items(), {}.values())
_ITERATORS: Final = {map, filter, zip, enumerate, reversed, *(type(iter(sample)) for sample in _ITERABLES)}
_WEAK: Final = (weakref.ProxyType, weakref.CallableProxyType, weakref.ReferenceType)


def handler_for(kind: type) -> Handler:
    """The handler of a type that no table has."""
    if issubclass(kind, code.CODE_TYPES):
        return _method if kind is types.BuiltinMethodType else code.handler
    if kind in _ITERATORS or kind.__module__ == itertools.__name__:
        return _refusing("reading an iterator changes it; make it a list")
    if issubclass(kind, _WEAK):
        return _refusing("a weak reference has no content of its own")
    return reduced


def _refusing(detail: str) -> Handler:
    def handler(value: object) -> Iterator[Part]:
        raise Refusal(value, detail)
        yield b""

    return handler


def _method(value: Any) -> Iterator[Part]:
    """A built-in function, or a built-in method of some object."""
    if value.__self__ is None or isinstance(value.__self__, types.ModuleType):
        return code.handler(value)
    return reduced(value)


def enum_member(value: Enum) -> Iterator[Part]:
    """The parts of an enum member: its class, name and value."""
    yield b"(enum;"
    yield (CODE, "__class__", type(value))
    yield b"-" if value.name is None else text(value.name)
    yield (ATTRIBUTE, "value", value.value)


def set_subclass(value: Any) -> Iterator[Part]:
    """The parts of an instance of a subclass of set or frozenset: a reduction would list the members in some order."""
    yield b"(set subclass;"
    yield (CODE, "__class__", type(value))
    reduction = _reduce(value)
    yield from state_parts(None if isinstance(reduction, str) else _padded(value, reduction)[2])
    base: Any = frozenset if isinstance(value, frozenset) else set
    yield from builtin.members(list(base.__iter__(value)))


def reduced(value: Any) -> Iterator[Part]:
    """The parts of an object: class, constructor, arguments, state, items."""
    reduction = _reduce(value)
    yield b"(object;"
    yield (CODE, "__class__", type(value))
    if isinstance(reduction, str):
        yield b"global;" + text(reduction)
        if callable(value):
            yield (CODE, reduction, value)
        return
    make, arguments, state, listed, mapped, setter = _padded(value, reduction)
    yield (CODE, "__reduce__", make)
    yield b"%x;" % len(arguments)
    for position, argument in enumerate(arguments):
        yield (CODE if isinstance(argument, type) else ITEM, position, argument)
    yield from state_parts(state)
    yield from builtin.items(list(listed or ()))
    pairs = list(mapped or ())
    yield from builtin.items([key for key, _item in pairs])
    for key, item in pairs:
        yield (ITEM, key, item)
    if setter is not None:
        yield (CODE, "__setstate__", setter)
    if isinstance(value, BaseException) and value.__cause__ is not None:
        yield (ATTRIBUTE, "__cause__", value.__cause__)


def state_parts(state: Any) -> Iterator[Part]:
    """The parts of a state: attributes by name, in whatever order they were set."""
    if state is None:
        yield b"-"
    elif _is_attributes(state):
        yield b"1"
        yield from _attributes(state)
    elif type(state) is tuple and len(state) == 2 and all(half is None or _is_attributes(half) for half in state):  # noqa: PLR2004  __dict__ and slots
        yield b"2"
        yield from _attributes(state[0] or {})
        yield from _attributes(state[1] or {})
    else:
        yield b"*"
        yield (ATTRIBUTE, "__getstate__()", state)


def _is_attributes(state: object) -> bool:
    return type(state) is dict and all(type(name) is str for name in state)


def _attributes(state: dict[str, object]) -> Iterator[Part]:
    yield b"%x;" % len(state)
    for name in sorted(state):
        yield text(name)
        yield (ATTRIBUTE, name, state[name])


def _reduce(value: Any) -> str | tuple[Any, ...]:
    """What pickle would ask for, in the order in which it asks."""
    registered: Callable[[Any], Any] | None = copyreg.dispatch_table.get(type(value))
    try:
        reduction = registered(value) if registered is not None else value.__reduce_ex__(4)
    except Exception as error:
        raise Refusal(value, str(error)[:200]) from error
    if isinstance(reduction, str) or (isinstance(reduction, tuple) and len(reduction) >= 2):  # noqa: PLR2004  as pickle
        return reduction
    raise Refusal(value, "its __reduce_ex__ returns no reduction")


def _padded(value: object, reduction: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(reduction) > _FIELDS or not callable(reduction[0]) or not isinstance(reduction[1], tuple):
        raise Refusal(value, "its __reduce_ex__ returns no reduction")
    return reduction + (None,) * (_FIELDS - len(reduction))
