"""Plans, standings, reasons and results as plain text: what a terminal, a log and a cell without a front end show."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from nbsteps.core.decide import Action, Decision
from nbsteps.core.errors import Problem
from nbsteps.core.graph import Graph
from nbsteps.core.model import Result, RunResult, StepRun
from nbsteps.core.plan import Plan
from nbsteps.core.reasons import Reason, ReasonKind, mend
from nbsteps.core.states import StepState
from nbsteps.display.asking import request_lines
from nbsteps.display.diff import unified
from nbsteps.display.estimate import Task, outlook
from nbsteps.display.standing import SIGNS, STALE, WORDS, outcome, shown_state, shown_word
from nbsteps.display.view import NodeView
from nbsteps.display.wording import count, duration, indent, moment, one_line, plain, size, table

__all__ = [
    "accepted_line",
    "duration",
    "ended_note",
    "plan_lines",
    "problem_lines",
    "ran_note",
    "restored_note",
    "run_lines",
    "size",
    "status_lines",
    "view_lines",
    "why_text",
]

EMPTY: Final = "No steps yet"

_SOURCE: Final = frozenset({ReasonKind.CODE, ReasonKind.EDITED, ReasonKind.HELPER})
_RAN: Final = "ran"


def problem_lines(problems: Iterable[Problem]) -> str:
    """Each problem with its mend, in the order given, errors and warnings told apart by their first word."""
    return "\n".join(f"{problem.severity}: {plain(str(problem))}" for problem in problems)


def plan_lines(plan: Plan, graph: Graph, usual: Mapping[str, float] | None = None, workers: int = 1) -> str:
    """A forecast: one line that sums it up, then a table of steps and of the context cells that they need.

    Args:
        plan: the forecast.
        graph: of the notebook.
        usual: what steps usually take, seconds; absent ones as the last time.
        workers: steps at once.
    """
    if not plan.decisions:
        return EMPTY
    last = {name: decision.result.duration for name, decision in plan.decisions.items() if decision.result is not None}
    times = {**last, **(usual or {})}
    needed: dict[str, list[str]] = {}
    for label, step in plan.contexts.items():
        needed.setdefault(step, []).append(label)
    rows = [("step", "decision", "reasons")]
    for name in (name for name in graph.steps if name in plan.decisions):
        rows += [(label, str(Action.CONTEXT), f"needed by {name}") for label in needed.get(name, ())]
        decision = plan.decisions[name]
        rows.append((name, str(decision.action), _with_time(decision, times.get(name))))
    return "\n".join((_forecast(plan) + _expected(plan, graph, times, workers), "", *table(rows)))


def _expected(plan: Plan, graph: Graph, times: Mapping[str, float], workers: int) -> str:
    """How long the steps would take that would run, those that may run among them; ``""`` where that is not known."""
    due = plan.steps(Action.RUN, Action.MAY_RUN)
    found = outlook({name: Task(times.get(name)) for name in due}, graph.edges, workers)
    return f", about {duration(found.seconds)}" if found is not None and found.seconds else ""


def _forecast(plan: Plan) -> str:
    actions = Counter(decision.action for decision in plan.decisions.values())
    saying = f"{actions[Action.RUN]} of {count(len(plan.decisions), 'step')} would run"
    others = ((Action.MAY_RUN, "may run"), (Action.RESTORE, "would be restored"), (Action.SKIP, "would not run"))
    return ", ".join([saying, *(f"{actions[action]} {words}" for action, words in others if actions[action])])


def _with_time(decision: Decision, expected: float | None) -> str:
    """The reasons, and how long the body usually takes or, where it is spared, took."""
    result = decision.result
    if decision.action is Action.RESTORE and result is not None:
        how = f"accepted by {plain(result.accepted_by)}" if result.accepted_by else "unchanged"
        return f"{how}, spares {duration(result.duration)}"
    if expected is None or decision.action not in {Action.RUN, Action.MAY_RUN}:
        return decision.text
    return f"{decision.text}, ~{duration(expected)}"


def status_lines(rows: Iterable[tuple[str, StepState, Decision, Result | None]]) -> str:
    """Every step as it stands: a line that sums it up, then mark, state, duration of the last success, reasons."""
    found = list(rows)
    if not found:
        return EMPTY
    lines = [("", "step", "state", "took", "reasons")]
    for name, state, decision, result in found:
        sign = SIGNS[shown_state(state, decision)]
        took = "" if result is None else duration(result.duration)
        lines.append((sign, name, shown_word(state, decision), took, decision.text))
    return "\n".join((_badge(found), "", *table(lines)))


def view_lines(views: Mapping[str, NodeView], caption: str = "") -> str:
    """Every step as a picture shows it, below a line on the run."""
    if not views:
        return EMPTY
    rows = [(SIGNS.get(v.state, "?"), name, v.word.lower(), v.number, v.reasons) for name, v in views.items()]
    columns = [column for column in zip(*rows, strict=True) if any(column)]
    return "\n".join(((f"{caption}\n" if caption else ""), *table(zip(*columns, strict=True)))).lstrip("\n")


def _badge(rows: list[tuple[str, StepState, Decision, Result | None]]) -> str:
    shown = Counter(shown_word(state, decision) for _, state, decision, _ in rows)
    head = count(len(rows), "step")
    if shown[WORDS[StepState.CACHED]] == len(rows):
        return f"{head}, up to date"
    if shown[WORDS[StepState.PENDING]] == len(rows):
        return f"{head}, no run yet"
    first = (WORDS[state] for state in (StepState.FAILED, StepState.CRASHED, StepState.WAITING, STALE))
    order = dict.fromkeys((*first, *WORDS.values(), *shown))
    return f"{head}: {', '.join(f'{shown[word]} {word.lower()}' for word in order if shown[word])}"


def run_lines(result: RunResult, cells: Mapping[str, str] | None = None) -> str:
    """A finished run: one line of counts and times, then the steps that went wrong, each with place, error and hint.

    Args:
        result: the run.
        cells: labels of the steps' cells, by step, where they are known.
    """
    labels = cells or {}
    took = ""
    if result.run.ended_at is not None:
        took = f" in {duration(result.run.ended_at - result.run.started_at)}"
    if not result.steps:
        return f"no steps: the run {result.state}{took}"
    steps = result.steps.values()
    states = Counter(step.state for step in steps)
    always = (StepState.SUCCEEDED, StepState.CACHED, StepState.FAILED)
    others = [state for state in StepState if state not in always and states[state]]
    counts = ", ".join(f"{states[state]} {_run_word(state)}" for state in (*always, *others))
    counts = counts.replace("failed", f"failed{_handled(steps, states[StepState.FAILED])}", 1)
    line = f"{count(len(steps), 'step')}: {counts}{took}"
    spared = sum(step.time_saved for step in steps)
    if states[StepState.CACHED]:
        line += f", spared {duration(spared)}"
    asked = [
        request_lines(step.request, result.run.trigger)
        for step in steps
        if step.request and step.state is StepState.WAITING
    ]
    wrong = (_trouble(step, labels.get(step.step, "")) for step in steps if step.state in _TROUBLE)
    return "\n".join((line, *wrong, *asked))


_TROUBLE: Final = frozenset({StepState.FAILED, StepState.CRASHED, StepState.UPSTREAM_FAILED, StepState.CANCELLED})


def _handled(steps: Iterable[StepRun], failed: int) -> str:
    """How many of the failures a step with ``--catch`` handled."""
    handled = sum(step.handled for step in steps if step.state is StepState.FAILED)
    if not handled:
        return ""
    return " (handled)" if handled == failed else f" ({handled} handled)"


def _run_word(state: StepState) -> str:
    return _RAN if state is StepState.SUCCEEDED else outcome(state)


def _trouble(step: StepRun, cell: str) -> str:
    """A step that went wrong: state, then the error in full, where it was raised, then the mend."""
    failure = step.failure
    said = step.reason if failure is None else f"{failure.error_type}: {failure.message}".removesuffix(": ")
    first, *more = plain(said).strip().split("\n")
    where = f" ({plain(cell)})" if cell and failure is not None else ""
    head = f"  {SIGNS[step.state]} {plain(step.step)}{where} {outcome(step.state)}"
    lines = [f"{head}: {first}" if first else head, *(f"    {line}".rstrip() for line in more)]
    if failure is not None:
        below = (raised_at(failure.traceback, cell), plain(failure.hint))
        lines += [indent(line) for line in below if line]
    return "\n".join(lines)


_FRAME: Final = re.compile(
    r'^ *File "(?:step [^"(]*\((?P<of_step>[^"]+)\)|(?P<of_cell>cell [^"]+))", line (?P<line>\d+)'
    r"(?:, in (?P<function>.+))?(?:\n +(?P<text>.+))?",
    re.MULTILINE,
)


def raised_at(traceback: str, cell: str) -> str:
    """The last line of a cell in a traceback: ``line 3, in net: return price / 0``; ``""`` where none is.

    The cell is named if it is another one than ``cell``.
    """
    frame = next(reversed(list(_FRAME.finditer(traceback))), None)
    if frame is None:
        return ""
    label = frame["of_step"] or frame["of_cell"]
    place = f"line {frame['line']}" if label == cell else f"{label}, line {frame['line']}"
    inside = f", in {frame['function']}" if frame["function"] not in {None, "<module>"} else ""
    return plain(f"{place}{inside}: {frame['text']}" if frame["text"] else f"{place}{inside}")


_WOULD: Final = {
    Action.RUN: "would run",
    Action.MAY_RUN: "may run",
    Action.RESTORE: "would be restored",
    Action.CONTEXT: "would be executed",
    Action.SKIP: "would not run",
}


def why_text(step: str, decision: Decision) -> str:
    """Every reason of one step's decision with old and new side: source as a diff, values as ``old -> new``."""
    head = f"{plain(step)} {_WOULD[decision.action]}"
    sections = [f"{head}: {one_line(decision.text)}" if decision.reasons else f"{head}: unchanged"]
    details = (_detail(reason) for reason in decision.reasons)
    sections += [detail for detail in details if detail]
    if decision.result is not None:
        sections.append(_origin(decision.result))
    return "\n\n".join(sections)


