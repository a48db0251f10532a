// What the notebook's toolbar and marks are drawn with. Everything reaches the page as text.

const SVG = "http://www.w3.org/2000/svg";

// Generated: python -m tools.marks
const MARKS = {"pending":{"word":"Pending","mark":[["circle",{"cx":"8","cy":"8","r":"6.25","fill":"none","stroke":"currentColor","stroke-width":"1.5","stroke-dasharray":"2.4 2.51"}]]},"queued":{"word":"Queued","mark":[["circle",{"cx":"8","cy":"8","r":"6.25","fill":"none","stroke":"currentColor","stroke-width":"1.5","stroke-linecap":"round","stroke-linejoin":"round"}],["circle",{"cx":"5","cy":"8","r":"1","fill":"currentColor"}],["circle",{"cx":"8","cy":"8","r":"1","fill":"currentColor"}],["circle",{"cx":"11","cy":"8","r":"1","fill":"currentColor"}]]},"running":{"word":"Running","mark":[["circle",{"cx":"8","cy":"8","r":"6","fill":"none","stroke":"currentColor","stroke-opacity":".28","stroke-width":"2"}],["path",{"d":"M8 2a6 6 0 0 1 6 6","fill":"none","stroke":"currentColor","stroke-width":"2","stroke-linecap":"round"}],["circle",{"cx":"8","cy":"8","r":"2","fill":"currentColor"}]]},"retrying":{"word":"Retrying","mark":[["path",{"d":"M13.6 9.4A5.9 5.9 0 1 1 12.4 4","fill":"none","stroke":"currentColor","stroke-width":"1.5","stroke-linecap":"round","stroke-linejoin":"round"}],["path",{"d":"M13.4 1.2v3.6H9.8","fill":"none","stroke":"currentColor","stroke-width":"1.5","stroke-linecap":"round","stroke-linejoin":"round"}],["circle",{"cx":"8","cy":"8","r":"1.6","fill":"currentColor"}]]},"waiting":{"word":"Needs approval","mark":[["rect",{"x":"2.7","y":"2.7","width":"10.6","height":"10.6","rx":"2","transform":"rotate(45 8 8)","fill":"currentColor"}],["path",{"d":"M6.4 5.8v4.4M9.6 5.8v4.4","fill":"none","stroke":"var(--knock)","stroke-width":"1.75","stroke-linecap":"round","stroke-linejoin":"round"}]]},"succeeded":{"word":"Succeeded","mark":[["circle",{"cx":"8","cy":"8","r":"7","fill":"currentColor"}],["path",{"d":"M4.8 8.3l2.2 2.2 4.3-4.8","fill":"none","stroke":"var(--knock)","stroke-width":"1.75","stroke-linecap":"round","stroke-linejoin":"round"}]]},"cached":{"word":"Cached","mark":[["circle",{"cx":"8","cy":"8","r":"6.25","fill":"none","stroke":"currentColor","stroke-width":"1.5","stroke-linecap":"round","stroke-linejoin":"round"}],["path",{"d":"M5.1 8.3l2 2 3.9-4.4","fill":"none","stroke":"currentColor","stroke-width":"1.5","stroke-linecap":"round","stroke-linejoin":"round"}]]},"skipped":{"word":"Skipped","mark":[["circle",{"cx":"8","cy":"8","r":"6.25","fill":"none","stroke":"currentColor","stroke-width":"1.5","stroke-linecap":"round","stroke-linejoin":"round"}],["path",{"d":"M5 5.6L7.4 8 5 10.4M8.6 5.6L11 8l-2.4 2.4","fill":"none","stroke":"currentColor","stroke-width":"1.5","stroke-linecap":"round","stroke-linejoin":"round"}]]},"failed":{"word":"Failed","mark":[["circle",{"cx":"8","cy":"8","r":"7","fill":"currentColor"}],["path",{"d":"M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8","fill":"none","stroke":"var(--knock)","stroke-width":"1.75","stroke-linecap":"round","stroke-linejoin":"round"}]]},"upstream_failed":{"word":"Upstream failed","mark":[["circle",{"cx":"8","cy":"8","r":"6.25","fill":"none","stroke":"currentColor","stroke-width":"1.5","stroke-linecap":"round","stroke-linejoin":"round"}],["path",{"d":"M11 8H5.2M7.4 5.6L5 8l2.4 2.4","fill":"none","stroke":"currentColor","stroke-width":"1.5","stroke-linecap":"round","stroke-linejoin":"round"}]]},"cancelled":{"word":"Cancelled","mark":[["circle",{"cx":"8","cy":"8","r":"7","fill":"currentColor"}],["rect",{"x":"5.4","y":"5.4","width":"5.2","height":"5.2","rx":".8","fill":"var(--knock)"}]]},"crashed":{"word":"Crashed","mark":[["path",{"d":"M8 1.2c.5 0 .9.3 1.2.7l5.6 10.2c.5 1-.2 2.1-1.2 2.1H2.4c-1 0-1.7-1.1-1.2-2.1L6.8 1.9c.3-.4.7-.7 1.2-.7z","fill":"currentColor"}],["path",{"d":"M8 5.6v3.6M8 11.6v.05","fill":"none","stroke":"var(--knock)","stroke-width":"1.75","stroke-linecap":"round","stroke-linejoin":"round"}]]},"stale":{"word":"Stale","mark":[["circle",{"cx":"8","cy":"8","r":"6.25","fill":"none","stroke":"currentColor","stroke-width":"1.5","stroke-dasharray":"4.5 2.05","stroke-dashoffset":"1"}],["path",{"d":"M5.2 6.7h5.6M5.2 9.3h5.6M9.4 4.9l-2.8 6.2","fill":"none","stroke":"currentColor","stroke-width":"1.25","stroke-linecap":"round","stroke-linejoin":"round"}]]}};
// End of what is generated.

