// Many runs: durations, hit rate, time saved, and the steps that became slower.

import { useEffect, useState } from "preact/hooks";
import { moment } from "./format";
import { Button, Empty, Mark } from "./parts";
import type { Store } from "./store";
import type { Tick, TrendsView } from "./types";

/** Percent of the chart that a bar takes at most: three runs are no walls. */
const WIDEST = 6;
const RANGES: [string, string][] = [["last", "Last 40 runs"], ["7", "7 days"], ["30", "30 days"]];

export function Trends({ store }: { store: Store }) {
  const [range, setRange] = useState("last");
  const [found, setFound] = useState<TrendsView | null>(null);
  const [error, setError] = useState("");
  useEffect(() => {
    store.ask<TrendsView>("trends", { days: range === "last" ? null : Number(range) }).then(setFound, (e: Error) => setError(e.message));
  }, [store, range, store.run?.ended]);
  if (error) return <Empty mark="crashed" title="The history cannot be read">{error}</Empty>;
  if (!found) return <div class="pad mut" aria-busy="true">Loading</div>;
  return (
    <>
      <div class="tb" role="toolbar" aria-label="Trends">
        {RANGES.map(([id, text]) => (
          <Button key={id} class={`btn ${range === id ? "is-hover" : "ghost"}`} aria-pressed={range === id} onClick={() => setRange(id)}>{text}</Button>
        ))}
      </div>
      {found.enough ? <Charts view={found} store={store} /> : (
        <Empty mark="pending" title="Trends need 3 runs">
          {found.count} {found.count === 1 ? "run" : "runs"} so far. Durations and hit rate appear after the third.
        </Empty>
      )}
    </>
  );
}

function Charts({ view, store }: { view: TrendsView; store: Store }) {
  const marked = marks(view.runs.length);
  const labels = marked.map((at) => `#${view.runs[at]!.number}`);
  const rates = view.runs.map((run) => run.hit_rate ?? 0);
  const longest = Math.max(...view.runs.map((run) => run.duration), 1e-9);
  const saved = Math.max(view.runs.at(-1)?.saved_so_far ?? 0, 1e-9);
  return (
    <>
      <div class="kp">
        {view.facts.map(([name, value, more]) => <div key={name}><span>{name}</span><b class="num">{value}</b><span>{more}</span></div>)}
      </div>
      <div class="cg">
        <Durations view={view} longest={longest} marked={marked} store={store} />
        <Area title="Hit rate" more="Full runs drop to 0%" state="succeeded" values={rates} top={1} ticks={[{ at: 0, text: "0%" }, { at: 0.5, text: "50%" }, { at: 1, text: "100%" }]} labels={labels} />
        <Area title="Time saved" more="Cumulative" state="running" values={view.runs.map((run) => run.saved_so_far)} top={saved} ticks={view.saved_ticks} labels={labels} />
      </div>
      <Steps view={view} />
    </>
  );
}

/** Which of so many runs have their number written below a chart: up to five, evenly spread. */
function marks(count: number): number[] {
  const parts = Math.min(4, count - 1);
  return [...new Set(Array.from({ length: parts + 1 }, (_, i) => Math.round((i * (count - 1)) / Math.max(parts, 1))))];
}

function Lines({ ticks, top }: { ticks: Tick[]; top: number }) {
  return (
    <div class="yl" aria-hidden="true">
      {ticks.map((tick) => <i key={tick.at} style={{ top: `${100 - (tick.at / top) * 100}%` }}>{tick.text}</i>)}
    </div>
  );
}

function Durations({ view, longest, marked, store }: { view: TrendsView; longest: number; marked: number[]; store: Store }) {
  const [at, point] = useState<number | null>(null);
  const wide = 100 / view.runs.length;
  const bar = Math.min(wide * 0.84, WIDEST);
  const run = at === null ? undefined : view.runs[at];
  return (
    <figure class="ch full">
      <figcaption>Duration<span>Marked bars did not succeed, dashed line is the median</span></figcaption>
      <div class="pl" onMouseLeave={() => point(null)}>
        <Lines ticks={view.duration_ticks} top={longest} />
        <svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label={`Durations of ${view.runs.length} runs`}>
          {view.runs.map((r, i) => {
            const height = Math.max(1, (r.duration / longest) * 100);
            return (
              <g key={r.run_id} onMouseEnter={() => point(i)}>
                <rect x={i * wide} y="0" width={wide} height="100" fill="transparent" />
                <rect data-s={r.state} x={(i + 0.5) * wide - bar / 2} y={100 - height} width={bar} height={height} fill="var(--hue)" />
              </g>
            );
          })}
          {view.median !== null && <line class="median" x1="0" x2="100" y1={100 - (view.median / longest) * 100} y2={100 - (view.median / longest) * 100} />}
        </svg>
        {view.runs.map((r, i) =>
          r.state === "succeeded" ? null : (
            <span key={r.run_id} class="bm" style={{ left: `${(i + 0.5) * wide}%`, bottom: `${(r.duration / longest) * 100}%` }}><Mark state={r.state} label /></span>
          ),
        )}
        {run && at !== null && (
          <div class="tip" style={{ left: `${Math.min(80, (at + 0.5) * wide)}%`, top: 0 }}>
            <b>Run #{run.number}</b> {moment(run.started_at, store.now()).toLowerCase()}
            <div class="st" data-s={run.state}><Mark state={run.state} small /><span class="w">{run.word}</span> {run.text}</div>
          </div>
        )}
      </div>
      <div class="xl under" aria-hidden="true">{marked.map((i) => <span key={i} style={{ left: `${(i + 0.5) * wide}%` }}>#{view.runs[i]!.number}</span>)}</div>
    </figure>
  );
}

function Area({ title, more, state, values, top, ticks, labels }: { title: string; more: string; state: string; values: number[]; top: number; ticks: Tick[]; labels: string[] }) {
  const points = values.map((value, i) => `${((i / Math.max(values.length - 1, 1)) * 100).toFixed(2)},${(100 - (value / top) * 100).toFixed(2)}`);
  return (
    <figure class="ch">
      <figcaption>{title}<span>{more}</span></figcaption>
      <div class="pl">
        <Lines ticks={ticks} top={top} />
        <svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label={`${title} over ${values.length} runs`} data-s={state}>
          <polygon class="area" points={`0,100 ${points.join(" ")} 100,100`} />
          <polyline class="line" points={points.join(" ")} />
        </svg>
      </div>
      <div class="xl" aria-hidden="true">{labels.map((text) => <span key={text}>{text}</span>)}</div>
    </figure>
  );
}

function Steps({ view }: { view: TrendsView }) {
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label="Slowest steps">
      <table class="t slow">
        <thead><tr><th>Slowest steps</th><th class="rgt">Median</th><th class="rgt">Change</th><th class="rgt">Hit rate</th><th>Last executions</th></tr></thead>
        <tbody>
          {view.steps.map((step) => {
            const longest = Math.max(...step.bars.map((bar) => bar.seconds), 1e-9);
            return (
              <tr key={step.step}>
                <td class="mono tr"><b>{step.step}</b></td>
                <td class="rgt num">{step.median}</td>
                <td class={`rgt num ${step.slower ? "slower" : "mut"}`} data-s="stale">{step.change}</td>
                <td class="rgt num">{step.hit_rate}</td>
                <td><span class="bars spark" aria-hidden="true">{step.bars.map((bar, i) => <i key={i} data-s={bar.state} title={bar.text} style={{ height: `${Math.max(2, (bar.seconds / longest) * 20)}px` }} />)}</span></td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
