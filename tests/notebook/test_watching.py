"""What somebody sees of a headless run while it goes on: on a terminal, and elsewhere."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys

import nbformat
import pytest

from nbsteps.core.events import RunEnded, RunStarted, StepStarted
from nbsteps.core.graph import build
from nbsteps.core.model import Cell, Run
from nbsteps.core.states import RunState
from nbsteps.display.headless import fact_lines
from nbsteps.notebook.progress_feed import VARIABLE, FeedReader, depths, feed_writer, listening
from nbsteps.notebook.watching import is_terminal, run_watched

CELLS = ("%load_ext nbsteps", "%%step load\nraw = 1", "%%step clean\nrows = raw + 1")
GRAPH = build(tuple(Cell(f"cell {number}", source) for number, source in enumerate(CELLS)))


def test_what_a_kernel_tells_arrives_in_order_and_is_whole_at_the_end(tmp_path):
    with listening() as told:
        told_by = feed_writer(GRAPH)
        run = Run("r", "nb", "cli", 0.0, "h", 1, "u")
        for event in (
            RunStarted(0.0, run, ("load", "clean")),
            StepStarted(1.0, "r", "load", "k", ("never ran",)),
            RunEnded(2.0, "r", RunState.CANCELLED),
        ):
            told_by.emit(event)
        batches = told.read()
        assert batches[0] == {"depths": {"load": 0, "clean": 1}}
        assert batches[-1]["run"]["state"] == "cancelled"
        nodes = {name: shown["state"] for batch in batches[1:] for name, shown in batch["nodes"].items()}
        assert nodes == {"load": "running", "clean": "pending"}
        assert told.read() == []
    assert VARIABLE not in os.environ


def test_half_a_line_waits_for_its_other_half(tmp_path):
    path = tmp_path / "progress"
    told = FeedReader(path)
    assert told.read() == []
    path.write_text('{"a": 1}\n{"b"', encoding="utf-8")
    assert told.read() == [{"a": 1}]
    with path.open("a", encoding="utf-8") as file:
        file.write(": 2}\n")
    assert told.read() == [{"b": 2}]


def test_nobody_is_told_where_nobody_asked_or_nothing_can_be_written(tmp_path, monkeypatch):
    assert feed_writer(GRAPH) is None
    monkeypatch.setenv(VARIABLE, str(tmp_path / "no" / "folder"))
    assert feed_writer(GRAPH) is None


def test_depths_are_the_longest_chains():
    cells = ("%%step a\nx = 1", "%%step b\ny = x", "%%step c\nz = x + y")
    assert depths(build(tuple(Cell(str(at), cell) for at, cell in enumerate(cells)))) == {"a": 0, "b": 1, "c": 2}


@pytest.mark.parametrize(
    ("term", "tty", "expected"), [("xterm", True, True), ("dumb", True, False), ("xterm", False, False)]
)
def test_only_a_terminal_that_can_gets_a_tree(monkeypatch, term, tty, expected):
    monkeypatch.setenv("TERM", term)
    stream = io.StringIO()
    stream.isatty = lambda: tty
    assert is_terminal(stream) is expected


def test_a_log_gets_a_line_for_each_fact_and_a_remark_below(monkeypatch):
    def run(request):
        request.tell({"step": "load", "state": "succeeded", "duration_s": 2.0, "remarks": ["warning: x"]})
        request.tell({"state": "warning", "message": "slow"})
        return {"exit_code": 0}

    class Request:
        pass

    monkeypatch.setattr("nbsteps.notebook.launch.run", run)
    stream = io.StringIO()
    assert run_watched(Request(), stream) == {"exit_code": 0}
    assert stream.getvalue() == "✓ load  succeeded 2.0s\n    warning: x\n! slow\n"


def test_beside_a_tree_only_remarks_are_said():
    fact = {"step": "load", "state": "succeeded", "remarks": ["warning: x"]}
    assert fact_lines(fact, live=True) == ["! load: warning: x"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
def test_on_a_terminal_the_tree_is_drawn_and_stays(tmp_path):
    import pty

    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), tmp_path / "nb.ipynb")
    (tmp_path / ".nbsteps").mkdir()
    terminal, inner = pty.openpty()
    command = [sys.executable, "-m", "nbsteps", "run", "nb.ipynb", "--json"]
    child = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "TERM": "xterm"}, stdin=inner, stdout=inner, stderr=inner
    )
    os.close(inner)
    text = b"".join(iter(lambda: _read(terminal), b"")).decode()
    os.close(terminal)
    assert child.wait() == 0
    plain = re.sub(r"\x1b\[\??\d*[A-Za-z]", "", text)
    last = plain.rpartition("nb.ipynb  2/2 steps")[2]
    assert "✓ load     succeeded" in last
    assert "  ✓ clean  succeeded" in last
    report = json.loads(last[last.index("{") :])
    assert report["state"] == "succeeded"
    assert text.index("\x1b[?25l") < text.rindex("\x1b[?25h")


def _read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux: the other side is closed
        return b""
