"""A helper for people: its source, and what it holds that no source shows."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from typing import Any, Final

from nbsteps.identity.content import summary
from nbsteps.identity.sources import source_of

_MANY: Final = 50
"""Values of one helper that are told."""


def described(value: object) -> str:
    """Source of a helper with the functions that it wraps and the methods that it holds, where there is one to show.

    Values that it holds beside its source follow, each in a line: defaults, closures, attributes, bound arguments.
    """
    texts: list[str] = []
    queue, seen = [value], set[int]()
    while queue:
        each = queue.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, types.FunctionType):
            texts.append(source_of(each.__code__)[1])
            queue += [cell for _, cell in _closure(each) if isinstance(cell, types.FunctionType)]
        elif isinstance(each, type):
            queue += [member for member in vars(each).values() if isinstance(member, types.FunctionType)]
        else:
            queue += [each.func] if isinstance(each, functools.partial) else [getattr(each, "__func__", None)]
        queue.append(getattr(each, "__wrapped__", None))
        texts += [f"# {name} = {summary(held)}" for name, held in _held(each)][:_MANY]
    return "\n\n".join(dict.fromkeys(text for text in texts if text)).replace("\n\n# ", "\n# ")


def _held(value: Any) -> Iterator[tuple[str, object]]:
    """Values beside the source, by the names that people give them."""
    if isinstance(value, types.FunctionType):
        name = value.__qualname__
        yield from ((f"{name}, default {at}", each) for at, each in enumerate(value.__defaults__ or (), 1))
        yield from ((f"{name}, default of {key}", each) for key, each in (value.__kwdefaults__ or {}).items())
        yield from ((f"{key} in {name}", cell) for key, cell in _closure(value) if not callable(cell))
        yield from ((f"{name}.{key}", each) for key, each in vars(value).items() if key != "__wrapped__")
    elif isinstance(value, type):
        members = list(vars(value).items())  # checks against protocols give a class annotations that it lacked
        yield from ((f"{value.__qualname__}.{key}", each) for key, each in members if _is_plain(key, each))
    elif isinstance(value, functools.partial):
        yield from ((f"argument {at}", each) for at, each in enumerate(value.args, 1))
        yield from ((f"argument {key}", each) for key, each in value.keywords.items())
    elif isinstance(value, types.MethodType) and not isinstance(value.__self__, type):
        own = getattr(value.__self__, "__dict__", {})
        yield from ((f"self.{key}", each) for key, each in own.items())


def _is_plain(name: str, member: object) -> bool:
    """Whether a member of a class is a value that somebody put there."""
    return not (name.startswith("__") or callable(member) or hasattr(member, "__get__"))


def _closure(function: types.FunctionType) -> list[tuple[str, object]]:
    found = list[tuple[str, object]]()
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found.append((name, cell.cell_contents))
        except ValueError:
            continue
    return found
