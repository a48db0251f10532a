"""Executes the cells of one notebook in one kernel, as one run of its graph.

An interrupt is handed on to the kernel, so that the body gets it: whatever the cell still shows is collected, the rest
is marked as cancelled, and the run ends properly. A second one kills the kernel.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from jupyter_core.utils import ensure_async, run_sync
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient

from nbsteps.core.cells import Context, Draft, understand
from nbsteps.core.graph import Graph
from nbsteps.core.model import Cell
from nbsteps.core.states import RunState, StepState
from nbsteps.notebook import gate
from nbsteps.notebook.papermill_cells import DIED, death, error_of, handlers, settle, state_of
from nbsteps.notebook.plain_run import PlainRun, is_plain
from nbsteps.notebook.remote import EarlyKernel, KernelError, ask, last_words
from nbsteps.notebook.wire import STATE_KEY, cells_as_rows
from nbsteps.report import EXIT_CODES, crashed_report

INTERRUPTED = "interrupted"
WARNING = "warning"
_HINT_AFTER = 10.0
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_SILENT = logging.getLogger("nbsteps.silent")
_SILENT.setLevel(logging.CRITICAL + 1)

Tell = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True)
class Wishes:
    """What a caller wants of a run beyond papermill's own options.

    Attributes:
        steps: run only what these need; everything if empty.
        force: run the steps that are named (all, where none is) whatever is stored.
        trigger: what the history says started the run.
        parameters: as given, for the history.
        tell: called with a small mapping for each step as it ends, and for hints.
        report: filled with the run's report.
        kernel: one that is already starting, and that the caller shuts down.
        fail_fast: start nothing more once a step failed.
        workers: bodies at once away from the kernel's main thread.
        executor: name of the kind of those workers, ``""`` for the usual one.
        forced: steps that run whatever is stored, whichever are named.
    """

    steps: tuple[str, ...] = ()
    force: bool = False
    trigger: str = "papermill"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tell: Tell = lambda _fact: None
    report: dict[str, Any] = field(default_factory=dict)
    kernel: EarlyKernel | None = None
    fail_fast: bool = False
    workers: int = 1
    executor: str = ""
    forced: tuple[str, ...] = ()


class NbstepsClient(PapermillNotebookClient):  # type: ignore[misc]  # papermill is untyped
    """Executes the cells of one managed run."""

    log_file: IO[bytes]
    """Takes what the kernel's process itself writes."""

    def prepare(self, path: Path, cells: dict[int, Cell], graph: Graph, wishes: Wishes) -> None:
        """Say what is to be run."""
        self._path, self._cells, self._graph, self._wishes = path, cells, graph, wishes
        self._gate = gate.Gate(graph, wishes.steps)
        self._plain = PlainRun(path, graph) if is_plain(graph, cells) else None
        self._run_id = ""
        self._interrupted = False
        self._failed_contexts: list[dict[str, str]] = []
        self._warnings: list[dict[str, str]] = []
        self._started = time.time()

    def execute(self, **kwargs: Any) -> Any:
        """Execute the notebook in its kernel.

        Raises:
            KeyboardInterrupt: the user interrupted; once there was a run it is recorded as cancelled.
            DeadKernelError: the kernel died; the run is recorded as crashed.
            KernelError: the kernel has no nbsteps.
        """
        try:
            return super().execute(**kwargs)
        except (RuntimeError, KernelError):
            if self._interrupted:
                raise KeyboardInterrupt from None
            raise

    def papermill_execute_cells(self) -> None:
        """Execute every cell whose turn it is; called by papermill once the kernel is up."""
        self._begin()
        try:
            run_sync(self._take_all)()
            self._end()
        except (DeadKernelError, KernelError):
            self._died()
            raise
        if self._interrupted:
            raise KeyboardInterrupt

    def interrupt(self) -> None:
        """The user interrupted: hand it on to the kernel, or kill that where there is no run yet or it was in vain.

        Called by a signal, whatever event loop the interrupted code drives.

        Raises:
            KeyboardInterrupt: there is no kernel yet.
        """
        again, self._interrupted = self._interrupted, True
        if self.km is None or not self.km.has_kernel:
            raise KeyboardInterrupt
        if again or not self._run_id:
            self.shutdown_kernel = "immediate"
            self.log = _SILENT
            _elsewhere(lambda: self.km.signal_kernel(_KILL))
            return
        _elsewhere(self.km.interrupt_kernel)
        self._wishes.tell({"state": INTERRUPTED})

    def _begin(self) -> None:
        wishes = self._wishes
        if self._plain is not None:
            self._begun(self._plain.begin(wishes.trigger, wishes.parameters))
            return
        request = {
            "path": str(self._path),
            "cells": cells_as_rows(self._cells.values()),
            "trigger": wishes.trigger,
            "force": wishes.force,
            "forced": list(wishes.forced),
            "steps": list(wishes.steps),
            "parameters": _plain(wishes.parameters),
            "fail_fast": wishes.fail_fast,
            "workers": wishes.workers,
            "executor": wishes.executor,
        }
        self._begun(ask(self.kc, "begin", request))

    def _begun(self, answer: dict[str, Any]) -> None:
        self._run_id = answer["run_id"]
        self._warn(answer)

    def _end(self) -> None:
        state: RunState | None = None
        if self._interrupted:
            state = RunState.CANCELLED
        elif self._failed_contexts:
            state = RunState.FAILED
        if self._plain is None:
            report = ask(self.kc, "end", {"state": None if state is None else str(state)})
        else:
            report = self._plain.end(state)
        self._warn(report)
        report["problems"] = [*report["problems"], *self._failed_contexts, *self._warnings]
        settle(self.nb, handlers(report["steps"], self._graph), self._cell_of)
        self._conclude(report)

    def _cell_of(self, step: str) -> Any:
        """The cell that holds a step."""
        found = ((index, understand(code, index)[0]) for index, code in self._cells.items())
        return next(self.nb.cells[at] for at, what in found if isinstance(what, Draft) and what.name == step)

    def _warn(self, answer: dict[str, Any]) -> None:
        """Pass on what the kernel's store has to say."""
        for message in answer.pop("warnings"):
            self._warnings.append(_problem("", message, "warning"))
            self._wishes.tell({"state": WARNING, "message": message})

    def _conclude(self, report: Mapping[str, Any]) -> None:
        self._wishes.report.update(report)
        self.nb.metadata[STATE_KEY] = {"run_id": self._run_id, "state": report["state"]}

    def _died(self) -> None:
        """Say in notebook and report which cell the kernel died in; the store finds out by itself."""
        rows: dict[str, dict[str, Any]] = {}
        for index, code in self._cells.items():
            understood, _problems = understand(code, index)
            if isinstance(understood, Draft):
                cell = self.nb.cells[index]
                known = cell.metadata.get(STATE_KEY)
                rows[understood.name] = known or self._mark(cell, understood, StepState.CANCELLED, DIED)
        steps = [rows[name] for name in self._graph.steps if name in rows]
        if self._plain is not None:
            self._plain.end(RunState.CRASHED)
        words = last_words(self.log_file)
        report = crashed_report(self._run_id, self._path.name, steps, self._started, words)
        if self._interrupted:
            report["exit_code"] = EXIT_CODES[RunState.CANCELLED]
        self._conclude(report)

    async def _take_all(self) -> None:
        """All cells on one event loop: starting one for each costs a quarter of what a trivial cell does."""
        for index, cell in enumerate(self.nb.cells):
            await self._take(cell, index)

    async def _take(self, cell: Any, index: int) -> None:
        self.nb_man.cell_start(cell, index)
        try:
            if cell.cell_type == "code":
                await self._take_code(cell, index)
        finally:
            self.nb_man.cell_complete(cell, cell_index=index)

    async def _take_code(self, cell: Any, index: int) -> None:
        understood, _problems = understand(self._cells[index], index)
        if self._interrupted:
            self._mark(cell, understood, StepState.CANCELLED, INTERRUPTED)
            return
        refusal = self._gate.refusal(understood)
        if refusal:
            self._skip(cell, understood, refusal)
            return
        started = time.monotonic()
        failed = False
        try:
            await self.async_execute_cell(cell, index)
        except CellExecutionError as error:
            failed = True
            self.nb_man.cell_exception(cell, cell_index=index, exception=error)
        except DeadKernelError as error:
            self._mark(cell, understood, StepState.CRASHED, DIED)
            cell.outputs.append(death(understood, last_words(self.log_file)))
            self.nb_man.cell_exception(cell, cell_index=index, exception=error)
            raise
        self._note(cell, understood, time.monotonic() - started, failed=failed)

    def _note(self, cell: Any, understood: Draft | Context, seconds: float, *, failed: bool) -> None:
        if isinstance(understood, Context):
            self._note_context(cell, understood, seconds, failed=failed)
            return
        state = state_of(cell) or {"step": understood.name, "state": str(StepState.FAILED), "reason": ""}
        if failed and state["state"] != str(StepState.CANCELLED):
            state = {**state, "state": str(StepState.FAILED)}
        self._gate.step_ended(understood.name, StepState(state["state"]))
        if state["state"] == str(StepState.FAILED):
            state = {**state, "error": state.get("error") or error_of(cell)}
        cell.metadata[STATE_KEY] = {**state, "run_id": self._run_id}
        self._wishes.tell(state)

    def _note_context(self, cell: Any, understood: Context, seconds: float, *, failed: bool) -> None:
        label = understood.cell.label
        if failed and self._interrupted:
            self._mark(cell, understood, StepState.CANCELLED, INTERRUPTED)
        elif failed:
            self._gate.context_failed(understood)
            error = error_of(cell) or {"type": "error", "message": ""}
            message = f"{error['type']}: {error['message']}"
            self._mark(cell, understood, StepState.FAILED, message)
            self._failed_contexts.append(_problem(label, message, "error", "mend the cell; what succeeded is kept"))
            self._wishes.tell({"cell": label, "state": "failed", "error": error})
        elif seconds > _HINT_AFTER:
            self._wishes.tell({"cell": label, "state": "slow", "duration_s": seconds})

    def _skip(self, cell: Any, understood: Draft | Context, reason: str) -> None:
        self._mark(cell, understood, StepState.SKIPPED, reason)
        if not reason.startswith(gate.NOT_NEEDED):
            cell.outputs = [new_output("stream", name="stderr", text=f"skipped: {reason}\n")]  # type: ignore[no-untyped-call]  # nbformat is untyped

    def _mark(self, cell: Any, understood: Draft | Context, state: StepState, reason: str) -> dict[str, Any]:
        step = {"step": understood.name} if isinstance(understood, Draft) else {}
        mark = {**step, "state": str(state), "reason": reason, "run_id": self._run_id}
        cell.metadata[STATE_KEY] = mark
        return mark


def _elsewhere(call: Callable[[], Any]) -> None:
    """Make a call that may be asynchronous from a thread of its own, and wait until it is done."""

    async def work() -> None:
        await ensure_async(call())

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    thread.join()


def _problem(cell: str, message: str, severity: str, hint: str = "") -> dict[str, str]:
    return {"step": "", "cell": cell, "message": message, "hint": hint, "severity": severity}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that JSON can carry; others by their representation."""
    plain = (str, int, float, bool, type(None), list, dict)
    return {name: value if isinstance(value, plain) else repr(value) for name, value in values.items()}
