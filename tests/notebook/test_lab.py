"""The kernel's side of the notebook toolbar, over a shell in this process and a page that only listens."""

from __future__ import annotations

import queue
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from nbsteps.engine.deciding import Decisions
from nbsteps.notebook import kernel as module
from nbsteps.notebook import lab
from nbsteps.notebook.connection import connect, connected, disconnect, lab_of
from nbsteps.notebook.lab import TARGET
from nbsteps.notebook.labrun import STEP_KEY, run

HELPER = "def double(x):\n    return 2 * x"
LOAD = "%%step load\nraw = [1, 2]\nprint('loaded')"
CLEAN = "%%step clean\nrows = [double(x) for x in raw]"
PATIENCE = 30.0


class Comm:
    """One end of a comm: what was sent, and what the page would send."""

    def __init__(self):
        self.comm_id = "page"
        self.sent: list[dict] = []
        self.news = threading.Condition()

    def on_msg(self, heard):
        self.say = lambda **data: heard({"content": {"data": data}})

    def on_close(self, closed):
        self.closed = lambda: closed({})

    def send(self, message):
        with self.news:
            self.sent.append(message)
            self.news.notify_all()

    def close(self):
        self.closed()

    def await_state(self, **states):
        """Wait until the page knows these states."""
        with self.news:
            assert self.news.wait_for(lambda: states.items() <= self.states().items(), PATIENCE), self.states()

    def states(self):
        known = {}
        for message in self.sent:
            if message["kind"] == "state":
                known = {} if message["whole"] else known
                known |= {name: node["state"] for name, node in message["nodes"].items()}
        return known

    def reasons(self, step):
        return next(m["nodes"][step]["reasons"] for m in reversed(self.sent) if step in m.get("nodes", {}))


class Manager:
    def __init__(self):
        self.targets = {}

    def register_target(self, name, opened):
        self.targets[name] = opened

    def unregister_target(self, name, _opened):
        del self.targets[name]


