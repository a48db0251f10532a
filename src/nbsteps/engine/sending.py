"""What a body finds where it is executed away from the kernel, and what is said of one that does not come back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from nbsteps.core.errors import CrashedError, StepError, UnsendableError
from nbsteps.core.model import Step
from nbsteps.engine.services import Services
from nbsteps.ports import Lane, Reply

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


def unsent(step: Step, reply: Reply) -> StepError | None:
    """The error for an output that stays where it was made. Its body has run: to run it again is not ours to decide."""
    if not reply.unsent:
        return None
    name, why = next(iter(reply.unsent.items()))
    return _no_return(step, f"output {name} cannot be brought back from the worker: {why}")


def _no_return(step: Step, message: str) -> StepError:
    kept = "--max-parallel 1 keeps its items in the kernel" if step.options.map else "--executor main keeps it there"
    hint = f"{kept}; --executor threads needs to bring nothing back"
    return StepError(message, step=step.name, cell=step.cell.label, hint=hint)


def tell_stuck(lane: Lane, step: Step, services: Services, run_id: str) -> None:
    """Say so where what was stopped goes on all the same."""
    if not lane.free:
        message = "a body that has had its time goes on: its worker and its slot of a pool stay taken until it ends"
        services.warn(run_id, step.name, message, "--executor processes: there it is killed")


def lost(step: Step, error: BaseException, item: str = "") -> BaseException:
    """Why a body did not come back, in words that say which one it was."""
    if isinstance(error, CrashedError):
        which = f"{item} of step {step.name}" if item else f"step {step.name}"
        message = f"{error.args[0]} while it executed {which}"
        hint = error.problem.hint
        found = CrashedError(message, step=step.name, cell=step.cell.label, hint=hint)
        found.__cause__ = error
        return found
    if isinstance(error, UnsendableError):
        return _no_return(step, f"what the body made cannot be brought back from the worker: {error.args[0]}")
    return error
