"""Maps on workers in real kernels: beside other steps, edited, cancelled half-way; executors of other packages."""

from __future__ import annotations

import os
import time

import pytest

from tests.e2e.building import PATIENCE


def wait_for(nb, *marks):
    """Wait until the bodies have left at least these marks, in any order."""
    deadline = time.monotonic() + PATIENCE
    while not set(marks) <= set(nb.trace.read_text().split()):
        assert time.monotonic() < deadline, nb.trace.read_text()
        time.sleep(0.02)


def write(nb, items):
    gate = nb.outside / "gate"
    body = [
        "import os, time",
        "mark(f'item{a}')",
        "print('item', a)",
        f"while a >= 10 and not os.path.exists({str(gate)!r}):\n    time.sleep(0.01)",
        "y = a * 2",
    ]
    nb.write(
        f"xs = {items}",
        "\n".join(["%%step each --map a=xs", *body]),
        "%%step beside\nmark('beside')\nz = 1",
        "%%step total\nt = sum(y) + z",
    )
    return gate


@pytest.mark.parametrize("executor", ["", "--executor processes", "--executor threads"])
def test_a_map_is_edited_cancelled_half_way_and_finished(nb, executor):
    write(nb, [1, 2, 3, 4])
    kernel = nb.live()
    kernel.run("%load_ext nbsteps")
    manner = f"--workers 2 {executor}"
    assert kernel.run(f"%pipeline run {manner}").error == ""
    assert sorted(nb.executed()) == ["beside", "item1", "item2", "item3", "item4"]
    assert kernel.run("y, t").text == "([2, 4, 6, 8], 21)\n"

    kernel.run("xs = [1, 2, 5, 4]", "c1")
    nb.edit("xs = [1, 2, 3, 4]", "xs = [1, 2, 5, 4]")
    assert kernel.run(f"%pipeline run {manner}").error == ""
    assert nb.executed() == ["item5"]

    kernel.run("xs = [6, 7, 10, 11, 12]", "c1")
    nb.edit("xs = [1, 2, 5, 4]", "xs = [6, 7, 10, 11, 12]")
    nb.edit("z = 1", "z = 2")
    request = kernel.send(f"%pipeline run {manner}")
    # Items are sent when those before are committed; the other step goes on although items keep both workers busy.
    wait_for(nb, "item10", "item11")
    deadline = time.monotonic() + PATIENCE
    while "beside" not in nb.trace.read_text().split()[5:]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    kernel.interrupt()
    assert kernel.receive(request).error.startswith("KeyboardInterrupt")
    assert kernel.run("1 + 1").text == "2\n"
    assert sorted(nb.executed()) == ["beside", "item10", "item11", "item6", "item7"]
    (nb.outside / "gate").touch()
    assert kernel.run(f"%pipeline run {manner}").error == ""
    assert sorted(nb.executed()) == ["item10", "item11", "item12"]
    assert kernel.run("t").text == f"{2 * (6 + 7 + 10 + 11 + 12) + 2}\n"


PLUGIN = """
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
import pathlib

def make(argument="2"):
    with open({made!r}, "a") as file:
        print(argument, file=file)
    return {kind}(int(argument))
"""


@pytest.mark.parametrize("kind", ["ThreadPoolExecutor", "ProcessPoolExecutor"])
def test_an_executor_of_another_package(nb, kind):
    site, made = nb.outside / "site", nb.outside / "made"
    info = site / "crews-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "crews.py").write_text(PLUGIN.format(made=str(made), kind=kind))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crews\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nbsteps.executors]\ncrew = crews:make\n")
    write(nb, [1, 2, 3])
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    kernel = nb.live(environment={"PYTHONPATH": path})
    kernel.run("%load_ext nbsteps")
    assert "there is no executor 'crowd'" in kernel.run("%pipeline run --workers 2 --executor crowd").error
    assert kernel.run("%pipeline run --workers 2 --executor crew=3").error == ""
    assert sorted(nb.executed()) == ["beside", "item1", "item2", "item3"]
    assert kernel.run("y, t").text == "([2, 4, 6], 13)\n"
    kernel.run("xs = [9]", "c1")
    assert kernel.run("%pipeline run --workers 2 --executor crew=3").error == ""
    assert nb.executed() == ["item9"]
    assert made.read_text() == "3\n", "it is made once"
    places = {row["executor"] for row in nb.history("attempts") if row["step"] != "each" or row["item"]}
    assert kind in places
