"""A notebook becomes a graph: who reads whose output, in what order, and what is wrong."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbsteps.core.graph import Graph, build
from nbsteps.core.model import Cell
from nbsteps.core.source import split_cell

LOAD = "%%step load\nraw = [1, 2]"


def cells(*sources: str) -> list[Cell]:
    """Code cells labelled by position; one that starts with ``# parameters`` is tagged so."""
    return [
        Cell(f"cell {number}", source, tags=("parameters",) if source.startswith("# parameters") else ())
        for number, source in enumerate(sources, 1)
    ]


def graph_of(*sources: str) -> Graph:
    return build(cells(*sources))


def wires(graph: Graph) -> str:
    """The graph as text: ``step: parents <- variable of step, ...``."""
    return "; ".join(
        f"{name}({' '.join(graph.parents[name])})" if graph.parents[name] else name for name in graph.steps
    )


def check(*sources: str, expect: str) -> Graph:
    """Assert that the notebook has no problem and these steps with their parents, in this order."""
    graph = graph_of(*sources)
    assert [str(problem) for problem in graph.problems] == []
    assert wires(graph) == expect
    return graph


@pytest.mark.parametrize(
    ("sources", "expect"),
    [
        pytest.param([], "", id="no cells"),
        pytest.param(["x = 1", "print(x)"], "", id="no steps"),
        pytest.param([LOAD, "%%step total\nt = sum(raw)"], "load; total(load)", id="inferred"),
        pytest.param(["%%step total\nt = sum(raw)", LOAD], "load; total(load)", id="the producer stands below"),
        pytest.param(
            ["%%step a\nx = 1", "%%step b\ny = x", "%%step c\nz = x", "%%step d\nprint(y, z)"],
            "a; b(a); c(a); d(b c)",
            id="diamond",
        ),
        pytest.param(["%%step a\nx = 1", "%%step b --after a\ny = 2"], "a; b(a)", id="order without data"),
        pytest.param(["%%step b --after a\ny = 2", "%%step a\nx = 1"], "a; b(a)", id="order against the document"),
        pytest.param([LOAD, "def f():\n    return raw", "%%step s\ny = f()"], "load; s(load)", id="through a helper"),
        pytest.param(
            [LOAD, "def f():\n    return g()\ndef g():\n    return raw", "%%step s\ny = f()"],
            "load; s(load)",
            id="through a nested helper",
        ),
        pytest.param([LOAD, "limit = max(raw)", "%%step s\ny = limit"], "load; s(load)", id="through a context cell"),
        pytest.param(
            [LOAD, "def top():\n    return max(raw)", "limit = top()", "%%step s\ny = limit"],
            "load; s(load)",
            id="through a context cell that calls a helper",
        ),
        pytest.param(
            ["def f():\n    return raw\ndef g():\n    return 1", "%%step load\nraw = g()", "%%step s\ny = g()"],
            "load; s",
            id="a helper that is not used is no path",
        ),
        pytest.param(
            ["def tidy(x):\n    raw = []\n    raw.append(x)\n    return raw", LOAD, "%%step s\ny = tidy(1)"],
            "load; s",
            id="a local variable of a helper is no path",
        ),
        pytest.param(
            ["%%step make --out g\ndef f():\n    return raw\ng = f", LOAD, "%%step use\ny = g()"],
            "load; make(load); use(make load)",
            id="through a function that is an output",
        ),
        pytest.param(
            [
                "%%step a\ndf = []",
                "%%step b --mutates df\ndf.append(1)",
                "%%step c --mutates df\ndf.append(2)",
                "%%step d\nn = len(df)",
            ],
            "a; b(a); c(b); d(c)",
            id="mutators form a chain",
        ),
        pytest.param(
            ["%%step b --mutates df\ndf.append(1)", "%%step a\ndf = []", "%%step d\nn = len(df)"],
            "a; b(a); d(b)",
            id="a mutator above the maker comes after it",
        ),
        pytest.param(
            ["%%step a\ndf = []", "%%step see\nn = len(df)", "%%step b --mutates df\ndf.append(1)"],
            "a; see(a); b(a)",
            id="a reader above the mutator sees the unchanged value",
        ),
        pytest.param(
            [LOAD, "import duckdb", "%%step q\nn = duckdb.sql('select 1 from raw').df()"],
            "load; q(load)",
            id="SQL is read",
        ),
        pytest.param([LOAD, "%%step q --in\n%%sql\nselect 1 from raw"], "load; q", id="below a magic --in is believed"),
        pytest.param([LOAD, "%%step s\n%%time\ny = raw"], "load; s(load)", id="%%time hides nothing"),
        pytest.param(
            [LOAD, "%%time\nlimit = max(raw)", "%%step s\ny = limit"], "load; s(load)", id="%%time in context"
        ),
        pytest.param([LOAD, "%%step s --in raw\n%%bash\necho"], "load; s(load)", id="another language, declared"),
        pytest.param([LOAD, "%%step s --in --ignore raw\ny = raw"], "load; s", id="ignored"),
        pytest.param(["# parameters\ndate = 1", "%%step s --in date\ny = date"], "s", id="a parameter may be declared"),
        pytest.param(["k = 1", "%%step a\nx = k", "k = 2", "%%step b\ny = k"], "a; b", id="context cells between"),
        pytest.param(
            ["%%step a\nfor df in [1]:\n    y = df", "%%step b\ndf = 2", "%%step c\nz = df"],
            "a; b; c(b)",
            id="a name of a loop is a temporary",
        ),
        pytest.param(
            ["%%step a\nfor i in []:\n    df = i", "%%step b\ndf = 2", "%%step c\nz = df"],
            "a; b; c(b)",
            id="what may be assigned and is surely assigned again is a temporary",
        ),
        pytest.param(
            ["%%step a\nfrom os import path\nx = 1", "%%step b\nfrom os import path\ny = path"],
            "a; b",
            id="each imports for itself",
        ),
        pytest.param(["%%step a\nfor sum in [1]:\n    pass", "%%step b\ny = sum([1])"], "a; b", id="builtins"),
    ],
)
def test_steps_follow_what_they_read(sources, expect):
    check(*sources, expect=expect)


