"""The widget's script on an empty page, with a model of the tests' own."""

from __future__ import annotations

import json
from pathlib import Path

from nbsteps.core.decide import Action, Decision
from nbsteps.core.graph import build
from nbsteps.core.model import Cell
from nbsteps.core.states import StepState
from nbsteps.display.board import Board
from nbsteps.display.levels import graph_view

STATIC = Path(__file__).parents[2] / "src" / "nbsteps" / "display" / "static"
MODEL = """async ([script, values]) => {
  const heard = {};
  window.sent = [];
  const model = {
    get: name => values[name],
    on: (event, callback) => (heard[event] ??= []).push(callback),
    off: () => {},
    send: message => window.sent.push(message),
  };
  window.model = model;
  window.tell = message => heard["msg:custom"].forEach(callback => callback(message));
  const widget = await import(URL.createObjectURL(new Blob([script], {type: "text/javascript"})));
  widget.default.render({model, el: document.body});
}"""


def cells(number, wide=25):
    """A graph of so many steps, in columns."""
    return [
        Cell(f"cell {n}", f"%%step step_{n}\nv{n} = {f'v{n - wide}, v{n - wide + n % 2}' if n >= wide else n}")
        for n in range(number)
    ]


def draw(page, found, width=1080, height=700):
    """Show the widget with these steps; returns its board."""
    graph = build(found)
    board = Board()
    board.rest((name, StepState.PENDING, Decision(Action.RUN), None) for name in graph.steps)
    page.set_viewport_size({"width": width, "height": height})
    page.goto("about:blank")
    page.add_style_tag(path=STATIC / "widget.css")
    values = {"graph": graph_view(graph, "flow.ipynb"), "live": board.live() | {"now": 100.0}}
    script = (STATIC / "widget.js").read_text(encoding="utf-8")
    page.evaluate(MODEL, [script, json.loads(json.dumps(values))])
    page.locator(".nbs [data-step]").first.wait_for()
    return board


def tell(page, board):
    taken = board.take()
    page.evaluate(
        "message => window.tell(message)", {"kind": "delta", "now": 100.0, **json.loads(json.dumps(taken[0]))}
    )
