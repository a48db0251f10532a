"""Tracebacks that show the user's cell and line, and nothing of ours.

Code of a cell is compiled under a name that IPython renders as ``Cell In[7], line 3`` where that cell is the one being
executed, and under a readable name (``step clean (cell 4)``) where the engine executes it from elsewhere.
"""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["attach_traceback", "cache_source", "plain_traceback", "user_traceback"]

_OURS = str(Path(__file__).parent.parent)
_ANSI = r"(?:\x1b\[[\d;]*m)*"
_labels: dict[str, str] = {}
_placed: set[str] = set()  # those that IPython takes for files


def cache_source(shell: InteractiveShell, source: str, label: str, *, raw: str, number: int | None) -> str:
    """Make the source known to tracebacks and the debugger; the file name to compile it under.

    Args:
        shell: its compiler names cells.
        source: transformed, with line numbers as in the cell.
        label: readable name, such as ``step clean (cell 4)``.
        raw: the cell as the user wrote it.
        number: N of ``In[N]`` where the cell is being executed, else None.
    """
    if number is not None:
        name = shell.compile.cache(source, number, raw_code=raw)
        _labels[name] = label
        return name
    lines = source.splitlines(keepends=True)
    name, edit = label, 1
    while _known_source(name) not in {None, source}:
        # Functions of the earlier text may be alive: their lines must stay what they were.
        edit += 1
        name = f"{label} #{edit}"
    # No modification time: then linecache never drops the entry.
    linecache.cache[name] = (len(source), None, lines, name)
    _labels[name] = label
    _placed.add(name)
    return name


def _known_source(name: str) -> str | None:
    return "".join(linecache.getlines(name)) if name in linecache.cache else None


def user_traceback(trace: TracebackType | None, name: str | None = None) -> TracebackType | None:
    """The traceback from the user's first frame on, without any frame of ours.

    Args:
        trace: as it was caught.
        name: file name under which the user's code was compiled; frames above its first one are dropped.
    """
    frames = list(_frames(trace))
    start = next((at for at, frame in enumerate(frames) if _file(frame) == name), None)
    if start is None and name is not None:
        return None  # it was refused before a line of it ran
    if start is None:
        start = next((at for at, frame in enumerate(frames) if not _is_machinery(_file(frame))), len(frames))
    kept: TracebackType | None = None
    for frame in reversed(frames[start:]):
        if not _file(frame).startswith(_OURS):
            kept = TracebackType(kept, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return kept


def set_traceback(error: BaseException, trace: TracebackType | None) -> None:
    """Set the traceback of an exception, also of one that refuses assignments (a frozen dataclass)."""
    BaseException.with_traceback(error, trace)


def trim(error: BaseException, name: str | None = None) -> BaseException:
    """Keep the user's frames only, in the error and in those that it was raised from; returns the error."""
    for link in _chain(error):
        set_traceback(link, user_traceback(link.__traceback__, name))
    return error


def attach_traceback(shell: InteractiveShell, error: BaseException) -> BaseException:
    """The exception to raise from a magic so that the cell fails once, with the user's frames only.

    It is the error itself, told how to render. For syntax errors and exception groups, which IPython renders without
    asking, it is a stand-in of the same name and text, with the error as its ``original``.
    """
    own = getattr(type(error), "_render_traceback_", None)
    if own is not None:
        return error
    trim(error)
    trace = error.__traceback__
    rendered: list[str] = []

    def render() -> list[str]:
        if not rendered:
            rendered.extend(_render(shell, error, trace))
        return rendered

    raised = (
        _stand_in(error) if any(isinstance(link, SyntaxError | BaseExceptionGroup) for link in _chain(error)) else error
    )
    # Not by assignment: an exception that is a frozen dataclass, say, refuses that.
    vars(raised)["_render_traceback_"] = render
    return raised


def plain_traceback(error: BaseException) -> str:
    """The traceback as text for the history: the user's frames only, no colours, cells by their readable names."""
    trim(error)
    if isinstance(error, SyntaxError) and error.text is None and error.filename and error.lineno:
        error.text = linecache.getline(error.filename, error.lineno) or None
    formatted = traceback.TracebackException.from_exception(error)
    for part in _parts(formatted):
        for frame in part.stack:
            frame.filename = _readable(frame.filename)
        if isinstance(getattr(part, "filename", None), str):
            part.filename = _readable(part.filename)
    return "".join(formatted.format()).rstrip()


def _render(shell: InteractiveShell, error: BaseException, trace: TracebackType | None) -> list[str]:
    kind = type(error)
    if isinstance(error, SyntaxError):
        frames: Any = traceback.extract_tb(trace)
        lines = shell.SyntaxTB.structured_traceback(kind, error, frames)
    elif any(isinstance(link, BaseExceptionGroup) for link in _chain(error)):
        return plain_traceback(error).splitlines()
    else:
        lines = shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=0)
    return [_cell_names(line) for line in lines]


def _cell_names(text: str) -> str:
    """``step clean (cell 4), line 3`` for the name of a cell that IPython took for a file's."""
    for name in _placed:
        if name in text:
            text = re.sub(rf"File ({_ANSI}){re.escape(name)}:(\d+)", rf"\1{_labels[name]}, line \2", text)
    return text


def _stand_in(error: BaseException) -> BaseException:
    """An exception of the same name and text that IPython does not treat in a way of its own."""
    base = Exception if isinstance(error, Exception) else BaseException
    kind = type(type(error).__name__, (base,), {"__module__": type(error).__module__})
    stand_in: BaseException = kind(str(error))
    vars(stand_in)["original"] = error
    return stand_in


def _readable(filename: str) -> str:
    if filename in _labels:
        return _labels[filename]
    from IPython.core.getipython import get_ipython  # noqa: PLC0415 - keeps import nbsteps fast

    shell = get_ipython()
    named = shell.compile.format_code_name(filename) if shell is not None else None
    return filename if named is None else " ".join(named)


def _is_machinery(filename: str) -> bool:
    parts = Path(filename).parts
    return filename.startswith(_OURS) or "IPython" in parts or "asyncio" in parts or filename.endswith("threading.py")


def _file(frame: TracebackType) -> str:
    return frame.tb_frame.f_code.co_filename


def _frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and every one that it was raised from, or while handling, or that it groups."""
    todo, seen = [error], set[int]()
    while todo:
        link = todo.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        todo.extend(other for other in (link.__cause__, link.__context__) if other is not None)
        if isinstance(link, BaseExceptionGroup):
            todo.extend(link.exceptions)


def _parts(formatted: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    yield formatted
    for other in (formatted.__cause__, formatted.__context__, *(formatted.exceptions or ())):
        if other is not None:
            yield from _parts(other)
