"""The kernel's side of a headless run: the papermill engine and the command line call these by name.

Requests and answers are JSON, so that nothing but text crosses between the processes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from IPython.core.getipython import get_ipython

from nbsteps.core.errors import NbstepsError, ProblemsError
from nbsteps.core.states import RunState
from nbsteps.display import text
from nbsteps.display.view import as_json, graph_model, node_views
from nbsteps.engine.accepting import accept
from nbsteps.engine.session import Session
from nbsteps.notebook.connection import connect
from nbsteps.notebook.means import means, steps_at_once
from nbsteps.notebook.progress_feed import feed_writer
from nbsteps.notebook.times import usual_times
from nbsteps.notebook.wire import rows_as_cells
from nbsteps.report import decision_row, plan_report, problem_rows, run_report


def call(name: str, request: str) -> str:
    """Answer one request. Errors of ours come back as data, with their exit code, and so do the store's messages."""
    try:
        answer = _HANDLERS[name](json.loads(request))
    except NbstepsError as error:
        problems = error.problems if isinstance(error, ProblemsError) else (error.problem,)
        answer = {"error": str(error), "exit_code": error.exit_code, "problems": problem_rows(problems)}
    return json.dumps({**answer, "warnings": connect(get_ipython()).take_messages()})


def _session(request: Mapping[str, Any]) -> Session:
    kernel = connect(get_ipython())
    kernel.trigger = request.get("trigger", "cli")
    return kernel.use_cells(Path(request["path"]), rows_as_cells(request["cells"]))


def _times(session: Session) -> dict[str, float]:
    return usual_times(session.services.store, session.services.notebook, session.graph().steps)


def _forced(session: Session, request: Mapping[str, Any]) -> frozenset[str]:
    """The steps that run whatever is stored: those that are asked for, not what they need as well."""
    every = request["steps"] or session.select() if request["force"] else ()
    return frozenset((*every, *request["forced"]))


def _begin(request: Mapping[str, Any]) -> dict[str, Any]:
    """Open the run that the cells' steps will join."""
    session = _session(request)
    forced = _forced(session, request)
    told = feed_writer(session.graph(), lambda: _times(session), steps_at_once(request["workers"], request["executor"]))
    if told is not None:
        session.services.listeners.append(told)
    run_id = session.begin(
        request["trigger"],
        managed=True,
        forced=forced,
        steps=request["steps"],
        parameters=request["parameters"],
        fail_fast=request["fail_fast"],
        means=means(request["workers"], request["executor"], {}),
    )
    return {"run_id": run_id}


def _end(request: Mapping[str, Any]) -> dict[str, Any]:
    """Close the run; ``state`` overrides what follows from the steps."""
    kernel = connect(get_ipython())
    state = RunState(request["state"]) if request.get("state") else None
    session = kernel.session
    result = session.end(state)
    session.services.store.close()
    if result is None:
        return {}
    graph = session.graph()
    return run_report(result, graph.problems, cells={name: step.cell.label for name, step in graph.steps.items()})


def _plan(request: Mapping[str, Any]) -> dict[str, Any]:
    session = _session(request)
    session.set_parameters(request["parameters"])
    plan = session.plan(request["steps"], _forced(session, request))
    report = plan_report(session.services.notebook, plan, session.graph())
    return {**report, "text": text.plan_lines(plan, session.graph(), _times(session))}


def _why(request: Mapping[str, Any]) -> dict[str, Any]:
    session = _session(request)
    session.set_parameters(request["parameters"])
    name = request["steps"][0]
    decision = session.why(name)
    details = [
        {"kind": str(r.kind), "name": r.name, "text": str(r), "before": r.before, "after": r.after}
        for r in decision.reasons
    ]
    shown = text.why_text(name, decision)
    return {"step": name, **decision_row(decision), "details": details, "text": shown}


def _status(request: Mapping[str, Any]) -> dict[str, Any]:
    session = _session(request)
    session.set_parameters(request["parameters"])
    rows = [(row.step.name, row.state, row.decision, row.result) for row in session.status()]
    model = graph_model(session.graph(), node_views(rows), title=session.services.notebook)
    steps = [{"step": name, "state": str(state), **decision_row(decision)} for name, state, decision, _ in rows]
    return {
        "notebook": session.services.notebook,
        "problems": problem_rows(session.graph().problems),
        "steps": steps,
        "text": text.status_lines(rows),
        "model": as_json(model),
    }


def _clear(request: Mapping[str, Any]) -> dict[str, Any]:
    session = _session(request)
    names = session.clear(request["steps"])
    session.services.store.close()
    return {"steps": list(names), "text": f"forgot the results of {', '.join(names) or 'no step'}"}


def _accept(request: Mapping[str, Any]) -> dict[str, Any]:
    session = _session(request)
    session.set_parameters(request["parameters"])
    name = request["steps"][0]
    result, reasons = accept(session, name)
    session.services.store.close()
    said = [str(reason) for reason in reasons]
    shown = text.accepted_line(result, reasons)
    return {"step": name, "key": result.key, "accepted_by": result.accepted_by, "reasons": said, "text": shown}


_HANDLERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "begin": _begin,
    "end": _end,
    "plan": _plan,
    "why": _why,
    "status": _status,
    "clear": _clear,
    "accept": _accept,
}
