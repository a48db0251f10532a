"""Python programs that run as child processes: the modules that they import, as far as those are the user's."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from nbsteps.identity.codeobjects import tree_facts
from nbsteps.identity.modules import imported_names, locate
from nbsteps.identity.places import Origin

_PYTHON: Final = re.compile(r"(?:python|pypy)[\d.]*(?:\.exe)?")
_MOST: Final = 500


def sources_of(words: Sequence[str], folder: str | None) -> Iterator[str]:
    """Files of the modules that a command imports if it runs Python: a script, ``-m`` a module, ``-c`` a program.

    Args:
        words: of the command.
        folder: where it runs; None for where this process does.
    """
    for at, word in enumerate(words):
        if _PYTHON.fullmatch(os.path.basename(word)):  # noqa: PTH119 - a text
            yield from _sources(words[at + 1 :], Path(folder or os.curdir).absolute())
            return


def _sources(arguments: Sequence[str], folder: Path) -> Iterator[str]:
    for option, following in zip(arguments, (*arguments[1:], ""), strict=True):
        if option == "-m":
            yield from _followed([following, f"{following}.__main__"], folder)
        elif option == "-c":
            yield from _followed(_imports(following), folder)
        elif option.endswith(".py"):
            script = folder / option
            yield from _followed(_imports_of_file(script), script.parent)
        else:
            continue
        return


def _followed(names: Sequence[str], folder: Path) -> Iterator[str]:
    """Files of modules and of all that these import: first beside the program, then where this process finds them."""
    queue, seen = list(names), set[str]()
    while queue and len(seen) < _MOST:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        file = _file(name, folder)
        if file is not None:
            yield str(file)
            queue += _imports_of_file(file, name if file.stem == "__init__" else name.rpartition(".")[0])


def _file(name: str, folder: Path) -> Path | None:
    base = folder.joinpath(*name.split("."))
    for path in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
        if path.is_file():
            return path
    found = locate(name)
    return Path(found.file) if found is not None and found.origin is Origin.LOCAL and found.file else None


def _imports_of_file(file: Path, package: str = "") -> list[str]:
    try:
        return _imports(file.read_text(encoding="utf-8"), package)
    except (OSError, UnicodeDecodeError):
        return []


def _imports(source: str, package: str = "") -> list[str]:
    try:
        facts = tree_facts(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return list(imported_names(facts.imports, package))
