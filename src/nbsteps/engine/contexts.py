"""Context cells: which of them a step needs executed first, and executing them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nbsteps.core.cells import Context
from nbsteps.core.errors import NbstepsError
from nbsteps.core.events import ContextExecuted
from nbsteps.core.graph import Graph
from nbsteps.core.model import Cell, Step
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.engine.bindings import Bindings
from nbsteps.engine.edits import concerns, texts
from nbsteps.engine.services import Services
from nbsteps.identity.modules import remember_imports


class ContextError(NbstepsError):
    """A context cell that a step needs raised an error; ``cause`` is the user's exception."""

    exit_code = 1

    def __init__(self, cell: Cell, step: str, cause: BaseException, traceback: str) -> None:
        seen = f"{type(cause).__name__}: {cause}"
        super().__init__(f"{cell.label}, which step {step} needs, failed: {seen}", step=step, cell=cell.label)
        self.cause = cause
        self.traceback = traceback


@dataclass(frozen=True, slots=True)
class _Executed:
    """An execution: its place in the sequence, and the step variables as they were."""

    sequence: int
    seen: Mapping[str, str | None] = field(default_factory=dict)


class ContextKeeper:
    """Knows which context cells this kernel has executed, and whether what they rest on has changed since."""

    def __init__(self, services: Services, bindings: Bindings) -> None:
        self._services = services
        self._bindings = bindings
        self._executed: dict[str, _Executed] = {}
        self._sequence = 0
        self._texts: dict[str, str] = {}
        self._learnt: tuple[Graph | None, int] = (None, 0)
        self.parameters: dict[str, object] = {}
        """Values that replace what a ``parameters`` cell assigns."""

    def note(self, source: str, graph: Graph | None = None) -> None:
        """The user or the engine executed a cell with this source; ``graph`` tells what it rests on."""
        context = None if graph is None else next((c for c in graph.contexts if c.cell.source == source), None)
        seen = {} if context is None or graph is None else self._seen(context, graph)
        self._sequence += 1
        self._executed[source] = _Executed(self._sequence, seen)
        if graph is not None:
            self._learn(graph)
        self._services.epoch += 1
        remember_imports()

    def override(self, graph: Graph, values: Mapping[str, object]) -> None:
        """Set parameters; everything that rests on a ``parameters`` cell is due again."""
        self.parameters.update(values)
        for context in graph.contexts:
            if context.parameters and context.cell.source in self._executed:
                self.note(context.cell.source, graph)
        self._services.evaluator.namespace.update(values)
        self._services.epoch += 1

    def prepare(self, step: Step, graph: Graph, run_id: str, *, lacking_only: bool = False) -> None:
        """Execute what of the context the step needs and the kernel lacks, or has of an older text, in document order.

        With ``lacking_only`` a cell whose names are there is left alone even if it, or what it rests on, has changed
        since.

        Raises:
            ContextError: a cell raised.
            StoreError: a stored value that a cell reads cannot be read back.
        """
        again = frozenset() if lacking_only else self._again(step, graph)
        for context in graph.needs[step.name]:
            wanted = self._lacking(context) if lacking_only else context.index in again or self._due(context, graph)
            if wanted:
                self._execute(context, step, graph, run_id)

    def due(self, step: Step, graph: Graph) -> tuple[Context, ...]:
        """The context cells that :meth:`prepare` would execute now."""
        again = self._again(step, graph)
        return tuple(each for each in graph.needs[step.name] if each.index in again or self._due(each, graph))

    def edits(self, step: Step, graph: Graph) -> tuple[Reason, ...]:
        """What keeps from being told how the step stands: context cells that were edited and not executed since.

        Each is named by what the step reads of it, where that can be told.
        """
        return tuple(
            Reason(
                ReasonKind.EDITED,
                min(context.names.writes & step.reads, default=context.cell.label),
                self._texts[context.cell.id],
                context.cell.source,
            )
            for context in self._edited(step, graph)
        )

    def _edited(self, step: Step, graph: Graph) -> tuple[Context, ...]:
        """The cells that this kernel executed with another text, where what is new in them concerns the step."""
        self._learn(graph)
        needed = graph.needs.get(step.name, ())
        changed = [c for c in needed if self._texts.get(c.cell.id, c.cell.source) != c.cell.source]
        if not changed:
            return ()
        wanted = step.reads.union(*(context.names.reads for context in needed))
        return tuple(c for c in changed if concerns(c.cell.source, texts([self._texts[c.cell.id]]), wanted))

    def _again(self, step: Step, graph: Graph) -> frozenset[int]:
        """Positions of the edited cells, and of later ones that change what those make."""
        edited = self._edited(step, graph)
        renewed = frozenset[str]().union(*(context.shapes for context in edited))
        first = min((context.index for context in edited), default=0)
        later = (c for c in graph.needs.get(step.name, ()) if c.index > first and not c.shapes.isdisjoint(renewed))
        return frozenset(context.index for context in (*edited, *later))

    def _learn(self, graph: Graph) -> None:
        """Remember which text of each cell was executed last; of a cell without an identifier nobody can tell."""
        if self._learnt[0] is graph and self._learnt[1] == self._sequence:
            return
        self._learnt = (graph, self._sequence)
        for context in graph.contexts:
            cell, done = context.cell, self._executed.get(context.cell.source)
            before = self._executed.get(self._texts.get(cell.id, ""))
            if cell.id and done is not None and (before is None or before.sequence < done.sequence):
                self._texts[cell.id] = cell.source

    def _lacking(self, context: Context) -> bool:
        """Whether the kernel has not executed the cell and does not have what it makes either."""
        if context.cell.source in self._executed:
            return False
        namespace = self._services.evaluator.namespace
        made = context.names.writes
        return not made or any(name not in namespace for name in made)

    def _due(self, context: Context, graph: Graph) -> bool:
        done = self._executed.get(context.cell.source)
        if done is None:
            return self._lacking(context)
        if done.seen and self._seen(context, graph) != done.seen:
            return True
        return any(
            earlier.index < context.index
            and not earlier.shapes.isdisjoint(context.names.reads)
            and self._sequence_of(earlier) > done.sequence
            for earlier in graph.contexts
        )

    def _sequence_of(self, context: Context) -> int:
        done = self._executed.get(context.cell.source)
        return 0 if done is None else done.sequence

    def _seen(self, context: Context, graph: Graph) -> dict[str, str | None]:
        """Digests of the step variables that the cell reads, as steps last wrote them."""
        names = (context.names.reads | context.touched | context.names.mutated) & graph.written()
        bound = {name: self._bindings.known(name) for name in names}
        return {name: None if known is None else known.digest for name, known in bound.items()}

    def _execute(self, context: Context, step: Step, graph: Graph, run_id: str) -> None:
        services = self._services
        reads = context.names.reads | context.touched | context.names.mutated
        services.evaluator.materialise(name for name in sorted(reads) if services.evaluator.pending(name))
        outcome = services.evaluator.run_context(context.cell)
        if isinstance(outcome.error, KeyboardInterrupt):
            raise outcome.error
        if outcome.error is not None:
            raise ContextError(context.cell, step.name, outcome.error, outcome.traceback)
        if context.parameters:
            services.evaluator.namespace.update(self.parameters)
        self.note(context.cell.source, graph)
        services.emit(ContextExecuted(services.clock.now(), run_id, context.cell.label, outcome.duration))
