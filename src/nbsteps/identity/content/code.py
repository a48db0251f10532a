"""Functions, classes and modules met inside a value: by the hook, or by name where the name says it all."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Iterator
from typing import Any, Final

from nbsteps.identity.content.registry import Part, Refusal, code_digester, text

CODE_TYPES: Final = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType, types.CodeType)

_NO_HOOK: Final = "functions, classes and modules as values need register_code_digester()"
_active = threading.local()


def handler(value: object) -> Iterator[Part]:
    """The parts of code as a value."""
    yield reference(value, by_name=False)


def reference(value: Any, *, by_name: bool) -> bytes:
    """Bytes that tell code: its qualified name and the digest of its source.

    Args:
        value: a function, a class or a module.
        by_name: whether the name of code outside ``__main__`` will do while no hook is registered.

    Raises:
        Refusal: only the hook could tell this code, and there is none.
    """
    module, name = _names(value)
    told = b"!" + text(type(value).__name__) + text(module) + text(name)
    if _is_standard(value, module, name):
        return told
    if code_digester() is not None:
        return told + _hooked(value)
    if by_name and module not in {"", "__main__"} and "<" not in name:
        return told
    raise Refusal(value, _NO_HOOK)


def _names(value: Any) -> tuple[str, str]:
    if isinstance(value, types.ModuleType):
        return value.__name__, ""
    module = getattr(value, "__module__", None) or ""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or getattr(value, "co_name", "")
    return str(module), str(name)


def _is_standard(value: object, module: str, name: str) -> bool:
    """Whether the name finds this very object in the standard library, whose code the Python version tells."""
    if module.partition(".")[0] not in sys.stdlib_module_names:
        return False
    found: object = sys.modules.get(module)
    for piece in name.split(".") if name else ():
        found = getattr(found, piece, None)
    return found is value


def _hooked(value: object) -> bytes:
    """Ask the hook, once for each function: one whose closure leads back to the value ends here."""
    digester = code_digester()
    active: set[int] = _active.__dict__.setdefault("ids", set())
    if digester is None or id(value) in active:
        return b"^"
    active.add(id(value))
    try:
        digest = digester(value)
    finally:
        active.discard(id(value))
    return b"-" if digest is None else b"+" + text(digest)


class References:
    """The classes of one walk, each asked for once."""

    def __init__(self) -> None:
        self._told: dict[int, tuple[object, bytes]] = {}

    def digest(self, value: object) -> bytes:
        """Bytes that tell the class or constructor of a value."""
        known = self._told.get(id(value))
        if known is None:
            known = self._told[id(value)] = (value, reference(value, by_name=True))
        return known[1]
