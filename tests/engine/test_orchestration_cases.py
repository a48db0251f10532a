"""Features of orchestration that meet: what one of them promises holds with the others, too."""

from __future__ import annotations

import pytest

from nbsteps.core.states import StepState
from nbsteps.testing import MemoryStore, make_session


def play(store, *cells, **how):
    """Run a notebook in a new kernel on a store; the session, the result and the executed bodies."""
    session = make_session(*cells, store=MemoryStore(store))
    result, errors = session.run(**how)
    return session, result, errors, session.services.evaluator.executed


def value(session, name):
    session.services.evaluator.materialise([name])
    return session.services.evaluator.names[name]


def test_a_step_that_another_process_computed_while_it_waited_for_its_retry_is_restored(tmp_path, monkeypatch):
    down = tmp_path / "down"
    down.touch()
    body = f"import os\nif os.path.exists({str(down)!r}):\n    raise OSError\nn = 1"
    cells = (f"%%step fetch --retries 2 --retry-delay 1m\n{body}", "%%step use\nused = n + 1")
    store = MemoryStore()
    session = make_session(*cells, store=MemoryStore(store))
    clock, sleep = session.services.clock, session.services.clock.sleep

    def meanwhile(seconds):
        if down.exists():
            down.unlink()
            assert play(store, *cells)[3] == ["fetch", "use"]
        sleep(seconds)

    monkeypatch.setattr(clock, "sleep", meanwhile)
    result, errors = session.run()
    assert errors == {}
    assert {name: step.state for name, step in result.steps.items()} == dict.fromkeys(
        ("fetch", "use"), StepState.CACHED
    )
    assert result.steps["fetch"].attempts == 1
    assert session.services.evaluator.executed == ["fetch"]


MAKE = "%%step make --out xs ys\nxs = [1, 2, 3]\nys = [10, 20, 30]"
ROWS = "%%step make\nrows = [dict(id=1, v=2), dict(id=2, v=1)]"
CHANGED = "%%step make\nrows = [dict(id=1, v=5), dict(id=2, v=1)]"
OTHERS = "%%step make\nrows = [dict(id=7, v=1)]"
BY_ID = """%%step each --map r=rows --map-key "r['id']"\ny = r['v']"""
BY_V = """%%step each --map r=rows --map-key "r['v']"\ny = r['v']"""
BY_CONTENT = "%%step each --map r=rows\ny = r['v']"


SUMS = "%%step each --map a=xs,b=ys\ny = b - a"
PAIRS = "%%step each --map a=rows,b=rows\ny = a['v'] - b['id']"
SWAPPED = SUMS.replace("a=xs,b=ys", "b=xs,a=ys")
KEYED = BY_ID.replace("r['id']", "key(r)")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((MAKE, SUMS), (MAKE, SWAPPED), [-9, -18, -27]),
        ((MAKE, SUMS), (MAKE.replace("xs = [1, 2", "xs = [1, 0"), SWAPPED), [-9, -20, -27]),
        ((MAKE, "%%step each --map a=xs\ny = len(xs)"), (MAKE, "%%step each\ny = len(xs)"), 3),
        ((MAKE, "%%step each\ny = len(xs)"), (MAKE, "%%step each --map a=xs\ny = len(xs)"), [3, 3, 3]),
        ((ROWS, BY_ID), (OTHERS, BY_V), [1]),
        ((ROWS, BY_ID), (CHANGED, BY_CONTENT), [5, 1]),
        (("def key(r): return r['id']", ROWS, KEYED), ("def key(r): return r['v']", OTHERS, KEYED), [1]),
    ],
    ids=["exchanged", "items exchanged", "dropped", "added", "other key", "no key", "edited key"],
)  # fmt: skip
def test_another_map_is_another_result(before, after, expected):
    store = MemoryStore()
    play(store, *before)
    if before[0] is ROWS:
        play(store, after[0], before[1])
    session, _, errors, _ = play(store, *after)
    assert errors == {}
    assert value(session, "y") == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BY_ID, BY_ID.replace("r['id']", "r[ 'id' ]")),
        (BY_ID, BY_ID + "  # by its number"),
        (PAIRS, PAIRS.replace("a=rows,b=rows", "b=rows,a=rows")),
        (BY_CONTENT, BY_CONTENT.replace("r=rows", "r=rows --max-parallel 2 --retries 3")),
    ],
)
def test_what_makes_no_other_map_executes_nothing(before, after):
    store = MemoryStore()
    play(store, ROWS, before)
    assert play(store, ROWS, after)[3] == []


def test_a_forecast_does_not_rule_out_a_catch_whose_step_will_run():
    store = MemoryStore()
    cells = ("%%step bad\nbad = 1 / 0", "%%step mend --catch bad\nmended = str(error)", "%%step end\nended = mended")
    session = play(store, *cells)[0]
    plan = session.plan()
    assert {name: str(decision.action) for name, decision in plan.decisions.items()} == {
        "bad": "run",
        "mend": "may run",
        "end": "may run",
    }
    assert plan.decisions["mend"].text.startswith("depends on step bad")
