"""Interrupts, kills at any moment and several processes at once: nothing that succeeded is lost or made twice."""

from __future__ import annotations

import json
import signal
import time

import psutil
import pytest

from tests.e2e.building import PATIENCE, finish, step

STEPS = ["s1", "s2", "s3", "s4", "s5", "s6", "s7"]


def chain(slow):
    """Seven steps, the fourth of which takes as long as the file ``slow`` exists."""
    waiting = f"import os, time\nwhile os.path.exists({str(slow)!r}):\n    time.sleep(0.01)"
    first = step("s1", "s1 = 1")
    return [first, *(step(n, *([waiting] if n == "s4" else []), f"{n} = s{int(n[1]) - 1} + 1") for n in STEPS[1:])]


@pytest.fixture
def slow(nb):
    file = nb.outside / "slow"
    file.touch()
    nb.write(*chain(file))
    return file


def children(process):
    return psutil.Process(process.pid).children(recursive=True)


def gone(processes):
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    return not alive


def check_resumed(nb, slow, *, crashed):
    """What had succeeded is restored, the rest executes once; the history knows what happened."""
    slow.unlink()
    report = nb.run()
    assert nb.executed() == STEPS[3:]
    assert [row["state"] for row in report["steps"]] == ["cached"] * 3 + ["succeeded"] * 4
    runs = [row["state"] for row in nb.history("runs")]
    assert runs[0] == "succeeded"
    assert set(runs[1:]) <= {"crashed" if crashed else "cancelled", "succeeded"}
    ended = [row for row in nb.history("attempts") if row["step"] == "s4"]
    assert [row["state"] for row in ended] == ["succeeded", "crashed" if crashed else "cancelled"]


def test_a_kernel_killed_in_a_magic_run(nb, slow):
    kernel = nb.live()
    kernel.run("%load_ext nbsteps")
    kernel.send("%pipeline run")
    nb.wait_for(*STEPS[:4])
    kernel.kill()
    assert nb.executed() == STEPS[:4]
    assert [row["state"] for row in nb.history("runs")] == ["crashed"]
    assert {row["step"]: row["state"] for row in nb.history("steps")} == {
        **dict.fromkeys(STEPS[:3], "succeeded"),
        "s4": "crashed",
    }
    check_resumed(nb, slow, crashed=True)


def test_the_process_of_the_command_line_killed(nb, slow):
    process = nb.start_cli("run", nb.path.name)
    nb.wait_for(*STEPS[:4])
    kernels = children(process)
    process.kill()
    finish(process)
    assert gone(kernels)
    assert nb.executed() == STEPS[:4]
    check_resumed(nb, slow, crashed=True)


