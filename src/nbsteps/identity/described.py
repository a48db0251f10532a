"""The source text of a helper, for people."""

from __future__ import annotations

import functools
import types

from nbsteps.identity.sources import source_of


def described(value: object) -> str:
    """Source of a helper with the functions that it wraps and the methods that it holds, where there is one to show."""
    texts: list[str] = []
    queue, seen = [value], set[int]()
    while queue:
        each = queue.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, types.FunctionType):
            texts.append(source_of(each.__code__)[1])
            queue += [cell for cell in _contents(each) if isinstance(cell, types.FunctionType)]
        elif isinstance(each, type):
            queue += [member for member in vars(each).values() if isinstance(member, types.FunctionType)]
        else:
            queue += [each.func] if isinstance(each, functools.partial) else [getattr(each, "__func__", None)]
        queue.append(getattr(each, "__wrapped__", None))
    return "\n\n".join(dict.fromkeys(text for text in texts if text))


def _contents(function: types.FunctionType) -> list[object]:
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            continue
    return found
