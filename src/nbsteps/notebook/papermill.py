"""Runs a notebook through papermill with our engine.

papermill loads all engines while it is imported, ours among them, so the engine has a module of its own.
"""

from __future__ import annotations

from pathlib import Path

import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from nbsteps.notebook.document import Document
from nbsteps.notebook.papermill_client import Wishes

__all__ = ["Wishes", "execute"]


def execute(document: Document, output: Path, wishes: Wishes, kernel_name: str) -> None:
    """Run a notebook through papermill with our engine; what became of it is in ``wishes.report``.

    Raises:
        ProblemsError: a selected step has problems; no kernel was started.
        PapermillExecutionError: a cell failed before the run could be concluded.
        KeyboardInterrupt: the user interrupted before the run could be concluded.
    """
    try:
        papermill.execute_notebook(
            document.path,
            output,
            parameters=dict(wishes.parameters),
            engine_name="nbsteps",
            language=document.language,
            kernel_name=kernel_name,
            progress_bar=False,
            cwd=document.path.parent,
            nbsteps=wishes,
        )
    except (PapermillExecutionError, DeadKernelError, KeyboardInterrupt):
        if not wishes.report:
            raise
