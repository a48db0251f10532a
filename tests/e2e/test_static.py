"""``%pipeline`` where no script runs: what papermill saves and nbconvert makes of it."""

from __future__ import annotations

import base64
import re

import nbformat
import pytest
from nbconvert import HTMLExporter, MarkdownExporter

from nbsteps.cli import main

CELLS = ("%load_ext nbsteps", "%%step load\nraw = 1", "%%step clean\nrows = raw + 1", "%pipeline")


@pytest.fixture(scope="module", params=["papermill", "nbsteps"])
def executed(request, tmp_path_factory):
    """The same notebook as plain papermill and as our engine left it."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / ".nbsteps").mkdir()
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, folder / "nb.ipynb")
    if request.param == "nbsteps":
        assert main(["run", str(folder / "nb.ipynb"), "-o", str(folder / "out.ipynb")]) == 0
    else:
        import papermill

        papermill.execute_notebook(folder / "nb.ipynb", folder / "out.ipynb", cwd=folder, progress_bar=False)
    return nbformat.read(folder / "out.ipynb", 4)


def test_the_output_notebook_has_the_last_state_as_picture_and_text(executed):
    [output] = executed.cells[-1].outputs
    assert set(output.data) == {"text/plain", "image/svg+xml"}
    assert "2 steps, up to date" in output.data["text/plain"]
    picture = output.data["image/svg+xml"]
    assert "<script" not in picture
    assert picture.count("Cached") >= 2
    assert "widgets" not in executed.metadata


def test_nbconvert_shows_the_picture(executed):
    page, _resources = HTMLExporter().from_notebook_node(executed)
    embedded = [base64.b64decode(data).decode() for data in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page)]
    shown = "\n".join((page, *embedded))
    assert ">clean</text>" in shown
    assert "application/vnd.jupyter.widget-view+json" not in page


def test_other_formats_have_at_least_the_picture(executed):
    _text, resources = MarkdownExporter().from_notebook_node(executed)
    assert [name for name in resources["outputs"] if name.endswith(".svg")]
