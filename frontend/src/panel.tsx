// The panel below the graph: everything about one step.

import { useEffect, useState } from "preact/hooks";
import { clock } from "./format";
import { Button, Head, Mark, Pill, State, Tabs } from "./parts";
import type { Store } from "./store";
import type { Detail, Output, Shown, Value } from "./types";
import { Accept, Reasons, Why } from "./why";

const TABS = [
  { id: "overview", text: "Overview" },
  { id: "why", text: "Why" },
  { id: "source", text: "Source" },
  { id: "values", text: "Inputs and outputs" },
  { id: "log", text: "Log" },
  { id: "attempts", text: "Attempts" },
];

interface PanelProps {
  store: Store;
  step: string;
  tab: string;
  setTab: (tab: string) => void;
  close: () => void;
  goTo: (name: string) => void;
  select: (name: string) => void;
  id: string;
}

export function Panel({ store, step, tab, setTab, close, goTo, select, id }: PanelProps) {
  const shown = store.nodes[step];
  const { detail, error } = useDetail(store, step, shown);
  const failed = shown?.state === "failed" || shown?.state === "crashed";
  return (
    <section class="pn" aria-label={`Step ${step}`}>
      <div class="pn-h">
        {shown && <Mark state={shown.state} />}
        <h3 title={step}>{step}</h3>
        {shown && <Pill state={shown.state} word={shown.word} />}
        <span class="mut num">{headline(shown, detail)}</span>
        <span class="grow" />
        <Button icon="code" ghost onClick={() => goTo(step)}>
          Go to cell
        </Button>
        <Button icon={failed ? "resume" : "run"} disabled={store.running || store.deaf} onClick={() => store.send({ do: "run", steps: [step] })}>
          {failed ? "Resume from here" : "Run this step"}
        </Button>
        <Button icon="close" class="btn ghost icon shut" aria-label="Close panel" onClick={close} />
      </div>
      <Tabs names={TABS} current={tab} choose={setTab} label={`About ${step}`} id={`${id}-pn`} kind="stabs" />
      <div role="tabpanel" id={`${id}-pn-panel`} aria-labelledby={`${id}-pn-${tab}`} aria-busy={!detail} tabIndex={0}>
        {error && <p class="errbox" data-s="failed">{error}</p>}
        {detail && <Body detail={detail} tab={tab} setTab={setTab} select={select} store={store} />}
        {!detail && !error && <div class="pad mut">Loading</div>}
      </div>
    </section>
  );
}

function headline(shown: Shown | undefined, detail: Detail | null): string {
  if (shown?.state === "stale") return "Forecast for the next run";
  const attempts = detail?.tried ?? 0;
  return [attempts > 1 ? `${attempts.toLocaleString("en")} attempts` : "", shown?.number, shown?.text].filter(Boolean).join(", ");
}

/** The details as of the step's present state; those shown stay until the new ones are there. */
function useDetail(store: Store, step: string, shown: Shown | undefined): { detail: Detail | null; error: string } {
  const [found, setFound] = useState<{ detail: Detail | null; error: string }>({ detail: null, error: "" });
  const state = `${shown?.state} ${shown?.reasons} ${store.run?.ended}`;
  const beat = shown?.state === "running" ? Math.floor(store.now() / 2) : 0;
  useEffect(() => {
    let wanted = true;
    store
      .ask<Detail>("detail", { step })
      .then((detail) => wanted && setFound({ detail, error: "" }))
      .catch((error: Error) => wanted && setFound({ detail: null, error: error.message }));
    return () => {
      wanted = false;
    };
  }, [store, step, state, beat, store.graph]);
  return found.detail?.step === step || found.error ? found : { detail: null, error: "" };
}

interface BodyProps {
  detail: Detail;
  tab: string;
  setTab: (tab: string) => void;
  select: (name: string) => void;
  store: Store;
}

function Body({ detail, tab, setTab, select, store }: BodyProps) {
  switch (tab) {
    case "why":
      return <div class="pad"><Why detail={detail} /><Accept detail={detail} store={store} /></div>;
    case "source":
      return <div class="pad"><Source detail={detail} /></div>;
    case "values":
      return (
        <div class="cols even">
          <div><Head text="Inputs" /><Values values={detail.inputs} none="It reads nothing from other steps" select={select} /></div>
          <div><Head text="Outputs" /><Values values={detail.outputs} none="No value stored" select={select} /></div>
        </div>
      );
    case "log":
      return <div class="pad"><Log log={detail.log} /></div>;
    case "attempts":
      return <div class="pad"><Attempts detail={detail} /></div>;
    default:
      return <Overview detail={detail} setTab={setTab} select={select} store={store} />;
  }
}