@pytest.fixture
def project(tmp_path, monkeypatch, shell):
    """A saved notebook whose kernel has a page, and nothing executed yet."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    cells = [new_code_cell(source, id=f"c{at}") for at, source in enumerate((HELPER, LOAD, CLEAN))]
    nbformat.write(new_notebook(cells=cells), tmp_path / "nb.ipynb")
    monkeypatch.setattr(module, "find_notebook", lambda _shell: tmp_path / "nb.ipynb")
    monkeypatch.setattr(module, "started_by_papermill", lambda: False)
    loop = SimpleNamespace(add_callback=lambda call: call())
    monkeypatch.setattr(shell, "kernel", SimpleNamespace(comm_manager=Manager(), io_loop=loop), raising=False)
    connect(shell)
    yield shell
    disconnect(shell)


@pytest.fixture
def page(project):
    comm = Comm()
    project.kernel.comm_manager.targets[TARGET](comm, {})
    return comm


def edit(page, *sources):
    cells = [{"id": f"c{at}", "position": at + 1, "source": text, "tags": []} for at, text in enumerate(sources)]
    page.say(do="cells", cells=cells)


def test_a_page_that_opens_is_told_how_the_steps_stand(page):
    edit(page, HELPER, LOAD, CLEAN)
    page.await_state(load="pending", clean="pending")
    assert page.reasons("clean") == "never ran"


def test_a_run_is_told_as_it_goes_and_edits_before_they_are_executed(page, project):
    edit(page, HELPER, LOAD, CLEAN)
    run()
    page.await_state(load="succeeded", clean="succeeded")
    edit(page, HELPER, LOAD, CLEAN + " + [0]")
    page.await_state(load="succeeded", clean="stale")
    assert page.reasons("clean") == "code changed"
    edit(page, HELPER, LOAD, CLEAN + "  # a comment")
    page.await_state(load="succeeded", clean="cached")


def test_a_step_that_waits_for_somebody_is_what_the_badge_says(page, project):
    cells = [LOAD, "%%step gate --approve 'Go on?' --ask n:int\ngate = raw"]
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in cells]), "nb.ipynb")
    edit(page, *cells)
    run()
    page.await_state(gate="waiting")
    lab_of(project).refresh()
    assert lab_of(project).board.live()["badge"] == "Needs approval"
    project.run_line_magic("pipeline", "approve gate n=2")
    page.await_state(gate="succeeded")
    edit(page, *cells, "# another cell")  # decided anew, by the text of the cells
    lab_of(project).refresh()
    assert lab_of(project).board.live()["badge"] == "Up to date"


def test_what_is_decided_elsewhere_is_noticed(page, project, monkeypatch):
    monkeypatch.setattr(lab, "_GLANCE", 0.01)
    cells = [LOAD, "%%step gate --approve 'Go on?'\ngate = raw"]
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in cells]), "nb.ipynb")
    edit(page, *cells)
    noticed = queue.SimpleQueue()
    project.kernel.io_loop.add_callback = noticed.put
    run()
    lab_of(project).refresh()
    assert lab_of(project).board.live()["badge"] == "Needs approval"
    services = lab_of(project).attach().services
    people = Decisions(services.store, services.clock, services.notebook, "dana", services.store.emit)
    people.approve("gate", {}, "")
    noticed.get(timeout=PATIENCE)()
    assert lab_of(project).board.asked == ()
    assert lab_of(project).board.live()["badge"] != "Needs approval"


def test_an_edited_helper_makes_stale_what_rests_on_it(page):
    edit(page, HELPER, LOAD, CLEAN)
    run()
    edit(page, HELPER.replace("2", "3"), LOAD, CLEAN)
    page.await_state(load="succeeded", clean="stale")
    assert page.reasons("clean") == "double was edited and not executed"


def test_a_cell_with_a_problem_is_blocked_and_says_why(page):
    edit(page, HELPER, LOAD, "%%step clean --out rows\nother = raw")
    page.await_state(load="pending", clean="pending")
    assert "rows" in page.reasons("clean")


def test_looking_at_cells_executes_none_of_them(page, project):
    edit(page, "raise SystemExit", LOAD, CLEAN)
    page.await_state(load="pending", clean="pending")
    assert "double" not in project.user_ns
    assert "raw" not in project.user_ns


def test_what_steps_show_is_marked_as_theirs_and_errors_too(page, project, monkeypatch):
    marks = []
    monkeypatch.setattr(
        project.display_pub, "publish", lambda data, metadata, **_: marks.append(metadata.get(STEP_KEY))
    )
    failing = LOAD + "\nraise ValueError('x')"
    nbformat.write(new_notebook(cells=[new_code_cell(failing)]), "nb.ipynb")
    shown = []
    monkeypatch.setattr(project, "showtraceback", lambda error: shown.append((marks[-1], error[1])))
    run()
    assert [mark for mark in marks if mark] == ["load", "load"]
    assert marks[-1] == ""
    [(step, error)] = shown
    assert (step, str(error)) == ("load", "x")
    lab_of(project).refresh()
    page.await_state(load="failed")
    assert page.reasons("load") == "ValueError: x"


def test_outputs_of_steps_that_run_at_once_are_each_marked_as_its_own(project, monkeypatch, tmp_path):
    # Each waits until the other has started, so both have begun when the first output comes.
    body = (
        "%%step {0}\nimport time\nfrom pathlib import Path\nPath('{0}').touch()\n"
        "while not Path('{1}').exists():\n    time.sleep(0.01)\nprint('of {0}')\n{0} = 1"
    )
    cells = [new_code_cell(body.format(one, other)) for one, other in (("a", "b"), ("b", "a"))]
    nbformat.write(new_notebook(cells=cells), "nb.ipynb")
    whose, found = [""], {}
    monkeypatch.setattr(
        project.display_pub, "publish", lambda data, metadata, **_: whose.append(metadata.get(STEP_KEY, whose[-1]))
    )
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(write=lambda said: found.update({said: whose[-1]}), flush=str))
    run(2, "threads")
    assert found == {"of a\n": "a", "of b\n": "b"}


def test_a_page_that_stands_in_for_the_widget_is_given_and_told_what_its_views_are(page, project, monkeypatch):
    toolbar = SimpleNamespace(onlookers=[], whole=lambda: {"id": "w", "graph": {}}, heard=[].append)
    monkeypatch.setattr(connected(project), "_toolbar", toolbar)
    page.say(do="widget", shown=True)
    assert page.sent[-1] == {"kind": "widget", "id": "w", "graph": {}}
    [tell] = toolbar.onlookers
    tell({"kind": "delta"})
    assert page.sent[-1] == {"kind": "told", "content": {"kind": "delta"}}
    page.say(do="tell", content={"do": "cancel"})
    assert toolbar.heard.__self__ == [{"do": "cancel"}]
    before = len(page.sent)
    page.say(do="widget", shown=False)
    tell({"kind": "delta"})
    assert len(page.sent) == before


def test_a_notebook_that_is_renamed_while_it_is_open_is_the_one_that_runs(page, project, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "flows/nb.ipynb")
    edit(page, HELPER, LOAD, CLEAN)
    run()
    page.await_state(clean="succeeded")
    page.say(do="named", path="flows/nb.ipynb", moved=False)
    nbformat.write(new_notebook(cells=[new_code_cell("%%step other\nx = 1")]), "new.ipynb")
    page.say(do="named", path="flows/new.ipynb", moved=False)  # of another notebook with the same kernel
    page.say(do="named", path="flows/nowhere.ipynb", moved=True)
    assert lab_of(project).attach().services.notebook == "nb.ipynb"
    Path("nb.ipynb").unlink()
    page.say(do="named", path="flows/new.ipynb", moved=False)
    assert lab_of(project).attach().services.notebook == "new.ipynb"
    run()
    page.await_state(other="succeeded")


def test_cancel_without_a_run_is_answered_and_interrupts_nothing(page):
    page.say(do="cancel")
    assert page.sent[-1] == {"kind": "cancelling", "running": False}


def test_a_page_that_closed_is_told_nothing_more(page, project):
    page.closed()
    before = len(page.sent)
    lab_of(project).refresh()
    assert len(page.sent) == before


def test_a_shell_without_a_kernel_waits_for_no_page(tmp_path, monkeypatch, shell):
    monkeypatch.chdir(tmp_path)
    connect(shell)
    assert lab_of(shell) is None
    disconnect(shell)
