"""``why`` shows both sides of a change before the step runs, and afterwards, also in another process."""

from __future__ import annotations

import contextlib
import io

import pytest

from nbsteps.store.store import DuckStore
from tests.conformance.collection import PROBES
from tests.conformance.playing import surroundings
from tests.conformance.probe import source_of
from tests.conformance.settings import kept_settings

# Notebooks leave files open.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
BY_NAME = {probe.name: probe for probe in PROBES}
CASES = {
    "code/body": ("-result = x + 1", "+result = x + 2"),
    "code/helper": ("-    return x + 1", "+    return x + 2"),
    "code/default from a global": ("-# f, default 1 = int 1", "+# f, default 1 = int 2"),
    "code/closure": ("= int 1", "= int 2"),
    "code/attribute set on a class": ("-# C.n = int 2", "+# C.n = int 3"),
    "code/argument of a partial": ("-# argument 1 = int 1", "+# argument 1 = int 2"),
    "code/bound method": ("-# self.n = int 1", "+# self.n = int 2"),
    "code/version option": ("version 1", "2"),
    "values/int or float": ("constant value changed: int 1", "-> float 1.0"),
    "values/one cell of a frame": ("DataFrame 2 x 2, content", "-> DataFrame 2 x 2, content"),
    "inputs/dtype": ("input value changed: ndarray int64 (2,)", "-> ndarray int32 (2,)"),
    "environment/parameter": ("str '2026-01-01'", "-> str '2026-01-02'"),
    "files/open": ("file data.csv changed: 12 B of", "-> 12 B of"),
    "files/declared": ("file data.csv changed: 12 B of", "-> 12 B of"),
    "files/deleted": ("12 B of", "-> missing"),
    "files/appearing for exists": ("nothing there", "-> 12 B"),
    "files/appearing in a listing": ("1 entries: a.csv", "-> 2 entries: a.csv, b.csv"),
    "modules/attribute": ("-    return 1", "+    return 2"),
    "modules/computed name": ("(by name) changed: content", "-> content"),
    "environment/os.environ[]": ("PROBE changed: set, content", "-> set, content"),
    "environment/set after it was not": ("not set", "-> set"),
    "environment/looped over": ("environment changed: content", "-> content"),
    "environment/decimal context": ("(5, 'ROUND", "-> (6, 'ROUND"),
    "environment/print options of numpy": ("precision=3", "precision=4"),
    "environment/random state": ("random.seed: seeded, content", "-> seeded, content"),
    "environment/working directory": ("working directory changed: one", "-> two"),
}


def why(shell, step):
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        shell._shell.run_line_magic("pipeline", f"why {step}")
    return shown.getvalue()


def execute(shell, cells):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for cell in cells:
            shell._shell.run_cell(source_of(cell), store_history=True)


def explained(shell, probe, ground):
    """What ``why`` says of version B: before its step ran, after it, and in a shell as good as new."""
    store = DuckStore(ground.outside / "store")
    path = ground.prepare(probe, "A")
    with surroundings(path, probe.environment_of("A")):
        shell.open(path, store)
        shell.execute(probe.cells, probe.step)
    path = ground.prepare(probe, "B")
    said = []
    with surroundings(path, probe.environment_of("B")):
        shell.open(path, store)
        cells = probe.changed_cells
        asked = next(cell for cell in cells if getattr(cell, "name", "") == probe.step_of("B"))
        others = [cell for cell in cells if cell is not asked]
        for cells in (others, [asked]):
            execute(shell, cells)
            said.append(why(shell, asked.name))
        shell.open(path, store)
        execute(shell, others)
        said.append(why(shell, asked.name))
    shell.renew()
    store.close()
    return said


@pytest.mark.parametrize("name", CASES)
def test_both_sides_of_a_change(name, shell, ground):
    with kept_settings():
        before, after, later = explained(shell, BY_NAME[name], ground)
    assert " would run: " in before
    for said in (before, after, later):
        assert all(side in said for side in CASES[name]), said
    assert after.splitlines()[0].endswith(" would be restored: unchanged")
    assert "because" in later
