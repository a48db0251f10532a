"""Bad input gets one clear message that names cell and mend, exit 2 or the failed step; nothing is lost."""

from __future__ import annotations

import json
import sys

import nbformat
import pytest

from tests.e2e.building import step

GOOD = step("good", "good = 1")

A = "step a (cell 3)"

# What the cells after the good one are, which cell is named, what is said, and the mend.
CELLS = {
    "an unknown option": (
        ["%%step a --inn good\na = good"],
        A,
        "unknown option --inn",
        "did you mean --in?",
    ),
    "a malformed option": (
        ["%%step a --ttl soon\na = 1"],
        A,
        "--ttl: 'soon' is no duration",
        "--ttl 1d",
    ),
    "an option without its value": (
        ["%%step a --version\na = 1"],
        A,
        "--version: it has no value",
        "--version 2",
    ),
    "an open quote": (["%%step a --owner 'me\na = 1"], A, "is not closed", "close the quote"),
    "a duplicate step": (
        ["%%step a\na = 1", "%%step a\nb = 1"],
        "step a (cell 4)",
        "step a is defined twice: in cell 3 and in cell 4",
        "%%step a_2",
    ),
    "two writers": (
        ["%%step a\nx = 1", "%%step b\nx = 2"],
        "step b (cell 4)",
        "x is written by step a (cell 3) and by step b (cell 4)",
        "such as x_b",
    ),
    "a cycle": (
        ["%%step a\na = b", "%%step b\nb = a"],
        A,
        "steps need each other in a circle",
        "let one of them read or write another name",
    ),
    "an undeclared input": (
        ["%%step a --in --out a\na = good"],
        A,
        "the body reads good, which step good writes, but --in leaves it out",
        "%%step a --in good --out a",
    ),
    "an unknown input": (
        ["%%step a --in nothing\na = 1"],
        A,
        "no cell writes nothing",
        "%%step a --in",
    ),
    "an output never assigned": (
        ["%%step a --out b\na = 1"],
        A,
        "the body cannot assign b",
        "%%step a --out a",
    ),
    "an unknown step after which": (
        ["%%step a --after god\na = 1"],
        A,
        "--after god: there is no step of that name",
        "%%step a --after good",
    ),
    "a body that does not parse": (
        ["%%step a\na = (1"],
        A,
        "the body does not parse: '(' was never closed, line 2: a = (1",
        "mend line 2 of cell 3",
    ),
    "a name that is no identifier": (["%%step 2a\na = 1"], "cell 3", "no Python identifier", "%%step step_2a"),
    "a name that is a keyword": (["%%step class\na = 1"], "cell 3", "a Python keyword", "%%step step_class"),
    "a name that is a builtin": (["%%step list\na = 1"], "cell 3", "the name of a Python builtin", "%%step step_list"),
    "a tag below a comment": (
        ["# the data\n%%step a --out x\nx = 1"],
        "cell 3",
        "only the first line of a cell makes it a step",
        "%%step a --out x",
    ),
    "two tags in a cell": (
        ["%%step a --out x\nx = 1\n%%step b --in x --out y\ny = x"],
        A,
        "another %%step stands in line 3: a cell is one step",
        "split cell 3 above line 3: %%step b --in x --out y",
    ),
    "no name": (["%%step\na = 1"], "cell 3", "the step has no name", "%%step NAME [options]"),
}


@pytest.fixture(scope="module")
def kernel(module_nb):
    module_nb.write(GOOD)
    made = module_nb.live()
    module_nb.run_live(made)
    assert module_nb.executed() == ["good"]
    return made


def check_said(text, cell, message, mend):
    assert cell in text
    assert message in text
    assert mend in text
    assert "Traceback" not in text
    assert "nbsteps/" not in text


