"""Which items of a map are next: those that wait for nothing, in item order, and retries when their time has come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Final

from nbsteps.engine.maps.items import Item

_BATCH_SECONDS: Final = 0.25
_LARGEST: Final = 1024
_GROWTH: Final = 8


class ItemQueue:
    """Items that are still to be executed, with the delay before each."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._ready = deque(items)
        self._waiting: list[tuple[float, int, float, Item]] = []

    def __len__(self) -> int:
        return len(self._ready) + len(self._waiting)

    def postpone(self, item: Item, delay: float, now: float) -> None:
        """Have an item executed again after so many seconds."""
        heappush(self._waiting, (now + delay, item.position, delay, item))

    def put_first(self, items: Iterable[Item]) -> None:
        """Have these items executed next."""
        self._ready.extendleft(reversed(list(items)))

    def take(self, count: int, now: float) -> list[tuple[Item, float]]:
        """At most so many items that can be executed now, each with the seconds it has waited."""
        taken: list[tuple[Item, float]] = []
        while self._waiting and self._waiting[0][0] <= now and len(taken) < count:
            _, _, delay, item = heappop(self._waiting)
            taken.append((item, delay))
        while self._ready and len(taken) < count:
            taken.append((self._ready.popleft(), 0.0))
        return taken

    def ready(self, now: float) -> bool:
        """Whether an item can be executed now."""
        return bool(self._ready) or self.is_due(now)

    def is_due(self, now: float) -> bool:
        """Whether a retry may start."""
        return bool(self._waiting) and self._waiting[0][0] <= now

    def due(self) -> float | None:
        """When the next retry may start; None if none waits."""
        return self._waiting[0][0] if self._waiting else None


class Pace:
    """How many items go into a batch: as many as take a quarter of a second by what the last ones took."""

    def __init__(self) -> None:
        self.size = 1

    def took(self, count: int, seconds: float, *, beside: float = 0.0) -> None:
        """A batch of so many items took so long, and so long ``beside``, whatever their number."""
        each = max(seconds / count, 1e-6)
        enough = max(_BATCH_SECONDS, 10 * beside)
        self.size = max(1, min(int(enough / each), self.size * _GROWTH, _LARGEST))
