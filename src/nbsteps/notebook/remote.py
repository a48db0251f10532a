"""Asking a kernel: requests to :mod:`nbsteps.notebook.headless` over the kernel's own protocol."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbsteps.core.errors import DocumentError, NbstepsError, Problem, ProblemsError
from nbsteps.notebook.document import NOTEBOOK_VARIABLE

_CALL = "__import__('nbsteps.notebook.headless', fromlist=['call']).call({name!r}, {request!r})"
_START_SECONDS = 60.0


def ask(client: Any, name: str, request: Mapping[str, Any], timeout: float | None = None) -> dict[str, Any]:
    """Send a request and wait for the answer; the user's namespace and history see nothing of it.

    Args:
        client: a blocking or asynchronous kernel client.
        name: which request.
        request: JSON-able.
        timeout: seconds; None waits as long as the kernel works (context cells may be executed).

    Raises:
        NbstepsError: the kernel refused the request.
        RuntimeError: the kernel has no nbsteps, or died.
    """
    from jupyter_core.utils import run_sync  # noqa: PLC0415 - only in a process that talks to kernels

    expression = _CALL.format(name=name, request=json.dumps(request))
    message = client.execute("", silent=True, store_history=False, user_expressions={"answer": expression})
    reply = _wait(client, message, timeout, run_sync)
    answer = reply["content"].get("user_expressions", {}).get("answer", {})
    if answer.get("status") != "ok":
        seen = answer.get("evalue") or reply["content"].get("evalue") or "no answer"
        msg = f"the kernel cannot run nbsteps: {seen}"
        raise RuntimeError(msg)
    found: dict[str, Any] = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
    if "error" in found:
        _raise(found)
    return found


def _wait(client: Any, message: str, timeout: float | None, run_sync: Any) -> Any:
    import inspect  # noqa: PLC0415 - beside its only use

    while True:
        reply = client.get_shell_msg(timeout=timeout)
        if inspect.isawaitable(reply):

            async def awaited(waiting: Any = reply) -> Any:
                return await waiting

            reply = run_sync(awaited)()
        if reply["parent_header"].get("msg_id") == message:
            return reply


def _raise(found: Mapping[str, Any]) -> None:
    problems = tuple(
        Problem(row["step"], row["cell"], row["message"], row["hint"], row["severity"]) for row in found["problems"]
    )
    if found["exit_code"] == ProblemsError.exit_code:
        raise ProblemsError(problems)
    first = problems[0]
    error = NbstepsError(first.message, step=first.step, cell=first.cell, hint=first.hint)
    error.exit_code = found["exit_code"]
    raise error


@contextmanager
def kernel_for(path: Path, kernel_name: str) -> Iterator[Any]:
    """A fresh kernel in the notebook's folder, and its blocking client; shut down at the end.

    Raises:
        DocumentError: there is no kernel of that name.
    """
    from jupyter_client.kernelspec import NoSuchKernel  # noqa: PLC0415 - slow to load, and only needed here
    from jupyter_client.manager import start_new_kernel  # noqa: PLC0415 - slow to load, and only needed here

    environment = {**os.environ, NOTEBOOK_VARIABLE: str(path)}
    try:
        manager, client = start_new_kernel(
            startup_timeout=_START_SECONDS, kernel_name=kernel_name, cwd=str(path.parent), env=environment
        )
    except NoSuchKernel as error:
        raise missing_kernel(path, kernel_name) from error
    try:
        yield client
    finally:
        client.shutdown()
        client.stop_channels()
        manager.finish_shutdown()
        manager.cleanup_resources()


def missing_kernel(path: Path, kernel_name: str) -> DocumentError:
    """The error for a notebook whose kernel is not installed."""
    msg = f"{path.name} asks for the kernel {kernel_name!r}, which is not installed"
    return DocumentError(msg, hint="list what is with 'jupyter kernelspec list', or choose one: --kernel python3")
