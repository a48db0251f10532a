"""Content-addressed files: whole or absent, verified, never changed by who reads them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbsteps.core.errors import DamagedValueError, StoreError
from nbsteps.store import objects
from nbsteps.store.layout import head_size, pack, unpack
from nbsteps.store.objects import Objects, checksum

PARTS = [b"abc", bytearray(b"def"), memoryview(b"ghi")]
SIZE = 9


def _put(folder: Path) -> tuple[str, Path]:
    location = Objects(folder).put(PARTS, checksum(PARTS), "bin")
    return location, folder / location.removeprefix("object:")


def test_a_file_is_named_by_its_checksum_and_holds_the_joined_parts(tmp_path: Path) -> None:
    location, path = _put(tmp_path)
    digits = checksum(PARTS)
    assert location == f"object:objects/{digits[:2]}/{digits[2:]}.bin"
    assert path.read_bytes() == b"abcdefghi"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_equal_content_is_written_once(tmp_path: Path) -> None:
    first, path = _put(tmp_path)
    inode = path.stat().st_ino
    second, _ = _put(tmp_path)
    assert first == second
    assert path.stat().st_ino == inode


def test_writing_again_mends_a_damaged_file(tmp_path: Path) -> None:
    location, path = _put(tmp_path)
    path.write_bytes(b"XXXdefghi")
    _put(tmp_path)
    assert bytes(Objects(tmp_path).read(location, SIZE, checksum(PARTS))) == b"abcdefghi"


def test_being_written_again_counts_as_use(tmp_path: Path) -> None:
    _, path = _put(tmp_path)
    os.utime(path, (1, 1))
    _put(tmp_path)
    assert path.stat().st_mtime > 1


@pytest.mark.parametrize("map_from", [1, 8_000_000], ids=["mapped", "read"])
def test_what_a_reader_changes_stays_with_the_reader(
    map_from: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "MAP_FROM", map_from)
    location, path = _put(tmp_path)
    first = Objects(tmp_path).read(location, SIZE, checksum(PARTS))
    first[0] = 0
    again = Objects(tmp_path).read(location, SIZE, checksum(PARTS))
    assert bytes(again) == path.read_bytes() == b"abcdefghi"


def test_too_many_open_files_means_reading_instead_of_mapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(objects, "MAP_FROM", 1)
    monkeypatch.setattr(objects, "_map", refuse)
    location, _ = _put(tmp_path)
    assert bytes(Objects(tmp_path).read(location, SIZE, checksum(PARTS))) == b"abcdefghi"


def _gone(path: Path) -> None:
    path.unlink()


def _short(path: Path) -> None:
    path.write_bytes(b"abc")


def _flipped(path: Path) -> None:
    path.write_bytes(b"abcdefghX")


@pytest.mark.parametrize(
    ("damage", "says"), [(_gone, "cannot be read"), (_short, "3 bytes instead of 9"), (_flipped, "checksum is wrong")]
)
def test_damage_is_found(damage: Callable[[Path], None], says: str, tmp_path: Path) -> None:
    location, path = _put(tmp_path)
    reader = Objects(tmp_path)
    reader.read(location, SIZE, checksum(PARTS))
    damage(path)
    os.utime(path, (1, 1)) if path.exists() else None
    with pytest.raises(DamagedValueError, match=says):
        reader.read(location, SIZE, checksum(PARTS))


def test_a_file_is_hashed_once_for_each_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    location, path = _put(tmp_path)
    reader = Objects(tmp_path)
    digits = checksum(PARTS)
    hashed: list[int] = []

    def count(parts: Any) -> str:
        hashed.append(1)
        return checksum(parts)

    monkeypatch.setattr(objects, "checksum", count)
    for _ in range(3):
        reader.read(location, SIZE, digits)
    assert len(hashed) == 1
    os.utime(path, (1, 1))
    reader.read(location, SIZE, digits)
    assert len(hashed) == 2


@pytest.mark.parametrize(
    "location",
    [
        "object:../secret",
        "object:objects/ab/../../../etc/passwd",
        "object:/etc/passwd",
        "table:x",
        "object:objects/ab/" + "0" * 30 + ".bin\n",
    ],
)
def test_a_location_outside_the_store_is_refused(location: str, tmp_path: Path) -> None:
    for act in (lambda o: o.read(location, 1, ""), lambda o: o.discard(location)):
        with pytest.raises(DamagedValueError, match="not where a value can be"):
            act(Objects(tmp_path))


def test_discarding_twice_is_fine(tmp_path: Path) -> None:
    location, path = _put(tmp_path)
    for _ in range(2):
        Objects(tmp_path).discard(location)
    assert not path.exists()


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(objects, "_sync", full)
    with pytest.raises(StoreError, match=r"(?s)No space left.*free some space"):
        _put(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(objects, "_sync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        _put(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_that_is_a_file_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("")
    with pytest.raises(StoreError, match="cannot write a value"):
        _put(tmp_path)


def test_what_a_dead_writer_left_is_swept_when_it_is_old(tmp_path: Path) -> None:
    _, path = _put(tmp_path)
    old, young = path.with_name(".old.tmp"), path.with_name(".young.tmp")
    for unfinished in (old, young):
        unfinished.write_bytes(b"")
    os.utime(old, (1, 1))
    assert Objects(tmp_path).sweep(60) == 1
    assert sorted(entry.name for entry in path.parent.iterdir()) == [".young.tmp", path.name]


@pytest.mark.parametrize("parts", [[], [b""], [b"a"], [b"a" * 64, b"", b"b" * 65], [b"x"] * 100])
def test_parts_lie_on_boundaries_and_come_back(parts: list[bytes]) -> None:
    joined = memoryview(b"".join(pack(parts)))
    found = unpack(joined)
    assert [bytes(part) for part in found] == parts
    for part in parts:
        if part:
            assert bytes(joined).index(part) % 64 == 0
            break


def test_the_first_part_is_taken_from_the_copy() -> None:
    joined = memoryview(bytearray(b"".join(pack([b"first", b"second"]))))
    head = memoryview(bytes(joined[: head_size(joined)]))
    joined[:] = bytes(len(joined))
    assert [bytes(part) for part in unpack(joined, head)] == [b"first", bytes(6)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"NBSTEPS\x01",
        b"something else entirely",
        b"NBSTEPS\x01" + b"\xff" * 8,
        b"NBSTEPS\x01" + (1).to_bytes(8, "little") + b"\xff" * 16,
    ],
)
def test_a_file_of_another_form_is_damage(data: bytes) -> None:
    with pytest.raises(DamagedValueError, match="a stored value"):
        unpack(memoryview(data))