function Overview({ detail, setTab, select, store }: Omit<BodyProps, "tab">) {
  return (
    <div class="cols">
      <div>
        {detail.error ? <Failure detail={detail} /> : <><Head text="Source" right={<More text="Whole source" act={() => setTab("source")} />} /><Code text={detail.source} first={detail.first} limit={8} /></>}
        {detail.reasons.length > 0 && <><Head text="Why it would execute" right={<More text="Compare" act={() => setTab("why")} />} /><Reasons reasons={detail.reasons} /><Accept detail={detail} store={store} /></>}
        {detail.log.length > 0 && <><Head text="Log" right={<More text="Open full log" act={() => setTab("log")} />} /><Log log={detail.log.slice(-3)} limit={8} /></>}
        {detail.history.length > 1 && <History detail={detail} />}
      </div>
      <div>
        {detail.items && <Items items={detail.items} />}
        {detail.attempts.length > 0 && <><Head text="Attempts" /><Attempts detail={detail} brief /></>}
        <Head text="Inputs" />
        <Values values={detail.inputs} none="It reads nothing from other steps" select={select} brief />
        <Head text="Outputs" />
        <Values values={detail.outputs} none="No value stored" select={select} />
        {detail.options.length > 0 && <><Head text="Options" /><Options detail={detail} /></>}
      </div>
    </div>
  );
}

/** What became of a map's items the last time: as a bar and in words. */
function Items({ items }: { items: NonNullable<Detail["items"]> }) {
  const parts: [string, number, string][] = [
    ["succeeded", items.executed - items.failed, "executed"],
    ["cached", items.total - items.executed, "restored or not run"],
    ["failed", items.failed, "failed"],
  ];
  const there = parts.filter(([, number]) => number > 0);
  return (
    <>
      <Head text="Items" right={`${items.total} in the last run`} />
      <div class="ib" aria-hidden="true">{there.map(([state, number]) => <i key={state} data-s={state} style={{ flexGrow: number }} />)}</div>
      <p class="its">
        {there.map(([state, number, word]) => <span key={state} class="st" data-s={state}><Mark state={state} small /><span class="w num">{number} {word}</span></span>)}
      </p>
    </>
  );
}

function More({ text, act }: { text: string; act: () => void }) {
  return <button type="button" class="lk" onClick={act}>{text}</button>;
}

function Code({ text, first = 1, mark = null, limit }: { text: string; first?: number; mark?: number | null; limit?: number }) {
  const lines = text.replace(/\n$/, "").split("\n");
  const shown = limit ? lines.slice(0, limit) : lines;
  return (
    <pre class="code" tabIndex={0} aria-label="Source">
      {shown.map((line, i) => (
        <span key={i} class={first + i === mark ? "l bad" : "l"}>
          <span class="n" aria-hidden="true">{first + i}</span>
          {line}
          {"\n"}
        </span>
      ))}
      {shown.length < lines.length && <span class="l hunk"><span class="n" />{`${lines.length - shown.length} more lines`}</span>}
    </pre>
  );
}

function Source({ detail }: { detail: Detail }) {
  return (
    <>
      {detail.options.length > 0 && <><Head text="Options" /><Options detail={detail} /></>}
      <Head text="Source" />
      <Code text={detail.source} first={detail.first} mark={detail.error?.line ?? null} />
    </>
  );
}

function Options({ detail }: { detail: Detail }) {
  return (
    <dl class="kv">
      {detail.options.map(([name, value]) => (
        <>
          <dt key={name} class="mono">{name}</dt>
          <dd class="mono">{value}</dd>
        </>
      ))}
    </dl>
  );
}

function Failure({ detail }: { detail: Detail }) {
  const { type, message, traceback, line } = detail.error!;
  const near = line === null ? null : window_(detail, line);
  return (
    <>
      <Head text="Error" right={traceback && <More text="Copy traceback" act={() => void navigator.clipboard?.writeText(traceback)} />} />
      <div class="errbox" data-s="failed">
        <b>{type}</b>
        <span>{message}</span>
      </div>
      {near && (
        <>
          <div class="fr"><span class="mono">{detail.step}, line {line}</span><span class="mut">your code</span></div>
          <Code text={near.text} first={near.first} mark={line} />
        </>
      )}
      {traceback && (
        <details class="lib">
          <summary>Traceback</summary>
          <pre class="code pad" tabIndex={0}>{traceback}</pre>
        </details>
      )}
    </>
  );
}

