"""However a notebook is executed, and in whatever order of ways, no step executes twice."""

from __future__ import annotations

import pytest

from tests.e2e.building import step

CELLS = (
    "import pandas as pd\nRATE = 1.5",
    "def scaled(x):\n    return x * RATE",
    step("load", "raw = pd.DataFrame({'a': [1, 2, n], 'b': list('xyz')})"),
    step("clean --in raw --out clean", "clean = raw[raw.a > 1].assign(c=lambda d: scaled(d.a))"),
    "limit = clean.c.max()",
    step("total", "total = {'sum': float(clean.c.sum()), 'limit': float(limit)}", "total"),
    "print(total)",
)
STEPS = ["load", "clean", "total"]


def by_cells(nb, *parameters):
    """Run All in a live kernel; parameters are edited in the document, as a person does."""
    for name, value in zip(parameters[::2], parameters[1::2], strict=True):
        nb.edit("n = 3", f"{name} = {value}")
    shown = nb.run_live()
    if parameters:
        nb.edit(f"n = {parameters[1]}", "n = 3")
    return {cell: found.error for cell, found in shown.items() if found.error}, shown["c7"].text


def by_magic(nb, *parameters):
    kernel = nb.live()
    kernel.run("%load_ext nbsteps")
    flags = [f"--param {name}={value}" for name, value in zip(parameters[::2], parameters[1::2], strict=True)]
    failed = kernel.run(f"%pipeline run {' '.join(flags)}").error
    return ({"magic": failed} if failed else {}), kernel.run("print(total)").text


def by_papermill(nb, *parameters, engine=None):
    done = nb.papermill(*(["-p", *parameters] if parameters else []), engine=engine)
    assert done.code == 0, done.err
    shown = nb.output()
    return {cell: found.error for cell, found in shown.items() if found.error}, shown["c7"].text


def by_engine(nb, *parameters):
    return by_papermill(nb, *parameters, engine="nbsteps")


def by_command(nb, *parameters):
    out = nb.outside / "command.ipynb"
    report = nb.run("-o", str(out), *(["-p", *parameters] if parameters else []))
    assert report["exit_code"] == 0, report
    shown = nb.output(out.name)
    return {cell: found.error for cell, found in shown.items() if found.error}, shown["c7"].text


WAYS = {"cells": by_cells, "magic": by_magic, "papermill": by_papermill, "engine": by_engine, "command": by_command}
ANSWERS = {"3": "{'sum': 7.5, 'limit': 4.5}\n", "5": "{'sum': 10.5, 'limit': 7.5}\n"}


def check(nb, way, *parameters, executes):
    errors, answer = WAYS[way](nb, *parameters)
    assert errors == {}
    assert answer == ANSWERS[parameters[1] if parameters else "3"]
    assert nb.executed() == executes


# A live kernel, papermill and the command line each come first once and last once.
ORDERS = ["cells papermill engine command", "papermill engine magic cells", "command magic papermill"]


@pytest.mark.parametrize("order", ORDERS)
def test_no_step_executes_twice(nb, order):
    nb.write(*CELLS, parameters="n = 3")
    first, *others = order.split()
    check(nb, first, executes=STEPS)
    for way in others:
        check(nb, way, executes=[])


@pytest.mark.parametrize("order", ["papermill command", "magic engine cells"])
def test_no_step_executes_twice_under_parameters(nb, order):
    nb.write(*CELLS, parameters="n = 3")
    first, *others = order.split()
    check(nb, first, "n", "5", executes=STEPS)
    for way in others:
        check(nb, way, "n", "5", executes=[])
    check(nb, others[-1], executes=STEPS)


def test_a_notebook_that_is_executed_in_place_stays_the_same_notebook(nb):
    nb.write(*CELLS, parameters="n = 3")
    check(nb, "cells", executes=STEPS)
    nb.path.write_text(nb.path.read_text())
    nb.save(nb.read())
    check(nb, "engine", executes=[])
