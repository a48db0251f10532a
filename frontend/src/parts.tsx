// Marks, icons and the small parts that every view is made of.

import { h, type ComponentChildren, type JSX } from "preact";
import marks from "./marks.json";

/** An element's name and attributes. */
export type Shape = [string, Record<string, string>];
const STATES = marks as unknown as Record<string, { word: string; mark: Shape[] }>;

export function wordOf(state: string): string {
  return STATES[state]?.word ?? state;
}

export const STATE_ORDER = [
  "failed", "crashed", "upstream_failed", "waiting", "retrying", "running", "queued", "succeeded", "cached", "stale",
  "pending", "skipped", "cancelled",
];

export function shapesOf(state: string): Shape[] {
  return (STATES[state] ?? STATES.pending!).mark;
}

/** The mark of a state; with `label` it is spoken, otherwise the word stands beside it. */
export function Mark({ state, label = false, small = false }: { state: string; label?: boolean; small?: boolean }) {
  const shapes = shapesOf(state).map(([tag, attributes], i) => h(tag, { key: i, ...attributes }));
  // The whole mark turns: the browser does that without drawing it again, other than a part of a drawing.
  const kinds = ["mark", small && "sm", state === "running" && "spin"].filter(Boolean).join(" ");
  const spoken = label ? { role: "img" as const, "aria-label": wordOf(state) } : { "aria-hidden": true as const };
  return (
    <svg class={kinds} data-s={state} viewBox="0 0 16 16" {...spoken}>
      {shapes}
    </svg>
  );
}

const STROKE = { stroke: "currentColor", "stroke-width": "1.5", "stroke-linecap": "round", "stroke-linejoin": "round", fill: "none" } as const;
const ICONS: Record<string, [string, string][]> = {
  run: [["fill", "M4.5 2.8v10.4L13 8z"]],
  resume: [["line", "M3 8a5 5 0 1 0 1.7-3.75"], ["line", "M3 2.3v3h3"]],
  force: [["line", "M8.8 1.8L3.5 9h4l-.6 5.2L12.5 7h-4z"]],
  down: [["line", "M4.5 6.3L8 9.8l3.5-3.5"]],
  stop: [["fill", "M5 3.5h6A1.5 1.5 0 0 1 12.5 5v6a1.5 1.5 0 0 1-1.5 1.5H5A1.5 1.5 0 0 1 3.5 11V5A1.5 1.5 0 0 1 5 3.5z"]],
  close: [["line", "M4.5 4.5l7 7M11.5 4.5l-7 7"]],
  check: [["line", "M3.5 8.5l3 3 6-6.5"]],
  plus: [["line", "M8 3.5v9M3.5 8h9"]],
  minus: [["line", "M3.5 8h9"]],
  fit: [["line", "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10"]],
  search: [["line", "M7 2.75a4.25 4.25 0 1 0 0 8.5 4.25 4.25 0 0 0 0-8.5z"], ["line", "M10.3 10.3l3.2 3.2"]],
  code: [["line", "M5.5 4.5L2 8l3.5 3.5M10.5 4.5L14 8l-3.5 3.5"]],
  page: [["line", "M4 1.8h5.2L12.5 5v9.2H4zM9 1.8V5.2h3.5M6 8.2h4.5M6 11h4.5"]],
  graph: [["line", "M2 6h4v4H2zM10 2h4v4h-4zM10 10h4v4h-4zM6 8h2M8 4v8M8 4h2M8 12h2"]],
};

export function Icon({ name }: { name: string }) {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      {(ICONS[name] ?? []).map(([kind, d]) => (kind === "fill" ? <path key={d} d={d} fill="currentColor" /> : <path key={d} d={d} {...STROKE} />))}
    </svg>
  );
}

interface ButtonProps extends Omit<JSX.HTMLAttributes<HTMLButtonElement>, "icon" | "label"> {
  icon?: string;
  type?: "button" | "submit";
  primary?: boolean;
  ghost?: boolean;
  disabled?: boolean;
  children?: ComponentChildren;
}

export function Button({ icon, primary, ghost, children, ...rest }: ButtonProps) {
  const kinds = ["btn", primary && "pri", ghost && "ghost", icon && !children && "icon"].filter(Boolean).join(" ");
  return (
    <button type="button" class={kinds} {...rest}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

export function Pill({ state, word }: { state: string; word: string }) {
  return (
    <span class="pill" data-s={state}>
      <Mark state={state} />
      {word}
    </span>
  );
}

/** A state in a table: mark and word. */
export function State({ state, word }: { state: string; word: string }) {
  return (
    <span class="st" data-s={state}>
      <Mark state={state} small />
      <span class="w">{word}</span>
    </span>
  );
}

export function Strip({ states }: { states: string[] }) {
  return (
    <span class="strip" aria-hidden="true">
      {states.map((state, i) => (
        <i key={i} data-s={state} />
      ))}
    </span>
  );
}

export function Empty({ mark, icon, title, children, action }: { mark?: string; icon?: string; title: string; children: ComponentChildren; action?: ComponentChildren }) {
  return (
    <div class="empty">
      {mark ? <span class="big"><Mark state={mark} /></span> : <span class="big mut"><Icon name={icon ?? "graph"} /></span>}
      <h4>{title}</h4>
      <p>{children}</p>
      {action}
    </div>
  );
}

/** Up, Down, Home and End walk through the rows of a list, which is one stop of the Tab key. */
export function walkRows(event: KeyboardEvent, selector: string): void {
  const rows = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>(selector)];
  const at = rows.indexOf(event.target as HTMLElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  rows[Math.min(Math.max(to, 0), rows.length - 1)]!.focus();
  event.preventDefault();
  event.stopPropagation();
}

/** Tabs as buttons that the arrow keys walk through. */
export function Tabs({ names, current, choose, label, id, kind = "tabs" }: {
  names: { id: string; text: string; count?: number }[];
  current: string;
  choose: (id: string) => void;
  label: string;
  id: string;
  kind?: string;
}) {
  const walk = (event: KeyboardEvent) => {
    const at = names.findIndex((tab) => tab.id === current);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
    if (to === undefined) return;
    const next = names[(to + names.length) % names.length]!;
    choose(next.id);
    ((event.currentTarget as HTMLElement).children[names.indexOf(next)] as HTMLElement).focus();
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class={kind} role="tablist" aria-label={label} onKeyDown={walk}>
      {names.map((tab) => (
        <button
          key={tab.id}
          type="button"
          class="tab"
          role="tab"
          id={`${id}-${tab.id}`}
          aria-selected={tab.id === current}
          aria-controls={tab.id === current ? `${id}-panel` : undefined}
          tabIndex={tab.id === current ? 0 : -1}
          onClick={() => choose(tab.id)}
        >
          {tab.text}
          {tab.count !== undefined && <span class="ct">{tab.count}</span>}
        </button>
      ))}
    </div>
  );
}

export function Head({ text, right }: { text: string; right?: ComponentChildren }) {
  return (
    <h4 class="h">
      {text}
      {right && <span class="r">{right}</span>}
    </h4>
  );
}
