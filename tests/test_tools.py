"""What make and .ci/run call does notice what it is there to notice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import demo, examples, headless

ROOT = Path(__file__).parent.parent


def report(seconds: float, **states: str) -> headless.Report:
    steps = tuple({"step": name, "state": state, "duration_s": 0.5} for name, state in states.items())
    return headless.Report(steps, seconds)


def test_the_demo_shows_both_runs_side_by_side():
    table = demo.table(
        report(3.0, load="succeeded", clean="succeeded"),
        report(1.0, load="cached", clean="cached"),
    )
    lines = table.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [" ".join(line.split()) for line in lines if not line.startswith("-")] == [
        "step first run second run",
        "load ran 0.500 s restored 0.500 s",
        "clean ran 0.500 s restored 0.500 s",
        "whole process 2 ran, 0 restored 3.000 s 0 ran, 2 restored 1.000 s",
    ]


@pytest.mark.parametrize(
    ("second", "code"),
    [
        pytest.param(report(1.0, load="cached"), 0, id="everything restored is a success"),
        pytest.param(report(1.0, load="succeeded"), 1, id="a step that ran twice is none"),
    ],
)
def test_the_demo_notices_a_step_that_ran_twice(second: headless.Report, code: int, monkeypatch, tmp_path: Path):
    reports = iter([report(1.0, load="succeeded"), second])
    monkeypatch.setattr(demo, "run_nbsteps", lambda *_: next(reports))
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    assert demo.main(["flights.ipynb"]) == code


@pytest.mark.parametrize(
    ("after_papermill", "complaint"),
    [
        pytest.param(report(1.0, load="cached"), None, id="all restored is fine"),
        pytest.param(report(1.0, load="succeeded"), r"load \(succeeded\)", id="a step that ran again is named"),
        pytest.param(report(1.0), "no step", id="a notebook without a step proves nothing"),
        pytest.param(report(1.0, a="cached", b="skipped"), None, id="what a branch leaves out is settled"),
        pytest.param(report(1.0, a="skipped"), "no step", id="nothing but that proves nothing"),
    ],
)
def test_examples_must_be_restored(after_papermill, complaint: str | None, monkeypatch, tmp_path: Path):
    monkeypatch.setattr(examples, "run_papermill", lambda *_: 2.0)
    monkeypatch.setattr(examples, "run_nbsteps", lambda *_: after_papermill)
    if complaint is None:
        assert examples.check(Path("a.ipynb"), tmp_path).startswith("a.ipynb: papermill 2.0 s; nbsteps 1.0 s")
    else:
        with pytest.raises(headless.HeadlessError, match=complaint):
            examples.check(Path("a.ipynb"), tmp_path)


@pytest.mark.parametrize(
    ("runs", "complaint"),
    [
        pytest.param(
            [
                report(1.0, a="cached", pay="waiting"),
                report(1.0, a="cached", pay="succeeded"),
                report(1.0, a="cached", pay="cached"),
            ],
            "",
            id="approved once",
        ),
        pytest.param(
            [
                report(1.0, a="cached", pay="waiting", send="pending"),
                report(1.0, a="cached", pay="succeeded", send="waiting"),
                report(1.0, a="cached", pay="cached", send="waiting"),
                report(1.0, a="cached", pay="cached", send="succeeded"),
                report(1.0, a="cached", pay="cached", send="cached"),
            ],
            "",
            id="one after the other",
        ),
        pytest.param(
            [report(1.0, pay="waiting"), report(1.0, pay="succeeded"), report(1.0, pay="waiting")],
            "asks again although nothing changed: pay",
            id="asked twice",
        ),
    ],
)
def test_examples_that_ask_are_approved(runs, complaint: str, monkeypatch, tmp_path: Path):
    given = list[str]()
    left = iter(runs)
    monkeypatch.setattr(examples, "run_papermill", lambda *_: 2.0)
    monkeypatch.setattr(examples, "run_nbsteps", lambda *_: next(left))
    monkeypatch.setattr(examples, "approve", lambda _notebook, step, _store: given.append(step))
    if complaint:
        with pytest.raises(headless.HeadlessError, match=complaint):
            examples.check(Path("a.ipynb"), tmp_path)
        return
    assert examples.check(Path("a.ipynb"), tmp_path).endswith(f"{len(given)} approved")
    assert next(left, None) is None
    assert len(given) == len(set(given)) == (len(runs) - 1) // 2


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        pytest.param("import json\nimport pkg.other\n", True, id="the standard library and the project itself"),
        pytest.param("def f():\n    import pluggy\n", False, id="another distribution, even inside a function"),
    ],
)
def test_the_contract_on_the_standard_library(source: str, kept: bool, tmp_path: Path):
    package = tmp_path / "pkg"
    (package / "core").mkdir(parents=True)
    for name, text in {"__init__": "", "other": "", "core/__init__": "", "core/a": source}.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    (tmp_path / "contracts.toml").write_text(
        "[tool.importlinter]\n"
        "root_packages = ['pkg']\n"
        "include_external_packages = true\n"
        "contract_types = ['standard_library: tools.contracts.StandardLibraryContract']\n"
        "[[tool.importlinter.contracts]]\n"
        "id = 'pure'\nname = 'pure'\ntype = 'standard_library'\nmodules = ['pkg.core']\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run(
        [*command, "--config", "contracts.toml", "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode == 0, "pkg.core.a -> pluggy" in done.stdout) == (kept, not kept)
