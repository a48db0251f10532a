"""``%pipeline`` and ``%%step`` in one live kernel: every word, and what they say to a wrong one."""

from __future__ import annotations

import json

import pytest

from tests.e2e.building import step

CELLS = (
    "unneeded = []\nunneeded.append(1)",
    "def double(x):\n    return [2 * y for y in x]",
    step("load", "raw = [1] * n"),
    step("doubled", "doubled = double(raw)"),
    "limit = max(doubled)",
    step("total", "total = sum(doubled) + limit", "print('total', total)"),
    step("other", "other = len(raw)"),
)
STEPS = ["load", "doubled", "total", "other"]


@pytest.fixture(scope="module")
def kernel(module_nb):
    module_nb.write(*CELLS, parameters="n = 3")
    made = module_nb.live()
    made.run("%load_ext nbsteps")
    return made


@pytest.fixture
def magic(module_nb, kernel):
    """Executes one ``%pipeline`` line; the bodies that it executed are to be named."""

    def run(line, *, executes=""):
        module_nb.executed()
        shown = kernel.run(f"%pipeline {line}")
        assert module_nb.executed() == executes.split()
        return shown

    return run


@pytest.fixture
def fresh(module_nb, kernel, magic):
    """Everything has run, and nothing else has happened."""
    module_nb.write(*CELLS, parameters="n = 3")
    kernel.run("%pipeline run -p n=3")
    module_nb.executed()
    return magic


def test_a_run_in_a_fresh_kernel_executes_only_the_context_it_needs(kernel, magic):
    shown = magic("run total", executes="load doubled total")
    assert shown.error == ""
    assert "total 8\n" in shown.text
    assert "3 steps: 3 ran, 0 restored, 0 failed" in shown.text
    assert kernel.run("total, limit, 'unneeded' in globals(), 'other' in globals()").text == "(8, 2, False, False)\n"


def test_the_rest_runs_and_what_is_fresh_is_restored(magic):
    shown = magic("run", executes="other")
    assert "4 steps: 1 ran, 3 restored, 0 failed" in shown.text


def test_plan_forecasts_and_executes_nothing(fresh, kernel):
    assert "0 of 4 steps would run, 4 would be restored" in fresh("plan").text
    kernel.run("def double(x):\n    return [3 * y for y in x]", "c2")
    text = fresh("plan").text
    assert "1 of 4 steps would run, 1 may run, 2 would be restored" in text
    assert "helper double changed" in text
    kernel.run("def double(x):\n    return [2 * y for y in x]", "c2")


def test_why_shows_both_sides(fresh, kernel):
    kernel.run("def double(x):\n    return [3 * y for y in x]", "c2")
    text = fresh("why doubled").text
    assert "doubled would run: helper double changed" in text
    assert "-    return [2 * y for y in x]" in text
    assert "+    return [3 * y for y in x]" in text
    kernel.run("def double(x):\n    return [2 * y for y in x]", "c2")
    assert fresh("why doubled").text.startswith("doubled would be restored: unchanged")


def test_status_graph_and_the_bare_word_show_every_step(fresh):
    assert fresh("status").text.startswith("4 steps, up to date")
    for line in ("graph", ""):
        (output,) = fresh(line).outputs
        assert set(output.data) == {"text/plain", "image/svg+xml"}
        assert output.data["image/svg+xml"].startswith("<svg")
        assert all(name in output.data["image/svg+xml"] for name in STEPS)


def test_dry_run_is_a_plan_with_the_runs_words(fresh):
    text = fresh("run total --dry-run --force").text
    assert "1 of 3 steps would run" in text
    assert text.count("forced") == 1
    assert "parameter n changed" in fresh("run --dry-run --param n=4").text
    assert "4 would be restored" in fresh("run --dry-run --param n=3").text


@pytest.mark.parametrize(
    ("line", "executes"),
    [
        ("run --force", "load doubled total other"),
        ("run doubled --force", "doubled"),
        ("run --force doubled", "doubled"),
        ("run other --force load", "load"),
        ("run --param n=4", "load doubled total other"),
        ("run total", ""),
    ],
)
def test_what_a_run_executes(fresh, line, executes):
    assert fresh(line, executes=executes).error == ""


