"""A store in a folder of its own, opened as often as a test likes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
