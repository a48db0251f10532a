"""Attempts at items of a map, as the panel, the report and the timeline name them."""

from __future__ import annotations

import pandas as pd
import pytest

from nbsteps.core.decide import Action, Decision
from nbsteps.core.model import Cell, Step, StepOptions
from nbsteps.display.details import Known, detail
from nbsteps.display.rows import item_of

STEP = Step("each", Cell("cell 4", "%%step each --map a=xs\ny = a"), "y = a", StepOptions(), (), ("y",), frozenset())
START = "2026-01-01T10:00:00+00:00"
FAILED = {"state": "failed", "error_type": "ValueError", "error_message": "bad", "traceback": ""}


def tried(position, number=1, state="succeeded", **more):
    times = {"started_at": START, "ended_at": START, "duration": 0.0, "delay": 0.0}
    which = {"item": f"{position}a" * 16, "position": position, "label": f"'{position}.csv'"}
    return {"run_id": "r1", **which, "attempt": number, "state": state, **times, **more}


def shown(*attempts, state="failed", tried=0):
    known = Known(STEP, Decision(Action.RUN, ()), attempts=attempts, steps=[{"state": state}], tried=tried)
    return detail(known)


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"item": "0123456789", "position": 37, "label": "'a'"}, "item 37 ('a')"),
        ({"item": "0123456789", "position": 37.0, "label": ""}, "item 37"),
        ({"item": "0123456789", "position": None, "label": None}, "item 01234567"),
        ({"item": "0123456789", "position": pd.NA, "label": pd.NA}, "item 01234567"),
        ({"item": "0123456789"}, "item 01234567"),
        ({"item": ""}, ""),
    ],
)
def test_a_row_names_its_item(row, name):
    assert item_of(row) == name


def test_the_panel_shows_which_item_an_attempt_was_at():
    found = shown(tried(2, **FAILED), tried(0), tried=1000)
    assert [row["label"] for row in found["attempts"]] == ["2 ('2.csv')", "0 ('0.csv')"]
    assert (len(found["attempts"][0]["item"]), found["tried"]) == (32, 1000)


@pytest.mark.parametrize(
    ("attempts", "state", "message"),
    [
        ([tried(2, **FAILED), tried(0)], "failed", "item 2 ('2.csv'): bad"),
        (
            [tried(2, **FAILED), tried(2, 2, **{**FAILED, "error_message": "worse"})],
            "failed",
            "item 2 ('2.csv'): worse",
        ),
        ([tried(2, **FAILED), tried(0)], "running", "item 2 ('2.csv'): bad"),
        ([tried(2, **FAILED), tried(0)], "succeeded", None),
        ([tried(2, **FAILED), tried(2, 2)], "failed", None),
        ([tried(0)], "failed", None),
    ],
)
def test_the_error_is_that_of_the_first_item_in_trouble(attempts, state, message):
    error = shown(*attempts, state=state)["error"]
    assert (error and error["message"]) == message


def test_what_drives_a_terminal_is_gone_from_labels():
    row = tried(1) | {"label": "'\x1b[31m\u202e'"}
    assert shown(row)["attempts"][0]["label"] == "1 ('\ufffd[31m\ufffd')"
