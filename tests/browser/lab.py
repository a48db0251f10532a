"""What tests do with a notebook's page, whichever application shows it."""

from __future__ import annotations

RUN_CELL = """async ([index, wait]) => {
  const panel = window.jupyterapp.shell.currentWidget;
  panel.content.activeCellIndex = index;
  const ran = window.jupyterapp.commands.execute("notebook:run-cell");
  if (wait) await ran;
}"""


def run_cell(page, index, *, wait=True):
    """Execute a cell as the user does; without ``wait`` it may still be under way."""
    page.evaluate(RUN_CELL, [index, wait])
