"""Which steps an edited context cell concerns."""

from __future__ import annotations

import pytest

from nbsteps.engine.edits import concerns, texts

BEFORE = "import math\nLIMIT = 2\n\ndef inner(x):\n    return x * LIMIT\n\ndef outer(x):\n    return inner(x)\n"


@pytest.mark.parametrize(
    ("after", "wanted", "expect"),
    [
        (BEFORE, ("outer",), False),
        (BEFORE + "# a comment\n", ("outer",), False),
        (BEFORE.replace("LIMIT = 2", "LIMIT   =  2"), ("outer",), False),
        ("import os\n" + BEFORE, ("outer", "math"), False),
        ("import os\n" + BEFORE, ("os",), True),
        (BEFORE.replace("LIMIT = 2", "LIMIT = 3"), ("outer",), True),
        (BEFORE.replace("LIMIT = 2", "LIMIT = 3"), ("math",), False),
        (BEFORE.replace("x * LIMIT", "x + LIMIT"), ("outer",), True),
        (BEFORE.replace("x * LIMIT", "x + LIMIT"), ("LIMIT",), False),
        (BEFORE + "other = 1\n", ("outer",), False),
        (BEFORE + "'a text'\n", ("outer",), False),
        (BEFORE + "math.pi = 3\n", ("math",), True),
        (BEFORE + "math.pi = 3\n", ("outer",), False),
        (BEFORE + "inner.__defaults__ = (1,)\n", ("outer",), True),
        (BEFORE + "LIMIT += 1\n", ("math",), True),
        (BEFORE + "if True:\n    LIMIT = 7\n", ("math",), True),
        (BEFORE + "%matplotlib inline\n", ("outer",), True),
        ("", ("outer",), False),
    ],
)
def test_what_an_edit_concerns(after, wanted, expect):
    assert concerns(after, texts([BEFORE]), wanted) == expect


def test_statements_count_wherever_they_were_executed():
    executed = texts(["import math", "LIMIT = 2"])
    assert not concerns("import math\nLIMIT = 2", executed, ("math", "LIMIT"))
