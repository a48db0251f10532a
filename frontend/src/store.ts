// What is known in the page: the two traits, brought up to date by the deltas between them.

import type { Delta, Form, Graph, How, Live, ReportPage, RunView, Shown } from "./types";

/** The part of anywidget's model that is used. */
export interface Model {
  get(name: string): unknown;
  on(event: string, callback: (...values: never[]) => void): void;
  off(event: string, callback?: (...values: never[]) => void): void;
  send(content: unknown): void;
  widget_manager?: { kernel?: Kernel };
}

/** What JupyterLab and Notebook tell of the kernel; other pages have none of it. */
interface Kernel {
  interrupt?: () => Promise<void>;
  /** Whatever is asked with input() is not waited for any more: the page executes cells again. */
  removeInputGuard?: () => void;
  statusChanged?: Signal<string>;
  disposed?: Signal<unknown>;
}

interface Signal<T> {
  connect(slot: (sender: unknown, value: T) => void): unknown;
  disconnect(slot: (sender: unknown, value: T) => void): unknown;
}

export const EMPTY_GRAPH: Graph = {
  title: "",
  steps: [],
  edges: [],
  levels: Object.fromEntries(
    ["full", "compact", "line", "overview"].map((name) => [name, { width: 0, height: 0, node: [0, 0], at: [], edges: [], labels: [] }]),
  ) as unknown as Graph["levels"],
  problems: [],
};
const EMPTY_LIVE: Live = {
  seq: 0,
  now: 0,
  nodes: {},
  run: null,
  running: false,
  forecast: "",
  failed: 0,
  badge: "",
  requests: [],
};

/** Said where there is no kernel. */
export const ALONE = "No kernel answers: this is the pipeline as it stood last. Load nbsteps and execute the cell to use it.";
/** What the notebook toolbar's extension does for a view, where there is one. */
export interface Page {
  /** Has the notebook saved, whose cells a run reads; undefined where nothing has to be waited for. */
  saved(): Promise<unknown> | undefined;
  /** Passes a message on that the widget's own way would keep until the cell has ended; false where there is no other. */
  passes(message: Record<string, unknown>): boolean;
}

const ALONE_IN_PAGE: Page = { saved: () => undefined, passes: () => false };
const ENDS = ["restarting", "autorestarting", "terminating", "dead"];
const PATIENCE = 3000; // milliseconds

/** What somebody has typed into a form so far: it is there again when the form is drawn anew. */
export interface Typed {
  values: Record<string, string>;
  comment: string;
}

/** What stays when the cell is executed again: a page gives each view a model of its own, of the kernel's one widget. */
export const anchor = (model: Model): object => model.widget_manager?.kernel ?? model;

const drafts = new WeakMap<object, Map<string, Typed>>();

interface Answer {
  resolve: (data: unknown) => void;
  reject: (error: Error) => void;
}

export class Store {
  graph: Graph = EMPTY_GRAPH;
  nodes: Record<string, Shown> = {};
  run: RunView | null = null;
  running = false;
  cancelling = false;
  forecast = "";
  failed = 0;
  badge = "";
  requests: Form[] = [];
  notice = "";
  how: How = { workers: 1, executor: "", executors: [""], cores: 1 };
  report: { name: string; address: string } | null = null;
  said: string[] = [];
  /** Seconds by which the kernel's clock is ahead of the page's. */
  ahead = 0;
  updates = 0;

  /** Nobody has answered: what is shown was saved with a notebook, or the kernel is busy and of the deaf kind. */
  private silent = false;
  /** The kernel that showed this has ended: another knows nothing of it. */
  private gone = false;
  private patience: ReturnType<typeof setTimeout> | undefined;
  private listeners = new Set<() => void>();
  private answers = new Map<number, Answer>();
  private requested = 0;
  private seq = -1;
  private readonly view = Math.random().toString(36).slice(2);
  private readonly onGraph = () => this.takeGraph();
  private readonly onLive = () => {
    this.answered();
    this.takeLive();
  };
  private readonly onMessage = (message: never) => this.take(message);
  private readonly onStatus = (_kernel: unknown, status: string) => ENDS.includes(status) && this.lose();
  private readonly onEnd = () => this.lose();
  private readonly kernel: Kernel | undefined;

