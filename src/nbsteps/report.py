"""Runs and plans as JSON-able data, and back: what ``--json`` prints and what the kernel tells the command line.

What is printed keeps its shape from the first release on: keys are added, never renamed.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from nbsteps.core.approvals import Request
from nbsteps.core.decide import Action, Decision
from nbsteps.core.errors import Problem
from nbsteps.core.graph import Graph
from nbsteps.core.model import Failure, ItemCounts, Run, RunResult, StepRun
from nbsteps.core.plan import Plan
from nbsteps.core.policies import Field, OnExpire, OnReject
from nbsteps.core.states import RunState, StepState

EXIT_CODES = {
    RunState.SUCCEEDED: 0,
    RunState.FAILED: 1,
    RunState.CRASHED: 1,
    RunState.WAITING: 3,
    RunState.CANCELLED: 130,
}


_STEP_KEYS = ("step", "state", "decision", "reason", "reasons", "attempts", "duration_s", "error", "items", "cell")
_PROBLEM_KEYS = ("step", "cell", "message", "hint")


def printed(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report as ``--json`` prints it, without what only our own processes tell one another."""
    shown = {name: value for name, value in report.items() if name != "run"}
    steps = [{key: row[key] for key in _STEP_KEYS if key in row} for row in report["steps"]]
    problems = [{key: row[key] for key in _PROBLEM_KEYS} for row in report["problems"]]
    return {**shown, "problems": problems, "steps": steps}


