"""Conditions, branches, catches, maps, questions, pools: whatever is wrong with them gives a problem, with its mend."""

from __future__ import annotations

import re

import pytest

from nbsteps.core.errors import Problem
from nbsteps.core.graph import Graph, build
from nbsteps.core.model import Cell
from nbsteps.core.source import split_cell

ROWS = "%%step load\nrows = [1]"
ONE = "%%step one --branch g --when 'len(rows) > 1'\nx = 1"
TWO = "%%step two --branch g --when else\nx = 2"


def graph_of(*sources: str) -> Graph:
    return build([Cell(f"cell {number}", source) for number, source in enumerate(sources, 1)])


def mended(sources: list[str], problem: Problem) -> list[str] | None:
    """The notebook with the problem's hint pasted; None if the hint is a sentence."""
    where = re.fullmatch(r"(?:in (cell \d+): )?(%%step .*)", problem.hint)
    if where is None:
        return None
    label, line = where.groups()
    at = int((label or problem.cell).removeprefix("cell ")) - 1
    step = split_cell(sources[at])
    assert step is not None
    return [*sources[:at], f"{line}\n{step.body}", *sources[at + 1 :]]


def wrong(sources: list[str], *expect: tuple[str, str, str, str]) -> None:
    """Assert these problems: step, beginning of the message, hint, severity; a pasted hint must leave none."""
    found = list(graph_of(*sources).problems)
    assert [(p.step, p.message[: len(e[1])], p.hint, p.severity) for p, e in zip(found, expect, strict=True)] == [
        *expect
    ]
    lines = [problem for problem in found if mended(sources, problem) is not None]
    while lines:
        sources = mended(sources, lines[0]) or []
        found = list(graph_of(*sources).problems)
        lines = [problem for problem in found if mended(sources, problem) is not None]


BODY = "\ny = 1"


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("--retry-delay 5s", "--retry-delay does nothing without --retries", "%%step s"),
        ("--retry-on OSError", "--retry-on does nothing without --retries", "%%step s"),
        ("--jitter full", "--jitter does nothing without --retries", "%%step s"),
        ("--max-parallel 3", "--max-parallel does nothing without --map", "%%step s"),
        ("--tolerate 1", "--tolerate does nothing without --map", "%%step s"),
        ("--approvers ana", "--approvers does nothing without --approve", "%%step s"),
        ("--on-reject fail", "--on-reject does nothing without --approve", "%%step s"),
        ("--approve no --on-expire reject", "--on-expire does nothing without --approve-timeout",
         "%%step s --approve no"),
        ("--timeout 2h --total-timeout 1h", "--timeout is longer than --total-timeout, which ends the attempt first",
         "%%step s --total-timeout 1h"),
        ("--retries 2 --retry-delay 1h --total-timeout 1h",
         "--retry-delay is not shorter than --total-timeout, so there is never a second attempt",
         "%%step s --retries 2 --retry-delay 1h"),
        ("--approve no --ask n:int", "--ask n: the body never reads it", "%%step s --approve no"),
    ],
)  # fmt: skip
def test_options_that_do_nothing(line: str, message: str, hint: str) -> None:
    wrong([f"%%step s {line}{BODY}"], ("s", message, hint, "warning"))


def test_a_whole_policy_is_no_problem() -> None:
    line = (
        "%%step s --retries 3 --retry-delay 1s --backoff 3 --max-delay 1m --jitter full --retry-on OSError "
        "--no-retry-on KeyError --timeout 2m --total-timeout 10m --map row=rows --map-key row --max-parallel 2 "
        "--tolerate 5% --when rows --trigger none_failed --approve 'Use {rows}?' --ask n:int=3 --approve-timeout 1d "
        "--on-expire approve --on-reject fail --approvers ana --notify json://x --slow 2x --pool api:2"
    )
    assert graph_of(ROWS, f"{line}\ny = row + n").problems == ()


