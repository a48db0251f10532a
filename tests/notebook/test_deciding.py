"""Decisions, progress and messages in a shell in this process: what the magics decide, run, and show."""

from __future__ import annotations

import pytest

import nbsteps
from nbsteps import notify
from nbsteps.core.errors import DocumentError, UsageError
from nbsteps.core.model import RunResult
from nbsteps.notebook import kernel as module
from nbsteps.notebook.connection import connect, disconnect
from nbsteps.notebook.deciding import Decision, decide_from_outside, form_values

PAY = "%%step pay --in total --out paid --approve 'Pay {total}?' --ask amount:int=1\npaid = total * amount"


@pytest.fixture
def run(tmp_path, monkeypatch, shell, console):
    """Executes cells; returns what they print and their error."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "find_notebook", lambda _shell: None)
    monkeypatch.setattr(module, "started_by_papermill", lambda: False)
    connect(shell)

    def execute(*sources):
        before = len(console.out)
        for source in sources:
            result = shell.run_cell(source, store_history=True)
        error = result.error_in_exec
        return console.out[before:], "" if error is None else str(error)

    yield execute
    disconnect(shell)


def test_the_magic_approves_and_runs_what_waited(run, shell):
    run("%%step load --out total\ntotal = 9", PAY, "%%step ship --in paid --out shipped\nshipped = paid")
    shown, error = run("%pipeline run")
    assert ("Pay 9?" in shown, error) == (True, "")
    shown, error = run("%pipeline approve pay amount=2 -c fine")
    assert error == ""
    assert "approved pay by " in shown
    assert shell.user_ns["paid"] == 18
    assert connect(shell).history("approvals")["comment"].tolist() == ["fine"]
    _, error = run("%pipeline approve pay")
    assert "it waits for no approval: its last request is approved" in error


def test_python_decides_in_a_kernel_as_the_magic_does(run, shell):
    run("%%step load --out total\ntotal = 9", PAY, "%pipeline run")
    assert nbsteps.approve("pay", {"amount": 3}, resume=False) is None
    result = connect(shell).session.resume()[0]
    assert str(result.state) == "succeeded"
    run(PAY.replace("Pay {total}?", "Pay {total} now?"), "%pipeline run")
    rejected = nbsteps.reject("pay", comment="no")
    assert isinstance(rejected, RunResult)
    assert str(rejected.steps["pay"].state) == "skipped"


def test_the_magic_accepts(run, shell):
    run("%%step a --out x\nx = 1", "%%step b --in x --out y\ny = x + 1")
    connect(shell).session.cells.executed(module.Cell("In [9]", "%%step b --in x --out y\ny = 1 + x"), 1e12)
    shown, error = run("%pipeline accept b")
    assert (error, "code changed; void at the next change" in shown) == ("", True)
    shown, _ = run("%pipeline plan")
    assert "accepted by" in shown
    _, error = run("%pipeline accept b")
    assert "up to date" in error
    with pytest.raises(UsageError, match="up to date"):
        nbsteps.accept("b")


@pytest.mark.parametrize("word", ["approve", "reject", "accept"])
def test_outside_a_kernel_python_asks_which_notebook(word):
    with pytest.raises(UsageError, match="which notebook"):
        getattr(nbsteps, word)("pay")


def test_what_cannot_be_decided_outside_says_why(tmp_path):
    with pytest.raises(DocumentError, match="there is no notebook"):
        decide_from_outside(tmp_path / "no.ipynb", Decision("approve", "pay"))
    (tmp_path / "nb.ipynb").touch()
    with pytest.raises(UsageError, match=r"nothing of nb\.ipynb ran yet"):
        decide_from_outside(tmp_path / "nb.ipynb", Decision("reject", "pay"))


@pytest.mark.parametrize(
    ("pairs", "expected"), [((), {}), (("a=1", "b="), {"a": "1", "b": ""}), (("a=x=y",), {"a": "x=y"})]
)
def test_pairs_fill_a_form(pairs, expected):
    assert form_values(pairs) == expected


@pytest.mark.parametrize("pairs", [("amount",), ("a=1", "a=2")])
def test_pairs_that_cannot_be_meant(pairs):
    with pytest.raises(UsageError, match=r"FIELD=VALUE|given twice"):
        form_values(pairs)


def test_progress_is_shown_and_is_no_output_of_the_step(run, shell):
    body = "%%step a --out x\nimport nbsteps\nfor x in range(4):\n    nbsteps.progress(2 * x, 6, 'rows')\nprint('said')"
    run(body)
    shown, error = run("%pipeline run --force a")
    assert error == ""
    assert "said" in shown
    (result,) = [standing.result for standing in connect(shell).session.status()]
    displays = connect(shell).store.get(result.displays)
    assert [display["text"] for display in displays] == ["said\n"]


def test_a_step_tells_its_addresses_and_trouble_is_a_warning(run, shell, monkeypatch):
    sent = []

    def send(url, message):
        sent.append((url, message.title.rpartition(": ")[2]))
        if "broken" in url:
            raise notify.SendError("broken://... did not take the message")

    monkeypatch.setattr(module.Notifier.__init__, "__kwdefaults__", {"send": send, "patience": 60.0})
    disconnect(shell)
    connect(shell)
    shown, error = run("%%step a --notify good:// broken://x --out x\nx = 1", "%pipeline run --force a")
    assert error == ""
    assert sent == [("good://", "step a succeeded"), ("broken://x", "step a succeeded")] * 2
    assert "a notification was not sent: broken://... did not take the message" in shown
    events = connect(shell).history("events")
    assert sum("was not sent" in str(data) for data in events["data"]) == 2
