"""Files: declared ones by pattern, observed ones by what the body was seen to read."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbsteps.core.model import Part
from nbsteps.identity.data_files import Counting
from nbsteps.identity.filehash import file_state
from nbsteps.identity.files import changed, declared_files, note_read, observe_reads


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "a.csv").write_text("a\n")
    (tmp_path / "data" / "b.csv").write_text("b\n")
    (tmp_path / "data" / "deep" / "c.csv").write_text("c\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(parts: tuple[Part, ...]) -> list[str]:
    return [part.name for part in parts if part.name != "$PWD"]


@pytest.mark.parametrize(
    ("patterns", "expect"),
    [
        ("data/a.csv", "data/a.csv"),
        ("./data/a.csv", "data/a.csv"),
        ("data/*.csv", "data/a.csv data/b.csv"),
        ("data/**/*.csv", "data/a.csv data/b.csv data/deep/c.csv"),
        ("data", "data/a.csv data/b.csv data/deep/c.csv"),
        ("data/*.csv data/a.csv", "data/a.csv data/b.csv"),
        ("nope.csv", "nope.csv"),
        ("*.parquet", "*.parquet"),
        ("", ""),
    ],
)
def test_declared_files(patterns: str, expect: str, folder: Path) -> None:
    assert names(declared_files(patterns.split(), folder)) == expect.split()


def test_an_absolute_pattern_keeps_its_path(folder: Path) -> None:
    (part,) = declared_files([str(folder / "data" / "a.csv")], folder.parent)
    assert part.name == (folder / "data" / "a.csv").as_posix()


EDITS: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda _: None, "same"),
    "content": (lambda f: (f / "data/a.csv").write_text("A\n"), "changed"),
    "touch": (lambda f: os.utime(f / "data/a.csv", (1, 1)), "same"),
    "same content again": (lambda f: (f / "data/a.csv").write_text("a\n"), "same"),
    "same size and time": (lambda f: rewrite_keeping_time(f / "data/a.csv", "z\n"), "changed"),
    "replaced by rename": (lambda f: replace(f / "data/a.csv", "z\n"), "changed"),
    "removed": (lambda f: (f / "data/a.csv").unlink(), "changed"),
    "appearing": (lambda f: (f / "data/new.csv").write_text(""), "changed"),
    "appearing elsewhere": (lambda f: (f / "new.csv").write_text(""), "same"),
    "missing one appearing": (lambda f: (f / "nope.txt").write_text(""), "changed"),
}


def rewrite_keeping_time(path: Path, text: str) -> None:
    state = path.stat()
    path.write_text(text)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def replace(path: Path, text: str) -> None:
    other = path.with_suffix(".tmp")
    other.write_text(text)
    other.replace(path)


@pytest.mark.parametrize("case", EDITS)
@pytest.mark.parametrize("age", [0, 100], ids=["young", "old"])
def test_an_edit_to_declared_files(case: str, age: int, folder: Path) -> None:
    edit, expect = EDITS[case]
    grow_old(folder, age)
    before = {(part.name, part.digest) for part in declared_files(["data/*.csv", "nope.txt"], folder)}
    edit(folder)
    after = {(part.name, part.digest) for part in declared_files(["data/*.csv", "nope.txt"], folder)}
    assert ("same" if before == after else "changed") == expect


def read_all() -> None:
    """A body: it globs, reads, and looks for a file that may not be there."""
    for path in sorted(Path("data").glob("*.csv")):
        path.read_text()
    with contextlib.suppress(FileNotFoundError):
        Path("nope.txt").read_text()


def grow_old(folder: Path, seconds: int) -> None:
    for path in folder.rglob("*.csv"):
        moment = path.stat().st_mtime - seconds
        os.utime(path, (moment, moment))


@pytest.mark.parametrize("case", EDITS)
@pytest.mark.parametrize("age", [0, 100], ids=["young", "old"])
def test_an_edit_to_observed_files(case: str, age: int, folder: Path) -> None:
    edit, expect = EDITS[case]
    grow_old(folder, age)
    with observe_reads() as seen:
        read_all()
    parts = seen.parts(folder)
    assert tuple(names(changed(parts, folder))) == ()
    edit(folder)
    assert ("changed" if changed(parts, folder) else "same") == expect


def body_pathlib() -> None:
    Path("data/a.csv").read_bytes()


def body_os_open() -> None:
    os.close(os.open("data/a.csv", os.O_RDONLY))


def body_append_and_read() -> None:
    with Path("data/a.csv").open("r+") as file:
        file.read()


def body_write_then_read() -> None:
    Path("out.csv").write_text("x")
    Path("out.csv").read_text()


def body_write() -> None:
    Path("out.csv").write_text("x")


def body_rename_then_read() -> None:
    Path("out.tmp").write_text("x")
    Path("out.tmp").rename("out.csv")
    Path("out.csv").read_text()


def body_sqlite() -> None:
    sqlite3.connect("data/a.csv").close()
    sqlite3.connect("file:data/b.csv?mode=ro", uri=True).close()
    sqlite3.connect(":memory:").close()


def body_thread() -> None:
    thread = threading.Thread(target=body_pathlib)
    thread.start()
    thread.join()


def body_temporary() -> None:
    with tempfile.TemporaryFile() as file:
        file.read()


def body_pandas() -> None:
    import pandas as pd

    pd.read_csv("data/a.csv")


def body_announced() -> None:
    note_read("data/a.csv")


def body_listing() -> None:
    os.listdir("data")  # noqa: PTH208 - this body's subject


def body_walk() -> None:
    list(os.walk("data"))


def body_pseudo() -> None:
    for path in ("/proc/self/status", "/dev/null", "/etc/hosts"):
        Path(path).read_bytes()


def body_packages() -> None:
    Path(pytest.__file__).read_bytes()
    Path(os.__file__).read_bytes()
    Path(sys.executable).read_bytes()


def body_import() -> None:
    Path("fresh_module.py").write_text("X = 1\n")
    sys.path.insert(0, str(Path.cwd()))
    try:
        import fresh_module  # type: ignore[import-not-found]  # noqa: F401 - this body's subject
    finally:
        sys.path.pop(0)
        del sys.modules["fresh_module"]


@pytest.mark.parametrize(
    ("body", "expect"),
    [
        (body_pathlib, "data/a.csv"),
        (body_os_open, "data/a.csv"),
        (body_append_and_read, "data/a.csv"),
        (body_write_then_read, ""),
        (body_write, ""),
        (body_rename_then_read, ""),
        (body_sqlite, "data/a.csv data/b.csv"),
        (body_thread, "data/a.csv"),
        (body_temporary, ""),
        (body_pandas, "data/a.csv"),
        (body_announced, "data/a.csv"),
        (body_listing, "data/"),
        (body_walk, "data/ data/deep/"),
        (body_pseudo, ""),
        (body_packages, ""),
        (body_import, ""),
    ],
)
def test_what_a_body_reads(body: Callable[[], None], expect: str, folder: Path) -> None:
    with observe_reads() as seen:
        body()
    assert names(seen.parts(folder)) == expect.split()


def test_nothing_is_seen_outside_the_body(folder: Path) -> None:
    with observe_reads() as seen:
        pass
    body_pathlib()
    assert seen.parts(folder) == ()


def test_bodies_on_two_threads_see_their_own_reads(folder: Path) -> None:
    found: dict[str, list[str]] = {}
    both = threading.Barrier(2)

    def body(name: str) -> None:
        with observe_reads() as seen:
            both.wait()
            Path(name).read_text()
            both.wait()
        found[name] = names(seen.parts(folder))

    threads = [threading.Thread(target=body, args=(name,)) for name in ("data/a.csv", "data/b.csv")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"data/a.csv": ["data/a.csv"], "data/b.csv": ["data/b.csv"]}


def test_excluded_folders_do_not_count(folder: Path) -> None:
    with observe_reads(exclude=[folder / "data" / "deep"]) as seen:
        body_pathlib()
        Path("data/deep/c.csv").read_text()
    assert names(seen.parts(folder)) == ["data/a.csv"]


def test_names_are_relative_inside_the_project_and_absolute_outside(folder: Path) -> None:
    with observe_reads() as seen:
        body_pathlib()
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    _place, inside = seen.parts(notebooks, project_root=folder)
    assert inside.name == "../data/a.csv"
    assert tuple(names(changed((inside,), notebooks))) == ()


def test_a_file_that_somebody_changed_while_it_was_read_is_never_the_same(folder: Path) -> None:
    with observe_reads() as seen:
        body_pathlib()
        os.utime("data/a.csv", (1, 1))
    parts = seen.parts(folder)
    assert tuple(names(changed(parts, folder))) == ("data/a.csv",)


def test_what_the_body_put_into_a_folder_it_lists_does_not_count(folder: Path) -> None:
    with observe_reads() as seen:
        Path("data/out.csv").write_text("x")
        body_listing()
        Path("data/late.csv").write_text("x")
    parts = seen.parts(folder)
    assert tuple(names(changed(parts, folder))) == ()
    Path("data/new.csv").write_text("x")
    assert tuple(names(changed(parts, folder))) == ("data/",)


def test_a_stored_state_spares_the_reading_once_it_has_settled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with observe_reads() as seen:
        body_pathlib()
    _place, part = seen.parts(folder)
    state = file_state("data/a.csv")
    assert state is not None
    settled = {**state._asdict(), "seen_ns": state.ctime_ns + 3_000_000_000}
    racy = {**settled, "seen_ns": state.ctime_ns + 1_000_000_000}
    monkeypatch.setattr("nbsteps.identity.traces.file_digest", lambda _: "read again")
    for detail, expect in ((settled, ()), (racy, ("data/a.csv",)), ({}, ("data/a.csv",))):
        stored = Part(part.kind, part.name, part.digest, json.dumps(detail))
        assert tuple(names(changed((stored,), folder))) == expect


HOME = str(Path.home())


@pytest.mark.parametrize(
    ("path", "expect"),
    [
        ("/project/data/x.csv", "counts"),
        ("/project/lib/site-packages/pkg/data/x.csv", "ignored"),
        ("/project/.nbsteps/store.duckdb", "ignored"),
        ("/project/.git/HEAD", "ignored"),
        ("/project/__pycache__/x.pyc", "ignored"),
        ("/elsewhere/data/x.csv", "counts"),
        ("/etc/hosts", "ignored"),
        ("/proc/self/maps", "ignored"),
        ("/usr/share/zoneinfo/UTC", "ignored"),
        (f"{HOME}/.cache/x", "ignored"),
        (f"{HOME}/.config/matplotlib/matplotlibrc", "ignored"),
        (f"{HOME}/.jupyter/config.py", "ignored"),
        (f"{HOME}/data/x.csv", "counts"),
        (f"{tempfile.gettempdir()}/x.csv", "ignored"),
        ("/project/font.ttf", "ignored"),
    ],
)
def test_what_is_data(path: str, expect: str) -> None:
    assert ("counts" if Counting([Path("/project")]).counts(path) else "ignored") == expect


@pytest.mark.parametrize("root", [f"{tempfile.gettempdir()}/work", f"{HOME}/.work/project", "/usr/share/project"])
def test_a_project_inside_a_folder_of_the_machine_counts(root: str) -> None:
    assert Counting([Path(root)]).counts(f"{root}/data/x.csv")
    assert not Counting([Path(root)]).counts(f"{Path(root).parent}/x/y.csv")
