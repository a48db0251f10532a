// One run over time: a lane for each step, its bars, and the critical path.

import { useEffect, useState } from "preact/hooks";
import { moment } from "./format";
import { Button, Empty, Mark, walkRows } from "./parts";
import type { Store } from "./store";
import type { GanttBar, Lane, TimelineView } from "./types";

const LANE = 28;
const MANY = 300;
const KIND: Record<string, [string, string]> = {
  attempt: ["run", "succeeded"],
  failed: ["fail", "failed"],
  crashed: ["fail", "crashed"],
  cancelled: ["run", "cancelled"],
  running: ["run", "running"],
  restored: ["run cached", "cached"],
  retry: ["gap", "retrying"],
  queued: ["q", "queued"],
  approval: ["wait", "waiting"],
};

export function Timeline({ store, run, choose, open }: { store: Store; run: string | null; choose: (run: string | null) => void; open: (step: string) => void }) {
  const [found, setFound] = useState<TimelineView | null | undefined>(undefined);
  const [error, setError] = useState("");
  const [only, setOnly] = useState(false);
  const [at, setAt] = useState("");
  const going = store.running && (!run || run === store.run?.run_id);
  const beat = going ? Math.floor(store.now() / 2) : 0;
  useEffect(() => {
    let wanted = true;
    store.ask<TimelineView | null>("timeline", { run }).then((data) => wanted && setFound(data), (e: Error) => wanted && setError(e.message));
    return () => {
      wanted = false;
    };
  }, [store, run, beat, store.run?.run_id, store.run?.ended]);
  if (error) return <Empty mark="crashed" title="The run cannot be read">{error}</Empty>;
  if (found === undefined) return <div class="pad mut" aria-busy="true">Loading</div>;
  if (!found)
    return (
      <Empty mark="pending" title="No runs yet" action={<Button icon="run" primary disabled={store.running} onClick={() => store.send({ do: "run" })}>Run</Button>}>
        A run appears here with the time that each of its steps took.
      </Empty>
    );
  const lanes = found.lanes.filter((lane) => !only || lane.critical);
  const stop = lanes.slice(0, MANY).some((lane) => lane.step === at) ? at : lanes[0]?.step;
  return (
    <>
      <div class="tb" role="toolbar" aria-label="Timeline">
        <select class="fld" aria-label="Run" value={found.run_id} onChange={(e) => choose(e.currentTarget.value)}>
          {found.runs.map((r) => <option key={r.run_id} value={r.run_id}>{`Run #${r.number}, ${moment(r.started, store.now()).toLowerCase()}`}</option>)}
        </select>
        <span class="grow" />
        <span class="sum">{found.facts.map(([name, value]) => <span key={name}>{name}<b class="num">{value}</b></span>)}</span>
        <Button class={`btn ${only ? "is-hover" : ""}`} aria-pressed={only} onClick={() => setOnly(!only)}>Critical path only</Button>
        <Button icon="page" ghost onClick={() => void store.makeReport(found.run_id)}>Report</Button>
      </div>
      <div class="gts" role="group" aria-label="Steps over time" onKeyDown={(e) => walkRows(e, ".gr")}>
      <div class="gt">
        <div class="ax" aria-hidden="true">
          {found.ticks.map((tick) => (
            <i key={tick.at} class="tick" style={{ left: `${share(tick.at, found)}%`, "--lanes": lanes.length }}><span>{tick.text}</span></i>
          ))}
        </div>
        {lanes.slice(0, MANY).map((lane, i) => (
          <Row key={lane.step} lane={lane} view={found} drop={drop(lane, lanes, found, i)} open={open} stop={lane.step === stop} reach={setAt} />
        ))}
      </div>
      </div>
      <div class="leg" aria-hidden="true">
        {found.kinds.map(([kind, text]) => <span key={kind}><i class={`sg ${KIND[kind]?.[0]}`} data-s={KIND[kind]?.[1]} />{text}</span>)}
        {found.critical.length > 0 && <span><i class="cl" />Critical path</span>}
      </div>
    </>
  );
}

function share(seconds: number, view: TimelineView): number {
  return view.total > 0 ? (seconds / view.total) * 100 : 0;
}

/** How far down the line of the critical path leads from the end of this lane to the next step of the path. */
function drop(lane: Lane, lanes: Lane[], view: TimelineView, at: number): number {
  const next = view.critical[view.critical.indexOf(lane.step) + 1];
  const to = lane.critical && next ? lanes.findIndex((other) => other.step === next) : -1;
  return to > at ? (to - at) * LANE - 8 : 0;
}

function Row({ lane, view, drop: down, open, stop, reach }: { lane: Lane; view: TimelineView; drop: number; open: (step: string) => void; stop: boolean; reach: (step: string) => void }) {
  const height = 12 / lane.rows;
  return (
    <button type="button" class={`gr ${lane.critical ? "crit" : ""}`} tabIndex={stop ? 0 : -1} onFocus={() => reach(lane.step)} onClick={() => open(lane.step)} aria-label={[lane.step, lane.word, lane.number, lane.critical ? "on the critical path" : ""].filter(Boolean).join(", ")}>
      <span class="gl">
        <Mark state={lane.state} small />
        <span class="tr" title={lane.step}>{lane.step}</span>
      </span>
      <span class="gb">
        {lane.bars.map((bar, i) => <Piece key={i} bar={bar} view={view} height={height} rows={lane.rows} />)}
        {down > 0 && lane.end !== null && <b class="ln" style={{ left: `${share(lane.end, view)}%`, height: down }} />}
      </span>
      <span class="gd num" title={lane.number}>{lane.number}</span>
    </button>
  );
}

function Piece({ bar, view, height, rows }: { bar: GanttBar; view: TimelineView; height: number; rows: number }) {
  const [kind, state] = KIND[bar.kind] ?? ["run", "pending"];
  const own = rows > 1 ? { top: 8 + bar.row * height, height: Math.max(1, height - (height > 3 ? 1 : 0)) } : {};
  return <i class={`sg ${kind}`} data-s={state} title={bar.text} style={{ left: `${share(bar.start, view)}%`, width: `${share(bar.end - bar.start, view)}%`, ...own }} />;
}
