"""A store in a folder of its own, opened as often as a test likes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbsteps.store import home
from nbsteps.store.store import DuckStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".nbsteps"


@pytest.fixture
def opened(folder: Path) -> Iterator[Callable[..., DuckStore]]:
    stores: list[DuckStore] = []

    def make(**options: object) -> DuckStore:
        stores.append(DuckStore(folder, **options))  # type: ignore[arg-type]
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with every time that DuckDB is opened."""
    seen: list[str] = []
    real = home.Home._open

    def counted(self: home.Home, deadline: float, *, read_only: bool) -> Any:
        seen.append("read only" if read_only else "to write")
        return real(self, deadline, read_only=read_only)

    monkeypatch.setattr(home.Home, "_open", counted)
    return seen
