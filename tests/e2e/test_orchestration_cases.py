"""Retries, maps, approvals and branches together, in several processes at once, with edits in between."""

from __future__ import annotations

import time
from collections import Counter

from tests.e2e.building import PATIENCE, finish, step


def live(nb):
    """A kernel that knows the notebook."""
    kernel = nb.live()
    kernel.run("%load_ext nbsteps")
    return kernel


CLASSES = (
    "class Sold:\n    def __init__(self, n):\n        self.n = n\n    def price(self):\n        return self.n * RATE",
    "RATE = 2",
    step("sold", "sold = [Sold(n) for n in range(4)]"),
    step("prices", "prices = [each.price() for each in sold]"),
)


def test_a_class_that_was_in_another_process_still_reads_the_notebooks_variables(nb):
    nb.write(*CLASSES)
    kernel = live(nb)
    assert kernel.run("%pipeline run --workers 2 --executor processes").error == ""
    assert kernel.run("print(Sold.price.__globals__ is globals(), type(sold[0]) is Sold)").text == "True True\n"
    nb.executed()
    assert kernel.run("%pipeline run").error == ""
    assert nb.executed() == []
    kernel.run("RATE = 3", "c2")
    nb.edit("RATE = 2", "RATE = 3")
    assert kernel.run("%pipeline run").error == ""
    assert kernel.run("print(prices)").text == "[0, 3, 6, 9]\n"
    assert nb.run()["exit_code"] == 0
    assert nb.executed() == ["sold", "prices"]


def test_a_step_in_the_air_is_executed_once_by_two_runs(nb):
    """The first step, which is not cached, keeps both runs busy; then both have come to the second."""
    gate = nb.outside / "gate"
    gate.touch()
    waiting = f"import os, time\nwhile os.path.exists({str(gate)!r}):\n    time.sleep(0.01)"
    nb.write(
        step("own --cache off", waiting, "own = 1"),
        step("shared", waiting, "shared = 2"),
        step("after", "after = own + shared"),
    )
    kernel = live(nb)
    manner = "--workers 2 --executor processes"
    process = nb.start_cli("run", nb.path.name, "--json", *manner.split())
    wait_for(nb, "own", "shared")
    request = kernel.send(f"%pipeline run {manner}")
    wait_for(nb, "own", "own", "shared")
    gate.unlink()
    assert kernel.receive(request).error == ""
    assert finish(process).code == 0
    assert sorted(nb.executed()) == ["after", "own", "own", "shared"]


def wait_for(nb, *marks):
    """Wait until the bodies have left at least these marks, in any order."""
    deadline = time.monotonic() + PATIENCE
    while Counter(marks) - Counter(nb.trace.read_text().split()):
        assert time.monotonic() < deadline, nb.trace.read_text()
        time.sleep(0.02)


def test_a_body_that_catches_its_time_limit_has_failed_all_the_same(nb):
    caught = "import time\ntry:\n    time.sleep(300)\nexcept BaseException:\n    made = 'half'"
    each = "import time\ntry:\n    time.sleep(300 if x else 0)\nexcept BaseException:\n    pass\ny = x"
    nb.write(
        step("made --timeout 0.2s", caught),
        "xs = [0, 1]",
        step("each --map x=xs --timeout 0.3s --tolerate 1", each),
    )
    kernel = live(nb)
    assert kernel.run("%pipeline run").error.startswith("StepTimeout")
    assert kernel.run("print(y, len(y.errors))").text == "[0] 1\n"
    assert {row["step"]: row["state"] for row in nb.history("steps")} == {"made": "failed", "each": "succeeded"}
