"""Measures how long an event takes from the kernel to the screen, in a real JupyterLab and a real browser.

``python -m tools.latency [STEPS ...]``: needs the extra ``screenshots`` and a Chromium. Kernel and browser share a
clock. Events that come one at a time show the way's length; for the rate of updates fifty steps change as fast as the
kernel can say so, while the graph is dragged.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat

from tools.screenshot import SETTINGS, lab

WINDOWED = {**SETTINGS, "notebook-extension/tracker": {}}
"""JupyterLab as it is by default: of a thousand cells it draws those that are in sight."""

EVENTS = 100
SECONDS = 6.0
START = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  window.jupyterapp.shell.collapseLeft();
  for (const index of [0, 1]) {
    panel.content.activeCellIndex = index;
    await window.jupyterapp.commands.execute("notebook:run-cell");
  }
}"""
EXECUTE = """async code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  let text = "", failed = "";
  const future = kernel.requestExecute({code, store_history: false});
  future.onIOPub = message => { text += message.content.text ?? ""; failed += message.content.evalue ?? ""; };
  await future.done;
  if (failed) throw new Error(failed);
  return text;
}"""
OBSERVE = """() => {
  window.shown = [];
  new MutationObserver(records => {
    const seen = records.map(({target}) => [target.dataset.step, target.dataset.s]);
    requestAnimationFrame(() => {
      const now = Date.now() / 1000;
      for (const each of seen) shown.push([...each, now]);
    });
  }).observe(document.querySelector(".nbs"), {attributes: true, attributeFilter: ["data-s"], subtree: true});
}"""
DRAG = """async seconds => {
  const frame = document.querySelector(".gv"), box = frame.getBoundingClientRect(), times = [];
  frame.setPointerCapture = () => {};
  const fire = (type, x, y) => frame.dispatchEvent(new PointerEvent(type, {bubbles: true, clientX: x, clientY: y}));
  const start = performance.now();
  let last = start;
  fire("pointerdown", box.left + 500, box.top + 200);
  while (last - start < 1000 * seconds) {
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    times.push(now - last);
    last = now;
    fire("pointermove", box.left + 500 - 120 * Math.sin(now / 700), box.top + 200 - 60 * Math.sin(now / 900));
  }
  fire("pointerup", 0, 0);
  return times;
}"""
KERNEL = """
import json, random, time
from nbsteps.core.events import RunEnded, RunStarted, StepRetrying, StepStarted
from nbsteps.core.model import Run
from nbsteps.core.states import RunState
from nbsteps.notebook.connection import current

def _emit(names, number, pause, together):
    toolbar, said, state = current().toolbar(), [], dict.fromkeys(names, "retrying")
    toolbar.emit(RunStarted(time.time(), Run("latency", "nb", "magic", time.time(), "", 1, ""), tuple(names)))
    time.sleep(1)
    for _ in range(number):
        for name in random.sample(names, min(together, len(names))):
            now, running = time.time(), state[name] == "retrying"
            state[name] = "running" if running else "retrying"
            said.append((name, state[name], now))
            toolbar.emit(StepStarted(now, "latency", name, "", ()) if running
                         else StepRetrying(now, "latency", name, 1, 60.0, now + 60.0))
        time.sleep(pause * random.uniform(0.5, 1.5))
    time.sleep(1)
    toolbar.emit(RunEnded(time.time(), "latency", RunState.SUCCEEDED))
    print(json.dumps(said))
"""


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print one line for each number of steps."""
    parser = argparse.ArgumentParser(prog="python -m tools.latency", description=main.__doc__)
    parser.add_argument("steps", nargs="*", type=int, default=[12, 1000], help="how many steps the notebook has")
    for number in parser.parse_args(arguments).steps:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_notebook(folder / "notebooks" / "flow.ipynb", number)
            with lab(folder, "Light", WINDOWED) as address:
                print(told(number, measured(address.replace("/lab?", "/lab/tree/flow.ipynb?"))), flush=True)
    return 0


def write_notebook(path: Path, number: int) -> None:
    """A notebook of so many steps, in columns."""
    path.parent.mkdir()
    (path.parent / ".nbsteps").mkdir()
    wide = max(4, number // 40)
    steps = [f"%%step step_{at}\nv{at} = {at if at < wide else f'v{at - wide}'}" for at in range(number)]
    make: Any = nbformat.v4
    cells = [make.new_code_cell(source) for source in ("%load_ext nbsteps", "%pipeline", *steps)]
    notebook = make.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.write_text(json.dumps(notebook), encoding="utf-8")


def measured(address: str) -> Mapping[str, Any]:
    """Delays in seconds, times of updates, and frame times in milliseconds."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - an extra

    program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(180_000)
        page.goto(address)
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
        page.evaluate(START)
        page.locator(".nbs [data-step]").first.wait_for()
        page.evaluate(EXECUTE, KERNEL)
        names = page.evaluate("() => [...document.querySelectorAll('.nbs [data-step]')].map(n => n.dataset.step)")
        page.evaluate(OBSERVE)
        said = json.loads(page.evaluate(EXECUTE, f"_emit({names}, {EVENTS}, 0.2, 1)"))
        shown = page.evaluate("() => shown.splice(0)")
        page.evaluate("code => { window.running = (" + EXECUTE + ")(code); }", f"_emit({names}, 800, 0.01, 50)")
        page.wait_for_function("() => shown.length > 0")
        frames = page.evaluate(DRAG, SECONDS)
        updates = sorted({now for *_, now in page.evaluate("() => shown")})
        browser.close()
    return {"drawn": len(names), "delays": delays(said, shown), "updates": updates, "frames": frames}


def delays(said: Sequence[Sequence[Any]], shown: Sequence[Sequence[Any]]) -> list[float]:
    """For each event the time until its step was seen in its state; what was overtaken by the next one is not seen."""
    found = []
    for at, (step, state, emitted) in enumerate(said):
        following = next((other[2] for other in said[at + 1 :] if other[0] == step), float("inf"))
        seen = [now for name, kind, now in shown if (name, kind) == (step, state) and emitted <= now <= following + 1]
        found += [min(seen) - emitted] if seen else []
    return found


def told(number: int, found: Mapping[str, Any]) -> str:
    """The figures as one line."""
    times, frames, updates = sorted(found["delays"]), sorted(found["frames"]), found["updates"]
    gaps = [later - earlier for earlier, later in pairwise(updates)]
    return (
        f"{number} steps, {found['drawn']} drawn: event to screen {1000 * statistics.median(times):.0f} ms, "
        f"95 % {1000 * times[int(0.95 * len(times))]:.0f} ms ({len(times)} of {EVENTS} seen); "
        f"{1 / statistics.median(gaps):.1f} updates a second of up to 50 steps; dragged meanwhile: "
        f"{statistics.median(frames):.0f} ms a frame, 95 % {frames[int(0.95 * len(frames))]:.0f} ms"
    )


if __name__ == "__main__":
    raise SystemExit(main())
