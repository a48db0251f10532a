"""Which function digests which type: the tables, the plug-ins and the hook for code.

A *leaf* turns a value into self-delimiting bytes at once. A *handler* is a generator of parts, see :data:`Part`; it
never recurses, so that depth is limited by memory and not by the interpreter's stack.
"""

from __future__ import annotations

import importlib
import sys
import weakref
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Final

from xxhash import xxh3_128_digest

from nbsteps.core.errors import UsageError

Part = bytes | Any
"""What a handler yields: a bytes-like object to feed, a child ``(kind, label, value)``, or :data:`BAG`."""

Leaf = Callable[[Any], bytes]
Handler = Callable[[Any], Iterator[Part]]
CodeDigester = Callable[[object], str | None]

ITEM: Final = "["
"""Kind of a child reached by position or key."""
ATTRIBUTE: Final = "."
"""Kind of a child reached by name."""
CODE: Final = "!"
"""Kind of a child that is the class or constructor of a value, known by its qualified name and its source."""
BAG: Final = object()
"""Yielded once by a handler whose remaining parts are children in no order."""

LEAVES: Final[dict[type, Leaf]] = {}
HANDLERS: Final[dict[type, Handler]] = {}
WHOLE: Final[dict[type, Callable[[Any], bytes | None]]] = {}
"""Digests, by the same bytes as the long way, of containers that few numbers tell; None where it has to be walked."""

_FAMILIES: Final = {
    "numpy": "nbsteps.identity.content.arrays",
    "pandas": "nbsteps.identity.content.frames",
    "pyarrow": "nbsteps.identity.content.arrow",
    "polars": "nbsteps.identity.content.polar",
    "nbsteps": "nbsteps.identity.content.mapped",
}
"""Root module of a type -> the module that knows it, imported when the first such value is met."""


def _callbacks(value: Any) -> object:
    """The state of matplotlib's registry of callbacks, without the counter that moves on whenever it is read."""
    return {name: item for name, item in value.__getstate__().items() if name != "_cid_gen"}


_by_name: Final[dict[str, Callable[[Any], object]]] = {"matplotlib.cbook.CallbackRegistry": _callbacks}
_by_type: Final[weakref.WeakKeyDictionary[type, Callable[[Any], object]]] = weakref.WeakKeyDictionary()
_resolved: Final[weakref.WeakKeyDictionary[type, Handler]] = weakref.WeakKeyDictionary()


class Refusal(Exception):  # noqa: N818  never reaches a user: the walk turns it into an UndigestibleError with a path
    """Raised by leaves and handlers for a value that has no digest."""

    def __init__(self, value: object, detail: str = "") -> None:
        super().__init__(detail)
        self.type_name = type_name(type(value))
        self.detail = detail


class _State:
    """What is set once for the process."""

    code_digester: CodeDigester | None = None
    plugins_loaded = False


def type_name(kind: type) -> str:
    """Qualified name of a type as a reader would write it; built-in types without their module."""
    module = getattr(kind, "__module__", "")
    name = getattr(kind, "__qualname__", repr(kind))
    return name if module == "builtins" else f"{module}.{name}"


def sized(data: bytes) -> bytes:
    """``data`` behind its length; long data is replaced by its own digest, so that no second copy is made."""
    if len(data) > 4096:  # noqa: PLR2004  about where hashing becomes cheaper than copying
        return b"%x#" % len(data) + xxh3_128_digest(data)
    return b"%x;" % len(data) + data


def text(value: str) -> bytes:
    """A string as length and UTF-8; lone surrogates are kept apart."""
    return sized(value.encode("utf-8", "surrogatepass"))


def register(type_or_name: type | str, function: Callable[[Any], object]) -> None:
    """Digest values of a type through ``function``, which returns any digestible stand-in for the value's content.

    Subclasses follow, unless they are registered themselves. The class of the value always counts.

    Args:
        type_or_name: the type, or its dotted name (``"package.module.Type"``), which needs no import.
        function: called with the value; equal content must give equal stand-ins, here and in another process.

    Raises:
        UsageError: nbsteps digests the type itself; a name of such a type is never asked for.
    """
    if isinstance(type_or_name, str):
        _by_name[type_or_name] = function
    elif _is_built_in(type_or_name):
        raise UsageError(f"{type_name(type_or_name)} is digested by nbsteps itself", hint="register a subclass of it")
    else:
        _by_type[type_or_name] = function
    _resolved.clear()


def _is_built_in(kind: type) -> bool:
    if kind.__module__.partition(".")[0] in _FAMILIES and _family(kind) is not None:
        return True
    return kind in LEAVES or kind in HANDLERS


def register_code_digester(function: CodeDigester | None) -> None:
    """Let ``function`` digest functions, classes and modules, and the classes of instances.

    It returns the digest of the code as text, or None where the qualified name is enough (installed packages).
    Without one, functions, classes and modules as values are refused, and so are instances of classes of
    ``__main__``.
    """
    _State.code_digester = function


def code_digester() -> CodeDigester | None:
    """The function given to :func:`register_code_digester`."""
    return _State.code_digester


def _load_plugins() -> None:
    """Take in the entry points of other packages, once; what the user registered goes first."""
    if _State.plugins_loaded:
        return
    _State.plugins_loaded = True
    from importlib.metadata import entry_points  # noqa: PLC0415  keeps import nbsteps fast

    for point in entry_points(group="nbsteps.digests"):
        _by_name.setdefault(point.name, _Plugin(point))


class _Plugin:
    """An entry point, imported when a value of its type is met."""

    def __init__(self, point: Any) -> None:
        self._point = point

    def __call__(self, value: object) -> object:
        return self._point.load()(value)


def _registered(kind: type) -> Handler | None:
    for base in kind.__mro__:
        function = _by_type.get(base) or _by_name.get(f"{base.__module__}.{base.__qualname__}")
        if function is not None:
            return _stand_in(base, function)
    return None


def _stand_in(base: type, function: Callable[[Any], object]) -> Handler:
    name = text(type_name(base))

    def handler(value: object) -> Iterator[Part]:
        yield b"(registered;" + name
        yield (CODE, "__class__", type(value))
        yield (ATTRIBUTE, "digest()", function(value))

    return handler


def _family(kind: type) -> Handler | None:
    for base in kind.__mro__:
        home = _FAMILIES.get(base.__module__.partition(".")[0])
        if home is None:
            continue
        module = importlib.import_module(home)  # fills the tables
        if kind in LEAVES:
            return None
        handler: Handler | None = HANDLERS.get(kind) or module.handler_for(kind)
        if handler is not None:
            return handler
    return None


def find(kind: type) -> Handler | None:
    """The handler of a type, or None if the type is a leaf. Loads what the type needs, so the answer never changes."""
    handler = HANDLERS.get(kind) or _resolved.get(kind)
    if handler is not None or kind in LEAVES:
        return handler
    handler = _search(kind)
    if handler is not None:
        _resolved[kind] = handler
    return handler


def _search(kind: type) -> Handler | None:
    root = kind.__module__.partition(".")[0]
    handler = _family(kind) if root in _FAMILIES else None
    if handler is None and kind not in LEAVES:
        if root not in sys.stdlib_module_names:
            _load_plugins()
        handler = _registered(kind) or _family(kind)
    if handler is not None or kind in LEAVES:
        return handler
    from nbsteps.identity.content import structural  # noqa: PLC0415  structural builds on this module

    if issubclass(kind, Enum):
        return structural.enum_member
    if issubclass(kind, (set, frozenset)):
        return structural.set_subclass
    return structural.handler_for(kind)
