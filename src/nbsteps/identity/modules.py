"""Modules by what they are made of: the user's by their source, transitively, installed ones by their version.

Imports are found statically and never executed. The standard library counts by the Python version, a part of each key.
"""

from __future__ import annotations

import ast
import importlib.machinery
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

from nbsteps.core.findings import finding
from nbsteps.core.model import Part, PartKind
from nbsteps.identity.codeobjects import Import, import_of, tree_facts, tree_texts
from nbsteps.identity.distributions import EnvMode, package_part
from nbsteps.identity.feed import digest_text
from nbsteps.identity.filehash import FileCache
from nbsteps.identity.loaded import edited_since_import
from nbsteps.identity.places import Origin, file_origin, module_file, module_origin
from nbsteps.identity.trees import module_digest


class Scanned(NamedTuple):
    """A module's file, read: digest of its tree (of its bytes where it is no Python source), and its imports."""

    digest: str
    imports: tuple[Import, ...]


class Found(NamedTuple):
    """Where a module is: loaded or not, nothing was executed to find out."""

    name: str
    origin: Origin
    file: str
    search: tuple[str, ...] | None


class ModuleParts(NamedTuple):
    """What modules come to: parts, and the names of those whose file was edited after they were imported."""

    parts: tuple[Part, ...]
    edited: tuple[str, ...]
    sourceless: tuple[str, ...]


def _scan(path: str) -> Scanned:
    data = Path(path).read_bytes()
    if path.endswith((".py", ".pyw")):
        try:
            return _parsed(data.decode("latin-1"))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
    return Scanned(digest_text(data.hex()), ())


def _unpack(fields: list[Any]) -> Scanned:
    digest, imports = fields
    return Scanned(digest, tuple(Import(level, module, tuple(names)) for level, module, names in imports))


@finding(list, _unpack)
def _parsed(text: str) -> Scanned:
    """What a source says, given its bytes as characters: it may say itself how it is encoded."""
    data = text.encode("latin-1")
    tree = ast.parse(data)
    return Scanned(module_digest(tree), (*tree_facts(tree).imports, *_by_name(tree, data)))


def _by_name(tree: ast.AST, data: bytes) -> Iterator[Import]:
    """The modules that a source may import by a name in its texts."""
    if b"import_module" in data or b"__import__" in data:
        texts = tree_texts(tree)
        yield from map(import_of, sorted(texts.modules) if texts.imports else ())


_SCANNED: Final = FileCache(_scan)


def module_parts(names: Iterable[str], env: EnvMode) -> ModuleParts:
    """Parts for modules by their full names, and for all that they import, transitively."""
    parts: dict[str, Part] = {}
    edited: list[str] = []
    sourceless: list[str] = []
    queue = sorted(set(names))
    seen = set(queue)
    while queue:
        found = locate(queue.pop())
        if found is None or found.origin is Origin.PYTHON:
            continue
        if found.origin is Origin.INSTALLED:
            part = package_part(found.name, env)
            if part is not None:
                parts[f"package {part.name}"] = part
            continue
        scanned = _source(found)
        if scanned is None:
            sourceless.append(found.name)
            continue
        parts[found.name] = Part(PartKind.MODULE, found.name, scanned.digest, detail=scanned.digest[:8])
        module = sys.modules.get(found.name)
        if module is not None and found.file and edited_since_import(module, found.file, scanned.digest):
            edited.append(found.name)
        wanted = imported_names(scanned.imports, _package_of(found))
        fresh = [name for name in (*_parents(found.name), *wanted) if name not in seen]
        seen.update(fresh)
        queue.extend(sorted(set(fresh)))
    return ModuleParts(tuple(parts.values()), tuple(sorted(edited)), tuple(sorted(sourceless)))


def imported_names(imports: Iterable[Import], package: str) -> Iterator[str]:
    """Full names of the modules that import statements may load; a name from a package may be a module or not."""
    for each in imports:
        base = each.module
        if each.level:
            above = package.split(".") if package else []
            above = above[: len(above) - each.level + 1]
            base = ".".join([*above, *([each.module] if each.module else [])])
        if not base:
            continue
        yield from _parents(base)
        yield base
        yield from (f"{base}.{name}" for name in each.names if name != "*")


def locate(name: str) -> Found | None:
    """Where the module of that name is, among the loaded ones or on the import path; None if nowhere."""
    top = name.partition(".")[0]
    module = sys.modules.get(name)
    if isinstance(module, ModuleType):
        search = vars(module).get("__path__")
        places = tuple(str(place) for place in search) if search is not None else None
        return Found(name, module_origin(module), module_file(module), places)
    if name in sys.modules or (top in sys.stdlib_module_names and top not in sys.modules):
        return None
    parent, _, _ = name.rpartition(".")
    if not parent:
        return _from_spec(name, None)
    above = locate(parent)
    if above is None or above.search is None or above.origin is not Origin.LOCAL:
        return None
    return _from_spec(name, above.search)


def _from_spec(name: str, search: tuple[str, ...] | None) -> Found | None:
    """Ask the import system's finders, which look but do not load."""
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, list(search) if search is not None else None, None)
        except Exception:  # noqa: BLE001, S112 - any package may have put a finder there; one that fails finds nothing
            continue
        if isinstance(spec, importlib.machinery.ModuleSpec):
            return _described(name, spec)
    return None


def _described(name: str, spec: importlib.machinery.ModuleSpec) -> Found:
    places = spec.submodule_search_locations
    search = tuple(str(place) for place in places) if places is not None else None
    if spec.has_location and spec.origin:
        return Found(name, file_origin(spec.origin), spec.origin, search)
    if search:
        return Found(name, file_origin(search[0]), "", search)
    return Found(name, Origin.PYTHON, "", None)


def _source(found: Found) -> Scanned | None:
    """The module's own content; a namespace package has none but is there."""
    if not found.file:
        return Scanned(digest_text("namespace"), ()) if found.search is not None else None
    try:
        return _SCANNED.get(found.file)
    except OSError:
        return None


def _package_of(found: Found) -> str:
    return found.name if found.search is not None else found.name.rpartition(".")[0]


def _parents(name: str) -> list[str]:
    """The packages above a module: importing it runs them too."""
    pieces = name.split(".")
    return [".".join(pieces[:count]) for count in range(1, len(pieces))]


_remembered: tuple[int, str] = (0, "")


def local_modules() -> Iterator[tuple[ModuleType, str]]:
    """The user's loaded modules with their files."""
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType) and module.__name__ != "__main__":
            file = module_file(module)
            if file and file_origin(file) is Origin.LOCAL:
                yield module, file


def remember_imports() -> None:
    """Take note of what the user's modules were loaded from; cheap, to be called after each cell.

    The sooner after an import, the surer an edit in between is noticed. Where nothing was imported since the last call
    only the count and the newest name are looked at; a module that was merely reloaded is noted when it is next read.
    """
    global _remembered  # noqa: PLW0603 - there is one table of modules in a process
    loaded = (len(sys.modules), next(reversed(sys.modules), ""))
    if loaded == _remembered:
        return
    _remembered = loaded
    for module, file in local_modules():
        try:
            edited_since_import(module, file, _SCANNED.get(file).digest)
        except OSError:
            continue
