"""Retries, timeouts, branches, gates and cancelling in real kernels and processes, with real signals and real time."""

from __future__ import annotations

import json

import pytest

from tests.e2e.building import Live, step

ENDLESS = "import time\nwhile time:\n    try:\n        time.sleep(300)\n    except Exception:\n        pass"
MEMBERS = (
    step("small --branch size --when 'total < 10' --out answer", "answer = 'small'"),
    step("big --branch size --when else --out answer", "answer = 'big'"),
)
FLOW = (
    step("total", "total = 50"),
    *MEMBERS,
    "print('the answer is', answer)",
    step("report", "text = f'it is {answer}'", "print(text)"),
    step("idle --out rows", "from nbsteps import Skip", "rows = 0", "if not rows:\n    raise Skip('no new rows')"),
    "print('rows', rows)",
    step("count", "counted = rows + 1"),
    step("load", "loaded = {}", "loaded['shop']"),
    step("save --catch load", "saved = type(error).__name__", "print(saved)"),
)
ENDS = {
    "total": "succeeded",
    "small": "skipped",
    "big": "succeeded",
    "report": "succeeded",
    "idle": "skipped",
    "count": "skipped",
    "load": "failed",
    "save": "succeeded",
}


def ends(report):
    return {row["step"]: row["state"] for row in report["steps"]}


def test_a_headless_run_honours_branches_skips_and_catches(nb):
    nb.write(*FLOW)
    done = nb.cli("run", nb.path.name, "--json")
    report = json.loads(done.out)
    assert ends(report) == ENDS
    assert (report["state"], done.code) == ("succeeded", 0)
    assert nb.executed() == ["total", "big", "report", "idle", "load", "save"]
    (load,) = (row for row in report["steps"] if row["step"] == "load")
    assert load["error"] == {"type": "KeyError", "message": "'shop'"}
    shown = nb.output_of(report)
    assert shown["c4"].text == "the answer is big\n"
    assert shown["c2"].error == ""
    assert shown["c2"].state["reason"] == "condition is false: total < 10"
    assert shown["c7"].text == "skipped: reads rows, and step idle was skipped\n"
    assert shown["c9"].error == ""
    assert "KeyError: 'shop'" in shown["c9"].text
    assert shown["c9"].text.endswith("handled by step save\n")
    assert "KeyError" in shown["c10"].text
    again = nb.run()
    assert nb.executed() == ["idle", "load"]
    assert ends(again) == {**ENDS, **dict.fromkeys(("total", "big", "report", "save"), "cached")}


def test_papermill_ends_as_the_run_does(nb):
    """A handled failure is shown without being the notebook's; one that nobody handles is, and it is the only one."""
    nb.write(*FLOW)
    done = nb.papermill(engine="nbsteps")
    assert (done.code, nb.history("runs")[0]["state"]) == (0, "succeeded"), done.err
    output = nb.read(nb.outside / "out.ipynb")
    assert [cell.id for cell in output.cells] == [cell.id for cell in nb.read().cells]
    (load,) = (cell for cell in output.cells if cell.id == "c9")
    assert (load.metadata.nbsteps.state, load.metadata.nbsteps.handled_by) == ("failed", "save")
    assert output.metadata.papermill.exception is None
    nb.edit("saved = type(error).__name__", "saved = nothing")
    done = nb.papermill(engine="nbsteps")
    assert (done.code, nb.history("runs")[0]["state"]) == (1, "failed")
    assert {cell for cell, shown in nb.output().items() if shown.error} == {"c9", "c10"}


def test_a_live_run_and_a_headless_one_agree(nb):
    nb.write(*FLOW)
    kernel = nb.live()
    kernel.run("%load_ext nbsteps")
    shown = kernel.run("%pipeline run")
    assert shown.error == ""
    assert nb.executed() == ["total", "big", "report", "idle", "load", "save"]
    assert kernel.run("print(answer, saved, 'rows' in globals())").text == "big KeyError False\n"
    kernel.run("%pipeline run")
    assert nb.executed() == ["idle", "load"]
    assert ends(nb.run())["report"] == "cached"
    assert nb.executed() == ["idle", "load"]


def test_step_cells_one_by_one_agree_too(nb):
    nb.write(*FLOW)
    shown = nb.run_live()
    assert nb.executed() == ["total", "big", "report", "idle", "load", "save"]
    states = {found.state["step"]: found.state["state"] for found in shown.values() if found.state}
    assert states == ENDS
    assert {cell for cell, found in shown.items() if found.error} == {"c7", "c9"}
    assert "NameError" in shown["c7"].error
    assert "there is no rows, because step idle was skipped: no new rows\n" in shown["c7"].text
    assert "--in rows --trigger none_failed" in shown["c7"].text


