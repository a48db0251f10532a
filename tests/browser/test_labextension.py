"""The toolbar, the state marks and the commands in notebooks, in real JupyterLab and Notebook 7."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.browser.lab import run_cell
from tools.marks import EXTENSION, in_extension

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
APPS = pytest.mark.parametrize("app", ["lab", "notebook"])
LOAD = "%load_ext nbsteps"
HELPER = "def double(x):\n    return 2 * x"
FIRST = "%%step load --out raw\nraw = [1, 2, 3]\nprint('loaded', len(raw))"
SECOND = "%%step clean --in raw --out rows\nrows = [double(x) for x in raw]\nprint('cleaned')"
RENEWS = (
    "%%step renew --out shown\nfrom IPython.display import clear_output, display\nprint('gone')\n"
    "clear_output(wait=True)\nplace = display('before', display_id=True)\nplace.update('after')\n"
    "shown = input('Name? ')"
)
ASKS = (
    "%%step ask --out shown\nimport signal\nfrom pathlib import Path\nfrom IPython.display import clear_output\n"
    "def clear(*_):\n    if Path('clear').exists():\n        signal.setitimer(signal.ITIMER_REAL, 0)\n"
    "        clear_output()\n        print('cleared')\n"
    "signal.signal(signal.SIGALRM, clear)\nsignal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)\nshown = input('Name? ')"
)
QUESTION = "%%step ask --out name\nname = input('Name? ')"
ENDLESS = "%%step wait --in raw --out never\nimport time\nwhile sum(raw) == 6:\n    time.sleep(0.02)\nnever = raw"
PAYLOAD = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'

SET_SOURCE = """([index, source]) =>
  window.jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.setSource(source)"""
OUTPUTS = """index => window.jupyterapp.shell.currentWidget.content.widgets[index].model.toJSON().outputs"""

CHANGE_KERNEL = "name => window.jupyterapp.shell.currentWidget.sessionContext.changeKernel({ name })"
BARE = """import sys
class Absent:
    def find_spec(name, *_):
        if name == 'nbsteps':
            raise ModuleNotFoundError("No module named 'nbsteps'", name=name)
