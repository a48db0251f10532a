"""Whatever is wrong with a notebook gives one clear problem, and a mend that mends it."""

from __future__ import annotations

import re

import pytest

from nbsteps.core.errors import Problem
from nbsteps.core.graph import build
from nbsteps.core.model import Cell
from nbsteps.core.source import split_cell

LOAD = "%%step load\nraw = [1]"


def problems(sources: list[str]) -> list[Problem]:
    return list(build([Cell(f"cell {n}", source) for n, source in enumerate(sources, 1)]).problems)


def mended(sources: list[str], problem: Problem) -> list[str] | None:
    """The notebook with the problem's hint pasted; None if the hint is a sentence."""
    where = re.fullmatch(r"(?:(in|at the top of) (cell \d+): )?(%%step .*|from .* import .*)", problem.hint)
    if where is None:
        return None
    place, label, line = where.groups()
    at = int((label or problem.cell).removeprefix("cell ")) - 1
    old = sources[at]
    step = split_cell(old)
    if place == "at the top of" or line.startswith("from"):
        new = f"{line}\n{old}"
    else:
        assert step is not None, "a magic line mends a step"
        new = f"{line}\n{step.body}"
    return [*sources[:at], new, *sources[at + 1 :]]


def check(sources: list[str], step: str, cell: int, message: str, hint: str, severity: str = "error") -> None:
    """Assert that the notebook has exactly one problem for this step; that its hint, pasted, leaves none."""
    found = problems(sources)
    mine = [problem for problem in found if problem.step == step]
    assert [(p.cell, p.message, p.hint, p.severity) for p in mine] == [(f"cell {cell}", message, hint, severity)]
    left, rounds = sources, 0
    while (now := problems(left)) and (after := mended(left, now[0])) is not None:
        left, rounds = after, rounds + 1
        assert rounds <= len(found), [str(problem) for problem in now]
    if hint.startswith(("%%step", "in cell", "at the top")):
        assert problems(left) == []


def case(name: str, sources: list[str], *expect: object) -> object:
    return pytest.param(sources, *expect, id=name)


