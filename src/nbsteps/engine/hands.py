"""Who executes what in one kernel: the main thread, maps, lanes."""

from __future__ import annotations

from collections.abc import Callable

from nbsteps.engine.bindings import Bindings
from nbsteps.engine.contracts import Crew, Gate
from nbsteps.engine.dispatch import StepLanes
from nbsteps.engine.judge import Judge
from nbsteps.engine.maps.mapper import ItemMapper
from nbsteps.engine.services import Services


def crew(services: Services, bindings: Bindings, judge: Callable[[], Judge], gate: Gate) -> Crew:
    """The crew of one kernel."""
    return Crew(gate, ItemMapper(services, bindings, judge), StepLanes(services, bindings))
