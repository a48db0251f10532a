"""A run as one page of HTML for whoever was not there: figures, failures, graph, timeline, decisions, parameters.

Nothing is loaded, no script runs, and everything that came from the notebook is text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Final

from nbsteps.core.graph import Graph
from nbsteps.core.states import ApprovalState, AttemptState, StepState
from nbsteps.display import gantt
from nbsteps.display.palette import NAMED, family
from nbsteps.display.rows import Row, count, item_of, seconds, text
from nbsteps.display.sheet import MONO, drawn, head
from nbsteps.display.standing import WORDS
from nbsteps.display.svg import clean, graph_svg
from nbsteps.display.timeline import BarKind, Lane, Timeline, timeline
from nbsteps.display.view import NodeView, graph_model
from nbsteps.display.wording import count as counted
from nbsteps.display.wording import duration, plain

SHORT: Final = 8
"""So much of a run's identifier is enough for people."""

_TROUBLE: Final = frozenset({StepState.FAILED, StepState.CRASHED})
_MANY: Final = 20
"""Failed items of a step that are shown beside the first."""
_STYLE: Final = f"""\
body{{max-width:1120px;margin:32px auto;padding:0 24px}}
h2{{font-size:15px;line-height:20px;font-weight:600;margin:32px 0 8px}}
header{{display:flex;flex-wrap:wrap;align-items:center;gap:4px 12px}}
header p{{flex-basis:100%;margin:0}}
.pill{{display:inline-flex;align-items:center;gap:5px;height:22px;padding:0 9px 0 6px;border-radius:11px;
font-size:12px;font-weight:500}}
.pill svg{{width:12px;height:12px}}
.figures{{display:grid;grid-template-columns:repeat(auto-fit,minmax(160px,1fr));margin:24px 0 0;
border:1px solid var(--nbs-frame);border-radius:6px;overflow:hidden}}
.figures div{{padding:12px 16px;box-shadow:1px 0 0 var(--nbs-frame),0 1px 0 var(--nbs-frame)}}
.figures dt,.figures small{{font-size:11px;line-height:16px;color:var(--nbs-soft)}}
.figures dd{{margin:0;font-size:20px;line-height:28px;font-weight:600;font-variant-numeric:tabular-nums}}
.figures small{{display:block;font-weight:400}}
.wrong{{border-left:3px solid var(--nbs-hue-red);background:var(--nbs-tint-red);padding:8px 12px;
border-radius:0 4px 4px 0;font:12px/18px {MONO};overflow-wrap:anywhere}}
.wrong b{{color:var(--nbs-ink-red);display:block}}
.wrong span{{white-space:pre-wrap}}
details{{margin:8px 0 16px;font-size:12px;color:var(--nbs-soft)}}
summary{{cursor:pointer}}
pre{{font:12px/18px {MONO};background:var(--nbs-canvas);border:1px solid var(--nbs-frame);border-radius:4px;
padding:8px 12px;margin:8px 0;overflow-x:auto;color:var(--nbs-strong);white-space:pre-wrap;overflow-wrap:anywhere}}
.wide{{overflow-x:auto}}
.wide table{{width:100%}}
th,td{{vertical-align:middle;padding:6px 16px 6px 0}}
td,.steps th{{position:relative}}
figure svg{{max-width:max(100%,880px);height:auto}}
.steps tbody th{{min-width:20ch;max-width:30ch}}
tbody th code{{overflow-wrap:anywhere}}
.steps{{overflow:hidden}}
.steps td:nth-child(4),.steps thead th:nth-child(4){{width:36%;overflow:hidden;padding-right:24px}}
.steps td:nth-child(2),.steps td:nth-child(3),.when{{white-space:nowrap}}
.steps .right,.steps th:nth-child(3){{text-align:right}}
.soft{{color:var(--nbs-soft)}}
@media (max-width:899px){{.steps tr>:nth-child(6){{display:none}}.steps td:nth-child(5){{min-width:200px}}}}
.off th code{{font-weight:400;color:var(--nbs-soft)}}
footer{{margin:32px 0 0;padding-top:12px;border-top:1px solid var(--nbs-frame);font-size:12px;color:var(--nbs-soft)}}
@media print{{*{{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
body{{max-width:none;margin:0;padding:0}}figure svg{{max-width:100%}}
.wrong,tr,figure,.figures{{break-inside:avoid}}h2{{break-after:avoid}}}}
{gantt.STYLE}"""


