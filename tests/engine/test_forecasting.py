"""A forecast answers for what a run would do, and leaves the user's variables as they are."""

from __future__ import annotations

import pytest

from tests.engine.acting import again, begin

LOAD = "%%step load\nrows = [1]"


@pytest.mark.parametrize(
    "options",
    [
        pytest.param("--when 'len(rows) == 1'", id="a condition reads it"),
        pytest.param("--when 'count() == 1'", id="a helper reads it for the condition"),
        pytest.param("--map row=rows", id="a map runs over it"),
        pytest.param("--approve 'Use {rows}?'", id="a question shows it"),
    ],
)
def test_what_the_user_made_of_a_variable_stays(options):
    session = begin("def count():\n    return len(rows)", LOAD, f"%%step work {options}\ny = 1")
    again(session)
    names = session.services.evaluator.namespace
    session.services.evaluator.materialise(["rows"])
    names["rows"].append(2)
    mine = names["rows"]
    session.plan()
    assert names["rows"] is mine
    assert mine == [1, 2]


@pytest.mark.parametrize(
    ("condition", "expect"), [("len(rows) == 1", "restore"), ("len(rows) > 1", "skip"), ("1 / 0", "may run")]
)
def test_a_condition_is_asked_of_stored_values(condition, expect):
    cells = LOAD, f"%%step work --when '{condition}'\ny = 1"
    first = begin(*cells)
    again(first)
    for session in (first, begin(*cells, store=first.services.store)):
        assert str(session.plan().decisions["work"].action) == expect
    assert first.services.evaluator.executed == ["load", *(["work"] if expect == "restore" else [])]
