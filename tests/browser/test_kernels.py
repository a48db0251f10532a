"""What works while a cell runs, with each generation of ipykernel: 6 is told over its control channel, 7 on subshells.

Bodies wait for a file, so that a test decides when they end, however slow the machine is.
"""

from __future__ import annotations

import nbformat
import pytest

from tests.browser.lab import run_cell

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]

DEAF = "6.31.0 deaf"
"""A kernel that has no subshells, and whose control channel takes no comms from us."""
HEARING = ("", "7.3.0", "6.31.0")
APPS = pytest.mark.parametrize("app", ["lab", "notebook"])
PLACES = [(app, kernel) for app in ("lab", "notebook") for kernel in HEARING]
EVERYWHERE = pytest.mark.parametrize(("app", "kernel"), [*PLACES, ("lab", DEAF)])
DEAFEN = "get_ipython().kernel.control_handlers['comm_open'] = print\n"
LOAD = "%load_ext nbsteps\n%matplotlib inline"
SHOW = "%pipeline"
RAW = "%%step load\nraw = [1, 2, 3]"
GATE = '%%step gate --approve "Publish?"\npublished = raw'
DRAWS = (
    "%%step slow\nimport time\nfrom pathlib import Path\nimport matplotlib.pyplot as plt\nplt.plot(raw)\n"
    "while not Path('go').exists():\n    time.sleep(0.02)\nslow = 1"
)

# The next request arrives while the shell channel's thread does not look; then it sends, as if it were a reply.
STRAND = """
import select, time
from pathlib import Path
kernel = get_ipython().kernel
def strand():
    Path("waits").touch()
    select.select([kernel.shell_stream.socket.FD], [], [])
    time.sleep(0.05)
    kernel.shell_stream.socket.send_multipart([b"nobody", b""])
kernel.shell_channel_thread.io_loop.add_callback(strand)
"""

EDIT = "([at, text]) => window.jupyterapp.shell.currentWidget.content.widgets[at].model.sharedModel.setSource(text)"
SAVE = "() => window.jupyterapp.shell.currentWidget.context.save()"
PICTURED = """words => JSON.stringify(window.jupyterapp.shell.currentWidget.content.widgets[1].model.outputs.toJSON())
  .includes(words)"""
STATE = """([step, states]) => states.includes(document.querySelector(`.nbs [data-step="${step}"]`)?.dataset.s)"""


@pytest.fixture
def show(open_notebook):
    """``show(app, kernel, cells...)``: a notebook whose second cell shows the pipeline."""

    def shown(app, kernel, *cells):
        version, _, deaf = kernel.partition(" ")
        page = open_notebook(app, f"{DEAFEN if deaf else ''}{LOAD}", SHOW, *cells, kernel=version)
        for index in (0, 1):
            run_cell(page, index)
        page.locator(".nbs .node").first.wait_for()
        return page

    shown.go = open_notebook.folder / "go"
    return shown


def await_state(page, step, *states):
    page.wait_for_function(STATE, arg=[step, list(states)])


def await_run(page, state):
    page.wait_for_function("state => document.querySelector('.nbs .run .pill')?.dataset.s === state", arg=state)


def press(page, name):
    page.locator(".nbs").get_by_role("button", name=name, exact=True).click()


def press_bar(page, name):
    page.locator(f'.nbs-bar button[aria-label="{name}"]:not([disabled])').click()


@EVERYWHERE
def test_cancel_ends_a_body_from_both_toolbars(show, app, kernel):
    page = show(app, kernel, RAW, DRAWS)
    press(page, "Run")
    await_state(page, "slow", "running")
    press(page, "Cancel")
    await_run(page, "cancelled")
    press_bar(page, "Run pipeline")
    await_state(page, "slow", "running")
    press_bar(page, "Cancel run")
    await_state(page, "slow", "cancelled")
    show.go.touch()
    press_bar(page, "Run pipeline")
    await_state(page, "slow", "succeeded")


@EVERYWHERE
def test_what_is_approved_during_a_cell_is_approved_and_its_figure_is_not_lost(show, app, kernel):
    page = show(app, kernel, RAW, GATE, DRAWS, "%pipeline run")
    run_cell(page, 5, wait=False)
    await_state(page, "gate", "waiting")
    await_state(page, "slow", "running")
    form = page.locator(".nbs form.appr")
    form.get_by_role("button", name="Approve").click()
    if kernel != DEAF:
        form.wait_for(state="detached")
        await_state(page, "slow", "running")
    show.go.touch()
    await_state(page, "gate", "succeeded", "cached")  # the run goes on, and so does one that the click asked for
    await_state(page, "slow", "succeeded", "cached")
    page.locator(".jp-Cell").nth(5).locator(".jp-OutputArea-output img").wait_for()
    assert page.locator(".jp-Cell").nth(5).locator(".jp-OutputArea-output img").count() == 1


