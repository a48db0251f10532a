"""What the widget's controls do to the next run and to what is kept of it, in real JupyterLab and Notebook 7."""

from __future__ import annotations

import nbformat
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

APPS = pytest.mark.parametrize("app", ["lab", "notebook"])
LOAD = "%load_ext nbsteps\nlimit = 2"
SHOW = "%pipeline"
RAW = "%%step load\nraw = [1, 2, 3]"
ROWS = "%%step clean\nrows = [x for x in raw if x <= limit]"
FAILS = "%%step wrong\nraise ValueError(f'no column days in {raw}')"
SLOW = "%%step slow\nimport time\ntime.sleep(2 + limit)\ndone = raw"

RUN_CELL = """async index => {
  const panel = window.jupyterapp.shell.currentWidget;
  panel.content.activeCellIndex = index;
  await window.jupyterapp.commands.execute("notebook:run-cell");
}"""
EXECUTE = """async code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  let text = "";
  const future = kernel.requestExecute({code});
  future.onIOPub = message => { text += message.content.text ?? message.content.evalue ?? ""; };
  await future.done;
  return text;
}"""
WATCH = """() => {
  const widget = document.querySelector(".nbs");
  window.seen = [];
  const look = () => window.seen.push(widget.innerText);
  new MutationObserver(look).observe(widget, {childList: true, subtree: true, characterData: true});
}"""
"""Keeps what the widget shows, change by change: a run may be over before somebody looks again."""


@pytest.fixture
def show(open_notebook):
    """``show(app, cells...)``: a notebook whose second cell shows the toolbar."""

    def shown(app, *cells):
        page = open_notebook(app, LOAD, SHOW, *cells)
        for index in (0, 1):
            page.evaluate(RUN_CELL, index)
        page.locator(".nbs .node").first.wait_for()
        return page

    return shown


def execute(page, code):
    return page.evaluate(EXECUTE, code)


def press(page, name):
    page.locator(".nbs").first.get_by_role("button", name=name, exact=True).click()


def node(page, step):
    return page.locator(f'.nbs [data-step="{step}"]').first


def panel(page):
    return page.locator(".nbs .pn")


def await_state(page, step, state):
    page.locator(f'.nbs [data-step="{step}"][data-s="{state}"]').first.wait_for()


def await_run(page, state):
    page.locator(f'.nbs .run .pill[data-s="{state}"]').first.wait_for()


@APPS
def test_the_next_run_is_executed_as_it_was_chosen(show, app):
    where = "%%step where\nimport threading\nname = threading.current_thread().name"
    page = show(app, where)
    bar = page.locator(".nbs .tb")
    assert bar.get_by_label("Executor").locator("option").first.inner_text() == "default"
    bar.get_by_label("Workers").select_option("2")
    bar.get_by_label("Executor").select_option("threads")
    press(page, "Run")
    await_run(page, "succeeded")
    assert "MainThread" not in execute(page, "print(name)")
    page.evaluate(RUN_CELL, 1)
    page.wait_for_function("() => document.querySelector('.nbs .manner select')?.value === '2'")
    assert bar.get_by_label("Executor").input_value() == "threads"


def test_a_result_is_kept_although_its_code_changed(show):
    page = show("lab", RAW, ROWS)
    press(page, "Run")
    await_run(page, "succeeded")
    execute(page, "limit = 1")
    await_state(page, "clean", "stale")
    node(page, "clean").click()
    panel(page).get_by_role("tab", name="Why").click()
    panel(page).get_by_role("button", name="Accept cached result").click()
    await_state(page, "clean", "cached")
    panel(page).get_by_text("although its code had changed").wait_for()
    assert panel(page).get_by_role("button", name="Accept cached result").count() == 0
    assert execute(page, "%pipeline why clean").find("kept by") > 0


@APPS
def test_the_report_of_the_run_is_a_file(show, app, tmp_path):
    page = show(app, RAW, ROWS)
    assert page.locator(".nbs").get_by_role("button", name="Report").is_disabled()
    press(page, "Run")
    await_run(page, "succeeded")
    press(page, "Report")
    offer = page.locator(".nbs .offer")
    with page.expect_download() as started:
        offer.get_by_role("link", name="Save").click()
    started.value.save_as(tmp_path / "report.html")
    assert started.value.suggested_filename.startswith("flow-")
    with page.expect_popup() as opened:
        offer.get_by_role("link", name="Open").click()
    opened.value.get_by_role("heading", name="flow.ipynb").or_(opened.value.locator("h1")).first.wait_for()
    assert "clean" in (tmp_path / "report.html").read_text(encoding="utf-8")
    offer.get_by_role("button", name="Dismiss the report").click()
    assert offer.count() == 0


def test_conditions_and_watched_edges_are_drawn(show):
    page = show(
        "lab",
        RAW,
        '%%step many --branch size --when "len(raw) > 5"\nkept = raw',
        "%%step few --branch size --when else\nkept = raw",
        "%%step rescue --catch load\nsaved = 0",
    )
    page.set_viewport_size({"width": 1600, "height": 900})
    page.locator(".nbs .elab.br").first.wait_for()
    assert sorted(page.locator(".nbs .elab.br").all_inner_texts()) == ["else", "len(raw) > 5", "on failure"]
    assert page.locator(".nbs .e.watch").count() == 2  # the edge, and the legend
    assert "looks at how it ended" in page.locator(".nbs .lines").inner_text()


def test_a_run_says_how_long_it_goes_on(show):
    page = show("lab", RAW, SLOW)
    page.set_viewport_size({"width": 1600, "height": 900})
    press(page, "Run")
    await_run(page, "succeeded")
    assert "left" not in page.locator(".nbs .run").inner_text()
    page.evaluate(WATCH)
    execute(page, "limit = 1")
    await_state(page, "slow", "stale")
    press(page, "Run")
    await_state(page, "slow", "succeeded")
    seen = page.evaluate("() => window.seen")
    assert any("a few seconds left" in text for text in seen)
    assert any(" of ~4" in text for text in seen)


def saved_outputs(page, jupyter):
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    (file,) = jupyter.folder.glob("test-the-saved-picture-*/flow.ipynb")
    return nbformat.read(file, as_version=4).cells[1].outputs


def test_the_saved_picture_shows_how_the_last_run_ended(show, jupyter):
    page = show("lab", RAW, FAILS)
    press(page, "Run")
    await_run(page, "failed")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-OutputArea img')].some(i => i.src.includes('Failed'))"
    )
    view, picture = saved_outputs(page, jupyter)
    assert "image/svg+xml" not in view.data
    assert "Failed" in picture.data["image/svg+xml"]
    assert "failed" in picture.data["text/plain"]
    assert not page.locator(".jp-OutputArea img[src*=nbsteps-saved]").first.is_visible()


def test_the_graph_follows_an_edited_helper_that_is_saved(show):
    page = show("lab", "def double(x):\n    return 2 * x", RAW, "%%step twice\nm = double(len(raw))")
    page.evaluate(RUN_CELL, 2)
    press(page, "Run")
    await_run(page, "succeeded")
    page.evaluate("""() => {
      const {content, context} = window.jupyterapp.shell.currentWidget;
      content.widgets[2].model.sharedModel.setSource("def double(x):\\n    return 3 * x");
      return context.save();
    }""")
    await_state(page, "twice", "stale")
    assert node(page, "load").get_attribute("data-s") in {"succeeded", "cached"}
