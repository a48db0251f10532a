// The graph: nodes are buttons, edges one drawing behind them. Panning moves one element and draws nothing anew.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { memo } from "./memo";
import { duration, elapsed, middle } from "./format";
import { alike, fit, levelOf, lineage, neighbour, NOMINAL, step as zoomStep, type Arrow } from "./geometry";
import { Minimap } from "./minimap";
import { Button, Empty, Mark } from "./parts";
import type { Store } from "./store";
import type { Graph, Level, LevelName, Shown } from "./types";

const TALLEST = 520;
const LINEAGE_DIMS = 30;
/** Steps from which only what is near the view is drawn, in tiles of this size. */
const CULLED = 200;
const TILE = 400;
/** Letters that a node has room for beside its mark, word and number together. */
const ROOM = 22;
const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
const PENDING: Shown = { state: "pending", word: "Pending", number: "", reasons: "", since: null, share: null, usual: null };

export interface GraphProps {
  store: Store;
  graph: Graph;
  nodes: Record<string, Shown>;
  now: number;
  width: number;
  selected: string | null;
  /** Names that are shown in full; null for all. */
  kept: Set<string> | null;
  select: (name: string | null) => void;
  open: (name: string, tab?: string) => void;
  goTo: (name: string) => void;
  filter: () => void;
  opened: boolean;
}

interface Camera {
  zoom: number;
  x: number;
  y: number;
}

