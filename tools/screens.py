"""Takes pictures of every screen of the widget, light and dark, at three widths, with few and many steps: to look at.

A real engine runs made-up notebooks; the widget's script is then drawn on an empty page in a real browser, with a model
that answers from that engine. Needs the extra ``screenshots`` and a Chromium; CHROMIUM names another one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import nbformat

ROOT = Path(__file__).parent.parent
STATIC = ROOT / "src" / "nbsteps" / "display" / "static"
WIDTHS: Final = (420, 1080, 1600)
SIZES: Final = (1, 12, 300)
THEMES: Final = {
    "light": "--jp-layout-color0:#fff;--jp-layout-color1:#fff;--jp-ui-font-color0:#000;--jp-brand-color1:#1976d2;"
    "--jp-success-color1:#388e3c;--jp-info-color1:#0097a7;--jp-warn-color1:#f57c00;--jp-error-color1:#d32f2f;"
    "--jp-mirror-editor-operator-color:#7800c2;color-scheme:light",
    "dark": "--jp-layout-color0:#111;--jp-layout-color1:#212121;--jp-ui-font-color0:#fff;--jp-brand-color1:#2196f3;"
    "--jp-success-color1:#4caf50;--jp-info-color1:#00bcd4;--jp-warn-color1:#ff9800;--jp-error-color1:#f44336;"
    "--jp-mirror-editor-operator-color:#d48fff;color-scheme:dark",
}
FONTS: Final = "--jp-ui-font-family:system-ui,sans-serif;--jp-code-font-family:monospace;--jp-border-radius:2px"
MODEL = """async ([script, values, answers]) => {
  const heard = {};
  const model = {
    get: name => values[name],
    on: (event, callback) => (heard[event] ??= []).push(callback),
    off: () => {},
    send: ({do: what, view, request, step}) => {
      const data = answers[step ? `${what} ${step}` : what];
      if (data !== undefined)
        setTimeout(() => heard["msg:custom"].forEach(tell => tell({kind: "reply", view, request, data})));
    },
  };
  const widget = await import(URL.createObjectURL(new Blob([script], {type: "text/javascript"})));
  widget.default.render({model, el: document.body});
}"""

NOTEBOOK: Final = """\
limit = 3
def clean_text(text):
    return text.strip()

---
%%step load_events
events = list(range(40))
print('loaded', len(events))

---
%%step load_accounts --owner dana
import pandas as pd
letters = list('abcdefghi')
accounts = pd.DataFrame({'id': range(9), 'name': letters})

---
%%step clean_events
rows = [clean_text(str(e)) for e in events if e >= limit]

---
%%step embed_reviews --map event=events --tolerate 4
if event in (7, 11):
    raise ValueError(f'no text in {event}')
vector = event * 2

---
%%step validate_account_schema_v2
valid = accounts[accounts.id > 1]

---
%%step join_features
features = [rows, len(valid)]

---
%%step retrain --branch way --when "len(features) > 1"
model = features

---
%%step backfill_history --branch way --when else
model = None

---
%%step score_drift --retries 2 --retry-delay 1ms
raise KeyError('no column days_since_last_order in frame')
drift = vector

---
%%step alert_on_drift --catch score_drift
sent = 'mail'

---
%%step release_gate --approve "Publish the model?" --ask "share:float=0.5" "channel:staging|live" "count:int"
released = model