@APPS
def test_a_panel_of_an_older_kernel_answers_during_a_cell(show, app):
    page = show(app, "6.31.0", RAW, DRAWS, "%pipeline run")
    run_cell(page, 4, wait=False)
    await_state(page, "slow", "running")
    page.locator('.nbs [data-step="slow"]').click()
    page.locator(".nbs .pn").get_by_role("tab", name="Source").click()
    page.locator(".nbs .pn", has_text="plt.plot(raw)").wait_for()
    await_state(page, "slow", "running")
    show.go.touch()
    await_state(page, "slow", "succeeded")


def load_again_during_a_run(page):
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    press(page, "Run")
    await_state(page, "slow", "running")
    page.reload()


@pytest.mark.parametrize(("app", "kernel"), [*PLACES[:3], ("notebook", ""), ("notebook", "6.31.0")])
def test_a_page_loaded_during_a_run_shows_it_and_can_cancel_it(show, app, kernel):
    page = show(app, kernel, RAW, DRAWS)
    load_again_during_a_run(page)
    page.locator('.nbs-understudy .nbs [data-step="slow"][data-s=running]').wait_for()
    page.locator('.nbs-state:has-text("Running")').wait_for()
    press(page, "Cancel")
    # When the kernel is free the widget itself takes over.
    page.locator('.jp-OutputArea-output:not(.nbs-understudy) .nbs [data-step="slow"][data-s=cancelled]').wait_for()
    page.locator(".nbs-understudy").wait_for(state="detached")


def test_a_page_loaded_during_a_run_of_a_deaf_kernel_shows_the_saved_picture(show):
    page = show("lab", DEAF, RAW, DRAWS)
    load_again_during_a_run(page)
    page.locator(".nbs-understudy", has_text="until the kernel answers").wait_for()
    assert page.get_by_text("Loading widget").is_hidden()
    page.locator('.nbs-state:has-text("Connecting")').wait_for()
    show.go.touch()
    await_state(page, "slow", "succeeded")
    page.locator(".nbs-understudy").wait_for(state="detached")


@APPS
@pytest.mark.parametrize("place", ["toolbar", "picture"])
def test_a_page_loaded_during_a_run_of_a_deaf_kernel_can_cancel_it(show, app, place):
    page = show(app, DEAF, RAW, DRAWS)
    load_again_during_a_run(page)
    page.locator('.nbs-state[title*="hears nothing"]').wait_for()
    if place == "toolbar":
        press_bar(page, "Cancel run")
    else:
        page.locator(".nbs-understudy").get_by_role("button", name="Cancel", exact=True).click()
    await_state(page, "slow", "cancelled")
    page.locator('.nbs-bar button[aria-label="Cancel run"][disabled]').wait_for()
    show.go.touch()
    press_bar(page, "Run pipeline")
    await_state(page, "slow", "succeeded")


@pytest.mark.parametrize(("app", "kernel"), [("lab", ""), ("lab", "6.31.0"), ("lab", DEAF), ("notebook", "")])
def test_a_page_that_was_loaded_anew_renews_the_saved_picture(show, app, kernel):
    page = show(app, kernel, RAW, "%%step last\nlast = raw[9]")
    press(page, "Run")
    page.wait_for_function(PICTURED, arg=": failed")
    page.evaluate(SAVE)
    page.reload()
    await_state(page, "last", "failed")
    page.evaluate(EDIT, [3, "%%step last\nlast = raw[2]"])
    page.locator('.nbs-mark[aria-label^="last, Failed"]').wait_for(state="attached")  # the page talks with the kernel
    press(page, "Run")
    await_state(page, "last", "succeeded", "cached")
    page.wait_for_function(f"words => !({PICTURED})(words)", arg=": failed")
    page.evaluate(SAVE)
    view, picture = nbformat.read(show.go.with_name("flow.ipynb"), as_version=4).cells[1].outputs
    assert "image/svg+xml" not in view.data
    assert "failed" not in (picture.data["image/svg+xml"] + picture.data["text/plain"]).lower()


def test_a_request_that_the_kernel_does_not_notice_is_answered(open_notebook):
    page = open_notebook("lab", STRAND, LOAD, RAW, kernel="7.3.0")
    run_cell(page, 0, wait=False)
    while not (open_notebook.folder / "waits").exists():
        page.wait_for_timeout(50)
    run_cell(page, 1)
    page.locator('.nbs-mark[aria-label^="load, "]').wait_for(state="attached")


def test_a_notebook_whose_kernel_is_gone_shows_the_picture(show, jupyter):
    page = show("lab", "", RAW)
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.reload()
    page.locator(".nbs-understudy", has_text="Execute this cell to use it").wait_for()
