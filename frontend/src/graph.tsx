// The graph: nodes are buttons, edges one drawing behind them. Each of the two is a layer of its own, drawn at its size
// on the screen: panning moves both and draws nothing anew, and a step that changes leaves the edges as they are.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { usePan, useSharp, useWheel, type Camera } from "./camera";
import { Carried, Edges, Legend, seen, type View } from "./edges";
import { Dots } from "./dots";
import { alike, fit, hold, levelOf, lineage, neighbour, NOMINAL, reach, step as zoomStep, type Arrow } from "./geometry";
import { Minimap, sizeOf } from "./minimap";
import { useKept } from "./memo";
import { NodeView } from "./node";
import { Button, Empty } from "./parts";
import type { Store } from "./store";
import type { Graph, Shown, Step } from "./types";

const TALLEST = 520;
/** Steps from which there are zoom buttons. */
const ZOOMED = 4;
const LINEAGE_DIMS = 30;
/** Marks of running steps that turn at once; of more, which take all of the page's time, none does. */
const TURNING = 24;
/** Steps from which only what is near the view is drawn, in tiles of this size. */
const CULLED = 200;
const TILE = 400;
/** What the zoom buttons take beside the overview, where both stand below the graph. */
const BESIDE = 156;
/** Pixels that the overview and the zoom buttons keep from the graph's edges, and what the buttons take with that. */
const INSET = 8;
const BUTTONS = { width: 136, height: 44 };
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
  /** What no other element of the page is called. */
  id: string;
}

