"""Readers in C of other libraries announce the paths that they are given, only while a body runs."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from nbsteps.identity import readers
from nbsteps.identity.files import observe_reads
from nbsteps.identity.native import READERS, Reader
from nbsteps.identity.traces import now


def library(name: str) -> ModuleType:
    """A stand-in for a library: its functions and classes take anything and open nothing that anybody hears of."""
    module = ModuleType(name)
    for reader in READERS[name]:
        holder, _, function = reader.name.rpartition(".")
        if not holder:
            setattr(module, function, lambda *_args, **_kwargs: "read")
        elif not hasattr(module, holder):
            setattr(module, holder, type(holder, (), {"__init__": lambda self, *_args, **_kwargs: None}))
        if holder and function != "__init__":
            setattr(getattr(module, holder), function, lambda *_args, **_kwargs: "read")
    readers._prepare_native(module)
    readers._prepare_native(module)
    return module


def call(module: ModuleType, reader: Reader, path: str, *, by_keyword: bool) -> None:
    holder, _, function = reader.name.rpartition(".")
    given = {reader.keyword: path} if by_keyword else {}
    if not holder:
        getattr(module, function)(*([] if by_keyword else [None] * reader.position + [path]), **given)
        return
    places = [] if by_keyword else [None] * (reader.position - 1) + [path]
    cls = getattr(module, holder)
    target = cls if function == "__init__" else getattr(cls(), function)
    target(*places, **given)


@pytest.mark.parametrize("by_keyword", [False, True])
@pytest.mark.parametrize(("name", "reader"), [(name, each) for name, row in READERS.items() for each in row])
def test_a_reader_announces_its_path(
    name: str, reader: Reader, by_keyword: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data.h5").write_text("1")
    module = library(name)
    call(module, reader, "data.h5", by_keyword=by_keyword)
    with observe_reads() as seen:
        call(module, reader, str(tmp_path / "data.h5"), by_keyword=by_keyword)
    (part,) = seen.parts(tmp_path)
    assert part.name == "data.h5"
    Path("data.h5").write_text("22")
    assert now(part, tmp_path).digest != part.digest


def test_a_library_that_is_imported_later_is_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "soundfile.py").write_text(
        "class SoundFile:\n    def __init__(self, file):\n        self.file = file\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "soundfile", raising=False)
    readers.install()
    import soundfile

    Path("a.wav").write_text("1")
    with observe_reads() as seen:
        assert soundfile.SoundFile(str(tmp_path / "a.wav")).file
    assert [part.name for part in seen.parts(tmp_path)] == ["a.wav"]
    monkeypatch.delitem(sys.modules, "soundfile")


@pytest.mark.parametrize(("mode", "expect"), [("r", ["a.h5"]), ("w", []), ("x", []), ("r+", ["a.h5"]), ("a", ["a.h5"])])
@pytest.mark.parametrize("by_keyword", [False, True])
def test_what_is_written_anew_is_not_read(mode: str, expect: list[str], by_keyword: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_text("1")
    module = library("h5py._hl.files")
    with observe_reads() as seen:
        if by_keyword:
            module.File(str(path), mode=mode)
        else:
            module.File(str(path), mode)
    assert [part.name for part in seen.parts(tmp_path)] == expect


def test_what_a_library_does_not_have_is_left_out() -> None:
    module = ModuleType("cv2")
    readers._prepare_native(module)
    assert not hasattr(module, "imread")
