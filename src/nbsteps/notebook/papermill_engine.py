"""``papermill --engine nbsteps``: the notebook's cells in order, as one run of its graph.

Step cells join a run that the kernel holds: each restores or executes, and a failure stops only what needs it. Context
cells run as papermill runs them, except those that read what a failed step should have made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellExecutionError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager
from papermill.log import logger
from papermill.utils import merge_kwargs, remove_args

from nbsteps.core.cells import Context, Draft, understand
from nbsteps.core.errors import ProblemsError
from nbsteps.core.graph import Graph, build
from nbsteps.core.model import Cell
from nbsteps.core.states import GOOD, RunState, StepState
from nbsteps.notebook import gate
from nbsteps.notebook.document import NOTEBOOK_VARIABLE
from nbsteps.notebook.remote import ask
from nbsteps.notebook.wire import cells_as_rows

STATE_KEY = "nbsteps"
_HINT_AFTER = 10.0
_SAVE_SHARE = 0.1

Tell = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True)
class Wishes:
    """What a caller wants of a run beyond papermill's own options.

    Attributes:
        steps: run only what these need; everything if empty.
        force: run the selected steps whatever is stored.
        trigger: what the history says started the run.
        parameters: as given, for the history.
        tell: called with a small mapping for each step as it ends, and for hints.
        report: filled with the run's report.
    """

    steps: tuple[str, ...] = ()
    force: bool = False
    trigger: str = "papermill"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tell: Tell = lambda _fact: None
    report: dict[str, Any] = field(default_factory=dict)


class Manager(NotebookExecutionManager):  # type: ignore[misc]  # papermill is untyped
    """papermill's manager, saving at most a tenth of the time: a save after each cell dominates fast notebooks."""

    _cost = 0.0
    _saved_at = float("-inf")
    _last = False

    def save(self, **kwargs: Any) -> None:
        """Write the output notebook if the last write was long enough ago, or if it is the last."""
        started = time.monotonic()
        if not self._last and started - self._saved_at < max(1.0, self._cost / _SAVE_SHARE):
            return
        super().save(**kwargs)
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - started

    def notebook_complete(self, **kwargs: Any) -> None:
        """Write the final state in any case."""
        self._last = True
        super().notebook_complete(**kwargs)


