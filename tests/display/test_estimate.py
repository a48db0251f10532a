"""How long a run still takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.display.estimate import Outlook, Task, outlook, usual

CHAIN = {"b": ("a",), "c": ("b",)}
FAN = {"d": ("a", "b", "c")}
DIAMOND = {"b": ("a",), "c": ("a",), "d": ("b", "c")}


def check(left, expect, *, before=None, workers=1, running=()):
    tasks = {name: Task(seconds, name in running) for name, seconds in left.items()}
    found = outlook(tasks, before, workers)
    assert found == (None if expect is None else Outlook(*expect))


@pytest.mark.parametrize(
    ("left", "expect", "how"),
    [
        ({}, None, {}),
        ({"a": None}, None, {}),
        ({"a": 1, "b": None}, None, {"workers": 4}),
        ({"a": 1, "b": 2, "c": 3}, (6, 6), {"before": CHAIN}),
        ({"a": 1, "b": 2, "c": 3}, (6, 6), {"before": CHAIN, "workers": 8}),
        ({"a": 1, "b": 2, "c": 3}, (3, 3), {"workers": 8}),
        ({"a": 1, "b": 2, "c": 3}, (3, 3), {"workers": 2}),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, (7, 7), {"before": FAN, "workers": 3}),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, (8, 8), {"before": DIAMOND, "workers": 2}),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, (10, 10), {"before": DIAMOND}),
        ({"a": 5, "b": 2}, (7, 2), {"running": "a"}),
        ({"a": 0, "b": 2}, (2, 2), {"running": "a", "before": CHAIN}),
        ({"a": -3, "b": 2}, (2, 2), {"running": "a"}),
        ({"a": 5, "b": 2}, (5, 0), {"running": "ab"}),
        ({"a": 5, "b": 2, "c": 9}, (14, 9), {"running": "ab", "before": {"c": ("a", "b")}}),
        ({"b": 2}, (2, 2), {"before": DIAMOND, "workers": 2}),
        ({"a": 1, "b": 2}, (2, 2), {"before": {"a": ("b",)}, "workers": 2}),
    ],
)
def test_what_is_left_is_laid_out_over_the_workers(left, expect, how):
    check(left, expect, **how)


@pytest.mark.parametrize(
    ("durations", "expect"),
    [((), None), ((3,), 3), ((1, 5), 3), ((9, 1, 5), 5), ((1, 2, 3, 4, 5, 100, 100), 3)],
)
def test_what_a_step_usually_takes_is_the_median_of_the_latest(durations, expect):
    assert usual(durations) == expect


@st.composite
def work(draw):
    seconds = draw(st.lists(st.integers(0, 20), min_size=1, max_size=8))
    names = [f"s{n}" for n in range(len(seconds))]
    before = {name: tuple(draw(st.sets(st.sampled_from(names[:n])))) if n else () for n, name in enumerate(names)}
    return {name: Task(float(took)) for name, took in zip(names, seconds, strict=True)}, before


@given(work(), st.integers(1, 5))
def test_no_run_is_shorter_than_its_chains_or_its_work_or_longer_than_both(given_work, workers):
    tasks, before = given_work
    total = sum(task.left for task in tasks.values())
    longest: dict[str, float] = {}
    for name, task in tasks.items():
        longest[name] = task.left + max((longest[parent] for parent in before[name]), default=0.0)
    found = outlook(tasks, before, workers)
    path = max(longest.values())
    assert max(path, total / workers) <= found.seconds + 1e-9
    assert found.seconds <= total / workers + path * (1 - 1 / workers) + 1e-9  # Graham's bound for list schedules
    assert outlook(tasks, before, 1).seconds == total
