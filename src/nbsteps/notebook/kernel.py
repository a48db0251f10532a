"""The composition root inside a kernel: one engine session for one IPython shell, fed by the shell's events."""

from __future__ import annotations

import atexit
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbsteps.config import load_config, project_root, store_folder
from nbsteps.core.cells import Context, understand
from nbsteps.core.errors import DocumentError
from nbsteps.core.model import Cell
from nbsteps.core.source import split_cell
from nbsteps.core.states import RunState
from nbsteps.engine.services import Services, new_id
from nbsteps.engine.session import Session
from nbsteps.executors.pool import Pool
from nbsteps.notebook.document import (
    SESSION_VARIABLE,
    find_notebook,
    read_notebook,
    session_notebook,
    started_by_papermill,
)
from nbsteps.notebook.evaluator import ShellEvaluator
from nbsteps.notebook.host import SystemClock, notebook_name, this_host
from nbsteps.notebook.missing_inputs import MissingInputs
from nbsteps.notebook.threaded import ThreadBodies
from nbsteps.notebook.worker import perform
from nbsteps.notify import Notifier
from nbsteps.store.store import DuckStore, tell, warn

if TYPE_CHECKING:
    import pandas as pd
    from IPython.core.interactiveshell import InteractiveShell

    from nbsteps.notebook.toolbar import Toolbar


