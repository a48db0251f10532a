"""The line that a step's cell shows about its step, and what else there is to say: for people, and for other tools."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from IPython.display import publish_display_data

from nbsteps.core.errors import StoreError
from nbsteps.core.events import Event, StepSucceeded, Warned
from nbsteps.core.model import Result, StepRun
from nbsteps.core.states import StepState
from nbsteps.display import text
from nbsteps.engine.session import Session
from nbsteps.notebook.wire import STATE_KEY

_STYLE = "color:var(--jp-ui-font-color2,#777);font-size:11px"


class Remarks:
    """Listener that collects what a person should know although the step went well."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def emit(self, event: Event) -> None:
        """Keep warnings, and what was not kept."""
        match event:
            case Warned():
                self.add(event.message, event.hint)
            case StepSucceeded():
                for what in event.uncacheable:
                    self.add(f"not cached: {what}")
            case _:
                pass

    def add(self, message: str, hint: str = "") -> None:
        """Keep one remark, once."""
        line = f"{message} ({hint})" if hint else message
        if line not in self.lines:
            self.lines.append(line)


@contextmanager
def remarks(session: Session, step: str) -> Iterator[Remarks]:
    """Collect remarks while a step is executed; what is doubtful about its cell comes first."""
    found = Remarks()
    for problem in session.graph().problems:
        if problem.step == step and problem.severity == "warning":
            found.add(f"warning: {problem.message}", problem.hint)
    listeners = session.services.listeners
    listeners.append(found)
    try:
        yield found
    finally:
        listeners.remove(found)


def note(line: str, step: StepRun, said: Iterable[str] = ()) -> None:
    """An unobtrusive line under the cell, remarks below it; its metadata tells other tools the step's state."""
    lines = [line, *said]
    state = {
        "step": step.step,
        "state": str(step.state),
        "reason": step.reason,
        "reasons": list(step.reasons),
        "attempts": step.attempts,
        "duration_s": (step.ended_at or 0) - (step.started_at or step.ended_at or 0),
        "remarks": lines[1:],
    }
    if step.failure is not None and step.items is not None:  # the cell's error is that of one item
        state["error"] = {"type": step.failure.error_type, "message": step.failure.message}
    shown = "<br>".join(map(html.escape, lines))
    publish({"text/plain": "\n".join(lines), "text/html": f'<div style="{_STYLE}">{shown}</div>'}, {STATE_KEY: state})


def publish(data: Mapping[str, Any], metadata: Mapping[str, Any] | None = None, **how: Any) -> None:
    """Show data in the cell that is being executed; ``how`` are words of ``publish_display_data``."""
    publish_display_data(dict(data), dict(metadata or {}), **how)  # type: ignore[no-untyped-call]


def show_again(session: Session, step: StepRun, result: Result, said: Remarks) -> None:
    """Show what the body showed when the result was made: long ago, or before its cell's turn in this run."""
    services = session.services
    displays: Any = ()
    if result.displays is not None:
        try:
            displays = services.store.get(result.displays)
        except StoreError as error:
            said.add(f"what it showed is lost: {error.args[0]}", f"%pipeline run --force {step.step}")
    if step.state is StepState.CACHED:
        note(text.restored_note(replace(result, step=step.step), services.clock.now()), step, said.lines)
    else:
        note(text.ran_note(step), step, said.lines)
    services.evaluator.replay(tuple(displays), "")
