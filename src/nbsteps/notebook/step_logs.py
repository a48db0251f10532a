"""What steps showed last, for whoever looks at them while they run; bounded, however much a step shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nbsteps.core.events import Event, StepRestored, StepStarted
from nbsteps.notebook.recorder import Recorder
from nbsteps.ports import Display

_CHARACTERS: Final = 200_000
"""Text of one step that is kept at least; twice as much at most."""
_OUTPUTS: Final = 400
"""Outputs of one step that are kept at least; twice as many at most."""


class StepLogs:
    """The newest outputs of each step that was executed here; of one that was restored its result holds them."""

    def __init__(self) -> None:
        self._tails: dict[str, Tail] = {}

    def emit(self, event: Event) -> None:
        """Begin and end a step's outputs."""
        match event:
            case StepStarted():
                self._tails[event.step] = Tail()
            case StepRestored():
                self._tails.pop(event.step, None)
            case _:
                pass

    def tail(self, step: str) -> Tail | None:
        """What records the outputs of a step, or None where nothing does."""
        return self._tails.get(step)

    def of(self, step: str) -> list[Display] | None:
        """The newest outputs of a step, in notebook format; None where its result has them."""
        tail = self._tails.get(step)
        return None if tail is None else tail.shown()


class Tail(Recorder):
    """A recorder that forgets the oldest of what it recorded, at a cost that does not grow with what came before."""

    def __init__(self) -> None:
        super().__init__()
        self._held = 0

    def stream(self, name: str, text: str) -> None:
        """Record text that was written to the stream ``stdout`` or ``stderr``."""
        with self._lock:
            super().stream(name, text)
            self._held += len(text)
            if self._held > 2 * _CHARACTERS or len(self._outputs) > 2 * _OUTPUTS:
                self._forget()

    def display(self, data: Mapping[str, Any], metadata: Mapping[str, Any] | None, display_id: str | None) -> None:
        """Record a display."""
        with self._lock:
            super().display(data, metadata, display_id)
            if len(self._outputs) > 2 * _OUTPUTS:
                self._forget()

    def _forget(self) -> None:
        """Keep the newest outputs, and of those the newest text."""
        kept = list[Display]()
        left = _CHARACTERS
        for output in reversed(self._outputs[-_OUTPUTS:]):
            if output["output_type"] == "stream":
                if left <= 0:
                    break
                text = "".join(output["text"])[-left:]
                left -= len(text)
                output["text"] = [text]
            kept.append(output)
        self._outputs[:] = reversed(kept)
        self._held = _CHARACTERS - left
        there = set(map(id, kept))
        held = {name: [entry for entry in entries if id(entry) in there] for name, entries in self._by_id.items()}
        self._by_id = {name: entries for name, entries in held.items() if entries}