def outputs(*sources: str, step: str = "s") -> tuple[str, str]:
    """Outputs of a step, and those of them that it may end without."""
    found = graph_of(*sources).steps[step]
    return " ".join(found.outputs), " ".join(sorted(found.optional))


@pytest.mark.parametrize(
    ("body", "others", "expect"),
    [
        pytest.param("x = 1\ny = 2", [], ("x y", ""), id="public assignments"),
        pytest.param(
            "import os\n_x = 1\ndef f(): pass\nclass A: pass\nfor i in []: pass", [], ("", ""), id="no values"
        ),
        pytest.param("x = 1\nfor i in []:\n    t = i", [], ("x", ""), id="maybe, and nobody reads it"),
        pytest.param("for i in []:\n    t = i", ["%%step r\ny = t"], ("t", "t"), id="maybe, and a step reads it"),
        pytest.param("for i in []:\n    t = i", ["print(t)"], ("t", "t"), id="maybe, and a context cell reads it"),
        pytest.param(
            "for i in []:\n    t = i",
            ["def f():\n    return t", "%%step r\ny = f()"],
            ("t", "t"),
            id="through a helper",
        ),
        pytest.param("for i in []:\n    t = i", ["t = 2", "%%step r\ny = t"], ("", ""), id="maybe, assigned again"),
        pytest.param("t = 0\nfor i in []:\n    t = i", ["print(t)"], ("t", ""), id="surely"),
        pytest.param("if i:\n    t = 1\nelse:\n    t = 2", [], ("t", ""), id="on both paths"),
        pytest.param("for i in []:\n    t = i", ["for i in []:\n    t = i\nprint(t)"], ("", ""), id="its own loop"),
        pytest.param("for i in []:\n    t = i\nprint(t)", [], ("", ""), id="only its own reader"),
        pytest.param("with open('f') as f:\n    t = 1", [], ("t", ""), id="in a with block"),
    ],
)
def test_what_is_surely_assigned_is_an_output_and_what_may_be_is_one_where_it_is_read(body, others, expect):
    assert outputs("i = 0", f"%%step s\n{body}", *others) == expect