@pytest.mark.parametrize(
    ("sources", "expect"),
    [
        pytest.param(
            ["%%step s --when else\ny = 1"],
            ("s", "--when else means something only in a branch", "add --branch GROUP, or an expression"),
            id="else outside a branch",
        ),
        pytest.param(
            ["%%step s --ask n:int\ny = n"],
            ("s", "--ask needs a question: nobody is asked without --approve",
             "%%step s --approve 'Go on?' --ask n:int"),
            id="a form without a question",
        ),
        pytest.param(
            ["%%step s --approve no --ask n n:int\ny = n"],
            ("s", "--ask has two fields n", "give one of them another name, such as n_2"),
            id="two fields of one name",
        ),
        pytest.param(
            ["%%step s --approve 'Pay {n}?' --ask n:int\ny = n"],
            ("s", "--approve shows n, a field of --ask: it is asked before the form is filled in",
             "take {n} out of the text"),
            id="a question that shows its answer",
        ),
        pytest.param(
            [ROWS, "%%step s --map row=rows --approve 'Pay {row}?'\ny = row"],
            ("s", "--approve shows row, the loop variable of --map: it is asked once, before the items",
             "take {row} out of the text"),
            id="a question that shows an item",
        ),
        pytest.param(
            ["%%step s --approve no --approve-timeout 1d --on-expire approve --ask n:int\ny = n"],
            ("s", "--on-expire approve: nobody would have filled in n", "give a default: --ask n:int=..."),
            id="a form that nobody fills in",
        ),
        pytest.param(
            [ROWS, "%%step s --in rows --approve no --ask rows\ny = rows"],
            ("s", "--in rows: that is a field of --ask, which would hide it",
             "give the field another name, such as rows_asked"),
            id="a field listed as an input",
        ),
        pytest.param(
            [ROWS, "%%step s --map a=rows a=rows\ny = a"],
            None,
            id="the same pair twice is meant once",
        ),
        pytest.param(
            [ROWS, "more = [1]", "%%step s --map a=rows a=more\ny = a"],
            ("s", "--map binds a twice", "give the loop variable another name, such as a_item"),
            id="a loop variable bound twice",
        ),
        pytest.param(
            ["rows = [1]", "%%step s --map rows=rows\ny = rows"],
            ("s", "--map: rows cannot be both the item and the items",
             "give the loop variable another name, such as rows_item"),
            id="item and items",
        ),
        pytest.param(
            [ROWS, "%%step s --in row rows --map row=rows\ny = row"],
            ("s", "--in row: that is the loop variable of --map, there while an item runs", "take row out of --in"),
            id="a loop variable listed as an input",
        ),
        pytest.param(
            [ROWS, "%%step s --mutates rows --map row=rows\ny = row"],
            ("s", "--mutates rows: the items of a map must not change what they are taken from",
             "%%step s --map row=rows"),
            id="items that change where they come from",
        ),
        pytest.param(
            [ROWS, "%%step s --map row=rows --when 'row > 1'\ny = row"],
            ("s", "--when reads row, the loop variable of --map: it is asked once, before the items",
             "raise nbsteps.Skip in the body, or leave items out of what row runs over"),
            id="a condition for each item",
        ),
        pytest.param(
            ["%%step s --catch s\ny = 1"], ("s", "--catch s: that is this step itself", "%%step s"), id="catch itself"
        ),
        pytest.param(
            ["%%step s --when \"failed('s')\"\ny = 1"],
            ("s", "--when asks how this step itself ended", "ask for another step"),
            id="asking about itself",
        ),
        pytest.param(
            [ROWS, "%%step s --catch laod\ny = 1"],
            ("s", "--catch laod: there is no step of that name; did you mean load?", "%%step s --catch load"),
            id="catching nobody",
        ),
        pytest.param(
            [ROWS, "%%step s --when \"failed('laod')\"\ny = 1"],
            ("s", "--when laod: there is no step of that name; did you mean load?",
             "name a step of this notebook: load"),
            id="asking about nobody",
        ),
        pytest.param(
            ["%%step s --when \"failed('a')\"\ny = 1"],
            ("s", "--when a: there is no step of that name; known steps: none yet",
             "name a step of this notebook: STEP"),
            id="asking about nobody, alone",
        ),
        pytest.param(
            [ROWS, "%%step s --when 'len(row) > 1'\ny = 1"],
            ("s", "--when reads row: no cell writes row; did you mean rows?", "write rows instead of row"),
            id="a condition over nothing",
        ),
        pytest.param(
            [ROWS, "%%step s --map a=items\ny = a"],
            ("s", "--map a=items: no cell writes items", "assign items in a cell"),
            id="a map over nothing",
        ),
        pytest.param(
            ["%%step s --approve 'Pay {total}?'\ny = 1"],
            ("s", "--approve reads total: no cell writes total", "assign total in a cell"),
            id="a question about nothing",
        ),
        pytest.param(
            ["%%step s --when y\ny = 1"],
            ("s", "--when reads y: only the step itself writes y, after that", "let another cell make the variable"),
            id="a condition over its own output",
        ),
        pytest.param(
            [ROWS, "%%step a\nrow = 1", "%%step s --map row=rows\ny = row"],
            ("s", "row is the loop variable of --map, and step a (cell 2) writes a variable row",
             "give it another name here, such as row_item"),
            id="a loop variable that hides a variable",
        ),
        pytest.param(
            [ROWS, "%%step s --approve no --ask rows\ny = rows"],
            ("s", "rows is a field of --ask, and step load (cell 1) writes a variable rows",
             "give it another name here, such as rows_asked"),
            id="a field that hides an input",
        ),
        pytest.param(
            ["%%step a --branch g\nx = 1", "%%step b --branch g --when on\nx = 2", "on = 1"],
            ("a", "branch g: no --when, so step b (cell 2) below never gets its turn",
             "add --when EXPR here, or move this cell below the other members"),
            id="a default that is not last",
        ),
        pytest.param(
            ["%%step a --branch g --when else\nx = 1", "%%step b --branch g --when else\nx = 2"],
            ("a", "branch g: --when else, so step b (cell 2) below never gets its turn",
             "add --when EXPR here, or move this cell below the other members"),
            id="two defaults",
        ),
        pytest.param(
            ["%%step a --branch g --when on\nx = 1", "%%step b --branch g\nz = x", "on = 1"],
            ("b", "the body reads x, which step a (cell 1) writes, a member of the same branch g",
             "make the variable in a step outside the branch"),
            id="reading a member that does not run",
        ),
        pytest.param(
            ["%%step a --pool api:2\nx = 1", "%%step b --pool api:3\nz = 2"],
            ("b", "--pool api has 3 slots here and 2 in step a (cell 1)", "%%step b --pool api:2"),
            id="one pool of two sizes",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong(sources: list[str], expect: tuple[str, str, str] | None) -> None:
    wrong(sources, *([] if expect is None else [(*expect, "error")]))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--catch load", "--catch load: the step needs load to succeed, so it never runs when load failed"),
        (
            "--when \"failed('load')\"",
            "--when failed('load'): the step needs load to succeed, so it never runs when load failed",
        ),
    ],
)
def test_what_never_runs(line: str, message: str) -> None:
    found = graph_of(ROWS, f"%%step s {line}\ny = rows").problems
    assert [(p.step, p.message, p.severity) for p in found] == [("s", message, "warning")]
    assert "--trigger all_done" in found[0].hint
    assert graph_of(ROWS, f"{found[0].hint}\ny = rows").problems == ()
    assert graph_of(ROWS, f"%%step s {line} --trigger one_failed\ny = rows").problems == ()


def test_two_groups_must_not_write_one_name() -> None:
    sources = ["%%step a --branch g\nx = 1", "%%step b --branch h\nx = 2"]
    message = "x is written by step a (cell 1) and by step b (cell 2)"
    hint = "give one of them another name, such as x_b"
    wrong(sources, ("b", message, hint, "error"), ("a", message, hint, "error"))


def test_a_member_and_another_step_must_not_write_one_name() -> None:
    sources = [ROWS, ONE, TWO, "%%step c\nx = 3"]
    found = [(p.step, p.message) for p in graph_of(*sources).problems]
    message = "x is written by step one (cell 2) and by step c (cell 4)"
    assert found == [("c", message), ("one", message)]


CIRCLE = "steps need each other in a circle: "


@pytest.mark.parametrize(
    ("sources", "chain", "hint"),
    [
        pytest.param(
            ["%%step a --when \"failed('b')\"\nx = 1", "%%step b\ny = x"],
            "b (cell 2) -> a (cell 1) -> b (cell 2)",
            "in cell 1: take b out of --when",
            id="a condition",
        ),
        pytest.param(
            ["%%step a --catch b\nx = 1", "%%step b\ny = x"],
            "b (cell 2) -> a (cell 1) -> b (cell 2)",
            "in cell 1: %%step a",
            id="a catch",
        ),
        pytest.param(
            ["%%step a --branch g --when on\nx = z", "%%step b --branch g\nw = 2", "%%step c\nz = w", "on = 1"],
            "b (cell 2) -> c (cell 3) -> a (cell 1) -> b (cell 2)",
            "in cell 2: members of branch g are tried from top to bottom: move it above step a",
            id="a branch",
        ),
        pytest.param(
            ["%%step a --when y\nx = 1", "%%step b\ny = x"],
            "b (cell 2) -> a (cell 1) -> b (cell 2)",
            "let one of them read or write another name: a reads y of b, b reads x of a",
            id="what only a condition reads",
        ),
    ],
)
def test_circles(sources: list[str], chain: str, hint: str) -> None:
    found = graph_of(*sources).problems
    assert {problem.message for problem in found} == {CIRCLE + chain}
    assert {problem.hint for problem in found} >= {hint}
    mend = next(problem for problem in found if problem.hint == hint)
    after = mended(sources, mend)
    assert after is None or graph_of(*after).problems == ()
