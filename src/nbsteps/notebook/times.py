"""What steps usually take, of a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from nbsteps.display.estimate import usual

if TYPE_CHECKING:
    from nbsteps.core.model import Result
    from nbsteps.ports import Store


def usual_times(store: Store, notebook: str, steps: Iterable[str]) -> dict[str, float]:
    """Step to the seconds that it usually takes; those that never succeeded are absent."""
    found = ((name, usual(store.durations(notebook, name))) for name in steps)
    return {name: seconds for name, seconds in found if seconds is not None}


class UsualTimes:
    """The same, asked again only of steps that succeeded anew."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], float | None] = {}

    def of(self, store: Store, notebook: str, results: Mapping[str, Result | None]) -> dict[str, float]:
        """Step to the seconds that it usually takes, of steps with their last results."""
        found: dict[tuple[str, str, str], float | None] = {}
        for name, result in results.items():
            if result is not None:
                key = (notebook, name, result.run_id)
                known = key in self._known
                found[key] = self._known[key] if known else usual(store.durations(notebook, name))
        self._known = found
        return {name: seconds for (_, name, _), seconds in found.items() if seconds is not None}
