"""Environment variables: declared and observed, by digest alone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nbsteps.core.model import Part, PartKind
from nbsteps.identity.environment import changed_env, declared_env, observe_env, python_part


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NB_A", "secret")
    monkeypatch.setenv("NB_B", "b")
    monkeypatch.delenv("NB_UNSET", raising=False)


def names(parts: tuple[Part, ...]) -> tuple[str, ...]:
    return tuple(part.name for part in parts)


def test_declared_variables_count_by_value_and_keep_none() -> None:
    parts = declared_env(["NB_B", "NB_A", "NB_UNSET", "NB_A"])
    assert [(part.kind, part.name, part.detail) for part in parts] == [
        (PartKind.ENV, "NB_A", "set"),
        (PartKind.ENV, "NB_B", "set"),
        (PartKind.ENV, "NB_UNSET", "not set"),
    ]
    assert "secret" not in repr(parts)


@pytest.mark.parametrize(
    ("name", "value", "expect"),
    [
        ("NB_A", "secret", "same"),
        ("NB_A", "other", "changed"),
        ("NB_A", "", "changed"),
        ("NB_A", None, "changed"),
        ("NB_UNSET", "", "changed"),
        ("NB_B", "other", "same"),
    ],
)
def test_a_change_of_variables(name: str, value: str | None, expect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = declared_env(["NB_A", "NB_UNSET"])
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    assert ("same" if declared_env(["NB_A", "NB_UNSET"]) == before else "changed") == expect
    assert names(changed_env(before)) == (() if expect == "same" else (name,))


def body_loop() -> None:
    for _ in os.environ.items():
        pass


def body_thread() -> None:
    thread = threading.Thread(target=lambda: os.environ["NB_A"])
    thread.start()
    thread.join()


def body_own() -> None:
    os.environ["NB_UNSET"] = "x"
    assert os.environ["NB_UNSET"] == "x"
    del os.environ["NB_UNSET"]


def body_missing() -> None:
    with pytest.raises(KeyError):
        os.environ["NB_UNSET"]


@pytest.mark.parametrize(
    ("body", "expect"),
    [
        (lambda: os.environ["NB_A"], "NB_A"),
        (lambda: os.environ.get("NB_A"), "NB_A"),
        (lambda: os.environ.get("NB_UNSET", "x"), "NB_UNSET"),
        (lambda: os.getenv("NB_A"), "NB_A"),
        (lambda: "NB_UNSET" in os.environ, "NB_UNSET"),
        (lambda: (os.environ["NB_B"], os.environ["NB_A"]), "NB_A NB_B"),
        (lambda: os.environ.setdefault("NB_A", "x"), "NB_A"),
        (Path.home, ""),
        (lambda: dict(os.environ), "*"),
        (lambda: {**os.environ}, "*"),
        (os.environ.copy, "*"),
        (lambda: subprocess.run([sys.executable, "-c", ""], env={**os.environ}, check=True), "*"),
        (lambda: [name for name in os.environ if name.startswith("NB_")], "*"),
        (lambda: [os.environ.keys(), list(os.environ.keys())], "*"),
        (body_loop, "*"),
        (body_thread, "NB_A"),
        (body_own, ""),
        (body_missing, "NB_UNSET"),
    ],
)
def test_what_a_body_reads(body: Callable[[], object], expect: str) -> None:
    with observe_env() as seen:
        body()
    assert [part.name for part in seen.parts()] == expect.split()
    assert names(changed_env(seen.parts())) == ()


def test_the_object_stays_the_same_and_is_given_back() -> None:
    before, kind = os.environ, type(os.environ)
    with observe_env(), observe_env():
        assert os.environ is before
        assert isinstance(os.environ, kind)
    assert type(os.environ) is kind


def test_a_variable_counts_as_it_was_when_first_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with observe_env() as seen:
        os.environ["NB_A"]
        monkeypatch.setenv("NB_A", "later")
    assert names(changed_env(seen.parts())) == ("NB_A",)


def test_the_whole_environment_changes_with_any_variable_but_the_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    with observe_env() as seen:
        body_loop()
    monkeypatch.setenv("JPY_PARENT_PID", "42")
    assert names(changed_env(seen.parts())) == ()
    monkeypatch.setenv("NB_B", "other")
    assert names(changed_env(seen.parts())) == ("*",)


def test_the_python_version_is_a_part() -> None:
    part = python_part()
    assert part.kind is PartKind.PYTHON
    assert part.detail == f"{sys.version_info.major}.{sys.version_info.minor}"
