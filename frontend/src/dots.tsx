// All steps where these are as small as dots, as one drawing below their buttons: each is one shape, filled with its
// state's bar and mark. A thousand marks as drawings of their own take the browser twenty milliseconds to put together
// whenever one of them changes, and as shapes of their own in one drawing half as long to lay out.

import { h } from "preact";
import { memo, useKept } from "./memo";
import { shapesOf, STATE_ORDER } from "./parts";
import type { Level, Shown } from "./types";

/** Pixels that a dot is high in the layout, and units that its mark is drawn in. */
const [HIGH, UNITS] = [12, 16];

export function Dots({ level, scale, names, nodes, shows, id }: {
  level: Level;
  scale: number;
  names: string[];
  nodes: Record<string, Shown>;
  /** Whether a step is to be seen well, or only faintly. */
  shows: (name: string) => boolean;
  /** What no other element of the page is called, nor begins like. */
  id: string;
}) {
  const kept = useKept();
  return (
    <svg class="dots" width={level.width * scale} height={level.height * scale} viewBox={`0 0 ${level.width} ${level.height}`} aria-hidden="true">
      <Fillings id={id} wide={(level.node[0] / HIGH) * UNITS} />
      {names.map((name, i) => {
        const [state, faint] = [nodes[name]?.state ?? "pending", !shows(name)];
        const [x, y] = level.at[i]!;
        return kept(name, [state, faint, level], () => (
          <rect key={name} x={x} y={y} width={level.node[0]} height={HIGH} fill={`url(#${id}-${state})`} class={faint ? "faint" : undefined} />
        ));
      })}
    </svg>
  );
}

const Fillings = memo(function Fillings({ id, wide }: { id: string; wide: number }) {
  return (
    <defs>
      {STATE_ORDER.map((state) => (
        <pattern key={state} id={`${id}-${state}`} data-s={state} width="1" height="1" viewBox={`0 0 ${wide} ${UNITS}`}>
          <rect class="bar" width={wide} height={UNITS} rx={UNITS / 2} />
          <g transform={`translate(${(wide - UNITS) / 2})`}>{shapesOf(state).map(([tag, attributes], i) => h(tag, { key: i, ...attributes }))}</g>
        </pattern>
      ))}
    </defs>
  );
});
