"""What a callable is made of now: code, defaults, closure, attributes, and what it wraps.

Its live state counts, not the text that once made it: a decorator counts by the function it left behind.
"""

from __future__ import annotations

import builtins
import functools
import sys
import types
from collections.abc import Callable
from typing import Any, Final

from nbsteps.core.errors import UndigestibleError
from nbsteps.identity.annotations import annotation_digest
from nbsteps.identity.codeobjects import code_facts
from nbsteps.identity.feed import digest_texts
from nbsteps.identity.places import Origin, file_origin, name_origin
from nbsteps.identity.sources import static_digest
from nbsteps.identity.visitor import Visitor

_LRU: Final = type(functools.lru_cache(lambda: None))
_MARKS: Final = frozenset({"__wrapped__", "__doc__", "__module__", "__name__", "__qualname__"})


def resolve(module_name: str | None, qualname: str) -> object:
    """The object that a module holds under a dotted name; None if it holds none."""
    module = sys.modules.get(module_name or "")
    found: object = module
    for piece in qualname.split("."):
        if found is None:
            return None
        found = getattr(found, "__dict__", {}).get(piece)
    return found


def origin_of(value: Any) -> Origin:
    """Whose code a function or class is. What an installed function made at run time is told apart by the caller."""
    if isinstance(value, types.FunctionType):
        filename = value.__code__.co_filename
        origin = file_origin(filename)
        if origin is Origin.LOCAL and filename.startswith("<"):
            return name_origin(value.__globals__.get("__name__"))
        return origin
    return name_origin(getattr(value, "__module__", None) or getattr(type(value), "__module__", None))


def belongs_to_package(value: Any) -> bool:
    """Whether a module that is not the user's holds this very object under its own name: its version says it all."""
    if origin_of(value) is Origin.LOCAL:
        return False
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    name = name or getattr(value, "__name__", None)
    if not isinstance(module, str) or not isinstance(name, str) or name_origin(module) is Origin.LOCAL:
        return False  # what wraps() makes of the user's function runs a package's code under the user's name
    return resolve(module, name) is value


def by_name(value: Any, visitor: Visitor) -> str:
    """Digest of code by its qualified name, its distribution noted."""
    module = getattr(value, "__module__", None) or getattr(type(value), "__module__", None) or ""
    if name_origin(module) is Origin.INSTALLED:
        visitor.package(module)
    return digest_texts("named", module, str(getattr(value, "__qualname__", None) or getattr(value, "__name__", "")))


def function_digest(function: types.FunctionType, visitor: Visitor) -> str:
    """Digest of a function; its reads of globals are told to the visitor."""
    if belongs_to_package(function):
        return by_name(function, visitor)
    code = function.__code__
    texts = [static_digest(code)]
    if origin_of(function) is Origin.LOCAL:
        facts = code_facts(code)
        names = function.__globals__
        visitor.read(names, facts, str(names.get("__package__") or ""))
        for name, value in function.__annotations__.items():
            texts.append(digest_texts("annotation", name, annotation_digest(value, names, visitor)))
    else:
        texts.append(by_name(function, visitor))
        if code.co_qualname == "singledispatch.<locals>.wrapper":
            return digest_texts("singledispatch", *texts, *_registry(function, visitor))
    if function.__defaults__:
        texts.append(visitor.inner(function.__defaults__, "default"))
    if function.__kwdefaults__:
        texts.append(visitor.inner(function.__kwdefaults__, "default"))
    texts.extend(_cells(function, visitor))
    texts.extend(_attributes(function, visitor))
    return texts[0] if len(texts) == 1 else digest_texts("function", *texts)


def _cells(function: types.FunctionType, visitor: Visitor) -> list[str]:
    texts = []
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            content = cell.cell_contents
        except ValueError:
            texts.append(digest_texts("empty", name))
            continue
        texts.append(digest_texts("cell", name, visitor.inner(content, f"closure variable {name}")))
    return texts


def _attributes(function: types.FunctionType, visitor: Visitor) -> list[str]:
    texts = []
    for name, value in sorted(vars(function).items()):
        if name == "__wrapped__":
            texts.append(digest_texts("wraps", visitor.inner(value, "wrapped function")))
        elif name not in _MARKS:
            texts.append(digest_texts("attribute", name, visitor.inner(value, f"attribute {name}")))
    return texts


