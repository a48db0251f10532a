"""Approval across processes: asked in a kernel, decided on the command line, gone on with anywhere."""

from __future__ import annotations

import json
import sys
import time

import pytest

import nbsteps
from tests.e2e.building import PATIENCE, step

PAY = step("pay --in total --out paid --approve 'Pay {total:.2f}?' --ask amount:float=0.5", "paid = total * amount")
CELLS = (
    step("load --out total", "total = 9.0"),
    PAY,
    step("other --in total --out size", "size = 1"),
    step("ship --in paid --out shipped", "shipped = paid"),
    "print('shipped', shipped)",
)


def approve(nb, *values, word="approve", step="pay"):
    return nb.cli(word, nb.path.name, step, *values)


def waiting(nb):
    """The requests that nobody decided, as the history has them."""
    return [row["message"] for row in nb.history("approvals") if row["state"] == "pending"]


def test_asked_in_a_kernel_decided_outside_and_gone_on_with_in_another_kernel(nb):
    nb.write(*CELLS)
    kernel = nb.live()
    kernel.run(nb.marks)
    shown = kernel.run("%pipeline run")
    assert shown.error == ""
    assert "pay needs approval: Pay 9.00?" in shown.text
    assert "%pipeline approve pay amount=0.5" in shown.text
    assert nb.executed() == ["load", "other"]
    assert kernel.run("1 + 1").text == "2\n"
    kernel.restart()
    assert waiting(nb) == ["Pay 9.00?"]
    done = approve(nb, "amount=2", "--comment", "looks right")
    assert (done.code, done.out.splitlines()[0].split(" by ")[0]) == (0, "approved pay")
    kernel.run(nb.marks)
    assert kernel.run("%pipeline run").error == ""
    assert nb.executed() == ["pay", "ship"]
    assert kernel.run("shipped").text == "18.0\n"
    (row,) = nb.history("approvals")
    assert (row["state"], row["comment"], row["values"]) == ("approved", "looks right", {"amount": 2.0})


def test_a_run_in_a_kernel_sees_what_is_decided_outside_while_it_goes_on(nb):
    gate = nb.outside / "gate"
    body = ["import pathlib, time", f"while not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.02)", "size = 1"]
    nb.write(CELLS[0], PAY, step("other --in total --out size", *body), CELLS[3])
    kernel = nb.live()
    kernel.run(nb.marks)
    asked = kernel.send("%pipeline run")
    nb.wait_for("load", "other")
    deadline = time.monotonic() + PATIENCE
    while not waiting(nb):
        assert time.monotonic() < deadline
    assert approve(nb).code == 0
    gate.touch()
    assert kernel.receive(asked).error == ""
    assert nb.executed() == ["load", "other", "pay", "ship"]
    assert [row["state"] for row in nb.history("runs")] == ["succeeded"]


def test_the_magic_decides_and_goes_on_at_once(nb):
    nb.write(*CELLS)
    kernel = nb.live()
    kernel.run(nb.marks)
    kernel.run("%pipeline run")
    nb.executed()
    refused = kernel.run("%pipeline approve pay amount=much")
    assert "amount: 'much' is no number" in refused.error
    assert waiting(nb) == ["Pay 9.00?"]
    shown = kernel.run("%pipeline approve pay amount=1 --comment ok")
    assert shown.error == ""
    assert nb.executed() == ["pay", "ship"]
    assert kernel.run("shipped").text == "9.0\n"
    assert "waits for no approval" in kernel.run("%pipeline approve pay").error


def test_going_on_forces_what_was_to_be_forced_and_did_not_run_yet(nb):
    nb.write(*CELLS)
    nb.run()
    approve(nb, "amount=1")
    nb.run()
    nb.edit("total = 9.0", "total = 8.0")  # asks again, with all results of before still stored
    kernel = nb.live()
    kernel.run(nb.marks)
    kernel.run("%pipeline run")
    approve(nb, "amount=1")
    kernel.run("%pipeline run")
    nb.edit("total = 8.0", "total = 9.0")
    nb.edit("Pay {total:.2f}?", "Shall we pay {total:.2f}?")
    nb.executed()
    kernel.run("%pipeline run --force")
    assert nb.executed() == ["load", "other"]
    assert "approved pay" in kernel.run("%pipeline approve pay amount=1").text
    assert nb.executed() == ["pay", "ship"]  # both have results under these very keys


