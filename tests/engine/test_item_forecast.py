"""A plan says how many items of a map would run, where it can tell at little cost."""

from __future__ import annotations

import pytest

from nbsteps.engine.maps import forecast
from tests.engine.acting import again, begin

LOAD = "%%step load\nrows = [1, 2, 3, 3]"
WORK = "%%step work --map row=rows\ny = row * 2"


def due(session):
    decision = session.plan().decisions["work"]
    return f"{decision.action}: {decision.text}" if decision.reasons else str(decision.action)


@pytest.mark.parametrize(
    ("cells", "expect"),
    [
        pytest.param(
            (LOAD.replace("3, 3", "3, 4, 5"), WORK), "may run: rows may change", id="what it runs over changes"
        ),
        pytest.param((LOAD, WORK.replace("* 2", "* 3")), "run: 3 of 4 items, code changed", id="another body"),
        pytest.param((LOAD + "  # same", WORK), "restore", id="nothing changed"),
    ],
)
def test_after_a_run(cells, expect):
    first = begin(LOAD, WORK)
    again(first)
    session = begin(*cells, store=first.services.store)
    assert due(session) == expect
    assert session.services.evaluator.executed == []


def test_after_new_items_only_those():
    store = again(begin("rows = [1, 2]", WORK)).session.services.store
    assert due(begin("rows = [0, 1, 2, 9]", WORK, store=store)) == "run: 2 of 4 items, constant rows changed"
    assert due(begin("rows = []", WORK, store=store)) == "run: 0 of 0 items, constant rows changed"


def test_after_a_failure_only_what_failed():
    body = "%%step work --map row=rows\nif row == 3:\n    raise ValueError\ny = row"
    session = begin(LOAD, body)
    again(session)
    assert due(session) == "run: 1 of 4 items, failed last time"


def test_what_is_large_or_wrong_is_not_counted(monkeypatch):
    first = begin(LOAD, WORK)
    again(first)
    cells = LOAD, WORK.replace("* 2", "* 3")
    monkeypatch.setattr(forecast, "_SMALL", 0)
    assert due(begin(*cells, store=first.services.store)) == "run: code changed"
    assert due(begin("rows = 'text'", cells[1])) == "run: never ran"