@pytest.mark.parametrize(
    ("sources", "reads", "scratch"),
    [
        pytest.param(["%%step s\nfor v in vs:\n    t = v\nprint(t, v)"], "", "t v", id="nobody else makes it"),
        pytest.param(
            ["%%step s\nfor v in vs:\n    t = v\nq = t", "%%step r\nz = t"], "", "", id="an output of its own"
        ),
        pytest.param(["t = 0", "%%step s\nfor v in vs:\n    t = v\nq = t"], "t", "", id="a context cell makes it"),
        pytest.param(["%%step s --in t\nfor v in vs:\n    t = v\nq = t", "%%step r\nt = 0"], "t", "", id="declared"),
        pytest.param(
            ["%%step r\nt = 0", "%%step s --out q\nfor v in vs:\n    t = v\nq = t"], "t", "", id="a step makes it"
        ),
    ],
)
def test_what_a_body_may_have_assigned_itself_is_read_only_where_another_cell_makes_it(sources, reads, scratch):
    step = graph_of(*sources).steps["s"]
    assert " ".join(sorted(step.reads - step.scratch - {"print", "vs"})) == reads
    assert " ".join(sorted(step.scratch)) == scratch


@pytest.mark.parametrize(
    ("sources", "expect"),
    [
        pytest.param(["k = 1", "j = 2", "%%step s\ny = k"], "1", id="only what is read"),
        pytest.param(["k = 1", "def f():\n    return k", "%%step s\ny = f()"], "1 2", id="behind a helper"),
        pytest.param(["def f():\n    return k", "k = 1", "%%step s\ny = f()"], "1 2", id="a helper above its constant"),
        pytest.param(["k = 1", "j = k + 1", "%%step s\ny = j"], "1 2", id="a chain"),
        pytest.param(["k = 1", "k = 2", "%%step s\ny = k"], "2", id="assigned again"),
        pytest.param(["k = 1", "k = k + 1", "%%step s\ny = k"], "1 2", id="built on"),
        pytest.param(["k = []", "k.append(1)", "%%step s\ny = k"], "1 2", id="changed by a method"),
        pytest.param(["k = {}", "k['a'] = 1", "%%step s\ny = k"], "1 2", id="changed by an item"),
        pytest.param(["k = 1", "%%step s\ny = k", "k = 2"], "1", id="what stands below does not count"),
        pytest.param(["%%step s\ny = k", "k = 2", "j = k"], "2", id="unless nothing above makes it"),
        pytest.param(["%%step s\ny = f()", "k = 2", "def f():\n    return k"], "2 3", id="nor what that needs"),
        pytest.param(["from math import *", "k = 1", "%%step s\ny = pi"], "1", id="a star may bring it"),
        pytest.param(["%run helpers.py", "k = 1", "%%step s\ny = tidy(k)"], "1 2", id="a script may bring it"),
        pytest.param(["from math import *", "k = 1", "%%step s\ny = len([k])"], "2", id="builtins need no star"),
        pytest.param(["%%step s\ny = pi", "from math import *"], "2", id="a star below may bring it"),
        pytest.param(["%%step s\ny = pi", "y, 'pi' in globals()"], "", id="what looks back on results brings nothing"),
        pytest.param([LOAD, "raw2 = raw", "%%step s\ny = raw"], "", id="variables of steps are no context"),
        pytest.param(
            ["def g():\n    return h()", "def h():\n    return g()", "%%step s\ny = g()"], "1 2", id="a circle"
        ),
        pytest.param(
            ["import sys", "sys.path.append('x')", "import mine", "%%step s\ny = sys, mine"], "1 2 3", id="import"
        ),
        pytest.param(["k = 1", "%%capture out\nj = k", "%%step s\ny = j"], "1 2", id="below %%capture"),
        pytest.param(["j = 1\n" + "\n".join(f"x{i} = j" for i in range(3)), "%%step s\ny = x2"], "1", id="one cell"),
    ],
)
def test_context_cells_that_shape_what_a_step_reads_are_needed(sources, expect):
    needed = graph_of(*sources).needs["s"]
    assert " ".join(context.cell.label.removeprefix("cell ") for context in needed) == expect


def test_needs_are_a_mapping_over_the_steps():
    graph = graph_of("k = 1", "%%step a\nx = k", "%%step b\ny = x")
    assert dict(graph.needs) == {"a": graph.contexts, "b": ()}
    assert len(graph.needs) == 2


