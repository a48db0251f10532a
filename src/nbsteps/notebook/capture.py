"""Recording what a cell shows, in notebook format, while it is shown (or instead of showing it); and showing it again.

The hooks sit on the objects that the output passes through, not on the names ``sys.stdout`` and ``sys.stderr``: a log
handler that took hold of the stream before is heard too, and code that swaps the names for a while loses nothing.
"""

from __future__ import annotations

import base64
import html
import math
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from nbsteps.ports import Display

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Recorder", "capture", "jsonable", "recording", "replay"]

_NOTE = "nbsteps"
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_INLINE = "matplotlib_inline.backend_inline"


watchers: list[Callable[[Display], None]] = []
"""Told of each output when it is recorded, on the thread that made it: whoever shows it elsewhere as it comes."""


class Recorder:
    """Outputs in notebook format, in the order in which they came.

    Text of one stream is merged as long as no other output comes between, displays are updated by their ``display_id``,
    and ``clear_output`` clears. Threads may record at the same time.
    """

    def __init__(self) -> None:
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
        _watched({"output_type": "stream", "name": name, "text": text})
        with self._lock:
            self._clear_if_due()
            last = self._outputs[-1] if self._outputs else None
            if last is not None and last["output_type"] == "stream" and last["name"] == name:
                last["text"].append(text)
            else:
                self._outputs.append({"output_type": "stream", "name": name, "text": [text]})

    def display(self, data: Mapping[str, Any], metadata: Mapping[str, Any] | None, display_id: str | None) -> None:
        """Record a display; marks of our own that come with a replay are left out."""
        if self.closed or (metadata and _NOTE in metadata):
            return
        entry = {"output_type": "display_data", "data": jsonable(data), "metadata": jsonable(metadata or {})}
        _watched(entry)
        with self._lock:
            self._clear_if_due()
            self._outputs.append(entry)
            if display_id is not None:
                self._by_id.setdefault(display_id, []).append(entry)

    def update(self, data: Mapping[str, Any], metadata: Mapping[str, Any] | None, display_id: str | None) -> None:
        """Change the recorded displays of that id; one that was shown elsewhere is none of ours."""
        if self.closed or display_id is None:
            return
        with self._lock:
            for entry in self._by_id.get(display_id, ()):
                entry.update(data=jsonable(data), metadata=jsonable(metadata or {}))

    def result(self, data: Mapping[str, Any], metadata: Mapping[str, Any] | None) -> None:
        """Record the value of a last expression, without its number: that is another one at each run."""
        if self.closed or not data:
            return
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

    def _clear_if_due(self) -> None:
        if self._clear_next:
            self._clear_next = False
            self._outputs.clear()
            self._by_id.clear()


def _watched(output: Display) -> None:
    for watcher in watchers:
        watcher(output)


@contextmanager
def capture(shell: InteractiveShell, live: bool) -> Iterator[list[Display]]:  # noqa: FBT001 - the one choice there is
    """Record everything that is shown inside; the list is filled on leaving, also after an exception.

    Args:
        shell: whose displays are recorded.
        live: show everything as it comes, too.
    """
    displays: list[Display] = []
    with recording(shell, live=live) as recorder:
        try:
            with recorder.on():
                yield displays
        finally:
            displays.extend(recorder.outputs())


@contextmanager
def recording(shell: InteractiveShell, *, live: bool) -> Iterator[Recorder]:
    """A recorder that everything passes through that is shown inside; it records while it is :meth:`Recorder.on`."""
    recorder = Recorder()
    recorder.closed = True
    with ExitStack() as stack:
        for name in ("stdout", "stderr"):
            stack.enter_context(_hooked_stream(recorder, getattr(sys, name), name, live=live))
        stack.enter_context(_hooked_publisher(recorder, shell.display_pub, live=live))
        stack.enter_context(_hooked_results(recorder, shell.displayhook, live=live))
        yield recorder


class _Thread(threading.local):
    """What a thread shows goes here instead, where its output is taken apart from all other."""

    recorder: Recorder | None = None


_THREAD = _Thread()
_HOOKED: list[tuple[tuple[object, ...], AbstractContextManager[Recorder]]] = []
"""What is hooked for threads, and what keeps it so."""
_HOOKING = threading.Lock()


@contextmanager
def aside(shell: InteractiveShell) -> Iterator[Recorder]:
    """Record what this thread shows, apart from everything else and without showing it."""
    targets = (sys.stdout, sys.stderr, shell.display_pub)
    with _HOOKING:
        if not _HOOKED or any(one is not other for one, other in zip(_HOOKED[0][0], targets, strict=True)):
            # For good: hooks that threads share cannot be taken out in any order.
            hooks = recording(shell, live=True)
            hooks.__enter__()
            _HOOKED[:] = [(targets, hooks)]
    before, _THREAD.recorder = _THREAD.recorder, Recorder()
    try:
        yield _THREAD.recorder
    finally:
        _THREAD.recorder = before


