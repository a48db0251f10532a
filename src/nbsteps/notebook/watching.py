"""A headless run as somebody watches it: a live tree on a terminal, a line for each step anywhere else."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, TextIO

from nbsteps.display.headless import fact_lines
from nbsteps.display.live_tree import LiveScreen, LiveTree
from nbsteps.notebook import launch
from nbsteps.notebook.launch import Request
from nbsteps.notebook.progress_feed import listening


def run_watched(request: Request, stream: TextIO) -> dict[str, Any]:
    """Run a notebook as :func:`nbsteps.notebook.launch.run` does, and show on ``stream`` how it goes."""
    if not is_terminal(stream):
        request.tell = lambda fact: _write(stream, fact)
        return launch.run(request)
    with listening() as told, screen(stream, LiveTree(request.path.name, time.time()), told.read) as shown:
        request.tell = lambda fact: _say(shown, fact)
        return launch.run(request)


def screen(stream: TextIO, tree: LiveTree, read: Any) -> LiveScreen:
    """A tree on a terminal, in colours unless the user wants none."""
    return LiveScreen(
        stream,
        tree,
        read=read,
        clock=time.time,
        size=lambda: _size(stream),
        colour="NO_COLOR" not in os.environ,
    )


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream leads to a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _size(stream: TextIO) -> tuple[int, int]:
    try:
        columns, rows = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        columns = rows = 0
    return columns or 80, rows or 24  # some terminals do not know


def _write(stream: TextIO, fact: Mapping[str, Any]) -> None:
    stream.write("".join(f"{line}\n" for line in fact_lines(fact)))
    stream.flush()


def _say(shown: LiveScreen, fact: Mapping[str, Any]) -> None:
    for line in fact_lines(fact, live=True):
        shown.say(line)
