"""The widget's script on an empty page with a model of the tests' own: what needs no kernel, and large graphs."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

import pytest

from nbsteps.core.approvals import Request
from nbsteps.core.events import RunStarted, StepStarted, StepWaiting
from nbsteps.core.model import Run
from nbsteps.core.policies import Field
from tests.browser.bare import MODEL, STATIC, cells, draw, tell

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

FRAMES = """async changes => {
  const frame = document.querySelector(".gv"), box = frame.getBoundingClientRect(), times = [];
  frame.setPointerCapture = () => {};
  const fire = (type, x, y) => frame.dispatchEvent(new PointerEvent(type, {bubbles: true, clientX: x, clientY: y}));
  fire("pointerdown", box.left + 900, box.top + 300);
  const names = [...document.querySelectorAll("[data-step]")].map(node => node.dataset.step);
  const name = number => names[number % names.length];
  const change = number => window.tell({...window.common, seq: ++window.common.seq, nodes: Object.fromEntries(
    Array.from({length: changes}, (_, i) => [name(number * 37 + i * 19), window.looks[(number + i) % 2]])
  )});
  let last = performance.now();
  for (let i = 0; i < 120; i++) {
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - last);
    last = performance.now();
    if (changes && i % 5 === 0) change(i);
    fire("pointermove", box.left + 900 - i * 6, box.top + 300 - (i % 20) * 4);
  }
  fire("pointerup", 0, 0);
  times.sort((a, b) => a - b);
  return {level: frame.dataset.level, changes, median: times[60], p95: times[114]};
}"""


@pytest.fixture
def show(page):
    """``show(cells)``: the widget with these steps; returns its board."""
    return partial(draw, page)


def asked(fields):
    return Request(
        "q", "flow.ipynb", "r1", "step_0", "k", "Publish <b>this</b>?", 90.0, fields, inputs=(("n", "int 3"),)
    )


def start(board, names):
    board.emit(RunStarted(95.0, Run("r1", "flow.ipynb", "magic", 95.0, "host", 1, "dana"), names))


FIELDS = (Field("amount", "float", "0.5"), Field("channel", "choice", None, ("staging", "live")), Field("count", "int"))


def test_a_form_is_checked_before_it_is_sent(page, show):
    board = show(cells(3, 1))
    start(board, ("step_0",))
    board.emit(StepWaiting(95.0, "r1", "step_0", asked(FIELDS)))
    tell(page, board)
    form = page.locator("form.appr")
    assert "Publish <b>this</b>?" in form.inner_text()
    form.get_by_label("amount").fill("many")
    form.get_by_role("button", name="Approve").click()
    assert form.locator(".err").all_inner_texts() == ["Enter a number", "Required", "Required"]
    assert page.evaluate("() => window.sent.filter(message => message.do === 'approve')") == []
    form.get_by_label("amount").fill("0.75")
    form.get_by_label("channel").select_option("live")
    form.get_by_label("count").fill("3")
    form.get_by_label("Note").fill("fine")
    form.get_by_role("button", name="Approve").click()
    (message,) = page.evaluate("() => window.sent.filter(message => message.do === 'approve')")
    assert (message["step"], message["values"], message["comment"]) == (
        "step_0",
        {"amount": "0.75", "channel": "live", "count": "3"},
        "fine",
    )


def test_what_the_kernel_refuses_is_said_in_the_form(page, show):
    board = show(cells(3, 1))
    start(board, ("step_0",))
    board.emit(StepWaiting(95.0, "r1", "step_0", asked(())))
    tell(page, board)
    page.get_by_role("button", name="Reject").click()
    (sent,) = page.evaluate("() => window.sent.filter(message => message.do === 'reject')")
    page.evaluate(
        "message => window.tell(message)",
        {"kind": "reply", "view": sent["view"], "request": sent["request"], "error": "erin may not decide this"},
    )
    page.get_by_text("erin may not decide this").wait_for()
    assert page.get_by_role("button", name="Reject").is_enabled()


def test_a_report_is_opened_and_saved_without_a_server(page, show, tmp_path):
    board = show(cells(3, 1))
    start(board, ("step_0",))
    tell(page, board)
    page.get_by_role("button", name="Report").click()
    (sent,) = page.evaluate("() => window.sent.filter(message => message.do === 'report')")
    assert sent["run"] == "r1"
    made = {"name": "flow-r1.html", "page": "<!doctype html><title>a run</title><h1>A run</h1>"}
    reply = {"kind": "reply", "view": sent["view"], "request": sent["request"], "data": made}
    page.evaluate("message => window.tell(message)", reply)
    with page.expect_download() as started:
        page.get_by_role("link", name="Save").click()
    started.value.save_as(tmp_path / "report.html")
    assert started.value.suggested_filename == "flow-r1.html"
    assert "<h1>A run</h1>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_how_the_next_run_is_executed_is_chosen_without_a_mouse(page, show):
    show(cells(3, 1))
    page.get_by_label("Workers").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    sent = page.evaluate("() => window.sent.filter(message => message.do === 'how').map(message => message.workers)")
    assert sent == [2, 3]
    assert page.get_by_label("Workers").input_value() == "3"


def test_states_are_filters_and_names_are_found(page, show):
    board = show(cells(60))
    start(board, ("step_3",))
    board.emit(StepStarted(96.0, "r1", "step_3", "k", ()))
    tell(page, board)
    page.locator(".chips [data-s=running].btn").click()
    assert page.locator("[data-step].dimmed").count() == 59
    page.keyboard.press("Escape")
    page.locator("[data-step=step_1]").focus()
    page.keyboard.press("/")
    page.keyboard.type("step_59")
    assert page.locator("[data-step]:not(.dimmed)").count() == 1


@pytest.mark.parametrize(("number", "width"), [(1, 1080), (12, 1080), (12, 620), (300, 1080), (300, 620)])
def test_everything_has_room(page, show, number, width):
    show(cells(number, 4 if number < 40 else 25), width)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert page.locator(".mini").count() == (number >= 40)
    page.locator(".nbs [data-step]").first.focus()
    page.keyboard.press("0")
    for step in ("step_0", f"step_{number - 1}"):
        box = page.locator(f"[data-step={step}]").bounding_box()
        assert 0 <= box["x"] <= width - box["width"] / 2


def test_two_widgets_have_nothing_of_the_same_name(page, show):
    show(cells(300))
    values = page.evaluate("() => ({graph: window.model.get('graph'), live: window.model.get('live')})")
    page.evaluate(MODEL, [(STATIC / "widget.js").read_text(encoding="utf-8"), values])
    names = page.evaluate("() => [...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(names) == len(set(names)) > 0


def keep(measured):
    """Frame times in milliseconds, beside the pictures: to be read, not asserted, as machines differ."""
    folder = os.environ.get("BROWSER_SCREENSHOTS")
    if folder:
        with (Path(folder) / "frames.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(measured) + "\n")


def looks(taken):
    """Two ways in which a step is shown."""
    running = taken["nodes"]["step_0"]
    return [running, running | {"state": "retrying", "word": "Retrying", "number": "2/3"}]


def test_a_thousand_steps_are_panned_while_they_change(page, show):
    board = show(cells(1000))
    start(board, ("step_0", "step_1"))
    board.emit(StepStarted(96.0, "r1", "step_0", "k", ()))
    taken = json.loads(json.dumps(board.take()[0]))
    common = {"kind": "delta", "now": 100.0, **taken}
    page.evaluate("([common, looks]) => Object.assign(window, {common, looks})", [common, looks(taken)])
    for zoomed in (False, True):
        for changes in (0, 50):
            keep(page.evaluate(FRAMES, changes))
        if not zoomed:
            shown = page.locator("[data-step][data-s=running]").count()
            assert 0 < shown == page.locator(".dots rect[fill$='running)']").count()
        page.get_by_role("button", name="Zoom in").click()
        page.get_by_role("button", name="Zoom in").click()
    drawn = page.locator("[data-step]").count()
    assert 0 < drawn < 1000
    page.locator("[data-step]").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => document.activeElement.dataset.step").startswith("step_")
    page.keyboard.press("0")
    assert page.locator("[data-step]").count() == 1000
