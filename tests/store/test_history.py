"""The history: columns and types as SPEC section 10 fixes them, totals, crashes, and SQL over cached tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from nbsteps.core.errors import UsageError
from nbsteps.core.events import (
    AttemptEnded,
    AttemptStarted,
    Cleared,
    ContextExecuted,
    Event,
    Progressed,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepSlow,
    StepStarted,
    StepSucceeded,
    Warned,
)
from nbsteps.core.model import Attempt, Failure, Part, PartKind, Result, Run
from nbsteps.core.states import AttemptState, RunState, StepState
from nbsteps.identity.content import digest
from nbsteps.store.store import DuckStore
from nbsteps.store.views import COLUMNS
from tests.store.script import NOTEBOOK, Script

SPEC = {
    "runs": "run_id, notebook, trigger, state, started_at, ended_at, duration, parameters, steps_total, "
    "steps_executed, steps_restored, steps_failed, host, pid, user",
    "steps": "run_id, notebook, step, state, reason, reasons, key, started_at, ended_at, duration, attempts, "
    "items_total, items_executed, items_failed, time_saved, output_bytes, owner, tags",
    "attempts": "run_id, step, item, attempt, state, started_at, ended_at, duration, delay, error_type, "
    "error_message, traceback, executor, host, pid, peak_rss, label, position",
    "events": "at, run_id, step, item, event, data",
    "artifacts": "digest, step, output, item, run_id, type, codec, bytes, location, stored_at, used_at",
    "approvals": "run_id, step, message, state, decided_by, decided_at, comment, values, key, expires_at",
}
DTYPES = {
    "text": "string",
    "int": "Int64",
    "time": "datetime64[us, UTC]",
    "duration": "timedelta64[us]",
    "json": "object",
    "list": "object",
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckStore]:
    store = DuckStore(tmp_path / ".nbsteps")
    yield store
    store.close()


def begin(store: DuckStore, run_id: str, at: float, trigger: str = "cli", steps: tuple[str, ...] = ("a", "b")) -> None:
    run = Run(run_id, "nb.ipynb", trigger, at, "host", 7, "me", {"month": "1"})
    store.emit(RunStarted(at, run, steps))


def start(store: DuckStore, run_id: str, step: str, at: float) -> Attempt:
    store.emit(StepStarted(at, run_id, step, f"k-{step}", ("code changed", "input x changed")))
    attempt = Attempt(run_id, step, 1, at, "main", "host", 7)
    store.emit(AttemptStarted(at, attempt))
    return attempt


def succeed(store: DuckStore, run_id: str, step: str, at: float, value: object = 1, output: str = "out") -> None:
    attempt = start(store, run_id, step, at)
    artifact = store.put(value, digest(value))
    parts = (Part(PartKind.CODE, "body", "1" * 32),)
    result = Result(f"k-{step}", f"s-{step}", "nb.ipynb", step, run_id, {output: artifact}, parts, duration=0.5)
    store.emit(StepSucceeded(at + 0.5, attempt, result))


def fail(store: DuckStore, run_id: str, step: str, at: float) -> None:
    attempt = start(store, run_id, step, at)
    failed = Attempt(
        run_id, step, 1, attempt.started_at, "main", "host", 7, state=AttemptState.FAILED, ended_at=at + 0.25,
        failure=Failure("ValueError", "bad", "trace"), peak_rss=10,
    )  # fmt: skip
    store.emit(AttemptEnded(at + 0.25, failed))
    store.emit(StepEnded(at + 0.25, run_id, step, StepState.FAILED, "retries_exhausted"))


def utc(seconds: float) -> pd.Timestamp:
    return pd.Timestamp(seconds, unit="s", tz="UTC")


@pytest.mark.parametrize("kind", SPEC)
@pytest.mark.parametrize("empty", [True, False])
def test_columns_and_dtypes_are_fixed(store: DuckStore, kind: str, *, empty: bool) -> None:
    if not empty:
        begin(store, "r1", 1.0)
        succeed(store, "r1", "a", 2.0)
        fail(store, "r1", "b", 3.0)
    frame = getattr(store.history, kind)()
    assert ", ".join(frame.columns) == SPEC[kind]
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        name: DTYPES[form] for name, form in COLUMNS[kind].items()
    }
    assert len(frame) == 0 or kind != "approvals"


def test_a_run_and_its_totals(store: DuckStore) -> None:
    begin(store, "r1", 100.0, steps=("a", "b", "c"))
    succeed(store, "r1", "a", 101.0)
    fail(store, "r1", "b", 102.0)
    store.emit(StepEnded(103.0, "r1", "c", StepState.UPSTREAM_FAILED, "upstream_failed"))
    store.emit(RunEnded(104.5, "r1", RunState.FAILED))
    begin(store, "r2", 200.0)
    store.emit(StepRestored(201.0, "r2", "a", "k-a", 0.5, 8))
    newest, first = store.history.runs().to_dict("records")
    assert first == {
        "run_id": "r1",
        "notebook": "nb.ipynb",
        "trigger": "cli",
        "state": "failed",
        "started_at": utc(100.0),
        "ended_at": utc(104.5),
        "duration": pd.Timedelta("4.5s"),
        "parameters": {"month": "1"},
        "steps_total": 3,
        "steps_executed": 2,
        "steps_restored": 0,
        "steps_failed": 1,
        "host": "host",
        "pid": 7,
        "user": "me",
    }
    assert (newest["run_id"], newest["state"], newest["steps_restored"]) == ("r2", "running", 1)
    assert newest["ended_at"] is pd.NaT
    assert newest["duration"] is pd.NaT


def test_steps_say_state_reason_and_times(store: DuckStore) -> None:
    begin(store, "r1", 100.0)
    succeed(store, "r1", "a", 101.0)
    fail(store, "r1", "b", 102.0)
    begin(store, "r2", 200.0)
    store.emit(StepRestored(201.0, "r2", "a", "k-a", 0.5, 8))
    start(store, "r2", "b", 202.0)
    rows = {(row["run_id"], row["step"]): row for row in store.history.steps().to_dict("records")}
    shown = {
        place: (row["state"], row["reason"], row["reasons"], row["key"], row["attempts"]) for place, row in rows.items()
    }
    why = ["code changed", "input x changed"]
    assert shown == {
        ("r1", "a"): ("succeeded", "code changed", why, "k-a", 1),
        ("r1", "b"): ("failed", "retries_exhausted", why, "k-b", 1),
        ("r2", "a"): ("cached", None, [], "k-a", 0),
        ("r2", "b"): ("running", "code changed", why, "k-b", 1),
    }
    assert rows["r1", "a"]["duration"] == pd.Timedelta("0.5s")
    assert rows["r2", "a"]["time_saved"] == pd.Timedelta("0.5s")
    assert rows["r2", "a"]["started_at"] == rows["r2", "a"]["ended_at"] == utc(201.0)
    assert rows["r2", "b"]["ended_at"] is pd.NaT
    assert store.history.steps()["items_total"].isna().all()


def test_steps_show_owner_and_tags(store: DuckStore) -> None:
    run = Run("r1", "nb.ipynb", "cli", 1.0, "host", 7, "me")
    store.emit(RunStarted(1.0, run, ("a", "b", "c"), {"a": "ana"}, {"a": ("x", "y"), "b": ("y",)}))
    for step in "abc":
        succeed(store, "r1", step, 2.0)
    begin(store, "r2", 3.0)
    succeed(store, "r2", "a", 4.0)
    rows = [(row["step"], row["owner"], row["tags"]) for row in store.history_records("steps")]
    assert rows == [("a", None, []), ("c", None, []), ("b", None, ["y"]), ("a", "ana", ["x", "y"])]
    shown = store.history.steps()
    assert shown["tags"].tolist() == [[], [], ["y"], ["x", "y"]]
    assert shown["owner"].isna().tolist() == [True, True, True, False]
    assert store.sql("SELECT step FROM steps WHERE list_contains(tags, 'x')")["step"].tolist() == ["a"]


def test_attempts_say_how_they_failed(store: DuckStore) -> None:
    begin(store, "r1", 100.0)
    succeed(store, "r1", "a", 101.0)
    fail(store, "r1", "b", 102.0)
    failed, good = store.history.attempts().to_dict("records")
    assert (failed["error_type"], failed["error_message"], failed["traceback"]) == ("ValueError", "bad", "trace")
    assert (failed["state"], failed["duration"], failed["peak_rss"]) == ("failed", pd.Timedelta("0.25s"), 10)
    assert (good["state"], good["error_type"], good["ended_at"]) == ("succeeded", None, utc(101.5))


def test_every_event_is_a_row(store: DuckStore) -> None:
    script = Script(store)
    kept = script.succeed("a")
    script.fail("b")
    script.restore("a")
    script.retry("c")
    script.map("m", ["x", "y"])
    script.decide(script.ask("q", "q1"))
    script.accept(kept)
    store.emit(ContextExecuted(5.0, "r1", "cell 1", 0.5))
    store.emit(Warned(6.0, "r1", "a", "careful", "do"))
    store.emit(StepSlow(6.0, "r1", "a", 9.0, 2.0))
    store.emit(Progressed(6.0, "r1", "a", 1.0, 2.0))
    store.emit(Cleared(7.0, "nb.ipynb", "a", "r1"))
    script.end(RunState.FAILED)
    frame = store.history.events()
    assert set(frame["event"]) == {kind.__name__ for kind in get_args(Event)} - {"Progressed"}
    assert frame["event"].iloc[0] == "RunEnded"
    rows = frame.drop_duplicates("event").set_index("event")
    assert rows.loc["Warned", "data"] == {"message": "careful", "hint": "do"}
    assert rows.loc["StepSlow", "data"] == {"seconds": 9.0, "median": 2.0}
    assert rows.loc["ItemsSucceeded", "data"] == {"items": 2}
    assert rows.loc["StepRetrying", "data"]["delay"] == 5.0


def test_artifacts_are_listed_until_they_are_cleared(store: DuckStore) -> None:
    begin(store, "r1", 1.0)
    succeed(store, "r1", "a", 2.0, "value")
    succeed(store, "r1", "b", 3.0, "other")
    store.emit(StepRestored(9.0, "r2", "a", "k-a", 1.0))
    frame = store.history.artifacts().set_index("step")
    assert frame.loc["a", ["output", "type", "location"]].tolist() == ["out", "str", "inline"]
    assert (frame.loc["a", "stored_at"], frame.loc["a", "used_at"]) == (utc(2.5), utc(9.0))
    store.emit(Cleared(10.0, "nb.ipynb", "a"))
    assert store.history.artifacts()["step"].tolist() == ["b"]


@pytest.mark.parametrize(
    ("kind", "filters", "expected"),
    [
        ("runs", {"limit": 1}, ["r2"]),
        ("runs", {"run_id": "r1"}, ["r1"]),
        ("runs", {"notebook": "nb.ipynb"}, ["r2", "r1"]),
        ("runs", {"notebook": "other"}, []),
        ("steps", {"step": "a"}, ["r2", "r1"]),
        ("steps", {"step": "a", "run_id": "r1", "limit": None}, ["r1"]),
        ("attempts", {"notebook": "nb.ipynb", "step": "a"}, ["r2", "r1"]),
        ("events", {"step": "a", "limit": 1}, ["r2"]),
        ("artifacts", {"run_id": "r2"}, ["r2"]),
        ("approvals", {"run_id": "r2"}, []),
    ],
)
def test_filters(store: DuckStore, kind: str, filters: dict[str, object], expected: list[str]) -> None:
    for run_id, at in (("r1", 1.0), ("r2", 9.0)):
        begin(store, run_id, at)
        succeed(store, run_id, "a", at + 1)
    assert getattr(store.history, kind)(**filters)["run_id"].tolist() == expected


@pytest.mark.parametrize("wrong", [("runs", {"step": "a"}), ("steps", {"colour": "red"}), ("walks", {})])
def test_wrong_questions_name_the_right_ones(store: DuckStore, wrong: tuple[str, dict[str, object]]) -> None:
    with pytest.raises(UsageError):
        store.history_records(wrong[0], **wrong[1])


def test_records_are_json(store: DuckStore) -> None:
    begin(store, "r1", 0.25)
    succeed(store, "r1", "a", 2.0)
    (row,) = store.history_records("runs")
    assert (row["started_at"], row["ended_at"], row["parameters"]) == (
        "1970-01-01T00:00:00.250000+00:00",
        None,
        {"month": "1"},
    )
    assert store.history_records("steps")[0]["duration"] == 0.5


@pytest.mark.parametrize(
    ("trigger", "unfinished", "failed", "expected"),
    [
        ("cli", False, False, "crashed"),
        ("cli", True, False, "crashed"),
        ("papermill", False, False, "succeeded"),
        ("papermill", False, True, "failed"),
        ("papermill", True, False, "crashed"),
        ("cell", False, False, "succeeded"),
        ("cell", True, True, "crashed"),
    ],
)
def test_a_process_that_died_leaves_no_running_rows(
    tmp_path: Path, trigger: str, *, unfinished: bool, failed: bool, expected: str
) -> None:
    dying = DuckStore(tmp_path / ".nbsteps")
    begin(dying, "r1", 1.0, trigger)
    succeed(dying, "r1", "a", 2.0)
    if failed:
        fail(dying, "r1", "b", 3.0)
    if unfinished:
        start(dying, "r1", "c", 4.0)
    dying.ledger.flush()
    dying.ledger._journal.abandon()
    store = DuckStore(tmp_path / ".nbsteps")
    assert store.history.runs()["state"].tolist() == [expected]
    states = dict(zip(store.history.steps()["step"], store.history.steps()["state"], strict=True))
    assert states == {"a": "succeeded"} | ({"b": "failed"} if failed else {}) | ({"c": "crashed"} if unfinished else {})
    assert set(store.history.attempts()["state"]) <= {"succeeded", "failed", "crashed"}
    if unfinished:
        assert store.recall("nb.ipynb", ["c"], []).last["c"].state is StepState.CRASHED
    store.close()
    assert DuckStore(tmp_path / ".nbsteps").history.runs()["state"].tolist() == [expected]


def test_a_process_that_lives_is_running(store: DuckStore, tmp_path: Path) -> None:
    begin(store, "r1", 1.0)
    start(store, "r1", "a", 2.0)
    other = DuckStore(tmp_path / ".nbsteps")
    assert other.history.runs()["state"].tolist() == ["running"]
    assert other.history.attempts()["state"].tolist() == ["running"]
    other.close()


FRAME = pd.DataFrame({"n": range(4000), "s": [f"x{i}" for i in range(4000)]})


@pytest.mark.parametrize("folded", [False, True])
def test_sql_sees_cached_tables_and_history(store: DuckStore, tmp_path: Path, *, folded: bool) -> None:
    begin(store, "r1", 1.0)
    succeed(store, "r1", "clean", 2.0, FRAME, "orders")
    succeed(store, "r1", "small", 3.0, FRAME.head(3), "few")
    succeed(store, "r1", "clean", 4.0, FRAME.head(2000), "orders")
    if folded:
        store.close()
        store = DuckStore(tmp_path / ".nbsteps")
    query = "SELECT count(*) AS n, max(s) AS s FROM clean.orders"
    assert store.sql(query).to_dict("records") == [{"n": 2000, "s": "x999"}]
    assert store.sql('SELECT sum(o.n)::INT AS n FROM "clean"."orders" o JOIN small.few USING (n)')["n"].tolist() == [3]
    joined = store.sql("SELECT r.run_id, s.step, s.duration FROM runs r JOIN steps s USING (run_id) WHERE step='clean'")
    assert joined["run_id"].tolist() == ["r1"]
    assert str(store.sql("SELECT started_at FROM runs")["started_at"].dt.tz) == "UTC"
    store.close()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM nowhere",
        "SELEC 1",
        "COPY (SELECT 1) TO 'stolen.csv'",
        "ATTACH 'other.duckdb'",
        "SELECT * FROM read_csv('/etc/hosts')",
    ],
)
def test_sql_refuses_what_it_cannot_or_must_not_do(
    store: DuckStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, query: str
) -> None:
    monkeypatch.chdir(tmp_path)
    begin(store, "r1", 1.0)
    succeed(store, "r1", "clean", 2.0, FRAME, "orders")
    with pytest.raises(UsageError, match=r"clean\.orders"):
        store.sql(query)
    assert not list(tmp_path.glob("*.csv")) + list(tmp_path.glob("*.duckdb"))


def test_sql_cannot_change_the_store(store: DuckStore) -> None:
    begin(store, "r1", 1.0)
    for query in ("CREATE TABLE runs2 AS SELECT 1 AS x", "DROP VIEW runs", "CREATE SCHEMA runs_too"):
        try:
            store.sql(query)
        except UsageError:
            continue
    assert store.history.runs()["run_id"].tolist() == ["r1"]


def test_sql_on_an_empty_store_has_empty_tables(store: DuckStore) -> None:
    assert store.sql("SELECT count(*) AS n FROM runs")["n"].tolist() == [0]


@pytest.mark.parametrize(("begun", "last"), [(1.0, StepState.CACHED), (5000.0, StepState.CRASHED)])
def test_an_older_crash_that_is_folded_later_does_not_hide_a_newer_outcome(
    opened: Callable[..., DuckStore], begun: float, last: StepState
) -> None:
    good = opened()
    script = Script(good, "good")
    script.succeed("a")
    script.restore("a")
    script.end()
    good.close()
    killed = opened()
    script = Script(killed, "killed")
    script.now = begun
    script.begin("a")
    killed.ledger._journal.abandon()
    store = opened()
    known = store.recall(NOTEBOOK, ["a"], ["s-a"]).last["a"]
    assert (known.state, known.result is not None) == (last, True)
    assert set(store.history.attempts()["state"]) == {"succeeded", "crashed"}


@pytest.mark.parametrize("query", ["SELECT sum(time_saved) FROM steps", "SELECT stddev(duration) FROM runs"])
def test_sql_says_how_durations_are_summed(opened: Callable[..., DuckStore], query: str) -> None:
    store = opened()
    Script(store).end()
    with pytest.raises(UsageError) as refused:
        store.sql(query)
    assert "sum(epoch(time_saved))" in refused.value.problem.hint
    assert store.sql("SELECT to_seconds(sum(epoch(duration))) AS d FROM runs")["d"].dtype.kind == "m"
