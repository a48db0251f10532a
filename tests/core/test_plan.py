"""The forecast: what is certain to run, what may run, what is restored."""

from __future__ import annotations

import pytest

from nbsteps.core.decide import Action, Decision, Facts
from nbsteps.core.graph import build
from nbsteps.core.model import Artifact, Cell, Part, PartKind, Result, Step
from nbsteps.core.plan import NO_GATES, NOTHING, Gates, Plan, forecast
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

    def plan(self, *selection: str, gates: Gates = NO_GATES) -> Plan:
        chosen = self.graph.ancestors(selection) if selection else frozenset(self.graph.steps)
        return forecast(self.graph, chosen, self.assess, self.latest, gates)


def check(sources: tuple[str, ...], expect: str, gates: Gates = NO_GATES, **world: str) -> None:
    """Assert the plan, as ``step: decision (reasons)``."""
    plan = World(sources, **world).plan(gates=gates)
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


BRANCH = (
    "%%step a\nx = 1",
    "%%step b --branch g --when 'x > 1'\ny = 1",
    "%%step c --branch g --when else\ny = 2",
    "%%step d\nz = y",
)


def saying(**answers: bool | None) -> Gates:
    """Gates where these steps' conditions come to these answers, whatever they read."""
    return Gates(ask=lambda step, inputs, states: answers[step.name])


@pytest.mark.parametrize(
    ("sources", "gates", "world", "expect"),
    [
        pytest.param(
            BRANCH,
            saying(b=True),
            {},
            "a: restore; b: restore; c: skip (step b of branch g was taken); d: restore",
            id="the first member is taken",
        ),
        pytest.param(
            BRANCH,
            saying(b=False),
            {},
            "a: restore; b: skip (its condition is false); c: restore; d: restore",
            id="the default is taken",
        ),
        pytest.param(
            BRANCH,
            saying(b=False),
            {"changed": "c"},
            "a: restore; b: skip (its condition is false); c: run (code changed); d: may run (y may change)",
            id="the join rests on the member that is taken",
        ),
        pytest.param(
            BRANCH,
            saying(b=False),
            {"changed": "b"},
            "a: restore; b: skip (its condition is false); c: restore; d: restore",
            id="a change in the other one changes nothing",
        ),
        pytest.param(
            BRANCH,
            saying(b=True),
            {"changed": "a"},
            "a: run (code changed); b: may run (its condition is not known yet); c: may run (depends on step b); "
            "d: may run (depends on step b, depends on step c, y may change)",
            id="what the condition reads would be made first",
        ),
        pytest.param(
            BRANCH,
            NO_GATES,
            {},
            "a: restore; b: may run (its condition is not known yet); c: may run (depends on step b); "
            "d: may run (depends on step b, depends on step c, y may change)",
            id="nobody answers",
        ),
        pytest.param(
            BRANCH,
            saying(b=None),
            {"changed": "b"},
            "a: restore; b: may run (its condition is not known yet, code changed); c: may run (depends on step b); "
            "d: may run (depends on step b, depends on step c, y may change)",
            id="the answer is not known, and there is another reason",
        ),
        pytest.param(
            ("%%step a\nx = 1", "%%step h --catch a\nw = 1", "%%step t --trigger one_failed --after a\nv = 1"),
            NO_GATES,
            {"changed": "a"},
            "a: run (code changed); h: may run (depends on step a); t: may run (depends on step a)",
            id="what runs may fail, and who handles it may run",
        ),
        pytest.param(
            ("%%step a --when q\nx = 1", "%%step b\ny = x", "%%step c --trigger none_failed\nz = x",
             "%%step d --trigger all_skipped --after a\nw = 1", "q = 1"),
            saying(a=False),
            {},
            "a: skip (its condition is false); b: skip (step a skipped); c: run (input x changed); d: restore",
            id="what is skipped skips what needs it, by the rules",
        ),
        pytest.param(
            ("%%step a --in\nx = q", "%%step q_\nq = 1", "%%step c --trigger all_done\nz = x"),
            NO_GATES,
            {},
            "q_: restore; a: skip (the body reads q, which step q_ writes, but --in leaves it out); "
            "c: run (input x changed)",
            id="what has a problem counts as failed",
        ),
        pytest.param(
            ("%%step a --when \"failed('b')\"\nx = 1", "%%step b\ny = 1"),
            Gates(ask=lambda step, inputs, states: states["b"] == "failed"),
            {},
            "b: restore; a: skip (its condition is false)",
            id="a condition asks how a step ended",
        ),
        pytest.param(
            ("%%step a\nx = 1", "%%step b --approve 'Go on?'\ny = x", "%%step c\nz = y"),
            NO_GATES,
            {"changed": "b"},
            "a: restore; b: may run (waits for approval, code changed); c: may run (depends on step b, y may change)",
            id="a person is asked",
        ),
        pytest.param(
            ("%%step a\nx = 1", "%%step b --approve 'Go on?'\ny = x"),
            Gates(held=lambda step: False),
            {"changed": "b"},
            "a: restore; b: run (code changed)",
            id="a person has agreed",
        ),
        pytest.param(
            ("%%step a\nx = 1", "%%step b --approve 'Go on?'\ny = x"),
            NO_GATES,
            {},
            "a: restore; b: restore",
            id="nobody is asked for what is restored",
        ),
        pytest.param(
            ("%%step a\nx = [1]", "%%step b --map i=x\ny = i", "%%step c\nz = y"),
            Gates(items=lambda step, inputs: (3, 10)),
            {"changed": "b"},
            "a: restore; b: run (3 of 10 items, code changed); c: may run (y may change)",
            id="items of a map",
        ),
        pytest.param(
            ("%%step a\nx = [1]", "%%step b --map i=x\ny = i"),
            Gates(items=lambda step, inputs: None),
            {"changed": "b"},
            "a: restore; b: run (code changed)",
            id="items that nobody counted",
        ),
    ],
)  # fmt: skip
def test_rules_and_gates(sources, gates, world, expect):
    check(sources, expect, gates, **world)