export function GraphView(props: GraphProps) {
  const { graph, nodes, width, selected, kept } = props;
  /** Nodes are smaller then, and overview and buttons stand below them: over them, they would cover what is seen. */
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
  const covered = !narrow && graph.steps.length >= ZOOMED && level.width * scale > width - 2 * BUTTONS.width;
  const beneath = covered ? BUTTONS.height : 0;
  const height = Math.max(128, Math.min(TALLEST, level.height * scale + beneath));
  const overflows = level.width * scale > width + 1 || level.height * scale > height + 1;
  const names = useMemo(() => graph.steps.map((s) => s.name), [graph]);
  const maps = graph.steps.length >= 40 || overflows;
  const small = useMemo(() => sizeOf(level, narrow ? width - BESIDE : null), [level, narrow, narrow && width]);
  const places = useMemo(() => new Map(graph.steps.map((s, i) => [s.name, level.at[i]!])), [graph, level]);
  const related = useMemo(() => (selected ? lineage(graph, selected) : null), [graph, selected]);
  const ambiguous = useMemo(() => alike(names), [names]);
  const dims = graph.steps.length >= LINEAGE_DIMS;
  const culls = graph.steps.length > CULLED && name !== "overview";
  const drawn = useKept();
  const [column, row] = tile.split(" ").map(Number) as [number, number];
  const view = useMemo<View | null>(
    () =>
      culls
        ? { left: (column - 1) * TILE, top: (row - 1) * TILE, right: (column + 2) * TILE + width / scale, bottom: (row + 2) * TILE + height / scale }
        : null,
    [culls, tile, scale, width, height],
  );
  const calm = names.reduce((count, step) => count + Number(nodes[step]?.state === "running"), 0) > TURNING;
  const skipped = graph.steps.filter((s) => nodes[s.name]?.state === "skipped").map((s) => s.name).join(" ");

  /** What the overview and the zoom buttons cover of the graph: so much further it can be moved. */
  const cover = { right: maps && !narrow ? small.width + 2 * INSET : 0, bottom: beneath };
  const put = (x: number, y: number) => {
    const at = { x: hold(x, level.width * scale, width, cover.right), y: hold(y, level.height * scale, height, cover.bottom) };
    camera.current = { zoom: shownZoom, ...at };
    if (stage.current) stage.current.style.transform = `translate(${at.x}px,${at.y}px)`;
    frame.current?.dispatchEvent(new CustomEvent("nbs-moved"));
    if (culls) setTile(`${Math.floor(-at.x / scale / TILE)} ${Math.floor(-at.y / scale / TILE)}`);
  };
  useLayoutEffect(() => put(camera.current.x, camera.current.y), [level, scale, width, height, moved]);
  useSharp(stage, scale);

  const reveal = (step: string) => {
    const at = places.get(step);
    if (!at) return;
    const [w, t] = [level.node[0] * scale, level.node[1] * scale];
    const top = reach(camera.current.y, at[1] * scale, t, height - cover.bottom);
    const hidden = at[1] * scale + top < small.height + 2 * INSET;
    put(reach(camera.current.x, at[0] * scale, w, width - (hidden ? cover.right : 0)), top);
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
    setZoom(fitted(graph, width, narrow));
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
  const node = (step: Step, i: number) => {
    const shown = nodes[step.name] ?? PENDING;
    const [x, y] = level.at[i]!;
    const [is, dimmed, stop] = [selected === step.name, !shownKept(step.name), tabStop === step.name];
    const now = shown.since && name !== "overview" ? Math.floor(props.now) : 0;
    return drawn(step.name, [step, level, shown, is, dimmed, stop, now], () => (
      <NodeView
        key={step.name}
        name={step.name}
        when={step.when}
        shown={shown}
        x={x}
        y={y}
        width={level.node[0]}
        level={name}
        cut={ambiguous.has(step.name)}
        selected={is}
        dimmed={dimmed}
        stop={stop}
        now={now}
        select={props.select}
        open={props.open}
        goTo={props.goTo}
        hover={setHovered}
      />
    ));
  };
  const overview = maps && (
    <Minimap level={level} scale={scale} nodes={nodes} names={names} small={small} camera={camera} frame={frame} width={width} height={height} put={put} />
  );
  const buttons = graph.steps.length >= ZOOMED && (
    <div class="gctl" role="group" aria-label="Zoom">
      <Button icon="minus" aria-label="Zoom out" onClick={() => zoomTo(zoomStep(shownZoom, -1))} />
      <span class="z" aria-live="off">{Math.round(shownZoom * 100)}%</span>
      <Button icon="plus" aria-label="Zoom in" onClick={() => zoomTo(zoomStep(shownZoom, 1))} />
      <Button icon="fit" aria-label="Fit" onClick={fitAll} />
    </div>
  );
  return (
    <>
    <div class="gv" ref={frame} style={{ height }} role="group" aria-label={`Steps of ${graph.title || "this notebook"}`} onKeyDown={onKey} data-level={name} data-calm={calm || undefined}>
      <div class="stage" ref={stage}>
        <Edges graph={graph} level={level} scale={scale} related={related} dims={dims} hot={hovered} skipped={skipped} view={view} />
  {name === "overview" && <Dots level={level} scale={scale} names={names} nodes={nodes} shows={shownKept} id={`${props.id}-mark`} />}
        <div class="nodes" style={{ width: level.width, height: level.height, transform: `scale(${scale})` }}>
        {graph.steps.map((step, i) => (!view || step.name === tabStop || seen(view, level.at[i]!, level.at[i]!)) && node(step, i))}
        {hot && scale >= 0.9 && name !== "overview" && <Carried graph={graph} level={level} places={places} name={hot} />}
        {level.labels.map(([step, text, x, y]) => (
          <span key={step} class="elab br" title={graph.steps[step]!.when} style={{ left: x, top: y }}>
            {text}
          </span>
        ))}
        </div>
      </div>
      {!narrow && [overview, buttons]}
    </div>
    {narrow && (overview || buttons) && <div class="beneath">{overview}{buttons}</div>}
    {graph.edges.some(([, , , kind]) => kind === "watch") && <Legend />}
    </>
  );
}

/** The largest zoom at which everything is seen, with nothing behind the zoom buttons. */
function fitted(graph: Graph, width: number, narrow: boolean): number {
  return fit(graph, width, TALLEST - (narrow ? 0 : BUTTONS.height), narrow);
}

/** Full size where it fits, else names, else marks: small enough to see much, large enough to read. */
function begin(graph: Graph, width: number, narrow: boolean): number {
  const best = fitted(graph, width, narrow);
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
