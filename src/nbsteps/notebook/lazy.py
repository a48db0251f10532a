"""Stored values that are bound to names but loaded only when a cell first mentions the name.

A pending name is absent from the namespace. Before a cell runs, the names in its text, and the names that the
notebook's own functions reach from there, are looked up among the pending ones, and those found are loaded. When in
doubt, a name counts as mentioned: loading too much costs time, loading too little would be a NameError.
"""

from __future__ import annotations

import dis
import functools
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from nbsteps.core.source import split_cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["LazyNames"]

_WORD = re.compile(r"[^\W\d]\w*")
_NAMESPACES = frozenset({"user_ns", "user_global_ns", "builtins"})
_LISTERS = frozenset({"globals", "locals", "vars", "eval", "exec", "dir", "compile"})
_LISTER = re.compile(rf"(?<![\w.])(?:{'|'.join(sorted(_LISTERS))})\b")
_LISTING_MAGIC = re.compile(
    r"(?m)^[ \t]*(?:%[ \t]*(?:who|store|psearch|reset)|who(?:s|_ls)?[ \t]*(?:#|$))|\*\w*\?|\w\*\?"
)
_PIPELINE_LINE = re.compile(r"(?m)^[ \t]*%{0,2}pipeline\b(?:.*\\\n)*.*$")
_NOTEBOOK_MODULE = "__main__"
_CONTAINERS = (list, tuple, set, frozenset, dict)
_FEW = 64
_PLAIN = (types.ModuleType, str, bytes, int, float, complex, type(None))
_MAX_CACHED = 20_000


class LazyNames:
    """The pending names of one namespace.

    Args:
        namespace: the user's global names, live.
        shell: tells which cell is being executed and announces the next one; None for a namespace without cells.
    """

    def __init__(self, namespace: MutableMapping[str, object], shell: InteractiveShell | None = None) -> None:
        self._namespace = namespace
        self._shell = shell
        self._pending: dict[str, Callable[[], object]] = {}
        self._listening = False
        self._codes: dict[int, tuple[types.CodeType, frozenset[str]]] = {}
        self._current: tuple[object, _Mentions] | None = None

    def bind(self, name: str, load: Callable[[], object]) -> None:
        """Make the name pending; what it was bound to before is gone.

        A cell that starts a run and goes on with the results (``%pipeline run`` above ``df.head()``) has mentioned the
        name already: then it is loaded now.
        """
        self._namespace.pop(name, None)
        self._pending[name] = load
        self._listen()
        if name in self._mentions_of_running_cell():
            self._load_or_tell(name)

    def pending(self, name: str) -> bool:
        """Whether the name is bound lazily and not loaded yet."""
        return name in self._pending and name not in self._namespace

    def materialise(self, names: Iterable[str]) -> None:
        """Load those of the names that are pending.

        Raises:
            StoreError: the stored value is damaged or not trusted; the name is no longer pending, and unbound.
        """
        for name in names:
            if name in self._pending:
                self._load(name)

    def forget(self, name: str) -> None:
        """Drop a pending name; nothing happens where it is not pending."""
        self._pending.pop(name, None)

    def superseded(self, names: Iterable[str]) -> None:
        """Drop those of the names that something has assigned meanwhile: the stored value must not come back."""
        for name in names:
            if name in self._namespace:
                self._pending.pop(name, None)

    def mentioned(self, source: str) -> set[str]:
        """Pending names that a cell with this text mentions, itself or through what it calls."""
        if not self._pending:
            return set()
        mentions = self._reach(source)
        if mentions.all:
            return set(self._pending)
        return {name for name in mentions.names if name in self._pending}

    def pre_run_cell(self, info: Any) -> None:
        """Load what the cell that is about to run mentions; a callback for IPython's event of that name.

        Step cells and lone ``%pipeline`` lines are left to the engine, which knows what they need.
        """
        if self._pending:
            self.before_text(_text_to_search(info.raw_cell or ""))
        if not self._pending:
            self._rest()

    def before_text(self, source: str) -> None:
        """Load what a text that is about to be executed mentions; one that cannot be loaded is named on stderr."""
        if self._pending and source:
            for name in sorted(self.mentioned(source)):
                self._load_or_tell(name)

    def close(self) -> None:
        """Stop listening for cells; pending names stay unbound."""
        self._rest()
        self._pending.clear()

    def _listen(self) -> None:
        if not self._listening and self._shell is not None:
            self._shell.events.register("pre_run_cell", self.pre_run_cell)
            self._listening = True

    def _rest(self) -> None:
        """Listen no longer than there is something to load, also when nbsteps was unloaded meanwhile."""
        if self._listening and self._shell is not None:
            self._shell.events.unregister("pre_run_cell", self.pre_run_cell)
        self._listening = False

    def _load(self, name: str) -> None:
        load = self._pending.pop(name)
        if name in self._namespace:
            return  # assigned since by a way that no text shows: the newer value counts
        try:
            value = load()
        except Exception:
            raise
        except BaseException:
            self._pending[name] = load  # interrupted: the next mention tries again
            raise
        self._namespace[name] = value

    def _load_or_tell(self, name: str) -> None:
        try:
            self._load(name)
        except Exception as error:  # noqa: BLE001 - one value that cannot be loaded must not keep the user's cell from running
            print(f"nbsteps: {name} could not be restored: {error}", file=sys.stderr)  # noqa: T201 - meant for the user
            if not getattr(getattr(error, "problem", None), "hint", ""):
                print(f"    run the step that writes {name} again, or: %pipeline run", file=sys.stderr)  # noqa: T201

    def _mentions_of_running_cell(self) -> _Mentions:
        result = getattr(getattr(self._shell, "displayhook", None), "exec_result", None)
        if result is None or result.info is None:
            return _NOTHING
        if self._current is None or self._current[0] is not result:
            self._current = (result, self._reach(_text_to_search(result.info.raw_cell or "")))
        return self._current[1]

    def _reach(self, source: str) -> _Mentions:
        """Every name that running this text may look up."""
        words = set(_WORD.findall(source))
        if not words.isdisjoint(_NAMESPACES) or _LISTER.search(source) or _LISTING_MAGIC.search(source):
            return _EVERYTHING
        todo = list(words)
        seen: set[int] = set()
        while todo:
            value = self._namespace.get(todo.pop())
            if _is(value, _PLAIN):
                continue
            for code in _codes_of(value, self._namespace, seen):
                found = self._names_of(code)
                if not found.isdisjoint(_NAMESPACES):
                    return _EVERYTHING
                todo.extend(found - words)
                words |= found
        return _Mentions(words)

    def _names_of(self, code: types.CodeType) -> frozenset[str]:
        known = self._codes.get(id(code))
        if known is None or known[0] is not code:
            if len(self._codes) >= _MAX_CACHED:
                self._codes.clear()
            words = set(_words_in(code))
            if not words.isdisjoint(_LISTERS) and _calls_lister(code):
                words |= _NAMESPACES
            known = self._codes[id(code)] = (code, frozenset(words))
        return known[1]