def test_a_condition_is_asked_with_the_stored_variables_that_it_reads():
    asked = []
    sources = ("%%step a\nx = 1", "%%step b --when x\ny = 2", "%%step c --when \"x and skipped('b')\"\nz = y")

    def ask(step, inputs, states):
        asked.append((step.name, {name: found.digest for name, found in inputs.items()}, states.get("b")))
        return step.name != "b"

    World((sources[0], sources[1], f"{sources[2]}")).plan(gates=Gates(ask=ask))
    assert asked == [("b", {"x": "digest of x"}, None)]
    asked.clear()
    World((*sources[:2], sources[2].replace("%%step c", "%%step c --trigger none_failed"))).plan(gates=Gates(ask=ask))
    assert asked[1:] == [("c", {"x": "digest of x"}, "skipped")]
    asked.clear()
    other = "%%step c --trigger none_failed --when 'x and not y'\nz = y"
    World((*sources[:2], other)).plan(gates=Gates(ask=ask))
    assert asked[1:] == [("c", {"x": "digest of x", "y": NOTHING.digest}, "skipped")]


def test_what_only_the_body_reads_keeps_no_condition_from_being_asked():
    sources = ("%%step a\nx = 1", "%%step b --when on\ny = x", "on = True")
    check(sources, "a: run (code changed); b: skip (its condition is false)", saying(b=False), changed="a")
    check(sources, "a: run (code changed); b: may run (x may change)", saying(b=True), changed="a")


def test_of_steps_that_nobody_asked_about_nothing_bad_is_known():
    world = World(BRANCH)
    plan = forecast(world.graph, frozenset("d"), world.assess, world.latest)
    assert [str(decision.action) for decision in plan.decisions.values()] == ["run"]
