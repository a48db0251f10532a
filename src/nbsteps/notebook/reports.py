"""Gathers what a report tells of a run: rows of the history, and the graph of its notebook as it is saved now."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbsteps import __version__
from nbsteps.config import project_root
from nbsteps.core.errors import DocumentError, UsageError
from nbsteps.core.graph import Graph, build
from nbsteps.display.report_page import RunStory, report_html
from nbsteps.notebook.document import read_notebook

if TYPE_CHECKING:
    from nbsteps.store.history import History

LAST = "last"


def run_report(history: History, run: str, folder: Path, graph: Graph | None = None, notebook: str = "") -> str:
    """The report of a run as a page of HTML.

    Args:
        history: where the run is recorded.
        run: its identifier, the beginning of that, or ``last``.
        folder: where the user works; notebooks are named from its project on.
        graph: of the notebook as it is; that of the saved one if absent.
        notebook: whose last run ``last`` is, by its name in the history; any if empty.

    Raises:
        UsageError: there is no such run, or several whose identifiers begin like that.
    """
    row = find_run(history, run, notebook)
    run_id = row["run_id"]
    tables: dict[str, Any] = {
        kind: history.records(kind, run_id=run_id) for kind in ("steps", "attempts", "events", "approvals")
    }
    graph = saved_graph(row["notebook"] or "", folder) if graph is None else graph
    return report_html(RunStory(row, **tables, graph=graph, made_by=f"nbsteps {__version__}", now=time.time()))


def find_run(history: History, run: str, notebook: str = "") -> dict[str, Any]:
    """The row of a run.

    Raises:
        UsageError: as :func:`run_report`.
    """
    if run == LAST:
        chosen = {"notebook": notebook} if notebook else {}
        rows = history.records("runs", limit=1, **chosen)
    else:
        rows = [row for row in history.records("runs") if row["run_id"].startswith(run)]
    exact = [row for row in rows if row["run_id"] == run]
    if len(rows) == 1 or exact:
        return (exact or rows)[0]
    if not rows:
        nothing = f"nothing of {notebook} ran yet" if notebook else "nothing ran yet"
        msg = nothing if run == LAST else f"there is no run {run!r}"
        raise UsageError(msg, hint="the runs there are: nbsteps history runs")
    several = ", ".join(row["run_id"] for row in rows[:3])
    msg = f"{len(rows)} runs begin with {run!r}: {several}{', ...' if len(rows) > len(rows[:3]) else ''}"
    raise UsageError(msg, hint="type more of it, or: nbsteps report last")


def saved_graph(notebook: str, folder: Path) -> Graph | None:
    """The graph of a notebook by its name in the history; None where it cannot be read any more."""
    path = (project_root(folder) or folder) / notebook
    if not notebook or not path.is_file():
        return None
    try:
        return build(read_notebook(path).cells)
    except DocumentError:
        return None
