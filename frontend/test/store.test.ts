import assert from "node:assert/strict";
import { test } from "node:test";
import { alike, fit, hold, levelOf, lineage, neighbour, reach, step } from "../src/geometry";
import { EMPTY_GRAPH, Store, type Model } from "../src/store";
import type { Graph, Live } from "../src/types";

class FakeModel implements Model {
  sent: Record<string, unknown>[] = [];
  private heard = new Map<string, ((message?: unknown) => void)[]>();
  constructor(private readonly values: Record<string, unknown>) {}
  get(name: string) { return this.values[name]; }
  on(event: string, callback: (...values: never[]) => void) { this.heard.set(event, [...(this.heard.get(event) ?? []), callback as () => void]); }
  off(event: string) { this.heard.delete(event); }
  send(content: unknown) { this.sent.push(content as Record<string, unknown>); }
  tell(message: unknown) { for (const callback of this.heard.get("msg:custom") ?? []) callback(message); }
  set(name: string, value: unknown) { this.values[name] = value; for (const callback of this.heard.get(`change:${name}`) ?? []) callback(); }
  listeners() { return this.heard.size; }
}

const shown = (state: string) => ({ state, word: state, number: "", reasons: "", since: null, share: null, usual: null });
const live = (seq: number, nodes: Live["nodes"], more: Partial<Live> = {}): Live => ({
  seq, now: 1, nodes, run: null, running: false, forecast: "", failed: 0, badge: "", requests: [], ...more,
});

test("deltas change what they name, and an older snapshot changes nothing", () => {
  const model = new FakeModel({ graph: EMPTY_GRAPH, live: live(1, { a: shown("pending"), b: shown("pending") }) });
  const store = new Store(model);
  model.tell({ kind: "delta", said: [], ...live(5, { a: shown("running") }, { running: true }) });
  assert.deepEqual(Object.values(store.nodes).map((node) => node.state), ["running", "pending"]);
  model.set("live", live(3, { a: shown("pending") }));
  assert.equal(store.nodes.a!.state, "running");
  model.set("live", live(6, { a: shown("succeeded") }));
  assert.deepEqual(Object.keys(store.nodes), ["a"]);
});

test("messages of a later version are passed over", () => {
  const model = new FakeModel({ graph: undefined, live: {} });
  const store = new Store(model);
  model.tell({ kind: "something new", nodes: 3 });
  assert.deepEqual([store.graph.steps, store.nodes], [[], {}]);
});

test("an answer reaches the view that asked", async () => {
  const model = new FakeModel({ graph: EMPTY_GRAPH, live: live(1, {}) });
  const [one, other] = [new Store(model), new Store(model)];
  const answers = [one.ask("runs"), other.ask("runs").catch((error: Error) => error.message)];
  const [first, second] = model.sent;
  model.tell({ kind: "reply", view: second!.view, request: second!.request, error: "no" });
  model.tell({ kind: "reply", view: first!.view, request: first!.request, data: [1] });
  assert.deepEqual(await Promise.all(answers), [[1], "no"]);
});

test("how the next run is executed is chosen here and told to every page", () => {
  const model = new FakeModel({ graph: EMPTY_GRAPH, live: live(1, {}, { how: { workers: 2, executor: "", executors: ["", "threads"], cores: 4 } }) });
  const store = new Store(model);
  assert.equal(store.how.workers, 2);
  store.choose({ executor: "threads" });
  assert.deepEqual([store.how.workers, store.how.executor], [2, "threads"]);
  assert.deepEqual(model.sent.at(-1), { do: "how", executor: "threads" });
  model.tell({ kind: "delta", said: [], ...live(2, {}) });
  assert.equal(store.how.executor, "threads");
  model.tell({ kind: "how", how: { workers: 8, executor: "", executors: [""], cores: 4 } });
  assert.deepEqual([store.how.workers, store.how.executor], [8, ""]);
});

test("a run waits until the notebook is saved, where somebody saves it", async () => {
  const model = new FakeModel({ graph: EMPTY_GRAPH, live: live(1, {}) });
  let done = () => {};
  const saved = () => new Promise<void>((resolve) => (done = resolve));
  const store = new Store(model, { saved, passes: () => false });
  store.send({ do: "run" });
  store.send({ do: "cancel" });
  assert.deepEqual(model.sent.map((message) => message.do), ["cancel"]);
  done();
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(model.sent.map((message) => message.do), ["cancel", "run"]);
  new Store(model).send({ do: "run" });
  assert.equal(model.sent.length, 3);
});

