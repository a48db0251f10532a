"""Executing the text of a cell as IPython does, in the user's namespace, from inside another cell."""

from __future__ import annotations

import ast
import asyncio
import contextvars
import difflib
import inspect
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING, Any

from nbsteps.notebook.stops import Stops
from nbsteps.notebook.tracebacks import cache_source, set_traceback, user_traceback

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Compiled", "Text", "compile_text", "execute", "run_compiled"]

_GRACE = 2.0
_WAKE = 0.5


class Text:
    """The text of a cell, or a part of it, and how tracebacks call it.

    Args:
        source: what is to be executed.
        label: readable name.
        raw: the whole cell.
        offset: lines of the cell above ``source``.
        number: N of ``In[N]`` where this very cell is being executed, else None.
    """

    __slots__ = ("label", "number", "offset", "raw", "source")

    def __init__(self, source: str, label: str, *, raw: str, offset: int = 0, number: int | None = None) -> None:
        self.source = source
        self.label = label
        self.raw = raw
        self.offset = offset
        self.number = number


@dataclass(frozen=True, slots=True)
class Compiled:
    """A text that is ready to be executed, as often as one likes."""

    name: str
    codes: tuple[CodeType, ...]
    magics: bool

    @property
    def awaits(self) -> bool:
        """Whether executing it needs an event loop."""
        return any(code.co_flags & inspect.CO_COROUTINE for code in self.codes)


def execute(shell: InteractiveShell, text: Text, stop: Stops) -> BaseException | None:
    """Execute a text in the user's namespace, its last expression displayed; what it raised, from the user's frame on.

    A text that awaits runs in a thread with an event loop of its own: the caller is already inside the kernel's.
    ``stop`` is armed while the text's own code runs.
    """
    compiled = compile_text(shell, text)
    return compiled if isinstance(compiled, BaseException) else run_compiled(shell, compiled, stop)


def compile_text(shell: InteractiveShell, text: Text) -> Compiled | BaseException:
    """Make a text ready, or say why it is no Python."""
    name: str | None = None
    try:
        with shell.builtin_trap, shell.display_trap:
            source = _transformed(shell, text)
            name = cache_source(shell, source, text.label, raw=text.raw, number=text.number)
            return Compiled(name, tuple(_compiled(shell, source, name)), "%" in text.source)
    except BaseException as error:  # noqa: BLE001 - handed to the caller, who decides
        set_traceback(error, user_traceback(error.__traceback__, name))
        return error


def run_compiled(shell: InteractiveShell, compiled: Compiled, stop: Stops) -> BaseException | None:
    """Execute what :func:`compile_text` made; see :func:`execute`."""
    shown_before = _last_shown()
    try:
        with shell.builtin_trap, shell.display_trap:
            try:
                stop.armed = True
                if stop.missed is not None:
                    raise stop.missed
                _run(shell, compiled)
            finally:
                stop.armed = False
    except BaseException as error:  # noqa: BLE001 - handed to the caller, who decides
        set_traceback(error, user_traceback(error.__traceback__, compiled.name))
        return error
    # IPython before 9 lets %time show an error and go on as if nothing had happened.
    shown = _last_shown()
    return shown if shown is not shown_before and compiled.magics else None


def _run(shell: InteractiveShell, compiled: Compiled) -> None:
    if compiled.awaits:
        _run_awaiting(shell, list(compiled.codes))
        return
    for code in compiled.codes:
        exec(code, shell.user_global_ns, shell.user_ns)  # noqa: S102 - what a notebook is for


def _last_shown() -> BaseException | None:
    """The error whose traceback the shell showed last."""
    error = getattr(sys, "last_value", None)
    return error if isinstance(error, BaseException) else None


def _transformed(shell: Any, text: Text) -> str:
    """The text as Python, each line where it stands in the cell."""
    given = text.source if text.source.endswith("\n") else f"{text.source}\n"
    lines = given.splitlines(keepends=True)
    transformed = shell.transform_cell(given).splitlines(keepends=True)
    if len(lines) != len(transformed):
        transformed = _aligned(lines, transformed)
    return _above(text) + "".join(transformed)


def _above(text: Text) -> str:
    """The cell's lines above the text, as comments, so that tracebacks show them where they stand."""
    lines = text.raw.splitlines()[: text.offset]
    lines += [""] * (text.offset - len(lines))
    return "".join(f"# {line}\n" if line.strip() else "\n" for line in lines)