def _detail(reason: Reason) -> str:
    """What a reason says beyond its one line; ``""`` where that is all."""
    if reason.kind in _SOURCE:
        changed = unified(reason.before, reason.after)
        return f"{plain(str(reason))}\n{indent(changed)}" if changed else ""
    if reason.kind is ReasonKind.UNCACHEABLE:
        return mend(reason.name)
    if reason.inline or reason.before == reason.after:
        return ""
    before, after = plain(reason.before) or "none", plain(reason.after) or "none"
    if "\n" in before or "\n" in after:
        return f"{plain(str(reason))}\n{indent(unified(before, after))}"
    return f"{plain(str(reason))}: {before} -> {after}"


def _origin(result: Result) -> str:
    lines = [f"last computed {moment(result.ended_at)}, took {duration(result.duration)}"]
    if result.reasons:
        lines.append("because")
        lines += [indent(_detail(reason) or one_line(str(reason))) for reason in result.reasons]
    if result.accepted_by:
        lines.append(f"kept by {plain(result.accepted_by)} although the code had changed")
    for name, artifact in result.outputs.items():
        what = artifact.summary or artifact.type
        lines.append(f"  {plain(name)}: {one_line(what)}, {size(artifact.bytes)}")
    return "\n".join(lines)


def restored_note(result: Result, now: float) -> str:  # noqa: ARG001 - callers hand in their clock, for an age
    """The line above replayed output; when it was computed is given in local time."""
    spared = duration(result.duration)
    return f"{outcome(StepState.CACHED)} {plain(result.step)} from {moment(result.ended_at)}, spared {spared}"


