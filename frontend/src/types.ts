// What the Python side sends: see board.py, levels.py, details.py, runs.py, timeline.py and trends.py in nbsteps.display.

export interface Level {
  width: number;
  height: number;
  node: [number, number];
  at: [number, number][];
  edges: [number, number, string, number, number][];
  /** Conditions: index of the step, text, middle. */
  labels: [number, string, number, number][];
}
export type LevelName = "full" | "compact" | "line" | "overview";
export interface Step {
  name: string;
  cell: string;
  cell_id: string;
  outputs: string[];
  /** What must hold for it to run, and the group of steps of which one runs. */
  when: string;
  branch: string;
}
export interface Problem {
  severity: string;
  message: string;
  hint: string;
  step: string;
  cell: string;
}
export interface Graph {
  title: string;
  steps: Step[];
  /** Source, target, variables, and what the edge stands for: data, order or watch. */
  edges: [string, string, string[], string][];
  levels: Record<LevelName, Level>;
  problems: Problem[];
}
export interface Shown {
  state: string;
  word: string;
  number: string;
  reasons: string;
  since: number | null;
  share: number | null;
  usual: number | null;
  /** What its body said of its progress; missing in what older kernels say. */
  text?: string;
}
export interface RunView {
  run_id: string;
  state: string;
  word: string;
  started: number;
  ended: number | null;
  done: number;
  total: number;
  until: number | null;
  after: number;
  most: boolean;
}
/** How the next run is executed, and what there is to choose from. */
export interface How {
  workers: number;
  executor: string;
  executors: string[];
  cores: number;
}
export interface ReportPage {
  name: string;
  page: string;
}
export interface Field {
  name: string;
  type: string;
  default: string | null;
  choices: string[];
}
export interface Form {
  step: string;
  message: string;
  since: number;
  expires: number | null;
  fields: Field[];
  inputs: [string, string][];
  approvers: string[];
}
export interface Live {
  seq: number;
  now: number;
  nodes: Record<string, Shown>;
  run: RunView | null;
  running: boolean;
  forecast: string;
  failed: number;
  badge: string;
  requests: Form[];
  /** Missing in deltas, and of kernels that are older than this script. */
  how?: How;
}
export interface Delta extends Live {
  said: string[];
}

export interface Reason {
  what: string;
  before: string;
  after: string;
  diff: string;
}
export interface Value {
  name: string;
  step: string;
  type: string;
  summary: string;
  size: string;
  columns: string[];
  rows: string[][];
}
export interface AttemptRow {
  /** Key of an item of a map; "" for other attempts. */
  item: string;
  /** Number of the item and a few words on it, for people. */
  label: string;
  attempt: number;
  state: string;
  word: string;
  started: number;
  duration: string;
  delay: string;
  error: string;
}
export interface Output {
  kind: "text" | "image" | "error";
  text: string;
}
export interface Bar {
  state: string;
  seconds: number;
  text: string;
}
export interface Detail {
  step: string;
  source: string;
  first: number;
  options: [string, string][];
  action: string;
  reasons: Reason[];
  inputs: Value[];
  outputs: Value[];
  log: Output[];
  error: { type: string; message: string; traceback: string; line: number | null } | null;
  /** Those of failed items first. */
  attempts: AttemptRow[];
  /** How many there are, with those that are not here. */
  tried: number;
  history: Bar[];
  median: string;
  /** What became of a map's items the last time; null for other steps. */
  items: { total: number; executed: number; failed: number } | null;
  /** Keeping the stored result although code changed: what tells this offer from any other, when it was made. */
  accept: { seen: string; made: string } | null;
  /** Who kept the stored result although code had changed; "" for nobody. */
  kept: string;
}
export interface RunRow {
  run_id: string;
  number: number;
  state: string;
  word: string;
  started: number;
  seconds: number;
  duration: string;
  steps: string[];
  cached: number;
  saved_seconds: number;
  saved: string;
  trigger: string;
}
export interface Tick {
  at: number;
  text: string;
}
export interface GanttBar {
  kind: string;
  start: number;
  end: number;
  row: number;
  text: string;
}
export interface Lane {
  step: string;
  state: string;
  word: string;
  number: string;
  start: number | null;
  end: number | null;
  critical: boolean;
  rows: number;
  bars: GanttBar[];
}
export interface TimelineView {
  run_id: string;
  state: string;
  word: string;
  started_at: number;
  total: number;
  critical: string[];
  lanes: Lane[];
  ticks: Tick[];
  kinds: [string, string][];
  facts: [string, string][];
  runs: RunRow[];
}
export interface TrendsView {
  enough: boolean;
  count: number;
  facts: [string, string, string][];
  runs: { run_id: string; number: number; started_at: number; state: string; word: string; duration: number; text: string; hit_rate: number | null; saved_so_far: number }[];
  median: number | null;
  duration_ticks: Tick[];
  saved_ticks: Tick[];
  steps: { step: string; median: string; change: string; slower: boolean; hit_rate: string; bars: Bar[] }[];
}
