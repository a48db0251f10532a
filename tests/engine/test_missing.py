"""What stands for an input that nobody made is found by bodies and conditions, and by nobody else."""

from __future__ import annotations

import pytest

from nbsteps.core.decide import Action
from nbsteps.core.missing import MISSING
from tests.engine.acting import again, begin

CELLS = (
    "import nbsteps",
    "no, items = False, [1, 2]",
    "%%step never --when no\nx = 1",
)


@pytest.mark.parametrize(
    ("step", "expect"),
    [
        pytest.param("%%step s --trigger none_failed\ny = [x]", [MISSING], id="a body"),
        pytest.param("%%step s --trigger none_failed --map item=items\ny = x", [MISSING, MISSING], id="items of a map"),
        pytest.param("%%step s --trigger none_failed --when 'x is nbsteps.MISSING'\ny = 1", 1, id="a condition"),
    ],
)
def test_who_finds_it(step, expect):
    session = begin(*CELLS, step)
    played = again(session)
    assert played.said() == {"never": "skipped(condition is false: no)", "s": "succeeded"}
    assert played.value("y") == expect
    assert session.plan().decisions["s"].action is Action.RESTORE
    assert "x" not in played.evaluator.names


def test_a_condition_that_it_makes_false():
    session = begin(*CELLS, "%%step s --trigger none_failed --when x\ny = 1")
    assert again(session).said()["s"] == "skipped(condition is false: x)"
    assert session.plan().decisions["s"].text == "its condition is false"
    assert not any(value is MISSING for value in session.services.evaluator.namespace.values())
