"""What is read off the outputs of executed cells."""

from __future__ import annotations

import pytest
from nbformat.v4 import new_code_cell, new_output

from nbsteps.notebook.papermill_cells import error_of


def raised(name, value):
    return new_output("error", ename=name, evalue=value, traceback=[])


def printed(text):
    return new_output("stream", name="stderr", text=text)


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        ([], None),
        ([printed("all is well\n")], None),
        ([printed("one\n"), raised("KeyError", "'a'")], ("KeyError", "'a'")),
        ([raised("SyntaxError", "invalid syntax (371.py, line 2)")], ("SyntaxError", "invalid syntax, line 2")),
        # Python 3.13's own name for it is nobody's business.
        (
            [raised("_IncompleteInputError", "incomplete input (3.py, line 1)")],
            ("SyntaxError", "incomplete input, line 1"),
        ),
        ([printed("UsageError: no such magic\nmore")], ("UsageError", "no such magic")),
    ],
)
def test_the_error_that_a_cell_shows(outputs, told):
    expected = None if told is None else {"type": told[0], "message": told[1]}
    assert error_of(new_code_cell("x", outputs=outputs)) == expected
