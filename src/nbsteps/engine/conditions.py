"""Evaluating ``--when`` over live values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nbsteps.core.conditions import is_default, read_condition
from nbsteps.core.model import Step
from nbsteps.core.states import GOOD, StepState
from nbsteps.engine.services import Services

_FAILED: Final = frozenset({StepState.FAILED, StepState.CRASHED})


def holds(
    step: Step, states: Mapping[str, StepState], services: Services, instead: Mapping[str, object] | None = None
) -> bool:
    """Whether a step's condition is true, given how other steps ended. What it reads is in place, or pending.

    Args:
        step: the step.
        states: how other steps ended.
        services: of the kernel.
        instead: values that count in place of what the kernel has under these names.

    Raises:
        Exception: whatever the expression raises.
    """
    text = step.options.when
    if not text or is_default(step.options):
        return True
    evaluator = services.evaluator
    evaluator.materialise(sorted(read_condition(text).names))
    asked = {
        "failed": lambda name: states.get(name) in _FAILED,
        "succeeded": lambda name: states.get(name) in GOOD,
        "skipped": lambda name: states.get(name) is StepState.SKIPPED,
    }
    code = compile(text.strip(), f"<--when of step {step.name}>", "eval")
    namespace = {**evaluator.namespace, **(instead or {}), **asked}
    return bool(eval(code, namespace))  # noqa: S307 - the user's own expression, in his namespace