def test_a_graph_knows_what_lies_before_and_behind():
    graph = check("%%step a\nx = 1", "%%step b\ny = x", "%%step c\nz = y", "%%step d\nw = 1", expect="a; b(a); c(b); d")
    assert graph.ancestors(["b"]) == {"a", "b"}
    assert graph.descendants(["b", "d"]) == {"b", "c", "d"}
    assert graph.children == {"a": ("b",), "b": ("c",), "c": (), "d": ()}
    assert graph.sources["b"] == {"x": "a"}
    assert graph.written() == {"x", "y", "z", "w"}


def test_a_graph_knows_parameters_and_assigned_names():
    graph = check("# parameters\ndate = 1", "k = 2", "%%step a\nx = date", expect="a")
    assert graph.parameters == {"date"}
    assert graph.assigned() == {"date", "k", "x"}


def test_names_of_the_kernel_are_known():
    source = cells("%%step s --in df\ny = df")
    assert build(source).problems
    assert not build(source, {"df": 1}).problems


def test_one_bad_cell_leaves_the_others_understood():
    graph = graph_of(LOAD, "%%step bad\nx = (", "%%step total\nt = sum(raw)", "y = (")
    assert wires(graph) == "load; bad; total(load)"
    assert graph.blocked == {"bad"}
    assert [(p.step, p.severity) for p in graph.problems] == [("bad", "error"), ("", "warning")]
    assert graph.errors(["load", "total"]) == ()
    assert [p.step for p in graph.errors()] == ["bad"]


@st.composite
def notebooks(draw):
    """Small notebooks of steps and context cells over a handful of names, in any order."""
    names = st.sampled_from(string.ascii_lowercase[:6])
    lines = st.one_of(
        st.builds("{} = {}".format, names, names),
        st.builds("{} = 1".format, names),
        st.builds("{}.append({})".format, names, names),
        st.builds("{}[0] = 1".format, names),
        st.builds("for {} in []:\n    {} = 1".format, names, names),
        st.builds("def {}():\n    return {}".format, names, names),
        st.builds("print({})".format, names),
    )
    options = st.sampled_from(["", "--in a b", "--out c", "--mutates a", "--after s0", "--ignore b"])
    found = list[str]()
    for number in range(draw(st.integers(0, 7))):
        body = "\n".join(draw(st.lists(lines, min_size=1, max_size=3)))
        head = f"%%step s{number} {draw(options)}\n" if draw(st.booleans()) else ""
        found.append(head + body)
    return cells(*found)


@settings(max_examples=150, deadline=None)
@given(notebooks())
def test_any_notebook_is_understood(found):
    graph = build(found)
    position = {name: at for at, name in enumerate(graph.steps)}
    steps = [split_cell(cell.source) for cell in found if cell.source.startswith("%%step")]
    assert len(position) == len(steps)
    circles = [problem.step for problem in graph.problems if "circle" in problem.message]
    for name, parents in graph.parents.items():
        assert name not in parents
        if not circles:
            assert all(position[parent] < position[name] for parent in parents)
    for name, sources in graph.sources.items():
        assert set(sources.values()) <= set(graph.parents[name])
        assert all(variable in graph.steps[source].outputs for variable, source in sources.items())
        assert set(graph.steps[name].inputs) == set(sources)
        assert graph.steps[name].optional <= set(graph.steps[name].outputs)
    for problem in graph.problems:
        assert problem.message
        assert problem.hint
        assert problem.cell.startswith("cell ")


@settings(max_examples=150, deadline=None)
@given(notebooks())
def test_needed_cells_make_what_a_step_reads(found):
    """Executed in document order, the needed cells leave every name bound that all context cells above would bind."""
    graph = build(found)
    for name, step in graph.steps.items():
        index = found.index(step.cell)
        needed = graph.needs[name]
        assert [context.index for context in needed] == sorted(context.index for context in needed)
        above = [context for context in graph.contexts if context.index < index]
        for read in step.reads - graph.written() - step.scratch:
            makers = [context for context in above if read in context.names.definite]
            if makers:
                assert makers[-1] in needed