class NbstepsEngine(Engine):  # type: ignore[misc]  # papermill is untyped
    """The engine that papermill finds under the name ``nbsteps``."""

    @classmethod
    def execute_notebook(  # noqa: PLR0913 - papermill's signature
        cls,
        nb: Any,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: bool | dict[str, Any] = True,  # noqa: FBT001, FBT002 - papermill's signature
        log_output: bool = False,  # noqa: FBT001, FBT002 - papermill's signature
        autosave_cell_every: int = 30,
        **kwargs: Any,
    ) -> Any:
        """Execute a notebook as papermill's base class does, with our manager."""
        manager = Manager(nb, output_path, log_output, progress_bar, autosave_cell_every)
        manager.notebook_start()
        try:
            cls.execute_managed_notebook(manager, kernel_name, log_output=log_output, **kwargs)
        finally:
            manager.cleanup_pbar()
            manager.notebook_complete()
        return manager.nb

    @classmethod
    def execute_managed_notebook(  # noqa: PLR0913 - papermill's signature
        cls,
        nb_man: Any,
        kernel_name: str,
        log_output: bool = False,  # noqa: FBT001, FBT002 - papermill's signature
        stdout_file: Any = None,
        stderr_file: Any = None,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Execute the cells in one kernel.

        Raises:
            ProblemsError: a selected step has problems; no kernel was started.
        """
        wishes = kwargs.pop("nbsteps", None) or Wishes()
        path = Path(str(kwargs.get("input_path") or "notebook.ipynb")).absolute()
        settings = merge_kwargs(
            remove_args(["input_path", "timeout", "startup_timeout"], **kwargs),
            timeout=execution_timeout or kwargs.get("timeout"),
            startup_timeout=start_timeout,
            kernel_name=kernel_name,
            log=logger,
            log_output=log_output,
            stdout_file=stdout_file,
            stderr_file=stderr_file,
        )
        cells = notebook_cells(nb_man.nb)
        graph = build(tuple(cells.values()))
        selected = graph.ancestors(wishes.steps) if wishes.steps else frozenset(graph.steps)
        wrong = graph.errors([*selected, ""])
        if wrong:
            raise ProblemsError(wrong)
        client = NbstepsClient(nb_man, **settings)
        client.prepare(path, cells, graph, wishes)
        with _environment(path) as environment:
            client.execute(env=environment)


def notebook_cells(nb: Any) -> dict[int, Cell]:
    """Position in the notebook -> code cell, labelled as everywhere else.

    Injected parameters keep the labels of the cells behind them as in the notebook on disk.
    """
    found: dict[int, Cell] = {}
    number = 0
    for index, cell in enumerate(nb.cells):
        tags = tuple(cell.metadata.get("tags", ()))
        injected = "injected-parameters" in tags
        number += 0 if injected else 1
        if cell.cell_type == "code":
            label = "injected parameters" if injected else f"cell {number}"
            found[index] = Cell(label, cell.source, cell.get("id", ""), tags)
    return found


class NbstepsClient(PapermillNotebookClient):  # type: ignore[misc]  # papermill is untyped
    """Executes the cells of one managed run."""

    def prepare(self, path: Path, cells: dict[int, Cell], graph: Graph, wishes: Wishes) -> None:
        """Say what is to be run."""
        self._path, self._cells, self._graph, self._wishes = path, cells, graph, wishes
        self._gate = gate.Gate(graph, wishes.steps)
        self._run_id = ""

    def papermill_execute_cells(self) -> None:
        """Execute every cell whose turn it is; called by papermill once the kernel is up."""
        self._begin()
        state: RunState | None = None
        try:
            for index, cell in enumerate(self.nb.cells):
                self._take(cell, index)
        except KeyboardInterrupt:
            state = RunState.CANCELLED
            self.km.interrupt_kernel()
            raise
        finally:
            with suppress(RuntimeError):
                self._end(state)

    def _begin(self) -> None:
        wishes = self._wishes
        request = {
            "path": str(self._path),
            "cells": cells_as_rows(self._cells.values()),
            "trigger": wishes.trigger,
            "force": wishes.force,
            "steps": list(wishes.steps),
            "parameters": _plain(wishes.parameters),
        }
        self._run_id = ask(self.kc, "begin", request)["run_id"]

    def _end(self, state: RunState | None) -> None:
        report = ask(self.kc, "end", {"state": None if state is None else str(state)})
        self._wishes.report.update(report)
        self.nb.metadata[STATE_KEY] = {"run_id": self._run_id, "state": report.get("state")}

    def _take(self, cell: Any, index: int) -> None:
        self.nb_man.cell_start(cell, index)
        try:
            if cell.cell_type == "code":
                self._take_code(cell, index)
        finally:
            self.nb_man.cell_complete(cell, cell_index=index)

    def _take_code(self, cell: Any, index: int) -> None:
        understood, _problems = understand(self._cells[index], index)
        refusal = self._gate.refusal(understood)
        if refusal:
            self._skip(cell, refusal)
            return
        started = time.monotonic()
        failed = False
        try:
            self.execute_cell(cell, index)
        except CellExecutionError as error:
            failed = True
            self.nb_man.cell_exception(cell, cell_index=index, exception=error)
        self._note(cell, understood, time.monotonic() - started, failed=failed)

    def _note(self, cell: Any, understood: Draft | Context, seconds: float, *, failed: bool) -> None:
        if isinstance(understood, Context):
            if failed:
                self._gate.context_failed(understood)
                self._wishes.tell({"cell": understood.cell.label, "state": "failed", "error": _error_of(cell)})
            elif seconds > _HINT_AFTER:
                self._wishes.tell({"cell": understood.cell.label, "state": "slow", "duration_s": seconds})
            return
        state = _state_of(cell) or {"step": understood.name, "state": str(StepState.FAILED), "reason": ""}
        if failed and state["state"] in set(map(str, GOOD)):
            state = {**state, "state": str(StepState.FAILED)}
        if failed:
            self._gate.step_failed(understood.name)
            state = {**state, "error": _error_of(cell)}
        cell.metadata[STATE_KEY] = {**state, "run_id": self._run_id}
        self._wishes.tell(state)

    def _skip(self, cell: Any, reason: str) -> None:
        cell.metadata[STATE_KEY] = {"state": str(StepState.SKIPPED), "reason": reason, "run_id": self._run_id}
        if not reason.startswith(gate.NOT_NEEDED):
            cell.outputs = [{"output_type": "stream", "name": "stderr", "text": f"skipped: {reason}\n"}]


def _state_of(cell: Any) -> dict[str, Any] | None:
    """The state that the step's note carries in its metadata."""
    for output in reversed(cell.outputs):
        state = output.get("metadata", {}).get(STATE_KEY)
        if state is not None:
            return dict(state)
    return None


def _error_of(cell: Any) -> dict[str, str] | None:
    for output in cell.outputs:
        if output.output_type == "error":
            return {"type": output.ename, "message": output.evalue}
    return None


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that JSON can carry; others by their representation."""
    plain = (str, int, float, bool, type(None), list, dict)
    return {name: value if isinstance(value, plain) else repr(value) for name, value in values.items()}


@contextmanager
def _environment(path: Path) -> Iterator[dict[str, str]]:
    """The kernel's environment: ours, and the notebook's path."""
    import os  # noqa: PLC0415 - beside its only use

    yield {**os.environ, NOTEBOOK_VARIABLE: str(path)}
