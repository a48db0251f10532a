"""The scoreboard counts what was played, once, and marks what a documentation foresees."""

from __future__ import annotations

import pytest

from benchmarks.scoreboard import EXCLUSIONS, SAID, kinds_of, tables, tallied
from benchmarks.wrong_hits import Kept, neutral
from tests.conformance.collection import PROBES

BY_NAME = {probe.name: probe for probe in PROBES}


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("code/body", {"body"}),
        ("code/helper", {"helper"}),
        ("values/int or float", {"value"}),
        ("inputs/int or float", {"body"}),
        ("modules/attribute", {"module"}),
        ("files/open", {"file"}),
        ("environment/os.getenv", {"environment"}),
        ("harmless/nothing", set()),
    ],
)
def test_what_changes(name, kinds):
    assert kinds_of(BY_NAME[name]) == kinds


@pytest.mark.parametrize(
    ("tool", "name", "said"),
    [
        ("joblib", "code/helper", 1),
        ("joblib", "code/body", 0),
        ("marimo", "code/helper", 0),
        ("marimo", "files/open", 1),
        ("apache-hamilton", "values/int or float", 0),
        ("nbsteps", "files/open", 0),
    ],
)
def test_a_wrong_hit_is_marked_where_the_documentation_says_so(tool, name, said):
    probe = BY_NAME[name]
    assert tallied(tool, probe, ["played", "wrong hit"])[tool, probe.family, SAID] == said
    assert tallied(tool, probe, ["played"])[tool, probe.family, SAID] == 0


def test_tables():
    tally = tallied("joblib", BY_NAME["code/helper"], ["played", "wrong hit"])
    tally += tallied("joblib", BY_NAME["code/body"], ["played", "false miss"])
    wrong, missed = tables(tally, {"joblib": "1.6", "cash-lib": "0.1"}, ["cash-lib"])
    assert wrong.splitlines()[-1] == "| all | 1 of 2 (1 said) | - |"
    assert missed.splitlines()[-1] == "| all | 1 of 2 |"


def test_what_was_kept_is_not_played_again(tmp_path):
    path, probe = tmp_path / "kept", BY_NAME["code/body"]
    assert Kept(path).of("joblib 1", probe, lambda: ["played"]) == ["played"]
    again = Kept(path)
    assert again.of("joblib 1", probe, pytest.fail) == ["played"]
    assert again.of("joblib 2", probe, list) == []
    assert again.of("joblib 1", BY_NAME["code/helper"], list) == []
    assert again.has(["joblib 1", "joblib 2"], probe)
    assert not again.has(["joblib 1", "marimo 1"], probe)


def test_probes_that_any_tool_can_play():
    names = {probe.name for probe in neutral()}
    assert {"code/body", "files/open"} <= names
    assert names.isdisjoint({"code/live redefinition", "files/declared", "environment/%cd"})
    assert set(EXCLUSIONS) >= {"joblib", "marimo"}
