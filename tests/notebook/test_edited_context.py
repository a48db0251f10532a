"""Context cells that were edited and not executed: marks, plan, why and run tell one story."""

from __future__ import annotations

import os
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from nbsteps.core.states import StepState
from nbsteps.notebook import kernel as module
from nbsteps.notebook.connection import connect, connected, disconnect
from nbsteps.notebook.drafts import look

HELPERS = "FACTOR = 2\n\ndef double(x):\n    return FACTOR * x\n\ndef unused(x):\n    return x"
STEP = "%%step twice --out m\nm = double(5)"
WORDS = "double was edited and not executed"


class Notebook:
    """A notebook that is saved after each edit, over a shell in this process."""

    def __init__(self, path, shell):
        self.path, self.shell = path, shell
        self.texts: dict[str, str] = {}

    def write(self, **cells):
        self.texts.update(cells)
        made = [new_code_cell(source, id=name) for name, source in self.texts.items()]
        nbformat.write(new_notebook(cells=made), self.path)
        os.utime(self.path, (time.time(), time.time()))  # what the file system says may lag behind the clock

    def execute(self, name):
        assert self.shell.run_cell(self.texts[name], store_history=True, cell_id=name).success

    @property
    def session(self):
        return connected(self.shell).session


@pytest.fixture
def notebook(tmp_path, monkeypatch, shell):
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "find_notebook", lambda _shell: tmp_path / "nb.ipynb")
    monkeypatch.setattr(module, "started_by_papermill", lambda: False)
    made = Notebook(tmp_path / "nb.ipynb", shell)
    made.write(helpers=HELPERS, step=STEP)
    connect(shell)
    yield made
    disconnect(shell)


def agree(notebook, expect):
    """Marks, widget, plan and why say the same of the step, and asking executes nothing."""
    shell, session = notebook.shell, notebook.session
    before = {name: shell.user_ns[name] for name in ("double", "FACTOR")}
    _graph, marks = look(session, session.cells.merged())
    told = {str(marks[0].decision.text), str(session.why("twice").text), str(session.plan().decisions["twice"].text)}
    told.add(str(session.status()[0].decision.text))
    assert told == {expect}
    assert {name: shell.user_ns[name] for name in before} == before


@pytest.mark.parametrize(
    ("old", "new", "because", "ends", "value"),
    [
        pytest.param("return FACTOR", "return 3 + FACTOR", WORDS, "succeeded", 13, id="a helper"),
        pytest.param("FACTOR = 2", "FACTOR = 3", WORDS, "succeeded", 15, id="what a helper reads"),
        pytest.param("FACTOR = 2", "FACTOR = 1 + 1", WORDS, "cached", 10, id="another text of the same value"),
        pytest.param("return x", "return -x", "", "cached", 10, id="a helper that no step uses"),
        pytest.param("FACTOR = 2", "FACTOR = 2  # twice", "", "cached", 10, id="a comment"),
    ],
)
def test_an_edited_cell_is_told_alike_everywhere_and_executed_by_a_run(notebook, old, new, because, ends, value):
    notebook.execute("helpers")
    run(notebook, "succeeded", 10)
    notebook.write(helpers=HELPERS.replace(old, new, 1) if old != "return x" else HELPERS[:-1] + "-x")
    agree(notebook, because)
    run(notebook, ends, value)
    agree(notebook, "")


def run(notebook, ends, value):
    result, errors = notebook.session.run()
    assert not errors
    assert result.steps["twice"].state is StepState(ends), result.steps["twice"].reasons
    connected(notebook.shell).evaluator.materialise(["m"])
    assert notebook.shell.user_ns["m"] == value


def test_an_edit_that_is_taken_back_counts_again(notebook):
    notebook.execute("helpers")
    run(notebook, "succeeded", 10)
    notebook.write(helpers=HELPERS.replace("= 2", "= 3"))
    run(notebook, "succeeded", 15)
    notebook.write(helpers=HELPERS)
    agree(notebook, WORDS)
    run(notebook, "cached", 10)


def test_an_edit_that_the_user_executes_is_told_as_what_changed(notebook):
    notebook.execute("helpers")
    run(notebook, "succeeded", 10)
    notebook.write(helpers=HELPERS.replace("FACTOR *", "1 + FACTOR *"))
    notebook.execute("helpers")
    agree(notebook, "helper double changed")
    run(notebook, "succeeded", 11)


def test_a_step_that_is_executed_alone_takes_the_kernel_as_it_is(notebook):
    notebook.execute("helpers")
    run(notebook, "succeeded", 10)
    notebook.write(helpers=HELPERS.replace("= 2", "= 3"))
    notebook.execute("step")
    assert notebook.shell.user_ns["FACTOR"] == 2
    agree(notebook, WORDS)
    run(notebook, "succeeded", 15)


def test_a_later_cell_that_assigns_the_same_name_is_executed_after_the_edited_one(notebook):
    notebook.write(helpers=HELPERS, step="FACTOR = 7", later=STEP)
    notebook.execute("helpers")
    notebook.execute("step")
    run(notebook, "succeeded", 35)
    notebook.write(helpers=HELPERS.replace("return FACTOR", "return 1 + FACTOR"))
    run(notebook, "succeeded", 36)
    assert notebook.shell.user_ns["FACTOR"] == 7


def test_a_value_that_no_cell_of_the_notebook_gave_is_the_users(notebook):
    notebook.shell.run_cell("FACTOR = 4\ndef double(x):\n    return x - FACTOR\nunused = None", store_history=True)
    run(notebook, "succeeded", 1)
    agree(notebook, "")
