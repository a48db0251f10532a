"""Follows a run of another process by the history: the newest of a notebook, until it ends."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from nbsteps.config import project_root
from nbsteps.core.errors import UsageError
from nbsteps.core.graph import Graph
from nbsteps.core.states import RunState, StepState
from nbsteps.display.estimate import usual
from nbsteps.display.headless import fact_lines
from nbsteps.display.live_tree import LiveTree
from nbsteps.display.pace import Pace, Standing
from nbsteps.display.rows import Row, count, seconds, text
from nbsteps.display.wording import duration
from nbsteps.notebook.host import notebook_name
from nbsteps.notebook.progress_feed import depths
from nbsteps.notebook.reports import saved_graph
from nbsteps.notebook.watching import is_terminal, screen
from nbsteps.report import EXIT_CODES

if TYPE_CHECKING:
    from nbsteps.store.history import History

_PERIOD: Final = 0.5
"""Seconds between two looks at the history."""
_ROWS: Final = 5_000
"""Rows of steps that are read to learn what steps usually take."""
_OPEN: Final = frozenset({StepState.RUNNING, StepState.RETRYING, StepState.QUEUED, StepState.PENDING})

Batch = dict[str, Any]


def follow(history: History, path: Path, stream: TextIO, *, pause: Callable[[float], None] = time.sleep) -> int:
    """Show the newest run of a notebook until it ends: a tree on a terminal, a line for each ended step elsewhere.

    Returns:
        The exit code that the run itself ended with.

    Raises:
        UsageError: the notebook has no run.
    """
    folder = path.absolute().parent
    name = notebook_name(path.absolute(), project_root(folder))
    pages = Pages(history, name, saved_graph(name, folder))
    if not is_terminal(stream):
        said = set[str]()
        for batch in pages.until_ended(pause):
            _tell(batch, said, stream)
        return pages.exit_code
    fresh: queue.SimpleQueue[Batch] = queue.SimpleQueue()

    def taken() -> list[Batch]:
        return [fresh.get() for _ in range(fresh.qsize())]

    with screen(stream, LiveTree(path.name, time.time()), taken):
        for batch in pages.until_ended(pause):
            fresh.put(batch)
    return pages.exit_code


class Pages:
    """The newest run, as often as somebody looks."""

    def __init__(self, history: History, notebook: str, graph: Graph | None) -> None:
        self._history, self._notebook = history, notebook
        self._graph = Graph() if graph is None else graph
        self._run: Row = {}
        self._pace = Pace()

    @property
    def exit_code(self) -> int:
        """What the run ended with."""
        return EXIT_CODES.get(RunState(text(self._run, "state")), 1)

    def until_ended(self, pause: Callable[[float], None]) -> Iterator[Batch]:
        """What a tree takes, once for each look; the last one shows how the run ended."""
        while True:
            batch = self.look()
            yield batch
            if batch["run"]["ended"] is not None:
                return
            pause(_PERIOD)

    def look(self) -> Batch:
        """The run as it stands.

        Raises:
            UsageError: there is none.
        """
        filters = {"run_id": self._run["run_id"]} if self._run else {"notebook": self._notebook, "limit": 1}
        runs = self._history.records("runs", **filters)
        if not runs:
            msg = f"nothing of {self._notebook} ran yet"
            raise UsageError(msg, hint=f"nbsteps run {self._notebook}")
        if not self._run:
            self._pace.know(self._times(), self._graph.edges)
        self._run = runs[0]
        rows = {text(row, "step"): row for row in self._history.records("steps", run_id=self._run["run_id"])}
        nodes = {name: _node(rows.get(name, {})) for name in self._order(rows)}
        return {"depths": depths(self._graph), "nodes": nodes, "run": self._run_now(rows, nodes)}

    def _order(self, rows: Iterable[str]) -> Iterable[str]:
        """Graph order; of a run of some steps only, those that it has."""
        known = set(rows)
        whole = count(self._run, "steps_total") >= len(self._graph.steps)
        planned = [name for name in self._graph.steps if whole or name in known]
        return dict.fromkeys((*planned, *sorted(known)))

    def _times(self) -> dict[str, float]:
        """What steps usually take, of the latest runs."""
        took: dict[str, list[float]] = {}
        for row in self._history.records("steps", notebook=self._notebook, limit=_ROWS):
            # One that waited and went on in another run has its time there.
            if text(row, "state") == StepState.SUCCEEDED and row["duration"] is not None:
                took.setdefault(text(row, "step"), []).append(seconds(row["duration"]) or 0.0)
        return {name: found for name, latest in took.items() if (found := usual(latest)) is not None}

    def _left(self, nodes: Mapping[str, Batch]) -> Batch:
        """When the run will end at the latest, by how its steps stand."""
        now = time.time()
        self._pace.begin(name for name, node in nodes.items() if node["state"] in _OPEN)
        standings = {name: Standing(node["state"], node["since"]) for name, node in nodes.items()}
        found = self._pace.outlook(standings, now)
        return {} if found is None else {"until": now + found.seconds, "after": found.after, "most": True}

    def _run_now(self, rows: Mapping[str, Row], nodes: Mapping[str, Batch]) -> Batch:
        run = self._run
        done = sum(text(row, "state") not in _OPEN for row in rows.values())
        ended = None if text(run, "state") == RunState.RUNNING else seconds(run["ended_at"]) or time.time()
        return {
            "started": seconds(run["started_at"]) or 0.0,
            "ended": ended,
            "done": done,
            "total": max(count(run, "steps_total"), len(rows)),
            "until": None,
            **(self._left(nodes) if ended is None else {}),
        }


def _node(row: Row) -> Batch:
    state = text(row, "state") or str(StepState.PENDING)
    took = seconds(row.get("duration"))
    return {
        "state": state,
        "number": duration(took) if took and state == StepState.SUCCEEDED else "",
        "reasons": text(row, "reason"),
        "since": seconds(row.get("started_at")) if state in _OPEN else None,
        "share": None,
    }


def _tell(batch: Batch, said: set[str], stream: TextIO) -> None:
    for name, node in batch["nodes"].items():
        if node["state"] in _OPEN or name in said:
            continue
        said.add(name)
        fact = {"step": name, "state": node["state"], "reason": node["reasons"]}
        stream.write("".join(f"{line}\n" for line in fact_lines(fact)))
    stream.flush()
