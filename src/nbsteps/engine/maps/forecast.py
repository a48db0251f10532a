"""How many items of a map a run would execute: counted in a forecast where that costs little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nbsteps.core.model import Artifact, Step
from nbsteps.engine.bindings import NO_VALUE, Bindings
from nbsteps.engine.judge import Identity, Judge
from nbsteps.engine.maps.items import identify_items, read_items
from nbsteps.engine.maps.lookup import Finder
from nbsteps.engine.services import Services

_SMALL: Final = 1 << 20
"""Stored bytes up to which what a map runs over is read for a forecast."""
_FEW: Final = 10_000


def due_items(  # noqa: PLR0913 - what a decision about items depends on
    services: Services, bindings: Bindings, judge: Judge, step: Step, identity: Identity, *, forced: bool
) -> tuple[int, int] | None:
    """Items that would be executed, and all of them; None where that cannot be told at little cost."""
    wanted = _needed(step, identity)
    if wanted is None:
        return None
    try:
        # The user's own variables stay as they are.
        namespace = {**services.evaluator.namespace, **{name: services.store.get(wanted[name]) for name in wanted}}
        values = read_items(step, namespace)
        if len(values) > _FEW:
            return None
        common = judge.common(step, identity.inputs)
        items = identify_items(step, common.key, values, namespace)
        finder = Finder(services, judge, step, common, "", forced=forced)
        kept = {item.position for item, _ in finder.find(items, frozenset(bindings.missing))}
    except Exception:  # noqa: BLE001 - what fails in a forecast fails again in the run, and is reported there
        return None
    if not finder.on:
        return len(items), len(items)
    return len({item.key for item in items if item.position not in kept}), len(items)


def _needed(step: Step, identity: Identity) -> Mapping[str, Artifact] | None:
    """Stored values that the map runs over; None if they are large, or not there."""
    found: dict[str, Artifact] = {}
    for source in step.options.map:
        bound = identity.inputs.get(source.items)
        if bound is NO_VALUE or (bound is not None and bound.artifact is not None and bound.artifact.bytes > _SMALL):
            return None
        if bound is not None and bound.artifact is not None:
            found[source.items] = bound.artifact
    return found
