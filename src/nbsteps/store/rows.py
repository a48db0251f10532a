"""Frames of journals -> rows of the home, in columns so that each table takes one statement."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Final

from nbsteps.core.errors import StoreError
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
from nbsteps.core.model import NO_WISHES, Artifact, Attempt, ItemCounts, Result
from nbsteps.core.states import AttemptState, StepState
from nbsteps.store.journal import EVENTS, VALUE, Frame
from nbsteps.store.records import (
    NAMES,
    Record,
    StoredResult,
    decode,
    dumps,
    encode_request,
    encode_result,
    encode_wishes,
)
from nbsteps.store.schema import TABLES

Row = tuple[Any, ...]


def text(value: str) -> str:
    """A text that DuckDB can hold: lone surrogates, which some file names have, become escapes."""
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode("utf-8")


class Rows:
    """Collects rows; ``columns`` gives them to an insert.

    Attributes:
        seq: number of the next record.
        latest: notebook and step to state and result of the last outcome among these rows.
        forgotten: notebook and step that were cleared: their earlier last outcome is void.
        payloads: digest to bytes of inline values.
        artifacts: digest to what is known of a value and when it was stored.
        shared: parts that many items have in common, by their digest.
    """

    def __init__(self, seq: int) -> None:
        self.seq = self.first = seq
        self.rows: dict[str, list[Row]] = {name: [] for name in TABLES}
        self.latest: dict[tuple[str, str], tuple[int, str, str | None]] = {}
        self.forgotten: set[tuple[str, str]] = set()
        self.payloads: dict[str, bytes] = {}
        self.artifacts: dict[str, tuple[Artifact, float]] = {}
        self.shared: dict[str, str] = {}

    def __len__(self) -> int:
        return self.seq - self.first

    def columns(self, table: str) -> list[list[Any]]:
        """The rows of a table, turned into one list for each column."""
        rows = self.rows[table]
        return [list(column) for column in zip(*rows, strict=True)]

    def take(self, owner: str, frames: Iterable[Frame]) -> None:
        """Turn frames of one owner into rows."""
        for frame in frames:
            if frame.kind == VALUE:
                self.payloads[frame.content[0]] = frame.payload
            elif frame.kind == EVENTS:
                for record in frame.content:
                    self._record(owner, record)

    def _record(self, owner: str, record: Record) -> None:
        if record[0] not in NAMES:
            msg = f"a journal holds a record {record[0]!r} that this nbsteps does not know"
            raise StoreError(msg, hint="a newer nbsteps wrote it: pip install --upgrade nbsteps")
        event = decode(record)
        _FOLDS[type(event)](self, event, record[1], owner)
        self.seq += 1

    def _event(self, event: Any, data: dict[str, Any], *, step: str = "", item: str = "") -> None:
        name = type(event).__name__
        row = (self.seq, event.at, text(event.run_id), text(step), text(item), name, dumps(data))
        self.rows["events"].append(row)

    def _run_started(self, event: RunStarted, _extra: Any, owner: str) -> None:
        run = event.run
        parameters, steps = dumps(dict(run.parameters)), dumps(list(event.steps))
        names = (text(run.notebook), run.trigger, run.started_at, parameters, steps, len(event.steps))
        self.rows["run_starts"].append(
            (self.seq, text(run.run_id), *names, text(run.host), run.pid, text(run.user), owner)
        )
        for step in dict.fromkeys((*event.owners, *event.tags)):
            owned = event.owners.get(step)
            tags = [text(tag) for tag in event.tags.get(step, ())]
            labels = (None if owned is None else text(owned), tags)
            self.rows["labels"].append((self.seq, text(run.run_id), text(step), *labels))
        wishes = {} if run.wishes == NO_WISHES else {"wishes": encode_wishes(run.wishes)}
        self._event(event, {"notebook": run.notebook, "trigger": run.trigger, "steps": len(event.steps), **wishes})

    def _run_ended(self, event: RunEnded, _extra: Any, _owner: str) -> None:
        self.rows["run_ends"].append((self.seq, text(event.run_id), event.state, event.at))
        self._event(event, {"state": event.state})

    def _step_started(self, event: StepStarted, extra: Any, owner: str) -> None:
        reason = text(event.reasons[0]) if event.reasons else ""
        names = (text(event.run_id), text(event.step), event.key, reason, dumps(list(event.reasons)), event.at)
        self.rows["step_starts"].append((self.seq, *names, text(extra[1]), owner))
        self._event(event, {"key": event.key, "reasons": list(event.reasons)}, step=event.step)

    def _attempt_started(self, event: AttemptStarted, _extra: Any, owner: str) -> None:
        a = event.attempt
        self._attempt_start(a, owner)
        self._event(event, {"attempt": a.attempt}, step=a.step, item=a.item)

    def _attempt_start(self, a: Attempt, owner: str) -> None:
        names = (text(a.run_id), text(a.step), text(a.item), a.attempt, a.started_at, float(a.delay))
        place = (text(a.executor), text(a.host), a.pid, owner)
        item = (a.position, None if a.position is None else text(a.label))
        self.rows["attempt_starts"].append((self.seq, *names, *place, *item))

    def _attempt_ended(self, event: AttemptEnded, _extra: Any, _owner: str) -> None:
        a = event.attempt
        self._attempt_end(a, event.at, a.state)
        data: dict[str, Any] = {"attempt": a.attempt, "state": a.state, **_which(a)}
        if a.failure is not None:
            data |= {"error_type": a.failure.error_type, "error_message": a.failure.message}
        self._event(event, data, step=a.step, item=a.item)

    def _attempt_end(self, a: Attempt, at: float, state: AttemptState) -> None:
        error: Row = (None, None, None)
        if a.failure is not None:
            error = (text(a.failure.error_type), text(a.failure.message), text(a.failure.traceback))
        names = (text(a.run_id), text(a.step), text(a.item), a.attempt, state)
        ended = at if a.ended_at is None else a.ended_at
        self.rows["attempt_ends"].append((self.seq, *names, ended, *error, a.peak_rss))

    def _succeeded(self, event: StepSucceeded, extra: Any, _owner: str) -> None:
        result, identifier = event.result, extra[0]
        self._attempt_end(event.attempt, event.at, AttemptState.SUCCEEDED)
        size = self._result(result, identifier, event.at, reusable=not event.uncacheable)
        self._step_end(
            event,
            StepState.SUCCEEDED,
            result.notebook,
            key=result.key,
            size=size,
            result=identifier,
            items=event.items,
        )
        data: dict[str, Any] = {"duration": result.duration, "uncacheable": list(event.uncacheable)}
        self._event(event, data, step=event.step, item=event.attempt.item)

    def _result(self, result: Result, identifier: str, at: float, *, reusable: bool) -> int:
        """A result, its outputs and their values; returns the bytes of its outputs."""
        assert isinstance(result, StoredResult)  # noqa: S101 - decoded a moment ago
        names = (text(result.notebook), text(result.step), text(result.run_id), text(result.item), at)
        texts = (dumps(encode_result(result, "")), result.parts_text, self._common(result.shared))
        by = text(result.accepted_by) or None
        self.rows["results"].append((self.seq, identifier, result.key, result.static, *names, reusable, *texts, by))
        size = 0
        for position, (name, artifact) in enumerate(result.outputs.items()):
            self.rows["outputs"].append((self.seq, identifier, position, text(name), artifact.digest))
            self.artifacts[artifact.digest] = (artifact, at)
            size += artifact.bytes
        if result.displays is not None:
            self.artifacts[result.displays.digest] = (result.displays, at)
        return size

    def _common(self, parts: str) -> str | None:
        """Identifier of parts that results share."""
        if not parts:
            return None
        digest = hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()
        self.shared[digest] = parts
        return digest

    def _items_started(self, event: ItemsStarted, _extra: Any, owner: str) -> None:
        for attempt in event.attempts:
            self._attempt_start(attempt, owner)
        self._event(event, {"items": len(event.attempts)}, step=event.step)

    def _items_succeeded(self, event: ItemsSucceeded, extra: Any, _owner: str) -> None:
        for identifier, (attempt, result) in zip(extra[0], event.done, strict=True):
            self._attempt_end(attempt, event.at, AttemptState.SUCCEEDED)
            self._result(result, identifier, event.at, reusable=True)
        self._event(event, {"items": len(event.done)}, step=event.step)

    def _accepted(self, event: Accepted, extra: Any, _owner: str) -> None:
        result, identifier = event.result, extra[0]
        self._result(result, identifier, event.at, reusable=True)
        place = (text(event.notebook), text(event.step))
        self.latest[place] = (self.seq, StepState.SUCCEEDED, identifier)
        data = {"key": result.key, "by": result.accepted_by, "reasons": list(event.reasons)}
        self._event(event, data, step=event.step)

    def _retrying(self, event: StepRetrying, _extra: Any, _owner: str) -> None:
        names = (text(event.run_id), text(event.step), text(event.item), event.attempt, event.at)
        self.rows["retries"].append((self.seq, *names, float(event.delay), float(event.until)))
        data = {"attempt": event.attempt, "delay": event.delay, "until": event.until, **_which(event)}
        self._event(event, data, step=event.step, item=event.item)

    def _waiting(self, event: StepWaiting, _extra: Any, _owner: str) -> None:
        q = event.request
        names = (q.request_id, text(q.run_id), text(q.notebook), text(q.step), q.key, text(q.message))
        if q.run_id == event.run_id:  # a later run that meets the same request asks nothing new
            self.rows["requests"].append((self.seq, *names, q.requested_at, q.expires_at, dumps(encode_request(q))))
        self._step_end(event, StepState.WAITING, q.notebook, key=q.key, reason=q.message)
        data = {"request": q.request_id, "message": q.message, "expires_at": q.expires_at}
        self._event(event, data, step=event.step)

    def _decided(self, event: ApprovalDecided, _extra: Any, _owner: str) -> None:
        v = event.verdict
        names = (v.request_id, text(event.run_id), text(event.notebook), text(event.step))
        said = (text(v.by), text(v.comment), dumps(dict(v.values)))
        self.rows["verdicts"].append((self.seq, *names, v.state, v.at, *said))
        data = {"request": v.request_id, "state": v.state, "by": v.by, "comment": v.comment, "values": dict(v.values)}
        self._event(event, data, step=event.step)

    def _slow(self, event: StepSlow, _extra: Any, _owner: str) -> None:
        self._event(event, {"seconds": event.seconds, "median": event.median}, step=event.step)

    def _restored(self, event: StepRestored, extra: Any, _owner: str) -> None:
        saved = float(event.time_saved)
        key, size = event.key, event.output_bytes
        self._step_end(
            event, StepState.CACHED, extra[1], key=key, saved=saved, size=size, result=extra[0], items=event.items
        )
        self._event(event, {"time_saved": saved}, step=event.step)

    def _ended(self, event: StepEnded, extra: Any, _owner: str) -> None:
        reasons = event.reasons
        self._step_end(event, event.state, extra[1], reason=event.reason, reasons=reasons, items=event.items)
        data = {"state": event.state, "reason": event.reason, "reasons": list(reasons)}
        self._event(event, data, step=event.step)

    def _step_end(  # noqa: PLR0913 - the columns of one row
        self,
        event: StepSucceeded | StepRestored | StepEnded | StepWaiting,
        state: StepState,
        notebook: str,
        *,
        key: str = "",
        reason: str = "",
        reasons: tuple[str, ...] = (),
        saved: float = 0.0,
        size: int = 0,
        result: str | None = None,
        items: ItemCounts | None = None,
    ) -> None:
        names = (text(event.run_id), text(event.step), text(notebook), state, text(reason), dumps(list(reasons)))
        counts = (None,) * 4 if items is None else (items.total, items.executed, items.restored, items.failed)
        self.rows["step_ends"].append((self.seq, *names, key, event.at, saved, size, result, *counts))
        place = (text(notebook), text(event.step))
        earlier = self.latest.get(place, (0, "", None))[2]
        self.latest[place] = (self.seq, state, result or earlier)

    def _cleared(self, event: Cleared, extra: Any, _owner: str) -> None:
        place = (text(event.notebook), text(event.step))
        self.forgotten.add(place)
        self.latest.pop(place, None)
        self.rows["cleared"] += [(self.seq, identifier) for identifier in extra[0]]
        results = extra[2] if len(extra) > 2 else len(extra[0])  # noqa: PLR2004 - older records end before
        self._event(event, {"notebook": event.notebook, "results": results}, step=event.step)

    def _context(self, event: ContextExecuted, _extra: Any, _owner: str) -> None:
        self._event(event, {"cell": event.cell, "duration": event.duration})

    def _warned(self, event: Warned, _extra: Any, _owner: str) -> None:
        self._event(event, {"message": event.message, "hint": event.hint}, step=event.step)


def _which(item: Attempt | StepRetrying) -> dict[str, Any]:
    """Which item of a map it was, where that is known."""
    return {} if item.position is None else {"position": item.position, "label": item.label}


_FOLDS: Final[dict[type[Event], Callable[[Rows, Any, Any, str], None]]] = {
    RunStarted: Rows._run_started,  # noqa: SLF001 - the table belongs to the class
    RunEnded: Rows._run_ended,  # noqa: SLF001 - (the same)
    StepStarted: Rows._step_started,  # noqa: SLF001 - (the same)
    AttemptStarted: Rows._attempt_started,  # noqa: SLF001 - (the same)
    AttemptEnded: Rows._attempt_ended,  # noqa: SLF001 - (the same)
    StepSucceeded: Rows._succeeded,  # noqa: SLF001 - (the same)
    StepRestored: Rows._restored,  # noqa: SLF001 - (the same)
    StepEnded: Rows._ended,  # noqa: SLF001 - (the same)
    Cleared: Rows._cleared,  # noqa: SLF001 - (the same)
    ContextExecuted: Rows._context,  # noqa: SLF001 - (the same)
    Warned: Rows._warned,  # noqa: SLF001 - (the same)
    StepRetrying: Rows._retrying,  # noqa: SLF001 - (the same)
    StepWaiting: Rows._waiting,  # noqa: SLF001 - (the same)
    ApprovalDecided: Rows._decided,  # noqa: SLF001 - (the same)
    ItemsStarted: Rows._items_started,  # noqa: SLF001 - (the same)
    ItemsSucceeded: Rows._items_succeeded,  # noqa: SLF001 - (the same)
    StepSlow: Rows._slow,  # noqa: SLF001 - (the same)
    Accepted: Rows._accepted,  # noqa: SLF001 - (the same)
}


def artifact_rows(rows: Rows, tabular: Callable[[Artifact], bool]) -> list[Row]:
    """Rows of the artifacts that the collected results mention."""
    return [
        (a.digest, text(a.type), a.codec, a.bytes, text(a.location), a.checksum, a.mac, text(a.summary), at, tabular(a))
        for a, at in rows.artifacts.values()
    ]
