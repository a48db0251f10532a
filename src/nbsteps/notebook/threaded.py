"""Bodies executed in threads of the kernel: each in a namespace of its own, its output apart from all other output."""

from __future__ import annotations

import ast
import asyncio
import builtins
import inspect
import time
from collections.abc import Mapping
from functools import partial
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

from nbsteps.engine.monitoring import telling
from nbsteps.identity.environment import observe_env
from nbsteps.identity.observed import observe_reads
from nbsteps.notebook.capture import aside
from nbsteps.notebook.host import this_host
from nbsteps.notebook.mutation import changed_name, digests_of
from nbsteps.notebook.recorder import Recorder
from nbsteps.notebook.tracebacks import cache_source, plain_traceback, set_traceback, user_traceback
from nbsteps.ports import ItemTell, Order, Outcome, Reply

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class Ready(NamedTuple):
    """A body, compiled: statements, and the expression at its end whose value is shown."""

    name: str
    statements: CodeType
    shown: CodeType | None


class ThreadBodies:
    """Executes orders in whichever thread calls.

    Args:
        shell: the kernel's; it compiles and formats, its namespace is left alone.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell: Any = shell

    def perform(self, order: Order, tell: ItemTell) -> tuple[Reply, ...]:
        """Execute an order's body once for each of its items."""
        step = order.step
        label = f"step {step.name} ({step.cell.label})"
        try:
            ready = self._compiled(step.body, label, step.cell.source, step.line_offset)
        except SyntaxError as error:
            outcome = Outcome(error=error, traceback=plain_traceback(error))
            return tuple(Reply(outcome) for _ in order.items)
        replies = list[Reply]()
        for at, item in enumerate(order.items):
            with telling(partial(tell, at), time.monotonic):
                replies.append(self._one(order, item, ready))
        return tuple(replies)

    def _compiled(self, body: str, label: str, raw: str, offset: int) -> Ready:
        source = "\n" * offset + self._shell.transform_cell(body)
        name = cache_source(self._shell, source, label, raw=raw, number=None)
        nodes = ast.parse(source, name).body
        last = nodes[-1] if nodes else None
        ends = isinstance(last, ast.Expr) and not body.rstrip().endswith(";")
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        statements = compile(ast.Module(nodes[:-1] if ends else nodes, []), name, "exec", flags)
        shown = (
            compile(ast.Expression(last.value), name, "eval", flags) if ends and isinstance(last, ast.Expr) else None
        )
        return Ready(name, statements, shown)

    def _one(self, order: Order, item: Mapping[str, object], ready: Ready) -> Reply:
        before = digests_of(item, order.watch)
        own = {"__name__": "__main__", "__builtins__": builtins, "get_ipython": lambda: self._shell}
        namespace: dict[str, Any] = {**own, **order.shared, **item}
        error: BaseException | None = None
        start = time.perf_counter()
        with observe_reads(order.private) as seen, observe_env() as asked, aside(self._shell) as recorder:
            try:
                self._execute(ready, namespace, recorder)
            except BaseException as caught:  # noqa: BLE001 - handed to the engine, which decides
                set_traceback(caught, user_traceback(caught.__traceback__, ready.name))
                error = caught
        duration = time.perf_counter() - start
        trace = "" if error is None else plain_traceback(error)
        outcome = Outcome(tuple(recorder.outputs()), error, trace, duration)
        observed = (*seen.parts(order.folder, order.root), *asked.parts())
        values = {name: namespace[name] for name in order.outputs if name in namespace} if error is None else {}
        return Reply(outcome, values, observed, changed_name(item, before), peak_rss=this_host().peak_rss())

    def _execute(self, ready: Ready, namespace: dict[str, Any], recorder: Recorder) -> None:
        _run(ready.statements, namespace)
        if ready.shown is None:
            return
        value = _run(ready.shown, namespace)
        if value is not None and self._shell.display_formatter is not None:
            recorder.result(*self._shell.display_formatter.format(value))


def _run(code: CodeType, namespace: dict[str, Any]) -> Any:
    found = eval(code, namespace)  # noqa: S307 - executing cells is what this is for
    if not code.co_flags & inspect.CO_COROUTINE:
        return found

    async def awaited() -> Any:
        return await found

    return asyncio.run(awaited())