@dataclass(frozen=True, slots=True)
class RunStory:
    """Everything that is known of one run: rows of the history's tables, and the notebook's graph as it is now.

    Attributes:
        graph: None where the notebook is not there any more.
        made_by: what the page says made it, such as ``nbsteps 0.1.0``.
        now: seconds since the epoch, for a run that goes on.
    """

    run: Row
    steps: Sequence[Row] = ()
    attempts: Sequence[Row] = ()
    events: Sequence[Row] = ()
    approvals: Sequence[Row] = ()
    graph: Graph | None = None
    made_by: str = "nbsteps"
    now: float | None = None
    parents: Mapping[str, Sequence[str]] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Of the graph count the steps that the run knew."""
        if self.graph is None:
            return
        known = {text(row, "step") for row in self.steps}
        parents = {name: needs for name, needs in self.graph.parents.items() if name in known}
        object.__setattr__(self, "parents", parents or None)


def report_html(story: RunStory) -> str:
    """The page."""
    run = story.run
    chart = timeline(run, story.steps, story.attempts, parents=story.parents, events=story.events, now=story.now)
    name = text(run, "notebook") or "Notebook"
    title = f"{name}, run {text(run, 'run_id')[:SHORT]}"
    return "\n".join(
        (
            head(title, _STYLE),
            f"<body><header><h1>{clean(title)}</h1>{_pill(chart.state)}<p>{clean(_opening(run, chart))}</p></header>",
            _figures(story, chart),
            *_failures(story),
            *_graph(story, chart),
            *_steps(story, chart),
            *_approvals(story.approvals),
            *_parameters(run),
            f"<footer>One file, nothing is loaded. {clean(_closing(story))}</footer>",
            "</body></html>",
            "",
        )
    )


def _pill(state: str) -> str:
    colours = family(state)
    ground = f"background:{NAMED.tint[colours]};color:{NAMED.ink[colours]}"
    return f'<span class="pill" style="{ground}">{drawn(state)}{WORDS.get(state, clean(state))}</span>'


def _day(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def _opening(run: Row, chart: Timeline) -> str:
    ended = seconds(run.get("ended_at"))
    took = f"finished after {duration(chart.total)}" if ended is not None else f"{duration(chart.total)} so far"
    return f"Started {_day(chart.started_at)} by {text(run, 'trigger') or 'hand'}, {took}."


def _closing(story: RunStory) -> str:
    run = story.run
    where = "@".join(part for part in (text(run, "user"), text(run, "host")) if part)
    process = f", process {count(run, 'pid')}" if count(run, "pid") else ""
    return f"Run {text(run, 'run_id')}{f', {where}' if where else ''}{process}. Made by {story.made_by}."


def _figures(story: RunStory, chart: Timeline) -> str:
    run, steps = story.run, story.steps
    states = Counter(text(row, "state") for row in steps)
    executed, restored = count(run, "steps_executed"), count(run, "steps_restored")
    total = max(count(run, "steps_total"), len(steps))
    bad = any(count(row, "items_failed") for row in steps)
    others = [f"{states[state]} {WORDS[state].lower()}" for state in _OTHERS if states[state]]
    saved = sum(seconds(row.get("time_saved")) or 0.0 for row in steps)
    rate = f"{restored / (restored + executed):.0%} hit rate" if restored + executed else "nothing was needed"
    figures = [
        ("Executed", f"{executed} of {total}", ", ".join(others) or ("failures tolerated" if bad else "no failure")),
        ("Cached", str(restored), rate),
        ("Time saved", duration(saved), "against executing all"),
    ]
    if chart.approval_seconds:
        figures.append(("Waited for approval", duration(chart.approval_seconds), _deciders(story.approvals)))
    elif chart.critical:
        figures.append(("Critical path", duration(chart.critical_seconds), counted(len(chart.critical), "step")))
    else:
        figures.append(("Critical path", "none", "nothing was executed"))
    shown = (
        f"<div><dt>{head}</dt><dd>{clean(figure)}<small>{clean(below)}</small></dd></div>"
        for head, figure, below in figures
    )
    return f'<dl class="figures">{"".join(shown)}</dl>'


_OTHERS: Final = tuple(state for state in WORDS if state not in {StepState.SUCCEEDED, StepState.CACHED})


def _deciders(approvals: Iterable[Row]) -> str:
    said = [f"{text(row, 'state')} by {text(row, 'decided_by')}" for row in approvals if text(row, "decided_by")]
    return ", ".join(dict.fromkeys(said)) or "nobody decided yet"


def _failures(story: RunStory) -> Iterator[str]:
    rows = [row for row in story.steps if text(row, "state") in _TROUBLE or count(row, "items_failed")]
    if not rows:
        return
    yield "<h2>What failed</h2>"
    for row in rows:
        own = [tried for tried in story.attempts if text(tried, "step") == text(row, "step")]
        yield _failure(row, own)


def _failure(row: Row, attempts: Sequence[Row]) -> str:
    wrong = _wrong(attempts)
    first = wrong[0] if wrong else {}
    tolerated = (
        "" if text(row, "state") in _TROUBLE else f"{counted(count(row, 'items_failed'), 'item')} failed, tolerated"
    )
    kind = text(first, "error_type") or tolerated or WORDS.get(text(row, "state"), "")
    message = text(first, "error_message") or ("" if tolerated else text(row, "reason"))
    name = f"{text(row, 'step')} {item_of(first)}".rstrip()
    said = f"<b>{clean(name)}: {clean(kind)}</b><span>{_lines(message)}</span>"
    traceback = text(first, "traceback")
    tries = f", {counted(len(attempts), 'attempt')}" if len(attempts) > 1 else ""
    shown = f"<details open><summary>Traceback{tries}</summary><pre>{_lines(traceback)}</pre></details>"
    note = f"<p>Step {clean(text(row, 'step'))}: {tolerated}.</p>" if tolerated and first else ""
    return f'{note}<div class="wrong">{said}</div>{shown if traceback else ""}{_others(wrong[1:])}'


def _wrong(attempts: Sequence[Row]) -> list[Row]:
    """The last failure of each item that did not succeed afterwards, in item order; of other steps the last."""
    found: dict[str, Row] = {}
    for tried in sorted(attempts, key=lambda tried: count(tried, "attempt")):
        item = text(tried, "item")
        if text(tried, "error_type"):
            found[item] = tried
        elif text(tried, "state") == AttemptState.SUCCEEDED:
            found.pop(item, None)
    return sorted(found.values(), key=lambda tried: count(tried, "position"))


def _others(wrong: Sequence[Row]) -> str:
    """Items that failed beside the first one, a line each."""
    lines = [
        f"<b>{clean(item_of(tried))}: {clean(text(tried, 'error_type'))}</b>"
        f"<span>{clean(text(tried, 'error_message'))}</span>"
        for tried in wrong[:_MANY]
    ]
    more = f"<p>{counted(len(wrong) - _MANY, 'more item')} failed.</p>" if len(wrong) > _MANY else ""
    return "".join(f'<div class="wrong">{line}</div>' for line in lines) + more


def _lines(content: str) -> str:
    return escape(plain(content).strip("\n"))


def _graph(story: RunStory, chart: Timeline) -> Iterator[str]:
    if story.graph is None or story.parents is None:
        return
    views = {lane.step: _node(lane) for lane in chart.lanes}
    yield "<h2>Graph</h2>"
    yield f"<figure>{graph_svg(graph_model(story.graph, views, title=text(story.run, 'notebook')), NAMED)}</figure>"


def _node(lane: Lane) -> NodeView:
    took = duration(lane.busy) if lane.busy else ""
    return NodeView(lane.state, lane.word, took)


def _steps(story: RunStory, chart: Timeline) -> Iterator[str]:
    yield "<h2>Steps</h2>"
    if not chart.lanes:
        yield "<p>No step was reached.</p>"
        return
    rows = {text(row, "step"): row for row in story.steps}
    heads = ("Step", "State", "Took", gantt.axis(chart), "Why", "Outputs")
    yield '<div class="wide"><table class="steps"><thead><tr>'
    yield "".join(f'<th scope="col">{name}</th>' for name in heads) + "</tr></thead><tbody>"
    for lane in chart.lanes:
        yield _step(lane, rows.get(lane.step, {}), chart, story.graph)
    yield f"</tbody></table></div>{gantt.key(chart)}"


def _step(lane: Lane, row: Row, chart: Timeline, graph: Graph | None) -> str:
    step = graph.steps.get(lane.step) if graph is not None else None
    outputs = ", ".join(f"<code>{clean(name)}</code>" for name in (step.outputs if step is not None else ()))
    ink = NAMED.ink[family(lane.state)]
    cells = (
        f'<td style="color:{ink}">{drawn(lane.state)}{clean(lane.word)}</td>',
        f'<td class="right">{clean(lane.number if lane.busy else "")}</td>',
        f"<td>{gantt.lane(lane, chart)}</td>",
        f'<td class="soft">{clean(_why(row))}</td>',
        f'<td class="soft">{outputs}</td>',
    )
    quiet = "" if any(bar.kind != BarKind.QUEUED for bar in lane.bars) else ' class="off"'
    return f'<tr{quiet}><th scope="row"><code>{clean(lane.step)}</code></th>{"".join(cells)}</tr>'


def _why(row: Row) -> str:
    reasons = row.get("reasons")
    said = [str(reason) for reason in reasons] if isinstance(reasons, list | tuple) else []
    return ", ".join(said) or text(row, "reason")


def _approvals(rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    yield "<h2>Approvals</h2>"
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Step", "Asked", "Decision", "By", "Comment", "Values"))
    yield f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>'
    for row in rows:
        values = row.get("values")
        given = ", ".join(f"{name}={value}" for name, value in values.items()) if isinstance(values, Mapping) else ""
        plain_cells = (clean(text(row, name)) for name in ("decided_by", "comment"))
        cells = (
            clean(text(row, "message")),
            _decision(text(row, "state")),
            *plain_cells,
            f"<code>{clean(given)}</code>",
        )
        shown = "".join(f"<td>{cell}</td>" for cell in cells)
        yield f'<tr><th scope="row"><code>{clean(text(row, "step"))}</code></th>{shown}</tr>'
    yield "</tbody></table></div>"


_DECISIONS: Final[Mapping[str, tuple[str, str]]] = {
    ApprovalState.PENDING: (StepState.WAITING, WORDS[StepState.WAITING]),
    ApprovalState.APPROVED: (StepState.SUCCEEDED, "Approved"),
    ApprovalState.REJECTED: (StepState.FAILED, "Rejected"),
    ApprovalState.EXPIRED: (StepState.CANCELLED, "Expired"),
    ApprovalState.VOID: (StepState.SKIPPED, "Void: code or inputs changed"),
}
"""State of a request to the mark that it is drawn with, and its words."""


def _decision(state: str) -> str:
    drawn_as, words = _DECISIONS.get(state, (StepState.PENDING, state))
    return drawn(drawn_as) + clean(words)


def _parameters(run: Row) -> Iterator[str]:
    given = run.get("parameters")
    if not isinstance(given, Mapping) or not given:
        return
    yield "<h2>Parameters</h2><table><tbody>"
    for name, value in given.items():
        yield f'<tr><th scope="row"><code>{clean(str(name))}</code></th><td><code>{clean(str(value))}</code></td></tr>'
    yield "</tbody></table>"
