"""What people expect of an orchestrator when things stop, die or wait: each row here in real processes.

The rows are those that ``tests/engine/test_behaviours*.py`` prove through the engine with a clock of their own.
``ROWS`` says which test shows a row with real signals, kernels and time.
"""

from __future__ import annotations

import importlib
import json
import time
from datetime import UTC, datetime

import pytest

from tests.e2e.building import PATIENCE, step

ROWS = [
    ("10, 11 the time over all attempts", "test_faults", "test_the_time_over_all_attempts_of_a_step_in_a_worker"),
    (
        "14 a timeout stops a body",
        "test_orchestration",
        "test_a_timeout_stops_a_body_in_a_headless_run_and_nothing_else",
    ),
    (
        "15 whatever the body catches",
        "test_orchestration_cases",
        "test_a_body_that_catches_its_time_limit_has_failed_all_the_same",
    ),
    ("16 a thread that overruns", "test_behaviours", "test_16_a_late_result_of_a_thread_counts_for_nothing"),
    ("17 an interrupt is not retried", "test_behaviours", "test_17_an_interrupt_is_not_retried"),
    (
        "17 nor in a retry wait",
        "test_orchestration",
        "test_an_interrupt_while_a_step_waits_for_its_retry_leaves_the_kernel_usable",
    ),
    ("17 cancelled from elsewhere", "test_orchestration", "test_a_run_is_cancelled_from_another_thread"),
    ("18 killed in the fourth of seven steps", "test_kills", "test_a_kernel_killed_in_a_magic_run"),
    ("18 the command line killed", "test_kills", "test_the_process_of_the_command_line_killed"),
    ("18 killed in a retry wait", "test_faults", "test_a_kernel_killed_while_a_step_waits_for_its_retry"),
    ("18 a worker killed", "test_faults", "test_a_worker_killed_while_a_whole_step_runs_there"),
    ("19 killed between a body's end and its commit", "test_behaviours", "test_19_killed_before_the_commit"),
    ("20 two processes", "test_kills", "test_two_processes_at_once_execute_each_step_once"),
    ("20 one of which is killed", "test_kills", "test_who_waits_for_a_killed_process_takes_over"),
    ("28 a failure that is handled", "test_orchestration", "test_papermill_ends_as_the_run_does"),
    (
        "38 it waits, also when the kernel is gone",
        "test_approval",
        "test_asked_in_a_kernel_decided_outside_and_gone_on_with_in_another_kernel",
    ),
    ("38 killed while it waits", "test_faults", "test_a_kernel_killed_while_a_run_waits_for_a_person"),
    ("39 rejected", "test_approval", "test_a_headless_run_exits_with_3_and_goes_on_after_the_decision"),
    ("39 expired while nothing ran", "test_behaviours", "test_39_expired_while_nothing_ran"),
    ("40 asked again", "test_approval", "test_a_run_that_waited_ends_as_the_one_that_went_on_with_it"),
    ("40 a form that is not valid", "test_approval", "test_where_nothing_waits_the_command_line_says_so"),
]


@pytest.mark.parametrize(("row", "module", "name"), ROWS, ids=[row for row, *_ in ROWS])
def test_each_row_has_its_test(row, module, name):
    assert row[:2].isdigit()
    assert callable(getattr(importlib.import_module(f"tests.e2e.{module}"), name))


def until(found):
    deadline = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def loaded(nb):
    kernel = nb.live()
    kernel.run(nb.marks)
    return kernel


def attempts(nb, name):
    return [row["state"] for row in nb.history("attempts") if row["step"] == name]


def test_16_a_late_result_of_a_thread_counts_for_nothing(nb):
    """Nothing can stop the thread: it holds its lane until it ends, and what it brings then is left aside."""
    gate, came = nb.outside / "gate", nb.outside / "came"
    body = [
        "import pathlib, time",
        f"while not pathlib.Path({str(gate)!r}).exists():\n    time.sleep(0.01)",
        "late = 'late'",
        f"pathlib.Path({str(came)!r}).touch()",
    ]
    nb.write(
        step("slow --timeout 0.5s --pool one:1 --out late", *body), step("other --pool one:1 --out after", "after = 1")
    )
    kernel = loaded(nb)
    run = "%pipeline run --executor threads --workers 2"
    request = kernel.send(run)
    nb.wait_for("slow")
    until(lambda: "failed" in [row["state"] for row in nb.history("steps") if row["step"] == "slow"])
    assert "other" not in nb.trace.read_text()  # the thread still has the pool's one slot
    gate.touch()
    assert "StepTimeout" in kernel.receive(request).error
    until(came.exists)
    assert sorted(nb.executed()) == ["other", "slow"]
    assert kernel.run("after, 'late' in globals()").text == "(1, False)\n"
    assert [row["output"] for row in nb.history("artifacts")] == ["after"]
    nb.edit("--timeout 0.5s ", "")
    assert kernel.run(run).error == ""
    assert kernel.run("late").text == "'late'\n"
    assert attempts(nb, "slow") == ["succeeded", "failed"]


def test_17_an_interrupt_is_not_retried(nb):
    nb.write(step("slow --retries 3 --retry-delay 0s", "import time\nwhile True:\n    time.sleep(0.01)"))
    kernel = loaded(nb)
    request = kernel.send("%pipeline run")
    nb.wait_for("slow")
    kernel.interrupt()
    assert kernel.receive(request).error.startswith("KeyboardInterrupt")
    assert kernel.run("1 + 1").text == "2\n"
    assert (nb.executed(), attempts(nb, "slow")) == (["slow"], ["cancelled"])


DEADLY = """
import os, signal
class Deadly:
    def __reduce__(self):
        if os.path.exists({file!r}):
            os.kill(os.getpid(), signal.SIGKILL)
        return (Deadly, ())
"""


def test_19_killed_before_the_commit(nb):
    """The first output is written already when the second kills the kernel that is about to store it."""
    file = nb.outside / "deadly"
    file.touch()
    both = step("both --out large last", "large = bytes(5_000_000)", "last = Deadly()", "mark('end')")
    after = step("after --in large --out size", "size = len(large)")
    nb.write(DEADLY.format(file=str(file)), step("early", "early = 1"), both, after)
    done = nb.cli("run", nb.path.name, "--json")
    assert (done.code, json.loads(done.out)["state"]) == (1, "crashed")
    assert nb.executed() == ["early", "both", "end"]
    assert attempts(nb, "both") == ["crashed"]
    assert {row["step"] for row in nb.history("artifacts")} == {"early"}
    file.unlink()
    assert nb.states() == {"early": "cached", "both": "succeeded", "after": "succeeded"}
    assert nb.executed() == ["both", "end", "after"]
    assert nb.states() == dict.fromkeys(("early", "both", "after"), "cached")


def test_39_expired_while_nothing_ran(nb):
    nb.write(
        step("total", "total = 3"),
        step("pay --approve 'Pay {total}?' --approve-timeout 2s --on-expire reject", "paid = total"),
        step("ship", "shipped = paid"),
    )
    nb.run()
    (asked,) = nb.history("approvals")
    until(lambda: datetime.now(UTC) > datetime.fromisoformat(asked["expires_at"]))
    late = nb.cli("approve", nb.path.name, "pay")
    assert (late.code, "expired" in late.err or "waits for no approval" in late.err) == (2, True)
    assert nb.states() == {"total": "cached", "pay": "skipped", "ship": "skipped"}
    assert nb.executed() == ["total"]
    assert [row["state"] for row in nb.history("approvals")] == ["expired"]
