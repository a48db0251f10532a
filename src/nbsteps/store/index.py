"""What a process knows of the stored results, in memory: filled from the home and kept up to date by journals."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from nbsteps.core.approvals import Approval, Request, Verdict
from nbsteps.core.events import (
    Accepted,
    ApprovalDecided,
    Cleared,
    Event,
    ItemsSucceeded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepSucceeded,
    StepWaiting,
)
from nbsteps.core.model import Artifact, Result
from nbsteps.core.states import StepState
from nbsteps.ports import Last, Recall
from nbsteps.store.records import KINDS, decode_result, loads

_RECENT: Final = 1 << 62
"""Order of the first result that is known from a journal: behind all that were folded."""


class Entry:
    """A result under its identifier; decoded when first asked for."""

    __slots__ = ("_parts", "_result", "_text", "id", "key", "notebook", "order", "reusable", "static", "step")

    def __init__(self, identifier: str, result: Result, *, order: int, reusable: bool) -> None:
        self.id, self.order, self.reusable = identifier, order, reusable
        self.key, self.static, self.notebook, self.step = result.key, result.static, result.notebook, result.step
        self._result: Result | None = result
        self._text = self._parts = ""

    @classmethod
    def stored(cls, row: tuple[Any, ...]) -> Entry:
        """From a row ``seq, id, key, static, notebook, step, reusable, record, parts`` of the home."""
        entry = cls.__new__(cls)
        entry.fill(row)
        return entry

    def fill(self, row: tuple[Any, ...]) -> None:
        """Take what a row says; see :meth:`stored`."""
        (self.order, self.id, self.key, self.static, self.notebook, self.step) = row[:6]
        self.reusable, self._text, self._parts = row[6:9]
        self._result = None

    @property
    def result(self) -> Result:
        """The result."""
        if self._result is None:
            self._result = decode_result(loads(self._text), self._parts)
            self._text = self._parts = ""
        return self._result


class Index:
    """Results by key and static digest, each step's last outcome, and what people were asked.

    Results of a map's items are many: only those that are not folded yet are here.

    Attributes:
        loaded: sequence number of the home up to which everything asked for is here; -1 before the first look.
        home: which file that number belongs to.
        complete: whether every result of the home is here, not only those asked for.
        version: grows with every change.
        artifacts: digest to a stored value that some result names, as far as results were decoded.
        home_items: whether the home has results of items.
        home_requests: whether the home has requests for approval.
        asked: notebooks whose requests in the home are here.
        timed: notebook and step whose latest results are here.
    """

    def __init__(self) -> None:
        self.loaded = -1
        self.home = ""
        self.complete = False
        self.version = 0
        self.statics: set[str] = set()
        self.keys: set[str] = set()
        self.steps: set[tuple[str, str]] = set()
        self.artifacts: dict[str, Artifact] = {}
        self.home_items = self.home_requests = False
        self.asked: set[str] = set()
        self.timed: set[tuple[str, str]] = set()
        self._items: dict[str, list[tuple[str, Result]]] = {}
        self._requests: dict[str, Request] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._entries: dict[str, Entry] = {}
        self._by_key: dict[str, list[Entry]] = {}
        self._by_static: dict[str, dict[str, None]] = {}
        self._by_step: dict[tuple[str, str], dict[str, None]] = {}
        self._last: dict[tuple[str, str], tuple[StepState, str | None]] = {}
        self._heard: set[tuple[str, str]] = set()
        self._cleared: set[str] = set()
        self._notebooks: dict[str, str] = {}
        self._order = _RECENT
        self._recall: tuple[Any, Recall] = ((), Recall())

    def notebook_of(self, run_id: str) -> str:
        """Notebook of a run that this process started or saw start, else ``""``."""
        return self._notebooks.get(run_id, "")

    def known(self, notebook: str, steps: Collection[str], statics: Collection[str]) -> bool:
        """Whether a recall can be answered from here."""
        if self.complete:
            return True
        return self.statics.issuperset(statics) and all((notebook, step) in self.steps for step in steps)

    def add(self, entry: Entry) -> None:
        """Take a result in, unless it is known or cleared."""
        if entry.id in self._entries or entry.id in self._cleared:
            return
        self.version += 1
        self._entries[entry.id] = entry
        self._by_step.setdefault((entry.notebook, entry.step), {})[entry.id] = None
        if not entry.reusable:
            return
        same = self._by_key.setdefault(entry.key, [])
        same.append(entry)
        if len(same) > 1 and same[-2].order > entry.order:
            same.sort(key=lambda each: each.order)
        self._by_static.setdefault(entry.static, {})[entry.key] = None

    def clear(self, identifiers: Iterable[str]) -> None:
        """Forget results and requests, also such as are still to come."""
        self.version += 1
        for identifier in identifiers:
            self._cleared.add(identifier)
            self._requests.pop(identifier, None)
            entry = self._entries.pop(identifier, None)
            if entry is None:
                continue
            self._by_step[entry.notebook, entry.step].pop(identifier, None)
            if entry.reusable:
                self._by_key[entry.key].remove(entry)

    def is_cleared(self, identifier: str) -> bool:
        """Whether a result is forgotten, as far as journals tell."""
        return identifier in self._cleared

    def set_last(self, notebook: str, step: str, state: str, identifier: str | None) -> None:
        """Note a step's last outcome; without an identifier its last result stays."""
        self.version += 1
        if identifier is None:
            identifier = self._last.get((notebook, step), (None, None))[1]
        self._last[notebook, step] = StepState(state), identifier

    def recorded(self, notebook: str, step: str, state: str, identifier: str | None) -> None:
        """Take in what the home says of a step's last outcome, unless journals that are not folded told a later one."""
        if (notebook, step) not in self._heard:
            self.set_last(notebook, step, state, identifier)
            return
        told, result = self._last.get((notebook, step), (None, None))
        if told is not None and result is None:
            self.set_last(notebook, step, told, identifier)

    def _hear(self, notebook: str, step: str, state: StepState, identifier: str | None = None) -> None:
        """Take in a last outcome that is not folded."""
        self._heard.add((notebook, step))
        self.set_last(notebook, step, state, identifier)

    def apply(self, event: Event, extra: Any) -> None:
        """Follow an event of this or another process; ``extra`` is ``[identifiers, notebook]``."""
        follow = _FOLLOWS.get(type(event))
        if follow is not None:
            follow(self, event, extra)

    def _succeeded(self, event: StepSucceeded, extra: Any) -> None:
        self._result(event.result, extra[0], reusable=not event.uncacheable)
        self._hear(event.result.notebook, event.step, StepState.SUCCEEDED, extra[0])

    def _result(self, result: Result, identifier: str, *, reusable: bool) -> None:
        self._order += 1
        self.add(Entry(identifier, result, order=self._order, reusable=reusable))

    def _items_succeeded(self, event: ItemsSucceeded, extra: Any) -> None:
        for identifier, (_, result) in zip(extra[0], event.done, strict=True):
            self._items.setdefault(result.key, []).append((identifier, result))

    def _accepted(self, event: Accepted, extra: Any) -> None:
        self._result(event.result, extra[0], reusable=True)
        self._hear(event.notebook, event.step, StepState.SUCCEEDED, extra[0])

    def _restored(self, event: StepRestored, extra: Any) -> None:
        self.restored(extra[1], event.step, extra[0])

    def restored(self, notebook: str, step: str, identifier: str | None) -> None:
        """A step was restored from a result."""
        self._hear(notebook, step, StepState.CACHED, identifier)

    def _ended(self, event: StepEnded, extra: Any) -> None:
        self._hear(extra[1], event.step, event.state)

    def _waiting(self, event: StepWaiting, _extra: Any) -> None:
        self.ask(event.request)
        self._hear(event.request.notebook, event.step, StepState.WAITING)

    def _run_started(self, event: RunStarted, _extra: Any) -> None:
        self._notebooks[event.run_id] = event.run.notebook

    def _forget(self, event: Cleared, extra: Any) -> None:
        self.clear(extra[0])
        self._heard.add((event.notebook, event.step))
        self._last.pop((event.notebook, event.step), None)

    def items(self, keys: Collection[str]) -> dict[str, tuple[Result, ...]]:
        """Results of a map's items that are not folded yet, by key, newest first."""
        found = {}
        for key in keys:
            kept = [result for identifier, result in self._items.get(key, ()) if identifier not in self._cleared]
            if kept:
                found[key] = tuple(reversed(kept))
        return found

    def items_of_step(self, notebook: str, step: str) -> list[str]:
        """Identifiers of the results of a step's items that are not folded yet."""
        every = (one for found in self._items.values() for one in found)
        return [identifier for identifier, result in every if (result.notebook, result.step) == (notebook, step)]

    def folded(self) -> None:
        """The home has everything now that journals held."""
        self._heard.clear()
        self.home_items = self.home_items or bool(self._items)
        self._items.clear()

    def ask(self, request: Request) -> None:
        """Take a request in, once, unless it was cleared."""
        if request.request_id not in self._cleared:
            self._requests.setdefault(request.request_id, request)

    def decide(self, verdict: Verdict) -> None:
        """Take a decision in; the first one counts."""
        self._verdicts.setdefault(verdict.request_id, verdict)

    def approvals(self, notebook: str, step: str) -> tuple[Approval, ...]:
        """Requests of a notebook, or of one step, newest first."""
        found = [
            Approval(request, self._verdicts.get(identifier))
            for identifier, request in self._requests.items()
            if request.notebook == notebook and step in {"", request.step}
        ]
        found.reverse()
        return tuple(sorted(found, key=lambda each: -each.request.requested_at))

    def newest(self, key: str) -> str | None:
        """Identifier of the newest result under a key."""
        same = self._by_key.get(key)
        return same[-1].id if same else None

    def of_step(self, notebook: str, step: str) -> list[str]:
        """Identifiers of a step's results."""
        return list(self._by_step.get((notebook, step), ()))

    def durations(self, notebook: str, step: str, number: int) -> tuple[float, ...]:
        """Seconds that the latest successes of a step took, newest first; results kept by decision are none."""
        entries = [self._entries[identifier] for identifier in self.of_step(notebook, step)]
        entries.sort(key=lambda each: -each.order)
        return tuple(each.result.duration for each in entries[:number] if not each.result.accepted_by)

    def find(self, key: str) -> tuple[Result, ...]:
        """Results under a key, newest first."""
        return tuple(self._decoded(entry) for entry in reversed(self._by_key.get(key, ())))

    def _decoded(self, entry: Entry) -> Result:
        result = entry.result
        for artifact in result.outputs.values():
            self.artifacts.setdefault(artifact.digest, artifact)
        return result

    def recall(self, notebook: str, steps: Collection[str], statics: Collection[str]) -> Recall:
        """Answer from memory; the same object as long as nothing changed."""
        wanted = (self.version, notebook, tuple(steps), tuple(statics))
        if self._recall[0] == wanted:
            return self._recall[1]
        results = {key: self.find(key) for static in statics for key in self._by_static.get(static, ())}
        last = {}
        for step in steps:
            found = self._last.get((notebook, step))
            if found is not None:
                entry = self._entries.get(found[1] or "")
                last[step] = Last(found[0], self._decoded(entry) if entry else None)
        answer = Recall({key: found for key, found in results.items() if found}, last, frozenset(statics))
        self._recall = (wanted, answer)
        return answer

    def recalled(self) -> Iterable[Artifact]:
        """Artifacts of the results of the last recall: what is likely to be asked for next."""
        recall = self._recall[1]
        for results in recall.results.values():
            for result in results[:1]:
                yield from result.outputs.values()
                if result.displays is not None:
                    yield result.displays


_FOLLOWS: Final[dict[type[Event], Callable[[Index, Any, Any], None]]] = {
    StepSucceeded: Index._succeeded,  # noqa: SLF001 - the table belongs to the class
    ItemsSucceeded: Index._items_succeeded,  # noqa: SLF001 - (the same)
    Accepted: Index._accepted,  # noqa: SLF001 - (the same)
    StepRestored: Index._restored,  # noqa: SLF001 - (the same)
    StepEnded: Index._ended,  # noqa: SLF001 - (the same)
    StepWaiting: Index._waiting,  # noqa: SLF001 - (the same)
    ApprovalDecided: lambda index, event, _extra: index.decide(event.verdict),
    RunStarted: Index._run_started,  # noqa: SLF001 - (the same)
    Cleared: Index._forget,  # noqa: SLF001 - (the same)
}
"""Class of event to how it is followed; every other event changes nothing here."""

FOLLOWED: Final = frozenset(code for code, kind in KINDS.items() if kind in _FOLLOWS)
"""Codes of the records of these events."""
