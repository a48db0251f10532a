"""What a process knows of the stored results, in memory: filled from the home and kept up to date by journals."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from nbsteps.core.events import Cleared, Event, RunStarted, StepEnded, StepRestored, StepSucceeded
from nbsteps.core.model import Artifact, Result
from nbsteps.core.states import StepState
from nbsteps.ports import Last, Recall
from nbsteps.store.records import decode_result, loads

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
    """Results by key and static digest, and each step's last outcome.

    Attributes:
        loaded: sequence number of the home up to which everything asked for is here; -1 before the first look.
        home: which file that number belongs to.
        complete: whether every result of the home is here, not only those asked for.
        version: grows with every change.
        artifacts: digest to a stored value that some result names, as far as results were decoded.
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
        self._entries: dict[str, Entry] = {}
        self._by_key: dict[str, list[Entry]] = {}
        self._by_static: dict[str, dict[str, None]] = {}
        self._by_step: dict[tuple[str, str], dict[str, None]] = {}
        self._last: dict[tuple[str, str], tuple[StepState, str | None]] = {}
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
        """Forget results, also such as are still to come."""
        self.version += 1
        for identifier in identifiers:
            self._cleared.add(identifier)
            entry = self._entries.pop(identifier, None)
            if entry is None:
                continue
            self._by_step[entry.notebook, entry.step].pop(identifier, None)
            if entry.reusable:
                self._by_key[entry.key].remove(entry)

    def set_last(self, notebook: str, step: str, state: str, identifier: str | None) -> None:
        """Note a step's last outcome; without an identifier its last result stays."""
        self.version += 1
        if identifier is None:
            identifier = self._last.get((notebook, step), (None, None))[1]
        self._last[notebook, step] = StepState(state), identifier

    def apply(self, event: Event, extra: Any) -> None:
        """Follow an event of this or another process; ``extra`` is ``[identifiers, notebook]``."""
        match event:
            case StepSucceeded():
                self._order += 1
                self.add(Entry(extra[0], event.result, order=self._order, reusable=not event.uncacheable))
                self.set_last(event.result.notebook, event.step, StepState.SUCCEEDED, extra[0])
            case StepRestored():
                self.set_last(extra[1], event.step, StepState.CACHED, extra[0])
            case StepEnded():
                self.set_last(extra[1], event.step, event.state, None)
            case RunStarted():
                self._notebooks[event.run_id] = event.run.notebook
            case Cleared():
                self.clear(extra[0])
                self._last.pop((event.notebook, event.step), None)
            case _:
                pass

    def newest(self, key: str) -> str | None:
        """Identifier of the newest result under a key."""
        same = self._by_key.get(key)
        return same[-1].id if same else None

    def of_step(self, notebook: str, step: str) -> list[str]:
        """Identifiers of a step's results."""
        return list(self._by_step.get((notebook, step), ()))

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