class Kernel:
    """What nbsteps keeps for one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.evaluator = ShellEvaluator(shell)
        self.lanes = Pool(perform, ThreadBodies(shell).perform)
        self.trigger = "cell"
        self.path: Path | None = None
        self._messages: list[str] = []
        self._pinned = False
        self._given = False
        self._session: Session | None = None
        self._running: tuple[Cell, float] | None = None
        self._toolbar: Toolbar | None = None
        self._absent = MissingInputs(shell)
        self._skipping = False
        shell.events.register("pre_run_cell", self.before_cell)
        shell.events.register("post_run_cell", self.after_cell)
        atexit.register(self.close)

    @property
    def session(self) -> Session:
        """The engine, made at first use, with the document as it is saved now."""
        if self._session is not None:
            self._refresh(self._session)
            return self._session
        self._session = self._make_session()
        self._refresh(self._session)
        if started_by_papermill():
            self.trigger = "papermill"
            self._session.begin(self.trigger, managed=False)
        return self._session

    def use_notebook(self, path: Path | None) -> None:
        """Say which notebook this kernel belongs to; None looks for it anew."""
        if path is not None:
            read_notebook(path)
        self.path = None if path is None else path.absolute()
        self._pinned, self._given = path is not None, False
        self._drop_session()

    def named(self, name: str, *, moved: bool) -> None:
        """Take the notebook under the name that its page has for it. Main thread only, not during a run.

        A kernel knows only the name that its notebook had when the kernel was started.

        Args:
            name: the path in the page's file browser.
            moved: whether it was renamed, moved or saved under another name; else the name only counts where the
                kernel knows none, or one of a file that is gone.
        """
        known = self.path or find_notebook(self.shell)
        if self._pinned or self._given or not (moved or known is None or not known.is_file()):
            return
        found = session_notebook(name)
        if found is None or found == known:
            return
        os.environ[SESSION_VARIABLE] = name
        self.path = found
        self._drop_session()

    def use_cells(self, path: Path, cells: tuple[Cell, ...]) -> Session:
        """Work on these cells of the notebook at ``path`` instead of its saved ones (parameters were injected)."""
        self._drop_session()
        self.path, self._pinned, self._given = path, True, True
        self._session = self._make_session()
        self._session.cells.saved(cells, time.time())
        return self._session

    def _drop_session(self) -> None:
        if self._session is not None:
            self._session.services.store.close()
        self._session = None
        self._absent.forget()

    def _make_session(self) -> Session:
        if self.path is None:
            self.path = find_notebook(self.shell)
        folder = Path.cwd() if self.path is None else self.path.parent
        config = load_config(folder)
        # The store will make the folder a project: the first run must name the notebook as every later one does.
        root = project_root(folder) or folder
        store = DuckStore(store_folder(folder), config=config, warn=self._heard(warn), on_wait=self._heard(tell))
        services = Services(self.evaluator, store, SystemClock(), this_host(), config)
        services.folder, services.root, services.private = folder, root, (store_folder(folder),)
        services.notebook = notebook_name(self.path, root) or f"unsaved {new_id()}"
        services.lanes = self.lanes
        session = Session(services)
        services.listeners.append(Notifier(config.notify, lambda name: _addresses(session, name), services.warn))
        self._adopt_history(session)
        return session

    def _heard(self, say: Callable[[str], None]) -> Callable[[str], None]:
        """Say it where the user works, and keep it for whoever runs the notebook from outside."""

        def heard(message: str) -> None:
            self._messages.append(message)
            say(message)

        return heard

    def take_messages(self) -> list[str]:
        """What the store had to say since this was asked last, each once."""
        taken, self._messages = list(dict.fromkeys(self._messages)), []
        return taken

    def _adopt_history(self, session: Session) -> None:
        """Cells that were executed before the extension was loaded."""
        # As typed: the list In holds what IPython made of it, which is not the text of the saved cell.
        executed: list[str] = getattr(self.shell.history_manager, "input_hist_raw", [])
        for number, source in enumerate(executed):
            cell = Cell(f"In [{number}]", source)
            if split_cell(source) is None and _says_something(cell) and self._took_effect(cell):
                session.cells.executed(cell, time.time())
                session.keeper.note(source)

    def _took_effect(self, cell: Cell) -> bool:
        """Whether an earlier cell ended well, as far as the namespace shows."""
        understood, _problems = understand(cell, 0)
        made = understood.names.writes
        return all(name in self.shell.user_ns for name in made) and (self._running is None or cell != self._running[0])

    def _refresh(self, session: Session) -> None:
        if self.path is None or self._given:
            return
        try:
            document = read_notebook(self.path)
        except DocumentError as error:
            if self._pinned:
                raise
            # From no line of ours, which would be quoted to the user.
            warnings.warn_explicit(str(error), UserWarning, "nbsteps", 0)
            return
        session.cells.saved(document.cells, self.path.stat().st_mtime)

    def before_cell(self, info: Any) -> None:
        """A cell is about to be executed (IPython's ``pre_run_cell``)."""
        source = info.raw_cell or ""
        label = f"In [{self.shell.execution_count}]"
        cell = Cell(label, source, id=getattr(info, "cell_id", None) or "")
        self._running = (cell, time.time())
        if self._session is not None and self.trigger == "papermill" and not self._given:
            self._skipping = self._absent.skip(self._session, cell)

    def after_cell(self, result: Any) -> None:
        """A cell was executed (IPython's ``post_run_cell``)."""
        running, self._running = self._running, None
        if self._skipping:
            self._skipping = False
            self._absent.done()
            return
        if running is None or self._session is None or split_cell(running[0].source) is not None:
            return
        cell = running[0]
        self._session.services.epoch += 1
        self._absent.explain(self._session, result.error_in_exec)
        if result.success and _says_something(cell):
            self._session.cells.executed(cell, time.time())
            self._session.note_context(cell)

    def running_cell(self) -> Cell | None:
        """The cell that is being executed, named as in the notebook; None where nobody said what is executed."""
        if self._running is None:
            return None
        cell = self._running[0]
        saved = (known for known in self.session.cells.merged() if known.id and known.id == cell.id)
        return replace(cell, label=next(saved, cell).label)

    def current_cell(self, line: str, body: str) -> Cell:
        """The step cell that is being executed."""
        if self._running is not None:
            cell = self._running[0]
            split = split_cell(cell.source)
            if split is not None and split.body.strip() == body.strip():
                return cell
        return Cell(f"In [{self.shell.execution_count}]", f"%%step {line}\n{body}")

    def toolbar(self) -> Toolbar:
        """The toolbar of this kernel, one however often it is shown."""
        if self._toolbar is None:
            from nbsteps.notebook.toolbar import Toolbar  # noqa: PLC0415 - loads widgets, which most runs do not show

            self._toolbar = Toolbar(self)
        return self._toolbar

    @property
    def shown_toolbar(self) -> Toolbar | None:
        """The same, if anything has shown it."""
        return self._toolbar

    @property
    def store(self) -> DuckStore:
        """The store that serves this kernel's notebook."""
        store = self.session.services.store
        assert isinstance(store, DuckStore)  # noqa: S101 - made in _make_session
        return store

    def history(self, kind: str, **filters: Any) -> pd.DataFrame:
        """One of the history tables."""
        frame: pd.DataFrame = getattr(self.store.history, kind)(**filters)
        return frame

    def close(self) -> None:
        """Flush and release the store; runs at exit.

        A plain papermill's run ends here, as its steps did; one that our client opened has lost its client.
        """
        if self._session is not None:
            self._session.end(RunState.CANCELLED if self._given else None)
            self._session.services.store.close()
            self._session = None
        self.lanes.close()

    def detach(self) -> None:
        """Undo what the constructor registered."""
        self.shell.events.unregister("pre_run_cell", self.before_cell)
        self.shell.events.unregister("post_run_cell", self.after_cell)
        atexit.unregister(self.close)
        self.close()


def _says_something(cell: Cell) -> bool:
    """Whether a context cell makes or changes anything; lone ``%pipeline`` lines and bare expressions do not."""
    understood, _problems = understand(cell, 0)
    return isinstance(understood, Context) and bool(understood.shapes)


def _addresses(session: Session, name: str) -> tuple[str, ...]:
    """Whom a step tells how it goes."""
    step = session.graph().steps.get(name)
    return () if step is None else step.options.notify
