"""What the options on when, how often and with whose consent a step runs refer to, beyond its body."""

from __future__ import annotations

import builtins
from operator import attrgetter
from typing import Final, NamedTuple

from nbsteps.core.conditions import read_condition
from nbsteps.core.model import StepOptions
from nbsteps.core.names import analyse
from nbsteps.core.placeholders import placeholders

ERROR: Final = "error"
"""The name under which the body of a ``--catch`` step finds the exception."""
_BUILTINS = frozenset(dir(builtins))
_NO_NAMES: frozenset[str] = frozenset()
_referring = attrgetter("map", "map_key", "ask", "when", "approve", "catch", "branch", "pool")


class Terms(NamedTuple):
    """The names and steps in the options of one step.

    Attributes:
        bound: names that the engine binds for the body: loop variables, form fields, the caught exception.
        items: variables that ``--map`` runs over.
        consults: variables that the decision needs, by ``--when``, ``--map-key`` or the text of ``--approve``.
        steps: steps whose end is asked for by ``--when`` or ``--catch``.
        shares: whether it shares a branch or a pool with others.
    """

    bound: frozenset[str] = _NO_NAMES
    items: tuple[str, ...] = ()
    consults: frozenset[str] = _NO_NAMES
    steps: tuple[str, ...] = ()
    shares: bool = False


NO_TERMS: Final = Terms()
"""Of a step with no such option: the same object, so that asking for it costs nothing."""


def terms(options: StepOptions) -> Terms:
    """What the options refer to."""
    if not any(_referring(options)):
        return NO_TERMS
    bound = {source.item for source in options.map} | {field.name for field in options.ask}
    consults: frozenset[str] = _NO_NAMES
    steps: tuple[str, ...] = ()
    if options.when:
        condition = read_condition(options.when)
        consults, steps = condition.names, condition.steps
    if options.map_key:
        consults |= analyse(options.map_key.strip()).reads
    if options.approve:
        consults = consults.union(placeholders(options.approve).names)
    if options.catch:
        bound.add(ERROR)
        steps = tuple(dict.fromkeys((*steps, options.catch)))
    items = tuple(dict.fromkeys(source.items for source in options.map))
    found = Terms(frozenset(bound), items, consults.difference(bound, _BUILTINS), steps, _shares(options))
    return NO_TERMS if found == NO_TERMS else found


def _shares(options: StepOptions) -> bool:
    return bool(options.branch) or options.pool is not None
