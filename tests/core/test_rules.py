"""Trigger rules, branches and catches: the whole truth table, and that a ruling once given stays."""

from __future__ import annotations

from itertools import combinations_with_replacement, product

import pytest

from nbsteps.core.graph import Graph, build
from nbsteps.core.model import Cell
from nbsteps.core.policies import Trigger
from nbsteps.core.rules import RULES, Ruling, caught, chosen_producer, parent_states, ruling, run_state, verdict
from nbsteps.core.states import TERMINAL, StepState

LETTERS = {
    "S": StepState.SUCCEEDED,
    "K": StepState.SKIPPED,
    "F": StepState.FAILED,
    "U": StepState.UPSTREAM_FAILED,
    "p": StepState.PENDING,
    "C": StepState.CACHED,
    "X": StepState.CRASHED,
    "I": StepState.CANCELLED,
    "q": StepState.QUEUED,
    "r": StepState.RUNNING,
    "t": StepState.RETRYING,
    "w": StepState.WAITING,
}
WORDS = {"run": Ruling.RUN, "skip": Ruling.SKIP, "up": Ruling.UPSTREAM_FAILED, "wait": Ruling.WAIT}
# Airflow's trigger_rule_dep.py, its table of direct relatives, once everything ended.
ENDED = """
                             SS    SK    SF    SU    KK    KF    KU    FF    FU    UU
all_success                  run   skip  up    up    skip  up    up    up    up    up
all_done                     run   run   run   run   run   run   run   run   run   run
all_failed                   skip  skip  skip  skip  skip  skip  skip  run   run   run
all_skipped                  skip  skip  skip  skip  run   skip  skip  skip  skip  skip
one_success                  run   run   run   run   skip  up    up    up    up    up
one_failed                   skip  skip  run   run   skip  run   run   run   run   run
one_done                     run   run   run   run   skip  run   skip  run   run   skip
none_failed                  run   run   up    up    run   up    up    up    up    up
none_failed_min_one_success  run   run   up    up    skip  up    up    up    up    up
none_skipped                 run   skip  run   run   skip  skip  skip  run   run   run
always                       run   run   run   run   run   run   run   run   run   run
"""
# While one parent is still open.
OPEN = """
                             Sp    Kp    Fp    Up    pp
all_success                  wait  wait  up    up    wait
all_done                     wait  wait  wait  wait  wait
all_failed                   skip  skip  wait  wait  wait
all_skipped                  skip  wait  skip  skip  wait
one_success                  run   wait  wait  wait  wait
one_failed                   wait  wait  run   run   wait
one_done                     run   wait  run   wait  wait
none_failed                  wait  wait  up    up    wait
none_failed_min_one_success  wait  wait  up    up    wait
none_skipped                 wait  skip  wait  wait  wait
always                       run   run   run   run   run
"""


def states(letters: str) -> list[StepState]:
    return [LETTERS[letter] for letter in letters]


def rows() -> list[tuple[str, str, str]]:
    found = []
    for table in (ENDED, OPEN):
        head, *lines = table.strip().splitlines()
        for line in lines:
            rule, *words = line.split()
            found += [(rule, letters, word) for letters, word in zip(head.split(), words, strict=True)]
    return found


@pytest.mark.parametrize(("rule", "letters", "expect"), rows())
def test_pairs(rule: str, letters: str, expect: str) -> None:
    assert verdict(Trigger(rule), states(letters)) is WORDS[expect]
    assert verdict(Trigger(rule), states(letters[::-1])) is WORDS[expect]


def test_there_is_a_row_for_every_rule() -> None:
    assert {rule for rule, _, _ in rows()} == set(Trigger) == set(RULES)


@pytest.mark.parametrize("rule", Trigger)
def test_without_parents_every_step_runs(rule: Trigger) -> None:
    assert verdict(rule, ()) is Ruling.RUN


@pytest.mark.parametrize("rule", Trigger)
def test_a_ruling_stays_whatever_the_open_steps_come_to(rule: Trigger) -> None:
    for size in (1, 2, 3):
        for letters in combinations_with_replacement("SKFUp", size):
            now = verdict(rule, states("".join(letters)))
            if now is Ruling.WAIT:
                continue
            choices = ["SKFU" if letter == "p" else letter for letter in letters]
            assert {verdict(rule, states("".join(later))) for later in product(*choices)} == {now}


@pytest.mark.parametrize("rule", Trigger)
def test_once_all_ended_no_rule_waits(rule: Trigger) -> None:
    for size in (1, 2, 3):
        for letters in combinations_with_replacement("SKFUCXI", size):
            assert verdict(rule, states("".join(letters))) is not Ruling.WAIT


@pytest.mark.parametrize("rule", Trigger)
@pytest.mark.parametrize(("like", "one"), [("C", "S"), ("X", "F"), ("I", "F"), *(("qrtw"[i], "p") for i in range(4))])
def test_states_that_count_alike(rule: Trigger, like: str, one: str) -> None:
    for other in "SKFUp":
        assert verdict(rule, states(like + other)) is verdict(rule, states(one + other))


def graph(*sources: str) -> Graph:
    found = build([Cell(f"cell {n}", source) for n, source in enumerate(sources, 1)])
    assert not found.errors()
    return found


def situation(text: str) -> dict[str, StepState]:
    """``a=S b=F``."""
    return {name: LETTERS[letter] for name, letter in (word.split("=") for word in text.split())}


BRANCH = graph(
    "%%step a --branch load --when one\nx = 1",
    "%%step b --branch load --when two\nx = 2",
    "%%step c --branch load --when else\nx = 3",
    "%%step join\ny = x",
    "one = two = True",
)


