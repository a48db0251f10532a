// What a field must look like, so that a mistake is seen beside it; the kernel decides.

import type { Field } from "./types";

const INT = /^[+-]?\d+$/;
const FLOAT = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** Field to what is wrong with it; empty if nothing is. */
export function check(fields: Field[], values: Record<string, string>): Record<string, string> {
  const wrong: Record<string, string> = {};
  for (const field of fields) {
    const found = problem(field, (values[field.name] ?? "").trim());
    if (found) wrong[field.name] = found;
  }
  return wrong;
}

function problem(field: Field, value: string): string {
  if (value === "") return field.type === "str" && field.default !== null ? "" : "Required";
  if (field.type === "int" && !INT.test(value)) return "Enter a whole number";
  if (field.type === "float" && !FLOAT.test(value)) return "Enter a number";
  if (field.type === "date" && !DATE.test(value)) return "Enter a date as 2026-01-31";
  if (field.type === "choice" && !field.choices.includes(value)) return `Choose ${field.choices.join(" or ")}`;
  return "";
}
