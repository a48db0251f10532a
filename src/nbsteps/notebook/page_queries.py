"""Answers what a page asks about steps and runs, from the history: reads only, and leaves the session alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Final

from nbsteps.core.errors import NbstepsError, StoreError
from nbsteps.core.graph import Graph
from nbsteps.core.model import Artifact, Result
from nbsteps.display.chronicle import comparison, run_rows, timeline_view, trends_view
from nbsteps.display.details import Known, detail
from nbsteps.display.previews import Preview, preview
from nbsteps.display.report_page import SHORT
from nbsteps.display.timeline import timeline
from nbsteps.display.trends import LAST, trends
from nbsteps.engine.accepting import acceptable
from nbsteps.engine.session import Standing
from nbsteps.notebook.reports import LAST as LAST_RUN
from nbsteps.notebook.reports import run_report
from nbsteps.notebook.step_logs import StepLogs
from nbsteps.store.store import DuckStore

_DAY: Final = 86_400
_STEP_ROWS: Final = 40_000
_BARS: Final = 20
_ATTEMPTS: Final = 200
"""Attempts of one step that are shown: those of failed items come first."""
_PREVIEWED: Final = 20_000_000
"""Bytes of the largest stored table that is read for its first rows."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What the questions are about: the notebook as it was looked at last."""

    store: DuckStore
    notebook: str = ""
    graph: Graph = field(default_factory=Graph)
    standings: Mapping[str, Standing] = field(default_factory=dict)
    folder: Path = Path()


class PageQueries:
    """Answers questions, on a thread of its own.

    Args:
        logs: what steps that run have shown so far.
    """

    def __init__(self, logs: StepLogs) -> None:
        self.subject: Subject | None = None
        self._logs = logs
        self._questions: Mapping[str, Callable[[Subject, Mapping[str, Any]], Any]] = {
            "detail": self._detail,
            "runs": lambda subject, _message: self._runs(subject),
            "timeline": self._timeline,
            "trends": self._trends,
            "compare": self._compare,
            "report": self._report,
        }

    def knows(self, question: object) -> bool:
        """Whether this is a question."""
        return question in self._questions

    def answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The data that a message asks for, or what is wrong."""
        subject = self.subject
        if subject is None:
            return {"error": "there is nothing to show yet"}
        try:
            return {"data": self._questions[message["do"]](subject, message)}
        except NbstepsError as error:
            return {"error": str(error)}

    def _detail(self, subject: Subject, message: Mapping[str, Any]) -> dict[str, Any] | None:
        standing = subject.standings.get(str(message.get("step")))
        if standing is None:
            return None
        step, store = standing.step, subject.store
        result = standing.decision.result or standing.result
        sources = subject.graph.sources.get(step.name, {})
        inputs = {name: found for name, source in sources.items() if (found := _output(subject, source, name))}
        outputs = {} if result is None else result.outputs
        attempts, tried = store.history.latest_attempts(subject.notebook, step.name, _ATTEMPTS)
        known = Known(
            step=step,
            decision=standing.decision,
            result=result,
            sources=sources,
            inputs=inputs,
            previews={name: _preview(store, artifact) for name, artifact in outputs.items()},
            log=self._log(store, step.name, result),
            attempts=attempts,
            tried=tried,
            steps=_records(subject, "steps", step=step.name, limit=_BARS),
            acceptable=acceptable(standing.decision, result),
        )
        return detail(known)

    def _log(self, store: DuckStore, step: str, result: Result | None) -> Sequence[Mapping[str, Any]]:
        running = self._logs.of(step)
        if running is not None:
            return running
        if result is None or result.displays is None:
            return ()
        try:
            found: Any = store.get(result.displays)
        except StoreError:
            return ()
        return tuple(found)

    def _runs(self, subject: Subject) -> list[dict[str, Any]]:
        runs = _records(subject, "runs")
        return run_rows(runs, _records(subject, "steps", limit=_STEP_ROWS), subject.graph.steps)

    def _timeline(self, subject: Subject, message: Mapping[str, Any]) -> dict[str, Any] | None:
        runs = _records(subject, "runs")
        wanted = message.get("run")
        run = next((row for row in runs if row["run_id"] == wanted), runs[0] if runs else None)
        if run is None:
            return None
        rows = {kind: _records(subject, kind, run_id=run["run_id"]) for kind in ("steps", "attempts", "events")}
        covered = {row["step"] for row in rows["steps"]}
        parents = {name: needed for name, needed in subject.graph.parents.items() if name in covered}
        found = timeline(run, rows["steps"], rows["attempts"], parents=parents, events=rows["events"], now=time.time())
        return timeline_view(found, run_rows(runs, ()))

    def _trends(self, subject: Subject, message: Mapping[str, Any]) -> dict[str, Any]:
        days = message.get("days")
        runs = _records(subject, "runs")
        steps = _records(subject, "steps", limit=_STEP_ROWS)
        since = time.time() - days * _DAY if isinstance(days, int) else None
        found = trends(runs, steps, last=LAST if since is None else len(runs), since=since)
        return trends_view(found, {row["run_id"]: len(runs) - place for place, row in enumerate(runs)})

    def _compare(self, subject: Subject, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        before, after = (_records(subject, "steps", run_id=str(run)) for run in list(message.get("runs") or ())[:2])
        return comparison(before, after, subject.graph.steps)

    def _report(self, subject: Subject, message: Mapping[str, Any]) -> dict[str, Any] | None:
        """The report of a run as a page, and what its file could be called."""
        runs = _records(subject, "runs", limit=1)
        run = str(message.get("run") or (runs[0]["run_id"] if runs else LAST_RUN))
        page = run_report(subject.store.history, run, subject.folder, subject.graph)
        return {"name": f"{PurePath(subject.notebook).stem or 'run'}-{run[:SHORT]}.html", "page": page}


def _records(subject: Subject, kind: str, **filters: Any) -> list[dict[str, Any]]:
    return subject.store.history_records(kind, notebook=subject.notebook, **filters)


def _output(subject: Subject, step: str, variable: str) -> Artifact | None:
    standing = subject.standings.get(step)
    result = None if standing is None else standing.decision.result or standing.result
    return None if result is None else result.outputs.get(variable)


def _preview(store: DuckStore, artifact: Artifact) -> Preview:
    """The first rows of a stored table; nothing for what is no table, too large, or not to be read."""
    if artifact.bytes > _PREVIEWED or "Frame" not in artifact.type:
        return Preview()
    try:
        return preview(store.get(artifact))
    except StoreError:
        return Preview()
