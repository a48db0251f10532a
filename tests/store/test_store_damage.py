"""What the store does with damaged bytes, newer versions, full disks and folders that cannot be written."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from nbsteps.config import Config
from nbsteps.core.errors import DamagedValueError, StoreVersionError
from nbsteps.core.model import Artifact
from nbsteps.identity.content import digest
from nbsteps.store import journal
from nbsteps.store.store import DuckStore, StoreWarning
from tests.store.script import Script, keys


@pytest.mark.parametrize("found_again", [False, True])
def test_a_damaged_value_is_a_miss_and_can_be_stored_anew(
    opened: Callable[..., DuckStore], folder: Path, *, found_again: bool
) -> None:
    value = list(range(1000))
    store = opened(config=Config(inline_limit=100))
    artifact = Script(store).succeed("a", value).outputs["out"]
    (path,) = (path for path in (folder / "objects").rglob("*") if path.is_file())
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    store.close()
    store = opened(config=Config(inline_limit=100))
    with pytest.raises(DamagedValueError):
        store.get(artifact)
    if found_again:  # the damaged value is what another result names, too
        Script(store, "r2").succeed("b", 1)
        assert keys(store, "a", "b") == {"a": ["r1"], "b": ["r2"]}
    assert store.get(store.put(value, digest(value))) == value
    assert store.get(artifact) == value


def test_a_damaged_row_is_a_miss_and_is_replaced(opened: Callable[..., DuckStore], folder: Path) -> None:
    store = opened()
    artifact = Script(store).succeed("a", "text").outputs["out"]
    store.close()
    with duckdb.connect(str(folder / "store.duckdb")) as connection:
        connection.execute("UPDATE log.values_1 SET payload = 'other'::BLOB")
    store = opened()
    with pytest.raises(DamagedValueError, match="checksum"):
        store.get(artifact)
    Script(store, "r2").succeed("a", "text")
    store.close()
    with duckdb.connect(str(folder / "store.duckdb")) as connection:
        assert connection.execute("SELECT count(*) FROM log.values_1").fetchall() == [(1,)]
    assert opened().get(artifact) == "text"


def test_bytes_that_are_nowhere_are_a_miss(opened: Callable[..., DuckStore]) -> None:
    missing = Artifact("f" * 32, "int", "json", 2, "inline", "c" * 32)
    with pytest.raises(DamagedValueError, match="gone"):
        opened().get(missing)


def test_a_newer_store_is_refused_by_name(opened: Callable[..., DuckStore], folder: Path) -> None:
    store = opened()
    Script(store).succeed("a")
    store.close()
    with duckdb.connect(str(folder / "store.duckdb")) as connection:
        connection.execute("UPDATE log.meta SET schema_version = 99")
    with pytest.raises(StoreVersionError, match=r"version 99.*up to 1"):
        keys(opened(), "a")
    (folder / "version").write_text("99\n")
    with pytest.raises(StoreVersionError, match=r"version 99.*up to 1"):
        DuckStore(folder)
    (folder / "version").unlink()
    with duckdb.connect(str(folder / "store.duckdb")) as connection:
        connection.execute("UPDATE log.meta SET schema_version = 1")


@pytest.mark.parametrize("damage", ["garbage", "truncated", "flipped"])
def test_a_damaged_file_is_moved_aside_loudly(opened: Callable[..., DuckStore], folder: Path, damage: str) -> None:
    store = opened()
    Script(store).succeed("a")
    store.close()
    path = folder / "store.duckdb"
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        for at in range(8192, len(data), 512):
            data[at] ^= 0xFF
    path.write_bytes({"garbage": b"no database" * 999, "truncated": bytes(data[:5000]), "flipped": bytes(data)}[damage])
    heard: list[str] = []
    store = opened(warn=heard.append)
    assert keys(store, "a") == {"a": []}
    assert len(heard) == 1
    assert "moved aside" in heard[0]
    assert len(list(folder.glob("store.duckdb.damaged-*"))) == 1
    Script(store, "r2").succeed("a")
    store.close()
    assert keys(opened(), "a") == {"a": ["r2"]}


def test_a_full_disk_stops_caching_not_the_run(
    opened: Callable[..., DuckStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    store = opened(warn=heard.append, config=Config(inline_limit=100))
    script = Script(store)
    script.succeed("a", 1)

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal.os, "write", full)
    result = script.succeed("b", list(range(500)))
    script.end()
    assert len(heard) == 1
    assert "No space left" in heard[0]
    assert store.find("k-b") == (result,)
    assert store.get(result.outputs["out"]) == list(range(500))
    assert store.get(store.put({"x": 1}, digest({"x": 1}))) == {"x": 1}
    monkeypatch.undo()
    store.close()
    assert keys(opened(), "a", "b") == {"a": ["r1"], "b": []}


def test_a_folder_that_cannot_be_made_is_one_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    heard: list[str] = []
    store = DuckStore(tmp_path / "file" / ".nbsteps", warn=heard.append)
    result = Script(store).succeed("a", 42)
    assert keys(store, "a") == {"a": ["r1"]}
    assert store.get(result.outputs["out"]) == 42
    with store.flight("k-a"):
        pass
    store.close()
    assert len(heard) == 1


def test_warnings_are_python_warnings_by_default(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(StoreWarning, match="cannot be written"):
        DuckStore(tmp_path / "file" / ".nbsteps")
