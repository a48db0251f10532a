"""Which text of a cell counts: what was executed, until the document is saved after it."""

from __future__ import annotations

import pytest

from nbsteps.core.model import Cell
from nbsteps.engine.notebook import NotebookCells
from nbsteps.testing import make_session

OLD, NEW, THIRD = "%%step a\nx = 1", "%%step a\nx = 2", "%%step a\nx = 3"


def check(*happened, counts):
    """After these saves and executions, in order, exactly these texts count, in document order."""
    cells = NotebookCells()
    for at, (kind, source) in enumerate(happened, 1):
        if kind == "saved":
            cells.saved((Cell("cell 1", source, id="c1"),), float(at))
        else:
            cells.executed(Cell("In [1]", source, id="c1" if kind == "executed" else ""), float(at))
    assert [cell.source for cell in cells.merged()] == list(counts)


@pytest.mark.parametrize(
    ("happened", "counts"),
    [
        pytest.param([("saved", OLD)], [OLD], id="only saved"),
        pytest.param([("executed", NEW)], [NEW], id="never saved"),
        pytest.param([("saved", OLD), ("executed", NEW)], [NEW], id="executed after it was saved"),
        pytest.param([("saved", OLD), ("elsewhere", NEW)], [NEW], id="executed by a front end that tells no cell ids"),
        pytest.param([("saved", OLD), ("executed", OLD), ("saved", NEW)], [NEW], id="edited and saved, not executed"),
        pytest.param([("saved", OLD), ("elsewhere", OLD), ("saved", NEW)], [NEW], id="the same without cell ids"),
        pytest.param([("executed", NEW), ("saved", NEW)], [NEW], id="saved as executed"),
        pytest.param([("executed", OLD), ("saved", NEW), ("executed", THIRD)], [THIRD], id="executed again since"),
        pytest.param([("executed", NEW), ("saved", OLD)], [OLD], id="taken back and saved"),
    ],
)
def test_the_newest_text_counts(happened, counts):
    check(*happened, counts=counts)


def test_a_step_that_was_edited_and_saved_but_not_executed_says_that_its_code_changed():
    session = make_session(OLD)
    session.cells.executed(Cell("cell 1", OLD), 2.0)
    session.run_cell("a")
    session.cells.saved((Cell("cell 1", NEW),), 3.0)
    assert session.why("a").text == "code changed"
    session.run()
    assert session.services.evaluator.names["x"] == 2


RENAMED, OTHER = "%%step b\nx = 1", "%%step c\ny = 1"
SAYS, SAYS_TOO = "%%step a\nprint()", "%%step b\nprint()"
RATE, FASTER = "rate = 1", "rate = 2"


@pytest.mark.parametrize(
    ("happened", "counts"),
    [
        pytest.param([OLD, NEW], [NEW], id="a step is edited"),
        pytest.param([OLD, OTHER, RENAMED], [RENAMED, OTHER], id="a step is renamed"),
        pytest.param([OLD, "%%step b --out x\nx = z = 1"], [OLD, "%%step b --out x\nx = z = 1"], id="another step"),
        pytest.param(
            ["%%step a --branch g\nx = 1", "%%step b --branch g\nx = 1"],
            ["%%step a --branch g\nx = 1", "%%step b --branch g\nx = 1"],
            id="members of a branch may be alike",
        ),
        pytest.param([SAYS, SAYS_TOO], [SAYS, SAYS_TOO], id="without outputs they may be alike"),
        pytest.param([RATE, OTHER, FASTER], [RATE, OTHER, FASTER], id="a context cell may be another one"),
        pytest.param([RATE, FASTER, RATE], [FASTER, RATE], id="what is executed last counts last"),
        pytest.param([RATE, OTHER, RATE], [RATE, OTHER], id="again and nothing between: its place stays"),
        pytest.param([OLD, (OTHER,)], [OTHER], id="a step that the document does not have any more"),
        pytest.param([OLD, (OLD, OTHER), RENAMED], [RENAMED, OTHER], id="a saved step is renamed"),
        pytest.param([OLD, (OLD, OTHER), RENAMED, (RENAMED, OTHER)], [RENAMED, OTHER], id="renamed and saved"),
        pytest.param([RATE, FASTER, (FASTER, OTHER)], [FASTER, OTHER], id="a context cell is edited and saved"),
        pytest.param([RATE, "more = 5", (RATE,)], [RATE, "more = 5"], id="a console's cells stay"),
    ],
)
def test_without_ids_the_text_tells_which_cell_it_is(happened, counts):
    """A tuple is a document that is saved; a text is executed."""
    cells = NotebookCells()
    for at, what in enumerate(happened, 1):
        if isinstance(what, tuple):
            cells.saved(tuple(Cell(f"cell {n}", source) for n, source in enumerate(what, 1)), float(at))
        else:
            cells.executed(Cell(f"In [{at}]", what), float(at))
        cells.merged()
    assert [cell.source for cell in cells.merged()] == counts
