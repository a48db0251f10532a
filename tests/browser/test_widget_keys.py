"""The widget without a mouse, and in a page that is 320 pixels wide: how a page looks at a zoom of 400 %."""

from __future__ import annotations

import json
from functools import partial

import pytest

from nbsteps.core.approvals import Request
from nbsteps.core.events import RunEnded, RunStarted, StepWaiting
from nbsteps.core.model import Run
from nbsteps.core.policies import Field
from nbsteps.core.states import RunState
from tests.browser.bare import cells, draw, tell

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

HERE = """() => {
  const at = document.activeElement;
  if (at === document.body) return null;
  const label = at.getAttribute("aria-label") ?? at.closest("label")?.firstChild.textContent;
  const name = at.dataset.step ?? label ?? at.textContent;
  return name.replace(/\\s+/g, " ").trim();
}"""
RING = """() => {
  const marked = element => getComputedStyle(element).outlineStyle !== "none"
    && parseFloat(getComputedStyle(element).outlineWidth) >= 2;
  const at = document.activeElement;
  return marked(at) || marked(at.parentElement);
}"""
CUT = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = element => element !== document.body
    && (/auto|scroll/.test(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
  return [...document.querySelectorAll(".nbs *")].filter(element => {
    const box = element.getBoundingClientRect();
    return box.width && box.right > width + 1 && !element.closest(".gv,.sr") && !scrolls(element);
  }).map(element => element.outerHTML.slice(0, 120));
}"""
BOX = """(element) => {
  const { left, top, right, bottom } = element.getBoundingClientRect();
  return [left, top, right, bottom];
}"""
RUNS = [
    {
        "run_id": f"r{number}", "number": number, "state": "succeeded", "word": "Succeeded", "started": 10.0 * number,
        "seconds": 1.0, "duration": "1.0s", "steps": ["succeeded"], "cached": 0.5, "saved_seconds": 0.0, "saved": "0s",
        "trigger": "%pipeline",
    }
    for number in (3, 2, 1)
]  # fmt: skip
TOOLBAR = ["Run", "Force", "Workers", "Executor", "Report"]
ZOOM = ["Zoom out", "Zoom in", "Fit"]


@pytest.fixture
def show(page):
    return partial(draw, page)


def reply(page, what, data):
    """Answer what the widget asked the kernel for."""
    page.wait_for_function("what => window.sent.some(message => message.do === what)", arg=what)
    sent = page.evaluate("what => window.sent.filter(message => message.do === what).pop()", what)
    message = {"kind": "reply", "view": sent["view"], "request": sent["request"], "data": data}
    page.evaluate("message => window.tell(message)", message)


def ended(page, board):
    board.emit(RunStarted(95.0, Run("r1", "flow.ipynb", "magic", 95.0, "host", 1, "dana"), ("step_0",)))
    board.emit(RunEnded(96.0, "r1", RunState.SUCCEEDED))
    tell(page, board)


def ask(page, board):
    """Have the first step wait for a person."""
    fields = (Field("share", "float", "0.5"),)
    request = Request("q", "flow.ipynb", "r1", "step_0", "k", "Publish?", 90.0, fields)
    board.emit(RunStarted(95.0, Run("r1", "flow.ipynb", "magic", 95.0, "host", 1, "dana"), ("step_0",)))
    board.emit(StepWaiting(95.0, "r1", "step_0", request))
    board.emit(RunEnded(96.0, "r1", RunState.WAITING))
    tell(page, board)
    page.locator("form.appr").wait_for()


def walk(page, key="Tab"):
    """The names of all that the key leads to, until it leaves the widget; each has a visible ring."""
    names: list[str] = []
    for _ in range(60):
        page.keyboard.press(key)
        name = page.evaluate(HERE)
        if name is None or name in names[:1]:  # a browser without a frame begins again at once
            return names
        assert page.evaluate(RING), f"{name} has no ring"
        names.append(name)
    raise AssertionError(f"no way out: {names}")


def check_walk(page, *expected):
    assert walk(page) == list(expected)
    assert walk(page, "Shift+Tab") == list(expected)[::-1]


def test_tab_leads_through_everything_and_out(page, show):
    ended(page, show(cells(6, 3)))
    check_walk(page, "Graph", *TOOLBAR, "step_0", *ZOOM)


def test_tab_leads_through_a_form_before_the_graph(page, show):
    ask(page, show(cells(6, 3)))
    form = ["share float", "Note optional", "Reject", "Approve"]
    check_walk(page, "Graph", *TOOLBAR, *form, "step_0", *ZOOM)


def test_tab_leads_through_filters_and_the_overview_of_many_steps(page, show):
    ended(page, show(cells(60, 10)))
    overview = "Overview of the graph; arrow keys move the view"
    check_walk(page, "Graph", *TOOLBAR, "Filter 60 steps", "Pending60", "step_0", overview, *ZOOM)


def test_a_panel_follows_the_graph_and_gives_the_focus_back(page, show):
    show(cells(6, 3))
    page.locator("[data-step=step_1]").focus()
    page.keyboard.press("Enter")
    page.locator(".pn").wait_for()
    names = walk(page)
    assert names[: len(ZOOM) + 4] == [*ZOOM, "Go to cell", "Run this step", "Close panel", "Overview"]
    page.get_by_role("tab", name="Overview").focus()
    for key, expected in (("ArrowRight", "Why"), ("End", "Attempts"), ("ArrowRight", "Overview"), ("Home", "Overview")):
        page.keyboard.press(key)
        assert page.evaluate(HERE) == expected
    page.keyboard.press("Escape")
    assert page.locator(".pn").count() == 0
    assert page.evaluate(HERE) == "step_1"


def test_the_arrows_lead_through_the_graph(page, show):
    show(cells(6, 3))
    page.locator("[data-step=step_0]").focus()
    for key, expected in (
        ("ArrowDown", "step_1"),
        ("ArrowRight", "step_4"),
        ("ArrowUp", "step_3"),
        ("ArrowLeft", "step_0"),
    ):
        page.keyboard.press(key)
        assert page.evaluate(HERE) == expected
    page.keyboard.press("r")
    assert page.evaluate("() => window.sent.pop()") == {"do": "run", "steps": ["step_0"]}


def test_the_menu_is_walked_and_left(page, show):
    show(cells(6, 3))
    page.locator("[data-step=step_0]").focus()
    page.keyboard.press("ArrowDown")
    button = page.get_by_role("button", name="Force")
    items = ["Force this stepstep_1", "Force this step and everything after it", "Force all"]
    button.focus()
    page.keyboard.press("ArrowDown")
    for key, expected in (("ArrowUp", items[2]), ("ArrowDown", items[0]), ("End", items[2]), ("Home", items[0])):
        page.keyboard.press(key)
        assert page.evaluate(HERE) == expected
    page.keyboard.press("Escape")
    assert (page.get_by_role("menu").count(), page.evaluate(HERE)) == (0, "Force")
    page.keyboard.press("Enter")
    page.get_by_role("menu").wait_for()
    page.keyboard.press("Shift+Tab")
    page.get_by_role("menu").wait_for(state="detached")
    assert page.evaluate(HERE) == "Force"
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert page.evaluate("() => window.sent.pop()") == {"do": "run", "force": True}
    assert page.evaluate(HERE) == "Force"


def test_enter_submits_a_form_and_the_focus_goes_on_at_the_step(page, show):
    ask(page, show(cells(6, 3)))
    page.get_by_label("share").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("0.25")
    page.keyboard.press("Enter")
    reply(page, "approve", None)
    page.wait_for_function("() => document.activeElement.dataset.step === 'step_0'")
    (sent,) = page.evaluate("() => window.sent.filter(message => message.do === 'approve')")
    assert sent["values"] == {"share": "0.25"}


def test_runs_are_one_stop_that_the_arrows_walk_through(page, show):
    show(cells(6, 3))
    page.get_by_role("tab", name="Graph").focus()
    page.keyboard.press("ArrowRight")
    reply(page, "runs", RUNS)
    page.locator("tr.row").first.wait_for()
    heads = ["Run", "State", "Started ↓", "Duration", "Cached", "Time saved", "Started by"]
    assert walk(page) == ["Filter runs", "State", *heads, page.locator("tr.row").first.text_content()]
    page.locator("tr.row").first.focus()
    for key, expected in (("ArrowDown", "#2"), ("End", "#1"), ("ArrowUp", "#2"), ("Home", "#3")):
        page.keyboard.press(key)
        assert page.evaluate(HERE).startswith(expected)
    page.keyboard.press(" ")
    page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    assert page.locator("tr.row[aria-selected=true]").count() == 2
    assert page.get_by_role("button", name="Compare").is_enabled()


@pytest.mark.parametrize("number", [1, 12, 300])
def test_nothing_is_cut_off_at_320_pixels(page, show, number):
    board = show(cells(number, 4 if number < 40 else 25), 320, 256)
    ask(page, board)
    page.locator("[data-step=step_0]").focus()
    page.keyboard.press("Enter")
    page.locator(".pn").wait_for()
    assert page.evaluate("() => document.documentElement.scrollWidth") == 320
    assert page.evaluate(CUT) == []


@pytest.mark.parametrize("width", [420, 700, 880])
def test_the_overview_stands_below_a_narrow_graph(page, show, width):
    show(cells(300), width)
    graph, overview, zoom = (page.locator(part).bounding_box() for part in (".gv", ".mini", ".gctl"))
    assert min(overview["y"], zoom["y"]) >= graph["y"] + graph["height"]
    assert overview["x"] + overview["width"] <= zoom["x"]


@pytest.mark.parametrize("width", [920, 1080])
def test_nothing_lies_behind_the_overview_that_cannot_be_moved(page, show, width):
    show(cells(300), width)
    page.locator("[data-step]").first.focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
        node, overview = (page.locator(part).bounding_box() for part in (":focus", ".mini"))
        apart = [
            node["x"] + node["width"] <= overview["x"],
            node["y"] >= overview["y"] + overview["height"],
            node["y"] + node["height"] <= overview["y"],
        ]
        assert any(apart), json.dumps([node, overview])


@pytest.mark.parametrize(("number", "width"), [(12, 700), (24, 700), (24, 1000), (40, 1000), (40, 1300), (300, 1000)])
def test_no_step_lies_behind_the_zoom_buttons_where_all_are_seen(page, show, number, width):
    show(cells(number), width)
    page.locator("[data-step]").first.focus()
    page.keyboard.press("0")
    left, top, right, bottom = page.locator(".gctl").evaluate(BOX)
    for node in page.locator("[data-step]").all():
        x, y, end, low = node.evaluate(BOX)
        assert end <= left or x >= right or low <= top or y >= bottom, node.get_attribute("data-step")
