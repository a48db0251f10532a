// The whole widget: tabs and the run above, then what the tab shows.

import { useCallback, useEffect, useReducer, useRef, useState } from "preact/hooks";
import { Approval } from "./approval";
import { ago, elapsed, roughly } from "./format";
import { GraphView } from "./graph";
import { Panel } from "./panel";
import { Button, Icon, Pill, STATE_ORDER, Mark, Tabs, wordOf } from "./parts";
import { Runs } from "./runs";
import { ALONE, type Store } from "./store";
import { Timeline } from "./timeline";
import { Toolbar } from "./toolbar";
import { Trends } from "./trends";
import type { Problem, RunRow, Shown } from "./types";

/** Where somebody is in the widget; kept while the page draws it anew. */
export interface Place {
  tab: string;
  selected: string | null;
  panel: string | null;
}

const CHIPS = 30;

export function App({ store, root, place }: { store: Store; root: HTMLElement; place: Place }) {
  const [, draw] = useReducer<number, void>((n) => n + 1, 0);
  const [tab, setTab] = useState(place.tab);
  const [selected, setSelected] = useState(place.selected);
  const [panel, setPanel] = useState(place.panel);
  const [filter, setFilter] = useState("");
  const [states, setStates] = useState<string | null>(null);
  const [chosenRun, setChosenRun] = useState<string | null>(null);
  const width = useWidth(root);
  const id = useRef(`nbs${Math.random().toString(36).slice(2)}`).current; // each widget has a script of its own: no counting
  const find = useRef<HTMLInputElement>(null);
  Object.assign(place, { tab, selected, panel });

  useEffect(() => store.subscribe(() => draw()), [store]);
  const ticking = store.running || Object.values(store.nodes).some((node) => node.since !== null);
  useEffect(() => {
    const timer = setInterval(draw, ticking ? 1000 : 60_000);
    return () => clearInterval(timer);
  }, [ticking]);

  const open = useCallback((name: string, which?: string) => {
    setSelected(name);
    setPanel((before) => which ?? before ?? "overview");
  }, []);
  const close = () => {
    setPanel(null);
    root.querySelector<HTMLElement>(`[data-step="${CSS.escape(selected ?? "")}"]`)?.focus();
  };
  const goTo = useCallback((name: string) => goToCell(root, store, name), [root, store]);
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    if (panel) close();
    else if (filter || states) [setFilter(""), setStates(null)];
    else setSelected(null);
    event.stopPropagation();
  };
  const showRun = (run: RunRow) => {
    setChosenRun(run.run_id);
    setTab("timeline");
  };

  const steps = store.graph.steps;
  const kept = keep(steps.map((s) => s.name), store.nodes, filter, states);
  const known = selected && steps.some((s) => s.name === selected) ? selected : null;
  return (
    <div onKeyDown={onKey} class="app">
      <Header store={store} tab={tab} setTab={setTab} id={id} />
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${tab}`}>
        {tab === "graph" && (
          <>
            {store.deaf && <p class="alone" role="status">{ALONE}</p>}
            <fieldset class="as" disabled={store.deaf}>
              <Toolbar store={store} selected={known} find={find} filter={filter} setFilter={setFilter} width={width} />
            </fieldset>
            <Offer store={store} />
            {store.notice && <Notice text={store.notice} dismiss={() => store.dismiss()} />}
            {steps.length >= CHIPS && <Chips nodes={store.nodes} names={steps.map((s) => s.name)} chosen={states} choose={setStates} />}
            <fieldset class="as" disabled={store.deaf}>
              {store.requests.map((form) => (
                <Approval key={form.step} form={form} store={store} now={store.now()} />
              ))}
            </fieldset>
            <Problems problems={store.graph.problems} open={open} />
            {kept?.size === 0 && <p class="nomatch">No steps match {filter || wordOf(states ?? "")}</p>}
            {width > 0 && (
              <GraphView
                store={store}
                graph={store.graph}
                nodes={store.nodes}
                now={store.now()}
                width={width}
                selected={known}
                kept={kept}
                select={setSelected}
                open={open}
                goTo={goTo}
                filter={() => find.current?.focus()}
                opened={panel !== null}
                id={id}
              />
            )}
            {known && panel && <Panel store={store} step={known} tab={panel} setTab={setPanel} close={close} goTo={goTo} select={open} id={id} />}
          </>
        )}
        {tab !== "graph" && <Offer store={store} />}
        {tab === "runs" && <Runs store={store} show={showRun} />}
        {tab === "timeline" && <Timeline store={store} run={chosenRun} choose={setChosenRun} open={(name) => [setTab("graph"), open(name)]} />}
        {tab === "trends" && <Trends store={store} />}
      </div>
      <div class="sr" role="status" aria-live="polite">
        {store.said.join(". ")}
      </div>
    </div>
  );
}

function Header({ store, tab, setTab, id }: { store: Store; tab: string; setTab: (tab: string) => void; id: string }) {
  const run = store.run;
  const tabs = ["graph", "runs", "timeline", "trends"].map((name) => ({ id: name, text: name[0]!.toUpperCase() + name.slice(1) }));
  return (
    <div class="hd">
      <Tabs names={tabs} current={tab} choose={setTab} label="Pipeline" id={id} />
      <div class="run">
        {!run && <span class="mut">No run yet</span>}
        {run && <span class="mut hide-n">{run.ended === null ? "Run" : "Last run"}</span>}
        {run && <Pill state={run.state} word={run.word} />}
        {run && <span class="mut num">{when(run, store.now())}</span>}
      </div>
    </div>
  );
}

function when(run: NonNullable<Store["run"]>, now: number): string {
  if (run.ended !== null) return ago(now - run.ended);
  return `${run.done}/${run.total}, ${elapsed(now - run.started)}${left(run, now)}`;
}

/** How much longer it goes on; nothing where that is not known, or where it takes longer than it usually does. */
function left(run: NonNullable<Store["run"]>, now: number): string {
  if (run.until === null || run.until === undefined) return "";
  const seconds = Math.max(run.until - now, run.after);
  if (seconds <= 0) return "";
  const said = roughly(seconds);
  const about = run.most ? "up to " : said.startsWith("a ") ? "" : "about ";
  return `, ${about}${said} left`;
}

function Notice({ text, dismiss }: { text: string; dismiss: () => void }) {
  return (
    <div class="errbox note" data-s="failed" role="alert">
      <Mark state="failed" />
      <span>{text}</span>
      <Button icon="close" ghost aria-label="Dismiss" onClick={dismiss} />
    </div>
  );
}

/** A report that was made: to open or to save; the page keeps it until it is closed. */
export function Offer({ store }: { store: Store }) {
  if (!store.report) return null;
  const { name, address } = store.report;
  return (
    <div class="offer" role="status">
      <Icon name="page" />
      <span class="tr" title={name}>
        {name}
      </span>
      <a class="lk" href={address} target="_blank" rel="noopener">
        Open
      </a>
      <a class="lk" href={address} download={name}>
        Save
      </a>
      <span class="grow" />
      <Button icon="close" ghost aria-label="Dismiss the report" onClick={() => store.dropReport()} />
    </div>
  );
}

function Chips({ nodes, names, chosen, choose }: { nodes: Record<string, Shown>; names: string[]; chosen: string | null; choose: (state: string | null) => void }) {
  const counts = new Map<string, number>();
  for (const name of names) {
    const state = nodes[name]?.state ?? "pending";
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return (
    <div class="chips" role="group" aria-label="Filter by state">
      {STATE_ORDER.filter((state) => counts.has(state)).map((state) => (
        <button key={state} type="button" class={`btn ghost chip ${chosen === state ? "is-hover" : ""}`} data-s={state} aria-pressed={chosen === state} onClick={() => choose(chosen === state ? null : state)}>
          <Mark state={state} />
          <span class="w">{wordOf(state)}</span>
          <span class="ct">{counts.get(state)}</span>
        </button>
      ))}
    </div>
  );
}

function Problems({ problems, open }: { problems: Problem[]; open: (step: string) => void }) {
  const errors = problems.filter((problem) => problem.severity === "error");
  if (!errors.length) return null;
  return (
    <div class="problems" data-s="failed" role="group" aria-label="Problems">
      {errors.slice(0, 5).map((problem, i) => (
        <div key={i}>
          <Mark state="failed" />
          <span>
            {problem.step && (
              <button type="button" class="lk" onClick={() => open(problem.step)}>
                {problem.step}
              </button>
            )}{" "}
            {problem.message}
            {problem.hint && <em>{problem.hint}</em>}
          </span>
        </div>
      ))}
      {errors.length > 5 && <div class="mut">and {errors.length - 5} more</div>}
    </div>
  );
}

function keep(names: string[], nodes: Record<string, Shown>, filter: string, state: string | null): Set<string> | null {
  if (!filter && !state) return null;
  const wanted = filter.toLowerCase();
  return new Set(names.filter((name) => name.toLowerCase().includes(wanted) && (!state || (nodes[name]?.state ?? "pending") === state)));
}

/** Bring the step's cell into view: the page's own cells carry its name in their first line. */
function goToCell(root: HTMLElement, store: Store, name: string): void {
  const step = store.graph.steps.find((s) => s.name === name);
  const cells = [...(root.closest(".jp-Notebook")?.querySelectorAll<HTMLElement>(".jp-CodeCell") ?? [])];
  const first = new RegExp(`^%%step\\s+${name}(\\s|$)`);
  const cell = cells.find((c) => first.test(c.querySelector(".cm-content")?.textContent ?? "") || first.test(c.querySelector(".cm-line")?.textContent ?? ""));
  if (cell) {
    cell.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    cell.querySelector<HTMLElement>(".cm-content")?.focus({ preventScroll: true });
  } else if (step) {
    store.notice = `Step ${name} stands in ${step.cell}`;
    store.changed();
  }
}

function useWidth(root: HTMLElement): number {
  const [width, setWidth] = useState(() => root.clientWidth); // asked once: asking lays the page out
  useEffect(() => {
    const watch = new ResizeObserver(() => setWidth(root.clientWidth));
    watch.observe(root);
    return () => watch.disconnect();
  }, [root]);
  return width;
}

export { Icon };
