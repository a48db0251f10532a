"""Each cell by itself becomes a draft step or a context cell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.core.cells import ANY, Context, Draft, understand
from nbsteps.core.model import Cell


def draft_of(source: str) -> Draft:
    understood, _ = understand(Cell("cell 1", source), 0)
    assert isinstance(understood, Draft)
    return understood


def context_of(source: str, *tags: str) -> Context:
    understood, _ = understand(Cell("cell 1", source, tags=tags), 0)
    assert isinstance(understood, Context)
    return understood


def words(names) -> str:
    return " ".join(sorted(names))


@pytest.mark.parametrize(
    ("source", "firm", "maybe", "reads", "doubtful"),
    [
        pytest.param("%%step s\nx = a\ny = b", "x y", "", "a b", "", id="seen"),
        pytest.param("%%step s --in a c --out y\nx = a", "y", "", "a c", "", id="declared"),
        pytest.param("%%step s --in --out\nx = a", "", "", "a", "", id="declared as none"),
        pytest.param("%%step s --mutates a\na.append(b)", "a", "", "a b", "", id="mutated"),
        pytest.param("%%step s --ignore a\nx = a + b", "x", "", "b", "", id="ignored"),
        pytest.param("%%step s\nfor i in xs:\n    t = i\nu = t", "u", "t", "xs", "t", id="maybe"),
        pytest.param("%%step s --in t\nfor i in xs:\n    t = i\nu = t", "u", "t", "t xs", "", id="maybe, declared"),
        pytest.param("%%step s --out t\nfor i in xs:\n    t = i", "t", "", "xs", "", id="declared outputs are firm"),
        pytest.param("%%step s --mutates t\nfor i in xs:\n    t = i", "t", "", "t xs", "", id="mutated ones are firm"),
        pytest.param("%%step s\n%%time\nx = a", "x", "", "a", "", id="below %%time"),
        pytest.param("%%step s\n%%timeit\nx = a", "", "", "a", "", id="below %%timeit nothing stays"),
        pytest.param("%%step s\n%%bash -s {a}\necho $b", "", "", "a", "", id="below %%bash only the line is read"),
        pytest.param("%%step s --in a --out x\n%%sql x <<\nselect", "x", "", "a", "", id="below %%sql as declared"),
    ],
)
def test_a_step_by_itself(source, firm, maybe, reads, doubtful):
    draft = draft_of(source)
    assert draft.problems == ()
    assert (" ".join(draft.firm), " ".join(draft.maybe)) == (firm, maybe)
    assert (words(draft.reads), words(draft.doubtful)) == (reads, doubtful)


@pytest.mark.parametrize(
    ("source", "opaque"),
    [
        ("%%step s\nx = 1", False),
        ("%%step s\n%%time\nx = 1", False),
        ("%%step s\n%%capture out\nx = 1", False),
        ("%%step s\n%%bash\nx=1", True),
        ("%%step s\n\n%%javascript\nlet x = (", True),
        ("%%step s\nx = (", True),
    ],
)
def test_another_language_and_what_does_not_parse_are_opaque(source, opaque):
    assert draft_of(source).opaque is opaque


@pytest.mark.parametrize(
    ("source", "unable"),
    [
        ("%%step s --out x y\nx = 1", "y"),
        ("%%step s --out x\ndel x", "x"),
        ("%%step s --out x --mutates x\nprint(x)", ""),
        ("%%step s --out x\nif a:\n    x = 1", ""),
        ("%%step s --out x\nexec(code)", ""),
        ("%%step s --out x\nfrom m import *", ""),
        ("%%step s --out x\n%%bash\nls", ""),
        ("%%step s --out x\nx = (", ""),
    ],
)
def test_outputs_that_the_body_cannot_assign(source, unable):
    assert " ".join(draft_of(source).unable) == unable


@pytest.mark.parametrize(
    ("source", "shapes", "needs"),
    [
        pytest.param("x = a", "x", "a", id="an assignment"),
        pytest.param("import os", "os", "", id="an import"),
        pytest.param("sys.path.append(p)", "sys", "p sys", id="a method call as a statement"),
        pytest.param("rows = sys.path.copy()", "rows", "sys", id="a method call in an expression"),
        pytest.param("d['k'] = v", "d", "d v", id="an item"),
        pytest.param("print(x)", "", "print x", id="a call"),
        pytest.param("def f():\n    return late", "f", "", id="what a function reads is not needed yet"),
        pytest.param("def f():\n    return late\nf()", "f", "late", id="unless it is called"),
        pytest.param("def f(x=now):\n    pass", "f", "now", id="but its defaults are"),
        pytest.param("@now\ndef f():\n    pass", "f", "now", id="and its decorators"),
        pytest.param(
            "class A(Base):\n    k = now\n    def f(self):\n        return late", "A", "Base now", id="a class"
        ),
        pytest.param("f = lambda: late", "f", "", id="a lambda"),
        pytest.param("def f(rows):\n    rows.append(1)", "f", "", id="a local variable is not touched"),
        pytest.param("def f():\n    LOG.append(1)", "LOG f", "LOG", id="a global one may be"),
        pytest.param("from math import *", ANY, "", id="a star hides names"),
        pytest.param("%run init.py", ANY, "", id="a script hides names"),
        pytest.param("%%time\nx = a", "x", "a", id="below %%time"),
        pytest.param("%%bash\nx=1", "", "", id="below %%bash"),
        pytest.param("%matplotlib inline", "", "", id="a line magic"),
        pytest.param("x = (", "", "", id="what does not parse"),
    ],
)
def test_a_context_cell_by_itself(source, shapes, needs):
    context = context_of(source)
    assert words(context.shapes) == shapes
    assert words(context.needs) == needs


def test_a_parameters_cell_is_one_by_its_tag():
    assert context_of("date = 1", "parameters").parameters
    assert context_of("date = 1", "injected-parameters", "x").parameters
    assert not context_of("date = 1", "x").parameters


def test_a_cell_is_understood_once():
    cell = Cell("cell 1", "%%step s\nx = 1")
    assert understand(cell, 0) is understand(cell, 0)
    assert understand(cell, 0)[0].index == 0
    assert understand(cell, 1)[0].index == 1


def test_a_magic_line_is_written_back_with_changes():
    draft = draft_of("%%step s --in a --cache off\nx = a")
    assert draft.line() == "%%step s --in a --cache off"
    assert draft.line(inputs=("a", "b"), outputs=("x",)) == "%%step s --in a b --out x --cache off"


@given(st.text(alphabet="%stepabx =\n():#\\'\"{}!?", max_size=60), st.booleans())
def test_any_text_is_understood(text, step):
    understood, problems = understand(Cell("cell 1", f"%%step {text}" if step else text), 0)
    assert isinstance(understood, Draft | Context)
    assert all(problem.cell == "cell 1" and problem.message for problem in problems)
