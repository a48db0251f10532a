"""The pause of the garbage collector leaves everything as it was."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from nbsteps.engine.services import paused_collector


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """The collector as the tests before left it."""
    running = gc.isenabled()
    yield
    gc.unfreeze()
    if running:
        gc.enable()
    else:
        gc.disable()


@pytest.mark.parametrize("running", [True, False])
def test_is_off_inside_and_as_before_behind(running: bool) -> None:
    if running:
        gc.enable()
    else:
        gc.disable()
    with paused_collector():
        assert not gc.isenabled()
    assert gc.isenabled() is running


def test_is_as_before_behind_an_error() -> None:
    gc.enable()
    with pytest.raises(ValueError, match="bad"), paused_collector():
        raise ValueError("bad")
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_what_the_user_froze_stays_frozen() -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    assert frozen
    with paused_collector():
        pass
    # Frozen objects that nobody refers to any more may go, but nothing is unfrozen.
    assert gc.get_freeze_count() > frozen // 2


def test_garbage_made_inside_is_collected_later() -> None:
    class Ring:
        """Refers to itself."""

    with paused_collector():
        ring = Ring()
        ring.self = ring  # type: ignore[attr-defined]
        gone = weakref.ref(ring)
        del ring
    assert gone() is not None
    gc.collect()
    assert gone() is None
