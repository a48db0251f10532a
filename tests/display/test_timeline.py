"""The Gantt chart of a run: bars, lanes, the critical path, and the marks of its axis."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.display.axes import time_ticks
from nbsteps.display.critical import Span, critical_path
from nbsteps.display.rows import seconds
from nbsteps.display.timeline import BAR_WORDS, BarKind, timeline

ORIGIN = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


def iso(at):
    return None if at is None else datetime.fromtimestamp(ORIGIN + at, UTC).isoformat()


def run(end=100.0, state="succeeded"):
    return {"run_id": "r", "state": state, "started_at": iso(0), "ended_at": iso(end)}


def step(name, start, end, state="succeeded", **more):
    return {"step": name, "state": state, "started_at": iso(start), "ended_at": iso(end), "attempts": 1, **more}


def attempt(name, start, end, state="succeeded", number=1, item="", **more):
    return {
        "step": name,
        "item": item,
        "attempt": number,
        "state": state,
        "started_at": iso(start),
        "ended_at": iso(end),
        **more,
    }


def bars(lane):
    return [(str(bar.kind), round(bar.start, 3), round(bar.end, 3), bar.row) for bar in lane.bars]


def check(lanes, *, attempts=(), steps=(), parents=None, events=(), now=None, of=None):
    """``lanes``: step to its bars."""
    now = None if now is None else ORIGIN + now
    made = timeline(of or run(), steps, attempts, parents=parents, events=events, now=now)
    assert {lane.step: bars(lane) for lane in made.lanes} == lanes
    json.dumps(asdict(made))
    return made


def test_a_step_has_a_bar_from_its_start_to_its_end():
    made = check({"a": [("attempt", 1, 5, 0)]}, steps=[step("a", 1, 5)], attempts=[attempt("a", 1, 5)])
    assert (made.lanes[0].number, made.lanes[0].word) == ("4.0s", "Succeeded")
    assert made.kinds == (BarKind.ATTEMPT,)


def test_attempts_that_failed_and_the_waits_between_them_are_told_apart():
    tried = [
        attempt("a", 0, 2, "failed", error_type="OSError", error_message="gone"),
        attempt("a", 5, 6, "failed", 2),
        attempt("a", 8, 10, number=3),
    ]
    expected = [("failed", 0, 2, 0), ("retry", 2, 5, 0), ("failed", 5, 6, 0), ("retry", 6, 8, 0), ("attempt", 8, 10, 0)]
    made = check({"a": expected}, steps=[step("a", 0, 10, attempts=3)], attempts=tried)
    assert made.lanes[0].number == "10s, 3 attempts"
    assert made.lanes[0].bars[0].text == "attempt 1, failed 2.0s: OSError: gone"


def test_items_that_run_side_by_side_get_rows_and_later_ones_take_a_free_row():
    tried = [attempt("a", 0, 4, item="x"), attempt("a", 0, 2, item="y"), attempt("a", 2, 3, item="z")]
    made = check(
        {"a": [("attempt", 0, 4, 0), ("attempt", 0, 2, 1), ("attempt", 2, 3, 1)]},
        steps=[step("a", 0, 4, items_total=3)],
        attempts=tried,
    )
    assert (made.lanes[0].rows, made.lanes[0].busy, made.lanes[0].number) == (2, 4.0, "4.0s, 3 items")


def test_thousands_of_short_items_become_few_bars_that_say_how_many_they_are():
    tried = [attempt("a", at / 100, (at + 1) / 100, item=str(at)) for at in range(5000)]
    made = timeline(run(), [step("a", 0, 50)], tried)
    [lane] = made.lanes
    assert len(lane.bars) < 10
    assert sum(bar.number for bar in lane.bars) == 5000


def test_a_restored_step_is_a_moment_with_what_it_spared():
    made = check({"a": [("restored", 1, 1, 0)]}, steps=[step("a", 1, 1, "cached", attempts=0, time_saved=60.0)])
    assert made.lanes[0].bars[0].text == "restored, spared 1m 00s"
    assert made.critical == ()


def test_a_step_of_the_graph_that_nothing_happened_to_is_pending():
    made = check({"a": [], "b": []}, parents={"a": (), "b": ("a",)})
    assert [(lane.state, lane.word, lane.start) for lane in made.lanes] == [("pending", "Pending", None)] * 2


def test_time_between_the_parents_end_and_the_start_is_queued():
    made = check(
        {"a": [("attempt", 0, 2, 0)], "b": [("queued", 2, 5, 0), ("attempt", 5, 6, 0)], "c": [("attempt", 6, 7, 0)]},
        steps=[step("a", 0, 2), step("b", 5, 6), step("c", 6, 7)],
        attempts=[attempt("a", 0, 2), attempt("b", 5, 6), attempt("c", 6, 7)],
        parents={"a": (), "b": ("a",), "c": ("b",)},
    )
    assert made.queued_seconds == 3.0
    assert made.lanes[1].busy == 1.0


def test_waiting_for_a_person_is_a_bar_of_its_own_and_goes_on_until_somebody_decides():
    asked = {"event": "StepWaiting", "step": "a", "at": iso(1)}
    made = check({"a": [("approval", 1, 100, 0)]}, steps=[step("a", None, None, "waiting")], events=[asked])
    assert made.approval_seconds == 99.0
    decided = {"event": "ApprovalDecided", "step": "a", "at": iso(7)}
    check(
        {"a": [("approval", 1, 7, 0), ("attempt", 8, 9, 0)]},
        steps=[step("a", 8, 9)],
        attempts=[attempt("a", 8, 9)],
        events=[decided, asked],
    )


def test_a_decision_after_the_run_does_not_make_it_longer():
    events = [
        {"event": name, "step": "a", "at": iso(at)} for name, at in (("StepWaiting", 1), ("ApprovalDecided", 999))
    ]
    made = check({"a": [("approval", 1, 100, 0)]}, steps=[step("a", None, None, "waiting")], events=events)
    assert (made.total, made.approval_seconds) == (100.0, 99.0)


@pytest.mark.parametrize(("state", "now", "total"), [("running", 30.0, 30.0), ("crashed", 30.0, 12.0)])
def test_what_has_not_ended_goes_on_until_now_and_a_crash_ends_with_what_is_known(state, now, total):
    made = timeline(
        run(None, state),
        [step("a", 0, 12), step("b", 12, None, "running")],
        [attempt("a", 0, 12), attempt("b", 12, None, "running")],
        now=ORIGIN + now,
    )
    assert made.total == total
    assert made.lanes[1].end == total


def test_clocks_that_disagree_do_not_put_anything_before_the_run():
    check({"a": [("attempt", 0, 3, 0)]}, steps=[step("a", -2, 3)], attempts=[attempt("a", -2, 3)])


SPANS = {
    "load": Span(0, 1, 1),
    "slow": Span(1, 9, 8),
    "fast": Span(1, 2, 1),
    "join": Span(9, 11, 2),
}
PARENTS = {"load": (), "slow": ("load",), "fast": ("load",), "join": ("slow", "fast")}


@pytest.mark.parametrize(
    ("spans", "parents", "expected"),
    [
        (SPANS, PARENTS, ("load", "slow", "join")),
        (SPANS, None, ("load", "slow", "join")),
        (SPANS, {**PARENTS, "load": ("join",)}, ("load", "slow", "join")),  # a cycle: told by time
        ({}, PARENTS, ()),
        ({"a": Span(0, 0, 0)}, {"a": ()}, ()),
        # One worker: the graph's longest chain is not the order in which they had to stand in line.
        ({"a": Span(0, 5, 5), "b": Span(5, 7, 2)}, {"a": (), "b": ()}, ("a",)),
        ({"a": Span(0, 5, 5), "b": Span(5, 7, 2)}, None, ("a", "b")),
        ({"b": Span(1, 2, 1)}, {"a": (), "b": ("a",)}, ("b",)),  # a parent of which nothing is known
    ],
)
def test_the_critical_path(spans, parents, expected):
    assert critical_path(spans, parents) == expected


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.floats(0, 50), st.floats(0, 50)), min_size=1))
def test_no_chain_of_the_graph_is_longer_than_the_critical_path(times):
    names = sorted(times)
    parents = {name: tuple(names[:at]) for at, name in enumerate(names)}
    spans = {name: Span(start, start + busy, busy) for name, (start, busy) in times.items()}
    path = critical_path(spans, parents)
    total = sum(span.busy for span in spans.values())
    assert sum(spans[name].busy for name in path) == pytest.approx(total or 0.0)


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (0, "0"),
        (float("nan"), "0"),
        (0.004, "0 1ms 2ms 3ms 4ms"),
        (0.099, "0 20ms 40ms 60ms 80ms"),
        (0.12, "0 0.02s 0.04s 0.06s 0.08s 0.1s 0.12s"),
        (3.2, "0 0.5s 1s 1.5s 2s 2.5s 3s"),
        (452, "0 1m 2m 3m 4m 5m 6m 7m"),
        (100, "0 15s 30s 45s 1m 1m15s 1m30s"),
        (90_000, "0 6h 12h 18h 24h"),
    ],
)
def test_marks_stand_where_people_count(total, expected):
    assert " ".join(tick.text.replace(" ", "") for tick in time_ticks(total)) == expected


@given(st.floats(1e-3, 1e9))
def test_an_axis_never_has_too_many_marks(total):
    ticks = time_ticks(total, 8)
    assert 1 <= len(ticks) <= 9
    assert all(tick.at <= total * 1.0001 for tick in ticks)
    assert len({tick.text for tick in ticks}) == len(ticks)
    assert len({tick.text.endswith("ms") for tick in ticks[1:]}) <= 1


def test_times_are_read_from_every_form_of_the_history():
    import pandas as pd

    at = pd.Timestamp("2026-11-22T12:00:00Z")
    forms = [ORIGIN, "2026-11-22T12:00:00+00:00", at, at.to_pydatetime()]
    assert [seconds(form) for form in forms] == [ORIGIN] * 4
    assert [seconds(missing) for missing in (None, pd.NaT, float("nan"), float("inf"))] == [None] * 4
    assert seconds(pd.Timedelta(seconds=3)) == 3.0


def test_every_kind_of_bar_has_words():
    assert set(BAR_WORDS) == set(BarKind)
