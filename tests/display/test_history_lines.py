"""The history in a terminal: columns that matter, cut to what fits."""

from __future__ import annotations

import re

import pytest

from nbsteps.display.history import COLUMNS, history_lines
from nbsteps.store import views

RUN = dict.fromkeys(views.COLUMNS["runs"]) | {
    "run_id": "r1",
    "notebook": "a.ipynb",
    "trigger": "cli",
    "state": "succeeded",
    "started_at": "2026-01-01T10:00:00+00:00",
    "duration": 61.0,
    "steps_executed": 2,
    "steps_restored": 0,
    "host": "a host that nobody asked for",
}


@pytest.mark.parametrize("kind", views.COLUMNS)
def test_every_table_has_its_columns(kind: str) -> None:
    row = dict.fromkeys(views.COLUMNS[kind]) | {"run_id": "r1"}
    assert history_lines(kind, [row]).split() == ["run_id", "r1"]
    assert history_lines(kind, []) == "no rows"
    assert COLUMNS.keys() == views.COLUMNS.keys()


def test_numbers_and_times_are_written_for_people() -> None:
    head, line = history_lines("runs", [RUN]).split("\n")
    assert head.split() == ["run_id", "notebook", "trigger", "state", "started_at", "duration", "executed", "restored"]
    words = line.split()
    assert (words[:4], words[-4:]) == (["r1", "a.ipynb", "cli", "succeeded"], ["1m", "01s", "2", "0"])
    assert "nobody" not in line


@pytest.mark.parametrize(
    ("which", "shown"),
    [({"position": 37, "label": "'a b'"}, "37 ('a b')"), ({}, "0123456789abcdef"), ({"item": ""}, "1")],
)
def test_an_attempt_says_which_item_it_was_at(which: dict[str, object], shown: str) -> None:
    row = dict.fromkeys(views.COLUMNS["attempts"]) | {"step": "a", "item": "0123456789abcdef", "attempt": 1} | which
    assert re.split("  +", history_lines("attempts", [row]).split("\n")[1].strip())[1] == shown


def test_a_size_is_written_for_people() -> None:
    row = dict.fromkeys(views.COLUMNS["artifacts"]) | {"step": "a", "output": "x", "bytes": 1_500_000}
    assert history_lines("artifacts", [row]).split("\n")[1].split() == ["a", "x", "1.5", "MB"]


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("code changed", "code changed"),
        ("x" * 50, "x" * 37 + "..."),
        ("one\ntwo", "one ..."),
        ("\x1b[31mred", "\ufffd[31mred"),
    ],
)
def test_long_and_wild_texts_are_tamed(reason: str, shown: str) -> None:
    row = dict.fromkeys(views.COLUMNS["steps"]) | {"step": "a", "reason": reason}
    assert history_lines("steps", [row]).split("\n")[1].strip() == f"a     {shown}"