test("a message that the page passes on does not go the widget's own way, which a busy kernel hears later", () => {
  const model = new FakeModel({ graph: EMPTY_GRAPH, live: live(1, {}) });
  const passed: unknown[] = [];
  const store = new Store(model, { saved: () => undefined, passes: (message) => message.do !== "run" && passed.push(message.do) > 0 });
  store.send({ do: "approve" });
  store.send({ do: "run" });
  assert.deepEqual([passed, model.sent], [["approve"], [{ do: "run" }]]);
});

test("what was typed into a form is there again in the next view, and not in the next request", () => {
  const model = new FakeModel({ graph: EMPTY_GRAPH, live: live(1, {}) });
  const form = { step: "pay", message: "Pay?", since: 5, expires: null, inputs: [], approvers: [], fields: [{ name: "n", type: "int", default: "3", choices: [] }] };
  const [one, other] = [new Store(model), new Store(model)];
  assert.deepEqual(one.typed(form), { values: { n: "3" }, comment: "" });
  one.keepTyped(form, { values: { n: "4" }, comment: "half" });
  assert.deepEqual(other.typed(form), { values: { n: "4" }, comment: "half" });
  assert.deepEqual(other.typed({ ...form, since: 6 }), { values: { n: "3" }, comment: "" });
});

test("a report is offered as a file, and one that cannot be made is said", async () => {
  const model = new FakeModel({ graph: EMPTY_GRAPH, live: live(1, {}) });
  const store = new Store(model);
  const answer = (more: object) => {
    const { view, request } = model.sent.at(-1)!;
    model.tell({ kind: "reply", view, request, ...more });
  };
  const made = store.makeReport("r1");
  answer({ data: { name: "flow-r1.html", page: "<!doctype html>" } });
  await made;
  assert.equal(store.report?.name, "flow-r1.html");
  assert.match(store.report?.address ?? "", /^blob:/);
  const failed = store.makeReport("gone");
  answer({ error: "there is no run 'gone'" });
  await failed;
  assert.equal(store.notice, "No report: there is no run 'gone'");
  store.dropReport();
  assert.equal(store.report, null);
});

test("cancelling ends with the run, and a closed store listens no more", () => {
  const model = new FakeModel({ graph: EMPTY_GRAPH, live: live(1, {}, { running: true }) });
  const store = new Store(model);
  model.tell({ kind: "cancelling", running: true });
  assert.equal(store.cancelling, true);
  model.tell({ kind: "delta", said: [], ...live(2, {}) });
  assert.equal(store.cancelling, false);
  store.close();
  assert.equal(model.listeners(), 0);
});

test("where nobody answers there is nobody to ask, until somebody does", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const model = new FakeModel({ graph: EMPTY_GRAPH, live: live(1, {}) });
  const store = new Store(model);
  store.refresh();
  assert.deepEqual([store.deaf, model.sent], [false, [{ do: "whole" }]]);
  context.mock.timers.tick(5000);
  assert.equal(store.deaf, true);
  await assert.rejects(store.ask("runs"), /No kernel/);
  model.set("live", live(2, {}));
  assert.equal(store.deaf, false);
});

test("during a run a silent kernel is busy where it can be interrupted, and gone where nobody can", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const values = { graph: EMPTY_GRAPH, live: live(1, {}, { running: true }) };
  const inJupyter = Object.assign(new FakeModel(values), { widget_manager: { kernel: { interrupt: async () => undefined } } });
  for (const [model, gone] of [[inJupyter, false], [new FakeModel(values), true]] as const) {
    const store = new Store(model);
    store.refresh();
    context.mock.timers.tick(5000);
    assert.equal(store.deaf, gone);
    store.close();
  }
});

class FakeSignal {
  slots = new Set<(sender: unknown, value: never) => void>();
  connect(slot: (sender: unknown, value: never) => void) { this.slots.add(slot); }
  disconnect(slot: (sender: unknown, value: never) => void) { this.slots.delete(slot); }
  emit(value?: unknown) { for (const slot of this.slots) slot(null, value as never); }
}