const ICONS = {
  run: [["path", { d: "M4.5 2.8v10.4L13 8z", fill: "currentColor" }]],
  cancel: [["rect", { x: 3.5, y: 3.5, width: 9, height: 9, rx: 1, fill: "currentColor" }]],
  show: [
    ["rect", { x: 1.5, y: 6, width: 4, height: 4, rx: 1, fill: "none", stroke: "currentColor", "stroke-width": 1.3 }],
    ["rect", { x: 10.5, y: 2, width: 4, height: 4, rx: 1, fill: "none", stroke: "currentColor", "stroke-width": 1.3 }],
    ["rect", { x: 10.5, y: 10, width: 4, height: 4, rx: 1, fill: "none", stroke: "currentColor", "stroke-width": 1.3 }],
    ["path", { d: "M5.5 8H8M8 4h2.5M8 12h2.5M8 4v8", fill: "none", stroke: "currentColor", "stroke-width": 1.3 }],
  ],
};

function drawn(shapes, turning = false) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  for (const [tag, attributes] of shapes) {
    const shape = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
    if (turning && tag === "path") shape.setAttribute("class", "nbs-turn");
    svg.appendChild(shape);
  }
  return svg;
}

export function mark(state) {
  return drawn((MARKS[state] || MARKS.pending).mark, state === "running");
}

export function text(kind, content) {
  const span = document.createElement("span");
  span.className = kind;
  span.textContent = content;
  return span;
}

export function button(icon, label, action) {
  const node = document.createElement("button");
  node.type = "button";
  node.title = label;
  node.setAttribute("aria-label", label.replace(/ \(.*/, ""));
  node.append(drawn(ICONS[icon]));
  node.addEventListener("click", action);
  return node;
}

export const DEAF = "The kernel is busy and hears nothing meanwhile; Cancel interrupts it";
export const HINTS = {
  "Not loaded": "Run pipeline loads nbsteps into this kernel",
  "No kernel": "Run pipeline starts one",
};

const BADGES = [
  [/^Running/, "running", ["running", "retrying"]],
  [/^Needs/, "waiting", ["waiting"]],
  [/failed$/, "failed", ["failed", "crashed"]],
  [/^Cannot/, "failed", ["Blocked"]],
  [/blocked$/, "stale", ["Blocked"]],
  [/stale$/, "stale", ["stale"]],
  [/^Up to date/, "succeeded", []],
];

export function badgeState(words) {
  return BADGES.find(([pattern]) => pattern.test(words)) || [null, "pending", []];
}

export function shortened(reasons) {
  if (!reasons) return "";
  const [first, ...others] = reasons.split(", ");
  return others.length ? `${first}, ...` : first;
}

export function progress(share) {
  const bar = document.createElement("span");
  const done = document.createElement("i");
  bar.className = "nbs-pb";
  done.style.width = `${Math.round(share * 100)}%`;
  bar.append(done);
  return bar;
}

const shown = new WeakMap(); // cells to what their marks show

// A step's mark in its cell, or none. Far from what is seen, a notebook may not have drawn the cell yet: its mark is
// drawn as soon as it comes near.
export function drawMark(cell, node, name) {
  if (!shown.has(cell)) {
    const drawn = () => window.requestAnimationFrame(() => cell.isDisposed || placeMark(cell, ...shown.get(cell)));
    cell.inViewportChanged?.connect(() => cell.ready.then(drawn));
  }
  shown.set(cell, [node, name]);
  placeMark(cell, node, name);
}

function placeMark(cell, node, name) {
  const editor = cell.node.querySelector(".jp-InputArea-editor");
  let own = cell.nbstepsMark;
  if (!node || !editor) {
    own?.remove();
    cell.nbstepsMark = null;
    return;
  }
  if (!own || own.parentElement !== editor) {
    own?.remove();
    own = document.createElement("div");
    own.className = "nbs-mark nbs-s";
    own.setAttribute("role", "note");
    editor.append(own);
    cell.nbstepsMark = own;
    followCursor(cell, own);
  }
  const more = [node.number, shortened(node.reasons)].filter(Boolean).join(", ");
  const said = [name, node.word, node.number].filter(Boolean).join(", ") + (node.reasons ? `: ${node.reasons}` : "");
  const drawnBefore = own.dataset.said;
  if (drawnBefore === said && own.dataset.s === node.state) return;
  own.dataset.said = said;
  own.dataset.s = node.state;
  own.title = node.reasons ? `${node.word}: ${node.reasons}` : node.word;
  own.setAttribute("aria-label", said);
  own.replaceChildren(mark(node.state), text("nbs-word", node.word));
  if (more) own.append(text("nbs-more", more));
  if (typeof node.share === "number") own.append(progress(node.share));
}

function followCursor(cell, own) {
  const editor = cell.editor;
  if (!editor) return;
  const look = () => {
    const first = cell.node.contains(document.activeElement) && editor.getCursorPosition().line === 0;
    own.classList.toggle("nbs-faint", first && editor.hasFocus());
  };
  editor.model.selections?.changed?.connect(look);
  cell.node.addEventListener("focusin", look);
  cell.node.addEventListener("focusout", () => window.setTimeout(look));
}

// Why a kernel does not run the pipeline, by the error that it answered with.
export function refusalOf({ ename, evalue }) {
  const absent = ename === "ModuleNotFoundError" && /No module named 'nbsteps'/.test(evalue);
  if (absent) return "this kernel has no nbsteps: install it there (%pip install), or choose another kernel";
  return String(evalue || ename || "nbsteps cannot be loaded");
}
