"""Which cells of a headless run are executed: pure rules over the graph and what has failed so far."""

from __future__ import annotations

from collections.abc import Iterable

from nbsteps.core.cells import Context, Draft
from nbsteps.core.graph import Graph
from nbsteps.core.states import GOOD, StepState

NOT_NEEDED = "not needed"
_ENDS = {
    StepState.SKIPPED: "was skipped",
    StepState.WAITING: "waits for approval",
    StepState.PENDING: "has to wait",
    StepState.CANCELLED: "was cancelled",
}


class Gate:
    """Refuses cells that rest on what failed, and those that the wanted steps do not need."""

    def __init__(self, graph: Graph, wanted: tuple[str, ...] = ()) -> None:
        self._graph = graph
        self._wanted = graph.ancestors(wanted) if wanted else None
        self._lost: dict[str, str] = {}
        self._made: set[str] = set()

    def refusal(self, cell: Draft | Context) -> str:
        """Why the cell is not executed; ``""`` if it is. Steps whose inputs failed say so themselves."""
        if isinstance(cell, Draft):
            return NOT_NEEDED if self._wanted is not None and cell.name not in self._wanted else ""
        if self._wanted is not None and not self._needed(cell):
            return NOT_NEEDED
        lost = self.lost(cell.needs)
        if lost is None:
            return ""
        self.context_failed(cell, lost[1])
        return f"reads {lost[0]}, and {lost[1]}"

    def lost(self, names: Iterable[str]) -> tuple[str, str] | None:
        """The first of these names that is not there, and why; None if all may be."""
        return next(((name, self._lost[name]) for name in sorted(names) if name in self._lost), None)

    def _needed(self, cell: Context) -> bool:
        wanted = self._wanted or frozenset()
        return any(context.cell == cell.cell for name in wanted for context in self._graph.needs[name])

    def step_ended(self, name: str, state: StepState) -> None:
        """A step's turn is over. What it writes is there, or lost unless another member of its branch made it."""
        step = self._graph.steps.get(name)
        outputs = () if step is None else step.outputs
        if state in GOOD:
            self._made.update(outputs)
            for output in outputs:
                self._lost.pop(output, None)
            return
        for output in outputs:
            if output not in self._made:
                self._lost[output] = f"step {name} {_ENDS.get(state, 'did not succeed')}"

    def context_failed(self, cell: Context, reason: str = "") -> None:
        """A context cell ended without what it makes."""
        for name in cell.names.writes:
            self._lost.setdefault(name, reason or f"{cell.cell.label} failed")