@pytest.mark.parametrize(
    ("stand", "chosen", "expect"),
    [
        ("", "", "run wait wait"),
        ("a=K", "", "run run wait"),
        ("a=K b=K", "", "run run run"),
        ("a=S", "", "run skip skip"),
        ("a=C", "", "run skip skip"),
        ("a=F", "", "run skip skip"),
        ("a=X", "", "run skip skip"),
        ("a=I", "", "run skip skip"),
        ("a=r", "", "run skip skip"),
        ("a=q", "", "run skip skip"),
        ("a=t", "", "run skip skip"),
        ("a=w", "", "run skip skip"),
        ("a=U", "", "run up up"),
        ("a=K b=S", "", "run run skip"),
        ("a=K b=U", "", "run run up"),
        ("a=K", "a", "run skip skip"),
        ("", "a", "run skip skip"),
        ("a=K b=K", "b", "run run skip"),
    ],
)
def test_branches(stand: str, chosen: str, expect: str) -> None:
    found = [ruling(BRANCH, name, situation(stand), chosen.split()) for name in ("a", "b", "c")]
    assert found == [WORDS[word] for word in expect.split()]


@pytest.mark.parametrize(
    ("stand", "parent", "expect"),
    [
        ("", "p", "wait"),
        ("a=S", "S", "run"),
        ("a=K b=C", "C", "run"),
        ("a=K b=S c=K", "S", "run"),
        ("a=K b=K c=K", "K", "skip"),
        ("a=K b=K", "p", "wait"),
        ("a=K b=F c=K", "F", "up"),
        ("a=F", "F", "up"),
        ("a=U b=U c=U", "U", "up"),
        ("a=K b=U c=U", "U", "up"),
    ],
)
def test_a_join_sees_the_members_of_a_branch_as_one_parent(stand: str, parent: str, expect: str) -> None:
    assert parent_states(BRANCH, "join", situation(stand)) == (LETTERS[parent],)
    assert ruling(BRANCH, "join", situation(stand)) is WORDS[expect]


def test_the_member_that_ran_made_the_input() -> None:
    assert chosen_producer(BRANCH, "join", "x", situation("a=K b=S c=K")) == "b"
    assert chosen_producer(BRANCH, "join", "x", situation("a=K b=K c=C")) == "c"
    assert chosen_producer(BRANCH, "join", "x", situation("a=K b=K c=K")) == "a"


def test_a_member_named_by_after_counts_by_itself_as_well() -> None:
    found = graph(
        "%%step a --branch g --when one\nx = 1",
        "%%step b --branch g\nx = 2",
        "%%step join\ny = x",
        "%%step only --after b\nz = 1",
        "one = True",
    )
    stand = situation("a=S b=K")
    assert [ruling(found, name, stand) for name in ("join", "only")] == [Ruling.RUN, Ruling.SKIP]


CATCH = graph(
    "%%step a\nx = 1",
    "%%step b\ny = x",
    "%%step h --catch a\nz = error",
    "%%step done --trigger all_done --after a h\nw = 1",
)


@pytest.mark.parametrize(
    ("stand", "expect"),
    [("", "wait"), ("a=r", "wait"), ("a=S", "skip"), ("a=C", "skip"), ("a=K", "skip"), ("a=U", "skip"),
     ("a=I", "skip"), ("a=F", "run"), ("a=X", "run")],
)  # fmt: skip
def test_a_catch_runs_only_for_a_failure(stand: str, expect: str) -> None:
    assert ruling(CATCH, "h", situation(stand)) is WORDS[expect]


def test_a_watched_step_is_no_parent_of_the_rule() -> None:
    assert CATCH.watched["h"] == ("a",)
    assert CATCH.parents["h"] == ()
    assert "a" in CATCH.ancestors(["h"])
    assert "h" in CATCH.descendants(["a"])


@pytest.mark.parametrize(
    ("stand", "handled", "expect"),
    [
        ("a=S b=S h=K done=S", "", "succeeded"),
        ("a=F b=U h=S done=S", "a", "succeeded"),
        ("a=F b=U h=C done=S", "a", "succeeded"),
        ("a=X b=U h=S done=S", "a", "succeeded"),
        ("a=F b=U h=F done=S", "", "failed"),
        ("a=F b=U h=K done=S", "", "failed"),
        ("a=S b=F h=K done=S", "", "failed"),
        ("a=S b=X h=K done=S", "", "failed"),
        ("a=F b=U h=w done=p", "", "failed"),
        ("a=S b=w h=K done=S", "", "waiting"),
        ("a=S b=I h=I done=I", "", "cancelled"),
        ("a=F b=I h=I done=I", "", "failed"),
        ("a=S b=K h=K done=S", "", "succeeded"),
        ("", "", "succeeded"),
    ],
)
def test_the_state_of_a_run(stand: str, handled: str, expect: str) -> None:
    assert caught(CATCH, situation(stand)) == frozenset(handled.split())
    assert run_state(CATCH, situation(stand)) == expect


def test_a_step_absent_from_the_states_is_pending() -> None:
    assert ruling(CATCH, "b", {}) is Ruling.WAIT
    assert StepState.PENDING not in TERMINAL


@pytest.mark.parametrize(
    ("stand", "expect"),
    [("", "wait"), ("a=t b=S", "wait"), ("a=F", "wait"), ("a=F b=w", "wait"), ("a=F b=S", "run"), ("a=K b=U", "run")],
)
def test_a_condition_is_asked_once_all_that_it_asks_for_has_ended(stand: str, expect: str) -> None:
    found = graph("%%step a\nx = 1", "%%step b\ny = 1", "%%step s --when \"failed('a') or skipped('b')\"\nz = 1")
    assert ruling(found, "s", situation(stand)) is WORDS[expect]