GATED = (
    step("load", "loaded = 3"),
    step("pay --approve 'pay {loaded}?' --ask amount:int=1", "paid = loaded * amount"),
    "print('paid', paid)",
    step("note", "noted = paid + 1"),
    step("other", "other = 1"),
)


def test_a_headless_run_that_waits_for_a_person_says_so_and_goes_on_later(nb):
    nb.write(*GATED)
    done = nb.cli("run", nb.path.name, "--json")
    report = json.loads(done.out)
    assert (done.code, report["state"]) == (3, "waiting")
    assert ends(report) == {"load": "succeeded", "pay": "waiting", "note": "pending", "other": "succeeded"}
    shown = nb.output_of(report)
    assert {cell: found.error for cell, found in shown.items() if found.error} == {}
    assert "pay 3?" in shown["c2"].text
    assert shown["c3"].text == "skipped: reads paid, and step pay waits for approval\n"
    assert shown["c4"].state["reason"] == "step pay waits for approval"
    nb.executed()
    assert nb.cli("approve", nb.path.name, "pay", "amount=7").code == 0
    report = nb.run()
    assert (report["state"], report["exit_code"]) == ("succeeded", 0)
    assert nb.executed() == ["pay", "note"]
    assert nb.output_of(report)["c3"].text == "paid 21\n"


def test_plain_papermill_skips_and_waits_as_far_as_it_can(nb):
    pay = GATED[1].replace("loaded", "total")
    nb.write(*FLOW[:3], *FLOW[4:7], pay, "double = 2 * paid", "%time print(double)", "print('total', total)")
    done = nb.papermill()
    assert done.code == 0, done.err
    shown = nb.output()
    assert shown["c6"].text == "skipped: reads rows, and step idle was skipped\n"
    assert shown["c8"].text == "skipped: reads paid, and step pay waits for approval\n"
    assert shown["c9"].text == "skipped: reads double, and step pay waits for approval\n"
    assert shown["c10"].text == "total 50\n"
    states = {found.state["step"]: found.state["state"] for found in shown.values() if found.state}
    assert states == {
        "total": "succeeded",
        "small": "skipped",
        "big": "succeeded",
        "report": "succeeded",
        "idle": "skipped",
        "pay": "waiting",
    }
    assert nb.history("runs")[0]["state"] == "waiting"


def test_a_cell_that_misses_what_a_step_did_not_make_says_why(nb):
    nb.write(*GATED[:2], "fees = paid * 2", step("bad", "worse = 1 / 0"), "print(worse)", "print(nothing)")
    kernel = nb.live()
    shown = nb.run_live(kernel)
    assert shown["c3"].error.startswith("NameError")
    said = "there is no paid, because step pay waits for approval: pay 3?\n    %pipeline approve pay amount=1\n"
    assert shown["c3"].text == f"nbsteps: {said}"
    said = "because step bad did not succeed: ZeroDivisionError: division by zero\n    %pipeline run bad\n"
    assert shown["c5"].text == f"nbsteps: there is no worse, {said}"
    assert (shown["c6"].error, shown["c6"].text) == ("NameError: name 'nothing' is not defined", "")
    assert kernel.run("%pipeline approve pay").error == ""
    assert (kernel.run("fees = paid * 2").error, kernel.run("fees").text) == ("", "6\n")


def test_a_timeout_stops_a_body_in_a_headless_run_and_nothing_else(nb):
    nb.write(
        step("slow --timeout 0.3s --retries 1 --retry-delay 10ms", ENDLESS, "slow = 1"),
        step("after", "after = slow"),
        step("other", "other = 1"),
    )
    report = nb.run()
    assert ends(report) == {"slow": "failed", "after": "upstream_failed", "other": "succeeded"}
    slow = report["steps"][0]
    assert (slow["reason"], slow["attempts"]) == ("retries_exhausted", 2)
    assert slow["error"]["type"] == "nbsteps.core.errors.StepTimeout"
    rows = [row for row in nb.history("attempts") if row["step"] == "slow"]
    assert [(row["attempt"], row["state"]) for row in rows] == [(2, "failed"), (1, "failed")]
    assert all("time.sleep(300)" in row["traceback"] for row in rows)


