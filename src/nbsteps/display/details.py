"""One step -> everything that the panel below the graph shows of it. Pure; texts are texts, whatever they hold."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from statistics import median
from typing import Any, Final

from nbsteps.core.decide import Decision
from nbsteps.core.kinds import quote
from nbsteps.core.model import Artifact, Result, Step, StepOptions
from nbsteps.core.option_table import OPTIONS
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.states import AttemptState, StepState
from nbsteps.display.diff import unified
from nbsteps.display.previews import Preview
from nbsteps.display.rows import Row, count, item_of, seconds, text
from nbsteps.display.standing import WORDS
from nbsteps.display.wording import duration, moment, one_line, plain, size

_LONGEST: Final = 100_000
"""Characters of one text that a page is given."""
_OUTPUTS: Final = 200
"""Outputs of a step that a page is given."""
_CUT: Final = "(what was shown before this is left out here)\n"
_SOURCES: Final = frozenset({ReasonKind.CODE, ReasonKind.EDITED, ReasonKind.HELPER, ReasonKind.MODULE})
_DEFAULTS: Final = StepOptions()
_LINE: Final = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+)', re.MULTILINE)
_IMAGES: Final = ("image/png", "image/jpeg", "image/gif", "image/svg+xml")


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to show.

    Attributes:
        decision: what would be done with the step now.
        result: what it left behind the last time, None if nothing.
        sources: its inputs to the steps that write them.
        inputs: its inputs to their stored values, where there are any.
        previews: variable to the first rows of a stored table.
        log: what it showed, in notebook format.
        attempts: rows of its attempts in the run that executed it last, in the order in which they are shown.
        tried: how many there are of those.
        steps: rows of what became of it in runs, newest first.
        acceptable: whether its stored result could be kept although its code changed.
    """

    step: Step
    decision: Decision
    result: Result | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Artifact] = field(default_factory=dict)
    previews: Mapping[str, Preview] = field(default_factory=dict)
    log: Sequence[Mapping[str, Any]] = ()
    attempts: Sequence[Row] = ()
    tried: int = 0
    steps: Sequence[Row] = ()
    acceptable: bool = False


def detail(known: Known) -> dict[str, Any]:
    """The panel as plain dictionaries, lists, texts and numbers."""
    step = known.step
    attempts, result = known.attempts, known.result
    outputs = {} if result is None else result.outputs
    history = [_bar(row) for row in reversed(known.steps) if seconds(row.get("ended_at")) is not None]
    executed = [bar["seconds"] for bar in history if bar["state"] == StepState.SUCCEEDED]
    return {
        "step": step.name,
        "source": plain(step.cell.source)[:_LONGEST],
        "first": 1,
        "options": _options(step),
        "action": str(known.decision.action),
        "reasons": [_reason(reason) for reason in known.decision.reasons],
        "inputs": [_value(name, known.inputs.get(name), known, known.sources.get(name, "")) for name in step.inputs],
        "outputs": [_value(name, artifact, known) for name, artifact in outputs.items()],
        "log": _log(known.log),
        "error": _error(known),
        "attempts": [_attempt(row) for row in attempts],
        "tried": max(known.tried, len(attempts)),
        "history": history,
        "median": duration(median(executed)) if executed else "unknown",
        "items": _items(known.steps),
        "accept": _offer(known),
        "kept": "" if result is None else one_line(result.accepted_by or ""),
    }


def _items(steps: Sequence[Row]) -> dict[str, int] | None:
    """What became of a map's items in the newest run that took it."""
    row = steps[0] if steps else {}
    if not row.get("items_total"):
        return None
    return {name: count(row, f"items_{name}") for name in ("total", "executed", "failed")}


def _offer(known: Known) -> dict[str, str] | None:
    """Keeping the stored result: which, and what tells the decision that the page shows from any other."""
    if not known.acceptable or known.result is None:
        return None
    return {"seen": looked_at(known.decision), "made": moment(known.result.ended_at)}


