// What leads from step to step, behind the nodes; what it carries, and what the lines mean.

import { useMemo } from "preact/hooks";
import { memo } from "./memo";
import type { Graph, Level } from "./types";

export interface View {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Whether a box that two points span reaches into the view. */
export function seen(view: View, [ax, ay]: [number, number], [bx, by]: [number, number]): boolean {
  return Math.max(ax, bx) >= view.left && Math.min(ax, bx) <= view.right && Math.max(ay, by) >= view.top && Math.min(ay, by) <= view.bottom;
}

export const Edges = memo(function Edges({ graph, level, scale, related, dims, hot, skipped, view }: {
  graph: Graph;
  level: Level;
  scale: number;
  related: Set<string> | null;
  dims: boolean;
  hot: string | null;
  /** Names of skipped steps, in one text: what is compared is not made anew with every change of a step. */
  skipped: string;
  view: View | null;
}) {
  const notTaken = new Set(skipped.split(" "));
  const kinds = useMemo(() => new Map(graph.edges.map(([source, target, , kind]) => [`${source} ${target}`, kind])), [graph]);
  const near = view ? level.edges.filter(([from, to]) => seen(view, level.at[from]!, level.at[to]!)) : level.edges;
  const drawn = near.map(([from, to, path, x, y]) => {
    const [source, target] = [graph.steps[from]!.name, graph.steps[to]!.name];
    const inLineage = related?.has(source) && related.has(target);
    const kind = source === hot || inLineage ? "hot" : related && dims ? "dim" : "";
    const watches = kinds.get(`${source} ${target}`) === "watch";
    return { key: `${from}-${to}`, path, x, y, watches, kind: kind || (notTaken.has(target) ? "off dim" : "") };
  });
  drawn.sort((a, b) => Number(a.kind === "hot") - Number(b.kind === "hot"));
  return (
    <svg class="edges" width={level.width * scale} height={level.height * scale} viewBox={`0 0 ${level.width} ${level.height}`} aria-hidden="true">
      {drawn.map((edge) => (
        <g key={edge.key}>
          <path class={`e ${edge.kind} ${edge.watches ? "watch" : ""}`} d={edge.path} />
          <path class={`ah ${edge.kind}`} d={`M${edge.x - 1} ${edge.y}l-6 -3.5v7z`} />
        </g>
      ))}
    </svg>
  );
});

export function Legend() {
  return (
    <div class="lines" role="note" aria-label="Kinds of lines">
      <span><svg viewBox="0 0 24 8" aria-hidden="true"><path class="e" d="M0 4h24" /></svg>needs it</span>
      <span><svg viewBox="0 0 24 8" aria-hidden="true"><path class="e watch" d="M0 4h24" /></svg>looks at how it ended</span>
    </div>
  );
}

/** The variables that leave a step, beside it. */
export function Carried({ graph, level, places, name }: { graph: Graph; level: Level; places: Map<string, [number, number]>; name: string }) {
  const at = places.get(name);
  const variables = [...new Set(graph.edges.filter(([source]) => source === name).flatMap(([, , carried]) => carried))];
  if (!at || !variables.length) return null;
  const shown = variables.slice(0, 4).join(", ") + (variables.length > 4 ? ` +${variables.length - 4}` : "");
  return (
    <span class="elab" aria-hidden="true" style={{ left: at[0] + level.node[0] + 6, top: at[1] - 3 }}>
      {shown}
    </span>
  );
}