@pytest.mark.parametrize("case", CELLS)
def test_a_bad_cell(module_nb, kernel, case):
    sources, cell, message, mend = CELLS[case]
    nb = module_nb.write(GOOD, *sources)
    refused = nb.cli("run", nb.path.name, "--json")
    report = json.loads(refused.out)
    assert (refused.code, report["state"], report["exit_code"], report["run_id"]) == (2, "refused", 2, None)
    assert {"step", "cell", "message", "hint"} <= set(report["problems"][0])
    check_said(refused.err, cell, message, mend)
    checked = nb.cli("check", nb.path.name)
    assert checked.code == 1
    check_said(checked.out, cell, message, mend)
    magic = kernel.run("%pipeline run")
    check_said(magic.error, cell, message, mend)
    assert magic.traceback == magic.error
    shown = {cell.id: kernel.run(cell.source, cell.id) for cell in nb.read().cells[2:]}
    assert any(found.error in magic.error and found.error for found in shown.values())
    assert nb.executed() == []
    # The rest of the notebook works, and what was made is still there.
    assert kernel.run(nb.read().cells[1].source, "c1").state["state"] == "cached"
    nb.write(GOOD)
    assert "1 step: 0 ran, 1 restored" in kernel.run("%pipeline run").text


def test_a_doubtful_cell_is_a_warning(module_nb, kernel):
    nb = module_nb.write(GOOD, "%%step a --in good --out a\na = 1")
    message = "warning: step a (cell 3): --in good: the body never reads it"
    assert message in kernel.run("%pipeline check").text
    assert "--in good: the body never reads it" in kernel.run(nb.read().cells[2].source, "c2").text
    done = nb.cli("run", nb.path.name)
    assert (done.code, "the body never reads it" in done.err) == (0, True)


def test_a_context_cell_that_does_not_parse(nb):
    nb.write(GOOD, "x = (1", "print(x)", step("reads", "y = x"))
    done = nb.cli("run", nb.path.name, "-o", "out.ipynb")
    assert done.code == 1
    check_said(done.out, "error: cell 3: SyntaxError: ", "line 1\n", "    mend the cell; what succeeded is kept\n")
    assert "✗ cell 3  failed  SyntaxError: " in done.err
    assert nb.executed()[:1] == ["good"]
    nb.edit("x = (1", "x = 1")
    assert nb.states()["good"] == "cached"


LOCK = (
    "import threading",
    step("lock", "lock = threading.Lock()"),
    step("uses", "free = not lock.locked()"),
    "assert free",
)


def test_an_output_that_cannot_be_stored_runs_each_time_and_says_so(nb):
    nb.write(*LOCK)
    for _ in range(2):
        done = nb.cli("run", nb.path.name)
        assert done.code == 0
        assert nb.executed() == ["lock", "uses"]
        assert "not cached: lock: _thread.lock has no content digest" in done.err
    shown = nb.run_live()
    assert [found.error for found in shown.values() if found.error] == []
    assert "not cached: lock" in shown["c2"].text
    assert "uncacheable: lock" in shown["c3"].state["reason"]


def spoiled(nb, **changes):
    """The good notebook's JSON with other top-level values."""
    return json.dumps({**json.loads(nb.path.read_text()), **changes})


def other_kernel(nb):
    notebook = nb.read()
    notebook.metadata.kernelspec.name = "nope"
    return nbformat.writes(notebook)


