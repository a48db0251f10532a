"""What a body finds where it is executed away from the kernel: its inputs, and the context names that it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from nbsteps.core.model import Step

SHELL_NAMES: Final = frozenset({"get_ipython", "display", "exit", "quit", "open", "In", "Out"})
"""Names that every shell has of its own."""


def sent_names(
    step: Step,
    namespace: Mapping[str, object],
    inputs: Iterable[str],
    given: Mapping[str, object],
    without: Iterable[str] = (),
) -> dict[str, object]:
    """Variables by name.

    Args:
        step: whose body.
        namespace: the kernel's variables, inputs in place.
        inputs: of the step.
        given: what the engine binds for the body.
        without: names that are not needed there.
    """
    reads = step.reads.union(step.options.ignore) - step.scratch - SHELL_NAMES
    names = reads.union(inputs).difference(without)
    return {**{name: namespace[name] for name in sorted(names & namespace.keys())}, **given}
