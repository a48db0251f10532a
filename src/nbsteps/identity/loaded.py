"""Whether a loaded module is still what its file says: a result of old code must not be kept under new source.

What a module was loaded from is remembered when it is first seen; a reload gives it a new spec, and so a new memory.
Whether the file was edited between the import and that first look is told from the bytecode: of the functions that the
module holds, and of the ``.pyc`` that the import left.
"""

from __future__ import annotations

import marshal
import os
import sys
import warnings
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Final

from nbsteps.identity.codeobjects import code_digest, nested_codes
from nbsteps.identity.filehash import file_state

_HEADER: Final = 16
_seen: dict[int, tuple[object, str]] = {}


def edited_since_import(module: ModuleType, file: str, digest: str) -> bool:
    """Whether ``file``, whose source digest is ``digest`` now, is not what ``module`` was loaded from."""
    identity = vars(module).get("__spec__") or module
    known = _seen.get(id(identity))
    if known is None or known[0] is not identity:
        loaded = digest if _looks_loaded_from(module, file) else "edited before it was first seen"
        known = _seen[id(identity)] = (identity, loaded)
    return known[1] != digest


def _looks_loaded_from(module: ModuleType, file: str) -> bool:
    """Whether nothing in the loaded module contradicts its file. Loaders that rewrite code say nothing."""
    spec = vars(module).get("__spec__")
    if type(getattr(spec, "loader", None)) is not SourceFileLoader:
        return True
    compiled = _compile(file)
    if compiled is None:
        return False
    expected = {code_digest(each) for each in nested_codes(compiled)}
    if any(code_digest(code) not in expected for code in _held_codes(module, file)):
        return False
    cached = getattr(spec, "cached", None)
    return not isinstance(cached, str) or _bytecode_agrees(cached, file, compiled)


def _compile(file: str) -> CodeType | None:
    try:
        data = Path(file).read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(data, file, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


def _held_codes(module: ModuleType, file: str) -> Iterator[CodeType]:
    """Code of the functions and methods that the module holds and that were compiled from its file."""
    for value in list(vars(module).values()):
        members = vars(value).values() if isinstance(value, type) and value.__module__ == module.__name__ else (value,)
        for member in list(members):
            function = getattr(member, "__func__", member)
            if isinstance(function, FunctionType) and function.__code__.co_filename == file:
                yield function.__code__


def _bytecode_agrees(cached: str, file: str, compiled: CodeType) -> bool:
    """Whether the ``.pyc`` that the import used or left was made from a source that compiles to the same.

    The import would have written it anew had it differed, unless writing is off or not allowed: then it says nothing.
    """
    try:
        data = Path(cached).read_bytes()
    except OSError:
        return True
    state = file_state(file)
    if state is None or len(data) < _HEADER or int.from_bytes(data[4:8], "little"):
        return True
    try:
        written = marshal.loads(data[_HEADER:])  # noqa: S302 - the interpreter itself loads this file
    except (ValueError, EOFError, TypeError):
        return True
    if isinstance(written, CodeType) and code_digest(written) == code_digest(compiled):
        return True
    header = (int.from_bytes(data[8:12], "little"), int.from_bytes(data[12:16], "little"))
    if header == (state.mtime_ns // 1_000_000_000 & 0xFFFFFFFF, state.size & 0xFFFFFFFF):
        return False  # edited within one second without changing its size: the import took the old bytecode
    return sys.dont_write_bytecode or not os.access(Path(cached).parent, os.W_OK)
