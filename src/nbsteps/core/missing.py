"""What stands for an input whose producer did not run."""

from __future__ import annotations

from typing import Final


class Missing:
    """The type of :data:`MISSING`: false, and the same object in every process."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "nbsteps.MISSING"

    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
"""Bound to an input of a step that runs although the step which writes it did not."""
