"""The findings of a walk over a cell's statements, and what is surely assigned at the point where it stands."""

from __future__ import annotations

from nbsteps.core.escapes import MAGIC
from nbsteps.core.scopes import NOTHING, Uses, merge


class State:
    """What is known at one point.

    Attributes:
        bound: names that the code has surely assigned.
        gone: names that the code has surely deleted.
    """

    __slots__ = ("bound", "gone")

    def __init__(self, bound: set[str], gone: set[str]) -> None:
        self.bound = bound
        self.gone = gone

    def copy(self) -> State:
        """A state that changes on its own."""
        return State(self.bound.copy(), self.gone.copy())


Path = State | None
"""A state, or None where control cannot come."""


def join(first: Path, second: Path) -> Path:
    """What is sure whichever way control came."""
    if first is None or second is None:
        return second if first is None else first
    return State(first.bound & second.bound, first.gone & second.gone)


class Ledger:
    """What a walk over a module has found, and where it stands.

    Attributes:
        reads: names read while not surely assigned.
        first_reads: those of them that were read before the code can have assigned them.
        stored: names assigned on some path, in order.
        remote: names that bodies assign, which may be called again after the name was deleted.
        candidates: those assigned as plain values, in order.
        mutated: names whose parts are changed while not surely assigned here.
        bodies: functions, classes and aliases of types, and what they use when called.
        aliases: names assigned from expressions that mention functions, and the names mentioned there.
        last: the state where the walk stands, or stood last where control cannot come.
        shadow: variables of comprehensions (and type parameters) around the present point.
    """

    def __init__(self) -> None:
        self.last = State(set(), set())
        self.path: Path = self.last
        self.shadow: frozenset[str] = frozenset()
        self.reads: set[str] = set()
        self.first_reads: set[str] = set()
        self.stored: dict[str, None] = {}
        self.remote: set[str] = set()
        self.candidates: dict[str, None] = {}
        self.mutated: set[str] = set()
        self.defs: set[str] = set()
        self.imports: dict[str, str] = {}
        self.modules: dict[str, None] = {}
        self.stars: dict[str, None] = {}
        self.bodies: dict[str, Uses] = {}
        self.aliases: dict[str, frozenset[str]] = {}

    def load(self, name: str) -> None:
        """Note that ``name`` is read here."""
        if name in self.shadow or name == MAGIC:
            return
        self._read(name)
        if name in self.bodies or name in self.aliases:
            self._fire(name)

    def _read(self, name: str) -> None:
        if name not in self.last.bound:
            self.reads.add(name)
            if name not in self.stored:
                self.first_reads.add(name)

    def _fire(self, name: str) -> None:
        """Look into what may be called from here on, through any number of functions."""
        seen: set[str] = set()
        stack = [name]
        while stack:
            current = stack.pop()
            if current in seen:
                continue
            seen.add(current)
            uses = self.bodies.get(current)
            if uses is not None:
                self._use_globals(uses)
                stack.extend(uses.reads)
            stack.extend(self.aliases.get(current, ()))

    def _use_globals(self, uses: Uses) -> None:
        for name in uses.reads:
            self._read(name)
        self.mutated |= uses.mutated - self.last.bound

    def use_now(self, uses: Uses) -> None:
        """Note what code uses that runs here, in the reach of the variables of comprehensions around it."""
        for name in uses.reads:
            self.load(name)
        self.mutated |= uses.mutated - self.last.bound - self.shadow
        self._note(uses)

    def _note(self, uses: Uses) -> None:
        self.stored.update(dict.fromkeys(uses.writes))
        self.remote |= uses.writes
        self.last.gone -= uses.writes
        self.modules.update(dict.fromkeys(uses.modules))

    def store(self, name: str, *, candidate: bool = False) -> None:
        """Note that ``name`` is assigned here; a candidate is a plain value."""
        self.stored[name] = None
        self.last.bound.add(name)
        self.last.gone.discard(name)
        if candidate:
            self.candidates[name] = None

    def define(self, name: str, uses: Uses) -> None:
        """Note that ``name`` becomes something whose body uses ``uses`` when it is called."""
        self.bodies[name] = merge(self.bodies.get(name, NOTHING), uses)
        self._note(uses)

    def go(self, path: Path) -> None:
        """Continue from ``path``."""
        self.path = path
        if path is not None:
            self.last = path

    def here(self) -> Path:
        """The present state, to come back to."""
        return None if self.path is None else self.path.copy()

    def stop(self) -> None:
        """Control does not come past this point."""
        self.path = None

    def finish(self) -> None:
        """Look into functions that nobody has called yet: they may be called later."""
        for uses in self.bodies.values():
            self._use_globals(uses)
