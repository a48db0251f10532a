"""Conditions, branches, catches, maps and questions in the graph: edges of their own kind."""

from __future__ import annotations

import pytest

from nbsteps.core.graph import Graph, build
from nbsteps.core.model import Cell

ROWS = "%%step load\nrows = [1]"
ONE = "%%step one --branch g --when 'len(rows) > 1'\nx = 1"
TWO = "%%step two --branch g --when else\nx = 2"
JOIN = "%%step join\ny = x"


def graph_of(*sources: str) -> Graph:
    return build([Cell(f"cell {number}", source) for number, source in enumerate(sources, 1)])


def wires(graph: Graph) -> str:
    """``step(parents) reads variable=writers consults variable=writers watches steps``."""
    lines = []
    for name in graph.steps:
        line = f"{name}({' '.join(graph.parents[name])})"
        for word, found in (("reads", graph.sources[name]), ("consults", graph.consults.get(name, {}))):
            if found:
                made = (f"{variable}={'|'.join(graph.candidates(name, variable))}" for variable in found)
                line += f" {word} {' '.join(made)}"
        if name in graph.watched:
            line += f" watches {' '.join(graph.watched[name])}"
        lines.append(line)
    return "; ".join(lines)


def check(*sources: str, expect: str) -> Graph:
    """Assert that the notebook has no problem and these connections."""
    graph = graph_of(*sources)
    assert [str(problem) for problem in graph.problems] == []
    assert wires(graph) == expect
    return graph


@pytest.mark.parametrize(
    ("sources", "expect"),
    [
        pytest.param(
            [ROWS, "%%step s --when rows\ny = 1"],
            "load(); s(load) consults rows=load",
            id="a condition reads what the body does not",
        ),
        pytest.param(
            [ROWS, "%%step s --when rows\ny = rows"],
            "load(); s(load) reads rows=load",
            id="what the body reads too is an input",
        ),
        pytest.param(
            [ROWS, "limit = 3", "%%step s --when 'len(rows) > limit'\ny = 1"],
            "load(); s(load) consults rows=load",
            id="a condition reads what a context cell makes",
        ),
        pytest.param(
            [ROWS, "def big():\n    return len(rows)", "%%step s --when 'big()'\ny = 1"],
            "load(); s(load) consults rows=load",
            id="a condition reads through a helper",
        ),
        pytest.param(
            [ROWS, "limit = len(rows)", "%%step s --when 'limit > 3'\ny = 1"],
            "load(); s(load)",
            id="a condition reads through a context cell",
        ),
        pytest.param(
            [ROWS, "%%step s --in rows --when rows\ny = 1"],
            "load(); s(load) reads rows=load",
            id="declared as an input it is one",
        ),
        pytest.param(
            [ROWS, "%%step s --when \"failed('load')\"\ny = 1"],
            "load(); s() watches load",
            id="a condition asks how a step ended",
        ),
        pytest.param(
            ["%%step s --when \"failed('load')\"\ny = 1", ROWS],
            "load(); s() watches load",
            id="the step asked about stands below",
        ),
        pytest.param([ROWS, "%%step s --catch load\ny = error"], "load(); s() watches load", id="catch"),
        pytest.param(
            [ROWS, "%%step s --approve 'Use {rows[0]}?' --ask n:int\ny = n"],
            "load(); s(load) consults rows=load",
            id="a question shows a variable",
        ),
        pytest.param(
            [ROWS, "%%step s --map row=rows\ny = row"],
            "load(); s(load) reads rows=load",
            id="a map reads its items",
        ),
        pytest.param(
            [ROWS, "%%step s --out y --in --map row=rows\ny = row"],
            "load(); s(load) reads rows=load",
            id="whatever else is declared",
        ),
        pytest.param(
            [ROWS, "%%step k\nkeys = [1]", "%%step s --map row=rows --map-key 'keys[row]'\ny = row"],
            "load(); k(); s(load k) reads rows=load consults keys=k",
            id="an item's key reads another variable",
        ),
        pytest.param(
            ["rows = [1]", "%%step s --map row=rows\nrow = row + 1\ny = row", "%%step t\nz = y"],
            "s(); t(s) reads y=s",
            id="a map over what a context cell makes; the loop variable is no output",
        ),
        pytest.param(
            [ROWS, ONE, TWO, JOIN],
            "load(); one(load) consults rows=load; two() watches one; join(one two) reads x=one|two",
            id="members of a branch write one name",
        ),
        pytest.param(
            [ROWS, ONE, JOIN, TWO],
            "load(); one(load) consults rows=load; two() watches one; join(one two) reads x=one|two",
            id="a join between the members",
        ),
        pytest.param(
            [JOIN, TWO.replace("else", "flag"), ONE, "flag = 1", ROWS],
            "two(); load(); one(load) consults rows=load watches two; join(two one) reads x=two|one",
            id="a join above them",
        ),
        pytest.param(
            [ROWS, ONE, TWO, "z = x", "%%step s\ny = z"],
            "load(); one(load) consults rows=load; two() watches one; s(one two)",
            id="a join through a context cell",
        ),
        pytest.param(
            [ROWS, ONE + "\nonly = 3", TWO, "%%step join\ny = x, only"],
            "load(); one(load) consults rows=load; two() watches one; join(one two) reads only=one x=one|two",
            id="a variable of one member only",
        ),
        pytest.param(
            ["%%step x1 --branch g --when on\na = 1", "%%step g --branch h\na2 = 1", "%%step x2 --branch g\nb = 2",
             "on = True"],
            "x1(); g(); x2() watches x1",
            id="two groups, one named like a step",
        ),
    ],
)  # fmt: skip
def test_connections(sources: list[str], expect: str) -> None:
    check(*sources, expect=expect)