def _aligned(lines: list[str], transformed: list[str]) -> list[str]:
    """Fill up with blank lines where a transformation made several lines one or dropped leading ones."""
    matcher = difflib.SequenceMatcher(None, lines, transformed, autojunk=False)
    found: list[str] = []
    for _, start, stop, new_start, new_stop in matcher.get_opcodes():
        found += transformed[new_start:new_stop]
        missing = (stop - start) - (new_stop - new_start)
        if missing > 0 and (not found or found[-1].endswith("\n")):
            found += ["\n"] * missing
    return found


def _compiled(shell: Any, source: str, name: str) -> list[CodeType]:
    """Code for the statements, then for the expressions to be displayed."""
    tree = shell.transform_ast(shell.compile.ast_parse(source, filename=name))
    quiet = ";" in source and shell.displayhook.semicolon_at_end_of_expression(source)
    interactivity = "none" if quiet else shell.ast_node_interactivity
    statements, displayed = _split(tree.body, interactivity)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if shell.autoawait else 0
    codes: list[CodeType] = []
    with shell.compile.extra_flags(flags):
        if statements:
            codes.append(shell.compile(ast.Module(statements, []), name, "exec"))
        codes.extend(shell.compile(ast.Interactive([node]), name, "single") for node in displayed)
    return codes


def _split(nodes: list[ast.stmt], interactivity: str) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """Statements to execute and those whose value is to be displayed, by IPython's setting."""
    if not nodes or interactivity == "none":
        return nodes, []
    if interactivity == "all":
        return [], nodes
    last = nodes[-1]
    if interactivity == "last_expr_or_assign":
        target = _assigned_name(last)
        if target is not None:
            shown = ast.copy_location(ast.Expr(ast.Name(target, ast.Load())), last)
            return nodes, [ast.fix_missing_locations(shown)]
    if interactivity == "last" or isinstance(last, ast.Expr):
        return nodes[:-1], [last]
    return nodes, []


def _assigned_name(node: ast.stmt) -> str | None:
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target: ast.expr = node.targets[0]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        target = node.target
    else:
        return None
    return target.id if isinstance(target, ast.Name) else None


def _run_awaiting(shell: InteractiveShell, codes: list[CodeType]) -> None:
    """Run codes of which some are coroutines, all on one event loop in one helper thread, and wait.

    What interrupts the waiting cancels the body and is raised from the line at which the body stood.
    """

    async def body() -> None:
        for code in codes:
            awaitable = eval(code, shell.user_global_ns, shell.user_ns)  # noqa: S307 - what a notebook is for
            if code.co_flags & inspect.CO_COROUTINE:
                await awaitable

    thread = _LoopThread(body)
    try:
        # Waiting for a thread to start can be interrupted too, and then the body has begun.
        thread.start()
        thread.wait()
    except BaseException as interruption:
        thread.cancel()
        if thread.error is not None:
            # From where the body stood, not from where this thread waited for it.
            raise interruption.with_traceback(thread.error.__traceback__) from None
        raise
    if thread.error is not None:
        raise thread.error


class _LoopThread:
    """A thread with an event loop for one coroutine, in the caller's context, so that output reaches the right cell."""

    def __init__(self, body: Callable[[], object]) -> None:
        self.error: BaseException | None = None
        self._body = body
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._cancelled = False
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self._work,), name="nbsteps-await", daemon=True
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end, open to interrupts; True if it came."""
        if seconds is not None:
            return self._done.wait(seconds)
        # Not one endless wait: on Windows an interrupt would not end that.
        while not self._done.wait(_WAKE):
            pass
        return True

    def cancel(self) -> None:
        """Cancel the coroutine and give it a moment to clean up; a body that blocks its loop is left behind."""
        with self._lock:
            self._cancelled = True
            task = self._task
            if task is not None and not self._done.is_set():
                task.get_loop().call_soon_threadsafe(task.cancel)
        self.wait(_GRACE)

    def _work(self) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._main())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self.error = error
        finally:
            self._done.set()

    async def _main(self) -> None:
        with self._lock:
            self._task = asyncio.current_task()
            if self._cancelled:
                return
        try:
            await self._body()  # type: ignore[misc]
        finally:
            with self._lock:
                self._task = None