def looked_at(decision: Decision) -> str:
    """A text that differs where a decision or its reasons do: who accepts says which ones were looked at."""
    said = [str(decision.action), *((str(r.kind), r.name, r.before, r.after) for r in decision.reasons)]
    return blake2b(repr(said).encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


def _options(step: Step) -> list[list[str]]:
    found = []
    for option in OPTIONS:
        value = getattr(step.options, option.field)
        if value != getattr(_DEFAULTS, option.field):
            found.append([option.flag, " ".join(map(quote, option.kind.words(value)))])
    return found


def _reason(reason: Reason) -> dict[str, str]:
    """A reason with its two sides: short ones as they are, source and long ones as a diff."""
    what = f"{reason.kind} {reason.name}" if reason.name and reason.kind not in _BARE else str(reason)
    if reason.before == reason.after:
        return {"what": _sentence(str(reason)), "before": "", "after": "", "diff": ""}
    before, after = plain(reason.before), plain(reason.after)
    if reason.kind in _SOURCES or "\n" in before or "\n" in after:
        return {"what": _sentence(what), "before": "", "after": "", "diff": unified(before, after)}
    return {"what": _sentence(what), "before": before[:_LONGEST], "after": after[:_LONGEST], "diff": ""}


_BARE: Final = frozenset({ReasonKind.UPSTREAM, ReasonKind.BLOCKED, ReasonKind.CODE})


def _sentence(words: str) -> str:
    shown = one_line(words)
    return shown[:1].upper() + shown[1:]


def _value(name: str, artifact: Artifact | None, known: Known, source: str = "") -> dict[str, Any]:
    preview = known.previews.get(name, Preview())
    return {
        "name": name,
        "step": source,
        "type": "" if artifact is None else artifact.type.rpartition(".")[2],
        "summary": "" if artifact is None else one_line(artifact.summary or artifact.type),
        "size": "" if artifact is None else size(artifact.bytes),
        **asdict(preview),
    }


def _attempt(row: Row) -> dict[str, Any]:
    state = text(row, "state")
    took, delay = seconds(row.get("duration")), seconds(row.get("delay"))
    error = f"{text(row, 'error_type')}: {one_line(text(row, 'error_message'))}" if text(row, "error_type") else ""
    return {
        "item": text(row, "item"),
        "label": one_line(item_of(row)).removeprefix("item "),
        "attempt": count(row, "attempt"),
        "state": state,
        "word": WORDS.get(state, state),
        "started": seconds(row.get("started_at")) or 0.0,
        "duration": "" if took is None else duration(took),
        "delay": duration(delay) if delay else "",
        "error": error,
    }


def _error(known: Known) -> dict[str, Any] | None:
    """How the step failed, if it did, and the line of its cell that it happened in; of a map's items the first."""
    last = _decisive(known)
    if text(last, "state") not in {AttemptState.FAILED, AttemptState.CRASHED}:
        return None
    traceback = plain(text(last, "traceback"))[:_LONGEST]
    own = [int(found["line"]) for found in _LINE.finditer(traceback) if known.step.name in found["file"].split()]
    which = f"{item_of(last)}: " if text(last, "item") else ""
    return {
        "type": text(last, "error_type") or WORDS[StepState(text(last, "state"))],
        "message": plain(which + text(last, "error_message"))[:_LONGEST],
        "traceback": traceback,
        "line": own[-1] if own else None,
    }


def _decisive(known: Known) -> Row:
    """The attempt that says how the step went: the last, or of a map that did not succeed the first in trouble."""
    attempts = known.attempts
    if not attempts or not text(attempts[0], "item"):
        return attempts[-1] if attempts else {}
    succeeded = known.steps and text(known.steps[0], "state") in {StepState.SUCCEEDED, StepState.CACHED}
    tries = [row for row in attempts if text(row, "item") == text(attempts[0], "item")]
    return {} if succeeded else tries[-1]


def _bar(row: Row) -> dict[str, Any]:
    state, took = text(row, "state"), seconds(row.get("duration")) or 0.0
    at = seconds(row.get("ended_at")) or 0.0
    return {"state": state, "seconds": took, "text": f"{moment(at)}: {WORDS.get(state, state)}, {duration(took)}"}


def _log(displays: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The newest outputs as texts and images."""
    kept, left = deque[dict[str, str]](), _LONGEST
    for shown in (shown for display in reversed(displays) for shown in _shown(display)):
        if left <= 0 or len(kept) == _OUTPUTS:
            kept.appendleft({"kind": "text", "text": _CUT})
            break
        if shown["kind"] != "image":
            whole, shown["text"] = shown["text"], _newest(shown["text"], left)
            left -= len(whole)
        kept.appendleft(shown)
    return list(kept)


def _newest(whole: str, longest: int) -> str:
    """The end of a text, from the start of a line where there is one."""
    if len(whole) <= longest:
        return whole
    end = whole[-longest:]
    return _CUT + (end.partition("\n")[2] or end)


def _shown(display: Mapping[str, Any]) -> Iterable[dict[str, str]]:
    """One output as text or as an image; a page is given no markup."""
    kind = display.get("output_type")
    if kind == "stream":
        yield {"kind": "error" if display.get("name") == "stderr" else "text", "text": _joined(display.get("text"))}
        return
    data: Mapping[str, Any] = display.get("data") or {}
    for mime in _IMAGES:
        if mime in data:
            yield {"kind": "image", "text": _address(mime, _joined(data[mime]))}
            return
    if "text/plain" in data:
        yield {"kind": "text", "text": _joined(data["text/plain"])}


def _address(mime: str, content: str) -> str:
    """An image as an address that a page can show; scripts inside an image are not executed."""
    if mime != "image/svg+xml":
        return f"data:{mime};base64,{''.join(content.split())}"
    import base64  # noqa: PLC0415 - figures are rarely vectors

    return f"data:{mime};base64,{base64.b64encode(content.encode()).decode('ascii')}"


def _joined(value: Any) -> str:
    return value if isinstance(value, str) else "".join(map(str, value or ()))
