// The runs of the notebook, newest first: sortable, with a filter; a comparison of two; a run opens on the timeline.

import { useEffect, useState } from "preact/hooks";
import { moment } from "./format";
import { Button, Empty, State, Strip, walkRows } from "./parts";
import type { Store } from "./store";
import type { RunRow } from "./types";

type Column = "number" | "word" | "started" | "seconds" | "cached" | "saved_seconds" | "trigger";
const COLUMNS: { id: Column | null; text: string; kind: string }[] = [
  { id: "number", text: "Run", kind: "" },
  { id: "word", text: "State", kind: "" },
  { id: "started", text: "Started", kind: "" },
  { id: "seconds", text: "Duration", kind: "rgt" },
  { id: null, text: "Steps", kind: "strips" },
  { id: "cached", text: "Cached", kind: "rgt" },
  { id: "saved_seconds", text: "Time saved", kind: "rgt hide-n" },
  { id: "trigger", text: "Started by", kind: "hide-n" },
];
const PAGE = 50;

export function Runs({ store, show }: { store: Store; show: (run: RunRow) => void }) {
  const [runs, setRuns] = useState<RunRow[] | null>(null);
  const [error, setError] = useState("");
  const [sort, setSort] = useState<{ by: Column; down: boolean }>({ by: "started", down: true });
  const [filter, setFilter] = useState("");
  const [state, setState] = useState("");
  const [chosen, setChosen] = useState<string[]>([]);
  const [comparing, compare] = useState(false);
  const [limit, setLimit] = useState(PAGE);
  const [at, setAt] = useState("");
  useEffect(() => {
    store.ask<RunRow[]>("runs").then(setRuns, (e: Error) => setError(e.message));
  }, [store, store.run?.run_id, store.run?.ended]);
  if (error) return <Empty mark="crashed" title="The history cannot be read">{error}</Empty>;
  if (!runs) return <div class="pad mut" aria-busy="true">Loading</div>;
  if (!runs.length)
    return (
      <Empty mark="pending" title="No runs yet" action={<Button icon="run" primary disabled={store.running} onClick={() => store.send({ do: "run" })}>Run</Button>}>
        Runs are listed here with their duration and what was reused.
      </Empty>
    );
  const wanted = filter.toLowerCase();
  const matching = runs.filter((run) => (!state || run.state === state) && `#${run.number} ${run.word} ${run.trigger} ${moment(run.started, store.now())}`.toLowerCase().includes(wanted));
  const sorted = [...matching].sort((a, b) => (a[sort.by] < b[sort.by] ? -1 : a[sort.by] > b[sort.by] ? 1 : 0) * (sort.down ? -1 : 1));
  const choose = (id: string) => setChosen((now) => (now.includes(id) ? now.filter((c) => c !== id) : [...now.slice(-1), id]));
  const states = [...new Map(runs.map((run) => [run.state, run.word]))];
  const stop = sorted.slice(0, limit).some((run) => run.run_id === at) ? at : sorted[0]?.run_id;
  const pair = runs.filter((run) => chosen.includes(run.run_id)).reverse();
  return (
    <>
      <div class="tb" role="toolbar" aria-label="Runs">
        <input class="fld" type="search" style={{ width: 176 }} aria-label="Filter runs" placeholder="Filter runs" value={filter} onInput={(e) => setFilter(e.currentTarget.value)} />
        <select class="fld" aria-label="State" value={state} onChange={(e) => setState(e.currentTarget.value)}>
          <option value="">Any state</option>
          {states.map(([id, word]) => <option key={id} value={id}>{word}</option>)}
        </select>
        <span class="grow" />
        <span class="lbl">{chosen.length ? `${chosen.length} selected` : ""}</span>
        <Button disabled={chosen.length !== 2} aria-pressed={comparing && chosen.length === 2} onClick={() => compare(!comparing)}>Compare</Button>
        <Button disabled={chosen.length !== 1} onClick={() => show(pair[0]!)}>Timeline</Button>
        <Button disabled={chosen.length !== 1} onClick={() => void store.makeReport(pair[0]!.run_id)}>Report</Button>
      </div>
      <div class="scroll" onKeyDown={(e) => walkRows(e, "tr.row")}>
        <table class="t runs" role="grid" aria-label="Runs" aria-multiselectable="true">
          <thead>
            <tr>
              {COLUMNS.map(({ id, text, kind }) => (
                <th key={text} scope="col" class={kind} aria-sort={id === sort.by ? (sort.down ? "descending" : "ascending") : undefined}>
                  {id ? <button type="button" onClick={() => setSort({ by: id, down: id === sort.by ? !sort.down : true })}>{text}{id === sort.by ? (sort.down ? " ↓" : " ↑") : ""}</button> : text}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sorted.slice(0, limit).map((run) => (
              <tr
                key={run.run_id}
                class={`row ${chosen.includes(run.run_id) ? "sel" : ""}`}
                tabIndex={run.run_id === stop ? 0 : -1}
                onFocus={() => setAt(run.run_id)}
                aria-selected={chosen.includes(run.run_id)}
                onClick={() => choose(run.run_id)}
                onDblClick={() => show(run)}
                onKeyDown={(e) => {
                  if (e.key === " ") [choose(run.run_id), e.preventDefault()];
                  if (e.key === "Enter") show(run);
                }}
              >
                <td class="num"><b>#{run.number}</b></td>
                <td><State state={run.state} word={run.word} /></td>
                <td class="mut num">{moment(run.started, store.now())}</td>
                <td class="rgt num">{run.duration}</td>
                <td class="strips"><Strip states={run.steps} /></td>
                <td class="rgt num">{Math.round(run.cached * 100)}%</td>
                <td class="rgt num hide-n">{run.saved}</td>
                <td class="tr hide-n">{run.trigger}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="foot">
        {sorted.length ? `${Math.min(limit, sorted.length)} of ${runs.length} runs` : "No runs match"}
        <span class="grow" />
        {sorted.length > limit && <Button ghost onClick={() => setLimit(limit + PAGE)}>Show {PAGE} more</Button>}
      </div>
      {comparing && pair.length === 2 && <Comparison runs={pair as [RunRow, RunRow]} store={store} />}
    </>
  );
}

interface Compared {
  step: string;
  before: { state: string; word: string; duration: string };
  after: { state: string; word: string; duration: string };
  change: string;
}

/** Two runs, older first, step by step. */
function Comparison({ runs, store }: { runs: [RunRow, RunRow]; store: Store }) {
  const [rows, setRows] = useState<Compared[] | null>(null);
  const key = runs.map((run) => run.run_id).join();
  useEffect(() => {
    store.ask<Compared[]>("compare", { runs: runs.map((run) => run.run_id) }).then(setRows, () => setRows([]));
  }, [store, key]);
  return (
    <div class="compare" tabIndex={0} role="group" aria-label="Comparison of two runs">
      <table class="t">
        <thead>
          <tr><th>Step</th><th>#{runs[0].number}</th><th class="rgt">Duration</th><th>#{runs[1].number}</th><th class="rgt">Duration</th><th class="rgt">Change</th></tr>
        </thead>
        <tbody>
          {(rows ?? []).map((row) => (
            <tr key={row.step}>
              <td class="mono" title={row.step}><b>{row.step}</b></td>
              <td>{row.before.state ? <State {...row.before} /> : <span class="mut">not in it</span>}</td>
              <td class="rgt num">{row.before.duration}</td>
              <td>{row.after.state ? <State {...row.after} /> : <span class="mut">not in it</span>}</td>
              <td class="rgt num">{row.after.duration}</td>
              <td class="rgt num mut">{row.change}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