DOCUMENTS = {
    "no JSON": (lambda _nb: "not a notebook", "is not JSON, so no notebook", "give the path of a file"),
    "empty": (lambda _nb: "", "is empty", "add a cell and save it"),
    "JSON of another kind": (lambda _nb: "[]", "is JSON but no notebook", "give the path of a file"),
    "no code cells": (lambda nb: spoiled(nb, cells=[]), "has no code cells", "at least one code cell"),
    "format 3": (lambda nb: spoiled(nb, nbformat=3), "old notebook format 3", "jupyter nbconvert --to notebook"),
    "format 5": (lambda nb: spoiled(nb, nbformat=5), "notebook format 5", "pip install --upgrade nbsteps nbformat"),
    "a missing kernel": (other_kernel, "the kernel 'nope', which is not installed", "--kernel python3"),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_bad_document(nb, case):
    make, message, mend = DOCUMENTS[case]
    nb.write(GOOD)
    text = make(nb)
    nb.path.write_text(text)
    for command in ("run", "plan"):
        done = nb.cli(command, nb.path.name)
        assert (done.code, done.out) == (2, "")
        check_said(done.err, "analysis.ipynb", message, mend)
    assert nb.path.read_text() == text


WORDS = {
    "a missing file": ("run analyses.ipynb", "no notebook analyses.ipynb", "did you mean analysis.ipynb?"),
    "a folder": ("run .", "is a folder, not a notebook", "name a notebook in it"),
    "an unknown parameter": ("run analysis.ipynb -p year 1", "has no parameter 'year'", "its parameters: n"),
    "a parameter without value": ("run analysis.ipynb -p n", "'n' is not of the form NAME=VALUE", "--param month=7"),
    "an unknown step": ("run analysis.ipynb --step god", "has no step 'god'", "did you mean good?"),
    "an unknown step to explain": ("why analysis.ipynb god", "has no step 'god'", "did you mean good?"),
    "an unknown step to forget": ("clear analysis.ipynb -s god", "has no step 'god'", "did you mean good?"),
    "an output over the input": ("run analysis.ipynb -o analysis.ipynb", "would overwrite", "-o analysis-out.ipynb"),
    "an output that is no notebook": ("run analysis.ipynb -o a.html", "a.html is to be a notebook", "-o a.ipynb"),
    "an output that is a folder": ("run analysis.ipynb -o ..", "cannot be written: it is a folder", "-o PATH"),
    "an output below a file": ("run analysis.ipynb -o pyproject.toml/x.ipynb", "cannot be written", "-o PATH"),
    "a picture of no kind": ("graph analysis.ipynb -o x.png", "cannot be written as .png", "choose .svg"),
    "an unknown word": ("rnu analysis.ipynb", "there is no command 'rnu'", "did you mean run?"),
    "no history yet": ("history", "there is no store yet", "nbsteps run notebook.ipynb"),
}


@pytest.mark.parametrize("case", WORDS)
def test_bad_words(nb, case):
    line, message, mend = WORDS[case]
    nb.write(GOOD, parameters="n = 1")
    done = nb.cli(*line.split())
    assert (done.code, done.out) == (2, "")
    check_said(done.err, "nbsteps", message, mend)
    assert nb.executed() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.nbsteps]\ntable_limits = 1\n", "unknown setting 'table_limits' in [tool.nbsteps] of pyproject.toml"),
        ("[tool.nbsteps]\nmutation = 'never'\n", "setting 'mutation' in [tool.nbsteps] of pyproject.toml is 'never'"),
        ("[tool.nbsteps\n", "pyproject.toml does not parse"),
    ],
)
def test_a_bad_configuration(nb, text, message):
    nb.write(GOOD)
    (nb.folder / "pyproject.toml").write_text(text)
    done = nb.cli("run", nb.path.name)
    assert (done.code, done.out) == (2, "")
    check_said(done.err, "nbsteps:", message, "\n    ")
    assert "BAD   configuration" in nb.cli("doctor").out


def test_a_bad_configuration_in_a_live_kernel(nb):
    nb.write(GOOD)
    (nb.folder / "pyproject.toml").write_text("[tool.nbsteps]\ntable_limits = 1\n")
    shown = nb.run_live()
    assert "unknown setting 'table_limits'" in shown["c1"].error
    assert shown["c1"].traceback == shown["c1"].error


def test_a_kernel_without_nbsteps(nb, monkeypatch):
    """The notebook's kernel may be of another environment than the command line."""
    (nb.outside / "nbsteps.py").write_text("raise ModuleNotFoundError(\"No module named 'nbsteps'\")\n")
    kernels = nb.outside / "share" / "kernels" / "other"
    kernels.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    specification = {"argv": argv, "display_name": "other", "env": {"PYTHONPATH": str(nb.outside)}}
    (kernels / "kernel.json").write_text(json.dumps(specification))
    monkeypatch.setenv("JUPYTER_PATH", str(nb.outside / "share"))
    nb.write(GOOD, kernel="other")
    for command in ("run", "plan"):
        done = nb.cli(command, nb.path.name)
        assert (done.code, done.out) == (2, "")
        check_said(
            done.err, "nbsteps:", "the kernel cannot run nbsteps: No module named 'nbsteps'", "pip install nbsteps"
        )
