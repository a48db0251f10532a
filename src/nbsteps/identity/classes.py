"""What a class is made of now: its attributes as they are, its bases and its metaclass.

The text of its definition adds nothing to that: whatever the body did is in the attributes, and what was patched
afterwards is in them alone.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
import types
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

from nbsteps.core.errors import UndigestibleError
from nbsteps.identity.annotations import annotation_digest
from nbsteps.identity.feed import digest_texts, digest_unordered
from nbsteps.identity.helpers import belongs_to_package, by_name, function_digest, origin_of
from nbsteps.identity.places import Origin, name_origin
from nbsteps.identity.visitor import Visitor

_UNCOUNTED: Final = frozenset(
    {
        *("__doc__", "__module__", "__dict__", "__weakref__", "__qualname__", "__annotations__"),
        *("__firstlineno__", "__static_attributes__", "__annotations_cache__", "__annotate_func__"),
        *("_abc_impl", "__slotnames__", "__abstractmethods__", "__orig_bases__", "__parameters__", "__type_params__"),
        *("__dataclass_fields__", "__dataclass_params__", "__subclasshook__", "__init_subclass__.__wrapped__"),
    }
)


def class_digest(cls: type, visitor: Visitor) -> str:
    """Digest of a class; its reads of globals are told to the visitor.

    Raises:
        UndigestibleError: an attribute has no content, such as an open connection.
    """
    registered = _registered(cls, visitor)
    if belongs_to_package(cls):
        named = by_name(cls, visitor)
        return digest_texts("class", named, registered) if registered else named
    if name_origin(cls.__module__) is not Origin.LOCAL and cls.__module__ != types.__name__:
        return _made_by_package(cls, visitor)  # what types makes, for make_dataclass too, is what its caller says
    texts = [cls.__name__, *(visitor.ref(base) for base in cls.__bases__)]
    if type(cls) is not type:
        texts.append(digest_texts("metaclass", visitor.ref(type(cls))))
    texts.extend(_annotations(cls, visitor))
    attributes = _enum_attributes(cls) if issubclass(cls, Enum) else sorted(vars(cls).items())
    for name, value in attributes:
        if name not in _UNCOUNTED or (name == "__subclasshook__" and _is_users(value)):
            texts.append(digest_texts("attribute", name, _attribute(name, value, visitor)))
    texts.extend(_original_bases(cls, visitor))
    texts.extend([registered] if registered else [])
    if "__dataclass_fields__" in vars(cls):
        texts.extend(_fields(cls, visitor))
    return digest_texts("class", *texts)


def _made_by_package(cls: type, visitor: Visitor) -> str:
    """A class that installed code made at run time: by its name, and by what the user put into it."""
    texts = [by_name(cls, visitor), *(visitor.ref(base) for base in cls.__bases__)]
    for name, value in sorted(vars(cls).items()):
        if isinstance(value, types.FunctionType) and origin_of(value) is Origin.LOCAL:
            texts.append(digest_texts("attribute", name, function_digest(value, visitor)))
    return digest_texts("class", *texts)


def _is_users(value: object) -> bool:
    function = getattr(value, "__func__", value)
    return isinstance(function, types.FunctionType) and origin_of(function) is Origin.LOCAL


def _attribute(name: str, value: object, visitor: Visitor) -> str:
    if isinstance(value, types.FunctionType):
        return function_digest(value, visitor)
    try:
        return visitor.inner(value, f"attribute {name}")
    except UndigestibleError:
        if name.startswith("__") and name.endswith("__"):
            return digest_texts("machinery", name)  # what metaclasses keep for themselves, made from the rest
        raise


def _enum_attributes(cls: type[Enum]) -> list[tuple[str, object]]:
    """Members by name, value and attributes, in order, and whatever else it holds; not enum's own tables."""
    members = [(name, member.value, _attributes_of(member)) for name, member in cls.__members__.items()]
    names = set(cls.__members__)
    others = [
        (name, value)
        for name, value in sorted(vars(cls).items())
        if name not in names and (_is_code(value) or not _is_sunder(name))
    ]
    return [("__members__", tuple(members)), ("_boundary_", str(vars(cls).get("_boundary_"))), *others]


def _attributes_of(member: Enum) -> dict[str, object]:
    """What a member holds beside its name and value; properties that it computed once are no part of it."""
    computed = {"__objclass__"} | {
        name for base in type(member).__mro__ for name, each in vars(base).items() if _is_computed(each)
    }
    held = sorted(vars(member).items())
    return {name: value for name, value in held if not _is_sunder(name) and name not in computed}


def _is_computed(value: object) -> bool:
    return isinstance(value, functools.cached_property)


def _is_sunder(name: str) -> bool:
    """Whether a name is one of those that enum reserves for itself."""
    return name.startswith("_") and name.endswith("_") and not name.startswith("__")


def _is_code(value: object) -> bool:
    return isinstance(value, (types.FunctionType, property, classmethod, staticmethod))


def _is_current(cls: object, visitor: Visitor) -> bool:
    """Whether a class is what its name stands for: one that was defined anew stays registered for a while."""
    if not isinstance(cls, type):
        return False
    holder, _, rest = cls.__qualname__.partition(".")
    found = visitor.names_of(cls.__module__).get(holder)
    return (getattr(found, "__dict__", {}).get(rest) if rest else found) is cls


def _original_bases(cls: type, visitor: Visitor) -> Iterator[str]:
    """The arguments of generic bases: code reads them at run time."""
    names = visitor.names_of(cls.__module__)
    for base in vars(cls).get("__orig_bases__", ()):
        yield digest_texts("generic", annotation_digest(base, names, visitor))


def _registered(cls: Any, visitor: Visitor) -> str:
    """The user's classes that were registered with an abstract class, or the classes registered with one of the user's.

    The interpreter gives them away to its own tests only.
    """
    if not isinstance(cls, abc.ABCMeta):
        return ""
    dump = getattr(abc, "_get_dump", None)
    known = [] if dump is None else [reference() for reference in dump(cls)[0]]
    is_own = origin_of(cls) is Origin.LOCAL
    counted = [each for each in known if (is_own or origin_of(each) is Origin.LOCAL) and _is_current(each, visitor)]
    return digest_unordered("registered", [visitor.ref(each) for each in counted]) if counted else ""


def _annotations(cls: type, visitor: Visitor) -> Iterator[str]:
    names = visitor.names_of(cls.__module__)
    for name, value in dict(vars(cls).get("__annotations__") or {}).items():
        yield digest_texts("annotation", name, annotation_digest(value, names, visitor))


def _fields(cls: Any, visitor: Visitor) -> Iterator[str]:
    """A dataclass's fields: the objects themselves hold views that have no content."""
    for field in vars(cls)["__dataclass_fields__"].values():
        plain = {
            "flags": (field.init, field.repr, field.hash, field.compare, field.kw_only),
            "metadata": dict(field.metadata),
        }
        for name in ("default", "default_factory"):
            value = getattr(field, name)
            if value is not dataclasses.MISSING:
                plain[name] = value
        yield digest_texts("field", field.name, visitor.inner(plain, f"field {field.name}"))
    parameters = vars(cls).get("__dataclass_params__")
    yield digest_texts("dataclass", repr(parameters))
