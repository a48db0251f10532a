"""A shell in this process, an evaluator over it, and steps as the magic makes them."""

from __future__ import annotations

import re

import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbsteps.core.model import Cell, Step, StepOptions
from nbsteps.core.source import split_cell
from nbsteps.notebook.evaluator import ShellEvaluator, attach_traceback

ANSI = re.compile(r"\x1b\[[\d;]*m")


class Console:
    """What was printed so far."""

    def __init__(self, capsys):
        self._capsys = capsys
        self._out = self._errors = ""

    def _read(self):
        out, errors = self._capsys.readouterr()
        self._out += out
        self._errors += errors

    @property
    def out(self):
        self._read()
        return ANSI.sub("", self._out)

    @property
    def errors(self):
        self._read()
        return ANSI.sub("", self._errors)


@pytest.fixture
def console(capsys):
    return Console(capsys)


@pytest.fixture
def shell(console):
    made = InteractiveShell.instance()
    yield made
    made.history_manager.end_session()
    InteractiveShell.clear_instance()


@pytest.fixture
def evaluator(shell):
    made = ShellEvaluator(shell)

    def step(line, cell):
        source = f"%%step {line}\n{cell}"
        outcome = made.run_body(build_step(source, label=f"In [{shell.execution_count}]"))
        if outcome.error is not None:
            raise attach_traceback(shell, outcome.error)

    shell.register_magic_function(step, "cell")
    yield made
    made.close()


def build_step(source, *, label="cell 4", outputs=()):
    split = split_cell(source)
    name = split.line.split()[0]
    cell = Cell(label, source)
    return Step(name, cell, split.body, StepOptions(), (), outputs, frozenset(), split.line_offset)


@pytest.fixture
def make_step():
    """A step from the source of its cell."""
    return build_step


@pytest.fixture
def failing(evaluator):
    """Runs the body of a cell that is meant to fail."""

    def run(source):
        outcome = evaluator.run_body(build_step(source))
        assert outcome.error is not None
        return outcome

    return run
