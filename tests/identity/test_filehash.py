"""Digests of files: what is read again, and what a stored state of a file spares."""

from __future__ import annotations

from pathlib import Path

import pytest
import xxhash

from nbsteps.identity.feed import MISSING
from nbsteps.identity.filehash import (
    ABSENT,
    UNREADABLE,
    FileCache,
    FileState,
    file_digest,
    same_as_detail,
    stated,
    to_detail,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("a\n")
    return tmp_path


def test_a_young_file_is_read_again_and_a_settled_one_is_not(folder: Path) -> None:
    reads: list[str] = []
    cache = FileCache(lambda path: reads.append(path) or len(reads))
    path = str(folder / "data" / "a.csv")
    assert [cache.get(path), cache.get(path)] == [1, 2]
    state, _, value = cache._known[path]
    cache._known[path] = (state, state.ctime_ns + 2_000_000_000, value)
    assert cache.get(path) == 2
    Path(path).write_text("longer")
    assert cache.get(path) == 3


STATE = FileState(size=1, mtime_ns=10_000_000_000, inode=1, ctime_ns=10_000_000_000)


def test_a_clock_behind_the_file_systems_never_settles() -> None:
    assert not STATE.settled(9_000_000_000)
    assert STATE.settled(12_000_000_000)


@pytest.mark.parametrize("field", ["mtime_ns", "ctime_ns"])
def test_a_file_settles_after_both_of_its_times(field: str) -> None:
    assert not STATE._replace(**{field: 11_000_000_000}).settled(12_000_000_000)


@pytest.mark.parametrize(
    ("state", "seen_ns", "same"),
    [
        (STATE, 12_000_000_000, True),
        (STATE, 11_000_000_000, False),
        *((STATE._replace(**{field: getattr(STATE, field) - 1}), 12_000_000_000, False) for field in STATE._fields),
    ],
)
def test_all_of_a_stored_state_counts(state: FileState, seen_ns: int, *, same: bool) -> None:
    assert same_as_detail(state, to_detail(STATE, seen_ns)) is same


@pytest.mark.parametrize("detail", ["", "{", "{}", "[]", "null", '{"size": 1}'])
def test_a_text_that_is_no_state_is_the_state_of_nothing(detail: str) -> None:
    assert same_as_detail(STATE, detail) is False


def test_what_cannot_be_read_has_a_digest_of_its_own(folder: Path) -> None:
    assert stated(str(folder / "data")) == (UNREADABLE, "unreadable")
    assert stated(str(folder / "nope")) == (ABSENT, MISSING)
    assert stated("no\0path") == (ABSENT, MISSING)
    assert len({ABSENT, UNREADABLE, file_digest(str(folder / "data" / "a.csv"))}) == 3


def test_large_files_are_read_in_pieces(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    (tmp_path / "big").write_bytes(data)
    assert file_digest(str(tmp_path / "big")) == xxhash.xxh3_128_hexdigest(data)
