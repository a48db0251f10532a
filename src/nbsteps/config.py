"""``[tool.nbsteps]`` of the nearest ``pyproject.toml`` as one frozen value, and where the store of a notebook lives."""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from nbsteps.core.errors import UsageError

MARKERS = (".nbsteps", "pyproject.toml", ".git")


EVENTS = ("failed", "waiting", "succeeded", "slow")


@dataclass(frozen=True, slots=True)
class Notify:
    """Whom a project tells of what: ``[tool.nbsteps.notify]``.

    Attributes:
        urls: addresses as Apprise writes them; ``$NAME`` stands for an environment variable.
        events: which of ``failed``, ``waiting``, ``succeeded`` and ``slow`` they are told of.
    """

    urls: tuple[str, ...] = ()
    events: tuple[str, ...] = ("failed", "waiting", "slow")


@dataclass(frozen=True, slots=True)
class Config:
    """What a project may set.

    Attributes:
        env: how far package versions count: ``exact``, ``minor`` (major.minor) or ``off``.
        mutation: what an input changed in place means: ``error``, ``warn`` or ``off``.
        table_limit: bytes up to which a table is kept as a DuckDB table.
        inline_limit: bytes up to which a value is kept as a row.
        notify: whom to tell of failures, waits, successes and slow steps.
    """

    env: Literal["exact", "minor", "off"] = "minor"
    mutation: Literal["error", "warn", "off"] = "error"
    table_limit: int = 8_000_000
    inline_limit: int = 64_000
    notify: Notify = Notify()


_CHOICES = {"env": ("exact", "minor", "off"), "mutation": ("error", "warn", "off")}


def project_root(folder: Path) -> Path | None:
    """Nearest folder at or above ``folder`` that holds a project marker, or None."""
    for candidate in (folder, *folder.parents):
        if any((candidate / marker).exists() for marker in MARKERS):
            return candidate
    return None


def store_folder(folder: Path) -> Path:
    """The ``.nbsteps`` folder that serves notebooks in ``folder``; ``NBSTEPS_STORE`` overrides.

    ``NBSTEPS_STORE`` names the folder, or a ``.duckdb`` file whose folder is meant.
    """
    override = os.environ.get("NBSTEPS_STORE")
    if override:
        path = Path(override).expanduser().absolute()
        return path.parent if path.suffix == ".duckdb" else path
    return (project_root(folder) or folder) / ".nbsteps"


def load_config(folder: Path) -> Config:
    """Read ``[tool.nbsteps]`` for notebooks in ``folder``.

    Raises:
        UsageError: the file does not parse, or holds a setting or value that nbsteps does not know.
    """
    root = project_root(folder)
    file = root / "pyproject.toml" if root else None
    if file is None or not file.is_file():
        return Config()
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{file.name} does not parse: {error}"
        raise UsageError(msg, hint="mend the file, or remove it") from error
    for name in ("tool", "nbsteps"):
        found = found.get(name, {})
        if not isinstance(found, dict):
            msg = f"{name!r} in {file.name} is {found!r}, and no table"
            raise UsageError(msg, hint="settings stand below a line of their own: [tool.nbsteps]")
    return parse_config(found, where=file.name)


def parse_config(table: dict[str, Any], *, where: str = "pyproject.toml") -> Config:
    """Check a mapping of settings and freeze it.

    Raises:
        UsageError: an unknown setting, a value of the wrong type or outside its choices.
    """
    known = sorted(field.name for field in fields(Config))
    table = {**table, **({"notify": _notify(table["notify"], where)} if "notify" in table else {})}
    for name, value in table.items():
        if name not in known:
            msg = f"unknown setting {name!r} in [tool.nbsteps] of {where}"
            close = difflib.get_close_matches(name, known, n=1)
            raise UsageError(msg, hint=f"did you mean {close[0]}?" if close else f"known settings: {', '.join(known)}")
        if not _fits(name, value):
            msg = f"setting {name!r} in [tool.nbsteps] of {where} is {value!r}"
            choices = _CHOICES.get(name)
            raise UsageError(msg, hint=f"choose one of: {', '.join(choices)}" if choices else _AMOUNT)
    return Config(**table)


_AMOUNT = "give a whole number of bytes, from 0 on"


def _fits(name: str, value: object) -> bool:
    if name in _CHOICES:
        return value in _CHOICES[name]
    if name == "notify":
        return isinstance(value, Notify)
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _notify(table: object, where: str) -> Notify:
    """Check the table of addresses and freeze it.

    Raises:
        UsageError: it is none, or holds what nbsteps does not know.
    """
    section = f"[tool.nbsteps.notify] of {where}"
    hint = 'for example: urls = ["slack://$SLACK"], events = ["failed", "waiting"]'
    known = {field.name for field in fields(Notify)}
    if not isinstance(table, dict) or table.keys() - known:
        unknown = ", ".join(sorted(table.keys() - known)) if isinstance(table, dict) else "it is no table"
        raise UsageError(f"{section}: unknown setting: {unknown}", hint=hint)
    for name, value in table.items():
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise UsageError(f"{section}: {name} is no list of texts", hint=hint)
    wrong = [each for each in table.get("events", ()) if each not in EVENTS]
    if wrong:
        raise UsageError(f"{section}: unknown event {wrong[0]!r}", hint=f"choose among: {', '.join(EVENTS)}")
    return Notify(**{name: tuple(value) for name, value in table.items()})
