"""Front ends and notebooks without cell ids: which cell is which follows from the text."""

from __future__ import annotations

from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from tests.e2e.building import step


def save(nb, *sources):
    """Save as nbformat 4.4, whose cells have no ids."""
    cells = [
        NotebookNode(cell_type="code", source=source, metadata={}, outputs=[], execution_count=None)
        for source in (nb.marks, *sources)
    ]
    kernel = {"name": "python3", "display_name": "python3", "language": "python"}
    nb.save(new_notebook(cells=cells, metadata={"kernelspec": kernel}, nbformat_minor=4))


def test_an_edited_cell_is_no_second_one(nb):
    first, second = step("a", "x = rate"), step("b", "y = x + 1")
    save(nb, "rate = 1", first, second)
    kernel = nb.live()
    for source in (nb.marks, "rate = 1", first, second):
        assert kernel.run(source).error == ""
    assert nb.executed() == ["a", "b"]
    renamed, faster = step("total", "y = x + 1").replace("'total'", "'b'"), "rate = 2"
    assert kernel.run(renamed).state["state"] == "cached"
    assert "2 steps, up to date" in kernel.run("%pipeline status").text
    kernel.run(faster)
    save(nb, faster, first, renamed)
    assert "2 steps: 2 ran" in kernel.run("%pipeline run").text
    assert (nb.executed(), kernel.run("y").text) == (["a", "b"], "3\n")
    save(nb, faster, first)
    assert "1 step, up to date" in kernel.run("%pipeline status").text
    assert nb.run()["state"] == "succeeded"
    assert nb.executed() == []