---
%%step publish_report
published = released, drift"""
"""A common notebook, its cells divided by dashes."""
TWELVE: Final = tuple(NOTEBOOK.split("\n\n---\n"))


def cells(size: int) -> list[str]:
    """Sources of a notebook with so many steps."""
    if size == 1:
        return [TWELVE[1]]
    if size == 12:  # noqa: PLR2004 - the size of a common notebook
        return list(TWELVE)
    wide = 20
    return [
        f"%%step step_{n}{'_with_a_long_name' if n % 7 == 0 else ''}\n"
        + (f"raise ValueError({n})\n" if n in {133, 214} else "")
        + f"v{n} = {f'v{n - wide}, v{n - wide + n % 2}' if n >= wide else n}"
        for n in range(size)
    ]


def main(arguments: list[str] | None = None) -> int:
    """Write the pictures into a folder."""
    parser = argparse.ArgumentParser(prog="python -m tools.screens", description="Take pictures of every screen.")
    parser.add_argument("output", type=Path)
    parser.add_argument("--sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--widths", nargs="*", type=int, default=WIDTHS)
    parser.add_argument("--themes", nargs="*", choices=THEMES, default=list(THEMES))
    parser.add_argument("--screens", nargs="*", help="only those whose name begins like that")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            state = ran(Path(folder), size)
        _pictures(state, size, options)
    return 0


def ran(folder: Path, size: int) -> dict[str, Any]:
    """What the widget shows of a notebook that has run a few times, and every answer that it could ask for."""
    from IPython.core.interactiveshell import InteractiveShell  # noqa: PLC0415 - only here

    from nbsteps.notebook.connection import connect, disconnect  # noqa: PLC0415 - (the same)

    (folder / ".nbsteps").mkdir()
    path = folder / "flow.ipynb"
    _write(path, cells(size))
    shell = InteractiveShell.instance()
    shell.reset()  # type: ignore[no-untyped-call]
    kernel = connect(shell)
    kernel.use_notebook(path)
    for forced in (False, True, True, False):
        session = kernel.session
        session.run(forced=session.select() if forced else ())
        shell.user_ns["limit"] = 3
    shell.user_ns["limit"] = 5
    _write(path, [cell.replace("if e >= limit]", "if e > limit]\nrows.sort()") for cell in cells(size)])
    try:
        return _state(kernel)
    finally:
        disconnect(shell)


def _write(path: Path, sources: list[str]) -> None:
    made = [nbformat.v4.new_code_cell(cell) for cell in sources]  # type: ignore[no-untyped-call]
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)  # type: ignore[no-untyped-call]


def _state(kernel: Any) -> dict[str, Any]:
    from nbsteps.display.board import Board  # noqa: PLC0415 - only here
    from nbsteps.display.chronicle import run_view  # noqa: PLC0415 - (the same)
    from nbsteps.display.levels import graph_view  # noqa: PLC0415 - (the same)
    from nbsteps.notebook.page_queries import PageQueries, Subject  # noqa: PLC0415 - (the same)
    from nbsteps.notebook.run_settings import RunSettings  # noqa: PLC0415 - (the same)
    from nbsteps.notebook.step_logs import StepLogs  # noqa: PLC0415 - (the same)

    session, desk, board = kernel.session, PageQueries(StepLogs()), Board()
    rows, graph, name = session.status(), session.graph(), session.services.notebook
    desk.subject = Subject(kernel.store, name, graph, {row.step.name: row for row in rows}, session.services.folder)
    requests = [each.request for each in kernel.store.approvals(name) if each.verdict is None]
    board.last_run(run_view(kernel.store.history_records("runs", notebook=name, limit=1)[0]))
    board.rest(((row.step.name, row.state, row.decision, row.result) for row in rows), requests)
    asked: dict[str, Mapping[str, Any]] = {what: {"do": what} for what in ("runs", "timeline", "trends")}
    asked |= {f"detail {row.step.name}": {"do": "detail", "step": row.step.name} for row in rows[:20]}
    asked |= {
        f"detail {name}": {"do": "detail", "step": name}
        for name in ("step_133_with_a_long_name",)
        if name in graph.steps
    }
    answers: dict[str, Any] = {name: desk.answer(message).get("data") for name, message in asked.items()}
    runs = [run["run_id"] for run in answers["runs"][:2]]
    answers["compare"] = desk.answer({"do": "compare", "runs": runs[::-1]})["data"]
    live = board.live() | {"now": time.time(), "how": RunSettings().view({})}
    return {"graph": graph_view(graph, name), "live": live, "answers": answers}


def _screens(page: Any, state: Mapping[str, Any]) -> Iterator[str]:
    """Go from screen to screen; yields the name of each as it is shown."""
    yield "graph"
    names = [step["name"] for step in state["graph"]["steps"]]
    failed = next((name for name in names if state["live"]["nodes"][name]["state"] == "failed"), names[0])
    for step, tab in (
        (failed, "Overview"),
        (failed, "Attempts"),
        ("clean_events", "Why"),
        ("embed_reviews", "Attempts"),
        ("load_accounts", "Inputs and outputs"),
    ):
        node = page.locator(f'[data-step="{step}"]')
        if node.count() and f"detail {step}" in state["answers"]:
            node.focus()
            page.keyboard.press("Enter")
            page.get_by_role("tab", name=tab, exact=True).click()
            page.wait_for_timeout(150)
            yield f"detail-{tab.split()[0].lower()}-{step}"
            if page.get_by_role("button", name="Split").count():
                page.get_by_role("button", name="Split").click()
                yield f"detail-split-{step}"
            page.get_by_role("button", name="Close panel").click()
    if page.locator("form.appr").count():
        page.locator("form.appr input").first.fill("many")
        page.get_by_role("button", name="Approve").click()
        yield "approval-errors"
    page.locator("button", has_text="Force").first.click()
    yield "force-menu"
    page.keyboard.press("Escape")
    for tab in ("Runs", "Timeline", "Trends"):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_timeout(200)
        yield tab.lower()
        if tab == "Runs" and page.locator(".runs tbody tr").count() > 1:
            for row in (0, 1):
                page.locator(".runs tbody tr").nth(row).click()
            page.get_by_role("button", name="Compare").click()
            page.wait_for_timeout(150)
            yield "runs-compared"


def _pictures(state: Mapping[str, Any], size: int, options: argparse.Namespace) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - an extra that only this tool needs

    script = (STATIC / "widget.js").read_text(encoding="utf-8")
    values = json.loads(json.dumps({"graph": state["graph"], "live": state["live"]}))
    with sync_playwright() as play:
        program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for theme in options.themes:
            for width in options.widths:
                page = browser.new_page(viewport={"width": width, "height": 600})
                page.goto("about:blank")
                ground = f"html{{{THEMES[theme]};{FONTS}}}body{{margin:8px;background:var(--jp-layout-color0)}}"
                page.add_style_tag(content=ground)
                page.add_style_tag(path=STATIC / "widget.css")
                page.evaluate(MODEL, [script, values, json.loads(json.dumps(state["answers"]))])
                page.locator(".nbs [data-step]").first.wait_for()
                for screen in _screens(page, state):
                    if options.screens and not screen.startswith(tuple(options.screens)):
                        continue
                    file = options.output / f"{size}-{screen}-{theme}-{width}.png"
                    page.screenshot(path=file, full_page=True)
                page.close()
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
