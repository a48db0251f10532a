"""Events and results as JSON-able lists and back: positional, written by hand because it is done for every step.

Every event has a record but :class:`~nbsteps.core.events.Progressed`, which is of no use a moment later.

A record is ``[code, extra, ...fields]``. ``extra`` is what the store adds: the identifier of a result that succeeded
or was restored, the identifiers that a clear forgets. Fields are only ever appended, so that an old record is read by
a newer nbsteps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from nbsteps.core.approvals import Request, Verdict
from nbsteps.core.events import (
    Accepted,
    ApprovalDecided,
    AttemptEnded,
    AttemptStarted,
    Cleared,
    ContextExecuted,
    Event,
    ItemsStarted,
    ItemsSucceeded,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepRetrying,
    StepSlow,
    StepStarted,
    StepSucceeded,
    StepWaiting,
    Warned,
)
from nbsteps.core.model import (
    NO_WISHES,
    Artifact,
    Attempt,
    Failure,
    ItemCounts,
    Part,
    PartKind,
    Result,
    Run,
    Wishes,
)
from nbsteps.core.policies import Field, OnExpire, OnReject
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.states import ApprovalState, AttemptState, RunState, StepState

Record = list[Any]

dumps: Final = json.JSONEncoder(separators=(",", ":")).encode
"""Compact JSON in ASCII: a lone surrogate in a name survives as an escape."""
loads: Final = json.JSONDecoder().decode


_PLAIN: Final[Record] = [[], None, []]
"""Fate of a result that can be reused, is of no items and of which nobody noted why it ran: of nearly all."""


class StoredResult(Result):
    """A result read from the store: its parts stay JSON text until somebody asks for them.

    Those that many items of a map have in common are a text of their own, ``shared``.
    """

    __slots__ = ("_decoded", "_text", "shared")
    _decoded: tuple[Part, ...] | None
    _text: str
    shared: str

    @property
    def parts(self) -> tuple[Part, ...]:
        """The key's ingredients, for ``why``."""
        decoded = self._decoded
        if decoded is None:
            common = decode_parts(loads(self.shared)) if self.shared else ()
            decoded = (*common, *decode_parts(loads(self._text)))
            object.__setattr__(self, "_decoded", decoded)
        return decoded

    @parts.setter
    def parts(self, value: tuple[Part, ...]) -> None:
        object.__setattr__(self, "_decoded", value)
        object.__setattr__(self, "_text", "")
        object.__setattr__(self, "shared", "")

    @property
    def parts_text(self) -> str:
        """The parts as they are stored, without the shared ones."""
        return self._text or encode_parts(self.parts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Result):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in Result.__slots__)

    __hash__ = Result.__hash__


def encode_part(part: Part) -> Record:
    """A part as a list."""
    return [part.kind, part.name, part.digest, part.detail, part.role]


def encode_parts(parts: tuple[Part, ...]) -> str:
    """Parts as JSON text."""
    return dumps([encode_part(part) for part in parts])


def decode_parts(rows: list[Record]) -> tuple[Part, ...]:
    """Inverse of :func:`encode_part` for many."""
    return tuple(Part(PartKind(row[0]), *row[1:5]) for row in rows)


def encode_artifact(a: Artifact) -> Record:
    """An artifact as a list."""
    return [a.digest, a.type, a.codec, a.bytes, a.location, a.checksum, a.mac, a.summary]


def decode_artifact(row: Record) -> Artifact:
    """Inverse of :func:`encode_artifact`."""
    return Artifact(*row[:8])


def encode_result(r: Result, parts: str | None = None) -> Record:
    """A result as a list; its parts are JSON text within, ``parts`` overrides them."""
    if parts is None:
        parts = r.parts_text if isinstance(r, StoredResult) and not r.shared else encode_parts(r.parts)
    return [
        r.key,
        r.static,
        r.notebook,
        r.step,
        r.run_id,
        [[name, encode_artifact(artifact)] for name, artifact in r.outputs.items()],
        parts,
        [encode_part(part) for part in r.observed],
        None if r.displays is None else encode_artifact(r.displays),
        r.started_at,
        r.ended_at,
        r.duration,
        r.item,
        r.accepted_by,
        list(r.uncacheable),
        r.items,
        [[reason.kind, reason.name, reason.before, reason.after, reason.inline] for reason in r.reasons],
    ]


