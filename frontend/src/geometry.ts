// Zoom levels and the way of the keys through a graph. No page in here, so that it can be tested without one.

import type { Graph, Level, LevelName } from "./types";

/** Zoom at which a level's layout is drawn at its own size. */
export const NOMINAL: Record<LevelName, number> = { full: 1, compact: 1, line: 0.6, overview: 0.35 };
export const ZOOMS = [0.2, 0.25, 0.35, 0.45, 0.6, 0.8, 1, 1.2, 1.5];

const SMALLEST = 0.05;

export function levelOf(zoom: number, narrow: boolean): LevelName {
  if (zoom < 0.45) return "overview";
  if (zoom < 0.8) return "line";
  return narrow ? "compact" : "full";
}

export function step(zoom: number, direction: 1 | -1): number {
  const further = direction > 0 ? ZOOMS.find((z) => z > zoom + 0.001) : [...ZOOMS].reverse().find((z) => z < zoom - 0.001);
  return further ?? zoom;
}

/** The largest zoom at which everything is seen. */
export function fit(graph: Graph, width: number, height: number, narrow: boolean): number {
  for (const zoom of [...ZOOMS].reverse().filter((z) => z <= 1)) {
    const name = levelOf(zoom, narrow);
    const level = graph.levels[name];
    const scale = zoom / NOMINAL[name];
    if (level.width * scale <= width + 1 && level.height * scale <= height + 1) return zoom;
  }
  const { width: w, height: t } = graph.levels.overview;
  return Math.max(SMALLEST, NOMINAL.overview * Math.min(width / w, height / t));
}

/**
 * Where something of this size may stand in so much room, at best at ``at``. What fits is in the middle; what does not
 * leaves no room at its ends, other than beside a part of the room that is covered, from behind which all can be moved.
 */
export function hold(at: number, size: number, room: number, covered = 0): number {
  const middle = (room - size) / 2;
  const [low, high] = [Math.min(Math.max(0, middle), room - size - covered), Math.max(0, middle)];
  return Math.round(Math.min(high, Math.max(low, at)));
}

const MARGIN = 24;

/** Where the graph must stand so that a node at a place in it is in the room, moved no further than needed. */
export function reach(at: number, place: number, size: number, room: number): number {
  if (place + at < MARGIN) return MARGIN - place;
  return place + size + at > room - MARGIN ? room - MARGIN - place - size : at;
}

export type Arrow = "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown";

/** The step that an arrow key leads to: a predecessor or successor, or the neighbour in the column. */
export function neighbour(graph: Graph, level: Level, from: string, key: Arrow): string {
  const index = new Map(graph.steps.map((s, i) => [s.name, i]));
  const here = level.at[index.get(from) ?? 0];
  if (!here) return from;
  const place = (name: string) => level.at[index.get(name) ?? 0] ?? here;
  if (key === "ArrowLeft" || key === "ArrowRight") {
    const names =
      key === "ArrowLeft"
        ? graph.edges.filter(([, target]) => target === from).map(([source]) => source)
        : graph.edges.filter(([source]) => source === from).map(([, target]) => target);
    return nearest(names, (name) => Math.abs(place(name)[1] - here[1])) ?? from;
  }
  const down = key === "ArrowDown";
  const column = graph.steps
    .map((s) => s.name)
    .filter((name) => Math.abs(place(name)[0] - here[0]) < 1 && (down ? place(name)[1] > here[1] : place(name)[1] < here[1]));
  return nearest(column, (name) => Math.abs(place(name)[1] - here[1])) ?? from;
}

function nearest(names: string[], distance: (name: string) => number): string | undefined {
  return names.reduce<string | undefined>(
    (best, name) => (best === undefined || distance(name) < distance(best) ? name : best),
    undefined,
  );
}

/** A step with everything it needs and everything that needs it. */
export function lineage(graph: Graph, name: string): Set<string> {
  const found = new Set([name]);
  for (const forward of [true, false]) {
    const todo = [name];
    for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
      for (const [source, target] of graph.edges) {
        const [from, to] = forward ? [source, target] : [target, source];
        if (from === at && !found.has(to)) {
          found.add(to);
          todo.push(to);
        }
      }
    }
  }
  return found;
}

/** Names that share their first twelve characters with another keep their ends when they are cut. */
export function alike(names: string[]): Set<string> {
  const starts = new Map<string, string[]>();
  for (const name of names) starts.set(name.slice(0, 12), [...(starts.get(name.slice(0, 12)) ?? []), name]);
  return new Set([...starts.values()].filter((group) => group.length > 1).flat());
}
