"""Settings, and where a project and its store are."""

from __future__ import annotations

import pytest

from nbsteps.config import Config, Notify, load_config, parse_config, project_root, store_folder
from nbsteps.core.errors import UsageError

NOTIFY = 'for example: urls = ["slack://$SLACK"], events = ["failed", "waiting"]'
AMOUNT = "give a whole number of bytes, from 0 on"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({}, Config()),
        ({"env": "exact"}, Config(env="exact")),
        ({"mutation": "off", "table_limit": 0}, Config(mutation="off", table_limit=0)),
        ({"inline_limit": 1}, Config(inline_limit=1)),
        ({"notify": {"urls": ["slack://$S"], "events": ["slow"]}}, Config(notify=Notify(("slack://$S",), ("slow",)))),
    ],
)
def test_settings(table, expected):
    assert parse_config(table) == expected


@pytest.mark.parametrize(
    ("table", "message", "mend"),
    [
        ({"envs": "off"}, "unknown setting 'envs'", "did you mean env?"),
        (
            {"colour": "off"},
            "unknown setting 'colour'",
            "known settings: env, inline_limit, mutation, notify, table_limit",
        ),
        ({"notify": {"url": []}}, r"\[tool.nbsteps.notify\] of .*: unknown setting: url", NOTIFY),
        ({"notify": "slack://"}, "unknown setting: it is no table", NOTIFY),
        ({"notify": {"urls": "slack://"}}, "urls is no list of texts", NOTIFY),
        ({"notify": {"events": ["late"]}}, "unknown event 'late'", "choose among: failed, waiting, succeeded, slow"),
        ({"env": "major"}, "setting 'env' in .* is 'major'", "choose one of: exact, minor, off"),
        ({"env": 1}, "setting 'env' in .* is 1", "choose one of: exact, minor, off"),
        ({"env": ["off"]}, "setting 'env' in", "choose one of: exact, minor, off"),
        ({"table_limit": "8 MB"}, "setting 'table_limit' in .* is '8 MB'", AMOUNT),
        ({"table_limit": -1}, "setting 'table_limit' in .* is -1", AMOUNT),
        ({"table_limit": True}, "setting 'table_limit' in .* is True", AMOUNT),
    ],
)
def test_bad_settings(table, message, mend):
    with pytest.raises(UsageError, match=message) as caught:
        parse_config(table)
    assert caught.value.problem.hint == mend


def test_the_nearest_marker_makes_the_project(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.nbsteps]\nenv = 'off'\n")
    assert project_root(deep) == tmp_path
    assert store_folder(deep) == tmp_path / ".nbsteps"
    assert load_config(deep).env == "off"
    (tmp_path / "a" / ".git").mkdir()
    assert project_root(deep) == tmp_path / "a"
    assert load_config(deep) == Config()
    (deep / ".nbsteps").mkdir()
    assert store_folder(deep) == deep / ".nbsteps"


def test_the_environment_names_the_store(tmp_path, monkeypatch):
    monkeypatch.setenv("NBSTEPS_STORE", str(tmp_path / "elsewhere"))
    assert store_folder(tmp_path) == tmp_path / "elsewhere"
    monkeypatch.setenv("NBSTEPS_STORE", str(tmp_path / "elsewhere" / "store.duckdb"))
    assert store_folder(tmp_path) == tmp_path / "elsewhere"


@pytest.mark.parametrize("text", [b"[tool.nbsteps", b"\xff\xfe"])
def test_a_file_that_does_not_parse(tmp_path, text):
    (tmp_path / "pyproject.toml").write_bytes(text)
    with pytest.raises(UsageError, match=r"pyproject\.toml does not parse"):
        load_config(tmp_path)


@pytest.mark.parametrize(("text", "name"), [("tool = 3", "'tool'"), ("[tool]\nnbsteps = 'x'", "'nbsteps'")])
def test_a_setting_where_a_table_should_be(tmp_path, text, name):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(UsageError, match=rf"{name} in pyproject.toml is .*, and no table") as caught:
        load_config(tmp_path)
    assert caught.value.problem.hint.endswith("[tool.nbsteps]")
