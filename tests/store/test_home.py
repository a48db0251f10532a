"""The DuckDB file: opened under the lock, refused or moved aside when it must be, and what is folded into it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from nbsteps.core.errors import StoreError, StoreVersionError
from nbsteps.store import locks, merge
from nbsteps.store.home import BusyError, DamagedHomeError, Home
from nbsteps.store.journal import Journal, live_path, segments

OUTSIDER = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def home(tmp_path: Path, heard: list[str]) -> Home:
    return Home(tmp_path, {"pid": 1, "host": "h", "notebook": "nb.ipynb"}, heard.append)


def outsider(home: Home) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", OUTSIDER, str(home.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def fold(home: Home, retiring: str = "") -> tuple[dict[str, int], dict[str, int]]:
    with home.opened() as connection:
        return merge.merge(home, connection, lambda _artifact: False, retiring)


def count(home: Home, table: str) -> int:
    with home.opened() as connection:
        return len(connection.execute(f"FROM log.{table}").fetchall())


def warned(number: int) -> list[object]:
    return ["warn", None, 1.0, "r", "", f"message {number}", ""]


def test_views_are_there_for_anybody_who_opens_the_file(home: Home) -> None:
    with home.opened():
        pass
    with duckdb.connect(str(home.path), read_only=True) as connection:
        for name in ("runs", "steps", "attempts", "events", "artifacts", "approvals"):
            assert connection.table(f"v1.{name}").columns == connection.table(name).columns


def test_the_lock_is_exclusive_and_the_wait_is_bounded(home: Home) -> None:
    with home.lock(1.0), pytest.raises(BusyError, match=r"process 1 on h \(nb\.ipynb\)"), home.opened(0.01):
        raise AssertionError
    with home.opened(0.01):
        pass


def test_a_long_wait_says_who_has_the_store(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 0.0)
    told = threading.Event()
    messages: list[str] = []

    def tell(message: str) -> None:
        messages.append(message)
        told.set()

    home.on_wait = tell
    entered = threading.Event()

    def wait() -> None:
        with home.opened(10.0):
            entered.set()

    with home.lock(1.0):
        thread = threading.Thread(target=wait)
        thread.start()
        assert told.wait(10)
        assert not entered.is_set()
    thread.join()
    assert entered.is_set()
    assert "process 1 on h (nb.ipynb)" in messages[0]


def test_an_outsider_is_waited_for_and_named(home: Home) -> None:
    process = outsider(home)
    with pytest.raises(BusyError, match=rf"PID {process.pid}"), home.opened(0.01):
        raise AssertionError
    thread = threading.Timer(0.05, process.communicate)
    thread.start()
    with home.opened(10.0):
        pass
    thread.join()


@pytest.mark.parametrize("error", ["Out of Memory Error: no", "IO Error: No space left on device"])
def test_trouble_that_is_no_damage_moves_nothing_aside(home: Home, error: str) -> None:
    with home.opened():
        pass
    with pytest.raises(StoreError, match="cannot be used"), home.opened():
        raise duckdb.Error(error)
    assert home.losses == 0


def test_damage_met_while_working_is_moved_aside_and_the_work_done_again(home: Home, heard: list[str]) -> None:
    calls: list[int] = []

    def work(_connection: object, *, writable: bool) -> str:
        calls.append(1)
        if len(calls) == 1:
            raise duckdb.Error("Corrupt database file: computed checksum 1 does not match")
        return f"done {writable}"

    assert home.use(work) == "done True"
    assert (len(calls), home.losses, len(heard)) == (2, 1, 1)


def test_a_file_damaged_again_and_again_is_an_error(home: Home) -> None:
    def work(_connection: object, **_: bool) -> None:
        raise duckdb.Error("Corrupt database file")

    with pytest.raises(DamagedHomeError):
        home.use(work)


def test_a_newer_version_is_refused_and_the_file_left_alone(home: Home, heard: list[str]) -> None:
    with home.opened() as connection:
        connection.execute("UPDATE log.meta SET schema_version = 7")
    with pytest.raises(StoreVersionError, match=r"version 7.*up to 1"):
        fold(home)
    assert heard == []


def test_folding_is_exactly_once_however_often_it_is_done(home: Home) -> None:
    journal = Journal(home.journals, {})
    for number in range(3):
        journal.record(warned(number))
        journal.sync()
        fold(home)
        fold(home)
    assert count(home, "events") == 3
    assert len(segments(home.journals)) == 1
    journal.close()
    fold(home)
    assert (count(home, "events"), segments(home.journals), list(home.journals.glob("*.live"))) == (3, [], [])
    fold(home)
    assert count(home, "journals") == count(home, "owners") == 0


def test_what_was_folded_and_had_to_be_written_again_counts_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(home.journals, {})
    journal.record(warned(1))
    journal.sync()
    journal.record(warned(2))
    journal.flush()
    fold(home)
    assert count(home, "events") == 2
    real, calls = os.write, list[int]()

    def failing(descriptor: int, data: bytes) -> int:
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", failing)
    journal.record(warned(3))
    journal.sync()
    fold(home)
    assert (len(segments(home.journals)), count(home, "events")) == (2, 3)
    journal.close()


def test_a_living_owner_keeps_its_journal_and_a_retiring_one_does_not(home: Home) -> None:
    journal = Journal(home.journals, {})
    journal.record(warned(1))
    journal.sync()
    offsets, frames = fold(home)
    assert offsets == {segments(home.journals)[0]: (home.journals / segments(home.journals)[0]).stat().st_size}
    assert frames == {journal.owner: 1}
    assert fold(home, retiring=journal.owner) == ({}, {})
    assert segments(home.journals) == []
    journal.abandon()


def test_ended_segments_of_a_living_owner_are_unlinked_after_a_note(home: Home) -> None:
    journal = Journal(home.journals, {}, segment_bytes=100)
    for number in range(3):
        journal.record(warned(number))
        journal.sync()
    names = segments(home.journals)
    fold(home)
    assert count(home, "events") == 3
    assert segments(home.journals) == []
    assert [line.split()[0] for line in home.notes.read_text().splitlines()] == names
    assert live_path(home.journals, journal.owner).exists()
    journal.abandon()


def test_a_damaged_record_is_passed_over_loudly(home: Home, heard: list[str]) -> None:
    journal = Journal(home.journals, {})
    ends = []
    for number in range(3):
        journal.record(warned(number))
        journal.sync()
        ends.append((home.journals / segments(home.journals)[0]).stat().st_size)
    journal.abandon()
    path = home.journals / segments(home.journals)[0]
    data = bytearray(path.read_bytes())
    data[ends[0] + 40] ^= 1
    path.write_bytes(data)
    fold(home)
    assert count(home, "events") == 2
    assert len(heard) == 1
    assert "damaged bytes" in heard[0]


def test_inline_values_fill_several_shelves(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "SHELF_BYTES", 1000)
    journal = Journal(home.journals, {})
    for number in range(5):
        journal.value([f"d{number}"], bytes(600))
        journal.value(["same"], b"same")
        journal.sync()
        fold(home)
    assert (count(home, "shelved"), count(home, "shelves")) == (6, 3)
    journal.abandon()


def test_long_notes_begin_anew(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "_NOTES_BYTES", 60)
    sizes = []
    for _ in range(4):
        journal = Journal(home.journals, {})
        journal.record(warned(1))
        journal.close()
        fold(home)
        sizes.append(home.notes.stat().st_size)
    assert max(sizes) < 150
    assert count(home, "events") == 4
