"""``papermill --engine nbsteps``: the notebook's cells in order, as one run of its graph.

Step cells join a run that the kernel holds: each restores or executes, and a failure stops only what needs it. Context
cells run as papermill runs them, except those that read what a failed step should have made.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from papermill.engines import Engine, NotebookExecutionManager
from papermill.log import logger
from papermill.utils import merge_kwargs, remove_args

from nbsteps.core.errors import NbstepsError, ProblemsError
from nbsteps.core.graph import build
from nbsteps.core.model import Cell
from nbsteps.notebook.document import NOTEBOOK_VARIABLE
from nbsteps.notebook.interrupts import interrupts
from nbsteps.notebook.papermill_client import NbstepsClient, Wishes
from nbsteps.notebook.remote import EarlyKernel, kernel_log

_SAVE_SHARE = 0.1


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
        """Execute a notebook as papermill's base class does, with our manager.

        Raises:
            NbstepsError: nothing could be run; papermill's command line shows the message alone.
        """
        manager = Manager(nb, output_path, log_output, progress_bar, autosave_cell_every)
        manager.notebook_start()
        try:
            cls.execute_managed_notebook(manager, kernel_name, log_output=log_output, **kwargs)
        except NbstepsError as error:
            raise without_traceback(error) from None
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
        wrong = graph.errors(graph.ancestors(wishes.steps) if wishes.steps else [*graph.steps, ""])
        if wrong:
            raise ProblemsError(wrong)
        client = NbstepsClient(nb_man, km=wishes.kernel and wishes.kernel.manager, **settings)
        client.prepare(path, cells, graph, wishes)
        _execute(client, path, wishes.kernel)


def without_traceback(error: NbstepsError) -> NbstepsError:
    """The same error, as one that papermill's command line shows as its message and ends with its exit code.

    That command line is made with click, which is loaded wherever it runs.
    """
    click: Any = sys.modules.get("click")
    if click is None:
        return error
    kind = type(error)
    both = type(kind.__name__, (kind, click.ClickException), {"show": _show})
    shown: NbstepsError = Exception.__new__(both, *error.args)
    shown.__dict__.update(error.__dict__)
    return shown


def _show(error: NbstepsError, file: Any = None) -> None:
    """Print an error as our own command line does; called by click."""
    print(f"nbsteps: {error}", file=file or sys.stderr)


def _execute(client: NbstepsClient, path: Path, early: EarlyKernel | None) -> None:
    """Execute the cells, in a kernel of the client's own or in the one that is starting already."""
    if early is None:
        with kernel_log() as log, interrupts() as taken, taken.given_to(client.interrupt):
            client.log_file = log
            client.execute(env={**os.environ, NOTEBOOK_VARIABLE: str(path)}, stdout=log, stderr=log)
        return
    client.log_file = early.log
    try:
        with early.interrupts.given_to(client.interrupt):
            client.execute()
    finally:
        early.at_once = client.shutdown_kernel == "immediate"
        if client.kc is not None:
            client.kc.stop_channels()


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