export function GraphView(props: GraphProps) {
  const { graph, nodes, width, selected, kept } = props;
  const narrow = width < 900;
  const frame = useRef<HTMLDivElement>(null);
  const stage = useRef<HTMLDivElement>(null);
  const camera = useRef<Camera>({ zoom: 1, x: 0, y: 0 });
  const [zoom, setZoom] = useState<number | null>(null);
  const [hovered, setHovered] = useState<string | null>(null);
  const [moved, setMoved] = useState(0);
  const [tile, setTile] = useState("0 0");
  const wanted = useRef<string | null>(null);
  const shownZoom = zoom ?? begin(graph, width, narrow);
  const name = levelOf(shownZoom, narrow);
  const level = graph.levels[name];
  const scale = shownZoom / NOMINAL[name];
  const height = Math.max(128, Math.min(TALLEST, level.height * scale));
  const overflows = level.width * scale > width + 1 || level.height * scale > height + 1;
  const places = useMemo(() => new Map(graph.steps.map((s, i) => [s.name, level.at[i]!])), [graph, level]);
  const related = useMemo(() => (selected ? lineage(graph, selected) : null), [graph, selected]);
  const ambiguous = useMemo(() => alike(graph.steps.map((s) => s.name)), [graph]);
  const dims = graph.steps.length >= LINEAGE_DIMS;
  const culls = graph.steps.length > CULLED && name !== "overview";
  const [column, row] = tile.split(" ").map(Number) as [number, number];
  const view = useMemo<View | null>(
    () =>
      culls
        ? { left: (column - 1) * TILE, top: (row - 1) * TILE, right: (column + 2) * TILE + width / scale, bottom: (row + 2) * TILE + height / scale }
        : null,
    [culls, tile, scale, width, height],
  );
  const skipped = graph.steps.filter((s) => nodes[s.name]?.state === "skipped").map((s) => s.name).join(" ");

  const put = (x: number, y: number) => {
    const [w, t] = [level.width * scale, level.height * scale];
    camera.current = {
      zoom: shownZoom,
      x: w <= width ? (width - w) / 2 : Math.min(0, Math.max(width - w, x)),
      y: t <= height ? (height - t) / 2 : Math.min(0, Math.max(height - t, y)),
    };
    if (stage.current) stage.current.style.transform = `translate(${camera.current.x}px,${camera.current.y}px) scale(${scale})`;
    frame.current?.dispatchEvent(new CustomEvent("nbs-moved"));
    if (culls) setTile(`${Math.floor(-camera.current.x / scale / TILE)} ${Math.floor(-camera.current.y / scale / TILE)}`);
  };
  useLayoutEffect(() => put(camera.current.x, camera.current.y), [level, scale, width, height, moved]);

  const reveal = (step: string) => {
    const at = places.get(step);
    if (!at) return;
    const [x, y] = [at[0] * scale, at[1] * scale];
    const [w, t] = [level.node[0] * scale, level.node[1] * scale];
    const { x: left, y: top } = camera.current;
    const room = 24;
    put(
      x + left < room ? room - x : x + w + left > width - room ? width - room - x - w : left,
      y + top < room ? room - y : y + t + top > height - room ? height - room - y - t : top,
    );
  };
  useEffect(() => {
    if (!selected) return;
    reveal(selected);
    if (wanted.current !== selected) return;
    wanted.current = null;
    stage.current?.querySelector<HTMLElement>(`[data-step="${CSS.escape(selected)}"]`)?.focus({ preventScroll: true });
  }, [selected, level, scale]);

  const zoomTo = (wanted: number, about?: [number, number]) => {
    const [ax, ay] = about ?? [width / 2, height / 2];
    const part = [(ax - camera.current.x) / (level.width * scale), (ay - camera.current.y) / (level.height * scale)] as const;
    const next = levelOf(wanted, narrow);
    const [w, t] = [graph.levels[next].width, graph.levels[next].height].map((size) => (size * wanted) / NOMINAL[next]) as [number, number];
    camera.current = { zoom: wanted, x: ax - part[0] * w, y: ay - part[1] * t };
    setZoom(wanted);
    setMoved((n) => n + 1);
  };
  const fitAll = () => {
    camera.current = { zoom: 1, x: 0, y: 0 };
    setZoom(fit(graph, width, TALLEST, narrow));
    setMoved((n) => n + 1);
  };

  useWheel(frame, (event, at) => zoomTo(zoomStep(shownZoom, event.deltaY < 0 ? 1 : -1), at));
  usePan(frame, camera, put);

  const tabStop = selected ?? graph.steps[0]?.name;
  const focus = (step: string) => {
    const there = stage.current?.querySelector<HTMLElement>(`[data-step="${CSS.escape(step)}"]`);
    there?.focus({ preventScroll: true });
    wanted.current = there ? null : step;
    props.select(step);
  };
  const onKey = (event: KeyboardEvent) => {
    const on = (event.target as HTMLElement).dataset.step;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const acts: Record<string, () => void> = { "0": fitAll, "+": () => zoomTo(zoomStep(shownZoom, 1)), "-": () => zoomTo(zoomStep(shownZoom, -1)), "/": props.filter };
    if (on) {
      for (const key of ARROWS) acts[key] = () => focus(neighbour(graph, level, on, key as Arrow));
      acts.Enter = () => (props.opened && selected === on ? props.goTo(on) : props.open(on));
      acts.w = acts.W = () => props.open(on, "why");
      acts.r = acts.R = () => !props.store.running && props.store.send({ do: "run", steps: [on] });
    }
    const act = acts[event.key];
    if (!act) return;
    act();
    event.preventDefault();
    event.stopPropagation();
  };

  if (!graph.steps.length) return <NoSteps />;
  const shownKept = (step: string) => (!kept || kept.has(step)) && !(dims && related && !related.has(step));
  const hot = hovered ?? (dims ? null : selected);
  return (
    <>
    <div class="gv" ref={frame} style={{ height }} role="group" aria-label={`Steps of ${graph.title || "this notebook"}`} onKeyDown={onKey} data-level={name}>
      <div class="stage" ref={stage} style={{ width: level.width, height: level.height }}>
        <Edges graph={graph} level={level} related={related} dims={dims} hot={hovered} skipped={skipped} view={view} />
        {graph.steps.map((step, i) => (!view || step.name === tabStop || seen(view, level.at[i]!, level.at[i]!)) && (
          <NodeView
            key={step.name}
            name={step.name}
            when={step.when}
            shown={nodes[step.name] ?? PENDING}
            x={level.at[i]![0]}
            y={level.at[i]![1]}
            width={level.node[0]}
            level={name}
            cut={ambiguous.has(step.name)}
            selected={selected === step.name}
            dimmed={!shownKept(step.name)}
            stop={tabStop === step.name}
            now={nodes[step.name]?.since ? Math.floor(props.now) : 0}
            select={props.select}
            open={props.open}
            goTo={props.goTo}
            hover={setHovered}
          />
        ))}
        {hot && scale >= 0.9 && name !== "overview" && <Carried graph={graph} level={level} places={places} name={hot} />}
        {level.labels.map(([step, text, x, y]) => (
          <span key={step} class="elab br" title={graph.steps[step]!.when} style={{ left: x, top: y }}>
            {text}
          </span>
        ))}
      </div>
      {(graph.steps.length >= 40 || overflows) && (
        <Minimap level={level} scale={scale} nodes={nodes} names={graph.steps.map((s) => s.name)} camera={camera} frame={frame} width={width} height={height} put={put} />
      )}
      {graph.steps.length >= 4 && (
        <div class="gctl" role="group" aria-label="Zoom">
          <Button icon="minus" aria-label="Zoom out" onClick={() => zoomTo(zoomStep(shownZoom, -1))} />
          <span class="z" aria-live="off">{Math.round(shownZoom * 100)}%</span>
          <Button icon="plus" aria-label="Zoom in" onClick={() => zoomTo(zoomStep(shownZoom, 1))} />
          <Button icon="fit" aria-label="Fit" onClick={fitAll} />
        </div>
      )}
    </div>
    {graph.edges.some(([, , , kind]) => kind === "watch") && <Legend />}
    </>
  );
}

