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
