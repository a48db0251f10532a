"""The process-wide random generators: of ``random``, of ``numpy.random`` and, where it is loaded, of torch's CPU.

A body that draws from them depends on how they were seeded before it. What counts is the seeding, not how many numbers
were drawn since: else no step could be restored without drawing what it drew. Seeding inside a body concerns that body
alone.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final

from nbsteps.core.model import Part, PartKind
from nbsteps.identity import content
from nbsteps.identity.feed import digest_texts

UNSEEDED: Final = digest_texts("unseeded")
_HOMES: Final = {"random.seed": "random", "numpy.random.seed": "numpy.random", "torch.manual_seed": "torch"}
_SEEDERS: Final = ("seed", "setstate", "set_state", "set_bit_generator", "manual_seed", "set_rng_state")
_PLAIN: Final = frozenset({type(None), str, int, float, tuple})
_FEW: Final = 5
"""Members of the tuple that a generator's state is; the tuple of words inside it is compared as a whole."""
_seedings: dict[str, str] = {}
_active: list[Draws] = []
_lock = threading.Lock()


def prepare(module: ModuleType) -> None:
    """Take note from now on of who seeds the generator of this module."""
    name = next(name for name, home in _HOMES.items() if home == module.__name__)
    for attribute in _SEEDERS:
        function = getattr(module, attribute, None)
        if callable(function) and not hasattr(function, "__wrapped__"):
            noting = _noting(function, name, attribute, module.__name__)
            setattr(module, attribute, noting)
            defined = sys.modules.get(getattr(function, "__module__", None) or "")  # torch.random, for torch
            if getattr(defined, attribute, None) is function:
                setattr(defined, attribute, noting)


def _noting(function: Callable[..., Any], name: str, attribute: str, home: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def noting(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        given = (*args, *kwargs.values())
        _seeded(name, by_chance=not given or given[0] is None)
        return result

    noting.__module__, noting.__qualname__ = home, attribute  # where it is found, so that it counts by its package
    return noting


def _seeded(name: str, *, by_chance: bool) -> None:
    observers = list(_active)
    for observer in observers:
        observer.seeded.add(name)
    if not observers:
        state = _state(name)
        _seedings[name] = UNSEEDED if by_chance or state is None else content.digest(state)


def _state(name: str) -> Any:
    """The generator's state; None while its module is not loaded."""
    module: Any = sys.modules.get(_HOMES[name])
    if module is None:
        return None
    if name == "random.seed":
        return module.getstate()
    if name == "torch.manual_seed":
        ask = getattr(module, "get_rng_state", None)  # None while torch is being imported
        return None if ask is None else ask().numpy()
    # Asked for as a tuple, numpy warns where another bit generator was put in.
    state = module.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        return state
    return "MT19937", state["state"]["key"], state["state"]["pos"], state["has_gauss"], state["gauss"]


def _same(one: Any, other: Any) -> bool:
    """Whether two states are the same: asked after every body, so digests of whole states are too slow."""
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple) and len(one) == len(other) <= _FEW:
        return all(map(_same, one, other))
    if hasattr(one, "tobytes"):
        return bool(one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes())
    if type(one) in _PLAIN:
        return bool(one == other)
    return content.digest(one) == content.digest(other)


def seeding_part(name: str) -> Part | None:
    """The part for how a generator was seeded last, outside bodies; None if the name stands for no generator."""
    return random_part(name, _seedings.get(name, UNSEEDED)) if name in _HOMES else None


def random_part(name: str, seeded: str) -> Part:
    """The part for a generator, given the digest of how it was seeded."""
    return Part(PartKind.ENV, name, seeded, "not seeded" if seeded == UNSEEDED else "seeded", "random")


class Draws:
    """Which generators one body draws from without having seeded them itself."""

    def __init__(self) -> None:
        self.seeded: set[str] = set()
        self._before = {name: _state(name) for name in _HOMES}
        self._drawn: dict[str, str] = {}
        with _lock:
            _active.append(self)

    def finish(self) -> None:
        """The body ended: see which states have moved on."""
        with _lock:
            _active.remove(self)
        for name, before in self._before.items():
            if before is not None and name not in self.seeded and not _same(before, _state(name)):
                self._drawn[name] = _seedings.get(name, UNSEEDED)

    def drawn(self) -> Iterator[tuple[str, str]]:
        """Names of the generators drawn from, each with the digest of its seeding."""
        yield from sorted(self._drawn.items())
