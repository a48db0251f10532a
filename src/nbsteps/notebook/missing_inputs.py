"""Context cells that read what a step did not leave: skipped under papermill, told why anywhere else."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, Any

from nbsteps.core.cells import Context, understand
from nbsteps.core.model import Cell, StepRun
from nbsteps.core.states import GOOD, StepState
from nbsteps.display.asking import answer_line
from nbsteps.engine.session import Session
from nbsteps.notebook.gate import Gate

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class MissingInputs:
    """Looks at the context cells of one kernel before and after they are executed."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._refused: list[tuple[Context, str]] = []
        self._nothing = _Nothing()

    def forget(self) -> None:
        """Another notebook, or this one anew."""
        self._refused.clear()

    def skip(self, session: Session, cell: Cell) -> bool:
        """Have nothing of a cell executed if it reads what is not there because of how a step ended; whether it is so.

        This is what papermill would stop at, and what our engine for it skips.
        """
        understood, _problems = understand(cell, 0)
        if not isinstance(understood, Context):
            return False
        gate = self._gate(session)
        lost = gate.lost(name for name in understood.needs if not session.bindings.present(name))
        if lost is None:
            return False
        name, reason = lost
        self._refused.append((understood, reason))
        self._shell.ast_transformers.append(self._nothing)
        print(f"skipped: reads {name}, and {reason}", file=sys.stderr)  # noqa: T201 - meant for the user
        return True

    def done(self) -> None:
        """The cell that was skipped has had its turn."""
        if self._nothing in self._shell.ast_transformers:
            self._shell.ast_transformers.remove(self._nothing)

    def explain(self, session: Session, error: BaseException | None) -> None:
        """Say why a name is not there, if a step that ended otherwise than well should have made it."""
        name = error.name if isinstance(error, NameError) else None
        lost = None if name is None else self._gate(session).lost([name])
        if name is None or lost is None:
            return
        steps = (step.name for step in session.graph().steps.values() if name in step.outputs)
        ended = next((session.ended[step] for step in steps if step in session.ended), None)
        why, mend = ("", "") if ended is None else _why(ended, name)
        print(f"nbsteps: there is no {name}, because {lost[1]}{why}", file=sys.stderr)  # noqa: T201 - meant for the user
        if mend:
            print(f"    {mend}", file=sys.stderr)  # noqa: T201 - meant for the user

    def _gate(self, session: Session) -> Gate:
        gate = Gate(session.graph())
        for name, done in session.ended.items():
            gate.step_ended(name, done.state)
        for context, reason in self._refused:
            gate.context_failed(context, reason)
        return gate


def _why(ended: StepRun, name: str) -> tuple[str, str]:
    """What is known of a step's end, and what mends it."""
    reason = f": {ended.reason}" if ended.reason else ""
    if ended.request is not None and ended.state is StepState.WAITING:
        return reason, answer_line(ended.request, "cell")
    if ended.state is StepState.SKIPPED:
        return reason, f"a step can go on with nbsteps.MISSING: %%step NAME --in {name} --trigger none_failed"
    return ("", "") if ended.state in GOOD else (reason, f"%pipeline run {ended.step}")


class _Nothing(ast.NodeTransformer):
    """Leaves nothing of a cell."""

    def visit_Module(self, node: ast.Module) -> Any:
        node.body.clear()
        return node
