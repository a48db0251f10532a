"""Looking up a map's items in the store: set-wise, each decided by the same rule as a step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from nbsteps.core.decide import Facts, decide
from nbsteps.core.model import CacheMode, Result, Step
from nbsteps.engine.judge import Identity, Judge
from nbsteps.engine.maps.items import Item
from nbsteps.engine.services import Services

_AT_ONCE: Final = 5000


class Finder:
    """Finds the stored results of items that can be taken instead of executing their bodies.

    Attributes:
        on: whether results are reused at all.
    """

    def __init__(  # noqa: PLR0913 - what a decision depends on
        self, services: Services, judge: Judge, step: Step, common: Identity, run_id: str, *, forced: bool
    ) -> None:
        self._services, self._judge, self._step, self._run_id = services, judge, step, run_id
        self.on = not (forced or common.uncacheable or step.options.cache is CacheMode.OFF)

    def find(self, items: Sequence[Item], missing: frozenset[str]) -> Iterator[tuple[Item, Result]]:
        """Items with the result to restore, in item order; ``missing`` are digests of values that are damaged."""
        if not self.on:
            return
        for start in range(0, len(items), _AT_ONCE):
            chunk = [item for item in items[start : start + _AT_ONCE] if not item.volatile]
            found = self._services.store.find_items([item.key for item in chunk]) if chunk else {}
            for item in chunk:
                candidates = found.get(item.key)
                result = None if candidates is None else self._decide(candidates, missing)
                if result is not None:
                    yield item, result

    def _decide(self, candidates: tuple[Result, ...], missing: frozenset[str]) -> Result | None:
        wanted = set(self._step.outputs)
        candidates = tuple(each for each in candidates if each.outputs.keys() >= wanted)
        facts = Facts(
            options=self._step.options,
            parts=(),
            candidates=candidates,
            now=self._services.clock.now(),
            run_id=self._run_id,
            changed=self._judge.changed(candidates),
            missing=missing,
        )
        return decide(facts).result
