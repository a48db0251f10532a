"""Cells -> Graph and Problems: who writes what, who needs whom, in what order."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import count

from nbsteps.core.cells import MAGIC_LINE, Context, Draft, understand
from nbsteps.core.errors import Problem
from nbsteps.core.model import Cell, Step
from nbsteps.core.options import format_line
from nbsteps.core.ordering import find_cycles, topological_order
from nbsteps.core.wiring import Wiring, wire

_NO_NAMES: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Graph:
    """A notebook, understood.

    Attributes:
        steps: name to step, each after everything it needs; steps of a cycle come last, in document order.
        parents: step to the steps it needs directly, through data, ``--after`` or a context cell between them: those
            that its trigger rule looks at.
        children: step to the steps that come after it, as parents or as steps that they watch.
        sources: step to variable to the step that writes it, for the step's inputs; of a branch group the first member
            that writes it.
        contexts: the context cells, in document order.
        needs: step to the context cells that shape what it reads, transitively, in document order.
        parameters: names that a ``parameters`` cell assigns.
        problems: everything wrong or doubtful; errors keep the steps in ``blocked`` from running.
        blocked: steps with a problem of severity ``error``.
        consults: step to variable to the step that writes it, for what only the decision needs: read by ``--when``,
            ``--map-key`` or the text of ``--approve``. Steps without such a variable may be left out.
        asked: step to all variables of steps that those options read, the step's inputs among them.
        watched: step to the steps whose end it looks at although it needs nothing of them: by ``--when``, by
            ``--catch``, and the members of its branch group above it. They come first.
        groups: branch group to its members, in the order of their cells.
        joins: step to groups of its parents that stand for one: the members of a branch of which one makes an input.
        catches: pairs of a ``--catch`` step and the step that it catches.
    """

    steps: Mapping[str, Step] = field(default_factory=dict)
    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    contexts: tuple[Context, ...] = ()
    needs: Mapping[str, tuple[Context, ...]] = field(default_factory=dict)
    parameters: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()
    blocked: frozenset[str] = frozenset()
    consults: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    asked: Mapping[str, frozenset[str]] = field(default_factory=dict)
    watched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    joins: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    catches: tuple[tuple[str, str], ...] = ()

    def candidates(self, step: str, variable: str) -> tuple[str, ...]:
        """The steps of which one may have made an input or a consulted variable of a step, in the order of their cells.

        Raises:
            KeyError: no step makes it.
        """
        found = self.sources[step].get(variable) or self.consults[step][variable]
        group = self.steps[found].options.branch
        if not group:
            return (found,)
        return tuple(name for name in self.groups[group] if variable in self.steps[name].outputs and name != step)

    @cached_property
    def edges(self) -> Mapping[str, tuple[str, ...]]:
        """Step to everything that comes before it directly: parents, and the steps that it watches."""
        return _with(self.parents, self.watched)

    def ancestors(self, names: Iterable[str]) -> frozenset[str]:
        """The named steps and everything they need, directly or not."""
        return _reach(names, self.edges)

    def descendants(self, names: Iterable[str]) -> frozenset[str]:
        """The named steps and everything that needs them, directly or not."""
        return _reach(names, self.children)

    def written(self) -> frozenset[str]:
        """Every variable that some step writes."""
        return self._written

    def assigned(self) -> frozenset[str]:
        """Every name that some cell assigns."""
        return self._assigned

    @cached_property
    def _written(self) -> frozenset[str]:
        return frozenset(name for step in self.steps.values() for name in step.outputs)

    @cached_property
    def _assigned(self) -> frozenset[str]:
        return self._written.union(*(context.names.writes for context in self.contexts))

    def errors(self, names: Iterable[str] | None = None) -> tuple[Problem, ...]:
        """The problems of severity ``error``, all of them or those that concern the named steps."""
        wanted = None if names is None else set(names)
        return tuple(p for p in self.problems if p.severity == "error" and (wanted is None or p.step in wanted))


def build(cells: Sequence[Cell], known: Container[str] = ()) -> Graph:
    """Understand a notebook's code cells, in document order.

    Args:
        cells: the code cells.
        known: names that exist although no cell is seen to write them (a live kernel's namespace), so that declaring
            one as an input is no problem.

    One bad cell never keeps the others from being understood: whatever is wrong is in ``problems``.
    """
    drafts: list[Draft] = []
    contexts: list[Context] = []
    problems: list[Problem] = []
    for index, cell in enumerate(cells):
        understood, found = understand(cell, index)
        problems += found
        if isinstance(understood, Draft):
            drafts.append(understood)
        else:
            contexts.append(understood)
    unique, duplicates = _unique(drafts)
    problems += duplicates
    wiring = wire(unique, tuple(contexts), known)
    problems += wiring.problems
    return _assemble(unique, tuple(contexts), wiring, problems)


def _unique(drafts: Iterable[Draft]) -> tuple[dict[str, Draft], list[Problem]]:
    """The first draft of each name; a later one of the same name, or one without a name, is a problem."""
    unique: dict[str, Draft] = {}
    again = list[Draft]()
    for draft in drafts:
        if draft.name and unique.setdefault(draft.name, draft) is not draft:
            again.append(draft)
    taken = set(unique)
    problems = list[Problem]()
    for draft in again:
        first = unique[draft.name]
        free = next(f"{draft.name}_{i}" for i in count(2) if f"{draft.name}_{i}" not in taken)
        taken.add(free)
        message = f"step {draft.name} is defined twice: in {first.cell.label} and in {draft.cell.label}"
        line = MAGIC_LINE + format_line(free, draft.options)
        problems.append(Problem(draft.name, draft.cell.label, message, line))
    return unique, problems


def _assemble(
    drafts: Mapping[str, Draft], contexts: tuple[Context, ...], wiring: Wiring, problems: list[Problem]
) -> Graph:
    edges = _with(wiring.parents, wiring.watched)
    order, stuck = topological_order(edges)
    for cycle in find_cycles(stuck, edges) if stuck else ():
        problems += _cycle_problems(cycle, drafts, wiring)
    steps = {
        name: _step(
            drafts[name],
            tuple(wiring.sources[name]),
            wiring.outputs[name],
            wiring.reads[name],
            wiring.optional.get(name, _NO_NAMES),
            wiring.scratch.get(name, _NO_NAMES),
        )
        for name in (order + stuck if stuck else order)
    }
    parents = wiring.parents if order == tuple(wiring.parents) else {name: wiring.parents[name] for name in steps}
    return Graph(
        steps=steps,
        parents=parents,
        children=_reversed(_with(parents, wiring.watched)),
        sources=wiring.sources,
        contexts=contexts,
        needs=wiring.needs,
        parameters=frozenset(name for context in contexts if context.parameters for name in context.names.writes),
        problems=tuple(problems),
        blocked=frozenset(p.step for p in problems if p.severity == "error" and p.step in steps),
        consults=wiring.consults,
        asked=wiring.asked,
        watched=wiring.watched,
        groups=wiring.groups,
        joins=wiring.joins,
        catches=wiring.catches,
    )


def _with(
    parents: Mapping[str, tuple[str, ...]], watched: Mapping[str, tuple[str, ...]]
) -> Mapping[str, tuple[str, ...]]:
    """Both kinds of edges; the parents themselves where nothing is watched."""
    if not watched:
        return parents
    return {name: tuple(dict.fromkeys((*needed, *watched.get(name, ())))) for name, needed in parents.items()}


@lru_cache(maxsize=8192)
def _step(  # noqa: PLR0913 - the parts of one step, all needed
    draft: Draft,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    reads: frozenset[str],
    optional: frozenset[str],
    scratch: frozenset[str],
) -> Step:
    return Step(
        name=draft.name,
        cell=draft.cell,
        body=draft.body,
        options=draft.options,
        inputs=inputs,
        outputs=outputs,
        reads=reads,
        line_offset=draft.line_offset,
        optional=optional,
        scratch=scratch,
    )


def _cycle_problems(cycle: tuple[str, ...], drafts: Mapping[str, Draft], wiring: Wiring) -> Iterator[Problem]:
    """One problem for each step of a circle; the mend takes out what closes it, if that is an option."""
    pairs = [(name, cycle[(at + 1) % len(cycle)]) for at, name in enumerate(cycle)]
    chain = " -> ".join(f"{name} ({drafts[name].cell.label})" for name in (*cycle, cycle[0]))
    passed = [
        f"{reader} reads {variable} of {writer}"
        for writer, reader in pairs
        for variable, source in {**wiring.sources[reader], **wiring.consults.get(reader, {})}.items()
        if source == writer
    ]
    message = f"steps need each other in a circle: {chain}"
    hint = f"let one of them read or write another name: {', '.join(passed)}" if passed else "move a context cell"
    for writer, reader in pairs:
        if writer not in wiring.sources[reader].values():
            hint = _broken(writer, drafts[reader], wiring) or hint
    for name in cycle:
        here = f"in {drafts[name].cell.label}: "
        yield Problem(name, drafts[name].cell.label, message, hint.removeprefix(here))


def _broken(writer: str, reader: Draft, wiring: Wiring) -> str:
    """The line without the option by which a step comes after another; ``""`` if it is not an option."""
    options, where = reader.options, f"in {reader.cell.label}: "
    if writer in options.after:
        return where + reader.line(after=tuple(name for name in options.after if name != writer))
    if writer not in wiring.watched.get(reader.name, ()):
        return ""
    if writer == options.catch:
        return where + reader.line(catch="")
    if writer in reader.terms.steps:
        return f"{where}take {writer} out of --when"
    return f"{where}members of branch {options.branch} are tried from top to bottom: move it above step {writer}"


def _reversed(parents: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    children: dict[str, list[str]] = {name: [] for name in parents}
    for name, needed in parents.items():
        for parent in needed:
            children[parent].append(name)
    return {name: tuple(found) for name, found in children.items()}


def _reach(names: Iterable[str], edges: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    seen = set[str]()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += edges.get(name, ())
    return frozenset(seen)