  constructor(private readonly model: Model, private readonly page: Page = ALONE_IN_PAGE) {
    this.kernel = model.widget_manager?.kernel;
    this.kernel?.statusChanged?.connect(this.onStatus);
    this.kernel?.disposed?.connect(this.onEnd);
    model.on("change:graph", this.onGraph);
    model.on("change:live", this.onLive);
    model.on("msg:custom", this.onMessage);
    this.takeGraph();
    this.takeLive();
  }

  /**
   * Whether there is nobody who could do anything. A kernel that is silent because it is busy can still be interrupted,
   * where the page has a hold of it; a page that was saved during a run has none.
   */
  get deaf(): boolean {
    return this.gone || (this.silent && !(this.running && this.kernel?.interrupt));
  }

  /** Have the kernel say how everything stands: the traits may be a moment old, and what was told since is lost. */
  refresh(): void {
    this.send({ do: "whole" });
    this.patience = setTimeout(() => {
      this.silent = true;
      this.changed();
    }, PATIENCE);
  }

  close(): void {
    clearTimeout(this.patience);
    this.kernel?.statusChanged?.disconnect(this.onStatus);
    this.kernel?.disposed?.disconnect(this.onEnd);
    this.model.off("change:graph", this.onGraph);
    this.model.off("change:live", this.onLive);
    this.model.off("msg:custom", this.onMessage);
    this.listeners.clear();
    if (this.report) URL.revokeObjectURL(this.report.address);
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  changed(): void {
    for (const listener of this.listeners) listener();
  }

  now(): number {
    return Date.now() / 1000 + this.ahead;
  }

  send(message: Record<string, unknown>): void {
    if (this.deaf) {
      this.notice = ALONE;
      this.changed();
    }
    const first = message.do === "run" ? this.page.saved() : undefined;
    if (first) void first.then(() => this.post(message));
    else this.post(message);
  }

  /** Ask for something that is read from the history. */
  ask<T>(what: string, values: Record<string, unknown> = {}): Promise<T> {
    if (this.deaf) return Promise.reject(new Error(ALONE));
    const request = ++this.requested;
    return new Promise<T>((resolve, reject) => {
      this.answers.set(request, { resolve: resolve as (data: unknown) => void, reject });
      this.post({ ...values, do: what, view: this.view, request });
    });
  }

  private post(message: Record<string, unknown>): void {
    if (this.gone) return;
    try {
      if (!this.page.passes(message)) this.model.send(message);
    } catch {
      this.lose(); // the page has let go of the kernel that this was shown by
    }
  }

  /** Cancel; where the kernel takes no message while it is busy, the front end's own interrupt does it. */
  cancel(): void {
    this.cancelling = true;
    this.changed();
    this.send({ do: "cancel" });
    const run = this.run?.run_id;
    setTimeout(() => {
      if (this.cancelling && this.running && this.run?.run_id === run && !this.heardCancel) {
        void this.kernel?.interrupt?.();
      }
    }, 1500);
  }

  private heardCancel = false;

  typed(form: Form): Typed {
    const standard = Object.fromEntries(form.fields.map((f) => [f.name, f.default ?? (f.type === "bool" ? "false" : "")]));
    return drafts.get(anchor(this.model))?.get(`${form.step} ${form.since}`) ?? { values: standard, comment: "" };
  }

  keepTyped(form: Form, typed: Typed): Typed {
    const place = anchor(this.model);
    if (!drafts.has(place)) drafts.set(place, new Map());
    drafts.get(place)!.set(`${form.step} ${form.since}`, typed);
    return typed;
  }

  /** Choose how the next run is executed; the kernel remembers it for every page. */
  choose(change: Partial<Pick<How, "workers" | "executor">>): void {
    this.how = { ...this.how, ...change };
    this.send({ do: "how", ...change });
    this.changed();
  }

  /** Have the report of a run made, and offer it as a file; the page needs no server for that. */
  async makeReport(run: string): Promise<void> {
    try {
      const made = await this.ask<ReportPage>("report", { run });
      this.dropReport();
      const file = new Blob([made.page], { type: "text/html" });
      this.report = { name: made.name, address: URL.createObjectURL(file) };
    } catch (error) {
      this.notice = `No report: ${(error as Error).message}`;
    }
    this.changed();
  }

  dropReport(): void {
    if (this.report) URL.revokeObjectURL(this.report.address);
    this.report = null;
    this.changed();
  }

  dismiss(): void {
    this.notice = "";
    this.changed();
  }

  private takeGraph(): void {
    const graph = this.model.get("graph") as Graph | undefined;
    this.graph = graph?.levels ? graph : EMPTY_GRAPH;
    this.changed();
  }

  private takeLive(): void {
    const live = { ...EMPTY_LIVE, ...(this.model.get("live") as Partial<Live>) };
    if (live.seq < this.seq) return;
    this.nodes = live.nodes;
    if (live.how) this.how = live.how;
    this.takeCommon(live);
    this.changed();
  }

  private takeCommon(live: Live): void {
    this.seq = live.seq;
    if (live.now) this.ahead = live.now - Date.now() / 1000;
    if (!live.running || live.run?.run_id !== this.run?.run_id) this.cancelling = this.heardCancel = false;
    this.run = live.run;
    this.running = live.running;
    this.forecast = live.forecast;
    this.failed = live.failed;
    this.badge = live.badge;
    this.requests = live.requests;
  }

  /** The kernel ended, and with it what it executed: nothing goes on, as the next one will find in the history. */
  private lose(): void {
    if (this.gone) return;
    this.gone = true;
    this.running = this.cancelling = false;
    const [state, word] = ["crashed", "Crashed"];
    if (this.run?.ended === null) this.run = { ...this.run, state, word, ended: this.now() };
    const cut = Object.entries(this.nodes).filter(([, node]) => node.state === "running" || node.state === "retrying");
    this.nodes = { ...this.nodes, ...Object.fromEntries(cut.map(([name, node]) => [name, { ...node, state, word, since: null, share: null }])) };
    for (const { reject } of this.answers.values()) reject(new Error(ALONE));
    this.answers.clear();
    this.changed();
  }

  private answered(): void {
    clearTimeout(this.patience);
    this.silent = false;
  }

  private take(message: { kind?: string } & Record<string, unknown>): void {
    this.answered();
    switch (message.kind) {
      case "delta":
        this.takeDelta(message as unknown as Delta);
        break;
      case "reply":
        if (message.view === this.view) this.takeReply(message);
        return;
      case "cancelling":
        this.heardCancel = true;
        this.cancelling = Boolean(message.running);
        if (this.cancelling) this.kernel?.removeInputGuard?.();
        break;
      case "how":
        this.how = message.how as How;
        break;
      case "notice":
        this.notice = String(message.text);
        break;
    }
    this.changed();
  }

  private takeDelta(delta: Delta): void {
    this.updates += 1;
    this.nodes = { ...this.nodes, ...delta.nodes };
    this.said = delta.said.length ? delta.said : this.said;
    if (delta.running && !this.running) this.notice = "";
    this.takeCommon(delta);
  }

  private takeReply(message: Record<string, unknown>): void {
    const answer = this.answers.get(Number(message.request));
    this.answers.delete(Number(message.request));
    if (message.error === undefined) answer?.resolve(message.data);
    else answer?.reject(new Error(String(message.error)));
  }
}
