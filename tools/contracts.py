"""A kind of import contract that import-linter lacks: modules that import the standard library and each other only."""

from __future__ import annotations

import sys
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class StandardLibraryContract(Contract):
    """Modules, with what is below them, that import nothing from outside the project and the standard library.

    A list of forbidden distributions would miss the next one that somebody adds.
    """

    type_name = "standard_library"

    modules = fields.ListField(subfield=fields.ModuleField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001 - import-linter's own
        """Look at the direct imports of every module covered; what others import for them is the layers' affair."""
        covered = {name for module in self.modules for name in (module.name, *graph.find_descendants(module.name))}  # type: ignore[attr-defined]  # a field gives its value on instances
        roots = {module.root_package_name for module in self.modules}  # type: ignore[attr-defined]  # (the same)
        allowed = sys.stdlib_module_names | roots
        found = [
            f"{importer} -> {imported}"
            for importer in sorted(covered)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if imported.partition(".")[0] not in allowed
        ]
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: Any) -> None:
        """List the imports found."""
        for line in check.metadata["found"]:
            output.print_error(f"- {line}")
