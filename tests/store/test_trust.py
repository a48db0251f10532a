"""The user's secret: made once, private, the same for every process; and what its codes cover."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nbsteps.store import trust

ONLY_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="modes and home folders of POSIX")
FIELDS = {"codec": "pickle", "type_name": "lib.Thing", "digest": "d" * 32}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trust._load.cache_clear()
    monkeypatch.setenv("NBSTEPS_SECRET_FILE", str(tmp_path / "deep" / "secret"))


def _secret_of_a_new_process() -> bytes:
    trust._load.cache_clear()
    return trust.load_secret()


def test_the_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    secret = trust.load_secret()
    assert len(secret) == trust.SECRET_BYTES
    assert _secret_of_a_new_process() == secret == (tmp_path / "deep" / "secret").read_bytes()


@ONLY_POSIX
def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    trust.load_secret()
    assert stat.S_IMODE((tmp_path / "deep" / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "deep").stat().st_mode) == 0o700


def test_nothing_else_is_left_behind(tmp_path: Path) -> None:
    trust.load_secret()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["secret"]


def test_processes_that_start_together_agree() -> None:
    code = "from nbsteps.store import trust; print(trust.load_secret().hex())"
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    found = {process.communicate()[0] for process in started}
    assert len(found) == 1
    assert len(found.pop().strip()) == 2 * trust.SECRET_BYTES


def test_who_comes_second_takes_the_winners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    winner = b"w" * trust.SECRET_BYTES
    publish = trust._publish

    def lose(temporary: Path, path: Path) -> None:
        path.write_bytes(winner)
        publish(temporary, path)

    monkeypatch.setattr(trust, "_publish", lose)
    assert trust.load_secret() == winner


def test_a_secret_that_is_taken_away_at_once_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "_publish", lambda *_: None)
    with pytest.warns(RuntimeWarning, match="vanished while it was written"):
        assert len(trust.load_secret()) == trust.SECRET_BYTES


def test_a_file_system_without_links_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    secret = trust.load_secret()
    assert (tmp_path / "deep" / "secret").read_bytes() == secret


@pytest.mark.parametrize("kept", [b"", b"too short", b"x" * 33])
def test_a_file_that_is_no_secret_is_left_alone(kept: bytes, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secret"
    path.parent.mkdir()
    path.write_bytes(kept)
    with pytest.warns(RuntimeWarning, match="instead of 32"):
        trust.load_secret()
    assert path.read_bytes() == kept


def test_without_a_place_for_it_the_secret_lives_as_long_as_the_process(tmp_path: Path) -> None:
    (tmp_path / "deep").write_text("a file where the folder should be")
    with pytest.warns(RuntimeWarning, match="cannot keep its secret"):
        secret = trust.load_secret()
    assert trust.load_secret() == secret


def test_without_a_home_the_secret_lives_as_long_as_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.delenv("NBSTEPS_SECRET_FILE")
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.warns(RuntimeWarning, match="no home folder"):
        assert len(trust.load_secret()) == trust.SECRET_BYTES


@pytest.mark.parametrize(
    ("platform", "variables", "expect"),
    [
        ("linux", {}, ".local/share/nbsteps/secret"),
        ("linux", {"XDG_DATA_HOME": "relative/is/ignored"}, ".local/share/nbsteps/secret"),
        ("darwin", {}, "Library/Application Support/nbsteps/secret"),
        ("win32", {}, "AppData/Roaming/nbsteps/secret"),
    ],
)
def test_where_the_secret_is(
    platform: str, variables: dict[str, str], expect: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NBSTEPS_SECRET_FILE", "XDG_DATA_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert trust.secret_file() == tmp_path / expect


@ONLY_POSIX
def test_the_data_folder_can_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NBSTEPS_SECRET_FILE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert trust.secret_file() == tmp_path / "nbsteps" / "secret"


def test_a_code_fits_its_own_bytes_however_they_are_cut() -> None:
    mac = trust.sign([b"ab", b"cd"], **FIELDS)
    assert trust.verify(mac, [b"abcd"], **FIELDS)


@pytest.mark.parametrize(
    ("parts", "changed"),
    [
        ([b"abcX"], {}),
        ([b"abc"], {}),
        ([b"abcd"], {"codec": "other"}),
        ([b"abcd"], {"type_name": "lib.Other"}),
        ([b"abcd"], {"digest": "e" * 32}),
        ([b"abcd"], {"codec": "picklelib", "type_name": ".Thing"}),
    ],
)
def test_a_code_fits_nothing_else(parts: list[bytes], changed: dict[str, str]) -> None:
    mac = trust.sign([b"abcd"], **FIELDS)
    assert not trust.verify(mac, parts, **{**FIELDS, **changed})


@pytest.mark.parametrize("mac", ["", "0" * 64, "é" * 64, "short"])
def test_a_code_that_is_none_fits_nothing(mac: str) -> None:
    assert not trust.verify(mac, [b"abcd"], **FIELDS)


def test_another_user_makes_other_codes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mac = trust.sign([b"abcd"], **FIELDS)
    monkeypatch.setenv("NBSTEPS_SECRET_FILE", str(tmp_path / "other"))
    assert not trust.verify(mac, [b"abcd"], **FIELDS)