test("a kernel that restarts, dies or is replaced takes its run with it", async () => {
  for (const end of ["restarting", "autorestarting", "dead", "replaced"]) {
    const kernel = { interrupt: async () => undefined, statusChanged: new FakeSignal(), disposed: new FakeSignal() };
    const run = { run_id: "r", state: "running", word: "Running", started: 0, ended: null, done: 1, total: 2, until: null, after: 0, most: false };
    const values = { graph: EMPTY_GRAPH, live: live(1, { a: shown("cached"), b: { ...shown("running"), since: 1 } }, { running: true, run }) };
    const model = Object.assign(new FakeModel(values), { widget_manager: { kernel } });
    const store = new Store(model);
    const answer = assert.rejects(store.ask("runs"), /No kernel/);
    kernel.statusChanged.emit("busy");
    assert.deepEqual([store.deaf, store.running], [false, true]);
    if (end === "replaced") kernel.disposed.emit();
    else kernel.statusChanged.emit(end);
    await answer;
    const sent = model.sent.length;
    store.cancel();
    assert.deepEqual([store.deaf, store.running, model.sent.length], [true, false, sent], end);
    assert.deepEqual([store.run?.state, store.nodes.a?.state, store.nodes.b?.state, store.nodes.b?.since], ["crashed", "cached", "crashed", null]);
    store.close();
    assert.deepEqual([kernel.statusChanged.slots.size, kernel.disposed.slots.size], [0, 0]);
  }
});

const level = { width: 600, height: 100, node: [100, 40] as [number, number], at: [[0, 0], [200, 0], [200, 60], [400, 0]] as [number, number][], edges: [], labels: [] };
const graph: Graph = {
  ...EMPTY_GRAPH,
  steps: ["a", "b", "c", "d"].map((name) => ({ name, cell: "", cell_id: "", outputs: [], when: "", branch: "" })),
  edges: [["a", "b", [], "data"], ["a", "c", [], "data"], ["b", "d", [], "data"]],
  levels: { full: level, compact: level, line: { ...level, width: 400 }, overview: { ...level, width: 100 } },
};

test("arrow keys walk along edges and columns", () => {
  const walk = (from: string, key: string) => neighbour(graph, level, from, `Arrow${key}` as "ArrowUp");
  assert.deepEqual([walk("a", "Right"), walk("d", "Left"), walk("b", "Down"), walk("c", "Up"), walk("a", "Left")], ["b", "b", "c", "b", "a"]);
});

test("the lineage goes both ways", () => {
  assert.deepEqual([...lineage(graph, "b")].sort(), ["a", "b", "d"]);
});

test("zoom levels", () => {
  assert.deepEqual([1, 0.8, 0.6, 0.3].map((zoom) => levelOf(zoom, false)), ["full", "full", "line", "overview"]);
  assert.equal(levelOf(1, true), "compact");
  assert.deepEqual([step(1, 1), step(1.5, 1), step(0.2, -1)], [1.2, 1.5, 0.2]);
  assert.deepEqual([fit(graph, 700, 200, false), fit(graph, 500, 200, false), fit(graph, 110, 200, false)], [1, 0.8, 0.35]);
  assert.equal(fit(graph, 50, 200, false), 0.175);
});

test("names that begin alike", () => {
  assert.deepEqual([...alike(["validate_accounts", "validate_account_x", "other"])], ["validate_accounts", "validate_account_x"]);
});

test("what fits is in the middle, and what does not can be moved from behind what covers it", () => {
  const cases: [string, number, number][] = [
    ["what fits is in the middle", hold(-50, 600, 1000), 200],
    ["wherever it was", hold(900, 600, 1000), 200],
    ["but beside what is covered", hold(0, 600, 1000, 300), 100],
    ["which it may go below", hold(500, 600, 1000, 300), 200],
    ["what does not fit begins at the edge", hold(50, 2000, 1000), 0],
    ["ends there", hold(-5000, 2000, 1000), -1000],
    ["and goes on until its end is beside what is covered", hold(-5000, 2000, 1000, 200), -1200],
    ["halves of pixels would be blurred", hold(0, 601, 1000), 200],
  ];
  for (const [what, found, expected] of cases) assert.equal(found, expected, what);
});

test("a node is brought into the room, no further than needed", () => {
  const cases: [number, number][] = [[reach(0, 100, 50, 500), 0], [reach(-200, 100, 50, 500), -76], [reach(0, 900, 50, 500), -474]];
  for (const [found, expected] of cases) assert.equal(found, expected);
});
