"""What a cell may have put into a module that is not the user's, told apart from what the module brings itself."""

from __future__ import annotations

import builtins
import functools
import types
from typing import Final, Literal

from nbsteps.identity.helpers import origin_of
from nbsteps.identity.places import Origin, name_origin

_PLAIN: Final = frozenset(
    {str, bytes, int, float, bool, complex, type(None), tuple, list, dict, set, frozenset, bytearray}
)
_TABLES: Final = frozenset({"ndarray", "DataFrame", "Series", "Table"})
_OF_PROCESS: Final = frozenset(
    {
        *("sys.path", "sys.meta_path", "sys.path_hooks", "sys.executable", "sys.prefix", "sys.modules"),
        *("sys.path_importer_cache", "sys.dont_write_bytecode", "sys.ps1", "sys.ps2"),
    }
)
_OWN_BUILTINS: Final = frozenset(vars(builtins))
_SHELL: Final = ("IPython.", "ipykernel.", "nbsteps.")
_MACHINERY_OF_SHELL: Final = ("IPython.core.", "IPython.terminal.", "ipykernel.", "nbsteps.")
_SHOWN: Final = ("IPython.core.display.", "IPython.core.display_functions.")
Kind = Literal["own", "plain", ""]


def kind_of(module: types.ModuleType, name: str, value: object) -> Kind:
    """How the value of a name counts that code reads from a module which is not the user's.

    Returns:
        ``own`` for what only a cell can have put there, ``plain`` for a value without code that may be the library's
        as well, ``""`` for what the library's version says.
    """
    if f"{module.__name__}.{name}" in _OF_PROCESS or value is module:
        return ""
    if isinstance(value, (type, types.FunctionType)):
        return "own" if origin_of(value) is Origin.LOCAL and not is_shell(value) else ""
    kind = type(value)
    if module is builtins and name not in _OWN_BUILTINS and not is_machinery(kind):
        return "own"
    if isinstance(value, functools.partial) or (name_origin(kind.__module__) is Origin.LOCAL and not is_shell(kind)):
        return "own"
    return "plain" if kind in _PLAIN or kind.__name__ in _TABLES else ""


def is_shell(value: object) -> bool:
    """Whether code is IPython's own: it puts its helpers into the user's names."""
    module = value.__globals__.get("__name__") if isinstance(value, types.FunctionType) else None
    return f"{module or getattr(value, '__module__', None)}.".startswith(_SHELL)


def is_machinery(kind: type) -> bool:
    """Whether values of a class are IPython's own: the shell and its helpers, not what a cell makes to be shown."""
    module = f"{kind.__module__}."
    return module.startswith(_MACHINERY_OF_SHELL) and not module.startswith(_SHOWN)
