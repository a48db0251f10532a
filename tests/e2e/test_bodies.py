"""A body may use everything that a cell can, shows it the same when restored, and fails as a cell fails."""

from __future__ import annotations

import pytest

from tests.e2e.building import step

HELPERS = "%matplotlib inline\nimport sys\ndef outside(x):\n    # far from the step\n    return 10 / x"

# name: the step's cell, what a cell after it shows of its output, what the body itself shows
GOOD = {
    "awaiting": (
        step(
            "awaiting", "import asyncio", "both = await asyncio.gather(*(asyncio.sleep(0, n) for n in (1, 2)))", "both"
        ),
        "both",
        "[1, 2]\n",
    ),
    "shell": (step("shell", "said = !echo one; echo two", "!echo loud", "lines = list(said)"), "lines", "loud\n"),
    "line_magic": (step("line_magic", "where = %pwd", "found = len(where) > 0"), "found", ""),
    "nested": ("%%step nested\n%%bash\necho nested $((1 + 1))", "", "nested 2\n"),
    "captured": ("%%step captured --out cap\n%%capture cap\nprint('quiet')", "cap.stdout", ""),
    "html": ("%%step html\n%%html\n<b>bold</b>", "", "<IPython.core.display.HTML object>\n"),
    "expression": (step("expression", "one = 1", "one + 1"), "one", "2\n"),
    "quiet": (step("quiet", "two = 2", "two;"), "two", ""),
    "streams": (step("streams", "print('out')", "print('err', file=sys.stderr)", "three = 3"), "three", "out\nerr\n"),
    "shown": (step("shown", "display('first')", "print('second')", "four = 4", "'third'"), "four", None),
    "drawn": (
        step("drawn", "import matplotlib.pyplot as plt", "plt.plot([1, 2])", "plt.show()", "five = 5"),
        "five",
        None,
    ),
    "local_class": (step("local_class", "class Point:", "    x = 1", "six = Point.x + 5"), "six", ""),
    "imports": (step("imports", "import pyarrow as pa", "table = pa.table({'a': [1]})"), "table.num_rows", ""),
    "after_imports": (step("after_imports", "copied = table"), "copied.num_rows", ""),
    "unicode": (step("unicode", "größe = 'Ünïcode ✓'", "print(größe)"), "größe", "Ünïcode ✓\n"),
}
FAILING = {
    "deep": (
        step("deep", "def inner(x):", "    return 1 / x", "value = inner(0)"),
        "ZeroDivisionError: division by zero",
        ["line 5", "value = inner(0)", "line 4, in inner(x)", "return 1 / x"],
    ),
    "helper": (
        step("helper", "quotient = outside(0)"),
        "ZeroDivisionError: division by zero",
        ["line 3", "quotient = outside(0)", "in outside(x)", "# far from the step"],
    ),
    "awaited": (
        step("awaited", "import asyncio", "await asyncio.sleep(0)", "slept = undefined_name"),
        "NameError: name 'undefined_name' is not defined",
        ["line 5", "slept = undefined_name"],
    ),
    "leaving": (step("leaving", "left = 1", "sys.exit(3)"), "SystemExit: 3", []),
    "promised": (
        "%%step promised --out text\n%%writefile promised.txt\nhello",
        (
            "StepError: step promised (cell {cell}): the body ended without assigning text\n"
            "    assign text, or drop it from --out"
        ),
        [],
    ),
    "mutating": (
        step("mutating --in lines --out sorted_lines", "lines.reverse()", "sorted_lines = lines[0]"),
        (
            "MutatedInputError: step mutating (cell {cell}): the body changed its input lines in place\n"
            "    work on a copy (lines = lines.copy()), or declare it: --mutates lines"
        ),
        [],
    ),
}
CELL = {name: f"c{at}" for at, name in enumerate([*GOOD, *FAILING], 2)}


@pytest.fixture(scope="module")
def ran(module_nb):
    sources = [cell for cell, *_ in (*GOOD.values(), *FAILING.values())]
    module_nb.write(HELPERS, *sources)
    environment = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    kernel = module_nb.live(environment=environment)
    return kernel, module_nb.run_live(kernel)


@pytest.fixture(scope="module")
def again(ran, module_nb):
    module_nb.executed()
    shown = module_nb.output_of(module_nb.run("-o", str(module_nb.outside / "again.ipynb")))
    assert module_nb.executed() == [name for name in FAILING if name != "promised"]
    return shown


def body_text(shown):
    return shown.text.rpartition(f"ran {shown.state['step']} ")[0]


@pytest.mark.parametrize("name", GOOD)
def test_a_body_does_what_a_cell_does(ran, name):
    _, after, shows = GOOD[name]
    kernel, shown = ran
    found = shown[CELL[name]]
    assert (found.error, found.state["state"]) == ("", "succeeded")
    if shows is not None:
        assert body_text(found).replace("\r", "") == shows
    if after:
        assert kernel.run(after).error == ""


def test_outputs_keep_their_order_and_kind(ran):
    _, shown = ran
    kinds = [(o["output_type"], o.get("text") or o["data"]["text/plain"]) for o in shown[CELL["shown"]].body]
    assert kinds == [("display_data", "'first'"), ("stream", "second\n"), ("display_data", "'third'")]
    (figure,) = shown[CELL["drawn"]].body
    assert figure["data"]["image/png"].startswith("iVBOR")


@pytest.mark.parametrize("name", GOOD)
def test_headlessly_it_is_restored_and_shows_the_same(ran, again, name):
    _, shown = ran
    before, after = shown[CELL[name]], again[CELL[name]]
    assert (after.error, after.state["state"]) == ("", "cached")
    terminal = [
        {**output, "text": output["text"].replace("\r", "")} if "text" in output else output for output in before.body
    ]
    assert after.body == terminal


@pytest.mark.parametrize("name", FAILING)
def test_a_body_fails_as_a_cell_fails_and_exactly_once(ran, again, name):
    _, error, lines = FAILING[name]
    _, shown = ran
    for found in (shown[CELL[name]], again[CELL[name]]):
        assert found.error == error.format(cell=int(CELL[name][1:]) + 1)
        assert found.state["state"] == "failed"
        assert all(line in found.traceback for line in lines), found.traceback
        assert "nbsteps/" not in found.traceback
        assert found.traceback.count("----> ") == sum(line.startswith(("line ", "in ")) for line in lines)


def test_an_input_that_a_body_changed_is_as_it_was(ran):
    kernel, _ = ran
    assert kernel.run("lines").text == "['one', 'two']\n"