def decode_result(row: Record, parts: str | None = None, shared: str = "") -> StoredResult:
    """Inverse of :func:`encode_result`; ``parts`` stands in for text kept elsewhere, ``shared`` comes before it."""
    result = StoredResult(
        row[0],
        row[1],
        row[2],
        row[3],
        row[4],
        {name: decode_artifact(artifact) for name, artifact in row[5]},
        (),
        decode_parts(row[7]) if row[7] else (),
        None if row[8] is None else decode_artifact(row[8]),
        *row[9:14],
        **_decode_fate(row[14:17]),
    )
    object.__setattr__(result, "_decoded", None)
    object.__setattr__(result, "_text", row[6] if parts is None else parts)
    object.__setattr__(result, "shared", "" if shared == "[]" else shared)
    return result


def _decode_fate(row: Record) -> dict[str, Any]:
    """What keeps a result from being reused, of how many items it is, and why it ran; old records end before."""
    if not row or row == _PLAIN:
        return {}
    reasons = tuple(Reason(ReasonKind(each[0]), *each[1:5]) for each in (row[2:] or [()])[0])
    return {"uncacheable": tuple(row[0]), "items": row[1], "reasons": reasons}


def _encode_run(r: Run) -> Record:
    return [
        r.run_id,
        r.notebook,
        r.trigger,
        r.started_at,
        r.host,
        r.pid,
        r.user,
        dict(r.parameters),
        r.state,
        r.ended_at,
        *([] if r.wishes == NO_WISHES else [encode_wishes(r.wishes)]),
    ]


def _decode_run(row: Record) -> Run:
    """Inverse; the records of a run did not always say what was asked of it."""
    wishes = decode_wishes(row[10]) if row[10:] else NO_WISHES
    return Run(*[*row[:8], RunState(row[8]), row[9], wishes])


def encode_wishes(w: Wishes) -> Record:
    """What was asked of a run as a list."""
    return [list(w.steps), list(w.forced), w.fail_fast, w.workers, w.executor]


def decode_wishes(row: Record) -> Wishes:
    """Inverse of :func:`encode_wishes`."""
    return Wishes(tuple(row[0]), tuple(row[1]), *row[2:5])


