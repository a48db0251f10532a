"""What ``%%step`` publishes and raises, in a shell in this process."""

from __future__ import annotations

import pytest

from nbsteps.core.events import Warned
from nbsteps.core.model import StepRun
from nbsteps.core.states import StepState
from nbsteps.notebook import kernel as module
from nbsteps.notebook.connection import connect, disconnect
from nbsteps.notebook.notes import Remarks, note


@pytest.fixture
def run(tmp_path, monkeypatch, shell):
    """Executes a cell; returns what it displayed and its error."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "find_notebook", lambda _shell: None)
    monkeypatch.setattr(module, "started_by_papermill", lambda: False)
    connect(shell)
    published = []
    monkeypatch.setattr(
        shell.display_pub, "publish", lambda data, metadata=None, **_: published.append((data, metadata))
    )

    def execute(source):
        published.clear()
        result = shell.run_cell(source, store_history=True)
        return list(published), result.error_in_exec

    yield execute
    disconnect(shell)


def note_of(published):
    (found,) = [metadata["nbsteps"] for _, metadata in published if metadata and "nbsteps" in metadata]
    return found


def test_a_note_says_what_happened_for_people_and_tools(run):
    published, error = run("%%step a\na = 1")
    assert error is None
    (data, metadata) = published[-1]
    assert data["text/plain"].startswith("ran a in ")
    assert "never ran" in data["text/html"]
    state = metadata["nbsteps"]
    assert list(state) == ["step", "state", "reason", "reasons", "attempts", "duration_s", "remarks"]
    assert (state["step"], state["state"], state["reasons"], state["attempts"]) == ("a", "succeeded", ["never ran"], 1)
    published, _ = run("%%step a\na = 1")
    assert (note_of(published)["state"], published[0][0]["text/plain"].startswith("restored a from ")) == (
        "cached",
        True,
    )


def test_a_note_is_text_not_markup(run, shell):
    note("<b>&", StepRun("a", StepState.SUCCEEDED, ""), ["<script>"])
    published, error = run("%%step a --out b\nfrom nbsteps import Skip\nb = 1\nraise Skip('<img>')")
    assert error is None
    assert "&lt;img&gt;" in published[0][0]["text/html"]
    assert "<img>" in published[0][0]["text/plain"]


def test_a_failed_step_says_so_in_its_note_and_raises_the_users_error(run):
    published, error = run("%%step a\na = 1 / 0")
    assert isinstance(error, ZeroDivisionError)
    assert (note_of(published)["state"], note_of(published)["attempts"]) == ("failed", 1)


def test_a_failure_is_said_once(run):
    published, _ = run("%%step a\na = 1 / 0")
    assert published[0][0]["text/plain"] == "a failed"
    published, _ = run("%%step a --retries 1 --retry-delay 0s\na = 1 / 0")
    assert published[0][0]["text/plain"] == "a failed after 2 attempts: retries_exhausted"


def test_a_map_says_which_items_failed(run):
    run("%%step shops\nshops = ['n', 's']")
    published, error = run("%%step a --map shop=shops --retries 1 --retry-delay 0s\na = 1 / (shop != 's')")
    message = "1 of 2 items failed, --tolerate 0; item 1 ('s'): division by zero"
    assert note_of(published)["error"] == {"type": "ZeroDivisionError", "message": message}
    assert published[0][0]["text/plain"] == f"a failed: ZeroDivisionError: {message}"
    assert error.__notes__[-1].endswith("the first: item 1 ('s')")


@pytest.mark.parametrize(
    ("cells", "state", "said"),
    [
        (['%%step a --when "1 > 2"\na = 1'], "skipped", "a skipped: condition is false: 1 > 2"),
        (["%%step a\nfrom nbsteps import Skip\nraise Skip('no rows')"], "skipped", "a skipped: no rows"),
        (
            ['%%step a --when "1 > 2"\na = 1', "%%step b\nb = a"],
            "skipped",
            "b skipped: step a skipped",
        ),
        (["%%step a --approve 'go on?'\na = 1"], "waiting", "needs approval: go on?"),
        (
            ["%%step a --approve 'go on?'\na = 1", "%%step b\nb = a"],
            "pending",
            "b pending: step a waits for approval",
        ),
    ],
)
def test_what_does_not_run_says_so_quietly(run, cells, state, said):
    for cell in cells:
        published, error = run(cell)
        assert error is None
    assert note_of(published)["state"] == state
    assert said in published[0][0]["text/plain"]


def test_bad_lines_raise_a_message_without_a_traceback(run, console):
    published, error = run("%%step 1a\na = 1")
    assert published == []
    assert error._render_traceback_() == [f"ProblemsError: {error}"]
    assert "magics.py" not in console.out


def test_an_input_that_is_nowhere_names_the_steps_to_run(run):
    run("%%step a\nx = 1")
    run("del x")
    run("%%step b\ny = x")
    run("%pipeline clear")
    run("del x, y")
    _, error = run("%%step b\ny = x + 1")
    assert "input x is not in the kernel, and step a, which writes it, is not fresh" in str(error)
    assert "%pipeline run b" in str(error)


def test_remarks_are_kept_once_in_order():
    said = Remarks()
    said.emit(Warned(0.0, "r", "a", "careful", "mend"))
    said.emit(Warned(0.0, "r", "a", "careful", "mend"))
    said.add("plain")
    assert said.lines == ["careful (mend)", "plain"]


def test_uncacheable_outputs_are_remarked(run):
    run("import threading")
    published, _ = run("%%step a\nlock = threading.Lock()")
    (remark,) = note_of(published)["remarks"]
    assert remark.startswith("not cached: lock: ")
    assert remark in published[-1][0]["text/plain"]
