"""What a headless run says as it goes: the facts that its process tells, and a graph as an outline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbsteps.core.graph import Graph
from nbsteps.core.states import StepState
from nbsteps.display.standing import SIGNS, outcome
from nbsteps.display.wording import duration, one_line


def fact_lines(fact: Mapping[str, Any], *, live: bool = False) -> list[str]:
    """What a fact says, remarks below it. With ``live`` without what a tree that is drawn meanwhile shows."""
    if fact["state"] in {"interrupted", "warning"}:
        return [f"! {one_line(str(fact.get('message', 'interrupting the kernel; once more to kill it')))}"]
    remarks = [one_line(str(remark)) for remark in fact.get("remarks", ())]
    if live and "step" in fact:
        return [f"! {one_line(str(fact['step']))}: {remark}" for remark in remarks]
    return [fact_line(fact), *(f"    {remark}" for remark in remarks)]


def fact_line(fact: Mapping[str, Any]) -> str:
    """One line for what became of a step, or for a context cell that failed or was slow."""
    if "step" not in fact:
        return _context_line(fact)
    state = StepState(fact["state"])
    error = fact.get("error")
    detail = fact.get("reason", "") if error is None else f"{error['type']}: {error['message']}"
    seconds = fact.get("duration_s") or 0.0
    took = f" {duration(seconds)}" if seconds and state is StepState.SUCCEEDED else ""
    why = f"  {one_line(str(detail))}" if detail and detail != "unchanged" else ""
    return f"{SIGNS[state]} {one_line(str(fact['step']))}  {outcome(state)}{took}{why}"


def _context_line(fact: Mapping[str, Any]) -> str:
    cell = one_line(str(fact["cell"]))
    if fact["state"] == "slow":
        took = duration(float(fact["duration_s"]))
        return f"{SIGNS[StepState.SUCCEEDED]} {cell}  took {took}: it could be a step (%%step NAME as its first line)"
    error = fact.get("error") or {"type": "error", "message": ""}
    return f"{SIGNS[StepState.FAILED]} {cell}  failed  {one_line(error['type'] + ': ' + error['message'])}"


def graph_lines(graph: Graph) -> str:
    """Each step in order, with what it reads from which step and what it writes."""
    if not graph.steps:
        return "No steps yet"
    lines = list[str]()
    for name, step in graph.steps.items():
        sources = ", ".join(f"{variable} ({source})" for variable, source in graph.sources[name].items())
        lines.append(f"{name}: {sources or 'nothing'} -> {', '.join(step.outputs) or 'nothing'}")
    return "\n".join(lines)
