"""Tells the process that started a headless run how it goes, while it goes: a file that grows by a line for each batch.

The kernel writes, the command line reads. Nothing depends on it: where the file cannot be written nobody is told.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from nbsteps.core.errors import NbstepsError
from nbsteps.core.events import Event, RunEnded
from nbsteps.core.graph import Graph
from nbsteps.display.board import Board

VARIABLE: Final = "NBSTEPS_PROGRESS"
"""Environment variable that names the file."""
_PERIOD: Final = 0.1
_PATIENCE: Final = 2.0


def depths(graph: Graph) -> dict[str, int]:
    """Step to the length of the longest chain above it."""
    found: dict[str, int] = {}
    for name in graph.steps:  # each after everything it needs
        found[name] = 1 + max((found.get(parent, -1) for parent in graph.parents[name]), default=-1)
    return found


class FeedWriter:
    """Listener that writes what changed, in batches.

    Args:
        path: the file.
        graph: whose steps are run.
        times: tells what steps usually take, in seconds; asked once, beside the run.
        workers: steps at once.
    """

    def __init__(
        self, path: Path, graph: Graph, times: Callable[[], Mapping[str, float]] = dict, workers: int = 1
    ) -> None:
        self._file: TextIO = path.open("a", encoding="utf-8")
        self._changed = threading.Event()
        self._ended = threading.Event()
        self._board = Board(self._changed.set)
        self._graph, self._times, self._workers = graph, times, workers
        self._write({"depths": depths(graph)})
        self._thread = threading.Thread(target=self._work, name="nbsteps progress feed", daemon=True)
        self._thread.start()

    def emit(self, event: Event) -> None:
        """Take note of an event; with the run's end everything is written."""
        self._board.emit(event)
        if isinstance(event, RunEnded):
            self._ended.set()
            self._changed.set()
            self._thread.join(_PATIENCE)

    def _work(self) -> None:
        with contextlib.suppress(NbstepsError):  # a store that cannot be read tells no times
            self._board.expect(self._times(), self._graph.edges, self._workers)
        while not self._ended.is_set():
            self._changed.wait()
            self._changed.clear()
            self._take()
            self._ended.wait(_PERIOD)
        self._take()
        with contextlib.suppress(OSError):
            self._file.close()

    def _take(self) -> None:
        taken = self._board.take()
        if taken is not None:
            batch, _whole = taken
            self._write({"nodes": batch["nodes"], "run": batch["run"]})

    def _write(self, batch: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._file.write(json.dumps(batch) + "\n")
            self._file.flush()


def feed_writer(graph: Graph, times: Callable[[], Mapping[str, float]] = dict, workers: int = 1) -> FeedWriter | None:
    """A teller, if whoever started this kernel wants to be told; arguments as for :class:`FeedWriter`."""
    path = os.environ.get(VARIABLE)
    try:
        return FeedWriter(Path(path), graph, times, workers) if path else None
    except OSError:
        return None


class FeedReader:
    """The reading side."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def read(self) -> list[dict[str, Any]]:
        """What was written since the last time, whole lines only."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                lines = file.read().rpartition(b"\n")[0]
        except OSError:
            return []
        if not lines:
            return []
        self._at += len(lines) + 1
        return [json.loads(line) for line in lines.split(b"\n")]


@contextmanager
def listening() -> Iterator[FeedReader]:
    """Kernels that are started meanwhile tell how their run goes."""
    with tempfile.TemporaryDirectory(prefix="nbsteps-") as folder:
        path = Path(folder) / "progress"
        before = os.environ.get(VARIABLE)
        os.environ[VARIABLE] = str(path)
        try:
            yield FeedReader(path)
        finally:
            if before is None:
                del os.environ[VARIABLE]
            else:
                os.environ[VARIABLE] = before