def _encode_tags(tags: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    return {step: list(labels) for step, labels in tags.items()}


def _decode_labels(row: Record) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Owners and tags; the records of a run did not always have them."""
    owners, tags = row or ({}, {})
    return owners, {step: tuple(labels) for step, labels in tags.items()}


def _encode_attempt(a: Attempt) -> Record:
    failure = None if a.failure is None else _encode_failure(a.failure)
    head = [a.run_id, a.step, a.attempt, a.started_at, a.executor, a.host, a.pid, a.item, a.delay]
    end = [] if a.position is None else [a.position, a.label]
    return [*head, a.state, a.ended_at, failure, a.peak_rss, *end]


def _decode_attempt(row: Record) -> Attempt:
    """Inverse; only those of items say which one it was, and they did not always."""
    failure = None if row[11] is None else Failure(*row[11][:4])
    return Attempt(*[*row[:9], AttemptState(row[9]), row[10], failure, *row[12:15]])


def _encode_failure(f: Failure) -> Record:
    return [f.error_type, f.message, f.traceback, f.hint]


def _counts(items: ItemCounts | None) -> Record | None:
    return None if items is None else [items.total, items.executed, items.restored, items.failed]


def _decode_counts(row: Record) -> ItemCounts | None:
    """Counts of items from the end of a record; old records end before."""
    return ItemCounts(*row[0][:4]) if row and row[0] is not None else None


def _encode_success(e: StepSucceeded) -> Record:
    return [e.at, _encode_attempt(e.attempt), encode_result(e.result), list(e.uncacheable), _counts(e.items)]


def _decode_success(r: Record) -> StepSucceeded:
    return StepSucceeded(r[0], _decode_attempt(r[1]), decode_result(r[2]), tuple(r[3]), _decode_counts(r[4:5]))


def encode_request(q: Request) -> Record:
    """A request for approval as a list."""
    head = [q.request_id, q.notebook, q.run_id, q.step, q.key, q.message, q.requested_at]
    form = [[field.name, field.type, field.default, list(field.choices)] for field in q.fields]
    shown = [list(pair) for pair in q.inputs]
    return [*head, form, q.body, shown, q.expires_at, q.on_expire, q.on_reject, list(q.approvers)]


def decode_request(row: Record) -> Request:
    """Inverse of :func:`encode_request`."""
    form = tuple(Field(name, kind, default, tuple(choices)) for name, kind, default, choices in row[7])
    shown = tuple((name, text) for name, text in row[9])
    end = (row[10], OnExpire(row[11]), OnReject(row[12]), tuple(row[13]))
    return Request(*[*row[:7], form, row[8], shown, *end])


def _encode_verdict(v: Verdict) -> Record:
    return [v.request_id, v.state, v.at, v.by, v.comment, dict(v.values)]


def _decode_verdict(row: Record) -> Verdict:
    return Verdict(row[0], ApprovalState(row[1]), *row[2:6])


def _encode_done(done: tuple[tuple[Attempt, Result], ...]) -> Record:
    """Items and their results; the parts that all of them share, nearly all, are written once."""
    shared = _shared([result.parts for _, result in done])
    return [
        encode_parts(shared),
        [[_encode_attempt(a), encode_result(r, encode_parts(r.parts[len(shared) :]))] for a, r in done],
    ]


def _shared(lists: list[tuple[Part, ...]]) -> tuple[Part, ...]:
    """The longest beginning that all have in common."""
    if not lists:
        return ()
    length = min(map(len, lists))
    for position in range(length):
        part = lists[0][position]
        if any(each[position] is not part and each[position] != part for each in lists):
            return lists[0][:position]
    return lists[0][:length]


def _decode_done(shared: str, rows: list[Record]) -> tuple[tuple[Attempt, Result], ...]:
    return tuple((_decode_attempt(attempt), decode_result(row, shared=shared)) for attempt, row in rows)


def encode(event: Event, extra: Any = None) -> Record:
    """An event as a record."""
    code, encoder = _ENCODERS[type(event)]
    return [code, extra, *encoder(event)]


def decode(record: Record) -> Event:
    """Inverse of :func:`encode`.

    Raises:
        KeyError: a code that this nbsteps does not know.
    """
    return _DECODERS[record[0]](record[2:])


_ENCODERS: Final[dict[type, tuple[str, Callable[[Any], Record]]]] = {
    RunStarted: ("run", lambda e: [e.at, _encode_run(e.run), list(e.steps), dict(e.owners), _encode_tags(e.tags)]),
    StepStarted: ("go", lambda e: [e.at, e.run_id, e.step, e.key, list(e.reasons)]),
    AttemptStarted: ("try", lambda e: [e.at, _encode_attempt(e.attempt)]),
    AttemptEnded: ("out", lambda e: [e.at, _encode_attempt(e.attempt)]),
    StepSucceeded: ("ok", _encode_success),
    StepRestored: ("hit", lambda e: [e.at, e.run_id, e.step, e.key, e.time_saved, e.output_bytes, _counts(e.items)]),
    StepEnded: ("end", lambda e: [e.at, e.run_id, e.step, e.state, e.reason, list(e.reasons), _counts(e.items)]),
    StepRetrying: (
        "again",
        lambda e: [e.at, e.run_id, e.step, e.attempt, e.delay, e.until, e.item, e.position, e.label],
    ),
    StepWaiting: ("wait", lambda e: [e.at, e.run_id, e.step, encode_request(e.request)]),
    ApprovalDecided: ("verdict", lambda e: [e.at, e.run_id, e.notebook, e.step, _encode_verdict(e.verdict)]),
    ItemsStarted: ("tries", lambda e: [e.at, e.run_id, e.step, [_encode_attempt(a) for a in e.attempts]]),
    ItemsSucceeded: ("oks", lambda e: [e.at, e.run_id, e.step, *_encode_done(e.done)]),
    StepSlow: ("slow", lambda e: [e.at, e.run_id, e.step, e.seconds, e.median]),
    Accepted: ("keep", lambda e: [e.at, e.notebook, e.step, encode_result(e.result), list(e.reasons), e.run_id]),
    ContextExecuted: ("context", lambda e: [e.at, e.run_id, e.cell, e.duration]),
    Warned: ("warn", lambda e: [e.at, e.run_id, e.step, e.message, e.hint]),
    Cleared: ("clear", lambda e: [e.at, e.notebook, e.step, e.run_id]),
    RunEnded: ("done", lambda e: [e.at, e.run_id, e.state]),
}

_DECODERS: Final[dict[str, Callable[[Record], Event]]] = {
    "run": lambda r: RunStarted(r[0], _decode_run(r[1]), tuple(r[2]), *_decode_labels(r[3:5])),
    "go": lambda r: StepStarted(r[0], r[1], r[2], r[3], tuple(r[4])),
    "try": lambda r: AttemptStarted(r[0], _decode_attempt(r[1])),
    "out": lambda r: AttemptEnded(r[0], _decode_attempt(r[1])),
    "ok": _decode_success,
    "hit": lambda r: StepRestored(*[*r[:6], _decode_counts(r[6:7])]),
    "end": lambda r: StepEnded(r[0], r[1], r[2], StepState(r[3]), r[4], tuple(r[5]), _decode_counts(r[6:7])),
    "again": lambda r: StepRetrying(*r[:9]),
    "wait": lambda r: StepWaiting(r[0], r[1], r[2], decode_request(r[3])),
    "verdict": lambda r: ApprovalDecided(*[*r[:4], _decode_verdict(r[4])]),
    "tries": lambda r: ItemsStarted(r[0], r[1], r[2], tuple(_decode_attempt(row) for row in r[3])),
    "oks": lambda r: ItemsSucceeded(r[0], r[1], r[2], _decode_done(r[3], r[4])),
    "slow": lambda r: StepSlow(*r[:5]),
    "keep": lambda r: Accepted(r[0], r[1], r[2], decode_result(r[3]), tuple(r[4]), r[5]),
    "context": lambda r: ContextExecuted(*r[:4]),
    "warn": lambda r: Warned(*r[:5]),
    "clear": lambda r: Cleared(*r[:4]),
    "done": lambda r: RunEnded(r[0], r[1], RunState(r[2])),
}

KINDS: Final = {code: kind for kind, (code, _) in _ENCODERS.items()}
"""Code of a record to its event's class."""
NAMES: Final = {code: kind.__name__ for code, kind in KINDS.items()}
"""Code of a record to the name of its event's class."""

DURABLE: Final = frozenset(
    {
        AttemptStarted,
        ItemsStarted,
        StepSucceeded,
        ItemsSucceeded,
        StepEnded,
        StepWaiting,
        ApprovalDecided,
        Accepted,
        RunEnded,
        Cleared,
    }
)
"""Events that are on the disk before whoever emits them goes on."""
SUBSTANCE: Final = frozenset({StepSucceeded, ItemsSucceeded, Accepted, Cleared})
"""What makes folding worth the while: a process that only restored leaves its lines for the next one that reads."""
RESTORED: Final = "hit"
"""Code of a step that was restored."""
PASSING: Final = frozenset({"run", RESTORED, "end", "done", "context", "warn", "slow"})
"""Codes of what a process writes that executes nothing: its lines can wait, also when it is gone."""
