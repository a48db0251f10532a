"""Findings beside the results: kept while the same code reads them, and nothing worse than lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nbsteps.store import texts
from nbsteps.store.store import DuckStore
from nbsteps.store.texts import Texts


def some(number: int, start: int = 0) -> dict[str, str]:
    return {f"{index:032x}": f'{{"names.analyse":[["a{index}"]]}}' for index in range(start, start + number)}


def kept(folder: Path) -> Path:
    (file,) = (folder / "texts").iterdir()
    return file


def test_what_a_store_was_given_the_next_one_has(tmp_path: Path) -> None:
    store = DuckStore(tmp_path)
    assert store.findings() == {}
    store.keep_findings(some(3))
    store.close()
    assert DuckStore(tmp_path).findings() == some(3)


def test_nothing_to_keep_makes_no_file(tmp_path: Path) -> None:
    store = DuckStore(tmp_path)
    store.keep_findings({})
    store.close()
    assert not (tmp_path / "texts").exists()


@pytest.mark.parametrize(("number", "there"), [(texts.WAITING - 1, False), (texts.WAITING, True)])
def test_many_are_written_at_once(tmp_path: Path, number: int, *, there: bool) -> None:
    found = Texts(tmp_path)
    found.note(some(number))
    assert (Texts(tmp_path).read() == some(number)) is there
    found.write()
    assert Texts(tmp_path).read() == some(number)


def test_two_processes_keep_what_both_found(tmp_path: Path) -> None:
    one, other = Texts(tmp_path), Texts(tmp_path)
    one.note(some(2))
    other.note({**some(2, start=1), f"{1:032x}": "{}"})
    one.write()
    other.write()
    assert Texts(tmp_path).read() == {**some(3), f"{1:032x}": "{}"}


def test_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "ENTRIES", 5)
    for start in (0, 4):
        found = Texts(tmp_path)
        found.note(some(4, start))
        found.write()
    assert list(Texts(tmp_path).read()) == [*some(4, start=4), *some(1)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data.replace(b"a1", b"a2"),
        lambda data: data.partition(b"\n")[2],
        lambda data: data.replace(b"texts 1", b"texts 2"),
        lambda data: bytes(len(data)),
    ],
)
def test_a_damaged_file_is_none(tmp_path: Path, damage: object) -> None:
    found = Texts(tmp_path)
    found.note(some(3))
    found.write()
    file = kept(tmp_path)
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    assert Texts(tmp_path).read() == {}
    found.note(some(2))
    found.write()
    assert Texts(tmp_path).read() == some(2), "and is replaced"


def test_other_code_has_findings_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(texts.FILES + 2):
        monkeypatch.setattr(texts, "_FINDER", f"{number:016x}")
        found = Texts(tmp_path)
        assert found.read() == {}
        found.note(some(1, start=number))
        found.write()
        file = tmp_path / "texts" / f"{number:016x}"
        os.utime(file, (number, number))
    left = sorted(file.name for file in (tmp_path / "texts").iterdir())
    assert left == [f"{number:016x}" for number in range(2, texts.FILES + 2)]


def test_code_without_files_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_FINDER", "")
    found = Texts(tmp_path)
    found.note(some(texts.WAITING))
    assert found.read() == {}
    assert not (tmp_path / "texts").exists()


def test_where_nothing_can_be_written_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "texts").write_text("a file where the folder should be")
    found = Texts(tmp_path)
    found.note(some(texts.WAITING))
    found.write()
    assert found.read() == {}
