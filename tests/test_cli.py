"""The command line in this process: words, exit codes, and which stream says what."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import nbsteps
from nbsteps.arguments import make_parser
from nbsteps.cli import main


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Calls the command line in a folder with one notebook."""
    cells = [new_code_cell("n = 1"), new_code_cell("%%step a\na = n"), new_code_cell("%%step b\nb = a + 1")]
    cells[0].metadata.tags = ["parameters"]
    nbformat.write(new_notebook(cells=cells), tmp_path / "nb.ipynb")
    monkeypatch.chdir(tmp_path)

    def run(line, *words):
        code = main([*line.split(), *words])
        return code, *capsys.readouterr()

    return run


def parsed(line):
    return vars(make_parser().parse_args(line.split()))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("run nb.ipynb", {"step": [], "force": False, "output": None, "json": False, "kernel": None}),
        ("run nb.ipynb -p n 1 -p m=2", {"param": ["n=1", "m=2"]}),
        ("run -p n 1 nb.ipynb", {"param": ["n=1"], "notebook": Path("nb.ipynb")}),
        ("run nb.ipynb --param n -1", {"param": ["n=-1"]}),
        ("run nb.ipynb --step a b --force", {"step": ["a", "b"], "force": True}),
        ("plan nb.ipynb -s a --json", {"step": ["a"], "json": True}),
        ("why nb.ipynb a", {"step": "a"}),
        ("history", {"kind": "runs", "json": False, "csv": False, "wide": False, "limit": None}),
        ("history steps --csv -n 5", {"kind": "steps", "csv": True, "limit": 5}),
    ],
)
def test_words(line, expected):
    found = parsed(line)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rnu", "nbsteps: there is no command 'rnu'\n    did you mean run?"),
        ("run", "nbsteps run: missing: NB\n    nbsteps run NB "),
        ("why nb.ipynb", "nbsteps why: missing: STEP\n    nbsteps why NB STEP "),
        ("approve nb.ipynb", "nbsteps approve: missing: STEP\n    nbsteps approve NB STEP [FIELD=VALUE] "),
        ("run nb --forec", "nbsteps run: there is no option --forec\n    did you mean --force?"),
        (
            "run nb clean",
            "nbsteps run: 'clean' is one word too many\n    steps are named so: nbsteps run NB --step clean",
        ),
        ("run nb -p n 1 2", "nbsteps run: '2' is one word too many"),
        ("run nb -p", "nbsteps run: -p/--param: expected one argument"),
        ("run nb -p n", "nbsteps: parameter 'n' is not of the form NAME=VALUE\n    for example: --param month=7"),
        ("run nb --workers 0", "nbsteps run: --workers: '0' is no whole number from 1 on"),
        ("run nb --workers two", "nbsteps run: --workers: 'two' is no whole number from 1 on"),
        ("history -n -3", "nbsteps history: -n/--limit: '-3' is no whole number from 0 on"),
        ("history step", "nbsteps: the history has no table 'step'\n    did you mean steps?"),
        ("history --json --csv", "nbsteps history: --csv: not allowed with argument --json"),
        ("doctor x", "nbsteps doctor: 'x' is one word too many"),
    ],
)
def test_words_that_cannot_be_meant_exit_with_2(line, said, call):
    code, out, err = call(line)
    assert (code, out) == (2, "")
    assert err.startswith(said)


def test_no_word_at_all_shows_the_words(call):
    code, out, err = call("")
    assert (code, out) == (2, "")
    assert err.startswith("usage: nbsteps")


def test_the_version_is_the_packages(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"nbsteps {nbsteps.__version__}\n"


def test_check_of_what_is_no_notebook_is_a_problem_as_data(call):
    code, out, err = call("check nowhere.ipynb --json")
    (problem,) = json.loads(out)
    assert (code, problem["severity"]) == (2, "error")
    assert err == f"nbsteps: {problem['message']}\n    {problem['hint']}\n"


def test_check(call, tmp_path):
    assert call("check nb.ipynb") == (0, "2 steps, no problems\n", "")
    assert call("check nb.ipynb --json") == (0, "[]\n", "")
    (tmp_path / "nb.ipynb").write_text((tmp_path / "nb.ipynb").read_text().replace("a + 1", "(a + 1"))
    code, out, err = call("check nb.ipynb")
    assert (code, err) == (1, "")
    assert out.startswith("error: step b (cell 3): the body does not parse: '(' was never closed")
    (problem,) = json.loads(call("check nb.ipynb --json")[1])
    assert (problem["step"], problem["cell"], problem["severity"]) == ("b", "cell 3", "error")


def test_graph(call, tmp_path):
    assert call("graph nb.ipynb") == (0, "a: nothing -> a\nb: a (a) -> b\n", "")
    for suffix, start in ((".svg", "<svg"), (".mmd", ""), (".html", "<!doctype html>")):
        assert call(f"graph nb.ipynb -o g{suffix}")[0] == 0
        assert (tmp_path / f"g{suffix}").read_text().lower().startswith(start)
    assert call("graph nb.ipynb -o g.png")[0] == 2


def test_run_plan_and_history(call):
    code, out, err = call("run nb.ipynb --json -p n 3")
    report = json.loads(out)
    assert (code, report["state"], [row["state"] for row in report["steps"]]) == (0, "succeeded", ["succeeded"] * 2)
    assert [line.split()[:3] for line in err.splitlines()] == [["✓", "a", "succeeded"], ["✓", "b", "succeeded"]]
    code, out, err = call("plan nb.ipynb")
    assert (code, err) == (0, "")
    assert out.startswith("1 of 2 steps would run, 1 may run")
    runs = json.loads(call("history --json")[1])
    assert [(run["trigger"], run["state"], run["run_id"]) for run in runs] == [("cli", "succeeded", report["run_id"])]
    assert call("history attempts --csv")[1].splitlines()[0].startswith("run_id,step,item,attempt,state")
    assert call("history approvals") == (0, "no rows\n", "")
    assert call("history")[1].splitlines()[0].split()[:4] == ["run_id", "notebook", "trigger", "state"]
    for line in ("history nb.ipynb --json", "history runs nb.ipynb --json"):
        assert json.loads(call(line)[1]) == runs
    assert call("history steps other.ipynb") == (0, "no rows\n", "")
    assert call("history --wide")[1].splitlines()[0].split() == list(runs[0])
    code, out, _ = call("sql", "select count(*) as n from runs", "--json")
    assert (code, json.loads(out)) == (0, [{"n": 1}])
    assert call("sql", "select step from attempts order by step")[1].split() == ["step", "a", "b"]


def test_a_pipe_that_closed_is_no_error(call, monkeypatch):
    def broken(_text):
        raise BrokenPipeError

    monkeypatch.setattr("nbsteps.cli._print", broken)
    monkeypatch.setattr("sys.stderr.close", lambda: None)
    assert call("check nb.ipynb")[0] == 0


def test_an_interrupt_exits_with_130(call, monkeypatch):
    def interrupted(_request):
        raise KeyboardInterrupt

    monkeypatch.setattr("nbsteps.notebook.launch.run", interrupted)
    assert call("run nb.ipynb") == (130, "", "interrupted\n")


def test_doctor_looks_at_everything(call):
    code, out, _ = call("doctor --json")
    found = {finding["what"]: finding for finding in json.loads(out)}
    assert {"python", "duckdb", "pandas", "kernels", "configuration", "store", "history"} <= found.keys()
    assert (code, all(finding["ok"] for finding in found.values())) == (0, True)
