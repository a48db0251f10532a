"""What those who digest helpers, classes and annotations ask of whoever walks from one to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from nbsteps.identity.codeobjects import Facts


class Visitor(Protocol):
    """Who walks from helper to helper and collects the parts."""

    def inner(self, value: object, where: str) -> str:
        """Digest of a value that a helper holds; ``where`` is how messages name it."""

    def ref(self, value: object) -> str:
        """Digest that stands for code: by name where it gets a part of its own, else by what it is made of."""

    def read(self, names: Mapping[str, object], facts: Facts, package: str) -> None:
        """Take note of the globals and modules that code reads from ``names``."""

    def names_of(self, module_name: str) -> Mapping[str, object]:
        """The globals of a module; those of the notebook for ``__main__``."""

    def package(self, module_name: str) -> None:
        """Take note of an installed distribution."""