def test_clear_forgets_and_the_next_run_makes_it_again(fresh):
    assert fresh("clear doubled").text == "forgot the results of doubled\n"
    assert "1 of 4 steps would run" in fresh("plan").text
    fresh("run", executes="doubled")
    assert fresh("clear").text == "forgot the results of load, doubled, total, other\n"
    fresh("run", executes="load doubled total other")


def test_history_is_a_frame_of_what_happened(fresh, kernel):
    for kind in ("runs", "steps", "attempts", "events", "artifacts", "approvals"):
        assert kernel.run(f"h = %pipeline history {kind}\ntype(h).__name__").text == "'DataFrame'\n"
    kernel.run("h = %pipeline history")
    last = json.loads(kernel.run("print(h.iloc[0].to_json())").text)
    assert (last["trigger"], last["state"], last["steps_restored"]) == ("magic", "succeeded", 4)
    assert json.loads(last["parameters"] if isinstance(last["parameters"], str) else "null") in ({"n": "3"}, None)


def test_check_and_notebook(fresh, module_nb):
    assert fresh("check").text == "no problems\n"
    assert fresh("notebook").text == "analysis.ipynb\n"
    module_nb.edit("other = len(raw)", "other = len(raw")
    assert "step other (cell 9): the body does not parse" in fresh("check").text


BAD = [
    ("run nope", "there is no step 'nope'", "steps of this notebook: load, doubled, total, other"),
    ("run totl", "there is no step 'totl'", "did you mean total?"),
    ("run --force nope", "there is no step 'nope'", "steps of this notebook"),
    ("run --param year=1", "the notebook has no parameter 'year'", "parameters: n"),
    ("run --param n", "parameter 'n' is not of the form NAME=VALUE", "--param month=7"),
    ("run --frob", "there is no option --frob", "did you mean --force?"),
    ("run 'total", "No closing quotation", "close the quotes"),
    ("rnu", "there is no command 'rnu'", "did you mean run?"),
    ("why", "%pipeline why: missing: STEP", "%pipeline why STEP"),
    ("why nope", "there is no step 'nope'", "steps of this notebook"),
    ("plan nope", "there is no step 'nope'", "steps of this notebook"),
    ("clear nope", "there is no step 'nope'", "steps of this notebook"),
    ("history runz", "there is no word 'runz'", "did you mean runs?"),
    ("notebook nowhere.ipynb", "no notebook nowhere.ipynb", "did you mean analysis.ipynb?"),
]


@pytest.mark.parametrize(("line", "message", "mend"), BAD)
def test_a_wrong_word_gets_one_clear_line_and_its_mend(fresh, line, message, mend):
    shown = fresh(line)
    name, _, said = shown.error.partition(": ")
    first, _, hint = said.partition("\n    ")
    assert name in {"UsageError", "DocumentError"}
    assert message in first
    assert mend in hint
    assert "\n" not in hint
    assert shown.traceback == shown.error


@pytest.mark.parametrize("line", ["--help", "run --help", "why -h"])
def test_help_is_no_error(fresh, line):
    shown = fresh(line)
    assert shown.error == ""
    assert shown.text.startswith("usage: %pipeline")


def test_the_steps_options_are_its_help(kernel):
    page = kernel.run("%%step?").pager
    assert "%%step NAME [options]" in page
    assert "--mutates NAME..." in page


def test_a_failure_stops_its_branch_alone_and_the_cell_fails_with_it(fresh, module_nb, kernel):
    module_nb.edit("doubled = double(raw)", "doubled = double(row)")
    shown = fresh("run --force", executes="load doubled other")
    assert shown.error == "NameError: name 'row' is not defined"
    assert shown.traceback.count("NameError") == 2  # IPython's head and foot of one traceback
    assert "doubled = double(row)" in shown.traceback
    assert "nbsteps" not in shown.traceback
    assert "✗ doubled failed: NameError: name 'row' is not defined" in shown.text
    assert "total" in shown.text
    assert "4 steps: 2 ran, 0 restored, 1 failed, 1 upstream failed" in shown.text
    module_nb.edit("doubled = double(row)", "doubled = double(raw)")
    assert fresh("run").error == ""