def replay(shell: InteractiveShell, displays: tuple[Display, ...], note: str) -> None:
    """Show stored outputs again, below ``note`` where there is one.

    A result of a last expression comes back as a display, so that figures and rich representations are seen again.
    Views of widgets, which do not live as long as the store, come back as their text.
    """
    if note:
        data = {"text/plain": note, "text/html": f'<small style="opacity:0.6">{html.escape(note)}</small>'}
        shell.display_pub.publish(data, {_NOTE: {"note": True}})
    for display in displays:
        kind = display.get("output_type")
        if kind == "stream":
            target = sys.stderr if display["name"] == "stderr" else sys.stdout
            target.write(_text(display["text"]))
        elif kind in {"display_data", "execute_result"}:
            data = {mime: value for mime, value in display["data"].items() if mime != _WIDGET_VIEW}
            if data:
                shell.display_pub.publish(data, display.get("metadata") or {})


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


def _text(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


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


@contextmanager
def _replaced(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """Give the one object ``owner`` another method for a while; the class and other objects are left alone."""
    original = getattr(owner, name)
    shadowed = vars(owner).get(name)
    replacement = make(original)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        if vars(owner).get(name) is not replacement:
            pass  # somebody put a method of their own on top, which calls ours: it passes through from now on
        elif shadowed is None:
            delattr(owner, name)
        else:
            setattr(owner, name, shadowed)


@contextmanager
def _hooked_stream(recorder: Recorder, stream: Any, name: str, *, live: bool) -> Iterator[None]:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def write(text: str) -> Any:
            if _THREAD.recorder is not None:
                _THREAD.recorder.stream(name, text)
                return len(text)
            if isinstance(text, str) and not recorder.muted:
                recorder.stream(name, text)
            return original(text) if live or recorder.closed else len(text)

        return write

    with ExitStack() as stack:
        # A stream that is None (no console) or takes no attributes can only be shown, not recorded.
        with suppress(AttributeError, TypeError):
            stack.enter_context(_replaced(stream, "write", make))
        yield


@contextmanager
def _hooked_publisher(recorder: Recorder, publisher: Any, *, live: bool) -> Iterator[None]:
    make_publish, make_clear = _publishing(recorder, live=live), _clearing(recorder, live=live)
    with _replaced(publisher, "publish", make_publish), _replaced(publisher, "clear_output", make_clear):
        yield


_Make = Callable[[Callable[..., Any]], Callable[..., Any]]


def _publishing(recorder: Recorder, *, live: bool) -> _Make:
    def make_publish(original: Callable[..., Any]) -> Callable[..., Any]:
        def publish(data: Any, metadata: Any = None, *args: Any, **options: Any) -> Any:
            display_id = (options.get("transient") or {}).get("display_id")
            found = _THREAD.recorder or recorder
            record = found.update if options.get("update") else found.display
            record(data, metadata, display_id)
            if found is not recorder or not (live or recorder.closed):
                return None
            with recorder.mute():
                return original(data, metadata, *args, **options)

        return publish

    return make_publish


def _clearing(recorder: Recorder, *, live: bool) -> _Make:
    def make_clear(original: Callable[..., Any]) -> Callable[..., Any]:
        def clear_output(wait: bool = False) -> Any:  # noqa: FBT001, FBT002 - the signature that it stands in for
            found = _THREAD.recorder or recorder
            found.clear(wait=wait)
            if found is not recorder or not (live or recorder.closed):
                return None
            with recorder.mute():
                return original(wait)

        return clear_output

    return make_clear


@contextmanager
def _hooked_results(recorder: Recorder, hook: Any, *, live: bool) -> Iterator[None]:
    def make_write(original: Callable[..., Any]) -> Callable[..., Any]:
        def write_format_data(data: Any, metadata: Any = None) -> Any:
            recorder.result(data, metadata)
            if not live and not recorder.closed:
                return None
            with recorder.mute():
                return original(data, metadata)

        return write_format_data

    def make_quiet(original: Callable[..., Any]) -> Callable[..., Any]:
        def quiet() -> Any:
            # A terminal's prompt and separators are no output of the cell.
            with recorder.mute():
                return original()

        return quiet

    with ExitStack() as stack:
        stack.enter_context(_replaced(hook, "write_format_data", make_write))
        for name in ("write_output_prompt", "finish_displayhook"):
            stack.enter_context(_replaced(hook, name, make_quiet))
        yield
