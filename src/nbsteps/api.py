"""What a script calls: run and plan notebooks, read the history, load results.

``path`` is a notebook's file. Functions that read the history look into the store of the notebook that this kernel
executes, or outside a kernel into the one that serves the working directory; ``NBSTEPS_STORE`` overrides.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbsteps.config import load_config, store_folder
from nbsteps.core.errors import UsageError
from nbsteps.core.model import RunResult
from nbsteps.core.states import RunState

if TYPE_CHECKING:
    import pandas as pd

    from nbsteps.notebook.waiting_runs import Waited
    from nbsteps.store.store import DuckStore

AnyPath = str | PathLike[str]


def run(  # noqa: PLR0913 - each is a word of its own, by keyword
    path: AnyPath,
    params: Mapping[str, Any] | None = None,
    *,
    output: AnyPath | None = None,
    steps: Sequence[str] = (),
    force: bool | Sequence[str] = False,
    fail_fast: bool = False,
    workers: int = 1,
    executor: str = "",
    kernel: str | None = None,
) -> RunResult:
    """Run a notebook headlessly, restoring what is fresh.

    Args:
        path: the notebook.
        params: values for variables of the cell tagged ``parameters``.
        output: where the executed notebook goes; by default into the store's folder.
        steps: run only what these steps need.
        force: run them whatever is stored; all, where no steps are named. Or the names of those that run.
        fail_fast: start nothing more once a step failed.
        workers: bodies at once away from the kernel's main thread; 1 for none.
        executor: their place, ``threads`` or ``processes``; ``""`` for the usual one.
        kernel: name of a kernel to use instead of the notebook's own.

    Returns:
        The run and what became of each step. A failed step is no exception: look at ``result.state``.

    Raises:
        NbstepsError: the notebook, a parameter or a step name is wrong; nothing was executed.
        KeyboardInterrupt: the user interrupted; the output notebook is saved, the run is recorded as cancelled.
    """
    from nbsteps.notebook import launch  # noqa: PLC0415 - loads papermill, which is slow
    from nbsteps.report import read_report  # noqa: PLC0415 - keeps import nbsteps fast

    wishes = launch.Request(Path(path), dict(params or {}), _optional(output), tuple(steps), force=force is True)
    wishes.forced = () if isinstance(force, bool) else tuple(force)
    wishes.kernel, wishes.fail_fast, wishes.trigger = kernel, fail_fast, "api"
    wishes.workers, wishes.executor = workers, _named(executor)
    return _unless_cancelled(read_report(launch.run(wishes)))


def _unless_cancelled(result: RunResult) -> RunResult:
    if result.state is RunState.CANCELLED:
        raise KeyboardInterrupt
    return result


def _named(executor: object) -> str:
    if isinstance(executor, str):
        return executor
    msg = "an executor of this process cannot be used by the notebook's kernel"
    raise UsageError(msg, hint="name it: executor='processes'; in the notebook: %pipeline run --executor VARIABLE")


def _optional(path: AnyPath | None) -> Path | None:
    return None if path is None else Path(path)


def plan(
    path: AnyPath,
    params: Mapping[str, Any] | None = None,
    *,
    steps: Sequence[str] = (),
    force: bool = False,
    kernel: str | None = None,
) -> pd.DataFrame:
    """What a run would do now: one row a step, and one for each context cell that would be executed.

    A kernel is started and the needed context cells are executed, since keys depend on their values; steps never are.

    Returns:
        Columns step (NA for a context cell), cell, decision (``run``, ``may run``, ``restore``, ``context``,
        ``skip``), reason: text; reasons: lists of texts; duration: Timedelta of the last time, NA if unknown.
    """
    import pandas as pd  # noqa: PLC0415 - keeps import nbsteps fast

    from nbsteps.notebook import launch  # noqa: PLC0415 - keeps import nbsteps fast

    request = launch.Request(Path(path), dict(params or {}), None, tuple(steps), force=force, kernel=kernel)
    rows = launch.inquire("plan", request)["steps"]
    frame = pd.DataFrame(rows, columns=["step", "cell", "decision", "reason", "reasons", "duration_s"])
    frame["duration_s"] = pd.to_timedelta(frame["duration_s"].astype("Float64"), unit="s").astype("timedelta64[us]")
    texts = dict.fromkeys(("step", "cell", "decision", "reason"), "string")
    return frame.rename(columns={"duration_s": "duration"}).astype(texts)


def why(step: str, path: AnyPath | None = None) -> str:
    """Why a step would run or be restored, with old and new side of whatever changed.

    Without ``path`` the notebook that this kernel executes is asked.

    Raises:
        UsageError: no such step, or no ``path`` outside a kernel with the extension loaded.
    """
    from nbsteps.display import text  # noqa: PLC0415 - keeps import nbsteps fast

    if path is not None:
        from nbsteps.notebook import launch  # noqa: PLC0415 - keeps import nbsteps fast

        answer: str = launch.inquire("why", launch.Request(Path(path), {}, None, (step,)))["text"]
        return answer
    kernel = _this_kernel(f"nbsteps.why({step!r}, 'notebook.ipynb')")
    return text.why_text(step, kernel.session.why(step))


def approve(
    step: str,
    values: Mapping[str, Any] | None = None,
    *,
    path: AnyPath | None = None,
    comment: str = "",
    resume: bool = True,
) -> RunResult | None:
    """Let a step that waits for approval run.

    Args:
        step: its name.
        values: what is filled into the form, by field.
        path: the notebook; without it the one that this kernel executes.
        comment: kept with the decision.
        resume: go on with the notebook at once, headlessly where ``path`` is given.

    Returns:
        What became of the run that went on; None without ``resume``.

    Raises:
        UsageError: nothing waits there, you are no approver, or the form is not valid; nothing was decided.
    """
    return _decide("approve", step, values or {}, path, comment, resume=resume)


def reject(step: str, *, path: AnyPath | None = None, comment: str = "", resume: bool = True) -> RunResult | None:
    """Keep a step that waits for approval from running; as :func:`approve`."""
    return _decide("reject", step, {}, path, comment, resume=resume)


def _decide(  # noqa: PLR0913 - the arguments of approve
    word: str, step: str, values: Mapping[str, Any], path: AnyPath | None, comment: str, *, resume: bool
) -> RunResult | None:
    from nbsteps.notebook.deciding import Decision, decide_from_outside, decide_here  # noqa: PLC0415 - keeps import nbsteps fast

    decision = Decision(word, step, values, comment)
    if path is not None:
        taken = decide_from_outside(Path(path), decision)
        return _gone_on(Path(path), taken.waited) if resume else None
    _said, go_on = decide_here(_this_kernel(f"nbsteps.{word}({step!r}, path='notebook.ipynb')"), decision)
    return go_on()[0] if resume else None


def _gone_on(path: Path, waited: Waited) -> RunResult:
    wishes = waited.wishes
    return run(
        path,
        waited.values(),
        steps=wishes.steps,
        force=wishes.forced,
        fail_fast=wishes.fail_fast,
        workers=wishes.workers,
        executor=wishes.executor,
    )


def accept(step: str, path: AnyPath | None = None) -> None:
    """Keep a step's stored result although its code changed: you say that the change is harmless.

    It is recorded, and void at the next change.

    Raises:
        UsageError: there is nothing to keep, or the step would run for another reason than its code.
    """
    if path is not None:
        from nbsteps.notebook import launch  # noqa: PLC0415 - keeps import nbsteps fast

        launch.inquire("accept", launch.Request(Path(path), {}, None, (step,)))
        return
    from nbsteps.engine import accepting  # noqa: PLC0415 - keeps import nbsteps fast

    accepting.accept(_this_kernel(f"nbsteps.accept({step!r}, 'notebook.ipynb')").session, step)


def _this_kernel(instead: str) -> Any:
    """Nbsteps' kernel object.

    Raises:
        UsageError: this process is no kernel that has it.
    """
    kernel = _kernel()
    if kernel is None:
        msg = "which notebook? This is no kernel with nbsteps loaded"
        raise UsageError(msg, hint=instead)
    return kernel


def toolbar() -> Any:
    """The toolbar and live graph of the notebook that this kernel executes, as a widget: what ``%pipeline`` shows.

    Raises:
        UsageError: outside a kernel with the extension loaded.
    """
    kernel = _kernel()
    if kernel is None or getattr(kernel.shell, "kernel", None) is None:
        msg = "there is no notebook here: this is no kernel with nbsteps loaded"
        raise UsageError(msg, hint="%load_ext nbsteps")
    shown = kernel.toolbar()
    shown.show()
    return shown.widget


def runs(**filters: Any) -> pd.DataFrame:
    """The runs, newest first. Filters: ``notebook``, ``limit``."""
    return _history("runs", filters)


def steps(**filters: Any) -> pd.DataFrame:
    """What became of each step in each run, newest first. Filters: ``notebook``, ``run_id``, ``step``, ``limit``."""
    return _history("steps", filters)


def attempts(**filters: Any) -> pd.DataFrame:
    """Each execution of a body, newest first. Filters: ``run_id``, ``step``, ``limit``."""
    return _history("attempts", filters)


def events(**filters: Any) -> pd.DataFrame:
    """Everything that happened, newest first. Filters: ``run_id``, ``step``, ``limit``."""
    return _history("events", filters)


def artifacts(**filters: Any) -> pd.DataFrame:
    """The stored values, newest first. Filters: ``run_id``, ``step``, ``limit``."""
    return _history("artifacts", filters)


def approvals(**filters: Any) -> pd.DataFrame:
    """Requests for a human decision and what was decided, newest first."""
    return _history("approvals", filters)


def sql(query: str) -> pd.DataFrame:
    """Query the history (``runs``, ``steps``, ...) and the stored tables (``step.output``) with DuckDB's SQL.

    Raises:
        UsageError: the query does not parse or names what is not there.
    """
    with _store() as store:
        return store.history.sql(query)


def load(name: str, run: str | None = None) -> Any:
    """A stored output: ``load("clean.orders")``, the newest, or that of one run.

    Raises:
        UsageError: nothing is stored under that name.
        StoreError: the stored value is damaged, or was written by somebody else.
    """
    step, dot, output = name.partition(".")
    if not dot:
        msg = f"{name!r} is not of the form step.output"
        raise UsageError(msg, hint="for example: nbsteps.load('clean.orders')")
    with _store() as store:
        artifact = store.history.artifact(step, output, run)
        return store.get(artifact)


def _history(kind: str, filters: Mapping[str, Any]) -> pd.DataFrame:
    with _store() as store:
        frame: pd.DataFrame = getattr(store.history, kind)(**filters)
        return frame


def _kernel() -> Any:
    """Nbsteps' kernel object if this process is a kernel that has it."""
    if "IPython" not in sys.modules:
        return None
    from nbsteps.notebook.connection import current  # noqa: PLC0415 - keeps import nbsteps fast

    return current()


@contextmanager
def _store() -> Iterator[DuckStore]:
    """The kernel's own store, or one opened for this call."""
    kernel = _kernel()
    if kernel is not None:
        yield kernel.store
        return
    with open_store(Path.cwd()) as store:
        yield store


@contextmanager
def open_store(folder: Path) -> Iterator[DuckStore]:
    """The store that serves notebooks in ``folder``, for reading its history.

    Raises:
        UsageError: there is none yet.
    """
    from nbsteps.store.store import DuckStore  # noqa: PLC0415 - keeps import nbsteps fast

    home = store_folder(folder)
    if not home.is_dir():
        msg = f"there is no store yet: nothing ran in or above {folder.name or folder}"
        raise UsageError(msg, hint="nbsteps run notebook.ipynb, or name the store's folder in NBSTEPS_STORE")
    store = DuckStore(home, config=load_config(folder))
    try:
        yield store
    finally:
        store.close()