def test_parents_that_stand_for_one() -> None:
    assert graph_of(ROWS, ONE, TWO, JOIN).joins == {"join": (("one", "two"),)}
    both = graph_of(ROWS, ONE + "\nv = 1", TWO + "\nv = 2", "%%step join\ny = x, v")
    assert both.joins == {"join": (("one", "two"),)}
    assert graph_of(ROWS, ONE + "\nonly = 3", TWO, "%%step s\ny = only").joins == {}


def test_groups_are_in_the_order_of_their_cells() -> None:
    graph = check(
        "%%step b --branch g --when on\nx = 1", "%%step a --branch g\nx = late", "%%step z\nlate = 1", "on = True",
        expect="b(); z(); a(z) reads late=z watches b",
    )  # fmt: skip
    assert graph.groups == {"g": ("b", "a")}


def test_names_that_the_engine_binds_are_read_of_nobody() -> None:
    sources = [
        "row = n = error = 1",
        ROWS,
        "%%step s --map row=rows --catch load --approve 'Go on?' --ask n:int\ny = row, n, error",
    ]
    step = graph_of(*sources).steps["s"]
    assert {"row", "n", "error"}.isdisjoint(step.reads)
    assert step.inputs == ("rows",)
    assert graph_of(*sources).needs["s"] == ()


def test_a_condition_needs_the_cells_that_make_what_it_reads() -> None:
    graph = graph_of("limit = 3", "other = 4", "%%step s --when limit\ny = other")
    assert [context.cell.label for context in graph.needs["s"]] == ["cell 1", "cell 2"]
    assert "limit" not in graph.steps["s"].reads


def test_what_comes_first_counts_for_selections() -> None:
    graph = graph_of(ROWS, ONE, TWO, JOIN, "%%step h --catch join\nz = 1", "%%step far\nw = 1")
    assert graph.ancestors(["two"]) == {"load", "one", "two"}
    assert graph.ancestors(["h"]) == {"load", "one", "two", "join", "h"}
    assert graph.descendants(["one"]) == {"one", "two", "join", "h"}
    assert graph.edges["two"] == ("one",)
    assert graph.parents["two"] == ()


def test_without_rules_edges_are_the_parents() -> None:
    graph = graph_of(ROWS, "%%step s\ny = rows")
    assert graph.edges is graph.parents
    assert (graph.watched, graph.groups, graph.joins, graph.catches) == ({}, {}, {}, ())


def test_candidates_of_what_nobody_makes() -> None:
    with pytest.raises(KeyError):
        graph_of(ROWS, "%%step s --when rows\ny = 1").candidates("s", "nothing")
    with pytest.raises(KeyError):
        graph_of(ROWS, "%%step s\ny = rows").candidates("s", "nothing")
