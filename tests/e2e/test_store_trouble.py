"""A store that is damaged, too new, or cannot be written: it is said loudly, and no computation is lost."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from tests.e2e.building import finish, step

CELLS = (
    step("table", "import pandas as pd", "table = pd.DataFrame({'a': [1, 2]})"),
    step("total", "total = int(table.a.sum())", "print(total)"),
    "print('then', total)",
)


@pytest.fixture
def ran(nb):
    nb.write(*CELLS)
    assert nb.run()["exit_code"] == 0
    assert nb.executed() == ["table", "total"]
    return nb


def test_a_damaged_store_is_moved_aside(ran):
    home = ran.folder / ".nbsteps"
    ran.history("runs")  # everything is in the one file now
    (home / "store.duckdb").write_bytes(b"nothing of DuckDB's" * 1000)
    done = ran.cli("run", ran.path.name, "--json")
    report = json.loads(done.out)
    assert (done.code, report["state"], ran.executed()) == (0, "succeeded", ["table", "total"])
    assert "is damaged and was moved aside to store.duckdb.damaged-" in done.err
    assert any("is damaged and was moved aside" in problem["message"] for problem in report["problems"])
    assert [path.name for path in home.glob("store.duckdb.damaged-*")]
    assert ran.states() == {"table": "cached", "total": "cached"}


def test_a_damaged_value_is_made_again_where_it_is_needed(nb):
    nb.write(step("big", "big = bytes(range(256)) * 1000"), step("size", "size = len(big)"), "print(size)")
    assert nb.run()["exit_code"] == 0
    nb.executed()
    (value,) = (file for file in (nb.folder / ".nbsteps" / "objects").rglob("*") if file.stat().st_size > 100_000)
    value.write_bytes(b"damaged" + value.read_bytes()[7:])
    assert nb.states() == {"big": "cached", "size": "cached"}
    nb.edit("size = len(big)", "size = len(big) // 1000")
    done = nb.cli("run", nb.path.name, "--json")
    report = json.loads(done.out)
    assert (report["exit_code"], nb.executed()) == (0, ["big", "size"])
    assert nb.output_of(report)["c3"].text == "256\n"


def test_a_newer_store_is_refused_by_its_version_and_left_alone(ran):
    mark = ran.folder / ".nbsteps" / "version"
    before = mark.read_text()
    mark.write_text("99\n")
    for command in (["run", ran.path.name], ["plan", ran.path.name], ["history"]):
        done = ran.cli(*command)
        assert (done.code, done.out) == (2, "")
        assert "99" in done.err
        assert "pip install --upgrade nbsteps" in done.err
        assert "Traceback" not in done.err
    shown = ran.run_live()
    assert "99" in shown["c1"].error
    assert shown["c1"].traceback == shown["c1"].error
    mark.write_text(before)
    assert ran.executed() == []
    assert ran.states() == {"table": "cached", "total": "cached"}


def test_a_store_that_cannot_be_written_stops_no_computation(nb, monkeypatch):
    nb.write(*CELLS)
    file = nb.outside / "file"
    file.touch()
    monkeypatch.setenv("NBSTEPS_STORE", str(file / "below"))
    done = nb.cli("run", nb.path.name, "--json")
    report = json.loads(done.out)
    assert (done.code, report["state"], nb.executed()) == (0, "succeeded", ["table", "total"])
    assert "cannot be written" in done.err
    assert nb.output_of(report)["c3"].text == "then 3\n"
    kernel = nb.live()
    shown = nb.run_live(kernel)
    assert "cannot be written" in shown["c1"].text
    assert "store.py" not in shown["c1"].text
    assert "2 steps: 0 ran, 2 restored" in kernel.run("%pipeline run").text
    doctor = nb.cli("doctor")
    assert (doctor.code, "BAD   store" in doctor.out) == (1, True)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_only_be_read_stops_no_computation(nb):
    nb.write(*CELLS)
    nb.folder.chmod(0o500)
    try:
        done = nb.cli("run", nb.path.name)
        assert done.code == 0
        assert "cannot be written" in done.err
    finally:
        nb.folder.chmod(0o700)


def test_a_notebook_outside_any_project_has_a_store_beside_it(nb):
    nb.write(*CELLS)
    alone = nb.outside / "alone"
    alone.mkdir()
    shutil.copy(nb.path, alone / "alone.ipynb")
    for executes in (["table", "total"], []):
        process = nb.start_cli("run", str(alone / "alone.ipynb"), "--json")
        report = json.loads(finish(process).out)
        assert (report["notebook"], nb.executed()) == ("alone.ipynb", executes)
        assert report["output"] == str(alone / ".nbsteps" / "outputs" / "alone.ipynb")
    assert (alone / ".nbsteps" / ".gitignore").read_text().startswith("*")
