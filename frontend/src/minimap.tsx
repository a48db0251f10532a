// The whole graph small, with the part that is seen; dragging it or the arrow keys move the view.

import { useEffect, useRef } from "preact/hooks";
import type { Level, Shown } from "./types";

const [WIDTH, HEIGHT] = [196, 88];

export function Minimap({ level, scale, nodes, names, camera, frame, width, height, put }: {
  level: Level;
  scale: number;
  nodes: Record<string, Shown>;
  names: string[];
  camera: { current: { x: number; y: number } };
  frame: { current: HTMLElement | null };
  width: number;
  height: number;
  put: (x: number, y: number) => void;
}) {
  const box = useRef<SVGRectElement>(null);
  const small = Math.min(WIDTH / level.width, HEIGHT / level.height);
  useEffect(() => {
    const element = frame.current;
    const follow = () => {
      const shape = box.current;
      if (!shape) return;
      shape.setAttribute("x", String((-camera.current.x / scale) * small));
      shape.setAttribute("y", String((-camera.current.y / scale) * small));
    };
    follow();
    element?.addEventListener("nbs-moved", follow);
    return () => element?.removeEventListener("nbs-moved", follow);
  });
  const move = (event: PointerEvent) => {
    if (!(event.buttons & 1)) return;
    const at = (event.currentTarget as SVGElement).getBoundingClientRect();
    put(width / 2 - ((event.clientX - at.left) / small) * scale, height / 2 - ((event.clientY - at.top) / small) * scale);
  };
  const walk = (event: KeyboardEvent) => {
    const way = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!way) return;
    put(camera.current.x + way[0]! * 80, camera.current.y + way[1]! * 40);
    event.preventDefault();
    event.stopPropagation();
  };
  const [w, t] = [Math.max(2, level.node[0] * small), Math.max(1.5, level.node[1] * small)];
  return (
    <div class="mini" tabIndex={0} role="group" aria-label="Overview of the graph; arrow keys move the view" onKeyDown={walk}>
      <svg width={level.width * small} height={level.height * small} onPointerDown={move} onPointerMove={move} aria-hidden="true">
        {names.map((name, i) => (
          <rect key={name} data-s={nodes[name]?.state ?? "pending"} x={level.at[i]![0] * small} y={level.at[i]![1] * small} width={w} height={t} rx="1" />
        ))}
        <rect ref={box} class="seen" width={Math.min(width / scale, level.width) * small} height={Math.min(height / scale, level.height) * small} />
      </svg>
    </div>
  );
}
