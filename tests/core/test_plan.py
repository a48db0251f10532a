"""The forecast: what is certain to run, what may run, what is restored."""

from __future__ import annotations

import pytest

from nbsteps.core.decide import Action, Decision, Facts
from nbsteps.core.graph import build
from nbsteps.core.model import Artifact, Cell, Part, PartKind, Result, Step
from nbsteps.core.plan import Plan, forecast
from nbsteps.core.reasons import Reason, ReasonKind

CHAIN = ("%%step a\nx = 1", "%%step b\ny = x", "%%step c\nz = y")


class World:
    """What is stored: for each step a result of its present code over its parents' last outputs.

    Steps in ``changed`` had other code, those in ``cleared`` have nothing at all, those in ``lost`` no result for any
    key but a memory of their inputs; those in ``files`` read a file.
    """

    def __init__(self, sources: tuple[str, ...], changed: str = "", cleared: str = "", files: str = "") -> None:
        self.graph = build([Cell(f"cell {n}", source) for n, source in enumerate(sources, 1)])
        self.changed, self.cleared, self.files = changed.split(), cleared.split(), files.split()

    def artifact(self, name: str) -> Artifact:
        return Artifact(f"digest of {name}", "int", "plain", 1, "inline", "c")

    def parts(self, step: Step, inputs: dict[str, Artifact], code: str) -> tuple[Part, ...]:
        values = tuple(Part(PartKind.VALUE, name, found.digest, role="input") for name, found in inputs.items())
        return (Part(PartKind.CODE, "", code), *values)

    def result(self, step: Step) -> Result:
        inputs = {name: self.artifact(name) for name in self.graph.sources[step.name]}
        observed = (Part(PartKind.FILE, "f", "1"),) if step.name in self.files else ()
        code = "old" if step.name in self.changed else "new"
        outputs = {name: self.artifact(name) for name in step.outputs}
        return Result("k", "s", "nb", step.name, "run", outputs, self.parts(step, inputs, code), observed)

    def assess(self, step: Step, inputs: dict[str, Artifact]) -> Facts | Decision:
        parts = self.parts(step, inputs, "new")
        if step.name in self.cleared:
            return Facts(step.options, parts)
        last = self.result(step)
        return Facts(step.options, parts, (last,) if last.parts == parts else (), last_parts=last.parts)

    def latest(self, name: str) -> dict[str, Artifact]:
        return {} if name in self.cleared else dict(self.result(self.graph.steps[name]).outputs)

    def plan(self, *selection: str) -> Plan:
        chosen = self.graph.ancestors(selection) if selection else frozenset(self.graph.steps)
        return forecast(self.graph, chosen, self.assess, self.latest)


def check(sources: tuple[str, ...], expect: str, **world: str) -> None:
    """Assert the plan, as ``step: decision (reasons)``."""
    plan = World(sources, **world).plan()
    found = [
        f"{name}: {decision.action}" + (f" ({decision.text})" if decision.reasons else "")
        for name, decision in plan.decisions.items()
    ]
    assert "; ".join(found) == expect


@pytest.mark.parametrize(
    ("world", "expect"),
    [
        pytest.param({}, "a: restore; b: restore; c: restore", id="nothing changed"),
        pytest.param({"changed": "c"}, "a: restore; b: restore; c: run (code changed)", id="the last"),
        pytest.param(
            {"changed": "a"},
            "a: run (code changed); b: may run (x may change); c: may run (y may change)",
            id="the first",
        ),
        pytest.param(
            {"changed": "a c"},
            "a: run (code changed); b: may run (x may change); c: run (code changed)",
            id="what changed itself is certain",
        ),
        pytest.param(
            {"cleared": "a b c"}, "a: run (never ran); b: run (never ran); c: run (never ran)", id="nothing ran ever"
        ),
        pytest.param(
            {"cleared": "a"},
            "a: run (never ran); b: may run (x may change); c: may run (y may change)",
            id="only the first result is gone",
        ),
        pytest.param(
            {"cleared": "a", "changed": "b"},
            "a: run (never ran); b: run (code changed); c: may run (y may change)",
            id="gone above a change",
        ),
        pytest.param(
            {"cleared": "b"}, "a: restore; b: run (never ran); c: may run (y may change)", id="a result in the middle"
        ),
    ],
)
def test_what_follows_a_step_that_runs_may_run(world, expect):
    check(CHAIN, expect, **world)


@pytest.mark.parametrize(
    ("sources", "world", "expect"),
    [
        pytest.param(
            ("%%step a\nx = 1", "%%step b --after a\ny = 2"),
            {"changed": "a"},
            "a: run (code changed); b: restore",
            id="order alone changes nothing",
        ),
        pytest.param(
            ("%%step a\nx = 1", "%%step b --after a\ny = open('f').read()"),
            {"changed": "a", "files": "b"},
            "a: run (code changed); b: may run (a may change)",
            id="unless the step reads files",
        ),
        pytest.param(
            ("%%step a\nx = 1", "%%step b --after a --files *.csv\ny = 1"),
            {"changed": "a"},
            "a: run (code changed); b: may run (a may change)",
            id="or declares some",
        ),
        pytest.param(
            ("%%step a\nx = 1", "limit = x + 1", "%%step b\ny = limit"),
            {"changed": "a"},
            "a: run (code changed); b: may run (a may change)",
            id="through a context cell",
        ),
        pytest.param(
            ("%%step a\nx = 1", "%%step b\nz = 1", "%%step c\ny = x + z"),
            {"changed": "a b"},
            "a: run (code changed); b: run (code changed); c: may run (x may change, z may change)",
            id="of two inputs",
        ),
        pytest.param(
            ("%%step a\nx = 1", "%%step b --in\ny = x", "%%step c\nz = y", "%%step d\nw = 1"),
            {},
            "a: restore; b: skip (the body reads x, which step a writes, but --in leaves it out); "
            "c: skip (needs step b); d: restore",
            id="what is wrong and what needs it is skipped",
        ),
    ],
)
def test_what_rests_on_other_steps_in_other_ways(sources, world, expect):
    check(sources, expect, **world)


def test_only_what_is_asked_for_is_planned():
    assert list(World(CHAIN).plan("b").decisions) == ["a", "b"]


def test_steps_can_be_asked_for_by_action():
    plan = World(CHAIN, changed="a").plan()
    assert plan.steps(Action.RUN) == ("a",)
    assert plan.steps(Action.RUN, Action.MAY_RUN) == ("a", "b", "c")
    assert plan.steps(Action.SKIP) == ()


def test_what_cannot_be_assessed_is_taken_as_said_and_skips_what_needs_it():
    world = World(CHAIN)
    said = Decision(Action.SKIP, (Reason(ReasonKind.BLOCKED, "cell 9 failed"),))
    plan = forecast(
        world.graph,
        frozenset("abc"),
        lambda step, inputs: said if step.name == "b" else world.assess(step, inputs),
        world.latest,
    )
    assert [decision.action for decision in plan.decisions.values()] == [Action.RESTORE, Action.SKIP, Action.SKIP]
    assert plan.decisions["b"] is said