/** Full size where it fits, else names, else marks: small enough to see much, large enough to read. */
function begin(graph: Graph, width: number, narrow: boolean): number {
  const best = fit(graph, width, TALLEST, narrow);
  if (best >= 0.8 || graph.steps.length < 40) return Math.max(best, 0.8) >= 0.8 && best < 0.8 ? 0.8 : best;
  return graph.steps.length <= 150 ? Math.max(best, 0.6) : Math.max(best, 0.35);
}

function NoSteps() {
  return (
    <Empty icon="graph" title="No steps yet">
      Start a cell with <code>%%step name</code> and run it. It appears here.
    </Empty>
  );
}

interface NodeProps {
  name: string;
  when: string;
  shown: Shown;
  x: number;
  y: number;
  width: number;
  level: LevelName;
  cut: boolean;
  selected: boolean;
  dimmed: boolean;
  stop: boolean;
  now: number;
  select: (name: string) => void;
  open: (name: string) => void;
  goTo: (name: string) => void;
  hover: (name: string | null) => void;
}

const KINDS: Record<LevelName, string> = { full: "node", compact: "node c", line: "node x", overview: "dot" };

const NodeView = memo(function NodeView(props: NodeProps) {
  const { name, shown, level } = props;
  const number = said(shown, props.now, level);
  const spoken = [name, shown.word, number, props.when && `runs ${props.when.startsWith("on ") || props.when === "else" ? "" : "if "}${props.when}`].filter(Boolean).join(", ");
  const title = [spoken, shown.text || shown.reasons].filter(Boolean).join(": ");
  const kinds = [KINDS[level], props.selected && "sel", props.dimmed && "dimmed", shown.share !== null && level !== "line" && "map"];
  return (
    <button
      type="button"
      class={kinds.filter(Boolean).join(" ")}
      data-s={shown.state}
      data-step={name}
      style={{ left: props.x, top: props.y, width: props.width }}
      title={title}
      aria-label={spoken}
      aria-pressed={props.selected}
      tabIndex={props.stop ? 0 : -1}
      onClick={() => props.open(name)}
      onDblClick={() => props.goTo(name)}
      onFocus={() => props.hover(name)}
      onBlur={() => props.hover(null)}
      onMouseEnter={() => props.hover(name)}
      onMouseLeave={() => props.hover(null)}
    >
      <Mark state={shown.state} />
      {level !== "overview" && <span class="nm">{props.cut ? middle(name, Math.floor((props.width - 46) / 7.2)) : name}</span>}
      {(level === "full" || level === "compact") && (
        <span class="mt">
          <span class="w">{level === "full" && shown.text ? `${shown.word}, ${shown.text}` : shown.word}</span>
          {number && <span class="t">{number}</span>}
        </span>
      )}
      {shown.share !== null && shown.state === "running" && (level === "full" || level === "compact") && (
        <span class="pb">
          <i style={{ width: `${(shown.share * 100).toFixed(1)}%` }} />
        </span>
      )}
    </button>
  );
});

