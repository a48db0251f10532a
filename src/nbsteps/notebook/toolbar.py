"""The toolbar of a kernel: connects the widget with the engine and its events.

Threads beside the main one, all daemons: messages from the page arrive on one of the kernel's and are only sorted here;
the pump sends what changed, at most fifteen times a second; the desk reads the history, which may take a moment; one
sees when the notebook is saved, and what is decided elsewhere. What changes the session is executed by the main thread,
as a line that the user could have typed.
"""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from nbsteps.core.decide import Action
from nbsteps.core.errors import NbstepsError
from nbsteps.core.events import Event, RunStarted
from nbsteps.core.graph import Graph
from nbsteps.core.model import Cell
from nbsteps.display.board import Board
from nbsteps.display.chronicle import run_view
from nbsteps.display.levels import graph_view, looks_like
from nbsteps.display.view import NodeView
from nbsteps.engine.deciding import Decisions
from nbsteps.engine.session import Session, Standing
from nbsteps.notebook import recorder
from nbsteps.notebook.drafts import look
from nbsteps.notebook.kernel_requests import KernelRequests
from nbsteps.notebook.means import steps_at_once
from nbsteps.notebook.notes import publish
from nbsteps.notebook.page_queries import PageQueries, Subject
from nbsteps.notebook.pictures import Keepsake, saved_picture
from nbsteps.notebook.run_settings import RunSettings
from nbsteps.notebook.step_logs import StepLogs
from nbsteps.notebook.subshells import keep_figures, pin
from nbsteps.notebook.times import UsualTimes
from nbsteps.notebook.waiting_runs import all_open, undecided

if TYPE_CHECKING:
    from nbsteps.display.widget import PipelineWidget
    from nbsteps.notebook.kernel import Kernel

_PERIOD: Final = 1 / 15
"""Seconds between two batches."""
_GLANCE: Final = 1.0
"""Seconds between two looks whether the notebook was saved."""
_SNAPSHOT: Final = 1.0
"""Seconds between two refreshes of what a page is given that opens during a run."""


