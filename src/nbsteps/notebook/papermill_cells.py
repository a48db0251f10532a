"""What the cells of an executed notebook say: read for the report, and put right when the run is over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from nbformat.v4 import new_output

from nbsteps.core.cells import Context, Draft
from nbsteps.core.graph import Graph
from nbsteps.core.states import GOOD
from nbsteps.notebook.wire import STATE_KEY

DIED = "the kernel died"
_FILE: Final = re.compile(r" \(\d+\.py(, line \d+)\)$")
"""What Python adds to a syntax error: the name of the file that ipykernel makes up for a cell."""
_PUBLIC: Final = {"_IncompleteInputError": "SyntaxError"}
"""What Python 3.13 calls the error of a cell that ends too early, by the name that people know."""
_MAGIC: Final = re.compile(r"^UsageError: (.+)", re.MULTILINE)


def state_of(cell: Any) -> dict[str, Any] | None:
    """The state that the step's note carries in its metadata."""
    for output in reversed(cell.outputs):
        state = output.get("metadata", {}).get(STATE_KEY)
        if state is not None:
            return dict(state)
    return None


def error_of(cell: Any) -> dict[str, str] | None:
    """The error that a cell shows."""
    for output in cell.outputs:
        if output.output_type == "error":
            return {"type": _PUBLIC.get(output.ename, output.ename), "message": _FILE.sub(r"\1", output.evalue)}
    # IPython prints what is wrong with a magic, where any other error is an output of its own.
    said = (_MAGIC.search(output.text) for output in cell.outputs if output.output_type == "stream")
    found = next((match for match in said if match), None)
    return None if found is None else {"type": "UsageError", "message": found[1]}


def death(understood: Draft | Context, words: str) -> Any:
    """The error that a cell shows in which the kernel died."""
    what = f"step {understood.name}" if isinstance(understood, Draft) else understood.cell.label
    message = f"{DIED} while {what} was executed"
    traceback = [f"DeadKernelError: {message}", *words.splitlines()]
    return new_output("error", ename="DeadKernelError", evalue=message, traceback=traceback)  # type: ignore[no-untyped-call]  # nbformat is untyped


def handlers(rows: Iterable[Mapping[str, Any]], graph: Graph) -> dict[str, str]:
    """Each step whose failure was handled -> the step with ``--catch`` that did it; ``rows`` are those of a report."""
    states = {row["step"]: row["state"] for row in rows}
    handled = {row["step"] for row in rows if row["handled"]}
    return {caught: name for name, caught in graph.catches if caught in handled and states.get(name) in GOOD}


def settle(nb: Any, handled: Mapping[str, str], cell_of: Callable[[str], Any]) -> None:
    """Show handled failures on the error stream.

    papermill, like whoever reads the notebook, takes any output of the kind ``error`` for the failure of the whole.
    """
    for caught, by in handled.items():
        cell = cell_of(caught)
        cell.outputs = [_shown(output, by) if output.output_type == "error" else output for output in cell.outputs]
        cell.metadata.papermill.update(exception=False, status="completed")
        cell.metadata[STATE_KEY]["handled_by"] = by
    if handled and not any(cell.metadata.get("papermill", {}).get("exception") for cell in nb.cells):
        nb.metadata.papermill["exception"] = None


def _shown(error: Any, by: str) -> Any:
    lines = error.traceback or [f"{error.ename}: {error.evalue}"]
    text = "\n".join([*lines, f"handled by step {by}", ""])
    return new_output("stream", name="stderr", text=text)  # type: ignore[no-untyped-call]  # nbformat is untyped
