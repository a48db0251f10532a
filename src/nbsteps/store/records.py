"""Events and results as JSON-able lists and back: positional, written by hand because it is done for every step.

A record is ``[code, extra, ...fields]``. ``extra`` is what the store adds: the identifier of a result that succeeded
or was restored, the identifiers that a clear forgets. Fields are only ever appended, so that an old record is read by
a newer nbsteps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from nbsteps.core.events import (
    AttemptEnded,
    AttemptStarted,
    Cleared,
    ContextExecuted,
    Event,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepStarted,
    StepSucceeded,
    Warned,
)
from nbsteps.core.model import Artifact, Attempt, Failure, Part, PartKind, Result, Run
from nbsteps.core.states import AttemptState, RunState, StepState

Record = list[Any]

dumps: Final = json.JSONEncoder(separators=(",", ":")).encode
"""Compact JSON in ASCII: a lone surrogate in a name survives as an escape."""
loads: Final = json.JSONDecoder().decode


class StoredResult(Result):
    """A result read from the store: its parts stay JSON text until somebody asks for them."""

    __slots__ = ("_decoded", "_text")
    _decoded: tuple[Part, ...] | None
    _text: str

    @property
    def parts(self) -> tuple[Part, ...]:
        """The key's ingredients, for ``why``."""
        decoded = self._decoded
        if decoded is None:
            decoded = decode_parts(loads(self._text))
            object.__setattr__(self, "_decoded", decoded)
        return decoded

    @parts.setter
    def parts(self, value: tuple[Part, ...]) -> None:
        object.__setattr__(self, "_decoded", value)
        object.__setattr__(self, "_text", "")

    @property
    def parts_text(self) -> str:
        """The parts as they are stored."""
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
        parts = r.parts_text if isinstance(r, StoredResult) else encode_parts(r.parts)
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
    ]


def decode_result(row: Record, parts: str | None = None) -> StoredResult:
    """Inverse of :func:`encode_result`; ``parts`` stands in for text kept elsewhere."""
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
        *row[9:12],
    )
    object.__setattr__(result, "_decoded", None)
    object.__setattr__(result, "_text", row[6] if parts is None else parts)
    return result


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
    ]


def _decode_run(row: Record) -> Run:
    return Run(*[*row[:8], RunState(row[8]), row[9]])


def _encode_tags(tags: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    return {step: list(labels) for step, labels in tags.items()}


def _decode_labels(row: Record) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Owners and tags; the records of a run did not always have them."""
    owners, tags = row or ({}, {})
    return owners, {step: tuple(labels) for step, labels in tags.items()}


def _encode_attempt(a: Attempt) -> Record:
    failure = None if a.failure is None else _encode_failure(a.failure)
    head = [a.run_id, a.step, a.attempt, a.started_at, a.executor, a.host, a.pid, a.item, a.delay]
    return [*head, a.state, a.ended_at, failure, a.peak_rss]


def _decode_attempt(row: Record) -> Attempt:
    failure = None if row[11] is None else Failure(*row[11][:4])
    return Attempt(*[*row[:9], AttemptState(row[9]), row[10], failure, row[12]])


def _encode_failure(f: Failure) -> Record:
    return [f.error_type, f.message, f.traceback, f.hint]


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
    StepSucceeded: ("ok", lambda e: [e.at, _encode_attempt(e.attempt), encode_result(e.result), list(e.uncacheable)]),
    StepRestored: ("hit", lambda e: [e.at, e.run_id, e.step, e.key, e.time_saved, e.output_bytes]),
    StepEnded: ("end", lambda e: [e.at, e.run_id, e.step, e.state, e.reason, list(e.reasons)]),
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
    "ok": lambda r: StepSucceeded(r[0], _decode_attempt(r[1]), decode_result(r[2]), tuple(r[3])),
    "hit": lambda r: StepRestored(*r[:6]),
    "end": lambda r: StepEnded(r[0], r[1], r[2], StepState(r[3]), r[4], tuple(r[5])),
    "context": lambda r: ContextExecuted(*r[:4]),
    "warn": lambda r: Warned(*r[:5]),
    "clear": lambda r: Cleared(*r[:4]),
    "done": lambda r: RunEnded(r[0], r[1], RunState(r[2])),
}

NAMES: Final = {code: kind.__name__ for kind, (code, _) in _ENCODERS.items()}
"""Code of a record to the name of its event's class."""
