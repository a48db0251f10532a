"""What the panel below the graph is given."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest

from nbsteps.core.decide import Action, Decision
from nbsteps.core.graph import build
from nbsteps.core.model import Artifact, Cell, Result, Step, StepOptions
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.display.chronicle import comparison, run_rows, run_view, timeline_view, trends_view
from nbsteps.display.details import Known, detail
from nbsteps.display.levels import LEVELS, graph_view, levels
from nbsteps.display.previews import Preview, preview
from nbsteps.display.timeline import timeline
from nbsteps.display.trends import trends

STEP = Step(
    "clean",
    Cell("cell 4", "%%step clean --owner dana\nrows = raw"),
    "rows = raw",
    StepOptions(owner="dana", after=("load",)),
    ("raw",),
    ("rows",),
    frozenset({"raw"}),
)
ROWS = Artifact("d", "pandas.core.frame.DataFrame", "frame", 1200, "inline", "c", summary="DataFrame 2 x 1")
TRACE = 'Traceback (most recent call last):\n  File "step clean (cell 4)", line 2, in <module>\nValueError: x'
T0 = "2026-01-01T10:00:00+00:00"
T1 = "2026-01-01T10:00:02+00:00"


def known(**more):
    return detail(Known(STEP, Decision(Action.RUN, more.pop("reasons", ())), **more))


def tried(run="r1", number=1, state="failed", **more):
    times = {"started_at": T0, "ended_at": T1, "duration": 2.0, "delay": 0.0}
    return {"run_id": run, "item": "", "attempt": number, "state": state, **times, **more}


@pytest.mark.parametrize(
    ("reason", "expect"),
    [
        (Reason(ReasonKind.CONSTANT, "limit", "1", "2"), ("Constant limit", "1", "2", "")),
        (Reason(ReasonKind.NEVER_RAN), ("Never ran", "", "", "")),
        (Reason(ReasonKind.INPUT, "raw", "list of 3", "list of 3"), ("Input raw changed", "", "", "")),
        (
            Reason(ReasonKind.CODE, "", "a = 1", "a = 2"),
            ("Code changed", "", "", "--- before\n+++ now\n@@ -1 +1 @@\n-a = 1\n+a = 2"),
        ),
    ],
)
def test_reasons_show_both_sides(reason, expect):
    (shown,) = known(reasons=(reason,))["reasons"]
    assert (shown["what"], shown["before"], shown["after"], shown["diff"]) == expect


def test_options_are_those_that_were_written():
    assert known()["options"] == [["--after", "load"], ["--owner", "dana"]]


def test_values_carry_their_first_rows():
    result = Result("k", "s", "nb", "clean", "r1", {"rows": ROWS}, ())
    (shown,) = known(result=result, previews={"rows": Preview(("n",), (("1",),))})["outputs"]
    assert (shown["type"], shown["size"], shown["columns"], shown["rows"]) == ("DataFrame", "1.2 kB", ("n",), (("1",),))


def test_an_error_names_the_line_of_the_cell():
    rows = [tried(error_type="ValueError", error_message="x", traceback=TRACE)]
    shown = known(attempts=rows)
    assert (shown["error"]["line"], shown["error"]["type"], shown["tried"]) == (2, "ValueError", 1)
    assert known(attempts=[tried(state="succeeded")])["error"] is None


@pytest.mark.parametrize(
    ("display", "expect"),
    [
        ({"output_type": "stream", "name": "stdout", "text": "a"}, [("text", "a")]),
        ({"output_type": "stream", "name": "stderr", "text": "b"}, [("error", "b")]),
        (
            {"output_type": "display_data", "data": {"text/html": "<b>", "text/plain": "plain"}},
            [("text", "plain")],
        ),
        (
            {"output_type": "display_data", "data": {"image/png": "aGk=\n", "text/plain": "<Figure>"}},
            [("image", "data:image/png;base64,aGk=")],
        ),
        (
            {"output_type": "display_data", "data": {"image/svg+xml": "<svg/>"}},
            [("image", "data:image/svg+xml;base64,PHN2Zy8+")],
        ),
        ({"output_type": "display_data", "data": {"text/html": "<b>"}}, []),
    ],
)
def test_what_was_shown_is_text_or_an_image(display, expect):
    assert [(each["kind"], each["text"]) for each in known(log=[display])["log"]] == expect


CUT = "(what was shown before this is left out here)\n"


def lines(first, last):
    return "".join(f"{number:09}\n" for number in range(first, last))


@pytest.mark.parametrize(
    ("displays", "expect"),
    [
        ([lines(0, 10_000)], [lines(0, 10_000)]),
        ([lines(0, 10_001)], [CUT + lines(2, 10_001)]),
        (["x" * 100_001], [CUT + "x" * 100_000]),
        (["early", lines(0, 10_000), ""], [CUT, lines(0, 10_000), ""]),
        (["early", lines(0, 9_999), "12345"], ["early", lines(0, 9_999), "12345"]),
        (["earlier", lines(0, 9_999), "12345"], [CUT + "rlier", lines(0, 9_999), "12345"]),
    ],
)
def test_of_much_text_the_end_is_shown_and_that_it_is_one(displays, expect):
    log = [{"output_type": "stream", "name": "stdout", "text": text} for text in displays]
    shown = known(log=log)["log"]
    assert [each["text"] for each in shown] == expect


def test_of_many_figures_the_newest_are_shown():
    log = [{"output_type": "display_data", "data": {"text/plain": str(number)}} for number in range(300)]
    shown = [each["text"] for each in known(log=log)["log"]]
    assert shown == [CUT, *(str(number) for number in range(100, 300))]


@pytest.mark.parametrize("frame", [pd.DataFrame({"a": range(9)}), pl.DataFrame({"a": list(range(9))})])
def test_a_preview_is_the_upper_left_corner(frame):
    assert preview(frame) == Preview(("a",), (("0",), ("1",), ("2",), ("3",), ("4",)))


def test_what_is_no_table_has_no_preview():
    assert preview([1, 2]) == Preview()


def run_row(run, state="succeeded", **more):
    counts = {"steps_total": 2, "steps_executed": 1, "steps_restored": 1, "trigger": "magic"}
    times = {"started_at": T0, "ended_at": T1, "duration": 2.0}
    return {"run_id": run, "state": state, **times, **counts, **more}


def step_row(run, step, state, **more):
    times = {"started_at": T0, "ended_at": T1, "duration": 1.0}
    return {"run_id": run, "step": step, "state": state, "attempts": 1, **times, **more}


def test_runs_are_numbered_from_the_oldest_and_their_steps_stand_in_graph_order():
    steps = [step_row("r2", "b", "failed"), step_row("r2", "a", "cached", time_saved=3.0)]
    newest, oldest = run_rows([run_row("r2", "failed"), run_row("r1")], steps, ("a", "b"))
    assert (newest["number"], newest["steps"], newest["saved"], newest["cached"]) == (
        2,
        ["cached", "failed"],
        "3.0s",
        0.5,
    )
    assert (oldest["number"], oldest["steps"], oldest["trigger"]) == (1, [], "%pipeline")


def test_a_strip_of_many_steps_keeps_what_matters():
    steps = [step_row("r1", f"s{n}", "failed" if n == 70 else "cached") for n in range(100)]
    (shown,) = run_rows([run_row("r1")], steps)
    assert (len(shown["steps"]), shown["steps"].count("failed")) == (34, 1)


def test_a_run_of_the_history_is_over():
    view = run_view(run_row("r1", "running", ended_at=None))
    assert (view.ended, view.total) == (view.started, 2)


def test_timeline_and_trends_are_given_in_words():
    found = timeline(run_row("r1"), [step_row("r1", "a", "succeeded")], [tried(step="a", state="succeeded")])
    view = timeline_view(found, [])
    assert (view["facts"][0], view["kinds"]) == (["Total", "2.0s"], [["attempt", "Attempt"]])
    runs = [run_row(f"r{n}") for n in range(3)]
    shown = trends_view(trends(runs, [step_row("r1", "a", "succeeded")]), {"r0": 1, "r1": 2, "r2": 3})
    assert (shown["enough"], shown["facts"][0][:2], shown["steps"][0]["median"]) == (
        True,
        ["Median duration", "2.0s"],
        "1.0s",
    )


def test_a_figure_that_there_is_not_says_why():
    runs = [run_row(f"r{n}", "failed", steps_executed=0, steps_restored=0) for n in range(3)]
    facts = trends_view(trends(runs, []), {})["facts"]
    assert facts[:2] == [
        ["Median duration", "\N{EN DASH}", "no run succeeded"],
        ["Hit rate", "\N{EN DASH}", "nothing was executed"],
    ]


def test_two_runs_are_compared_step_by_step():
    before = [step_row("r1", "a", "succeeded"), step_row("r1", "gone", "failed")]
    after = [step_row("r2", "a", "succeeded", duration=1.5), step_row("r2", "new", "cached")]
    rows = comparison(before, after, ("a", "new"))
    assert [(row["step"], row["before"]["state"], row["after"]["state"], row["change"]) for row in rows] == [
        ("a", "succeeded", "succeeded", "+50%"),
        ("new", "", "cached", ""),
        ("gone", "failed", "", ""),
    ]


def test_a_graph_is_laid_out_for_each_size_of_nodes():
    graph = build([Cell("cell 1", "%%step a\nx = 1"), Cell("cell 2", "%%step b\ny = x")])
    view = graph_view(graph, "nb.ipynb")
    assert list(view["levels"]) == list(LEVELS)
    assert view["edges"] == [["a", "b", ["x"], "data"]]
    full = view["levels"]["full"]
    assert (len(full["at"]), full["edges"][0][:2], full["node"]) == (2, [0, 1], [172, 48])


def test_a_large_graph_is_not_folded():
    chain = build([Cell(f"cell {n}", f"%%step s{n}\nx{n} = {f'x{n - 1}' if n else 0}") for n in range(60)])
    assert levels(chain)["full"]["height"] < 200


def test_conditions_are_written_at_full_size_only():
    graph = build([Cell("cell 1", "%%step a\nx = 1"), Cell("cell 2", '%%step b --when "x > 0"\ny = x')])
    found = levels(graph)
    assert [label[:2] for label in found["full"]["labels"]] == [[1, "x > 0"]]
    assert not any(found[name]["labels"] for name in LEVELS if name != "full")
