"""When a snapshot is believed: whatever others did, whoever died when, nobody is told what was once true."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from nbsteps.config import Config
from nbsteps.core.errors import DamagedValueError, StoreError
from nbsteps.core.events import Cleared
from nbsteps.store import home, snapshot
from nbsteps.store.snapshot import SnapshotFile, Table, seal, unseal
from tests.store.asking import STEPS, Opened, answers, filled, without
from tests.store.script import NOTEBOOK, Script, keys


def outsider(path: Path, statement: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(statement)


def meddle(change: str, folder: Path, opened: Opened) -> None:
    """Do to the home what knows nothing of the snapshot beside it."""
    path = folder / "store.duckdb"
    clear = "INSERT INTO log.cleared SELECT 99, id FROM log.results"
    if change == "outsider":
        outsider(path, clear)
    elif change == "log":
        code = f"import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute({clear!r}); os._exit(0)"
        subprocess.run([sys.executable, "-c", code, str(path)], check=True)
        assert path.with_name("store.duckdb.wal").exists()
    elif change == "older":  # one that knows nothing of snapshots
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SnapshotFile, "drop", lambda _self: None)
            patch.setattr(SnapshotFile, "publish", lambda _self, _data, _state: None)
            store = opened()
            for step in STEPS:
                store.emit(Cleared(2000.0, NOTEBOOK, step))
            store.close()
    elif change == "copied":
        shutil.copytree(folder, folder.with_name("copy"))
        shutil.rmtree(folder)
        folder.with_name("copy").rename(folder)
    elif change == "restored":
        data, times = path.read_bytes(), path.stat()
        path.write_bytes(data)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    elif change == "touched":
        os.utime(path)
    else:
        path.unlink()


@pytest.mark.parametrize("change", ["outsider", "log", "older", "copied", "restored", "touched", "gone"])
def test_what_others_did_to_the_home_is_seen(opened: Opened, folder: Path, opens: list[str], change: str) -> None:
    filled(opened())
    kept = (folder / "store.snapshot").read_bytes()
    meddle(change, folder, opened)
    assert (folder / "store.snapshot").read_bytes() == kept
    opens.clear()
    found = answers(opened())
    assert opens or change == "gone"
    assert bool(found["results"]) == (change in {"copied", "restored", "touched"})
    opens.clear()
    assert answers(opened()) == found
    assert opens == []  # there is a new one


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "magic", "marks", "old"])
def test_a_snapshot_that_is_not_whole_is_not_believed(
    opened: Opened, folder: Path, opens: list[str], damage: str
) -> None:
    filled(opened())
    path = folder / "store.snapshot"
    data = bytearray(path.read_bytes())
    whole = unseal(bytes(data))
    assert whole is not None
    if damage == "flipped":
        data[len(data) // 2] ^= 1
    elif damage == "cut":
        del data[-1]
    elif damage == "empty":
        data.clear()
    elif damage == "magic":
        data[0] ^= 1
    elif damage == "marks":
        data = bytearray(seal({**whole.about, "marks": [99]}, whole.about["home"], whole._parts[1:]))
    else:
        data = bytearray(seal({**whole.about, "home": [0, 0, 0, 0]}, [], whole._parts[1:]))
    path.write_bytes(data)
    opens.clear()
    assert keys(opened(), "a", "m") == {"a": ["r1"], "m": ["r1"]}
    assert opens
    assert unseal(path.read_bytes()) is not None


def test_a_damaged_value_is_not_taken_from_it_again(opened: Opened, folder: Path) -> None:
    filled(opened())
    with duckdb.connect(str(folder / "store.duckdb")) as connection:
        connection.execute("UPDATE log.values_1 SET payload = 'xxxxx'::BLOB WHERE octet_length(payload) = 5")
    keys(opened(), "a")  # takes a snapshot with what is damaged
    store = opened()
    artifact = store.find("k-a")[0].outputs["out"]
    for _ in range(2):
        with pytest.raises(DamagedValueError):
            store.get(artifact)
    store.put("one", artifact.digest)
    assert store.get(artifact) == "one"
    store.close()
    assert opened().get(artifact) == "one"


@pytest.mark.parametrize("still", [True, False])
def test_nothing_changes_while_a_snapshot_cannot_be_removed(
    opened: Opened, folder: Path, monkeypatch: pytest.MonkeyPatch, *, still: bool
) -> None:
    filled(opened())
    store = opened()
    Script(store, "r2").succeed("b", "new")
    before = (folder / "store.duckdb").stat().st_mtime_ns

    def refuse(self: Path, **_options: bool) -> None:
        raise PermissionError(13, "it is open", str(self))

    with monkeypatch.context() as patch:
        if still:
            patch.setattr(SnapshotFile, "_spoil", lambda self: refuse(self.path))
        patch.setattr(Path, "unlink", refuse)
        assert store.ledger.fold(timeout=5.0) is not still
    assert ((folder / "store.duckdb").stat().st_mtime_ns == before) is still
    assert (unseal((folder / "store.snapshot").read_bytes()) is not None) is still
    assert keys(opened(), "b") == {"b": ["r2"]}


def test_a_snapshot_that_cannot_be_written_is_none(
    opened: Opened, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        filled(opened())
    assert not list(folder.glob("store.snapshot*"))
    assert keys(opened(), "a") == {"a": ["r1"]}
    with monkeypatch.context() as patch:
        patch.setattr(snapshot, "_MOST_BYTES", 10)
        filled(opened())
    assert not list(folder.glob("store.snapshot*"))


def test_a_text_of_several_lines_is_not_taken() -> None:
    with pytest.raises(ValueError, match="several lines"):
        Table.parts([(1, "a"), (2, "b\nc")], 1)
    assert Table.rows([memoryview(part) for part in Table.parts([], 2)]) == []
    rows = [(1, "ä", "x", ""), (2, None, "", "y")]
    assert Table.rows([memoryview(part) for part in Table.parts(rows, 2)]) == [list(row) for row in rows]


class Watched:
    """A connection that lets nothing change while there is a snapshot."""

    def __init__(self, connection: Any, path: Path) -> None:
        self._connection, self._path = connection, path

    def execute(self, statement: str, *arguments: Any) -> Any:
        word = statement.split(maxsplit=1)[0].upper()
        if word not in {"SELECT", "FROM", "CHECKPOINT", "ROLLBACK"}:
            assert not self._path.exists(), statement
        return self._connection.execute(statement, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def test_no_statement_changes_the_home_beside_a_snapshot(
    opened: Opened, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pd = pytest.importorskip("pandas")
    real, path = home.Home._open, folder / "store.snapshot"
    monkeypatch.setattr(home.Home, "_open", lambda *args, **options: Watched(real(*args, **options), path))
    filled(opened(config=Config(inline_limit=100)))
    store = opened(config=Config(inline_limit=100))
    script = Script(store, "r2")
    script.succeed("c", pd.DataFrame({"x": list(range(50))}))
    script.succeed("b", list(range(100)))
    assert path.exists()
    store.close()
    assert path.exists()
    assert opened().history.steps()["step"].tolist().count("c") == 2
    store = opened()
    artifact = store.find("k-a")[0].outputs["out"]
    store._forget(artifact)
    store.put("one", artifact.digest)
    store.close()
    outsider(folder / "store.duckdb", "UPDATE log.meta SET revision = 1, scheme = 'old'")
    assert keys(opened(), "a", "b") == {"a": ["r1"], "b": ["r2"]}
    assert path.exists()


POINTS = """
import os, signal, sys
from pathlib import Path
from nbsteps.core.events import Cleared
from nbsteps.store import home, merge, snapshot
from nbsteps.store.store import DuckStore
from tests.store.asking import STEPS, Opened, answers, filled, without
from tests.store.script import NOTEBOOK, Script
owner, name, after = sys.argv[2:5]
owner = {"file": snapshot.SnapshotFile, "home": home.Home, "merge": merge}[owner]
real = getattr(owner, name)
def dying(*args, **kwargs):
    if after == "after":
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
store = DuckStore(Path(sys.argv[1]))
store.recall(NOTEBOOK, [], [])
script = Script(store, "r2")
script.succeed("b", "new")
script.map("m", [11, 21, 31])
store.emit(Cleared(2000.0, NOTEBOOK, "a"))
setattr(owner, name, dying)
store.close()
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "point",
    ["file drop", "home change", "merge _store", "merge _account", "merge _sweep", "home _take", "file publish"],
)
def test_killed_anywhere_nobody_is_told_what_was_once_true(
    opened: Opened, folder: Path, monkeypatch: pytest.MonkeyPatch, point: str, when: str
) -> None:
    filled(opened())
    done = subprocess.run([sys.executable, "-c", POINTS, str(folder), *point.split(), when], check=False)
    assert done.returncode == -9
    early = opened()
    found = answers(early)
    assert sorted(found["results"]) == ["k-b", "k-m", "k-m-i0", "k-m-i1", "k-m-i2"]
    assert [result.run_id for result in found["found"]["m"]] == ["r2", "r1"]
    assert found == without(opened, monkeypatch) == answers(opened())


def test_a_folder_that_cannot_be_written_is_answered_from_it(
    opened: Opened, opens: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(opened())
    opens.clear()

    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "read only")

    monkeypatch.setattr("nbsteps.store.locks.Lock.acquire", refuse)
    store = opened()
    assert keys(store, "a", "b") == {"a": ["r1"], "b": []}
    assert opens == []
    with pytest.raises(StoreError, match="gone"):
        store.get(store.find("k-a")[0].outputs["out"].__class__("f" * 32, "int", "json", 2, "inline", "c" * 32))
    assert opens == ["read only"]
