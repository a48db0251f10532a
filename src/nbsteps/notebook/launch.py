"""Starts kernels for whole notebooks: a run through papermill, or a question about one."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from nbsteps.config import store_folder
from nbsteps.core.errors import DocumentError, ProblemsError, UsageError
from nbsteps.core.graph import Graph, build
from nbsteps.notebook.commands import meant
from nbsteps.notebook.document import Document, read_notebook
from nbsteps.report import refused_report


@dataclass(slots=True)
class Request:
    """What is asked of a notebook; see :func:`nbsteps.run` for the fields. ``tell`` hears of each step as it ends."""

    path: Path
    params: dict[str, Any] = field(default_factory=dict)
    output: Path | None = None
    steps: tuple[str, ...] = ()
    force: bool = False
    kernel: str | None = None
    trigger: str = "cli"
    tell: Callable[[Mapping[str, Any]], None] = lambda _fact: None
    fail_fast: bool = False
    workers: int = 1
    executor: str = ""
    forced: tuple[str, ...] = ()


def understand_notebook(request: Request) -> tuple[Document, Graph]:
    """Read a notebook and check what is asked of it against its graph.

    Raises:
        DocumentError: it cannot be read.
        UsageError: it has no such step or parameter.
    """
    document = read_notebook(request.path)
    graph = build(document.cells)
    for name in (*request.steps, *request.forced):
        if name not in graph.steps:
            msg = f"{request.path.name} has no step {name!r}"
            raise UsageError(msg, hint=meant(name, tuple(graph.steps), "its steps"))
    for name in request.params:
        if name not in graph.parameters:
            known = sorted(graph.parameters)
            hint = meant(name, known, "its parameters") if known else "tag the cell that assigns it with 'parameters'"
            msg = f"{request.path.name} has no parameter {name!r}"
            raise UsageError(msg, hint=hint)
    return document, graph


def run(request: Request) -> dict[str, Any]:
    """Run a notebook through papermill with our engine; returns the report that ``nbsteps run --json`` prints.

    Raises:
        NbstepsError: nothing was executed, for the reason it gives.
        KeyboardInterrupt: the user interrupted before the first cell; after that the report says so.
    """
    from nbsteps.notebook.remote import early_kernel  # noqa: PLC0415 - keeps everything else fast

    document, graph = understand_notebook(request)
    wrong = graph.errors(graph.ancestors(request.steps) if request.steps else [*graph.steps, ""])
    if wrong:
        raise ProblemsError(wrong)
    output = output_path(request)
    kernel_name = request.kernel or document.kernel_name or "python3"
    with early_kernel(document.path, kernel_name) as kernel:
        with _only_what_is_used(own_process=request.trigger == "cli"):
            from nbsteps.notebook.papermill import Wishes, execute  # noqa: PLC0415 - slow, meanwhile the kernel starts

        wishes = Wishes(request.steps, request.force, request.trigger, request.params, request.tell, kernel=kernel)
        wishes.fail_fast, wishes.workers, wishes.executor = request.fail_fast, request.workers, request.executor
        wishes.forced = request.forced
        execute(document, output, wishes, kernel_name)
    return _concluded(wishes.report, document, output)


_UNUSED: Final = ("adlfs", "azure", "boto3", "gcsfs", "github", "pyarrow", "rfc3987_syntax")
"""What papermill loads, where it is installed, for notebooks that lie in clouds; and a second's work of grammars that
jsonschema builds beside JupyterLab, for checks that nbformat does not ask for."""


@contextmanager
def _only_what_is_used(*, own_process: bool) -> Iterator[None]:
    """Let papermill be loaded without what takes longer than the rest of it and is optional.

    Only in a process of our own, since papermill does without it from then on.
    """
    absent = [name for name in _UNUSED if name not in sys.modules] if own_process else []
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None says that there is no such module
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def _concluded(report: dict[str, Any], document: Document, output: Path) -> dict[str, Any]:
    if not report:
        return refused_report(document.path.name, ())
    return {**report, "output": str(output)}


def output_path(request: Request) -> Path:
    """Where the executed notebook goes; its folder is made.

    Without a wish it goes into the store's folder, and where that cannot be written into the one for temporary files:
    a store that cannot keep anything stops no computation.

    Raises:
        UsageError: the output would overwrite the notebook itself.
        DocumentError: the output cannot be written.
    """
    source = request.path.expanduser().absolute()
    if request.output is None:
        chosen = store_folder(source.parent) / "outputs" / source.name
        spare = Path(tempfile.gettempdir()) / "nbsteps-outputs" / source.name
        return spare if _obstacle(chosen) and not _obstacle(spare) else chosen
    output = request.output.expanduser().absolute()
    if output == source:
        msg = f"the output would overwrite the notebook {source.name} itself"
        raise UsageError(msg, hint=f"-o {source.stem}-out.ipynb")
    obstacle = _obstacle(output)
    if obstacle:
        msg = f"the output notebook {output.name} cannot be written: {obstacle}"
        raise DocumentError(msg, hint="name another place: -o PATH")
    if output.suffix not in {".ipynb", ".json"}:
        msg = f"the output {output.name} is to be a notebook, and its name does not end so"
        raise UsageError(msg, hint=f"-o {output.stem}.ipynb")
    return output


def _obstacle(output: Path) -> str:
    """What keeps a file from being written there, ``""`` if nothing does; its folder is made."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return error.strerror or str(error)
    if output.is_dir():
        return "it is a folder"
    writable = os.access(output if output.exists() else output.parent, os.W_OK)
    return "" if writable else "permission denied"


def inquire(question: str, request: Request) -> dict[str, Any]:
    """Ask a fresh kernel about a notebook (``plan``, ``why``, ``status``, ``clear``); steps are never executed.

    Raises:
        NbstepsError: the notebook or the question is wrong.
    """
    from nbsteps.notebook.remote import ask, kernel_for  # noqa: PLC0415 - only for kernels
    from nbsteps.notebook.wire import cells_as_rows  # noqa: PLC0415 - only for kernels

    document, _graph = understand_notebook(request)
    asked = {
        "path": str(document.path),
        "cells": cells_as_rows(document.cells),
        "trigger": request.trigger,
        "force": request.force,
        "forced": list(request.forced),
        "steps": list(request.steps),
        "parameters": request.params,
    }
    with kernel_for(document.path, request.kernel or document.kernel_name or "python3") as client:
        return ask(client, question, asked)