class Toolbar:
    """One for a kernel, however often it is shown.

    Args:
        kernel: whose session it shows.
    """

    def __init__(self, kernel: Kernel) -> None:
        from ipykernel.connect import get_connection_file  # noqa: PLC0415 - only where there is a kernel

        from nbsteps.display.widget import PipelineWidget  # noqa: PLC0415 - only where there is a page

        self._kernel = kernel
        self._door = KernelRequests(get_connection_file())
        self._wake = threading.Event()
        self.board = Board(self._wake.set)
        self._session: Session | None = None
        self._graph = Graph()
        self._standings: tuple[Standing, ...] = ()
        self._logs = StepLogs()
        self._desk = PageQueries(self._logs)
        self._runs_seen = 0
        self._manner = RunSettings()
        self._times = UsualTimes()
        self._errands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._outdated = self._executing = False
        self.drafts: Callable[[], tuple[Cell, ...]] = tuple
        self.onlookers: list[Callable[[Mapping[str, Any]], None]] = []
        self.widget: PipelineWidget = PipelineWidget(self.heard, self.fallback)
        self._keepsake = Keepsake(f"nbsteps {self.widget.model_id}")
        self.pinned = pin(kernel.shell, self.widget.comm)
        kernel.shell.events.register("pre_run_cell", self._before_cell)
        kernel.shell.events.register("post_run_cell", self._after_cell)
        recorder.onlookers.append(self._logs.tail)
        for name, work in (("pump", self._pump), ("desk", self._serve), ("glance", self._watch)):
            run = contextvars.copy_context().run
            threading.Thread(target=run, args=(work,), name=f"nbsteps {name}", daemon=True).start()

    def show(self) -> dict[str, Any]:
        """Bring the widget up to date; returns it as a display with its picture in it."""
        self.refresh()
        self._publish()
        return self.widget.bundle()

    def display(self) -> None:
        """Show the widget in the cell that is being executed, and below it the picture that is saved with it."""
        self.refresh()
        self._publish()
        publish(self.widget.view())
        self._keepsake.show(*self._still())

    def refresh(self) -> None:
        """Look at the notebook and its forecast anew. Main thread only."""
        self._take_up(self._attend(), executing=True)

    def _attend(self) -> Session:
        """Listen to the session that there is now."""
        session = self._kernel.session
        if session is not self._session:
            self._session = session
            session.services.listeners.append(self)
        return session

    def follow(self) -> None:
        """Look at what pages show and what is saved, and execute nothing; not during a run. Main thread only."""
        if self._session is None or self._executing or self.board.running:
            return
        try:
            self._take_up(self._attend(), executing=False)
        except NbstepsError:
            return  # who runs or shows the pipeline is told
        finally:
            self._keepsake.renew(*self._still())

    def follow_soon(self) -> None:
        """The same from any thread, as soon as the main thread is free."""
        shell: Any = self._kernel.shell
        shell.kernel.io_loop.add_callback(self.follow)

    def _look(self, session: Session, *, executing: bool) -> tuple[Graph, tuple[Standing, ...]]:
        """The steps by the text of their cells; exactly where that needs nothing executed that the user has not."""
        lab, graph = self.drafts(), session.graph()
        cells = session.cells.merged()
        edited = bool(lab) and [cell.source for cell in lab] != [cell.source for cell in cells]
        due = not executing and any(session.keeper.due(step, graph) for step in graph.steps.values())
        if edited or due:
            return look(session, lab if edited else cells)
        return graph, session.status()

    def _take_up(self, session: Session, *, executing: bool) -> None:
        graph, self._standings = self._look(session, executing=executing)
        standings = {row.step.name: row for row in self._standings}
        services = session.services
        self._desk.subject = Subject(self._kernel.store, services.notebook, graph, standings, services.folder)
        self._show_last_run(session)
        rows = [(row.step.name, row.state, row.decision, row.result) for row in self._standings]
        self._expect(session, graph)
        self.board.rest(rows, undecided(session))
        if graph is not self._graph:
            drawn, self._graph = self._graph, graph
            if not self.widget.graph or not looks_like(graph, drawn):
                self.widget.graph = graph_view(graph, session.services.notebook)

    def _expect(self, session: Session, graph: Graph) -> None:
        """Tell the board what the steps take that would run."""
        due = [row for row in self._standings if row.decision.action is not Action.RESTORE]
        results = {row.step.name: row.decision.result or row.result for row in due}
        times = self._times.of(session.services.store, session.services.notebook, results)
        self.board.expect(times, graph.edges, steps_at_once(self._manner.workers, self._manner.executor))

    def _show_last_run(self, session: Session) -> None:
        """Before this kernel's first run: how the last one ended, wherever it was."""
        if self.board.has_run:
            return
        rows = self._kernel.store.history_records("runs", notebook=session.services.notebook, limit=1)
        if rows:
            self.board.last_run(run_view(rows[0]))

    def emit(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, RunStarted):
            keep_figures(self._kernel.shell)
            self._runs_seen += 1
        self._logs.emit(event)
        self.board.emit(event)

    def _after_cell(self, _result: Any) -> None:
        """Show what a cell changed."""
        self._executing = False
        self.follow()

    def _before_cell(self, _info: Any) -> None:
        self._executing = True

    def _watch(self) -> None:
        """Notice when the notebook is saved, and when a form that is shown was decided elsewhere or expires."""
        seen = self._seen()
        while True:
            time.sleep(_GLANCE)
            before, seen = seen, self._seen()
            if before != seen:
                self.follow_soon()

    def _seen(self) -> tuple[object, ...]:
        session = self._session
        return (self._saved_at(), session is None or all_open(session, self.board.asked))

    def _saved_at(self) -> float:
        try:
            return 0.0 if self._kernel.path is None else self._kernel.path.stat().st_mtime
        except OSError:
            return 0.0

    def fallback(self) -> dict[str, str]:
        """The steps as text and as a picture, for pages without scripts."""
        return saved_picture(*self._still())

    def _still(self) -> tuple[Graph, str, Mapping[str, NodeView], str]:
        return (self._graph, "" if self._session is None else self._session.services.notebook, *self.board.still())

    def heard(self, message: Mapping[str, Any]) -> None:
        """Sort what a page asks for. Comes on another thread where there is one: nothing here may take long."""
        keep_figures(self._kernel.shell)
        match message.get("do"):
            case "cancel":
                asked = self._session is not None and self._session.cancel()
                self._tell({"kind": "cancelling", "running": asked})
            case "run":
                self._run(message)
            case "whole":
                self._outdated = True
                self._wake.set()
            case "accept":
                self._accept(message)
            case "how":
                self._change(message)
            case "approve" | "reject":
                self._errands.put(lambda: self._decide(message))
            case question if self._desk.knows(question):
                self._errands.put(lambda: self._answer(message))
            case _:
                pass  # of a page that is newer than this kernel

    def _run(self, message: Mapping[str, Any]) -> None:
        """Run steps that the notebook has; a name from a page is a name or nothing."""
        known = self._graph.steps
        steps = [name for name in message.get("steps") or () if name in known]
        force = bool(message.get("force"))
        if force and message.get("after"):
            steps = [name for name in known if name in self._graph.descendants(steps)]
        words = [*steps, *self._manner.words(), *(["--force", *steps] if force else [])]
        line = " ".join(["%pipeline", "run", *words])
        seen = self._runs_seen
        self._door.execute(line, lambda reply: self._replied(reply, seen))

    def _accept(self, message: Mapping[str, Any]) -> None:
        """Keep a step's result, as long as the step is still what the page shows."""
        step, seen = message.get("step"), str(message.get("seen"))
        if step in self._graph.steps and seen.isalnum():
            runs = self._runs_seen
            self._door.execute(f"%pipeline accept {step} --seen {seen}", lambda reply: self._replied(reply, runs))

    def _change(self, message: Mapping[str, Any]) -> None:
        """Execute the next run as a page wants it."""
        self._manner = self._manner.changed(message, self._kernel.shell.user_ns)
        at_once = steps_at_once(self._manner.workers, self._manner.executor)
        self.board.hands(at_once)
        self._tell({"kind": "how", "how": self._how()})
        self._publish()

    def _how(self) -> dict[str, Any]:
        return self._manner.view(self._kernel.shell.user_ns)

    def _replied(self, reply: Mapping[str, Any], seen: int) -> None:
        """Tell the page what went wrong before a run began; what fails in a run, its steps show."""
        if reply.get("status") == "error" and self._runs_seen == seen:
            self._tell({"kind": "notice", "text": str(reply.get("evalue") or reply.get("ename") or "")})

    def _decide(self, message: Mapping[str, Any]) -> None:
        """Record what somebody decided, and go on with the run that waited for it."""
        session = self._session
        reply = {"kind": "reply", "view": message.get("view"), "request": message.get("request")}
        if session is None:
            return
        services, step, comment = session.services, str(message.get("step")), str(message.get("comment") or "")
        people = Decisions(services.store, services.clock, services.notebook, services.host.user, services.emit)
        try:
            if message["do"] == "approve":
                people.approve(step, dict(message.get("values") or {}), comment)
            else:
                people.reject(step, comment)
        except NbstepsError as error:
            self._tell(reply | {"error": str(error)})
            return
        self._tell(reply | {"data": None})
        seen = self._runs_seen
        self._door.execute(f"%pipeline run --waited {step}", lambda reply: self._replied(reply, seen))

    def _tell(self, message: Mapping[str, Any]) -> None:
        self.widget.send(dict(message))
        for onlooker in tuple(self.onlookers):
            onlooker(message)

    def whole(self) -> dict[str, Any]:
        """All that a page needs to draw the widget by itself; ``onlookers`` are told what its views are told."""
        return self.widget.drawn() | {"live": self._live()}

    def _live(self) -> dict[str, Any]:
        return self.board.live() | {"now": time.time(), "how": self._how()}

    def _publish(self) -> None:
        self.widget.live = self._live()

    def _pump(self) -> None:
        """Send what changed, the first change at once, then at most every period."""
        published = 0.0
        while True:
            self._wake.wait()
            self._wake.clear()
            taken, due = self.board.take(), self._outdated
            self._outdated = False
            if taken is not None:
                batch, whole = taken
                self._tell({"kind": "delta", "now": time.time(), **batch})
                due = due or whole or time.monotonic() - published > _SNAPSHOT
            if due:
                self._publish()
                published = time.monotonic()
            time.sleep(_PERIOD)

    def _serve(self) -> None:
        while True:
            self._errands.get()()

    def _answer(self, message: Mapping[str, Any]) -> None:
        """Answer a question, to the view that asked."""
        reply = {"kind": "reply", "view": message.get("view"), "request": message.get("request")}
        self._tell(reply | self._desk.answer(message))