@pytest.mark.parametrize("body", [ENDLESS, "import asyncio\nawait asyncio.sleep(300)"], ids=["blocks", "awaits"])
def test_a_run_is_cancelled_from_another_thread(nb, body):
    """Whoever asks waits until the body has begun; what it asks takes effect wherever the body stands."""
    nb.write(step("early", "early = 1"), step("slow", body, "slow = early"), step("late", "late = slow"))
    kernel = nb.live()
    kernel.run("%load_ext nbsteps")
    watch = (
        "from nbsteps.notebook.connection import current\n"
        f"def watch():\n    while 'slow' not in open({str(nb.trace)!r}).read():\n        pass\n"
        "    current()._session.cancel()"
    )
    kernel.run(watch)
    kernel.run("import threading; asking = threading.Thread(target=watch); asking.start()")
    shown = kernel.run("%pipeline run")
    assert shown.error.startswith("KeyboardInterrupt")
    assert kernel.run("asking.join(); print(early)").text == "1\n"
    assert nb.history("runs")[0]["state"] == "cancelled"
    nb.edit(body, "pass")
    nb.executed()
    assert kernel.run("%pipeline run").error == ""
    assert nb.executed() == ["slow", "late"]


def test_an_interrupt_while_a_step_waits_for_its_retry_leaves_the_kernel_usable(nb):
    """Nearly always it comes in the wait; where it comes a moment earlier, in the other body, the same holds."""
    nb.write(
        step("flaky --retries 3 --retry-delay 1h", "raise ValueError('not yet')"),
        step("other", "other = 1", "mark('done')"),
    )
    kernel = nb.live()
    kernel.run("%load_ext nbsteps")
    request = kernel.send("%pipeline run")
    nb.wait_for("flaky", "other", "done")
    kernel.interrupt()
    assert kernel.receive(request).error.startswith("KeyboardInterrupt")
    assert kernel.run("print(1 + 1)").text == "2\n"
    assert [row["state"] for row in nb.history("steps") if row["step"] == "flaky"] == ["cancelled"]


def test_a_step_that_was_cancelled_before_its_turn_says_so(nb):
    nb.write(step("slow", ENDLESS, "slow = 1"), step("late", "late = slow"))
    kernel = nb.live()
    kernel.run("%load_ext nbsteps")
    request = kernel.send("%pipeline run")
    nb.wait_for("slow")
    kernel.interrupt()
    kernel.receive(request)
    reasons = {row["step"]: row["reason"] for row in json.loads(nb.cli("plan", nb.path.name, "--json").out)["steps"]}
    assert (reasons["slow"], reasons["late"]) == ("cancelled last time", "cancelled last time")


def test_a_cell_that_handles_a_failure_gets_the_same_error_as_in_a_run(nb):
    """Also where the kernel does not know the notebook, and so learns of the handling cell only after the failure."""
    nb.write(*FLOW[-2:])
    kernel = Live(nb.folder)
    try:
        for cell in nb.read().cells:
            kernel.run(cell.source)
        assert kernel.run("saved").text == "'KeyError'\n"
        assert nb.executed() == ["load", "save"]
        assert "1 restored, 1 failed (handled)" in kernel.run("%pipeline run").text
    finally:
        kernel.close()
    assert nb.executed() == ["load"]
    assert ends(nb.run()) == {"load": "failed", "save": "cached"}


def test_a_headless_run_resumes_as_one_in_a_kernel_does(nb):
    nb.write(
        step("pay --out x --cache run", "x = 1"),
        step("broken --out y", "y = 1 / 0"),
        step("ship --in x --out z --cache run", "z = x"),
        step("other --out w", "w = 1 / 0"),
    )
    nb.run()
    assert nb.executed() == ["pay", "broken", "ship", "other"]
    again = nb.run()
    assert nb.executed() == ["broken", "other"]
    assert [row["state"] for row in again["steps"]] == ["cached", "failed", "cached", "failed"]
    spare = nb.run("--workers", "2", "--executor", "threads")
    assert [row["reasons"] for row in spare["steps"] if row["state"] == "failed"] == [["failed last time"]] * 2
    nb.executed()
    nb.edit("y = 1 / 0", "y = 1")
    nb.edit("w = 1 / 0", "w = 1")
    assert set(nb.states().values()) == {"cached", "succeeded"}
    assert nb.executed() == ["broken", "other"]
    nb.run()
    assert nb.executed() == ["pay", "ship"]
