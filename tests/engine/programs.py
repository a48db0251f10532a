"""Random pipelines with rules, maps and questions, and an oracle of how they end that knows nothing of the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from nbsteps.core.policies import Trigger
from nbsteps.core.rules import Ruling, verdict
from nbsteps.core.states import GOOD, RunState, StepState

HELPERS = """
def num(value):
    return sum(value) if isinstance(value, list) else value or 0
"""
ITEMS = [3, 5, 7]
PLUS = 2
"""What is filled into forms."""
# These may decide while other parents are open: what such a step found of them would depend on the moment.
EARLY = {Trigger.ONE_SUCCESS, Trigger.ONE_FAILED, Trigger.ONE_DONE, Trigger.ALWAYS}
USUAL = [Trigger.ALL_SUCCESS, Trigger.NONE_FAILED]
NAMES = ("a", "b", "c", "m", "n", "o", "p", "q", "r")
MEMBERS = ("m", "n", "o")
SHARED = "shared"


@dataclass
class Cell:
    """One step of the program."""

    name: str
    constant: int
    reads: frozenset[str]
    trigger: Trigger
    retries: int
    flaky: int
    breaks: bool
    when: str
    catch: str
    mapped: bool
    asks: bool

    @property
    def member(self) -> bool:
        return self.name in MEMBERS

    @property
    def variable(self) -> str:
        return SHARED if self.member else f"v_{self.name}"

    def source(self) -> str:
        words = [f"--retries {self.retries} --trigger {self.trigger}"]
        early = self.trigger in EARLY
        if early and self.reads:
            words.append("--after " + " ".join(sorted(self.reads)))
        words += [f'--when "{self.when}"'] if self.when else []
        words += [f"--catch {self.catch}"] if self.catch else []
        words += ["--branch g"] if self.member else []
        words += ["--map item=items"] if self.mapped else []
        words += ["--approve 'Go on?' --ask plus:int"] if self.asks else []
        terms = [str(self.constant), *(["item"] if self.mapped else []), *(["plus"] if self.asks else [])]
        terms += [] if early else [f"num({variable})" for variable in sorted({producer(name) for name in self.reads})]
        failing = "if yes:\n    raise ValueError('told to')\n" if self.breaks else ""
        body = f"world('{self.name}')\n{failing}{self.variable} = {' + '.join(terms)}"
        return f"%%step {self.name} {' '.join(words)}\n{body}"


def producer(name: str) -> str:
    return SHARED if name in MEMBERS else f"v_{name}"


@st.composite
def programs(draw: Any) -> list[Cell]:
    cells: list[Cell] = []
    some_break, some_ask = draw(st.booleans()), draw(st.booleans())
    for at, name in enumerate(NAMES):
        earlier = [other for other in NAMES[:at] if not (name in MEMBERS and other in MEMBERS)]
        readable = [other for other in earlier if other not in MEMBERS[1:]]
        reads = draw(st.frozensets(st.sampled_from(readable), max_size=2)) if readable else frozenset()
        asked = [f"{word}('{other}')" for other in earlier for word in ("failed", "succeeded", "skipped")]
        retries = draw(st.integers(0, 2))
        mapped = draw(st.integers(0, 4)) == 0
        when = draw(st.sampled_from(["yes", "no", *asked])) if draw(st.integers(0, 3)) == 0 else ""
        cells.append(
            Cell(
                name=name,
                constant=draw(st.integers(0, 3)),
                reads=reads,
                trigger=draw(st.sampled_from(list(Trigger) if draw(st.integers(0, 3)) == 0 else USUAL)),
                retries=retries,
                # Of a map: that many of its items' bodies altogether, so that no item fails too often.
                flaky=draw(st.integers(0, retries)),
                breaks=some_break and draw(st.integers(0, 2)) == 0,
                # Only the last member may go without a condition: it takes what no other takes.
                when="yes" if name in MEMBERS[:2] and not when else when,
                catch=draw(st.sampled_from(earlier)) if earlier and draw(st.integers(0, 7)) == 0 else "",
                mapped=mapped,
                asks=some_ask and draw(st.integers(0, 3)) == 0,
            )
        )
    return cells


class Oracle:
    """How a run without faults ends, by the words of the documentation."""

    def __init__(self, cells: list[Cell]) -> None:
        self.ends: dict[str, StepState] = {}
        self.values: dict[str, Any] = {}
        self.taken = ""
        self.lost = False
        for cell in cells:
            self.ends[cell.name] = self.end(cell)
        caught = {cell.catch for cell in cells if cell.catch and self.ends[cell.name] in GOOD}
        failed = {name for name, state in self.ends.items() if state is StepState.FAILED}
        self.state = RunState.FAILED if failed - caught else RunState.SUCCEEDED

    def end(self, cell: Cell) -> StepState:
        kept = self.kept_from_running(cell)
        if kept is not None:
            self.lost = self.lost or (cell.member and kept is StepState.UPSTREAM_FAILED)
            return kept
        self.taken = self.taken or (cell.name if cell.member else "")
        if cell.breaks:
            return StepState.FAILED
        base = cell.constant + (PLUS if cell.asks else 0)
        if cell.trigger not in EARLY:
            base += sum(self.number(variable) for variable in {producer(name) for name in cell.reads})
        self.values[cell.variable] = [base + item for item in ITEMS] if cell.mapped else base
        return StepState.SUCCEEDED

    def kept_from_running(self, cell: Cell) -> StepState | None:
        if cell.member and (self.taken or self.lost):
            return StepState.SKIPPED if self.taken else StepState.UPSTREAM_FAILED
        if cell.catch and self.ends[cell.catch] is not StepState.FAILED:
            return StepState.SKIPPED
        found = verdict(cell.trigger, self.parents(cell))
        if found is Ruling.UPSTREAM_FAILED:
            return StepState.UPSTREAM_FAILED
        return StepState.SKIPPED if found is Ruling.SKIP or not self.holds(cell.when) else None

    def number(self, variable: str) -> int:
        value = self.values.get(variable, 0)
        return sum(value) if isinstance(value, list) else value

    def parents(self, cell: Cell) -> list[StepState]:
        early = cell.trigger in EARLY
        found = [self.ends[name] for name in cell.reads if early or name not in MEMBERS]
        if not early and not cell.reads.isdisjoint(MEMBERS):
            members = [self.ends[name] for name in MEMBERS]
            order = (StepState.SUCCEEDED, StepState.FAILED, StepState.UPSTREAM_FAILED, StepState.SKIPPED)
            found.append(next(state for state in order if state in members))
        return found

    def holds(self, when: str) -> bool:
        states = {"failed": StepState.FAILED, "succeeded": StepState.SUCCEEDED, "skipped": StepState.SKIPPED}
        word, _, step = when.removesuffix("')").partition("('")
        return self.ends[step] is states[word] if step else when != "no"