def problem_rows(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """Problems as rows; ``severity`` tells errors from warnings."""
    return [
        {"step": p.step, "cell": p.cell, "message": p.message, "hint": p.hint, "severity": p.severity} for p in problems
    ]


def step_row(step: StepRun, cell: str = "") -> dict[str, Any]:
    """One step of a run, with the label of its cell; durations in seconds."""
    failure = step.failure
    started, ended = step.started_at, step.ended_at
    return {
        "step": step.step,
        "state": str(step.state),
        "reason": step.reason,
        "reasons": list(step.reasons),
        "attempts": step.attempts,
        "duration_s": round(ended - started, 6) if started is not None and ended is not None else 0.0,
        "error": None if failure is None else {"type": failure.error_type, "message": failure.message},
        "items": None if step.items is None else asdict(step.items),
        "time_saved_s": round(step.time_saved, 6),
        "hint": "" if failure is None else failure.hint,
        "handled": step.handled,
        "request": None if step.request is None else asdict(step.request),
        "label": cell,
        "traceback": "" if failure is None else failure.traceback,
    }


def run_report(
    result: RunResult, problems: Iterable[Problem] = (), output: str = "", cells: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A run as the one object that ``nbsteps run --json`` prints; steps in graph order.

    Args:
        result: the run.
        problems: of the notebook.
        output: where the executed notebook is.
        cells: labels of the steps' cells, by step.
    """
    run, labels = result.run, cells or {}
    duration = (run.ended_at or run.started_at) - run.started_at
    return {
        "run_id": run.run_id,
        "state": str(run.state),
        "exit_code": EXIT_CODES.get(run.state, 1),
        "notebook": run.notebook,
        "output": output,
        "duration_s": round(duration, 6),
        "problems": problem_rows(problems),
        "steps": [step_row(step, labels.get(step.step, "")) for step in result.steps.values()],
        "run": {
            "trigger": run.trigger,
            "started_at": run.started_at,
            "host": run.host,
            "pid": run.pid,
            "user": run.user,
            "parameters": dict(run.parameters),
        },
    }


def trouble(report: Mapping[str, Any]) -> list[Problem]:
    """What went wrong in a run beside its steps: context cells that failed, a kernel that died."""
    return [Problem(**row) for row in report["problems"] if row["severity"] == "error" and not row["step"]]


def refused_report(notebook: str, problems: Iterable[Problem]) -> dict[str, Any]:
    """What is printed where nothing was started."""
    return {
        "run_id": None,
        "state": "refused",
        "exit_code": 2,
        "notebook": notebook,
        "output": "",
        "duration_s": 0.0,
        "problems": problem_rows(problems),
        "steps": [],
    }


def crashed_report(
    run_id: str, notebook: str, rows: Iterable[Mapping[str, Any]], started_at: float, words: str
) -> dict[str, Any]:
    """A run whose kernel died; ``rows`` say what is known of the steps, ``words`` what the kernel said at last."""
    steps = {
        row["step"]: StepRun(
            row["step"],
            StepState(row["state"]),
            row.get("reason", ""),
            reasons=tuple(row.get("reasons", ())),
            started_at=0.0,
            ended_at=row.get("duration_s", 0.0),
            attempts=row.get("attempts", 0),
        )
        for row in rows
    }
    run = Run(
        run_id=run_id,
        notebook=notebook,
        trigger="",
        started_at=started_at,
        host=platform.node(),
        pid=os.getpid(),
        user="",
        state=RunState.CRASHED,
        ended_at=time.time(),
    )
    said = f"; it said at last: {words}" if words else ""
    crash = Problem("", "", f"the kernel died{said}", "run again: what succeeded is kept")
    return run_report(RunResult(run, steps), [crash])


def read_report(report: Mapping[str, Any]) -> RunResult:
    """The inverse of :func:`run_report`, for callers in another process than the run."""
    info = report["run"]
    run = Run(
        run_id=report["run_id"],
        notebook=report["notebook"],
        trigger=info["trigger"],
        started_at=info["started_at"],
        host=info["host"],
        pid=info["pid"],
        user=info["user"],
        parameters=info["parameters"],
        state=RunState(report["state"]),
        ended_at=info["started_at"] + report["duration_s"],
    )
    return RunResult(run, {row["step"]: _read_step(row) for row in report["steps"]})


def _read_step(row: Mapping[str, Any]) -> StepRun:
    error = row["error"]
    failure = None if error is None else Failure(error["type"], error["message"], row["traceback"], row["hint"])
    return StepRun(
        step=row["step"],
        state=StepState(row["state"]),
        reason=row["reason"],
        reasons=tuple(row["reasons"]),
        started_at=0.0,
        ended_at=row["duration_s"],
        attempts=row["attempts"],
        time_saved=row["time_saved_s"],
        failure=failure,
        items=None if row["items"] is None else ItemCounts(**row["items"]),
        handled=row["handled"],
        request=None if row["request"] is None else _read_request(row["request"]),
    )


def _read_request(row: Mapping[str, Any]) -> Request:
    """What a step waits for."""
    fields = tuple(Field(**{**field, "choices": tuple(field["choices"])}) for field in row["fields"])
    inputs = tuple((name, text) for name, text in row["inputs"])
    rules = {"on_expire": OnExpire(row["on_expire"]), "on_reject": OnReject(row["on_reject"])}
    more = {"fields": fields, "inputs": inputs, "approvers": tuple(row["approvers"])}
    return Request(**{**row, **rules, **more})


def plan_rows(plan: Plan, graph: Graph) -> list[dict[str, Any]]:
    """A forecast as rows in graph order, the context cells that are needed first."""
    plain = {"attempts": 0, "error": None, "items": None}
    contexts: list[dict[str, Any]] = [
        {
            "step": None,
            "cell": cell,
            "decision": str(Action.CONTEXT),
            "reason": f"needed by {step}",
            "reasons": [],
            "duration_s": None,
            **plain,
        }
        for cell, step in plan.contexts.items()
    ]
    return contexts + [
        {"step": name, "cell": graph.steps[name].cell.label, **decision_row(decision), **plain}
        for name, decision in plan.decisions.items()
    ]


def decision_row(decision: Decision) -> dict[str, Any]:
    """A decision; ``duration_s`` is how long the body took the last time, None where unknown."""
    reasons = [str(reason) for reason in decision.reasons]
    return {
        "decision": str(decision.action),
        "reason": reasons[0] if reasons else "",
        "reasons": reasons,
        "duration_s": None if decision.result is None else round(decision.result.duration, 6),
    }


def plan_report(notebook: str, plan: Plan, graph: Graph) -> dict[str, Any]:
    """A forecast as the one object that ``nbsteps plan --json`` prints."""
    errors = graph.errors()
    return {
        "run_id": None,
        "state": "planned",
        "exit_code": 2 if errors else 0,
        "notebook": notebook,
        "output": "",
        "duration_s": 0.0,
        "problems": problem_rows(graph.problems),
        "steps": plan_rows(plan, graph),
    }
