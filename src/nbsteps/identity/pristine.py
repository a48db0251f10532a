"""Functions of the user's modules that are just what the module's source says.

The module's part says it all then. That matters for modules that a body imports itself: before its first run they are
not loaded, and the step must have the same key as afterwards.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable

from nbsteps.core.model import Part, PartKind
from nbsteps.identity.codeobjects import Import
from nbsteps.identity.modules import locate
from nbsteps.identity.places import Origin, module_file
from nbsteps.identity.sources import source_of


def imports_own(imports: Iterable[Import]) -> bool:
    """Whether any of the imports is of a module of the user."""
    found = map(locate, {each.module.partition(".")[0] for each in imports})
    return any(each is not None and each.origin is Origin.LOCAL for each in found)


def is_pristine(part: Part) -> bool:
    """Whether a part stands for a function that nobody has changed since its module was loaded from its file."""
    module_name, _, name = part.name.rpartition(".")
    module = sys.modules.get(module_name)
    function = vars(module).get(name) if isinstance(module, types.ModuleType) else None
    if part.kind is not PartKind.HELPER or not isinstance(function, types.FunctionType) or module is None:
        return False
    state = (function.__defaults__, function.__kwdefaults__, function.__closure__, vars(function))
    code = function.__code__
    return not any(state) and code.co_filename == module_file(module) and bool(source_of(code)[0])