function window_(detail: Detail, line: number): { text: string; first: number } {
  const lines = detail.source.split("\n");
  const at = line - detail.first;
  const start = Math.max(0, at - 3);
  return { text: lines.slice(start, at + 3).join("\n"), first: detail.first + start };
}

function Values({ values, none, select, brief = false }: { values: Value[]; none: string; select: (name: string) => void; brief?: boolean }) {
  if (!values.length) return <p class="mut small">{none}</p>;
  return (
    <>
      <table class="t vals">
        <thead class="sr"><tr><th>Name</th><th>Type</th><th>Content</th><th>Size</th></tr></thead>
        <tbody>
          {values.map((value) => (
            <tr key={value.name}>
              <td class="mono"><b>{value.name}</b></td>
              <td class="mut">{value.step ? <button type="button" class="lk" onClick={() => select(value.step)}>{value.step}</button> : value.type}</td>
              <td class="tr wide-cell" title={value.summary}>{value.summary}</td>
              <td class="rgt mut num">{value.size}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {!brief && values.filter((value) => value.columns.length).map((value) => <Preview key={value.name} value={value} />)}
    </>
  );
}

function Preview({ value }: { value: Value }) {
  return (
    <div class="pv" tabIndex={0} role="group" aria-label={`First rows of ${value.name}`}>
      <table class="t">
        <thead><tr>{value.columns.map((name, i) => <th key={i}>{name}</th>)}</tr></thead>
        <tbody>
          {value.rows.map((row, i) => <tr key={i}>{row.map((cell, j) => <td key={j} class="num tr" title={cell}>{cell}</td>)}</tr>)}
        </tbody>
      </table>
    </div>
  );
}

function Log({ log, limit }: { log: Output[]; limit?: number }) {
  if (!log.length) return <p class="mut">It showed nothing</p>;
  return (
    <div class="logs">
      {log.map((output, i) =>
        output.kind === "image" ? (
          <img key={i} src={output.text} alt="Figure shown by the step" />
        ) : (
          <pre key={i} class="code pad" tabIndex={0} data-s={output.kind === "error" ? "failed" : undefined}>
            {limit ? output.text.trimEnd().split("\n").slice(-limit).join("\n") : output.text}
          </pre>
        ),
      )}
    </div>
  );
}

function Attempts({ detail, brief = false }: { detail: Detail; brief?: boolean }) {
  if (!detail.attempts.length) return <p class="mut">It was not executed in the last run</p>;
  const items = detail.attempts.some((attempt) => attempt.item);
  const delays = !brief && detail.attempts.some((attempt) => attempt.delay);
  const times = !brief || !items;
  const rows = brief ? detail.attempts.slice(0, 6) : detail.attempts;
  const left = detail.tried - rows.length;
  return (
    <>
      <table class="t">
        <thead>
          <tr><th>#</th>{items && <th>Item</th>}<th>Result</th>{times && <th>Started</th>}<th class="rgt">Duration</th>{delays && <th class="rgt">Back-off</th>}</tr>
        </thead>
        <tbody>
          {rows.map((attempt) => (
            <tr key={`${attempt.item} ${attempt.attempt}`}>
              <td class="num">{attempt.attempt}</td>
              {items && <td class="tr wide-cell" title={`${attempt.label}\nkey ${attempt.item}`}>{attempt.label}</td>}
              <td class="tr wide-cell" title={attempt.error}>
                <State state={attempt.state} word={attempt.error.split(":")[0] || attempt.word} />
                {!brief && attempt.error.includes(":") && <span class="said">{attempt.error.slice(attempt.error.indexOf(":") + 1)}</span>}
              </td>
              {times && <td class="mut num">{clock(attempt.started)}</td>}
              <td class="rgt num">{attempt.duration}</td>
              {delays && <td class="rgt num mut">{attempt.delay}</td>}
            </tr>
          ))}
        </tbody>
      </table>
      {left > 0 && <p class="mut small">{left.toLocaleString("en")} more {left > 1 ? "attempts are" : "attempt is"} not shown</p>}
    </>
  );
}

function History({ detail }: { detail: Detail }) {
  const longest = Math.max(...detail.history.map((bar) => bar.seconds), 1e-9);
  const said = `Last ${detail.history.length} runs${detail.median === "unknown" ? "" : `, median ${detail.median}`}`;
  return (
    <>
      <Head text="Duration" right={said} />
      <div class="bars" role="img" aria-label={`Durations: ${said}`}>
        {detail.history.map((bar, i) => (
          <i key={i} data-s={bar.state} title={bar.text} style={{ height: `${Math.max(2, (bar.seconds / longest) * 46).toFixed(1)}px` }} />
        ))}
      </div>
    </>
  );
}