/** What stands beside the word: what Python says, or how long the state has lasted. */
function said(shown: Shown, now: number, level: LevelName): string {
  const ticking = shown.since !== null && now > 0 ? elapsed(now - shown.since) : "";
  const usual = ticking && shown.usual ? ` of ~${duration(shown.usual)}` : "";
  const long = level === "compact" || `${shown.word}${ticking}${usual}`.length > ROOM;
  const number = shown.number || ticking + (long ? "" : usual);
  if (level !== "compact") return number;
  if (shown.share !== null) return `${Math.floor(shown.share * 100)}%`;
  const first = number.split(" ")[0]!;
  return shown.word.length > 9 || !/^[~<\d]/.test(first) ? "" : first;
}

interface View {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Whether a box that two points span reaches into the view. */
function seen(view: View, [ax, ay]: [number, number], [bx, by]: [number, number]): boolean {
  return Math.max(ax, bx) >= view.left && Math.min(ax, bx) <= view.right && Math.max(ay, by) >= view.top && Math.min(ay, by) <= view.bottom;
}

const Edges = memo(function Edges({ graph, level, related, dims, hot, skipped, view }: {
  graph: Graph;
  level: Level;
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
    <svg class="edges" width={level.width} height={level.height} aria-hidden="true">
      {drawn.map((edge) => (
        <g key={edge.key}>
          <path class={`e ${edge.kind} ${edge.watches ? "watch" : ""}`} d={edge.path} />
          <path class={`ah ${edge.kind}`} d={`M${edge.x - 1} ${edge.y}l-6 -3.5v7z`} />
        </g>
      ))}
    </svg>
  );
});

function Legend() {
  return (
    <div class="lines" role="note" aria-label="Kinds of lines">
      <span><svg viewBox="0 0 24 8" aria-hidden="true"><path class="e" d="M0 4h24" /></svg>needs it</span>
      <span><svg viewBox="0 0 24 8" aria-hidden="true"><path class="e watch" d="M0 4h24" /></svg>looks at how it ended</span>
    </div>
  );
}

/** The variables that leave a step, beside it. */
function Carried({ graph, level, places, name }: { graph: Graph; level: Level; places: Map<string, [number, number]>; name: string }) {
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

function useWheel(frame: { current: HTMLDivElement | null }, zoom: (event: WheelEvent, at: [number, number]) => void): void {
  const latest = useRef(zoom);
  latest.current = zoom;
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const onWheel = (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = element.getBoundingClientRect();
      latest.current(event, [event.clientX - box.left, event.clientY - box.top]);
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [frame.current]);
}

function usePan(frame: { current: HTMLDivElement | null }, camera: { current: Camera }, put: (x: number, y: number) => void): void {
  const latest = useRef(put);
  latest.current = put;
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const onDown = (event: PointerEvent) => {
      if (event.button !== 0 || (event.target as HTMLElement).closest("button,.mini")) return;
      const start = { x: event.clientX - camera.current.x, y: event.clientY - camera.current.y };
      const onMove = (move: PointerEvent) => latest.current(move.clientX - start.x, move.clientY - start.y);
      const onUp = () => {
        element.removeEventListener("pointermove", onMove);
        element.classList.remove("grabbing");
      };
      element.setPointerCapture(event.pointerId);
      element.classList.add("grabbing");
      element.addEventListener("pointermove", onMove);
      element.addEventListener("pointerup", onUp, { once: true });
      element.addEventListener("pointercancel", onUp, { once: true });
    };
    element.addEventListener("pointerdown", onDown);
    return () => element.removeEventListener("pointerdown", onDown);
  }, [frame.current]);
}
