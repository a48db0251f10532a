"""Facts become a decision with its reasons: the whole table."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from nbsteps.core.decide import Action, Decision, Facts, decide
from nbsteps.core.model import Artifact, CacheMode, Part, PartKind, Result, StepOptions
from nbsteps.core.reasons import TEXTS, Reason, ReasonKind
from nbsteps.core.states import StepState

NOW = 1_000.0
CODE = Part(PartKind.CODE, "", "1")
OLD_CODE = Part(PartKind.CODE, "", "0")
RAW = Part(PartKind.VALUE, "raw", "1", role="input")
OLD_RAW = Part(PartKind.VALUE, "raw", "0", role="input")
FILE = Part(PartKind.FILE, "a.csv", "1")
ENV = Part(PartKind.ENV, "REGION", "1")
NEW_FILE = Part(PartKind.FILE, "a.csv", "2")
NEW_ENV = Part(PartKind.ENV, "REGION", "2")


def stored(run_id: str = "run0", digest: str = "d", age: float = 10.0, observed: tuple[Part, ...] = ()) -> Result:
    """A result with one output, that ended ``age`` seconds ago."""
    artifact = Artifact(digest, "int", "plain", 1, "inline", "c")
    return Result("k", "s", "nb", "step", run_id, {"x": artifact}, (CODE,), observed, ended_at=NOW - age)


def facts(**given: Any) -> Facts:
    options = StepOptions(**{name: given.pop(name) for name in ("cache", "ttl") if name in given})
    return Facts(options=options, **{"parts": (CODE, RAW), "now": NOW, "run_id": "run1", **given})


def check(expect: str, **given: Any) -> Decision:
    """Assert the decision: ``restore``, or the reasons for a run."""
    decision = decide(facts(**given))
    if expect == "restore":
        assert (decision.action, decision.reasons) == (Action.RESTORE, ())
        assert decision.result in given["candidates"]
    else:
        assert (decision.action, decision.text, decision.result) == (Action.RUN, expect, None)
    return decision


@pytest.mark.parametrize(("run_id", "after"), [("run1", "run run1"), ("", "")])
def test_a_plan_names_no_run(run_id: str, after: str) -> None:
    (reason,) = decide(facts(cache=CacheMode.RUN, run_id=run_id, candidates=(stored(),))).reasons
    assert (reason.before, reason.after) == ("run run0", after)


@pytest.mark.parametrize(
    ("expect", "given"),
    [
        pytest.param("never ran", {}, id="nothing is known"),
        pytest.param("restore", {"candidates": (stored(),)}, id="a result under the key"),
        pytest.param("code changed", {"last_parts": (OLD_CODE, RAW)}, id="code"),
        pytest.param("code changed, input raw changed", {"last_parts": (OLD_CODE, OLD_RAW)}, id="code and input"),
        pytest.param("result missing", {"last_parts": (CODE, RAW)}, id="the result of the same key is gone"),
        pytest.param("failed last time", {"last_state": StepState.FAILED}, id="failed at first"),
        pytest.param("crashed last time", {"last_state": StepState.CRASHED}, id="crashed"),
        pytest.param("cancelled last time", {"last_state": StepState.CANCELLED}, id="cancelled"),
        pytest.param("never ran", {"last_state": StepState.UPSTREAM_FAILED}, id="was kept from running"),
        pytest.param("never ran", {"last_state": StepState.SKIPPED}, id="was skipped"),
        pytest.param(
            "code changed, failed last time",
            {"last_state": StepState.FAILED, "last_parts": (OLD_CODE, RAW)},
            id="failed, and mended since",
        ),
        pytest.param(
            "failed last time",
            {"last_state": StepState.FAILED, "last_parts": (CODE, RAW)},
            id="failed, and its older result is gone",
        ),
        pytest.param(
            "restore",
            {"last_state": StepState.FAILED, "candidates": (stored(),)},
            id="failed, and put back to what had succeeded",
        ),
        pytest.param("forced", {"forced": True, "candidates": (stored(),)}, id="forced"),
        pytest.param("cache off", {"cache": CacheMode.OFF, "candidates": (stored(),)}, id="cache off"),
        pytest.param("uncacheable: conn", {"uncacheable": ("conn",), "candidates": (stored(),)}, id="uncacheable"),
        pytest.param("uncacheable: a, uncacheable: b", {"uncacheable": ("a", "b")}, id="for two reasons"),
        pytest.param(
            "forced", {"forced": True, "cache": CacheMode.OFF, "uncacheable": ("a",)}, id="forced comes first"
        ),
        pytest.param("cache off", {"cache": CacheMode.OFF, "uncacheable": ("a",)}, id="then what is asked for"),
        pytest.param("restore", {"ttl": 10.0, "candidates": (stored(age=10),)}, id="not yet expired"),
        pytest.param("expired", {"ttl": 10.0, "candidates": (stored(age=11),)}, id="expired"),
        pytest.param("restore", {"ttl": 10.0, "candidates": (stored(age=11), stored(age=9))}, id="one is younger"),
        pytest.param("restore", {"cache": CacheMode.RUN, "candidates": (stored("run1"),)}, id="of this run"),
        pytest.param(
            "result of another run", {"cache": CacheMode.RUN, "candidates": (stored("run0"),)}, id="of another run"
        ),
        pytest.param(
            "file a.csv changed",
            {"candidates": (stored(observed=(FILE,)),), "changed": {0: (NEW_FILE,)}},
            id="an observed file",
        ),
        pytest.param(
            "environment variable REGION changed",
            {"candidates": (stored(observed=(FILE, ENV)),), "changed": {0: (NEW_ENV,)}},
            id="an observed variable",
        ),
        pytest.param(
            "restore",
            {"candidates": (stored(observed=(FILE,)), stored(observed=(FILE,))), "changed": {0: (NEW_FILE,)}},
            id="another result saw the file as it is",
        ),
        pytest.param(
            "file a.csv changed",
            {"candidates": (stored(observed=(FILE,)),) * 2, "changed": {0: (NEW_FILE,), 1: (NEW_FILE,)}},
            id="each reason is said once",
        ),
        pytest.param(
            "result missing", {"candidates": (stored(digest="x"),), "missing": frozenset("x")}, id="a damaged value"
        ),
        pytest.param(
            "restore", {"candidates": (stored(digest="x"),), "missing": frozenset("y")}, id="another's damaged value"
        ),
        pytest.param(
            "restore",
            {"candidates": (stored(digest="x"), stored(digest="y")), "missing": frozenset("x")},
            id="an older result is whole",
        ),
        pytest.param(
            "expired, result of another run, file a.csv changed, result missing",
            {
                "ttl": 1.0,
                "cache": CacheMode.RUN,
                "candidates": (stored(digest="x", observed=(FILE,)),),
                "changed": {0: (NEW_FILE,)},
                "missing": frozenset("x"),
            },
            id="everything at once",
        ),
    ],
)
def test_the_decision_and_its_reasons(expect, given):
    check(expect, **given)


def test_the_newest_result_without_objection_is_restored():
    newer, older = stored(digest="n"), stored(digest="o")
    assert check("restore", candidates=(newer, older)).result is newer


SWITCHES: dict[str, tuple[dict[str, Any], ...]] = {
    "forced": ({}, {"forced": True}),
    "cache": ({}, {"cache": CacheMode.OFF}, {"cache": CacheMode.RUN}),
    "uncacheable": ({}, {"uncacheable": ("conn",)}),
    "ttl": ({}, {"ttl": 1.0}, {"ttl": 100.0}),
    "changed": ({}, {"changed": {0: (NEW_FILE,)}}),
    "missing": ({}, {"missing": frozenset("d")}),
    "candidates": (
        {},
        {"candidates": (stored(observed=(FILE,)),)},
        {"candidates": (stored("run1", observed=(FILE,)),)},
    ),
    "last": ({}, {"last_state": StepState.FAILED}, {"last_state": StepState.SUCCEEDED, "last_parts": (OLD_CODE,)}),
}


def check_row(row) -> None:
    given: dict[str, Any] = {name: value for part in row for name, value in part.items()}
    candidates = given.get("candidates", ())
    good = (
        bool(candidates)
        and not given.get("forced")
        and not given.get("uncacheable")
        and given.get("cache") is not CacheMode.OFF
        and not (given.get("cache") is CacheMode.RUN and candidates[0].run_id != "run1")
        and given.get("ttl") != 1.0
        and "changed" not in given
        and "missing" not in given
    )
    decision = decide(facts(**given))
    assert decision.action is (Action.RESTORE if good else Action.RUN)
    assert (decision.result is not None) is good
    assert bool(decision.reasons) is not good


def test_every_kind_of_reason_has_a_text():
    assert set(TEXTS) == set(ReasonKind)
    assert all(str(Reason(kind, "x")) for kind in ReasonKind)


def test_a_result_is_restored_exactly_where_nothing_speaks_against_it():
    for row in itertools.product(*SWITCHES.values()):
        check_row(row)
