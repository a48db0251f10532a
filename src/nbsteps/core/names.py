"""Python source of a cell -> the global names that it reads, assigns, defines and changes.

``analyse`` never looks at a live value. Where it cannot know, it says that a name may be read: a name too many costs a
rerun, a name too few costs a wrong result.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from nbsteps.core import quoted
from nbsteps.core.findings import finding
from nbsteps.core.source import parse
from nbsteps.core.statements import Statements

_DYNAMIC = frozenset({"exec", "eval", "globals", "locals", "vars", "get_ipython", "__import__"})


class Names(NamedTuple):
    """What the source of one cell does with global names.

    Attributes:
        reads: names that it may read from outside: on some path before it has surely assigned them itself, in its
            statements or in a function that it defines. Builtins are among them; the caller takes them out.
        unsure: those of ``reads`` that it reads only after it may have assigned them itself, as ``total`` in
            ``for x in xs: total = x`` and then ``print(total)``.
        writes: names that it may assign in the module's namespace, and that are not surely deleted at its end.
        definite: those of ``writes`` that are surely assigned at its end.
        assigned: names assigned as plain values, in order of first assignment: no imports, functions, classes,
            targets of ``for`` and ``with``, captures of ``match``, and none with a leading underscore. Candidates
            for inferred outputs.
        defs: functions, classes, lambdas bound to a name, and type aliases.
        imports: bound name -> dotted module that it comes from (``a`` -> ``a.b`` for ``import a.b``).
        modules: every dotted module imported anywhere in the source, in functions too; relative ones start with dots.
        stars: modules imported with a star.
        mutated: names from outside whose attributes or items are assigned or deleted.
        deferred: name of a function, class or alias -> global names that calling it may read.
        dynamic: it uses ``exec``, ``globals()``, ``%run`` or the like, so that names may be used that nobody can see.
        has_await: it awaits outside functions.
    """

    reads: frozenset[str]
    unsure: frozenset[str]
    writes: frozenset[str]
    definite: frozenset[str]
    assigned: tuple[str, ...]
    defs: frozenset[str]
    imports: Mapping[str, str]
    modules: tuple[str, ...]
    stars: tuple[str, ...]
    mutated: frozenset[str]
    deferred: Mapping[str, frozenset[str]]
    dynamic: bool
    has_await: bool


_NONE: Mapping[str, str] = MappingProxyType({})
_NOTHING_DEFERRED: Mapping[str, frozenset[str]] = MappingProxyType({})
_EMPTY: tuple[Any, ...] = ((), (), (), (), (), (), {}, (), (), (), {}, False, False)
"""Nothing, for each field of :class:`Names`."""


def _pack(names: Names) -> list[Any]:
    """All fields in their order, without the empty ones at the end."""
    fields: list[Any] = list(names)
    while fields and not fields[-1]:
        fields.pop()
    return [_plain(field) for field in fields]


def _plain(field: object) -> object:
    if isinstance(field, frozenset):
        return sorted(field)
    return {name: _plain(value) for name, value in field.items()} if isinstance(field, Mapping) else field


def _unpack(fields: list[Any]) -> Names:
    reads, unsure, writes, definite, assigned, defs, imports, *rest = (*fields, *_EMPTY[len(fields) :])
    modules, stars, mutated, deferred, dynamic, has_await = rest
    return Names(
        frozenset(reads),
        frozenset(unsure),
        frozenset(writes),
        frozenset(definite),
        tuple(assigned),
        frozenset(defs),
        MappingProxyType(imports) if imports else _NONE,
        tuple(modules),
        tuple(stars),
        frozenset(mutated),
        _callable(deferred) if deferred else _NOTHING_DEFERRED,
        dynamic,
        has_await,
    )


def _callable(deferred: dict[str, list[str]]) -> Mapping[str, frozenset[str]]:
    return MappingProxyType({name: frozenset(reads) for name, reads in deferred.items()})


@finding(_pack, _unpack)
def analyse(source: str) -> Names:
    """Analyse the text of a cell's body.

    Raises:
        SyntaxError: the text does not parse; with the line number in ``source``.
    """
    tree = parse(source)
    walk = Statements(lazy_annotations="annotations" in source and _has_lazy_annotations(tree))
    try:
        walk.block(tree.body)
        walk.finish()
    except RecursionError as error:
        raise SyntaxError("nested too deeply to analyse", ("<cell>", 1, 1, None)) from error
    if quoted.MAY_HOLD_SQL.search(source):
        for name in quoted.tables_in(tree):
            walk.load(name)
        walk.reads -= walk.stored.keys() - _loaded(tree)
    gone = walk.last.gone - walk.remote
    writes = frozenset(walk.stored) - gone if gone else frozenset(walk.stored)
    values = (name for name in walk.candidates if not name.startswith("_"))
    return Names(
        reads=frozenset(walk.reads),
        unsure=frozenset(walk.reads - walk.first_reads),
        writes=writes,
        definite=frozenset(walk.last.bound) & writes,
        assigned=tuple(n for n in values if n in writes and n not in walk.defs and n not in walk.imports),
        defs=frozenset(walk.defs) & writes,
        imports=MappingProxyType(walk.imports) if walk.imports else _NONE,
        modules=tuple(walk.modules),
        stars=tuple(walk.stars),
        mutated=frozenset(walk.mutated),
        deferred=_deferred(walk) if walk.bodies or walk.aliases else _NOTHING_DEFERRED,
        dynamic=walk.foreign or not _DYNAMIC.isdisjoint(walk.reads),
        has_await=walk.awaits,
    )


def _loaded(tree: ast.Module) -> set[str]:
    """Names that the code itself reads somewhere, not only a string in it.

    A table that is called as the variable it is read into (``orders = read_sql("select * from orders", db)``) is no
    read of that variable.
    """
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _deferred(walk: Statements) -> Mapping[str, frozenset[str]]:
    """What calling each function, class or alias may read."""
    found = dict(walk.aliases)
    for name, uses in walk.bodies.items():
        found[name] = found.get(name, frozenset()) | uses.reads
    return MappingProxyType(found)


def _has_lazy_annotations(tree: ast.Module) -> bool:
    """Whether ``from __future__ import annotations`` is in force."""
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(a.name == "annotations" for a in node.names)
        for node in tree.body
    )
