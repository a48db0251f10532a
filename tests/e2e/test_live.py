"""A live kernel: values and outputs come back, and an edit reruns exactly what it touches."""

from __future__ import annotations

import pytest

from tests.e2e.building import step

CELLS = (
    "%matplotlib inline\nimport sys\nimport pandas as pd\nimport matplotlib.pyplot as plt\nFACTOR = 2",
    'def scale(x):\n    """Scale a number."""\n    return x * FACTOR',
    "def shift(x):\n    return x + 1",
    step(
        "load", "raw = pd.DataFrame({'a': [1, 2, 3]})", "print('loading')", "print('careful', file=sys.stderr)", "raw"
    ),
    step("draw --in raw --out peak", "plt.plot(raw.a)", "plt.show()", "peak = int(raw.a.max())"),
    step("scaled --in raw --out scaled", "scaled = scale(raw.a)", "display(scaled.sum())"),
    step("shifted --in raw --out shifted", "shifted = int(shift(raw.a).sum())"),
    step("positive --in scaled --out positive", "positive = bool((scaled > 0).all())", "positive"),
    step("report --in shifted positive --out report", "report = f'{shifted} {positive}'", "print(report)"),
    "print(report, peak, raw.shape)",
)
STEPS = ["load", "draw", "scaled", "shifted", "positive", "report"]
CELL = {name: f"c{at}" for at, name in enumerate(STEPS, 4)}


@pytest.fixture(scope="module")
def ran(module_nb):
    """The notebook, a kernel in which all its cells have been executed, and what they showed."""
    module_nb.write(*CELLS)
    kernel = module_nb.live(environment={"MPLBACKEND": "module://matplotlib_inline.backend_inline"})
    shown = module_nb.run_live(kernel)
    assert module_nb.executed() == STEPS
    return module_nb, kernel, shown


@pytest.fixture(scope="module")
def restored(ran):
    """What the cells show in the same kernel after a restart."""
    nb, kernel, _ = ran
    kernel.restart()
    shown = nb.run_live(kernel)
    assert nb.executed() == []
    return shown


def test_each_body_runs_once_and_says_so(ran):
    _, _, shown = ran
    assert {shown[cell].state["state"] for cell in CELL.values()} == {"succeeded"}
    assert {shown[cell].state["reason"] for cell in CELL.values()} == {"never ran"}
    assert [found.error for found in shown.values() if found.error] == []
    assert "image/png" in shown[CELL["draw"]].body[0]["data"]


def test_after_a_restart_every_cell_sees_the_values(restored):
    assert restored["c10"].text == "9 True 3 (3, 1)\n"
    assert [found.error for found in restored.values() if found.error] == []


@pytest.mark.parametrize("name", STEPS)
def test_a_restored_step_shows_what_it_showed_and_a_note(ran, restored, name):
    _, _, shown = ran
    before, after = shown[CELL[name]], restored[CELL[name]]
    assert after.body == before.body
    assert after.state["state"] == "cached"
    assert after.text.startswith(f"restored {name} from ")


EDITS = [
    pytest.param("return x * FACTOR", "# by the factor\n    return x * FACTOR", "", id="a comment in a helper"),
    pytest.param('"""Scale a number."""', '"""Multiply."""', "", id="a docstring"),
    pytest.param("return x + 1", "return (x+1)", "", id="formatting"),
    pytest.param("return x * FACTOR", "return FACTOR * x", "scaled", id="a helper with an equal result"),
    pytest.param("return x + 1", "return x + 2", "shifted report", id="a helper with another result"),
    pytest.param("FACTOR = 2", "FACTOR = 3", "scaled positive", id="a constant behind a helper"),
    pytest.param("peak = int(raw.a.max())", "peak = int(raw.a.max())  # the top", "", id="a comment in a step"),
    pytest.param("[1, 2, 3]", "[1, 2, 4]", "load draw scaled shifted positive report", id="the source"),
]


@pytest.mark.parametrize(("old", "new", "reruns"), EDITS)
def test_an_edit_reruns_exactly_what_it_touches(ran, restored, old, new, reruns):
    nb, kernel, _ = ran
    before = nb.path.read_text()
    nb.edit(old, new)
    (cell,) = (cell for cell in nb.read().cells if new in cell.source)
    kernel.run(cell.source, cell.id)
    executed = nb.executed()
    result = kernel.run("%pipeline run")
    assert result.error == ""
    assert (executed + nb.executed()) == reruns.split()
    nb.path.write_text(before)
    for old_cell in nb.read().cells[1:4]:
        kernel.run(old_cell.source, old_cell.id)
    kernel.run("%pipeline run")
    assert nb.executed() == []


def test_a_step_that_was_edited_and_saved_runs_as_it_was_saved(ran, restored):
    nb, kernel, _ = ran
    before = nb.path.read_text()
    nb.edit("f'{shifted} {positive}'", "f'{shifted}, {positive}'")
    kernel.run("%pipeline run")
    assert nb.executed() == ["report"]
    assert kernel.run("report").text == "'9, True'\n"
    nb.path.write_text(before)
    kernel.run("%pipeline run")
    assert kernel.run("report").text == "'9 True'\n"


def test_a_value_that_the_user_changed_counts_for_a_cell_and_not_for_a_run(ran, restored):
    nb, kernel, shown = ran
    source = shown and nb.read().cells[9].source
    assert "report = " in source
    kernel.run("shifted = 100")
    assert kernel.run(source, CELL["report"]).state["reason"] == "input shifted changed"
    assert kernel.run("report").text == "'100 True'\n"
    assert nb.executed() == ["report"]
    kernel.run("%pipeline run")
    assert (nb.executed(), kernel.run("report").text) == ([], "'9 True'\n")


def test_a_kernel_that_knows_nothing_can_execute_any_step_alone(ran, restored):
    nb, kernel, _ = ran
    kernel.restart()
    kernel.run(nb.marks, "c0")
    last = kernel.run(nb.read().cells[9].source, CELL["report"])
    assert (last.error, last.state["state"]) == ("", "cached")
    assert kernel.run("report, shifted").text == "('9 True', 9)\n"
    assert nb.executed() == []