sys.meta_path.insert(0, Absent)
from ipykernel import kernelapp
kernelapp.launch_new_instance()
"""
ROUND_TRIP = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestKernelInfo()"


def badge(page):
    return " ".join(page.locator(".nbs-state").inner_text().split())


BADGE_SAYS = """words => {
  const badge = document.querySelector('.nbs-state');
  return badge && new RegExp(words).test(badge.innerText.replace(/\\s+/g, ' '));
}"""


def await_badge(page, pattern):
    try:
        page.wait_for_function(BADGE_SAYS, arg=pattern)
    except Exception as error:
        said = page.locator(".nbs-state").get_attribute("title")
        raise AssertionError(f"the badge does not say {pattern!r} but {said!r}") from error


def await_mark(page, pattern):
    page.wait_for_function(
        """words => [...document.querySelectorAll('.nbs-mark')]
          .some(mark => new RegExp(words).test(mark.getAttribute('aria-label')))""",
        arg=pattern,
    )


def marks(page):
    return [mark.get_attribute("aria-label") for mark in page.locator(".nbs-mark").all()]


def press(page, label):
    page.locator(f'.nbs-bar button[aria-label="{label}"]').click()


def shown(page, index):
    """The outputs of a cell, as text."""
    return json.dumps(page.evaluate(OUTPUTS, index))


def enabled(page, label):
    return page.locator(f'.nbs-bar button[aria-label="{label}"]').is_enabled()


@APPS
def test_run_pipeline_shows_states_and_puts_outputs_into_their_cells(open_notebook, app):
    page = open_notebook(app, LOAD, HELPER, FIRST, SECOND)
    await_badge(page, "Not loaded")
    assert (enabled(page, "Run pipeline"), enabled(page, "Cancel run")) == (True, False)
    press(page, "Run pipeline")
    await_badge(page, "Up to date")
    await_mark(page, "^clean, (Cached|Succeeded)")
    assert "loaded 3" in shown(page, 2)
    assert "cleaned" in shown(page, 3)
    assert [re.sub(", .*", "", mark) for mark in marks(page)] == ["load", "clean"]
    assert (enabled(page, "Run pipeline"), enabled(page, "Cancel run")) == (True, False)


@APPS
def test_what_a_step_renews_clears_and_asks_is_in_its_cell(open_notebook, app):
    page = open_notebook(app, LOAD, RENEWS)
    press(page, "Run pipeline")
    page.locator(".jp-Stdin-input").fill("dana")
    page.locator(".jp-Stdin-input").press("Enter")
    await_badge(page, "Up to date")
    outputs = shown(page, 1)
    assert [word in outputs for word in ("gone", "before", "after", "dana")] == [False, False, True, True]


def test_a_question_outlives_the_outputs_above_it(open_notebook):
    page = open_notebook("lab", LOAD, ASKS)
    press(page, "Run pipeline")
    page.locator(".jp-Stdin-input").wait_for()
    (open_notebook.folder / "clear").touch()
    page.locator(".jp-OutputArea-output", has_text="cleared").wait_for()
    page.locator(".jp-Stdin-input").fill("dana")
    page.locator(".jp-Stdin-input").press("Enter")
    await_badge(page, "Up to date")
    assert "dana" in shown(page, 1)
    page.locator(".jp-Stdin-input").wait_for(state="detached")


def test_a_question_that_is_cancelled_is_gone_and_keeps_no_cell_from_being_executed(open_notebook):
    page = open_notebook("lab", LOAD, QUESTION, "print('hello')")
    press(page, "Run pipeline")
    page.locator(".jp-Stdin-input").wait_for()
    press(page, "Cancel run")
    page.locator(".jp-Stdin-input").wait_for(state="detached")
    await_mark(page, "^ask, Cancelled")
    run_cell(page, 2)
    assert "hello" in shown(page, 2)


def test_a_question_of_a_cell_that_the_widget_cancels_keeps_no_cell_from_being_executed(open_notebook):
    page = open_notebook("lab", LOAD, QUESTION, "print('hello')", "%pipeline", "%pipeline run")
    run_cell(page, 0)
    run_cell(page, 3)
    run_cell(page, 4, wait=False)
    page.locator(".jp-Stdin-input").wait_for()
    page.locator(".nbs").get_by_role("button", name="Cancel", exact=True).click()
    page.wait_for_function(f"() => JSON.stringify(({OUTPUTS})(4)).includes('KeyboardInterrupt')")
    page.evaluate(ROUND_TRIP)  # what was sent before the failed cell ended would be left out
    run_cell(page, 2)
    assert "hello" in shown(page, 2)


def test_a_kernel_that_ended_leaves_no_marks_and_run_pipeline_goes_on_with_the_next(open_notebook):
    page = open_notebook("lab", LOAD, FIRST)
    press(page, "Run pipeline")
    await_badge(page, "Up to date")
    page.evaluate("async () => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    await_badge(page, "Not loaded")
    assert marks(page) == []
    page.evaluate("async () => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    await_badge(page, "No kernel")
    press(page, "Run pipeline")
    await_badge(page, "Up to date")
    await_mark(page, "^load, Cached")


@APPS
def test_marks_follow_edits_before_they_are_executed(open_notebook, app):
    page = open_notebook(app, LOAD, HELPER, FIRST, SECOND)
    press(page, "Run pipeline")
    await_badge(page, "Up to date")
    page.evaluate(SET_SOURCE, [3, SECOND + "\nrows.append(0)"])
    await_badge(page, "1 stale")
    await_mark(page, "^clean, Stale, .*code changed")
    page.evaluate(SET_SOURCE, [3, SECOND + "  # a comment changes nothing"])
    await_badge(page, "Up to date")
    page.evaluate(SET_SOURCE, [1, HELPER.replace("2", "3")])
    await_mark(page, "^clean, Stale, .*double was edited and not executed")
    page.evaluate(SET_SOURCE, [1, HELPER])
    await_badge(page, "Up to date")


@APPS
def test_cancel_stops_the_body_and_the_kernel_is_usable_at_once(open_notebook, app):
    page = open_notebook(app, LOAD, FIRST, ENDLESS)
    press(page, "Run pipeline")
    await_badge(page, "Up to date|Running")
    # The comm opens when nbsteps is there: from then on the page hears of the run.
    page.wait_for_function("() => !document.querySelector('[aria-label=\"Cancel run\"]').disabled")
    press(page, "Cancel run")
    page.wait_for_function("() => !document.querySelector('[aria-label=\"Run pipeline\"]').disabled")
    page.evaluate(SET_SOURCE, [2, "%%step wait --in raw --out never\nnever = raw"])
    press(page, "Run pipeline")
    await_badge(page, "Up to date")


def test_cancel_is_heard_over_the_comm_while_the_main_thread_is_busy(open_notebook):
    page = open_notebook("lab", LOAD, FIRST, SECOND.replace("double(x)", "x"))
    press(page, "Run pipeline")
    await_badge(page, "Up to date")
    # Whoever would interrupt the kernel instead is not asked.
    page.evaluate("() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt = () => 0; }")
    page.evaluate(SET_SOURCE, [2, ENDLESS])
    press(page, "Run pipeline")
    await_mark(page, "^wait, Running")
    press(page, "Cancel run")
    await_mark(page, "^wait, Cancelled")


@APPS
def test_a_failure_is_in_its_cell_on_its_mark_and_on_the_badge(open_notebook, app):
    page = open_notebook(app, LOAD, FIRST, "%%step bad --in raw --out worse\nworse = raw[10]", "%%step other\ny = 1")
    press(page, "Run pipeline")
    await_badge(page, "1 failed")
    await_mark(page, "^bad, Failed")
    page.wait_for_function(f"() => JSON.stringify(({OUTPUTS})(2)).includes('IndexError')")
    await_mark(page, "^other, (Cached|Succeeded)")
    page.locator(".nbs-state").click()
    assert page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex") == 2


@APPS
def test_a_page_that_is_loaded_again_shows_the_run_as_it_stands(open_notebook, app):
    page = open_notebook(app, LOAD, FIRST, SECOND.replace("double(x)", "x"))
    press(page, "Run pipeline")
    await_badge(page, "Up to date")
    page.evaluate("async () => window.jupyterapp.shell.currentWidget.context.save()")
    page.reload()
    await_badge(page, "Up to date")
    await_mark(page, "^clean, (Cached|Succeeded)")


def test_nothing_of_a_notebook_becomes_markup(open_notebook):
    body = f"raise ValueError({PAYLOAD!r})"
    page = open_notebook("lab", LOAD, f"%%step bad --out x\nx = 1\n{body}", f"%%step {PAYLOAD}\ny = 1")
    press(page, "Run pipeline")
    await_badge(page, "Cannot run")
    page.evaluate("async () => window.jupyterapp.commands.execute('notebook:run-cell')")  # how steps stand is told anew
    await_badge(page, "Cannot run")
    page.evaluate(SET_SOURCE, [2, "%%step other\ny = 1"])
    press(page, "Run pipeline")
    await_badge(page, "1 failed")
    page.wait_for_function(f"() => JSON.stringify(({OUTPUTS})(1)).includes('ValueError')")
    assert page.evaluate("() => window.hacked") is None


def test_a_notebook_without_steps_has_no_pipeline_toolbar(open_notebook):
    page = open_notebook("lab", "x = 1")
    page.wait_for_selector(".nbs-bar", state="attached")
    assert page.locator(".nbs-bar").is_hidden()
    page.evaluate(SET_SOURCE, [0, "%%step a\nx = 1"])
    page.locator(".nbs-bar").wait_for(state="visible")


def test_a_kernel_without_nbsteps_is_told_apart_and_another_goes_on(open_notebook, jupyter):
    jupyter.offer("bare", "-c", BARE)
    page = open_notebook("lab", FIRST)
    press(page, "Run pipeline")
    await_badge(page, "Up to date")
    page.evaluate(CHANGE_KERNEL, "bare")
    await_badge(page, "Not loaded")
    assert marks(page) == []
    press(page, "Run pipeline")
    await_badge(page, "Cannot run")
    assert "this kernel has no nbsteps" in page.locator(".nbs-state").get_attribute("title")
    page.evaluate(CHANGE_KERNEL, "python3")
    await_badge(page, "Not loaded")
    press(page, "Run pipeline")
    await_mark(page, "^load, Cached")


def test_commands_are_in_palette_and_menu_and_have_shortcuts(open_notebook):
    page = open_notebook("lab", LOAD, FIRST)
    commands = page.evaluate("() => window.jupyterapp.commands.listCommands().filter(c => c.startsWith('nbsteps:'))")
    assert sorted(commands) == ["nbsteps:cancel", "nbsteps:run", "nbsteps:show"]
    page.locator(".lm-MenuBar-item", has_text="Run").click()
    assert page.locator(".lm-Menu-item", has_text="Run Pipeline").count() == 1
    page.keyboard.press("Escape")
    page.locator(".jp-Notebook .jp-Cell").nth(1).locator(".jp-InputPrompt").click()
    page.keyboard.press("Alt+Shift+R")
    await_badge(page, "Up to date")
    page.keyboard.press("Alt+Shift+G")
    page.locator(".nbs [data-step=load]").wait_for()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_axe_finds_nothing_in_the_toolbar_and_the_marks(open_notebook, theme):
    if not AXE.exists():
        pytest.skip("axe is not there: npm ci in frontend/")
    page = open_notebook("lab", LOAD, FIRST, "%%step bad --in raw --out worse\nworse = raw[10]", "%%step other\ny = 1")
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    press(page, "Run pipeline")
    await_badge(page, "1 failed")
    await_mark(page, "^bad, Failed")
    page.evaluate(SET_SOURCE, [3, "%%step other\ny = 2"])
    await_mark(page, "^other, Stale")
    page.add_script_tag(path=AXE)
    ran = page.evaluate(
        "() => axe.run({include: ['.nbs-bar', '.nbs-mark']},"
        " {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    found = [(each["id"], [part["html"][:160] for part in each["nodes"][:3]]) for each in ran["violations"]]
    assert found == []


def test_a_mark_says_its_reasons_on_hover(open_notebook):
    page = open_notebook("lab", LOAD, FIRST)
    press(page, "Run pipeline")
    await_badge(page, "Up to date")
    page.evaluate(SET_SOURCE, [1, FIRST.replace("3]", "3, 4]")])
    await_mark(page, "^load, Stale")
    mark = page.locator(".nbs-mark")
    mark.hover()
    assert mark.get_attribute("title") == "Stale: code changed"


@APPS
def test_a_cell_that_is_drawn_when_it_is_scrolled_to_has_its_mark(open_notebook, jupyter, app):
    steps = [f"%%step s{number} --out v{number}\n" + "\n" * 12 + f"v{number} = 1" for number in range(30)]
    with jupyter.settings("notebook-extension/tracker", windowingMode="full"):
        page = open_notebook(app, LOAD, *steps)
        press(page, "Run pipeline")
        await_badge(page, "Up to date")
        assert not any(mark.startswith("s20,") for mark in marks(page))
        page.evaluate("() => window.jupyterapp.shell.currentWidget.content.scrollToItem(21)")
        await_mark(page, "^s20, Succeeded")


def test_executing_a_step_cell_by_hand_brings_the_marks(open_notebook):
    page = open_notebook("lab", LOAD, FIRST)
    page.evaluate("async () => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    await_badge(page, "Up to date")
    await_mark(page, "^load, (Cached|Succeeded)")


def test_the_script_draws_the_marks_of_every_other_view():
    script = Path(EXTENSION).read_text(encoding="utf-8")
    assert in_extension(script) == script, "python -m tools.marks"