@pytest.mark.parametrize(
    ("sources", "step", "cell", "message", "hint"),
    [
        case("unknown option", ["%%step a --inn x\ny = 1"], "a", 1, "unknown option --inn", "did you mean --in?"),
        case("malformed option", ["%%step a --ttl\ny = 1"], "a", 1, "--ttl: it has no value", "for example --ttl 1d"),
        case("no name", ["%%step --in x\ny = 1"], "", 1, "the step has no name", "give it one: %%step NAME [options]"),
        case("no identifier", ["%%step 1-a --cache off\ny = 1"], "1-a", 1,
             "'1-a' cannot name a step: it is no Python identifier", "%%step step_1_a --cache off"),
        case("a keyword", ["%%step class\ny = 1"], "class", 1,
             "'class' cannot name a step: it is a Python keyword", "%%step step_class"),
        case("a builtin", ["%%step print --out y\ny = 1"], "print", 1,
             "'print' cannot name a step: it is the name of a Python builtin", "%%step step_print --out y"),
        case("the same name twice", ["%%step a\nx = 1", "%%step a_2\nz = 3", "%%step a --cache off\ny = 2"], "a", 3,
             "step a is defined twice: in cell 1 and in cell 3", "%%step a_3 --cache off"),
        case("a circle of two", ["%%step a\nx = y", "%%step b\ny = x"], "a", 1,
             "steps need each other in a circle: b (cell 2) -> a (cell 1) -> b (cell 2)",
             "let one of them read or write another name: a reads y of b, b reads x of a"),
        case("a circle of three", ["%%step a\nx = z", "%%step b\ny = x", "%%step c\nz = y"], "b", 2,
             "steps need each other in a circle: b (cell 2) -> c (cell 3) -> a (cell 1) -> b (cell 2)",
             "let one of them read or write another name: c reads y of b, a reads z of c, b reads x of a"),
        case("a circle through --after", ["%%step a --after b\nx = 1", "%%step b\ny = x"], "a", 1,
             "steps need each other in a circle: b (cell 2) -> a (cell 1) -> b (cell 2)", "%%step a"),
        case("the other end of it", ["%%step a --after b\nx = 1", "%%step b\ny = x"], "b", 2,
             "steps need each other in a circle: b (cell 2) -> a (cell 1) -> b (cell 2)", "in cell 1: %%step a"),
        case("after itself", ["%%step a --after a --cache off\nx = 1"], "a", 1, "--after a: that is this step itself",
             "%%step a --cache off"),
        case("after nothing", ["%%step a --after qqq\nx = 1", "%%step b\ny = 1"], "a", 1,
             "--after qqq: there is no step of that name; known steps: b", "%%step a"),
        case("after nearly something", [LOAD, "%%step a --after laod\nx = 1"], "a", 2,
             "--after laod: there is no step of that name; did you mean load?", "%%step a --after load"),
        case("undeclared input", [LOAD, "%%step a --in\nx = raw"], "a", 2,
             "the body reads raw, which step load writes, but --in leaves it out", "%%step a --in raw"),
        case("undeclared input through a helper", [LOAD, "def f():\n    return raw", "%%step a --in\nx = f()"], "a", 3,
             "the body reads raw through helper f, which step load writes, but --in leaves it out",
             "%%step a --in raw"),
        case("undeclared input through a nested helper",
             [LOAD, "def f():\n    return g()", "def g():\n    return raw", "%%step a --in\nx = f()"], "a", 4,
             "the body reads raw through helper f, which step load writes, but --in leaves it out",
             "%%step a --in raw"),
        case("unknown input", ["%%step a --in qqq\nx = 1"], "a", 1, "--in qqq: no cell writes qqq", "%%step a --in"),
        case("misspelt input", [LOAD, "%%step a --in rwa --out x\nx = raw"], "a", 2,
             "--in rwa: no cell writes rwa; did you mean raw?", "%%step a --in raw --out x"),
        case("output that is not assigned", ["%%step a --out x\nprint(1)"], "a", 1,
             "--out x: the body cannot assign x", "assign x in the body"),
        case("one of the outputs", ["%%step a --out x y\nx = 1"], "a", 1,
             "--out y: the body cannot assign y", "%%step a --out x"),
        case("misspelt output", ["%%step a --out ordes\norders = 1"], "a", 1,
             "--out ordes: the body cannot assign ordes; did you mean orders?", "%%step a --out orders"),
        case("output of another step", ["%%step a --out x\ny = 1", "%%step b\nx = 1"], "a", 1,
             "--out x: the body cannot assign x (step b does)", "%%step a --out y"),
        case("output that it only changes", [LOAD, "%%step a --in raw --out raw x\nraw[0] = 2\nx = 1"], "a", 2,
             "--out raw: the body cannot assign raw (step load does)", "%%step a --in raw --out x --mutates raw"),
        case("two writers", ["%%step a\nx = 1", "%%step b\nx = 2"], "b", 2,
             "x is written by step a (cell 1) and by step b (cell 2)",
             "give one of them another name, such as x_b"),
        case("two writers, the first", ["%%step a\nx = 1", "%%step b\nx = 2"], "a", 1,
             "x is written by step a (cell 1) and by step b (cell 2)",
             "give one of them another name, such as x_b"),
        case("a second writer that builds on the first", [LOAD, "%%step a\nraw = raw[1:]"], "a", 2,
             "raw is written by step load (cell 1) and by step a (cell 2)", "%%step a --mutates raw"),
        case("the first of them", [LOAD, "%%step a\nraw = raw[1:]"], "load", 1,
             "raw is written by step load (cell 1) and by step a (cell 2)", "in cell 2: %%step a --mutates raw"),
        case("reads what only it writes", ["df = 1", "%%step a\ndf = df + 1"], "a", 2,
             "the body reads df before it writes it, so each run would build on the one before",
             "write the new value to another name, such as df_a"),
        case("mutates what no step makes", ["cfg = {}", "%%step a --mutates cfg\ncfg['x'] = 1"], "a", 2,
             "--mutates cfg: no other step writes cfg, so each run would build on the one before",
             "make cell 1, which assigns cfg, a step, or work on a copy of it"),
        case("mutates what nobody makes", [LOAD, "%%step a --mutates rwa\nx = raw"], "a", 2,
             "--mutates rwa: no cell writes rwa; did you mean raw?", "%%step a --mutates raw"),
        case("body that does not parse", ["%%step a --cache off \\\n  --out y\n\ny = (x"], "a", 1,
             "the body does not parse: '(' was never closed, line 4: y = (x", "mend line 4 of cell 1"),
        case("body that does not parse below %%time", ["%%step a\n%%time\ny = 1\nz = = 2"], "a", 1,
             "the body does not parse: invalid syntax, line 4: z = = 2", "mend line 4 of cell 1"),
        case("a context cell in between changes it", [LOAD, "raw.append(1)\nraw[0] = 2", "%%step a\nx = raw"], "a", 3,
             "raw, which step load writes, is changed by cell 2 in between",
             "at the top of cell 2: %%step load_2 --mutates raw"),
        case("a context cell in between assigns it", [LOAD, "raw = 5", "%%step a\nx = raw"], "a", 3,
             "raw, which step load writes, is changed by cell 2 in between",
             "give it another name in cell 2, such as raw_2"),
        case("a temporary of another step", ["%%step a --out x\nt = 1\nx = t", "%%step b\ny = t"], "b", 2,
             "the body reads t, which step a (cell 1) assigns but does not list", "in cell 1: %%step a --out x t"),
        case("a private name of another step", ["%%step a\n_t = 1\nx = _t", "%%step b\ny = _t"], "b", 2,
             "the body reads _t, which step a (cell 1) assigns but does not list", "in cell 1: %%step a --out x _t"),
        case("a temporary through a helper",
             ["%%step a --out x\nt = 1\nx = t", "def f():\n    return t", "%%step b\ny = f()"], "b", 3,
             "the body reads t through helper f, which step a (cell 1) assigns but does not list",
             "in cell 1: %%step a --out x t"),
        case("a declared temporary", ["%%step a --out x\nt = 1\nx = t", "%%step b --in t\ny = t"], "b", 2,
             "the body reads t, which step a (cell 1) assigns but does not list", "in cell 1: %%step a --out x t"),
        case("an import of another step", ["%%step a\nimport os\nx = 1", "%%step b\ny = os"], "b", 2,
             "the body reads os, which step a (cell 1) assigns but does not list",
             "move the import of os from cell 1 to a cell without %%step"),
        case("a function of another step", ["%%step a\ndef f(): pass\nx = 1", "%%step b\ny = f()"], "b", 2,
             "the body reads f, which step a (cell 1) assigns but does not list",
             "move the definition of f from cell 1 to a cell without %%step"),
        case("assigned on some paths, and by a context cell",
             ["t = 0", "%%step a\nfor i in [].copy():\n    t = i", "%%step b\ny = t"], "a", 2,
             "t is assigned by cell 1, and by the body on some paths only",
             "assign t on every path, or give it another name here, such as t_a"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_step_keeps_it_from_running(sources, step, cell, message, hint):
    check(sources, step, cell, message, hint)


@pytest.mark.parametrize(
    ("sources", "step", "cell", "message", "hint"),
    [
        case("input that is never read", [LOAD, "%%step a --in raw --out x\nx = 1"], "a", 2,
             "--in raw: the body never reads it", "%%step a --in --out x"),
        case("mutated input that is never touched", [LOAD, "%%step a --mutates raw\nx = 1"], "a", 2,
             "--mutates raw: the body never touches it", "%%step a"),
        case("context cell that does not parse", ["x = ("], "", 1,
             "the body does not parse: '(' was never closed, line 1: x = (", "mend line 1 of cell 1"),
        case("star import in a step", ["%%step a\nfrom math import *\nx = pi"], "a", 1,
             "from math import * hides which names the body assigns, so inputs and outputs may be missed",
             "import by name: from math import ..."),
        case("input from a star import", ["from math import *", "%%step a --in pi\nx = pi"], "a", 2,
             "--in pi: no cell writes pi, unless cell 1 does with from math import *",
             "in cell 1: from math import pi"),
        case("input from a script", ["%run init.py", "%%step a --in cfg\nx = cfg"], "a", 2,
             "--in cfg: no cell writes cfg", "%%step a --in"),
        case("context cell that reads a temporary", ["%%step a --out x\nt = 1\nx = t", "print(t)"], "a", 2,
             "cell 2 reads t, which step a (cell 1) assigns but does not list: it will be missing once the step is "
             "restored", "in cell 1: %%step a --out x t"),
    ],
)  # fmt: skip
def test_what_is_doubtful_does_not_keep_it_from_running(sources, step, cell, message, hint):
    check(sources, step, cell, message, hint, severity="warning")


def test_a_misspelt_input_that_nobody_reads_is_named_with_what_was_meant():
    check([LOAD, "%%step a --in rwa\n%%bash\necho"], "a", 2, "--in rwa: no cell writes rwa; did you mean raw?",
          "%%step a --in raw")  # fmt: skip
