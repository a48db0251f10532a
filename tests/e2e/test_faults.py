"""Kills while nothing of the user's runs or while it runs elsewhere, and options that meet: all in real processes."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from tests.e2e.building import PATIENCE, step

PAY = step("pay --approve 'Pay {total}?'", "paid = total")


def until(found):
    """What a question comes to once it is true."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer


def states(nb, kind, name):
    """How a step, or its attempts, stood, newest first."""
    return [row["state"] for row in nb.history(kind) if row["step"] == name]


def ended(nb):
    return [row["state"] for row in nb.history("runs")]


def loaded(nb):
    kernel = nb.live()
    kernel.run(nb.marks)
    return kernel


def test_a_kernel_killed_while_a_step_waits_for_its_retry(nb):
    file = nb.outside / "there"
    wait = ["import pathlib", f"if not pathlib.Path({str(file)!r}).exists():\n    raise OSError('not yet')"]
    nb.write(step("early", "early = 1"), step("flaky --retries 2 --retry-delay 1h", *wait, "flaky = early"))
    kernel = loaded(nb)
    kernel.send("%pipeline run")
    nb.wait_for("early", "flaky")
    until(lambda: "retrying" in states(nb, "steps", "flaky"))
    kernel.kill()
    assert nb.executed() == ["early", "flaky"]
    assert (ended(nb), states(nb, "steps", "flaky")) == (["crashed"], ["crashed"])
    assert states(nb, "attempts", "flaky") == ["failed"]
    file.touch()
    report = nb.run()
    assert [(row["state"], row["reason"]) for row in report["steps"]] == [
        ("cached", "unchanged"),
        ("succeeded", "crashed last time"),
    ]
    assert nb.executed() == ["flaky"]


def test_a_kernel_killed_while_a_run_waits_for_a_person(nb):
    nb.write(step("total", "total = 3"), PAY, step("after", "after = paid"))
    kernel = loaded(nb)
    kernel.run("%pipeline run")
    kernel.kill()
    assert nb.executed() == ["total"]
    assert (ended(nb), states(nb, "steps", "pay")) == (["waiting"], ["waiting"])
    assert nb.cli("approve", nb.path.name, "pay", "--run").code == 0
    assert nb.executed() == ["pay", "after"]
    assert ended(nb) == ["succeeded", "succeeded"]


def test_a_kernel_killed_while_one_step_waits_for_a_person_and_another_runs(nb):
    gate = nb.outside / "gate"
    gate.touch()
    busy = ["import pathlib, time", f"while pathlib.Path({str(gate)!r}).exists():\n    time.sleep(0.01)", "busy = 1"]
    nb.write(step("total", "total = 3"), PAY, step("busy", *busy))
    kernel = loaded(nb)
    kernel.send("%pipeline run")
    nb.wait_for("total", "busy")
    kernel.kill()
    gate.unlink()
    assert nb.executed() == ["total", "busy"]
    assert (ended(nb), states(nb, "steps", "pay"), states(nb, "steps", "busy")) == (
        ["crashed"],
        ["waiting"],
        ["crashed"],
    )
    assert nb.cli("approve", nb.path.name, "pay").code == 0
    assert nb.states() == {"total": "cached", "pay": "succeeded", "busy": "succeeded"}
    assert nb.executed() == ["pay", "busy"]
    assert [row["state"] for row in nb.history("approvals")] == ["approved"]


@pytest.mark.parametrize("retries", [0, 1])
def test_a_worker_killed_while_a_whole_step_runs_there(nb, retries):
    pid = nb.outside / "pid"
    body = [
        "import os, pathlib, time",
        f"first = not pathlib.Path({str(pid)!r}).exists()",
        f"pathlib.Path({str(pid)!r}).write_text(f'{{os.getpid()}}.')",
        "while first:\n    time.sleep(0.01)",
        "away = 1",
    ]
    head = f"away --retries {retries} --retry-delay 0s --out away"
    nb.write(step(head, *body), step("after", "after = away"), step("other", "other = 1"))
    kernel = loaded(nb)
    request = kernel.send("%pipeline run --workers 2 --executor processes")
    until(lambda: pid.exists() and pid.read_text().endswith("."))
    os.kill(int(pid.read_text()[:-1]), signal.SIGKILL)
    shown = kernel.receive(request)
    attempts = states(nb, "attempts", "away")
    if retries:
        assert (shown.error, attempts) == ("", ["succeeded", "crashed"])
        assert kernel.run("away, after, other").text == "(1, 1, 1)\n"
        return
    assert "died" in shown.error
    assert (attempts, states(nb, "steps", "after")) == (["crashed"], ["upstream_failed"])
    assert kernel.run("other").text == "1\n"
    assert "2 ran" in kernel.run("%pipeline run --workers 2 --executor processes").text
    assert kernel.run("after").text == "1\n"


def test_the_time_over_all_attempts_of_a_step_in_a_worker(nb):
    pids = nb.outside / "pids"
    body = [
        "import os, time",
        f"with open({str(pids)!r}, 'a') as file:\n    print(os.getpid(), file=file)",
        "while time:\n    try:\n        time.sleep(300)\n    except BaseException:\n        pass",
    ]
    nb.write(step("long --total-timeout 3s --retries 5 --out none", *body, "none = 1"), step("other", "other = 1"))
    kernel = loaded(nb)
    shown = kernel.run("%pipeline run --workers 2 --executor processes")
    assert "StepTimeout" in shown.error
    (row,) = (row for row in nb.history("steps") if row["step"] == "long")
    assert (row["state"], row["reason"]) == ("failed", "total_timeout")
    # On a busy machine its process may have taken all of the time to start.
    assert states(nb, "attempts", "long") in (["failed"], [])
    assert kernel.run("other").text == "1\n"
    begun = [int(pid) for pid in pids.read_text().split()] if pids.exists() else []
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in begun if psutil.pid_exists(pid)], timeout=PATIENCE)
    assert alive == []


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["in the kernel", "in workers"])
def test_a_parameter_that_a_map_runs_over(nb, workers):
    squares = "%%step squares --map n=numbers --out square\nmark(f'n{n}')\nsquare = n * n"
    nb.write(
        step("numbers", "numbers = list(range(size))"),
        squares,
        step("total", "total = sum(square)"),
        parameters="size = 2",
    )
    assert nb.run(*workers)["state"] == "succeeded"
    assert sorted(nb.executed()) == ["n0", "n1", "numbers", "total"]
    report = nb.run(*workers, "-p", "size", "4")
    assert sorted(nb.executed()) == ["n2", "n3", "numbers", "total"]
    (row,) = (row for row in report["steps"] if row["step"] == "squares")
    assert row["items"] == {"total": 4, "executed": 2, "restored": 2, "failed": 0}
    kernel = loaded(nb)
    kernel.run(f"%pipeline run --param size=4 {' '.join(workers)}")
    assert (nb.executed(), kernel.run("total").text) == ([], "14\n")
    kernel.run(f"%pipeline run --param size=5 {' '.join(workers)}")
    assert (sorted(nb.executed()), kernel.run("total").text) == (["n4", "numbers", "total"], "30\n")
