"""Outputs in notebook format, in the order in which they came, as a notebook's page would show them."""

from __future__ import annotations

import base64
import math
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from nbsteps.ports import Display

NOTE: Final = "nbsteps"
"""In the metadata of a display that nbsteps itself shows: it is none of the step's."""
_INLINE = "matplotlib_inline.backend_inline"


onlookers: list[Callable[[str], Recorder | None]] = []
"""Asked for a recorder of their own when a step shows something: whoever shows it elsewhere, as it comes."""


class Recorder:
    """Outputs in notebook format, in the order in which they came.

    Text of one stream is merged as long as no other output comes between, displays are updated by their ``display_id``,
    and ``clear_output`` clears. Threads may record at the same time.

    Args:
        whose: the step that shows it; ``""`` for what nobody looks on at.
    """

    def __init__(self, whose: str = "") -> None:
        self._whose = whose
        self._outputs: list[Display] = []
        self._by_id: dict[str, list[Display]] = {}
        self._clear_next = False
        self._lock = threading.RLock()
        self._local = threading.local()
        self.closed = False

    @property
    def muted(self) -> bool:
        """Whether stream text of this thread is not to be recorded now, or recording has ended."""
        return self.closed or getattr(self._local, "muted", False)

    @contextmanager
    def mute(self) -> Iterator[None]:
        """Keep stream text of this thread out: the shell prints what was recorded as a display already."""
        before = getattr(self._local, "muted", False)
        self._local.muted = True
        try:
            yield
        finally:
            self._local.muted = before

    def stream(self, name: str, text: str) -> None:
        """Record text that was written to the stream ``stdout`` or ``stderr``."""
        if not text:
            return
        for other in self._others():
            other.stream(name, text)
        with self._lock:
            self._clear_if_due()
            last = self._outputs[-1] if self._outputs else None
            if last is not None and last["output_type"] == "stream" and last["name"] == name:
                last["text"].append(text)
            else:
                self._outputs.append({"output_type": "stream", "name": name, "text": [text]})

    def display(self, data: Mapping[str, Any], metadata: Mapping[str, Any] | None, display_id: str | None) -> None:
        """Record a display; marks of our own that come with a replay are left out."""
        if self.closed or (metadata and NOTE in metadata):
            return
        for other in self._others():
            other.display(data, metadata, display_id)
        entry = {"output_type": "display_data", "data": jsonable(data), "metadata": jsonable(metadata or {})}
        with self._lock:
            self._clear_if_due()
            self._outputs.append(entry)
            if display_id is not None:
                self._by_id.setdefault(display_id, []).append(entry)

    def update(self, data: Mapping[str, Any], metadata: Mapping[str, Any] | None, display_id: str | None) -> None:
        """Change the recorded displays of that id; one that was shown elsewhere is none of ours."""
        if self.closed or display_id is None:
            return
        for other in self._others():
            other.update(data, metadata, display_id)
        with self._lock:
            for entry in self._by_id.get(display_id, ()):
                entry.update(data=jsonable(data), metadata=jsonable(metadata or {}))

    def result(self, data: Mapping[str, Any], metadata: Mapping[str, Any] | None) -> None:
        """Record the value of a last expression, without its number: that is another one at each run."""
        if self.closed or not data:
            return
        for other in self._others():
            other.result(data, metadata)
        with self._lock:
            self._clear_if_due()
            self._outputs.append(
                {
                    "output_type": "execute_result",
                    "execution_count": None,
                    "data": jsonable(data),
                    "metadata": jsonable(metadata or {}),
                }
            )

    def clear(self, *, wait: bool) -> None:
        """Forget what was recorded, with ``wait`` only when the next output comes."""
        if self.closed:
            return
        for other in self._others():
            other.clear(wait=wait)
        with self._lock:
            self._clear_next = True
            if not wait:
                self._clear_if_due()

    @contextmanager
    def on(self) -> Iterator[None]:
        """Record what is shown inside; what was shown before and after belongs to somebody else."""
        _flush_figures()
        self.closed = False
        try:
            yield
        finally:
            try:
                _flush_figures()
            finally:
                self.closed = True

    def outputs(self) -> list[Display]:
        """What was recorded since this was asked last, ready to be stored."""
        with self._lock:
            recorded, self._outputs = self._outputs, []
            self._by_id.clear()
            return [_finished(output) for output in recorded]

    def shown(self) -> list[Display]:
        """What was recorded so far."""
        with self._lock:
            return [dict(_finished(output)) for output in self._outputs]

    def take(self, output: Display) -> None:
        """Record an output that was recorded elsewhere."""
        match output["output_type"]:
            case "stream":
                self.stream(output["name"], text_of(output["text"]))
            case "display_data":
                self.display(output["data"], output.get("metadata"), None)
            case "execute_result":
                self.result(output["data"], output.get("metadata"))

    def _others(self) -> list[Recorder]:
        return onlookers_of(self._whose)

    def _clear_if_due(self) -> None:
        if self._clear_next:
            self._clear_next = False
            self._outputs.clear()
            self._by_id.clear()


def onlookers_of(step: str) -> list[Recorder]:
    """What else records the outputs of a step."""
    return [found for ask in onlookers if (found := ask(step)) is not None] if step else []


def text_of(text: str | list[str]) -> str:
    """Text in notebook format, which may be a list of lines, as one."""
    return text if isinstance(text, str) else "".join(text)


def jsonable(value: Any) -> Any:
    """The value as JSON holds it: bytes as base64, as Jupyter does; what JSON cannot hold as its representation."""
    if isinstance(value, str):
        return _encodable(value)
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return _encodable(repr(value))


def _encodable(text: str) -> str:
    """Text without lone surrogates, which no file can hold."""
    if text.isascii():
        return str(text)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _finished(output: Display) -> Display:
    if output["output_type"] != "stream":
        return output
    text = "".join(output["text"])
    if "\r" in text:
        text = "\n".join(_overprinted(line) for line in text.replace("\r\n", "\n").split("\n"))
    return {**output, "text": _encodable(text)}


def _overprinted(line: str) -> str:
    """What a terminal shows of a line that a progress bar wrote over again and again."""
    shown = ""
    for piece in line.split("\r"):
        shown = piece + shown[len(piece) :]
    return shown


def _flush_figures() -> None:
    """Let matplotlib's inline backend show its open figures now, if it is the backend."""
    inline, matplotlib = sys.modules.get(_INLINE), sys.modules.get("matplotlib")
    if inline is None or matplotlib is None:
        return
    if "inline" in str(matplotlib.get_backend()):
        inline.flush_figures()
