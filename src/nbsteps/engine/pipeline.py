"""The pipeline that a notebook's cells make in one kernel, as it stands: graph, bindings, what persons decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nbsteps.core import findings
from nbsteps.core.errors import UsageError
from nbsteps.core.graph import Graph, build
from nbsteps.core.model import Cell, Step
from nbsteps.engine.approval import Approvals
from nbsteps.engine.bindings import Bindings, Bound
from nbsteps.engine.contexts import ContextKeeper
from nbsteps.engine.judge import Identity, Judge
from nbsteps.engine.lifecycle import given_parts
from nbsteps.engine.notebook import NotebookCells
from nbsteps.engine.services import Services, paused_collector


class Pipeline:
    """What a forecast, a cell by itself and a run all look at.

    Attributes:
        services: what the engine gets from outside.
        cells: the notebook's.
        bindings: what the kernel's variables hold, as results.
        keeper: executes context cells where they are needed.
        gate: what persons decided.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.cells = NotebookCells()
        self.bindings = Bindings(services)
        self.keeper = ContextKeeper(services, self.bindings)
        self.gate = Approvals(services)
        self._graph: Graph | None = None
        self._built_from: tuple[Cell, ...] = ()
        self._judge: Judge | None = None
        self._parameters: dict[str, object] = {}

    def graph(self) -> Graph:
        """The notebook's graph, rebuilt only when a cell changed."""
        cells = self.cells.merged()
        stale = self._graph is None or cells is not self._built_from or bool(self._graph.errors())
        if self._graph is None or stale:
            with paused_collector():
                if self._graph is None:
                    findings.give(self.services.store.findings())
                self._graph = build(cells, self.services.evaluator.namespace)
            self._built_from = cells
            self._judge = None
        return self._graph

    def judge(self) -> Judge:
        """Collects facts over the current graph."""
        graph = self.graph()
        if self._judge is None:
            self._judge = Judge(self.services, self.bindings, graph)
        return self._judge

    def note_context(self, cell: Cell) -> None:
        """The user executed a context cell."""
        self.keeper.note(cell.source, self.graph())

    def select(self, targets: Iterable[str] = ()) -> tuple[str, ...]:
        """The target steps and what they need, in graph order; all steps if no target is given.

        Raises:
            UsageError: a target is no step of the notebook.
        """
        graph = self.graph()
        wanted = tuple(targets)
        for name in wanted:
            self._require(name, graph)
        chosen = graph.ancestors(wanted) if wanted else frozenset(graph.steps)
        return tuple(name for name in graph.steps if name in chosen)

    def _require(self, name: str, graph: Graph) -> None:
        if name not in graph.steps:
            import difflib  # noqa: PLC0415 - only for a message

            close = difflib.get_close_matches(name, list(graph.steps), n=1)
            steps = ", ".join(graph.steps) or "none"
            hint = f"did you mean {close[0]}?" if close else f"steps of this notebook: {steps}"
            msg = f"there is no step {name!r}"
            raise UsageError(msg, hint=hint)

    def past_gate(
        self, step: Step, identity: Identity, inputs: Mapping[str, Bound], judge: Judge | None = None
    ) -> Identity:
        """What the step is with the values that a person approved it with; unchanged where nobody has.

        Args:
            step: has ``--approve``.
            identity: what it is without them.
            inputs: what it reads.
            judge: of another graph than the session's, where the step is of that.
        """
        opened = self.gate.known(step, identity)
        if opened is None or not opened.values:
            return identity
        return (judge or self.judge()).identify(step, inputs, tuple(given_parts(opened.values)))

    def is_open(self, step: Step, identity: Identity) -> bool:
        """Whether a person has approved the step as it is."""
        return self.gate.known(step, identity) is not None

    @property
    def parameters(self) -> Mapping[str, object]:
        """What was set for variables of a ``parameters`` cell so far."""
        return self._parameters

    def set_parameters(self, values: Mapping[str, object]) -> None:
        """Set variables that a ``parameters`` cell assigns.

        Raises:
            UsageError: one of them is assigned by no ``parameters`` cell.
        """
        graph = self.graph()
        for name in values:
            if name not in graph.parameters:
                known = ", ".join(sorted(graph.parameters))
                hint = f"parameters: {known}" if known else "tag the cell that assigns it with 'parameters'"
                msg = f"the notebook has no parameter {name!r}"
                raise UsageError(msg, hint=hint)
        self._parameters.update(values)
        self.keeper.override(graph, values)
