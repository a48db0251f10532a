// One notebook's toolbar, state marks and runs. It draws what the kernel says and computes no state of its own.
import { codeCells, stepCells } from "./cells.js";
import { badgeState, button, DEAF, drawMark, HINTS, mark, refusalOf, text } from "./drawing.js";
import { Line } from "./line.js";
import { isBusy, Rouser } from "./rousing.js";
import { Sink } from "./sink.js";
import { Understudies } from "./understudy.js";

const TARGET = "nbsteps";
const QUIET = 400; // milliseconds without an edit after which the cells are sent
const PATIENCE = 1000; // milliseconds after which a kernel that does not answer Cancel is interrupted
const RUN = '__import__("nbsteps.notebook.labrun", fromlist=["run"]).run';
const LOAD = 'get_ipython().run_line_magic("load_ext", "nbsteps")';

export class Pipeline {
  constructor(panel, options) {
    this.panel = panel;
    this.options = options;
    this.forget();
    this.comm = null;
    this.timer = 0;
    this.wanted = "";
    this.node = this.bar();
    const context = panel.sessionContext;
    context.kernelChanged.connect(() => this.reconnect());
    context.ready.then(() => {
      this.settled = true;
      this.draw();
    });
    context.statusChanged.connect((_, status) => this.status(status));
    context.iopubMessage.connect((_, message) => this.noticed(message));
    panel.context.ready.then(() => this.watch());
    panel.node.addEventListener("nbsteps:cancel", () => this.cancel()); // of the picture that stands in for it
    panel.node.addEventListener("nbsteps:save", (event) => event.detail(this.save())); // of %pipeline's Run
    panel.context.pathChanged.connect(() => {
      this.moved = true;
      this.name();
    });
    panel.disposed.connect(() => {
      this.close();
      this.rouser?.close();
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
    this.understudies = new Understudies(this.panel, (message, beside) => this.tell(message, beside));
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

  steps() {
    return stepCells(this.panel.content.widgets);
  }

  cellOf(step) {
    for (const [cell, name] of this.steps()) if (name === step) return cell;
    return null;
  }

  // ---- kernel ------------------------------------------------------------------------------------------------

  get kernel() {
    return this.panel.sessionContext.session?.kernel ?? null;
  }

  // What a kernel said that is there no longer.
  forget() {
    this.nodes = {};
    this.running = false;
    this.badge = "Not loaded";
    this.notice = this.refusal = this.forecast = this.sent = "";
  }

  async reconnect() {
    this.close();
    this.forget();
    this.rouser?.close();
    const { kernel } = this;
    const ours = () => this.panel.content?.model && this.steps().size > 0;
    this.rouser = kernel ? new Rouser(kernel, this.options.services, ours) : null;
    this.draw();
    await this.connect();
  }

  async connect() {
    const { kernel } = this;
    if (!kernel || this.comm || this.connecting) return;
    this.connecting = true;
    this.draw();
    window.clearInterval(this.ear);
    this.ear = window.setInterval(() => this.overhear(kernel), PATIENCE);
    try {
      const { services } = this.options;
      const on = { heard: (message) => this.heard(message), lost: (line) => this.lost(line) };
      const line = await Line.open(kernel, services, TARGET, on);
      if (this.panel.isDisposed || this.kernel !== kernel) return;
      this.comm = line;
      this.answered = this.loaded = false; // loaded: since this line was opened, which may be refused yet
      line.start();
      this.name();
      this.send();
      this.understudies?.soon();
    } catch (error) {
      this.comm = null; // a kernel without comms: Run still works, and loads nbsteps
    } finally {
      this.connecting = false;
      this.draw();
      if (!this.panel.isDisposed && this.kernel !== kernel) this.connect();
    }
  }

  // Ask the server whether a kernel that says nothing is busy: it can be interrupted then.
  async overhear(kernel) {
    if (this.panel.content?.model && this.steps().size === 0) return; // nobody looks
    const unheard = () => !this.panel.isDisposed && (this.connecting || (this.comm && !this.answered));
    const busy = unheard() && (await isBusy(kernel, this.options.services)) && unheard();
    if (this.occupied && !busy) this.freed();
    this.occupied = busy;
    if (!unheard()) window.clearInterval(this.ear);
    this.draw();
  }

  get busy() {
    return Boolean(this.running || this.asked || this.occupied);
  }

  lost(line) {
    if (this.comm !== line) return;
    this.comm = null;
    this.sent = "";
    if (this.answered) this.forget();
    this.understudies?.reset();
    if (this.loaded) this.connect();
  }

  close() {
    const line = this.comm;
    this.comm = null;
    this.understudies?.reset();
    if (line && this.kernel) line.close();
  }

  status(status) {
    if (status === "restarting" || status === "autorestarting") {
      this.comm = null;
      this.understudies?.reset();
      this.wanted = true;
      this.forget();
      this.draw();
    }
  }

  noticed(message) {
    // Whoever types %load_ext nbsteps does so in a cell: at its end there is somebody to talk to. Not before: a kernel
    // that is idle may be so on a subshell only.
    const { header, parent_header: parent, content } = message;
    if (header.msg_type === "execute_input") {
      if (/nbsteps|%%step|%pipeline/.test(content.code)) this.wanted = parent.msg_id;
    } else if (header.msg_type === "status" && content.execution_state === "idle" && parent.msg_id === this.wanted) {
      this.wanted = "";
      if (this.comm) this.loaded = true;
      else this.connect();
    }
  }

  // A kernel knows the notebook by the name that it had when the kernel was started.
  name() {
    this.comm?.send({ do: "named", path: this.panel.context.path, moved: Boolean(this.moved) });
  }

  send() {
    if (!this.comm || this.panel.isDisposed) return;
    if (this.steps().size === 0) return;
    const cells = codeCells(this.panel.content.model);
    const packed = JSON.stringify(cells);
    if (packed === this.sent) return;
    if (this.sent) this.refusal = "";
    this.sent = packed;
    this.comm.send({ do: "cells", cells });
  }

  // beside: only if it is heard while a cell runs, as the widget's own messages may not be.
  tell(message, beside = false) {
    if (!this.comm || (beside && !this.comm.control)) return false;
    this.comm.send(message);
    return true;
  }

  heard(message) {
    this.answered = true;
    if (this.occupied) this.freed();
    this.occupied = false;
    if (message.kind === "state") {
      this.nodes = message.whole ? message.nodes : { ...this.nodes, ...message.nodes };
      this.running = message.running;
      if (this.running) this.refusal = "";
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
    if (this.running || this.asked) return;
    this.asked = true;
    this.refusal = "";
    this.draw();
    try {
      const kernel = this.kernel ?? (await this.start());
      if (!kernel) return;
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
      const sink = (this.sink = new Sink(this));
      future.onIOPub = (message) => sink.take(message);
      future.onStdin = (message) => void sink.ask(message, future); // a promise would hold up all other messages
      const reply = await future.done;
      if (reply.content.status === "error" && !sink.shown) this.refused(reply.content);
    } catch (error) {
      this.notice = "The kernel ended before the run did";
    } finally {
      this.asked = false;
      this.sink?.close();
      this.obeyed();
      this.draw();
      if (!this.comm) this.connect();
    }
  }

  async start() {
    await this.panel.sessionContext.startKernel();
    if (!this.kernel) this.notice = "Choose a kernel first";
    return this.kernel;
  }

  // Said until somebody runs or edits again: what the kernel tells meanwhile is how the steps stand.
  refused(content) {
    if (content.ename === "KeyboardInterrupt") return;
    this.refusal = refusalOf(content);
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
    if (!this.kernel || !this.busy) return;
    this.cancelled = true;
    if (!this.occupied) this.comm?.send({ do: "cancel" });
    this.insist(this.occupied ? 0 : PATIENCE);
  }

  // Interrupt a kernel that does not answer, again if it was too early: nothing may be lost between click and body.
  insist(milliseconds) {
    window.clearTimeout(this.impatience);
    this.impatience = window.setTimeout(() => {
      if (!this.busy) return;
      this.kernel?.interrupt();
      this.insist(3 * PATIENCE);
    }, milliseconds);
  }

  // What kept the kernel busy has ended; a run that was asked for meanwhile is still to be cancelled.
  freed() {
    if (!this.asked) this.obeyed();
  }

  obeyed() {
    window.clearTimeout(this.impatience);
    this.cancelled = false;
    this.kernel?.removeInputGuard?.(); // nobody waits for an answer any more, as after an interrupt
  }

  async show() {
    const { NotebookActions } = this.options;
    const { content: notebook } = this.panel;
    let index = notebook.widgets.findLastIndex((cell) => cell.model.sharedModel.getSource().trim() === "%pipeline");
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
    const [wanted, steps] = [badgeState(this.words())[2], this.steps()];
    const index = this.panel.content.widgets.findIndex((cell) => {
      const { state, word } = this.nodes[steps.get(cell)] ?? {};
      return wanted.includes(state) || wanted.includes(word);
    });
    if (index < 0) return;
    this.panel.content.activeCellIndex = index;
    this.panel.content.scrollToItem?.(index, "smart");
  }

  // ---- the page ----------------------------------------------------------------------------------------------

  draw() {
    if (this.panel.isDisposed || !this.panel.content?.model) return;
    const steps = this.steps();
    this.node.hidden = steps.size === 0;
    this.runButton.disabled = Boolean(this.running || this.asked);
    this.cancelButton.disabled = !this.busy;
    this.drawBadge(this.words());
    const marks = this.options.marks();
    for (const cell of this.panel.content.widgets) {
      const name = steps.get(cell);
      drawMark(cell, name && marks ? this.nodes[name] : undefined, name);
    }
  }

  words() {
    if (this.asked && !this.running) return "Running";
    if (!this.kernel && this.settled) return "No kernel";
    if (this.refusal) return "Cannot run";
    return this.occupied || !this.kernel || (this.connecting && !this.comm) ? "Connecting" : this.badge;
  }

  drawBadge(words) {
    const [, state] = badgeState(words);
    this.state.dataset.s = state;
    const [head, count] = words.startsWith("Running ") ? words.split(" ") : [words, ""];
    this.state.replaceChildren(mark(state), text("nbs-word", head));
    if (count) this.state.append(text("nbs-more", count));
    const title = this.occupied ? DEAF : this.refusal || this.notice || HINTS[words] || this.forecast;
    this.state.title = title ? `${words}: ${title}` : words;
    this.state.setAttribute("aria-label", `Pipeline: ${this.state.title}`);
  }
}
