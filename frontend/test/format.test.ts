import assert from "node:assert/strict";
import { test } from "node:test";
import { split } from "../src/diff";
import { ago, duration, elapsed, middle, moment, roughly } from "../src/format";
import { check } from "../src/validate";

// The same table as tests/display/test_wording.py: both sides write durations alike.
const DURATIONS: [number, string][] = [
  [0, "0ms"], [0.0001, "<1ms"], [0.012, "12ms"], [0.1, "0.1s"], [9.94, "9.9s"], [42, "42s"], [59.4, "59s"],
  [59.6, "1m 00s"], [64, "1m 04s"], [3599.6, "1h 00m"], [7800, "2h 10m"], [NaN, "?"], [-1, "0ms"],
];

test("durations", () => {
  for (const [seconds, expected] of DURATIONS) assert.equal(duration(seconds), expected);
});

// The same table as there.
const ESTIMATES: [number, string][] = [
  [-5, "a few seconds"], [0, "a few seconds"], [9.9, "a few seconds"], [10, "10s"], [11.2, "15s"], [54, "55s"], [55, "1 min"], [89, "1 min"],
  [91, "2 min"], [3560, "59 min"], [3599, "1 h"], [4700, "1 h 20 min"], [7100, "2 h"], [NaN, "a few seconds"], [Infinity, "a few seconds"],
];

test("estimates", () => {
  for (const [seconds, expected] of ESTIMATES) assert.equal(roughly(seconds), expected, String(seconds));
});

test("what ticks shows whole seconds", () => {
  assert.deepEqual([0.2, 9.9, 61].map(elapsed), ["0s", "9s", "1m 01s"]);
});

test("moments and ages", () => {
  const noon = new Date(2026, 0, 15, 12, 0).getTime() / 1000;
  assert.deepEqual(
    [noon, noon - 86_400, noon - 20 * 86_400].map((at) => moment(at, noon)),
    ["Today 12:00", "Yesterday 12:00", "26 Dec 12:00"],
  );
  assert.deepEqual([10, 600, 7300, 90_000, 180_000].map(ago), ["just now", "10 min ago", "2 h ago", "1 day ago", "2 days ago"]);
});

test("a cut name keeps its end", () => {
  assert.equal(middle("validate_account_schema_v2", 12), "valida…ma_v2");
  assert.equal(middle("short", 12), "short");
});

test("a diff side by side", () => {
  const pairs = split("--- before\n+++ now\n@@ -1,2 +1,2 @@\n same\n-old\n+new\n+more");
  assert.deepEqual(pairs.map(({ before, after }) => [before, after]), [
    ["@@ -1,2 +1,2 @@", "@@ -1,2 +1,2 @@"], ["same", "same"], ["old", "new"], [null, "more"],
  ]);
});

test("fields of a form", () => {
  const field = (type: string, choices: string[] = [], standard: string | null = null) => ({ name: "x", type, default: standard, choices });
  const cases: [ReturnType<typeof field>, string, string][] = [
    [field("int"), "3", ""], [field("int"), "3.5", "Enter a whole number"], [field("float"), "1e-3", ""],
    [field("float"), "many", "Enter a number"], [field("date"), "2026-01-31", ""], [field("date"), "31.1.", "Enter a date as 2026-01-31"],
    [field("choice", ["a", "b"]), "c", "Choose a or b"], [field("str"), "", "Required"], [field("str", [], ""), "", ""],
  ];
  for (const [one, value, expected] of cases) assert.equal(check([one], { x: value }).x ?? "", expected);
});