def test_a_run_that_waited_ends_as_the_one_that_went_on_with_it(nb):
    nb.write(*CELLS)
    assert [nb.run()["state"], nb.run()["state"]] == ["waiting", "waiting"]
    assert [row["state"] for row in nb.history("runs")] == ["waiting", "waiting"]
    approve(nb, "amount=1")
    nb.edit("shipped = paid", "shipped = paid / 0")
    report = nb.run()
    assert report["state"] == "failed"
    assert [row["state"] for row in nb.history("runs")] == ["failed"] * 3
    rows = [row for row in nb.history("steps") if row["step"] == "pay"]
    went_on = f"went on in run {report['run_id']}"
    assert [(row["state"], row["reason"]) for row in rows[1:]] == [("succeeded", went_on)] * 2


def test_what_is_cleared_is_waited_for_no_longer(nb):
    nb.write(*CELLS)
    nb.run()
    nb.cli("clear", nb.path.name, "--step", "pay")
    (row,) = [row for row in nb.history("steps") if row["step"] == "pay"]
    assert (row["state"], row["reason"]) == ("cancelled", "asked no longer: cleared")
    assert [row["state"] for row in nb.history("runs")] == ["cancelled"]


def test_going_on_at_once_takes_the_parameters_of_the_run_that_asked(nb):
    nb.write(step("load --out total", "total = month * 1.0"), PAY, parameters="month = 9\ncity = 'Bonn'")
    nb.run("-p", "month", "7", "-p", "city", "New York")
    done = approve(nb, "amount=1")
    assert done.out.splitlines()[1] == f"go on with: nbsteps run {nb.path.name} -p month 7 -p city 'New York'"
    nb.edit("paid = total * amount", "paid = total * amount + 0")
    nb.run("-p", "month", "7")
    nb.executed()
    done = approve(nb, "amount=1", "--run")
    assert (done.code, nb.executed()) == (0, ["pay"])
    assert [row["message"] for row in nb.history("approvals")] == ["Pay 7.00?"] * 2


def test_going_on_elsewhere_does_what_the_run_that_asked_was_to_do(nb):
    nb.write(*CELLS, step("audit --in shipped", "mark('audit')"))
    assert nb.run()["state"] == "waiting"
    approve(nb, "amount=1", "--run")  # everything is stored from now on
    nb.edit("Pay {total:.2f}?", "Pay {total:.2f} now?")
    nb.executed()
    words = ("--step", "ship", "--force-step", "load", "pay", "ship", "--workers", "2", "--fail-fast")
    assert nb.run(*words)["state"] == "waiting"
    assert nb.executed() == ["load"]
    done = approve(nb, "amount=1")
    left = f"nbsteps run {nb.path.name} --step ship --force-step pay ship --fail-fast --workers 2"
    assert done.out.splitlines()[1] == f"go on with: {left}"
    nb.edit("Pay {total:.2f} now?", "Pay {total:.2f} soon?")
    assert nb.run(*words)["state"] == "waiting"
    assert nb.executed() == ["load"]
    kernel = nb.live()
    kernel.run(nb.marks)
    assert kernel.run("%pipeline approve pay amount=1").error == ""
    assert nb.executed() == ["pay", "ship"]
    newest = [row["step"] for row in nb.history("steps")][:3]
    assert set(newest) == {"load", "pay", "ship"}


def test_a_kernel_that_goes_on_takes_the_parameters_of_the_run_that_asked(nb):
    nb.write(step("load --out total", "total = month * 1.0"), PAY, parameters="month = 9")
    nb.run("-p", "month", "7")
    kernel = nb.live()
    kernel.run(nb.marks)
    assert kernel.run("%pipeline approve pay amount=1").error == ""
    assert nb.executed() == ["load", "pay"]
    assert kernel.run("(month, paid)").text == "(7, 7.0)\n"


def test_python_goes_on_as_the_run_that_asked(nb):
    nb.write(*CELLS)
    nb.run("--step", "pay", "--force")
    nb.executed()
    result = nbsteps.approve("pay", {"amount": 2}, path=nb.path)
    assert {name: str(done.state) for name, done in result.steps.items()} == {"load": "cached", "pay": "succeeded"}


def test_going_on_with_a_parameter_that_is_not_kept_says_what_to_do(nb):
    nb.write(step("load --out total", "total = len(token) * 1.0"), PAY, parameters="token = 'x'")
    nb.run("-p", "token", "secret")
    done = approve(nb, "--run")
    assert done.code == 2
    assert "it was decided; the run that asked was given token, which the history does not keep in full" in done.err
    assert f"nbsteps run {nb.path.name} -p token ..." in done.err
    assert waiting(nb) == []
    assert nb.run("-p", "token", "secret")["state"] == "succeeded"


