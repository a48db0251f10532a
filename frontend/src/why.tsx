// Why a step would execute, both sides of each change, and what can be said instead.

import { useState } from "preact/hooks";
import { split, type Pair } from "./diff";
import { Button, Head, Mark } from "./parts";
import type { Store } from "./store";
import type { Detail, Reason } from "./types";

export function Reasons({ reasons }: { reasons: Reason[] }) {
  return (
    <div class="why">
      {reasons.map((reason, i) => (
        <div key={i}>
          <Mark state="stale" />
          <b class="tr" title={reason.what}>{reason.what}</b>
          <span class="v">
            {reason.diff ? (
              <span class="mut">{summary(reason.diff)}</span>
            ) : (
              (reason.before || reason.after) && (
                <>
                  <span class="old mono tr">{reason.before || "none"}</span>
                  <span aria-label="became">→</span>
                  <span class="new mono tr">{reason.after || "none"}</span>
                </>
              )
            )}
          </span>
          <span class="mut">{reason.diff ? "diff below" : ""}</span>
        </div>
      ))}
    </div>
  );
}

function summary(diff: string): string {
  const lines = diff.split("\n").filter((line) => /^[+-](?![+-]{2} )/.test(line)).length;
  return `${lines} line${lines === 1 ? "" : "s"} changed`;
}

export function Why({ detail }: { detail: Detail }) {
  const [side, setSide] = useState(false);
  const diffs = detail.reasons.filter((reason) => reason.diff);
  if (!detail.reasons.length) return <p class="mut">{detail.action === "restore" ? "Nothing changed: its stored result would be restored" : "Nothing is known of what it would do"}</p>;
  return (
    <>
      <Head text={detail.action === "skip" ? "Why it cannot execute" : "Why it would execute"} />
      <Reasons reasons={detail.reasons.map((r) => r)} />
      {diffs.map((reason, i) => (
        <>
          <Head
            text={reason.what}
            right={i === 0 && (
              <span class="dt" role="group" aria-label="How differences are shown">
                <button type="button" aria-pressed={!side} onClick={() => setSide(false)}>Unified</button>
                <button type="button" aria-pressed={side} onClick={() => setSide(true)}>Split</button>
              </span>
            )}
          />
          {side ? <Split diff={reason.diff} /> : <Unified diff={reason.diff} />}
        </>
      ))}
    </>
  );
}

/** Instead of executing: the stored result stays, because the reader says that the change is harmless. */
export function Accept({ detail, store }: { detail: Detail; store: Store }) {
  if (detail.kept) return <p class="mut small">Kept by {detail.kept} although its code had changed; void at the next change.</p>;
  if (!detail.accept) return null;
  const { seen, made } = detail.accept;
  return (
    <div class="accept">
      <Head text="Instead of executing" />
      <p class="mut small">
        Keep the stored result of {made} and treat this change as harmless. That is recorded in the run history, and void at the next change.
      </p>
      <Button icon="check" disabled={store.running || store.deaf} onClick={() => store.send({ do: "accept", step: detail.step, seen })}>
        Accept cached result
      </Button>
    </div>
  );
}

const KIND: Record<string, string> = { "+": "l add", "-": "l del", "@": "l hunk" };

function Unified({ diff }: { diff: string }) {
  return (
    <pre class="code" tabIndex={0} aria-label="Differences">
      {diff.split("\n").filter((line) => !/^(---|\+\+\+) /.test(line)).map((line, i) => (
        <span key={i} class={KIND[line[0] ?? ""] ?? "l"}>
          <span class="n g">{line[0] === "@" ? "" : line[0]}</span>
          {line[0] === "@" ? line : line.slice(1)}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}

function Split({ diff }: { diff: string }) {
  const pairs: Pair[] = split(diff);
  const half = (which: "before" | "after", kind: string) => (
    <pre class="code" tabIndex={0} aria-label={which === "before" ? "Before" : "Now"}>
      {pairs.map((pair, i) => (
        <span key={i} class={pair.same || pair[which] === null ? (pair[which]?.startsWith("@@ ") ? "l hunk" : "l") : `l ${kind}`}>
          <span class="n g">{pair.same || pair[which] === null ? "" : kind === "add" ? "+" : "-"}</span>
          {pair[which] ?? ""}
          {"\n"}
        </span>
      ))}
    </pre>
  );
  return <div class="cols even tight">{half("before", "del")}{half("after", "add")}</div>;
}
