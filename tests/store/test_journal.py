"""Records and frames: what is written is read back, torn and damaged tails cost only themselves."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.core.approvals import Request, Verdict
from nbsteps.core.events import (
    Accepted,
    ApprovalDecided,
    AttemptEnded,
    AttemptStarted,
    Cleared,
    ContextExecuted,
    Event,
    ItemsStarted,
    ItemsSucceeded,
    Progressed,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepRetrying,
    StepSlow,
    StepStarted,
    StepSucceeded,
    StepWaiting,
    Warned,
)
from nbsteps.core.model import Artifact, Attempt, Failure, ItemCounts, Part, PartKind, Result, Run
from nbsteps.core.policies import Field, OnExpire, OnReject
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.states import ApprovalState, AttemptState, RunState, StepState
from nbsteps.store import journal as journal_module
from nbsteps.store import locks
from nbsteps.store.journal import EVENTS, VALUE, Journal, Tail, live_path, parse, segments
from nbsteps.store.records import StoredResult, decode, decode_result, dumps, encode, encode_result, loads

ARTIFACT = Artifact("d" * 32, "builtins.int", "json", 2, "inline", "c" * 32, "", "42")
PARTS = (Part(PartKind.CODE, "body", "1" * 32, "x = 'ä\ud800'"), Part(PartKind.FILE, "a\udcffb", "2" * 32, "", "input"))
RESULT = Result(
    "k", "s", "nb.ipynb", "clean", "r1", {"x": ARTIFACT, "y": ARTIFACT}, PARTS, PARTS, ARTIFACT, 1.5, 2.5, 1.0,
    reasons=(Reason(ReasonKind.PACKAGE, "pandas", "2.2", "2.3", inline=True), Reason(ReasonKind.NEVER_RAN)),
)  # fmt: skip
BARE = Result("k", "s", "nb.ipynb", "clean", "r1", {}, ())
ATTEMPT = Attempt("r1", "clean", 2, 1.25, "main", "host", 7, "item", 0.5)
OF_AN_ITEM = replace(ATTEMPT, position=37, label="'b\ud800'")
FAILED = Attempt(
    "r1", "clean", 1, 1.0, "main", "h", 7, state=AttemptState.FAILED, ended_at=2.0,
    failure=Failure("ValueError", "no", "tb", "hint"), peak_rss=99,
)  # fmt: skip
RUN = Run("r1", "nb.ipynb", "cli", 1.0, "host", 7, "me", {"a": "1"}, RunState.WAITING, 3.0)
ITEM = Result("k1", "s", "nb.ipynb", "clean", "r1", {"x": ARTIFACT}, PARTS[:1], item="i1", accepted_by="ana")
FORM = (Field("amount", "float", "0.5"), Field("way", "choice", None, ("a", "b")))
SHOWN = (("total", "float 1.5"), ("a\udcff", "ä"))
REQUEST = Request(
    "q1", "nb.ipynb", "r1", "clean", "k", "go on?", 1.0, FORM, "x = 1", SHOWN, 5.5, OnExpire.REJECT, OnReject.FAIL,
    ("ana", "bob"),
)  # fmt: skip
COUNTS = ItemCounts(7, 4, 2, 1)
EVERY = [
    RunStarted(1.0, RUN, ("a", "b")),
    RunStarted(1.0, RUN, ("a", "b"), {"a": "me"}, {"b": ("x", "y")}),
    StepStarted(1.0, "r1", "clean", "k", ("never ran",)),
    AttemptStarted(1.0, ATTEMPT),
    AttemptEnded(2.0, FAILED),
    StepSucceeded(3.0, ATTEMPT, RESULT, ("conn",)),
    StepSucceeded(3.0, ATTEMPT, BARE),
    StepSucceeded(3.0, ATTEMPT, replace(RESULT, uncacheable=("conn: open",), items=3), ("conn: open",)),
    StepRestored(3.0, "r1", "clean", "k", 1.5, 10),
    StepEnded(3.0, "r1", "clean", StepState.FAILED, "retries_exhausted", ("code changed",)),
    ContextExecuted(3.0, "r1", "cell 1", 0.1),
    Warned(3.0, "r1", "", "message", "hint"),
    Cleared(3.0, "nb.ipynb", "clean", "r1"),
    RunEnded(4.0, "r1", RunState.SUCCEEDED),
    StepSucceeded(3.0, ATTEMPT, RESULT, items=COUNTS),
    StepRestored(3.0, "r1", "clean", "k", 1.5, 10, COUNTS),
    StepEnded(3.0, "r1", "clean", StepState.FAILED, "tolerance_exceeded", (), COUNTS),
    StepRetrying(3.0, "r1", "clean", 2, 1.5, 4.5, "i1"),
    StepWaiting(3.0, "r1", "clean", REQUEST),
    StepWaiting(3.0, "r1", "clean", Request("q2", "nb.ipynb", "r1", "clean", "k", "?", 1.0)),
    ApprovalDecided(3.0, "r1", "nb.ipynb", "clean", Verdict("q1", ApprovalState.APPROVED, 3.0, "ana", "ok", {"a": 1})),
    ItemsStarted(3.0, "r1", "clean", (ATTEMPT, FAILED)),
    ItemsStarted(3.0, "r1", "clean", (OF_AN_ITEM,)),
    AttemptEnded(3.0, OF_AN_ITEM),
    StepRetrying(3.0, "r1", "clean", 2, 1.5, 4.5, "i1", 37, "'b'"),
    ItemsStarted(3.0, "r1", "clean", ()),
    ItemsSucceeded(3.0, "r1", "clean", ((ATTEMPT, RESULT), (FAILED, ITEM))),
    ItemsSucceeded(3.0, "r1", "clean", ((ATTEMPT, RESULT), (FAILED, BARE))),
    ItemsSucceeded(3.0, "r1", "clean", ()),
    StepSlow(3.0, "r1", "clean", 9.0, 2.5),
    Accepted(3.0, "nb.ipynb", "clean", ITEM, ("code changed",), "r1"),
]


def frames_in(folder: Path) -> list[journal_module.Frame]:
    return [frame for name in segments(folder) for frame in Tail(folder, name).read(final=True)]


def records_in(folder: Path) -> list[object]:
    seen: set[int] = set()
    found = []
    for frame in frames_in(folder):
        if frame.kind == EVENTS and frame.number not in seen:
            seen.add(frame.number)
            found += frame.content
    return found


@pytest.mark.parametrize("event", EVERY, ids=lambda event: type(event).__name__)
def test_every_event_survives_the_journal(event: Event) -> None:
    record = loads(dumps(encode(event, "extra")))
    assert decode(record) == event
    assert record[1] == "extra"


def test_a_run_recorded_without_owners_and_tags_has_none() -> None:
    event = RunStarted(1.0, RUN, ("a",))
    assert decode(encode(event)[:-2]) == event


def test_attempts_recorded_before_items_had_labels_have_none() -> None:
    started, again = AttemptStarted(1.0, ATTEMPT), StepRetrying(3.0, "r1", "clean", 2, 1.5, 4.5, "i1")
    code, extra, at, attempt = encode(started)
    assert decode([code, extra, at, attempt[:13]]) == started
    assert decode(encode(again)[:-2]) == again


def test_every_class_of_event_is_covered() -> None:
    assert {type(event) for event in EVERY} == set(get_args(Event)) - {Progressed}


def test_parts_that_all_items_share_are_written_once() -> None:
    items = [replace(ITEM, parts=(*PARTS, Part(PartKind.VALUE, "x", f"{n}"))) for n in range(50)]
    event = ItemsSucceeded(3.0, "r1", "clean", tuple((ATTEMPT, item) for item in items))
    text = dumps(encode(event))
    assert text.count("x = ") == 1
    again = decode(loads(text))
    assert again == event
    assert encode(again) == encode(event)


def test_a_stored_result_stays_lazy_and_equal() -> None:
    stored = decode_result(loads(dumps(encode_result(RESULT))))
    assert isinstance(stored, StoredResult)
    assert stored._decoded is None
    assert stored == RESULT
    assert stored.__eq__(RESULT) is True
    assert stored.parts == PARTS
    assert encode_result(stored) == encode_result(RESULT)
    early = encode_result(RESULT)[:14]  # as it was written before results had more
    assert decode_result(early) == replace(RESULT, reasons=())


def test_records_come_back_in_order_and_values_with_their_bytes(tmp_path: Path) -> None:
    journal = Journal(tmp_path, {"pid": 1})
    journal.record(["a", None])
    journal.value(["digest"], b"\x00payload")
    journal.record(["b", None])
    journal.sync()
    journal.record(["c", None])
    journal.close()
    assert records_in(tmp_path) == [["a", None], ["b", None], ["c", None]]
    assert [(f.content, f.payload) for f in frames_in(tmp_path) if f.kind == VALUE] == [(["digest"], b"\x00payload")]


def test_nothing_is_created_before_the_first_write(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", {})
    journal.record(["a", None])
    assert not (tmp_path / "journal").exists()
    journal.close()
    assert len(segments(tmp_path / "journal")) == 1


def test_the_buffer_is_handed_over_when_it_is_full(tmp_path: Path) -> None:
    journal = Journal(tmp_path, {})
    for number in range(journal_module.BUFFERED_RECORDS):
        journal.record([number])
    assert len(records_in(tmp_path)) == journal_module.BUFFERED_RECORDS
    journal.abandon()


def test_a_full_segment_ends_and_the_next_goes_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path, {}, segment_bytes=2000)
    for number in range(30):
        journal.record([number, "x" * 200])
        journal.sync()
    assert len(segments(tmp_path)) > 2
    assert [record[0] for record in records_in(tmp_path)] == list(range(30))
    tails = [Tail(tmp_path, name) for name in segments(tmp_path)]
    for tail in tails:
        tail.read()
    assert [tail.ended for tail in tails] == [True] * (len(tails) - 1) + [tails[-1].ended]
    journal.abandon()


def test_the_liveness_lock_is_held_until_the_end(tmp_path: Path) -> None:
    journal = Journal(tmp_path, {})
    journal.record([1])
    journal.sync()
    assert locks.Lock.acquire(live_path(tmp_path, journal.owner)) is None
    journal.close()
    lock = locks.Lock.acquire(live_path(tmp_path, journal.owner))
    assert lock is not None
    lock.release()


@pytest.mark.parametrize("operation", ["write", "fdatasync"])
def test_after_an_error_everything_is_in_a_new_segment_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    journal = Journal(tmp_path, {})
    journal.record(["a"])
    journal.sync()
    journal.record(["b"])
    journal.flush()
    journal.record(["c"])
    real, calls = getattr(os, operation), []

    def failing(*args: object) -> object:
        calls.append(args)
        if len(calls) == 1:
            if operation == "write":
                real(args[0], args[1][:10])
            raise OSError(28, "No space left on device")
        return real(*args)

    monkeypatch.setattr(journal_module.os, operation, failing)
    journal.sync()
    journal.close()
    assert len(segments(tmp_path)) == 2
    assert records_in(tmp_path) == [["a"], ["b"], ["c"]]


def written(folder: Path, count: int) -> tuple[bytes, bytes]:
    journal = Journal(folder, {})
    for number in range(count):
        journal.record([number])
        journal.sync()
    journal.abandon()
    return (folder / segments(folder)[0]).read_bytes(), bytes.fromhex(journal.owner)


def numbers(frames: list[journal_module.Frame]) -> list[int]:
    return [frame.content[0][0] for frame in frames if frame.kind == EVENTS]


def test_a_torn_tail_costs_only_the_last_record_and_is_read_when_it_is_complete(tmp_path: Path) -> None:
    data, salt = written(tmp_path, 4)
    ends = [frame.end for frame in parse(data, salt)[0]]
    for cut in range(ends[-2], ends[-1]):
        frames, at, damaged = parse(data[:cut], salt)
        assert (numbers(frames), at, damaged) == ([0, 1, 2], ends[-2], 0)
        rest, at, _ = parse(data[at:], salt, base=at)
        assert (numbers(rest), at) == ([3], len(data))


@given(st.data())
def test_damage_in_the_middle_never_yields_a_wrong_record(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content, salt = written(tmp_path_factory.mktemp("journal"), 5)
    at = data.draw(st.integers(0, len(content) - 1))
    broken = bytearray(content)
    broken[at] ^= data.draw(st.integers(1, 255))
    ends = [frame.end for frame in parse(content, salt)[0]]
    frames, _, _ = parse(bytes(broken), salt, final=True)
    hit = next(index for index, end in enumerate(ends) if at < end)
    expected = [number for number in range(5) if number + 1 != hit]
    assert numbers(frames) == expected


def test_a_journal_inside_a_value_is_not_read_as_frames(tmp_path: Path) -> None:
    inner, _ = written(tmp_path / "inner", 2)
    journal = Journal(tmp_path / "outer", {})
    journal.value(["digest"], inner)
    journal.sync()
    journal.abandon()
    data = (tmp_path / "outer" / segments(tmp_path / "outer")[0]).read_bytes()
    frames, _, _ = parse(data[:-1], bytes.fromhex(journal.owner), final=True)
    assert [frame.kind for frame in frames] == [journal_module.ABOUT]


def test_a_lock_excludes_a_second_descriptor_of_the_same_process(tmp_path: Path) -> None:
    first = locks.Lock.acquire(tmp_path / "lock", 5)
    assert first is not None
    assert locks.Lock.acquire(tmp_path / "lock", 5) is None
    assert locks.wait_for(tmp_path / "lock", 5, timeout=0.01) is None
    first.release()
    first.release()
    second = locks.Lock.acquire(tmp_path / "lock", 5)
    assert second is not None
    second.release()
