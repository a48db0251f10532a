"""A notebook of trivial cells, executed in a process of its own: ``nbsteps run`` beside nbclient and papermill."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.measure import Bench, in_turn, wall
from benchmarks.table import Row

_NBCLIENT = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""


def rows(bench: Bench) -> list[Row]:
    folder, cells, repetitions = bench.folder, bench.sizes.cells, max(1, bench.sizes.repetitions - 2)
    plain = write_notebook(folder / "plain.ipynb", [f"x{i} = {i}" for i in range(cells)])
    steps = write_notebook(
        folder / "steps.ipynb",
        ["%load_ext nbsteps", "%%step s0\na0 = 1", *(f"%%step s{i}\na{i} = a{i - 1} + 1" for i in range(1, cells))],
    )

    def run(*words: str) -> float:
        return wall([sys.executable, "-m", *words, str(folder / "executed.ipynb")], folder)

    def nbclient(path: Path) -> float:
        return wall([sys.executable, "-c", _NBCLIENT, str(path), str(folder / "executed.ipynb")], folder)

    cold = run("nbsteps", "run", str(steps), "-o")
    found = in_turn(
        repetitions,
        ours=lambda: run("nbsteps", "run", str(plain), "-o"),
        nbclient=lambda: nbclient(plain),
        warm=lambda: run("nbsteps", "run", str(steps), "-o"),
    )
    papermill = run("papermill", "--no-progress-bar", "-k", "python3", str(plain))
    ours, peer = found["ours"], found["nbclient"]
    what = f"{cells} trivial"
    return [
        Row(f"nbsteps run of {what} cells", ours, "s", "nbclient", peer, most_ratio=1.2, published="nbclient 2.7 s"),
        Row(f"nbsteps run of {what} cells", ours, "s", "papermill", papermill, published="papermill 13.1 s"),
        Row(f"nbsteps run of {what} steps, warm", found["warm"], "s", "nbclient, plain cells", peer),
        Row(f"nbsteps run of {what} steps, cold", cold, "s", "nbclient, plain cells", peer),
    ]


def write_notebook(path: Path, sources: list[str]) -> Path:
    """Save a notebook of code cells."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    notebook = new_notebook(cells=[new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
    return path
