// The notebook's toolbar, state marks and commands: a federated extension of JupyterLab 4 and Notebook 7, written by
// hand, so that no build is needed. It draws what the kernel says and computes no state of its own. Everything that
// comes from a notebook or a kernel reaches the page as text.
(() => {
  "use strict";

  const NAME = "nbsteps";
  const TARGET = "nbsteps";
  const STEP_KEY = "nbsteps_step";
  const QUIET = 400; // milliseconds without an edit after which the cells are sent
  const HERE = document.currentScript.src; // the other files are beside this one
  const PATIENCE = 1000; // milliseconds after which a kernel that does not answer Cancel is interrupted
  const RUN = '__import__("nbsteps.notebook.labrun", fromlist=["run"]).run';
  const LOAD = 'get_ipython().run_line_magic("load_ext", "nbsteps")';
  const STEP = /^\s*%%step[ \t]+([^\s]+)/;
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

  const STYLE = `
.nbs-bar,.nbs-mark{
  --nbs-fg:var(--jp-ui-font-color0,#000);--nbs-bg:var(--jp-layout-color1,#fff);
  --nbs-fg2:color-mix(in srgb,var(--nbs-fg) 64%,var(--nbs-bg));
  --nbs-line:color-mix(in srgb,var(--nbs-fg) 22%,var(--nbs-bg));
  --nbs-blue:var(--jp-brand-color1,#1976d2);
  --nbs-green:color-mix(in srgb,var(--jp-success-color1,#388e3c) 62%,var(--jp-info-color1,#0288d1));
  --nbs-amber:color-mix(in srgb,var(--jp-warn-color1,#f57c00) 76%,var(--jp-success-color1,#388e3c));
  --nbs-red:var(--jp-error-color1,#d32f2f);
  --nbs-purple:color-mix(in srgb,var(--jp-mirror-editor-operator-color,#7800c2) 72%,var(--nbs-fg));
  --nbs-grey:color-mix(in srgb,var(--nbs-fg) 56%,var(--nbs-bg));
  font-family:var(--jp-ui-font-family);font-size:12px;line-height:16px}
.nbs-s{--hue:var(--nbs-grey);--ink:color-mix(in srgb,var(--hue) 64%,var(--nbs-fg));--knock:var(--nbs-bg)}
.nbs-s[data-s=running]{--hue:var(--nbs-blue)}
.nbs-s[data-s=retrying],.nbs-s[data-s=stale]{--hue:var(--nbs-amber)}
.nbs-s[data-s=waiting]{--hue:var(--nbs-purple)}
.nbs-s[data-s=succeeded],.nbs-s[data-s=cached]{--hue:var(--nbs-green)}
.nbs-s[data-s=failed],.nbs-s[data-s=upstream_failed],.nbs-s[data-s=crashed]{--hue:var(--nbs-red)}
.nbs-s>svg{width:14px;height:14px;flex:none;color:var(--hue);display:block}
.nbs-word{color:var(--ink);font-weight:500}
.nbs-more{color:var(--nbs-fg2);font-variant-numeric:tabular-nums;overflow:hidden;text-overflow:ellipsis}
.nbs-bar{display:flex;align-items:center;height:24px;margin:0 4px}
.nbs-bar[hidden]{display:none}
.nbs-bar>button{appearance:none;display:inline-flex;align-items:center;gap:6px;height:24px;padding:0 8px;margin:0;
  border:1px solid var(--nbs-line);background:var(--nbs-bg);color:var(--nbs-fg);font:inherit;white-space:nowrap;
  cursor:pointer}
.nbs-bar>button+button{border-left:0;width:26px;padding:0;justify-content:center}
.nbs-bar>button:first-child{border-radius:4px 0 0 4px}
.nbs-bar>button:last-child{border-radius:0 4px 4px 0}
.nbs-bar>button:hover:not(:disabled){background:color-mix(in srgb,var(--nbs-fg) 6%,var(--nbs-bg))}
.nbs-bar>button:disabled{color:color-mix(in srgb,var(--nbs-fg) 38%,var(--nbs-bg));cursor:default}
.nbs-bar>button:focus-visible{outline:2px solid var(--nbs-blue);outline-offset:1px;z-index:1}
.nbs-bar>button>svg{width:14px;height:14px;flex:none}
.jp-Cell:has(>.jp-Cell-inputWrapper .nbs-mark) .jp-InputArea-editor{position:relative}
.nbs-mark{position:absolute;top:4px;right:8px;z-index:3;display:flex;align-items:center;gap:6px;max-width:45%;
  padding:1px 6px;border-radius:4px;white-space:nowrap;background:var(--jp-cell-editor-background,var(--nbs-bg));
  transition:opacity .12s;cursor:default}
.nbs-mark .nbs-pb{position:absolute;left:6px;right:6px;bottom:-3px;height:2px;border-radius:1px;
  background:color-mix(in srgb,var(--hue) 22%,var(--nbs-bg))}
.nbs-mark .nbs-pb>i{display:block;height:2px;border-radius:1px;background:var(--hue)}
.nbs-mark.nbs-faint{opacity:.15}
.jp-Cell.jp-mod-active:has(.jp-cell-toolbar) .nbs-mark{right:190px}
.jp-InputArea-editor{container:nbs-editor/inline-size}
@container nbs-editor (max-width:520px){.nbs-mark .nbs-more{display:none}}
@container nbs-editor (max-width:320px){.nbs-mark .nbs-word{display:none}}
.nbs-turn{transform-origin:8px 8px;animation:nbs-turn 1.4s linear infinite}
@keyframes nbs-turn{to{transform:rotate(360deg)}}
@media (prefers-reduced-motion:reduce){.nbs-turn{animation:none}.nbs-mark{transition:none}}
@media (forced-colors:active){.nbs-bar>button,.nbs-mark{border:1px solid ButtonBorder}}
@media print{.nbs-mark{position:static}}`;

  // ---- drawing -------------------------------------------------------------------------------------------------

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

  function mark(state) {
    return drawn((MARKS[state] || MARKS.pending).mark, state === "running");
  }

  function text(kind, content) {
    const span = document.createElement("span");
    span.className = kind;
    span.textContent = content;
    return span;
  }

  function button(icon, label, action) {
    const node = document.createElement("button");
    node.type = "button";
    node.title = label;
    node.setAttribute("aria-label", label.replace(/ \(.*/, ""));
    node.append(drawn(ICONS[icon]));
    node.addEventListener("click", action);
    return node;
  }

  const BADGES = [
    [/^Running/, "running", ["running", "retrying"]],
    [/^Needs/, "waiting", ["waiting"]],
    [/failed$|^Cannot/, "failed", ["failed", "crashed"]],
    [/stale$/, "stale", ["stale"]],
    [/^Up to date/, "succeeded", []],
  ];

  function badgeState(words) {
    return BADGES.find(([pattern]) => pattern.test(words)) || [null, "pending", []];
  }

  // ---- one notebook --------------------------------------------------------------------------------------------

  class Pipeline {
    constructor(panel, options) {
      this.panel = panel;
      this.options = options;
      this.nodes = {};
      this.running = false;
      this.badge = "No run yet";
      this.notice = "";
      this.comm = null;
      this.sent = "";
      this.timer = 0;
      this.understudies = null;
      this.node = this.bar();
      const context = panel.sessionContext;
      context.kernelChanged.connect(() => this.reconnect());
      context.statusChanged.connect((_, status) => this.status(status));
      context.iopubMessage.connect((_, message) => this.noticed(message));
      panel.context.ready.then(() => this.watch());
      panel.disposed.connect(() => {
        this.close();
        this.understudies?.close();
      });
      this.reconnect();
    }

    bar() {
      const node = document.createElement("div");
      node.className = "nbs-bar";
      node.setAttribute("role", "group");
      node.setAttribute("aria-label", "Pipeline");
      node.hidden = true;
      this.state = document.createElement("button");
      this.state.type = "button";
      this.state.className = "nbs-s nbs-state";
      this.state.addEventListener("click", () => this.reveal());
      this.runButton = button("run", "Run pipeline (Alt+Shift+R)", () => this.run());
      this.cancelButton = button("cancel", "Cancel run (Alt+Shift+C)", () => this.cancel());
      this.showButton = button("show", "Show pipeline (Alt+Shift+G)", () => this.show());
      node.append(this.state, this.runButton, this.cancelButton, this.showButton);
      return node;
    }

    // ---- cells -------------------------------------------------------------------------------------------------

    watch() {
      if (this.panel.isDisposed) return;
      const model = this.panel.content.model;
      model.contentChanged.connect(() => this.edited());
      model.cells.changed.connect(() => this.edited());
      this.panel.content.activeCellChanged?.connect(() => this.later(() => this.draw(), "drawing"));
      this.understudies = new this.options.Understudies(this.panel, (message) => this.tell(message));
      this.edited();
    }

    edited() {
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(() => {
        this.send();
        this.draw();
      }, QUIET);
    }

    later(work, name) {
      if (this[name]) return;
      this[name] = window.requestAnimationFrame(() => {
        this[name] = 0;
        if (!this.panel.isDisposed) work();
      });
    }

    cells() {
      const model = this.panel.content?.model;
      const found = [];
      if (!model) return found;
      for (let position = 0; position < model.cells.length; position++) {
        const cell = model.cells.get(position);
        if (cell.type !== "code") continue;
        const tags = cell.getMetadata?.("tags");
        const source = cell.sharedModel.getSource();
        found.push({ id: cell.id, position: position + 1, source, tags: Array.isArray(tags) ? tags : [] });
      }
      return found;
    }

    steps() {
      const found = new Map();
      this.panel.content.widgets.forEach((cell) => {
        if (cell.model.type !== "code") return;
        const name = STEP.exec(cell.model.sharedModel.getSource())?.[1];
        if (name) found.set(cell, name);
      });
      return found;
    }

    cellOf(step) {
      for (const [cell, name] of this.steps()) if (name === step) return cell;
      return null;
    }

    // ---- kernel ------------------------------------------------------------------------------------------------

    async reconnect() {
      this.close();
      this.nodes = {};
      this.running = false;
      this.badge = "No run yet";
      this.sent = "";
      this.draw();
      await this.connect();
    }

    async connect() {
      const kernel = this.panel.sessionContext.session?.kernel;
      if (!kernel || this.comm || this.connecting) return;
      this.connecting = true;
      this.draw();
      try {
        const { Line, services } = this.options;
        const on = { heard: (message) => this.heard(message), lost: (line) => this.lost(line) };
        const line = await Line.open(kernel, services, TARGET, on);
        if (this.panel.isDisposed || this.panel.sessionContext.session?.kernel !== kernel) return;
        this.comm = line;
        this.answered = false;
        line.start();
        this.send();
        this.understudies?.soon();
      } catch (error) {
        this.comm = null; // a kernel without comms: Run still works, and loads nbsteps
      } finally {
        this.connecting = false;
        this.draw();
        if (!this.panel.isDisposed && this.panel.sessionContext.session?.kernel !== kernel) this.connect();
      }
    }

    lost(line) {
      if (this.comm !== line) return;
      this.comm = null;
      this.sent = "";
      this.understudies?.reset();
    }

    close() {
      const line = this.comm;
      this.comm = null;
      this.understudies?.reset();
      if (line && this.panel.sessionContext.session?.kernel) line.close();
    }

    status(status) {
      if (status === "restarting" || status === "autorestarting") {
        this.comm = null;
        this.understudies?.reset();
        this.wanted = true;
        this.nodes = {};
        this.running = false;
        this.badge = "No run yet";
        this.sent = "";
        this.draw();
      }
      if (status === "idle" && !this.comm && this.wanted) {
        this.wanted = false;
        this.connect();
      }
    }

    noticed(message) {
      // Whoever types %load_ext nbsteps does so in a cell: then there is somebody to talk to.
      if (message.header.msg_type !== "execute_input" || this.comm) return;
      if (/nbsteps|%%step|%pipeline/.test(message.content.code)) this.wanted = true;
    }

    send() {
      if (!this.comm || this.panel.isDisposed) return;
      const cells = this.cells();
      if (!cells.some((cell) => STEP.test(cell.source))) return;
      const packed = JSON.stringify(cells);
      if (packed === this.sent) return;
      this.sent = packed;
      this.comm.send({ do: "cells", cells });
    }

    tell(message) {
      this.comm?.send(message);
      return Boolean(this.comm);
    }

    heard(message) {
      this.answered = true;
      if (message.kind === "state") {
        this.nodes = message.whole ? message.nodes : { ...this.nodes, ...message.nodes };
        this.running = message.running;
        this.badge = message.badge;
        this.forecast = message.forecast;
        this.notice = "";
        if (this.cancelled && this.running) this.comm?.send({ do: "cancel" });
      } else if (message.kind === "problem") {
        this.notice = message.text;
      } else if (message.kind === "cancelling" && message.running) {
        this.obeyed();
      } else if (message.kind === "widget" || message.kind === "told") {
        this.understudies?.heard(message);
        return;
      }
      this.later(() => this.draw(), "drawing");
    }

    // ---- commands ----------------------------------------------------------------------------------------------

    async run() {
      const kernel = this.panel.sessionContext.session?.kernel;
      if (!kernel || this.running || this.asked) return;
      this.asked = true;
      this.draw();
      try {
        await this.save();
        // A kernel that has not answered yet may be about to refuse: nbsteps is loaded by this then, or was already.
        if (!this.comm || !this.answered) {
          const loaded = await kernel.requestExecute({ code: LOAD, silent: true, store_history: false }).done;
          if (loaded.content.status === "error") {
            this.refused(loaded.content);
            return;
          }
          await this.connect();
        }
        if (this.cancelled) return;
        const future = kernel.requestExecute({ code: RUN + this.options.means(), store_history: false, stop_on_error: false });
        const sink = new Sink(this);
        future.onIOPub = (message) => sink.take(message);
        const reply = await future.done;
        if (reply.content.status === "error" && !sink.shown) this.refused(reply.content);
      } catch (error) {
        this.notice = "The kernel ended before the run did";
      } finally {
        this.asked = false;
        this.obeyed();
        this.draw();
        if (!this.comm) this.connect();
      }
    }

    refused(content) {
      this.badge = "Cannot run";
      this.notice = String(content.evalue || content.ename || "");
    }

    async save() {
      const context = this.panel.context;
      if (!context.model.dirty || context.model.readOnly) return;
      try {
        await context.save();
      } catch (error) {
        this.notice = "The notebook could not be saved: the run takes the cells as they were";
      }
    }

    cancel() {
      if (!this.panel.sessionContext.session?.kernel || !(this.running || this.asked)) return;
      this.cancelled = true;
      this.comm?.send({ do: "cancel" });
      this.insist(PATIENCE);
    }

    // Interrupt a kernel that does not answer, again if it was too early: nothing may be lost between click and body.
    insist(milliseconds) {
      window.clearTimeout(this.impatience);
      this.impatience = window.setTimeout(() => {
        if (!this.running && !this.asked) return;
        this.panel.sessionContext.session?.kernel?.interrupt();
        this.insist(3 * PATIENCE);
      }, milliseconds);
    }

    obeyed() {
      window.clearTimeout(this.impatience);
      this.cancelled = false;
    }

    async show() {
      const { NotebookActions } = this.options;
      const notebook = this.panel.content;
      const model = notebook.model;
      let index = -1;
      for (let at = 0; at < model.cells.length; at++) {
        if (model.cells.get(at).sharedModel.getSource().trim() === "%pipeline") index = at;
      }
      if (index < 0) {
        NotebookActions.insertBelow(notebook);
        index = notebook.activeCellIndex;
        notebook.activeCell.model.sharedModel.setSource("%pipeline");
      }
      notebook.activeCellIndex = index;
      notebook.deselectAll();
      await NotebookActions.run(notebook, this.panel.sessionContext);
      await notebook.scrollToItem?.(index);
    }

    reveal() {
      const wanted = badgeState(this.badge)[2];
      const index = this.panel.content.widgets.findIndex((cell) => {
        const name = STEP.exec(cell.model.sharedModel.getSource())?.[1];
        return name && wanted.includes(this.nodes[name]?.state);
      });
      if (index < 0) return;
      this.panel.content.activeCellIndex = index;
      this.panel.content.scrollToItem?.(index, "smart");
    }

    // ---- the page ----------------------------------------------------------------------------------------------

    draw() {
      if (this.panel.isDisposed || !this.panel.content?.model) return;
      const steps = this.steps();
      const busy = this.running || this.asked;
      this.node.hidden = steps.size === 0;
      this.runButton.disabled = Boolean(busy);
      this.cancelButton.disabled = !busy;
      const words = this.asked && !this.running ? "Running" : this.connecting && !this.comm ? "Connecting" : this.badge;
      this.drawBadge(words);
      const marks = this.options.marks();
      for (const cell of this.panel.content.widgets) {
        const name = steps.get(cell);
        this.drawMark(cell, name && marks ? this.nodes[name] : undefined, name);
      }
    }

    drawBadge(words) {
      const [, state] = badgeState(words);
      this.state.dataset.s = state;
      const [head, count] = words.startsWith("Running ") ? words.split(" ") : [words, ""];
      this.state.replaceChildren(mark(state), text("nbs-word", head));
      if (count) this.state.append(text("nbs-more", count));
      const title = this.notice || this.forecast || "";
      this.state.title = title ? `${words}: ${title}` : words;
      this.state.setAttribute("aria-label", `Pipeline: ${this.state.title}`);
    }

    drawMark(cell, node, name) {
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
        this.followCursor(cell, own);
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

    followCursor(cell, own) {
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
  }

  function shortened(reasons) {
    if (!reasons) return "";
    const [first, ...others] = reasons.split(", ");
    return others.length ? `${first}, ...` : first;
  }

  function progress(share) {
    const bar = document.createElement("span");
    const done = document.createElement("i");
    bar.className = "nbs-pb";
    done.style.width = `${Math.round(share * 100)}%`;
    bar.append(done);
    return bar;
  }

  // ---- outputs -------------------------------------------------------------------------------------------------

  // Puts what a run shows into the cells of its steps, as the kernel marks it in the stream.
  class Sink {
    constructor(pipeline) {
      this.pipeline = pipeline;
      this.outputs = null;
      this.cleared = new Set();
      this.shown = false;
    }

    take(message) {
      const { msg_type: kind } = message.header;
      const { content } = message;
      const step = content.metadata?.[STEP_KEY];
      if (kind === "display_data" && step !== undefined) {
        this.turnTo(step);
        return;
      }
      if (!this.outputs || !["stream", "display_data", "execute_result", "error"].includes(kind)) return;
      this.shown = this.shown || kind === "error";
      this.outputs.add({ ...content, output_type: kind });
    }

    turnTo(step) {
      const outputs = step ? this.pipeline.cellOf(step)?.model.outputs : null;
      if (outputs && !this.cleared.has(step)) {
        outputs.clear();
        this.cleared.add(step);
      }
      this.outputs = outputs;
    }
  }

  // ---- the extension -------------------------------------------------------------------------------------------

  let shared;

  async function need(name) {
    const versions = Object.keys(shared[name] || {});
    const newest = versions.sort((a, b) => a.localeCompare(b, undefined, { numeric: true })).pop();
    return (await shared[name][newest].get())();
  }

  async function plugin() {
    const [{ INotebookTracker, NotebookActions }, apputils, { Widget }, { ISettingRegistry }, services] = await Promise.all(
      ["notebook", "apputils", "widgets", "settingregistry", "services"].map((name) =>
        need(`${name === "widgets" ? "@lumino" : "@jupyterlab"}/${name}`),
      ),
    );
    const [{ Line }, { Understudies, STYLE: MORE }] = await Promise.all(
      ["line.js", "understudy.js"].map((name) => import(new URL(name, HERE).href)),
    );
    const { ICommandPalette, IToolbarWidgetRegistry } = apputils;
    return {
      id: `${NAME}:plugin`,
      description: "Toolbar, state marks and commands for notebooks that are pipelines.",
      autoStart: true,
      requires: [INotebookTracker, IToolbarWidgetRegistry],
      optional: [ICommandPalette, ISettingRegistry],
      activate: (app, tracker, toolbars, palette, settings) => {
        document.head.append(Object.assign(document.createElement("style"), { textContent: STYLE + MORE }));
        const pipelines = new WeakMap();
        let marks = true;
        let means = "()";
        const of = (panel) => {
          if (!pipelines.has(panel)) {
            pipelines.set(panel, new Pipeline(panel, { NotebookActions, Line, Understudies, services, marks: () => marks, means: () => means }));
          }
          return pipelines.get(panel);
        };
        toolbars.addFactory("Notebook", NAME, (panel) => {
          const widget = new Widget({ node: document.createElement("div") });
          widget.node.append(of(panel).node);
          return widget;
        });
        tracker.widgetAdded.connect((_, panel) => of(panel));
        settings
          ?.load(`${NAME}:plugin`)
          .then((found) => {
            const read = () => {
              marks = found.composite.marks !== false;
              const { workers = 1, executor = "" } = found.composite;
              means = `(${Math.trunc(Number(workers)) || 1}, ${JSON.stringify(String(executor))})`;
              tracker.forEach((panel) => of(panel).draw());
            };
            found.changed.connect(read);
            read();
          })
          .catch((error) => console.warn("nbsteps: no settings", error));
        addCommands(app, tracker, of, palette);
      },
    };
  }

  function addCommands(app, tracker, of, palette) {
    const current = () => (tracker.currentWidget ? of(tracker.currentWidget) : null);
    const commands = {
      run: ["Run Pipeline", (pipeline) => pipeline.run(), (pipeline) => !pipeline.running && !pipeline.asked],
      cancel: ["Cancel Pipeline Run", (pipeline) => pipeline.cancel(), (pipeline) => pipeline.running || pipeline.asked],
      show: ["Show Pipeline", (pipeline) => pipeline.show(), () => true],
    };
    for (const [name, [label, execute, enabled]] of Object.entries(commands)) {
      const command = `${NAME}:${name}`;
      app.commands.addCommand(command, {
        label,
        caption: label,
        isEnabled: () => Boolean(current() && enabled(current())),
        execute: () => current() && execute(current()),
      });
      palette?.addItem({ command, category: "Pipeline" });
    }
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[NAME] = {
    init(scope) {
      shared = scope;
    },
    async get(module) {
      if (module !== "./extension") throw new Error(`nbsteps has no module ${module}`);
      const found = await plugin();
      return () => ({ __esModule: true, default: found });
    },
  };
})();