def _registry(function: types.FunctionType, visitor: Visitor) -> list[str]:
    """The functions of a single dispatch by type; its cache of past look-ups is no part of it."""
    registry = getattr(function, "registry", {})
    return sorted(digest_texts("case", visitor.ref(kind), visitor.ref(case)) for kind, case in registry.items())


def _method(value: types.MethodType, visitor: Visitor) -> str:
    return digest_texts("method", visitor.ref(value.__func__), visitor.inner(value.__self__, "self"))


def _partial(value: functools.partial[Any], visitor: Visitor) -> str:
    texts = [visitor.inner(value.func, "function"), visitor.inner(value.args, "argument")]
    texts.append(visitor.inner(value.keywords, "argument"))
    if vars(value):
        texts.append(visitor.inner(vars(value), "attribute"))
    return digest_texts(type(value).__name__, *texts)


def _cached(value: Any, visitor: Visitor) -> str:
    texts = [visitor.ref(value.__wrapped__), repr(value.cache_parameters())]
    for name, held in sorted(vars(value).items()):
        if name != "cache_parameters" and not name.startswith("__"):
            texts.append(digest_texts("attribute", name, visitor.inner(held, f"attribute {name}")))
    return digest_texts("lru_cache", *texts)


def _property(value: property, visitor: Visitor) -> str:
    accessors = (value.fget, value.fset, value.fdel)
    return digest_texts("property", *("" if each is None else visitor.inner(each, "property") for each in accessors))


def _wrapping(value: Any, visitor: Visitor) -> str:
    return digest_texts(type(value).__name__, visitor.inner(value.__func__, "function"))


def _cached_property(value: functools.cached_property[Any], visitor: Visitor) -> str:
    return digest_texts("cached_property", visitor.inner(value.func, "function"))


def _builtin(value: Any, visitor: Visitor) -> str:
    """A function in C: by name, and by content where it is bound to a value."""
    owner = getattr(value, "__self__", None)
    if owner is None or isinstance(owner, (type, types.ModuleType)):
        holder = getattr(owner, "__qualname__", "") if isinstance(owner, type) else ""
        return digest_texts("builtin", holder, by_name(value, visitor))
    return digest_texts("bound", value.__name__, visitor.inner(owner, "self"))


def _descriptor(value: Any, visitor: Visitor) -> str:
    owner: Any = value.__objclass__
    if owner is not builtins.object and name_origin(owner.__module__) is Origin.INSTALLED:
        visitor.package(owner.__module__)
    return digest_texts("descriptor", type(value).__name__, value.__name__)


def _ufunc(value: Any, visitor: Visitor) -> str:
    """A numpy ufunc by its name, where a module holds it; one made from a Python function hides what it does."""
    for module in ("numpy", "scipy.special"):
        name = str(value.__name__)
        if resolve(module, name) is value:
            visitor.package(module)
            return digest_texts("ufunc", module, name)
    raise UndigestibleError("numpy.ufunc", "", "made from a function that it does not give away")


_DIGESTERS: Final[dict[type, Callable[[Any, Visitor], str]]] = {
    types.FunctionType: function_digest,
    types.MethodType: _method,
    types.BuiltinFunctionType: _builtin,
    types.MethodWrapperType: _builtin,
    types.WrapperDescriptorType: _descriptor,
    types.MethodDescriptorType: _descriptor,
    types.ClassMethodDescriptorType: _descriptor,
    types.GetSetDescriptorType: _descriptor,
    types.MemberDescriptorType: _descriptor,
    functools.partial: _partial,
    _LRU: _cached,
    property: _property,
    classmethod: _wrapping,
    staticmethod: _wrapping,
    functools.cached_property: _cached_property,
}


def digester_of(value: object) -> Callable[[Any, Visitor], str] | None:
    """What digests a callable other than a class; None for anything that is a value."""
    kind = type(value)
    found = _DIGESTERS.get(kind)
    if found is not None or not callable(value):
        return found
    if kind.__name__ == "ufunc" and kind.__module__ == "numpy":
        return _ufunc
    return by_name if isinstance(getattr(value, "__name__", None), str) and belongs_to_package(value) else None
