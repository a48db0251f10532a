"""What many runs tell: durations, hit rate, time saved, and the steps that became slower."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from nbsteps.display.trends import trends

DAY = 86_400.0


def run(number, took=10.0, state="succeeded", executed=1, restored=1, trigger="cli", **more):
    start = number * DAY
    return {
        "run_id": f"r{number}",
        "state": state,
        "trigger": trigger,
        "started_at": start,
        "duration": took,
        "ended_at": start + took,
        "steps_executed": executed,
        "steps_restored": restored,
        **more,
    }


def step(number, name, took=None, state="succeeded", saved=0.0):
    start = number * DAY
    end = start + (took or 0.0)
    attempts = 0 if state == "cached" else 1
    return {
        "run_id": f"r{number}",
        "step": name,
        "state": state,
        "started_at": start,
        "ended_at": end,
        "attempts": attempts,
        "duration": took or 0.0,
        "time_saved": saved,
    }


def test_nothing_gives_an_empty_page():
    made = trends([], [])
    assert (made.enough, made.runs, made.median, made.hit_rate, made.saved, made.steps) == (
        False,
        (),
        None,
        None,
        0,
        (),
    )
    json.dumps(asdict(made))


def test_figures_count_the_runs_shown_and_compare_with_as_many_before():
    rows = [run(number, took=10.0 if number < 5 else 20.0, executed=1, restored=3) for number in range(10)]
    rows[7] = run(7, 500.0, "failed", executed=2, restored=0)
    steps = [step(number, "a", state="cached", saved=4.0) for number in range(10)]
    made = trends(reversed(rows), steps, last=5)
    assert [point.run_id for point in made.runs] == ["r5", "r6", "r7", "r8", "r9"]
    assert (made.median, made.median_before, made.bad) == (20.0, 10.0, 1)
    assert made.hit_rate == pytest.approx(12 / 18)
    assert [point.saved_so_far for point in made.runs] == [4, 8, 12, 16, 20]
    assert (made.saved, made.enough) == (20.0, True)


def test_cells_executed_one_by_one_and_runs_that_go_on_are_no_runs_of_the_pipeline():
    rows = [run(1), run(2, trigger="cell"), {**run(3, state="running"), "ended_at": None}]
    made = trends(rows, [step(number, "a", 5.0) for number in (1, 2)])
    assert [point.run_id for point in made.runs] == ["r1"]
    assert len(made.steps[0].executions) == 2


def test_runs_before_a_day_are_left_out():
    made = trends([run(number) for number in range(6)], [], since=3 * DAY)
    assert [point.run_id for point in made.runs] == ["r3", "r4", "r5"]
    assert made.median_before == 10.0


def took_of(*values):
    rows = [run(number) for number in range(len(values))]
    return trends(rows, [step(number, "a", value) for number, value in enumerate(values)]).steps[0]


@pytest.mark.parametrize(
    ("values", "change", "since"),
    [
        ([1.0] * 3, None, None),
        ([1.0] * 12, 0.0, None),
        ([1.0] * 10 + [1.4] * 6, 0.4, "r10"),
        ([2.0] * 10 + [1.0] * 6, -0.5, None),
        ([1.0] * 6 + [60.0] + [1.0] * 6, 0.0, None),  # one slow run is no trend
        ([0.001] * 10 + [0.002] * 6, 1.0, None),  # twice of nothing is nothing
    ],
)
def test_a_step_that_became_slower_is_found_with_the_run_since_when(values, change, since):
    trend = took_of(*values)
    assert trend.slower_since == since
    assert trend.change == (None if change is None else pytest.approx(change))


def test_steps_stand_slowest_first_and_restored_ones_count_as_hits():
    rows = [run(number) for number in range(4)]
    steps = [step(number, "fast", 1.0) for number in range(4)]
    steps += [step(0, "slow", 9.0), step(1, "slow", state="cached", saved=9.0), step(2, "slow", 3.0, "failed")]
    steps.append(step(3, "slow", state="cached", saved=9.0))
    made = trends(rows, steps)
    assert [(trend.step, trend.median, trend.hit_rate) for trend in made.steps] == [
        ("slow", 9.0, 0.5),
        ("fast", 1.0, 0),
    ]
    assert [execution.state for execution in made.steps[0].executions] == ["succeeded", "failed"]


def test_a_step_that_was_only_skipped_is_no_trend():
    rows = [run(number) for number in range(3)]
    skipped = [step(number, "other", state="skipped") | {"attempts": 0} for number in range(3)]
    made = trends(rows, [step(0, "load", 2.0), *skipped])
    assert [trend.step for trend in made.steps] == ["load"]