def test_a_lone_cell_waits_and_is_executed_by_its_approval(nb):
    nb.write(*CELLS)
    kernel = nb.live()
    for cell in nb.read().cells[:3]:
        shown = kernel.run(cell.source, cell.id)
    assert shown.state["state"] == "waiting"
    assert "Pay 9.00?" in shown.text
    assert nb.executed() == ["load"]
    held = kernel.run(nb.read().cells[4].source, nb.read().cells[4].id)
    assert "ship pending: step pay waits for approval" in held.text
    assert [row["state"] for row in nb.history("runs")] == ["cancelled", "waiting", "succeeded"]
    assert kernel.run("%pipeline reject pay --comment no").error == ""
    assert nb.executed() == []
    (row, *_) = nb.history("steps")
    assert (row["step"], row["state"], row["reason"].partition(":")[2]) == ("pay", "skipped", " no")


def test_cells_behind_a_question_wait_and_go_on_when_it_was_decided_elsewhere(nb):
    nb.write(
        *CELLS[:2],
        CELLS[3],
        step("mail --in shipped --out sent", "sent = shipped"),
        step("saved --out kept --catch pay", "kept = 1"),
        step("after --in kept --out known --trigger all_done", "known = bool(kept)"),
    )
    kernel = nb.live()
    cells = nb.read().cells
    shown = [kernel.run(cell.source, cell.id) for cell in cells]
    assert [each.error for each in shown] == [""] * len(cells)
    for each, name in zip(shown[3:], ("ship", "mail", "saved", "after"), strict=True):
        assert f"{name} pending: step pay waits for approval" in each.text
    assert nb.executed() == ["load"]
    approve(nb, "amount=1")
    undone = kernel.run(cells[3].source, cells[3].id)
    assert "steps to run: pay" in undone.error
    nb.run("--step", "pay")
    assert nb.executed() == ["pay"]
    for cell in cells[3:5]:
        assert kernel.run(cell.source, cell.id).error == ""
    assert nb.executed() == ["ship", "mail"]
    assert kernel.run("sent").text == "9.0\n"


@pytest.mark.parametrize("word", ["approve", "reject"])
def test_a_headless_run_exits_with_3_and_goes_on_after_the_decision(nb, word):
    nb.write(*CELLS)
    first = nb.cli("run", nb.path.name)
    assert first.code == 3
    assert f"nbsteps approve {nb.path.name} pay amount=0.5" in first.out
    done = approve(nb, "--run", word=word)
    states = {row["step"]: row["state"] for row in nb.history("steps")[:4]}
    assert done.code == 0
    if word == "approve":
        assert states == {"load": "cached", "other": "cached", "pay": "succeeded", "ship": "succeeded"}
        assert nb.executed() == ["load", "other", "pay", "ship"]
    else:
        assert states == {"load": "cached", "other": "cached", "pay": "skipped", "ship": "skipped"}
        assert nb.executed() == ["load", "other"]


def test_where_nothing_waits_the_command_line_says_so(nb):
    assert nb.cli("approve", "nosuch.ipynb", "pay").code == 2
    nb.write(*CELLS)
    done = approve(nb)
    assert (done.code, "nothing of analysis.ipynb ran yet" in done.err) == (2, True)
    nb.run()
    done = approve(nb, step="ship")
    assert (done.code, "waiting: pay" in done.err) == (2, True)
    assert "ship" not in nb.executed()
    assert (approve(nb, "amount").code, approve(nb, "amount=x").code, approve(nb, "colour=red").code) == (2, 2, 2)
    assert waiting(nb) == ["Pay 9.00?"]


def test_a_result_that_is_accepted_outside_is_restored(nb):
    nb.write(step("a --out x", "x = 1"), step("b --in x --out y", "y = x + 1"))
    nb.run()
    nb.edit("y = x + 1", "y = 1 + x")
    nb.executed()
    done = nb.cli("accept", nb.path.name, "b", "--json")
    assert (done.code, json.loads(done.out)["reasons"]) == (0, ["code changed"])
    assert nb.states() == {"a": "cached", "b": "cached"}
    assert nb.executed() == []
    reasons = {row["step"]: row["reason"] or "" for row in nb.history("steps")[:2]}
    assert reasons["b"].startswith("accepted by ")
    assert nb.cli("accept", nb.path.name, "b").code == 2
    why = nb.cli("why", nb.path.name, "b")
    assert "although the code had changed" in why.out
    nb.edit("y = 1 + x", "y = 2 + x")
    assert nb.states() == {"a": "cached", "b": "succeeded"}


def test_a_script_decides_and_goes_on(nb):
    nb.write(*CELLS)
    nb.run()
    code = f"import nbsteps; r = nbsteps.approve('pay', {{'amount': 3}}, path={nb.path.name!r}); print(r.state)"
    done = nb.start(sys.executable, "-c", code)
    out, _ = done.communicate(timeout=PATIENCE)
    assert out.split() == ["succeeded"]
    assert nb.executed() == ["load", "other", "pay", "ship"]
