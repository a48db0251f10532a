"""The real evaluator: executes bodies and context cells in the namespace of an IPython shell."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nbsteps.core.model import Cell, Step
from nbsteps.core.source import split_cell
from nbsteps.notebook.capture import capture, recording, replay
from nbsteps.notebook.execution import Text, compile_text, execute, run_compiled
from nbsteps.notebook.lazy import LazyNames
from nbsteps.notebook.recorder import onlookers_of
from nbsteps.notebook.stops import can_time_out, stops
from nbsteps.notebook.tracebacks import attach_traceback, plain_traceback
from nbsteps.ports import Display, Outcome, Repeat

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["ShellEvaluator", "attach_traceback", "plain_traceback"]


def _unheard(_step: str) -> None:
    """Nobody asks whose outputs are."""


class ShellEvaluator:
    """An :class:`nbsteps.ports.Evaluator` over a shell.

    Attributes:
        whose: told the step's name before something of a step is shown, where several are under way.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self.whose: Callable[[str], object] = _unheard
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

    @property
    def limits(self) -> bool:
        """Whether a body can be stopped when its time is up: on the main thread, where there are such signals."""
        return can_time_out()

    def interrupt(self) -> None:
        """Interrupt the main thread, as the user would; called from another one."""
        if hasattr(signal, "pthread_kill"):
            # Unlike an interrupt that Python makes, this one ends a wait in C, too.
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        else:
            _thread.interrupt_main()

    def run_body(self, step: Step, *, live: bool = True, timeout: float | None = None) -> Outcome:
        """Execute a step's body; with ``live`` its output is shown as it comes, always it is captured.

        Whatever the body raised, KeyboardInterrupt and SystemExit too, is the outcome's error, from the user's first
        frame on; nothing of it has been shown.
        """
        self.whose(step.name)
        outcome = self._run(self._text(step), live=live, timeout=timeout, whose=step.name)
        self.lazy.superseded(step.outputs)
        return outcome

    @contextmanager
    def repeat_body(self, step: Step, *, live: bool = True) -> Iterator[Repeat]:
        """Get ready to execute a body many times: it is compiled once, and the hooks stay where they are."""
        self.whose(step.name)
        compiled = compile_text(self._shell, self._text(step))
        with recording(self._shell, live=live, whose=step.name) as recorder:

            def run(timeout: float | None) -> Outcome:
                start = time.perf_counter()
                if isinstance(compiled, BaseException):
                    error: BaseException | None = compiled
                else:
                    with stops(timeout) as stop, recorder.on():
                        error = run_compiled(self._shell, compiled, stop)
                    error = error or stop.missed
                duration = time.perf_counter() - start
                trace = "" if error is None else plain_traceback(error)
                return Outcome(tuple(recorder.outputs()), error, trace, duration)

            yield run
        self.lazy.superseded(step.outputs)

    def _text(self, step: Step) -> Text:
        number = self._number_if_executing(step)
        label = f"step {step.name} ({step.cell.label})"
        return Text(step.body, label, raw=step.cell.source, offset=step.line_offset, number=number)

    def run_context(self, cell: Cell) -> Outcome:
        """Execute a context cell as if the user had: its output is shown, its names land in the namespace."""
        self.lazy.before_text(cell.source)
        return self._run(Text(cell.source, cell.label, raw=cell.source), live=True)

    def replay(self, displays: tuple[Display, ...], note: str, step: str = "") -> None:
        """Show stored outputs again, marked with ``note``, as those of ``step``."""
        if step:
            self.whose(step)
        for onlooker in onlookers_of(step):
            for display in displays:
                onlooker.take(display)
        replay(self._shell, displays, note)

    def close(self) -> None:
        """Stop listening to the shell."""
        self.lazy.close()

    def _run(self, text: Text, *, live: bool, timeout: float | None = None, whose: str = "") -> Outcome:
        start = time.perf_counter()
        with stops(timeout) as stop, capture(self._shell, live=live, whose=whose) as displays:
            error = execute(self._shell, text, stop)
            duration = time.perf_counter() - start
        error = error or stop.missed
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