def test_the_kernel_of_the_command_line_killed(nb, slow):
    out = nb.outside / "out.ipynb"
    process = nb.start_cli("run", nb.path.name, "--json", "-o", str(out))
    nb.wait_for(*STEPS[:4])
    (kernel,) = children(process)
    kernel.kill()
    done = finish(process)
    report = json.loads(done.out)
    assert (done.code, report["exit_code"], report["state"]) == (1, 1, "crashed")
    states = ["succeeded"] * 3 + ["crashed"] + ["cancelled"] * 3
    assert [row["state"] for row in report["steps"]] == states
    assert "the kernel died" in report["problems"][0]["message"]
    assert "Traceback" not in done.err
    shown = nb.output()
    assert shown["c4"].error == "DeadKernelError: the kernel died while step s4 was executed"
    assert [nb.read(out).cells[at].metadata.nbsteps.state for at in range(1, 8)] == states
    nb.executed()
    check_resumed(nb, slow, crashed=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_line_interrupted(nb, slow, number):
    process = nb.start_cli("run", nb.path.name, "--json", "-o", str(nb.outside / "out.ipynb"))
    nb.wait_for(*STEPS[:4])
    kernels = children(process)
    process.send_signal(number)
    done = finish(process)
    report = json.loads(done.out)
    assert (done.code, report["exit_code"], report["state"]) == (130, 130, "cancelled")
    states = ["succeeded"] * 3 + ["cancelled"] * 4
    assert [row["state"] for row in report["steps"]] == states
    assert gone(kernels)
    assert "Traceback" not in done.err
    saved = nb.read(nb.outside / "out.ipynb")
    assert [cell.metadata.nbsteps.state for cell in saved.cells[1:]] == states
    assert {cell.metadata.nbsteps.run_id for cell in saved.cells[1:]} == {report["run_id"]}
    assert nb.output()["c4"].error == "KeyboardInterrupt: "
    nb.executed()
    check_resumed(nb, slow, crashed=False)


def test_a_body_that_takes_no_interrupt_is_killed_by_the_second(nb):
    ready = nb.outside / "ready"
    stubborn = [
        "import signal, time",
        f"signal.signal(signal.SIGINT, lambda *_: open({str(ready)!r}, 'w').close())",
        "time.sleep(1000)",
    ]
    nb.write(step("fine", "fine = 1"), step("stubborn", *stubborn), step("rest", "rest = 1"))
    process = nb.start_cli("run", nb.path.name, "--json", "-o", str(nb.outside / "out.ipynb"))
    nb.wait_for("fine", "stubborn")
    kernels = children(process)
    while not ready.exists():
        process.send_signal(signal.SIGINT)
        psutil.wait_procs(kernels, timeout=0.5)
        if process.poll() is not None or not psutil.pid_exists(kernels[0].pid):
            break  # the body had not even begun to refuse
    else:
        process.send_signal(signal.SIGINT)
    done = finish(process)
    report = json.loads(done.out)
    assert (done.code, report["exit_code"], report["steps"][0]["state"]) == (130, 130, "succeeded")
    assert "Traceback" not in done.err
    assert gone(kernels)
    assert nb.output()["c1"].error == ""


def test_an_interrupt_before_the_first_cell(nb, slow):
    process = nb.start_cli("run", nb.path.name)
    while not children(process):
        assert process.poll() is None
        time.sleep(0.02)
    kernels = children(process)
    process.send_signal(signal.SIGINT)
    done = finish(process)
    # Python itself dies of the signal where it strikes in the middle of an import.
    assert done.code in {130, -signal.SIGINT}
    assert "Traceback" not in done.err
    assert gone(kernels)
    assert nb.executed() == []


def test_a_live_kernel_interrupted_in_a_run_is_usable_at_once(nb, slow):
    kernel = nb.live()
    kernel.run("%load_ext nbsteps")
    asked = kernel.send("%pipeline run")
    nb.wait_for(*STEPS[:4])
    kernel.interrupt()
    shown = kernel.receive(asked)
    assert shown.error == "KeyboardInterrupt: "
    assert "time.sleep(0.01)" in shown.traceback
    assert "nbsteps" not in shown.traceback
    assert "7 steps: 3 ran, 0 restored, 0 failed, 4 cancelled" in shown.text
    assert kernel.run("s3 + 1").text == "4\n"
    assert kernel.run("'s4' in globals()").text == "False\n"
    nb.executed()
    slow.unlink()
    assert "7 steps: 4 ran, 3 restored, 0 failed" in kernel.run("%pipeline run").text
    assert (nb.executed(), kernel.run("s7").text) == (STEPS[3:], "7\n")
    rows = {row["step"]: row["state"] for row in reversed(nb.history("steps")) if row["state"] != "cached"}
    assert set(rows.values()) == {"succeeded"}


def test_a_live_cell_interrupted_is_cancelled(nb, slow):
    kernel = nb.live()
    shown = {cell.id: kernel.run(cell.source, cell.id) for cell in nb.read().cells[:4]}
    fourth = nb.read().cells[4]
    asked = kernel.send(fourth.source, "c4")
    nb.wait_for(*STEPS[:4])
    kernel.interrupt()
    shown = kernel.receive(asked)
    assert (shown.error, shown.state["state"]) == ("KeyboardInterrupt: ", "cancelled")
    assert "nbsteps" not in shown.traceback
    slow.unlink()
    shown = kernel.run(fourth.source, "c4")
    assert (shown.error, shown.state["state"], shown.state["reason"]) == ("", "succeeded", "cancelled last time")
    assert [row["state"] for row in nb.history("runs")][:2] == ["succeeded", "cancelled"]


def test_two_processes_at_once_execute_each_step_once(nb, slow):
    processes = [nb.start_cli("run", nb.path.name, "--json", "-o", str(nb.outside / f"{n}.ipynb")) for n in range(2)]
    nb.wait_for(*STEPS[:4])
    slow.unlink()
    reports = [json.loads(finish(process).out) for process in processes]
    assert [report["state"] for report in reports] == ["succeeded"] * 2
    assert nb.executed() == STEPS
    states = [[row["state"] for row in report["steps"]] for report in reports]
    assert all(sorted(pair) == ["cached", "succeeded"] for pair in zip(*states, strict=True))
    for number in range(2):
        assert nb.output(f"{number}.ipynb")["c7"].error == ""


def test_who_waits_for_a_killed_process_takes_over(nb, slow):
    first = nb.live()
    first.run("%load_ext nbsteps")
    first.send("%pipeline run")
    nb.wait_for(*STEPS[:4])
    second = nb.start_cli("run", nb.path.name, "--json", "-o", str(nb.outside / "out.ipynb"))
    deadline = time.monotonic() + PATIENCE
    while len(nb.history("runs")) < 2:
        assert second.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    nb.executed()
    slow.unlink()
    first.kill()
    done = finish(second)
    assert done.code == 0, (done.out, done.err)
    assert json.loads(done.out)["state"] == "succeeded"
    assert set(nb.executed()) >= set(STEPS[4:])
    # Whoever executed them, each has one result, and nothing is left to do.
    assert set(nb.states().values()) == {"cached"}