def accepted_line(result: Result, reasons: Iterable[Reason]) -> str:
    """What was kept by decision, and why it would have run."""
    why = one_line(", ".join(map(str, reasons)))
    return f"kept the result of {plain(result.step)} from {moment(result.ended_at)}: {why}; void at the next change"


def ran_note(step: StepRun) -> str:
    """The line below the output of a body that ran."""
    took = ""
    if step.started_at is not None and step.ended_at is not None:
        took = f" in {duration(step.ended_at - step.started_at)}"
    why = ", ".join(step.reasons) or step.reason
    return f"{_RAN} {plain(step.step)}{took}" + (f": {one_line(why)}" if why else "")


def ended_note(step: StepRun, trigger: str, error: BaseException | None = None) -> str:
    """The line of a step that has no result; ``trigger`` is that of its run. An ``error`` is shown below by itself."""
    if step.request is not None and step.state is StepState.WAITING:
        return request_lines(step.request, trigger)
    tries = f" after {count(step.attempts, 'attempt')}" if step.attempts > 1 else ""
    failure = "" if step.failure is None else f"{step.failure.error_type}: {step.failure.message}"
    if failure and step.items is not None:
        why = plain(failure)  # which items failed, the error below does not say at first
    else:
        why = "" if step.reason == failure and error is not None else plain(step.reason)
    head = f"{plain(step.step)} {outcome(step.state)}{tries}"
    return f"{head}: {one_line(why)}" if why else head
