"""The widget that ``%pipeline`` shows, in real JupyterLab and Notebook 7 with real kernels."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

APPS = pytest.mark.parametrize("app", ["lab", "notebook"])
AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
LOAD = "%load_ext nbsteps\nlimit = 2"
SHOW = "%pipeline"
RAW = "%%step load\nraw = [1, 2, 3]\nprint('loaded', len(raw))"
ROWS = "%%step clean --owner dana\nrows = [x for x in raw if x <= limit]"
TABLE = "%%step table\nimport pandas as pd\nframe = pd.DataFrame({'n': rows})"
ENDLESS = "%%step wait\nimport time\nwhile True:\n    time.sleep(0.02)\nnever = raw"
FAILS = "%%step wrong\nprint('so far', len(rows))\nraise ValueError('no column days')"

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


@pytest.fixture
def show(open_notebook):
    """``show(app, cells...)``: a notebook whose second cell shows the toolbar."""

    def shown(app, *cells, load=LOAD):
        page = open_notebook(app, load, SHOW, *cells)
        for index in (0, 1):
            page.evaluate(RUN_CELL, index)
        page.locator(".nbs .node, .nbs .empty").first.wait_for()
        return page

    return shown


def execute(page, code):
    return page.evaluate(EXECUTE, code)


def press(page, name, *, view=0):
    page.locator(".nbs").nth(view).get_by_role("button", name=name, exact=True).click()


def tab(page, name):
    page.locator(".nbs").first.get_by_role("tab", name=name, exact=True).click()


def node(page, step, *, view=0):
    return page.locator(".nbs").nth(view).locator(f'[data-step="{step}"]')


def await_state(page, step, *states, view=0):
    page.wait_for_function(
        "([view, step, states]) => states.includes("
        "document.querySelectorAll('.nbs')[view]?.querySelector(`[data-step=\"${step}\"]`)?.dataset.s)",
        arg=[view, step, list(states)],
    )


def await_run(page, state):
    page.wait_for_function("state => document.querySelector('.nbs .run .pill')?.dataset.s === state", arg=state)


def panel(page):
    return page.locator(".nbs .pn")


def open_panel(page, step, name):
    node(page, step).click()
    tab(page, name)
    page.wait_for_function("() => document.querySelector('.pn [role=tabpanel]')?.getAttribute('aria-busy') === 'false'")
    return panel(page)


@APPS
def test_run_shows_each_step_as_it_goes(show, app):
    page = show(app, RAW, ROWS, TABLE)
    assert [node(page, step).get_attribute("data-s") for step in ("load", "clean", "table")] == ["pending"] * 3
    press(page, "Run")
    await_run(page, "succeeded")
    assert [node(page, step).get_attribute("data-s") for step in ("load", "clean", "table")] == ["succeeded"] * 3
    assert "Succeeded" in node(page, "clean").inner_text()
    press(page, "Run")
    await_state(page, "clean", "cached")


@APPS
def test_cancel_ends_the_running_step_and_leaves_the_kernel_usable(show, app):
    page = show(app, RAW, ENDLESS)
    press(page, "Run")
    await_state(page, "wait", "running")
    press(page, "Cancel")
    await_run(page, "cancelled")
    assert execute(page, "print(6 * 7)").strip() == "42"
    assert node(page, "load").get_attribute("data-s") in {"succeeded", "cached"}


def test_cancel_also_ends_a_run_that_a_cell_started(show):
    page = show("lab", RAW, ENDLESS, "%pipeline run")
    page.evaluate("""() => {
      const panel = window.jupyterapp.shell.currentWidget;
      panel.content.activeCellIndex = 4;
      window.jupyterapp.commands.execute("notebook:run-cell");
    }""")
    await_state(page, "wait", "running")
    press(page, "Cancel")
    await_run(page, "cancelled")


def test_figures_drawn_while_a_page_asks_are_shown_by_their_own_cell(show):
    draw = (
        "import matplotlib.pyplot as plt, time\nplt.plot([1, 2])\n"
        "until = time.time() + 3\nwhile time.time() < until:\n    time.sleep(0.02)\nprint('drawn')"
    )
    page = show("lab", RAW, draw, load=f"{LOAD}\n%matplotlib inline")
    page.evaluate("""() => {
      const panel = window.jupyterapp.shell.currentWidget;
      panel.content.activeCellIndex = 3;
      window.drawn = window.jupyterapp.commands.execute("notebook:run-cell");
    }""")
    node(page, "load").click()
    panel(page).get_by_text("raw = [1, 2, 3]").wait_for()
    page.evaluate("() => window.drawn")
    assert page.locator(".jp-Cell").nth(3).locator(".jp-OutputArea-output img").count() == 1


def test_force_runs_what_is_fresh(show):
    page = show("lab", RAW, ROWS)
    press(page, "Run")
    await_run(page, "succeeded")
    node(page, "load").click()
    page.locator(".nbs").get_by_role("button", name="Force").click()
    page.get_by_role("menuitem", name="Force this step and everything after it").click()
    page.wait_for_function("() => document.querySelectorAll('.nbs .node[data-s=succeeded]').length === 2")
    tab(page, "Runs")
    page.locator(".nbs .runs tbody tr").nth(1).wait_for()
    assert page.locator(".nbs .runs tbody tr").count() == 2


def test_what_a_changed_constant_does_is_forecast_and_explained(show):
    page = show("lab", RAW, ROWS)
    press(page, "Run")
    await_run(page, "succeeded")
    execute(page, "limit = 1")
    await_state(page, "clean", "stale")
    assert "1 of 2 would execute" in page.locator(".nbs .tb").inner_text()
    shown = open_panel(page, "clean", "Why").inner_text()
    assert "Constant limit" in shown
    assert ("2" in shown, "1" in shown) == (True, True)


def test_panel_shows_source_options_values_log_and_durations(show):
    page = show("lab", RAW, ROWS, TABLE)
    press(page, "Run")
    await_run(page, "succeeded")
    assert "--owner" in open_panel(page, "clean", "Source").inner_text()
    assert "loaded 3" in open_panel(page, "load", "Log").inner_text()
    values = open_panel(page, "table", "Inputs and outputs")
    assert values.locator(".pv th").all_inner_texts() == ["n"]
    assert values.locator(".pv td").all_inner_texts() == ["1", "2"]
    assert open_panel(page, "load", "Attempts").locator("tbody tr").count() == 1


def test_a_failure_is_shown_with_its_line_and_what_was_printed(show):
    page = show("lab", RAW, ROWS, FAILS, "%%step after\nx = raw, wrong_name if False else rows")
    press(page, "Run")
    await_run(page, "failed")
    shown = open_panel(page, "wrong", "Overview")
    assert "no column days" in shown.locator(".errbox").inner_text()
    assert "raise ValueError" in shown.locator(".l.bad").inner_text()
    assert "so far 2" in shown.inner_text()
    assert page.locator(".nbs").get_by_role("button", name="Resume failed").is_enabled()


def test_runs_timeline_and_trends_show_the_history(show):
    page = show("lab", RAW, ROWS)
    for _ in range(3):
        execute(page, "%pipeline run")
    tab(page, "Runs")
    rows = page.locator(".nbs .runs tbody tr")
    rows.nth(2).wait_for()
    for row in (0, 2):
        rows.nth(row).click()
    press(page, "Compare")
    assert page.locator(".nbs .compare tbody tr").first.inner_text().startswith("load")
    rows.nth(0).dblclick()
    page.locator(".nbs .gr").nth(1).wait_for()
    assert "clean" in page.locator(".nbs .gt").inner_text()
    tab(page, "Trends")
    page.locator(".nbs .kp").wait_for()
    assert "Median duration" in page.locator(".nbs .kp").inner_text()


def test_a_page_that_is_loaded_again_shows_what_became_of_the_run(show, open_notebook):
    waits = "from pathlib import Path\nwhile not Path('go').exists():\n    time.sleep(0.02)"
    page = show("lab", RAW, f"%%step slow\nimport time\n{waits}\ndone = raw")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    press(page, "Run")
    await_state(page, "slow", "running")
    page.reload()
    page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
    (open_notebook.folder / "go").touch()
    await_run(page, "succeeded")
    await_state(page, "slow", "succeeded")
    page.reload()
    await_run(page, "succeeded")


def test_two_views_show_the_same_and_are_read_apart(show):
    page = show("lab", RAW, ROWS, SHOW)
    page.evaluate(RUN_CELL, 4)
    page.locator(".nbs").nth(1).wait_for()
    page.locator(".nbs").nth(1).get_by_role("tab", name="Runs").click()
    press(page, "Run")
    await_run(page, "succeeded")
    await_state(page, "clean", "succeeded")
    page.locator(".nbs").nth(1).locator(".runs tbody tr").first.wait_for()
    assert page.locator(".nbs").nth(0).locator(".runs").count() == 0


def test_nothing_that_a_notebook_holds_becomes_markup(show):
    bad = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"
    source = (
        f'%%step evil --version "{bad}"\n# {bad}\nimport pandas as pd\nfrom IPython.display import HTML, SVG\n'
        f'print("{bad}")\ndisplay(HTML("{bad}"))\n'
        "display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"><script>window.hacked=1</script></svg>'))\n"
        f'frame = pd.DataFrame({{"{bad}": ["{bad}"]}})\ntext = "{bad}"'
    )
    fails = f'%%step worse\nraise ValueError("{bad}" + text)'
    page = show("lab", source, fails)
    press(page, "Run")
    await_run(page, "failed")
    seen = "".join(
        open_panel(page, step, name).inner_text()
        for step in ("evil", "worse")
        for name in ("Overview", "Why", "Source", "Inputs and outputs", "Log", "Attempts")
    )
    assert seen.count(bad) > 5
    for name in ("Runs", "Timeline", "Trends"):
        tab(page, name)
        page.wait_for_timeout(200)
    assert page.evaluate(
        "() => [window.hacked, document.querySelectorAll('.nbs script, .nbs img[onerror]').length]"
    ) == [
        None,
        0,
    ]


def test_keys_lead_through_the_graph_and_do_not_reach_the_notebook(show):
    page = show("lab", RAW, ROWS, TABLE)
    cells = page.locator(".jp-Cell").count()
    node(page, "load").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => document.activeElement.dataset.step") == "clean"
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    panel(page).wait_for()
    page.keyboard.press("w")
    assert panel(page).get_by_role("tab", name="Why").get_attribute("aria-selected") == "true"
    page.keyboard.press("Escape")
    assert panel(page).count() == 0
    assert page.locator(".jp-Cell").count() == cells
    node(page, "load").focus()
    page.keyboard.press("r")
    await_state(page, "load", "succeeded")
    assert node(page, "table").get_attribute("data-s") == "pending"


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_axe_finds_nothing(show, theme):
    if not AXE.exists():
        pytest.skip("axe is not there: npm ci in frontend/")
    page = show("lab", RAW, ROWS, TABLE, FAILS)
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    press(page, "Run")
    await_run(page, "failed")
    page.add_script_tag(path=AXE)
    press(page, "Report")
    page.locator(".nbs .offer").wait_for()
    found = violations(page, "Report")
    for name in ("Overview", "Why", "Source", "Inputs and outputs", "Log", "Attempts"):
        open_panel(page, "wrong", name)
        found += violations(page, name)
    for name in ("Runs", "Timeline", "Trends"):
        tab(page, name)
        page.wait_for_timeout(300)
        found += violations(page, name)
    assert found == []


def violations(page, where):
    ran = page.evaluate(
        "() => axe.run('.nbs', {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [(where, each["id"], [part["html"][:160] for part in each["nodes"][:3]]) for each in ran["violations"]]


def test_an_approval_is_decided_with_its_form_and_the_run_goes_on(show):
    gate = '%%step gate --approve "Publish?" --ask "share:float=0.5"\npublished = [x * share for x in rows]'
    page = show("lab", RAW, ROWS, gate)
    press(page, "Run")
    await_state(page, "gate", "waiting")
    form = page.locator(".nbs form.appr")
    form.get_by_label("share").fill("0.25")
    form.get_by_role("button", name="Approve").click()
    await_state(page, "gate", "succeeded")
    assert execute(page, "print(published)").strip() == "[0.25, 0.5]"
    assert form.count() == 0
