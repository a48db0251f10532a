// The cells of a notebook: as the kernel is told of them, and those that are steps.

const STEP = /^\s*%%step[ \t]+([^\s]+)/;

export function codeCells(model) {
  const found = [];
  for (let position = 0; position < model.cells.length; position++) {
    const cell = model.cells.get(position);
    if (cell.type !== "code") continue;
    const tags = cell.getMetadata?.("tags");
    const source = cell.sharedModel.getSource();
    found.push({ id: cell.id, position: position + 1, source, tags: Array.isArray(tags) ? tags : [] });
  }
  return found;
}

// Each cell that is a step, to the step's name.
export function stepCells(widgets) {
  const found = new Map();
  for (const cell of widgets) {
    if (cell.model.type !== "code") continue;
    const name = STEP.exec(cell.model.sharedModel.getSource())?.[1];
    if (name) found.set(cell, name);
  }
  return found;
}
