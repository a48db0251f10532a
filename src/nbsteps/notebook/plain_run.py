"""A run of a notebook that has no steps: its kernel needs no nbsteps, and the history learns of it all the same."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbsteps.config import load_config, project_root, store_folder
from nbsteps.core.events import RunEnded, RunStarted
from nbsteps.core.graph import Graph
from nbsteps.core.model import Cell, Run, RunResult
from nbsteps.core.states import RunState
from nbsteps.engine.services import new_id
from nbsteps.notebook.host import notebook_name, this_host
from nbsteps.report import run_report
from nbsteps.store.store import DuckStore

_WORDS = ("nbsteps", "pipeline", "%%step")
"""A cell that holds one of these may use the extension, and then the run is the kernel's."""


def is_plain(graph: Graph, cells: Mapping[int, Cell]) -> bool:
    """Whether nothing in a notebook needs nbsteps in its kernel."""
    return not graph.steps and not any(word in cell.source for cell in cells.values() for word in _WORDS)


class PlainRun:
    """Tells the store of one run without steps, from the process that drives the kernel."""

    def __init__(self, path: Path, graph: Graph) -> None:
        """Prepare a run of the notebook at ``path``; nothing is written yet."""
        self._graph = graph
        self._said: list[str] = []
        folder = path.parent
        root = project_root(folder) or folder
        self._notebook = notebook_name(path, root)
        self._store = DuckStore(store_folder(folder), config=load_config(folder), warn=self._said.append)
        self._run: Run | None = None

    def begin(self, trigger: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Record that the run begins; the answer is the one that a kernel would give."""
        host, now = this_host(), time.time()
        shown = _shown(parameters) if parameters else {}
        self._run = Run(
            run_id=new_id(),
            notebook=self._notebook,
            trigger=trigger,
            started_at=now,
            host=host.name,
            pid=host.pid,
            user=host.user,
            parameters=shown,
        )
        self._store.emit(RunStarted(now, self._run, ()))
        return {"run_id": self._run.run_id, "warnings": self._messages()}

    def end(self, state: RunState | None) -> dict[str, Any]:
        """Record how the run ended, well unless ``state`` says otherwise; the report is the one of any run."""
        assert self._run is not None  # noqa: S101 - begun before
        now = time.time()
        run = replace(self._run, state=state or RunState.SUCCEEDED, ended_at=now)
        self._store.emit(RunEnded(now, run.run_id, run.state))
        self._store.close()
        return {**run_report(RunResult(run), self._graph.problems), "warnings": self._messages()}

    def _messages(self) -> list[str]:
        said, self._said[:] = list(dict.fromkeys(self._said)), []
        return said


def _shown(parameters: Mapping[str, Any]) -> dict[str, str]:
    from nbsteps.engine.manner import shown_parameter  # noqa: PLC0415 - loads the whole engine

    return {name: shown_parameter(name, value) for name, value in parameters.items()}
