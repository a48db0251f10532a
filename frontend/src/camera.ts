// Which part of the graph is seen, and the hand and the wheel that move it.

import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

export interface Camera {
  zoom: number;
  x: number;
  y: number;
}

export function useWheel(frame: { current: HTMLDivElement | null }, zoom: (event: WheelEvent, at: [number, number]) => void): void {
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

export function usePan(frame: { current: HTMLDivElement | null }, camera: { current: Camera }, put: (x: number, y: number) => void): void {
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

/** What is moved as a whole keeps the size at which it was first drawn, and would be blurred at another one. */
export function useSharp(stage: { current: HTMLDivElement | null }, scale: number): void {
  useLayoutEffect(() => {
    const element = stage.current;
    if (!element) return;
    element.style.willChange = "auto";
    const frame = requestAnimationFrame(() => requestAnimationFrame(() => (element.style.willChange = "")));
    return () => cancelAnimationFrame(frame);
  }, [stage.current, scale]);
}
