"""The real evaluator: executes bodies and context cells in the namespace of an IPython shell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING

from nbsteps.core.model import Cell, Step
from nbsteps.core.source import split_cell
from nbsteps.notebook.capture import capture, replay
from nbsteps.notebook.execution import Text, execute
from nbsteps.notebook.lazy import LazyNames
from nbsteps.notebook.tracebacks import attach_traceback, plain_traceback
from nbsteps.ports import Display, Outcome

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["ShellEvaluator", "attach_traceback", "plain_traceback"]


class ShellEvaluator:
    """An :class:`nbsteps.ports.Evaluator` over a shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self.lazy = LazyNames(shell.user_ns, shell)

    @property
    def namespace(self) -> MutableMapping[str, object]:
        """The user's global names, live."""
        namespace: MutableMapping[str, object] = self._shell.user_ns
        return namespace

    def bind(self, name: str, load: Callable[[], object]) -> None:
        """Bind a stored value to a name lazily."""
        self.lazy.bind(name, load)

    def forget(self, name: str) -> None:
        """Unbind a name, loaded or pending."""
        self.lazy.forget(name)
        self.namespace.pop(name, None)

    def pending(self, name: str) -> bool:
        """Whether the name is bound lazily and not loaded yet."""
        return self.lazy.pending(name)

    def materialise(self, names: Iterable[str]) -> None:
        """Load those of the names that are pending.

        Raises:
            StoreError: a stored value is damaged or not trusted.
        """
        self.lazy.materialise(names)

    def run_body(self, step: Step, *, live: bool = True) -> Outcome:
        """Execute a step's body; with ``live`` its output is shown as it comes, always it is captured.

        Whatever the body raised, KeyboardInterrupt and SystemExit too, is the outcome's error, from the user's first
        frame on; nothing of it has been shown.
        """
        number = self._number_if_executing(step)
        label = f"step {step.name} ({step.cell.label})"
        text = Text(step.body, label, raw=step.cell.source, offset=step.line_offset, number=number)
        outcome = self._run(text, live=live)
        self.lazy.superseded(step.outputs)
        return outcome

    def run_context(self, cell: Cell) -> Outcome:
        """Execute a context cell as if the user had: its output is shown, its names land in the namespace."""
        self.lazy.before_text(cell.source)
        return self._run(Text(cell.source, cell.label, raw=cell.source), live=True)

    def replay(self, displays: tuple[Display, ...], note: str) -> None:
        """Show stored outputs again, marked with ``note``."""
        replay(self._shell, displays, note)

    def close(self) -> None:
        """Stop listening to the shell."""
        self.lazy.close()

    def _run(self, text: Text, *, live: bool) -> Outcome:
        start = time.perf_counter()
        with capture(self._shell, live) as displays:
            error = execute(self._shell, text)
            duration = time.perf_counter() - start
        trace = "" if error is None else plain_traceback(error)
        return Outcome(tuple(displays), error, trace, duration)

    def _number_if_executing(self, step: Step) -> int | None:
        """N of ``In[N]`` if the step's own cell is what the user is executing now."""
        result = self._shell.displayhook.exec_result
        if result is None or result.info is None:
            return None
        executing = split_cell(result.info.raw_cell or "")
        if executing is None or executing.body.strip() != step.body.strip():
            return None
        number: int | None = result.execution_count
        return number