class _Mentions:
    """A set of names, or all names there are."""

    __slots__ = ("all", "names")

    def __init__(self, names: set[str] | None) -> None:
        self.all = names is None
        self.names = names or set()

    def __contains__(self, name: str) -> bool:
        return self.all or name in self.names


_NOTHING = _Mentions(set())
_EVERYTHING = _Mentions(None)


def _text_to_search(raw: str) -> str:
    """The text of a cell in which mentions count: nothing of a step cell, and no ``%pipeline`` line."""
    if "%%step" in raw and split_cell(raw) is not None:
        return ""
    return _PIPELINE_LINE.sub("", raw) if "pipeline" in raw else raw


def _words_in(code: types.CodeType) -> Iterator[str]:
    """Names that the code looks up, and words in its text constants: a query in a helper names a table by its text."""
    yield from code.co_names
    todo: list[object] = list(code.co_consts)
    while todo:
        constant = todo.pop()
        if isinstance(constant, str):
            yield from _WORD.findall(constant)
        elif isinstance(constant, tuple | frozenset):
            todo.extend(constant)
        elif isinstance(constant, types.CodeType):
            yield from _words_in(constant)


def _calls_lister(code: types.CodeType) -> bool:
    """Whether the code looks up one of the functions that see all names; a method called ``eval`` is none."""
    if any(
        step.opname in {"LOAD_GLOBAL", "LOAD_NAME"} and step.argval in _LISTERS for step in dis.get_instructions(code)
    ):
        return True
    return any(isinstance(constant, types.CodeType) and _calls_lister(constant) for constant in code.co_consts)


def _is(item: object, kinds: Any) -> bool:
    """``isinstance`` by the real type: a proxy asked for its class may go and load what it stands for."""
    return issubclass(type(item), kinds)


def _codes_of(value: object, namespace: MutableMapping[str, object], seen: set[int]) -> Iterator[types.CodeType]:
    """Code objects of the notebook's own functions that using ``value`` may run."""
    todo: list[Any] = [value]
    while todo:
        item = todo.pop()
        if _is(item, _PLAIN) or id(item) in seen:
            continue
        seen.add(id(item))
        if _is(item, types.FunctionType):
            if item.__globals__ is namespace:
                yield item.__code__
            todo.extend(_parts_of_function(item))
        else:
            todo.extend(_parts(item))


def _parts_of_function(function: types.FunctionType) -> Iterator[object]:
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    yield from function.__dict__.values()
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue


def _parts(item: Any) -> Iterable[object]:
    """What can be called through ``item``, one level down."""
    if _is(item, types.MethodType):
        return (item.__func__, item.__self__)
    if _is(item, functools.partial):
        return (item.func, *item.args, *item.keywords.values())
    if _is(item, property):
        return (item.fget, item.fset, item.fdel)
    if _is(item, staticmethod | classmethod):
        return (item.__func__,)
    if _is(item, type):
        return _parts_of_class(item)
    return _parts_of_container(item) if type(item) in _CONTAINERS else _parts_of_instance(item)


def _parts_of_class(item: type) -> Iterator[object]:
    for base in item.__mro__:
        if base.__module__ == _NOTEBOOK_MODULE:
            yield from list(vars(base).values())


def _parts_of_container(item: Any) -> Iterable[object]:
    """Members of a small container: a table of functions has few."""
    if len(item) > _FEW:
        return ()
    return list(item.values()) if _is(item, dict) else list(item)


def _parts_of_instance(item: object) -> Iterator[object]:
    yield type(item)
    try:
        attributes = object.__getattribute__(item, "__dict__")
    except (AttributeError, TypeError):
        attributes = None
    if isinstance(attributes, dict) and len(attributes) <= _FEW:
        yield from (value for value in list(attributes.values()) if callable(value))
