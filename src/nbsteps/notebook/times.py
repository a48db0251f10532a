"""What steps usually take, of a store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nbsteps.display.estimate import usual

if TYPE_CHECKING:
    from nbsteps.ports import Store


def usual_times(store: Store, notebook: str, steps: Iterable[str]) -> dict[str, float]:
    """Step to the seconds that it usually takes; those that never succeeded are absent."""
    found = ((name, usual(store.durations(notebook, name))) for name in steps)
    return {name: seconds for name, seconds in found if seconds is not None}
