"""Recording what a cell shows, in notebook format, while it is shown (or instead of showing it); and showing it again.

The hooks sit on the objects that the output passes through, not on the names ``sys.stdout`` and ``sys.stderr``: a log
handler that took hold of the stream before is heard too, and code that swaps the names for a while loses nothing.
"""

from __future__ import annotations

import html
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from nbsteps.notebook.recorder import NOTE, Recorder, text_of
from nbsteps.ports import Display

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


@contextmanager
def capture(shell: InteractiveShell, *, live: bool, whose: str = "") -> Iterator[list[Display]]:
    """Record everything that is shown inside; the list is filled on leaving, also after an exception.

    Args:
        shell: whose displays are recorded.
        live: show everything as it comes, too.
        whose: the step that shows it.
    """
    displays: list[Display] = []
    with recording(shell, live=live, whose=whose) as recorder:
        try:
            with recorder.on():
                yield displays
        finally:
            displays.extend(recorder.outputs())


@contextmanager
def recording(shell: InteractiveShell, *, live: bool, whose: str = "") -> Iterator[Recorder]:
    """A recorder that everything passes through that is shown inside; it records while it is :meth:`Recorder.on`."""
    recorder = Recorder(whose)
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
        shell.display_pub.publish(data, {NOTE: {"note": True}})
    for display in displays:
        kind = display.get("output_type")
        if kind == "stream":
            target = sys.stderr if display["name"] == "stderr" else sys.stdout
            target.write(text_of(display["text"]))
        elif kind in {"display_data", "execute_result"}:
            data = {mime: value for mime, value in display["data"].items() if mime != _WIDGET_VIEW}
            if data:
                shell.display_pub.publish(data, display.get("metadata") or {})


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
