// The whole graph small, with the part that is seen; dragging it or the arrow keys move the view.

import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Level, Shown } from "./types";

const [WIDTH, HEIGHT] = [196, 88];
/** Below a narrow graph: as wide as there is room, and lower. */
const LOW = 56;

export interface Size {
  /** Size of the overview's pixels in those of the layout. */
  scale: number;
  width: number;
  height: number;
}

/** How large the overview of a layout is: over the graph, or below it in so much room. */
export function sizeOf(level: Level, below: number | null): Size {
  const scale = Math.min((below ?? WIDTH) / level.width, (below === null ? HEIGHT : LOW) / level.height);
  return { scale, width: level.width * scale, height: level.height * scale };
}

export function Minimap({ level, scale, nodes, names, small, camera, frame, width, height, put }: {
  level: Level;
  scale: number;
  nodes: Record<string, Shown>;
  names: string[];
  small: Size;
  camera: { current: { x: number; y: number } };
  frame: { current: HTMLElement | null };
  width: number;
  height: number;
  put: (x: number, y: number) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const seen = { width: Math.min(width / scale, level.width) * small.scale, height: Math.min(height / scale, level.height) * small.scale };
  useEffect(() => {
    const element = frame.current;
    const follow = () => {
      // Kept inside in numbers: a clip with round corners would be a drawing more in each frame.
      const x = Math.min((-camera.current.x / scale) * small.scale, small.width - seen.width);
      const y = Math.min((-camera.current.y / scale) * small.scale, small.height - seen.height);
      if (box.current) box.current.style.transform = `translate(${Math.max(0, x)}px,${Math.max(0, y)}px)`;
    };
    follow();
    element?.addEventListener("nbs-moved", follow);
    return () => element?.removeEventListener("nbs-moved", follow);
  }, [scale, small, width, height]);
  const shapes = useMemo(() => {
    const [w, t] = [Math.max(2, level.node[0] * small.scale), Math.max(1.5, level.node[1] * small.scale)].map((size) => +size.toFixed(2));
    const shape = `h${w! - 1}q.5 0 .5 .5v${t! - 1}q0 .5 -.5 .5h${1 - w!}q-.5 0 -.5 -.5v${1 - t!}q0 -.5 .5 -.5z`;
    return level.at.map(([x, y]) => `M${(x * small.scale + 0.5).toFixed(1)} ${(y * small.scale).toFixed(1)}${shape}`);
  }, [level, small]);
  const drawn = new Map<string, string>();
  names.forEach((name, i) => {
    const state = nodes[name]?.state ?? "pending";
    drawn.set(state, (drawn.get(state) ?? "") + shapes[i]);
  });
  const move = (event: PointerEvent) => {
    if (!(event.buttons & 1)) return;
    const at = (event.currentTarget as SVGElement).getBoundingClientRect();
    put(width / 2 - ((event.clientX - at.left) / small.scale) * scale, height / 2 - ((event.clientY - at.top) / small.scale) * scale);
  };
  const walk = (event: KeyboardEvent) => {
    const way = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!way) return;
    put(camera.current.x + way[0]! * 80, camera.current.y + way[1]! * 40);
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="mini" tabIndex={0} role="group" aria-label="Overview of the graph; arrow keys move the view" onKeyDown={walk}>
      <svg width={small.width} height={small.height} onPointerDown={move} onPointerMove={move} aria-hidden="true">
        {[...drawn].map(([state, path]) => <path key={state} data-s={state} d={path} />)}
      </svg>
      <div class="seen" ref={box} style={seen} />
    </div>
  );
}
