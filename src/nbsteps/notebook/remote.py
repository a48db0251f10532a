"""Asking a kernel: requests to :mod:`nbsteps.notebook.headless` over the kernel's own protocol."""

from __future__ import annotations

import ast
import inspect
import json
import os
import queue
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from nbsteps.core.errors import DocumentError, NbstepsError, Problem, ProblemsError
from nbsteps.notebook.document import NOTEBOOK_VARIABLE
from nbsteps.notebook.interrupts import Interrupts, interrupts

_CALL = "__import__('nbsteps.notebook.headless', fromlist=['call']).call({name!r}, {request!r})"
_ALIVE_SECONDS = 1.0
_POLL_SECONDS = 0.01
_LAST_BYTES = 4000
_CHATTER = ("[IPKernelApp] WARNING |", "KeyboardInterrupt caught in kernel")


class KernelError(NbstepsError):
    """A kernel that cannot answer: it has no nbsteps, or it died."""


def ask(client: Any, name: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Send a request and wait for the answer; the user's namespace and history see nothing of it.

    Waits as long as the kernel works, since context cells may be executed.

    Args:
        client: a blocking or asynchronous kernel client.
        name: which request.
        request: JSON-able.

    Raises:
        NbstepsError: the kernel refused the request.
        KernelError: the kernel has no nbsteps, or died.
    """
    expression = _CALL.format(name=name, request=json.dumps(request))
    message = client.execute("", silent=True, store_history=False, user_expressions={"answer": expression})
    reply = _wait(client, message)
    answer = reply["content"].get("user_expressions", {}).get("answer", {})
    if answer.get("status") != "ok":
        seen = answer.get("evalue") or reply["content"].get("evalue") or "no answer"
        msg = f"the kernel cannot run nbsteps: {seen}"
        raise KernelError(msg, hint="pip install nbsteps, in the environment of that kernel")
    found: dict[str, Any] = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
    if "error" in found:
        _raise(found)
    return found


def _wait(client: Any, message: str) -> Any:
    while True:
        try:
            reply = _now(client.get_shell_msg(timeout=_ALIVE_SECONDS))
        except queue.Empty:
            if not _now(client.is_alive()):
                msg = "the kernel died"
                raise KernelError(msg) from None
            continue
        if reply["parent_header"].get("msg_id") == message:
            return reply


def _now(result: Any) -> Any:
    """What a client's method gave: itself, or what it comes to where the client is asynchronous."""
    from jupyter_core.utils import run_sync  # noqa: PLC0415 - only in a process that talks to kernels

    if not inspect.isawaitable(result):
        return result

    async def awaited() -> Any:
        return await result

    return run_sync(awaited)()


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
    from jupyter_client.manager import KernelManager  # noqa: PLC0415 - slow to load, and only needed here

    manager = KernelManager(kernel_name=kernel_name)
    environment = {**os.environ, NOTEBOOK_VARIABLE: str(path)}
    with kernel_log() as log:
        try:
            manager.start_kernel(cwd=str(path.parent), env=environment, stdout=log, stderr=log)
        except NoSuchKernel as error:
            raise missing_kernel(path, kernel_name) from error
        try:
            # A request waits in the kernel's socket until it is ready: who asks first whether it is waits longer.
            client = manager.client()
            client.start_channels()
            yield client
            client.stop_channels()
        finally:
            _shut_down(manager, at_once=False)


@dataclass(slots=True)
class EarlyKernel:
    """A kernel that is already starting.

    Attributes:
        manager: jupyter_client's asynchronous manager of it.
        log: takes what its process writes by itself.
        interrupts: takes this process's interrupts as long as there is the kernel.
        at_once: whether it is to be killed at the end instead of asked to go.
    """

    manager: Any
    log: IO[bytes]
    interrupts: Interrupts
    at_once: bool = False


@contextmanager
def early_kernel(path: Path, kernel_name: str) -> Iterator[EarlyKernel]:
    """Start a notebook's kernel and go on without waiting for it: it boots while papermill is being loaded.

    Raises:
        DocumentError: there is no kernel of that name.
    """
    from jupyter_client.kernelspec import NoSuchKernel  # noqa: PLC0415 - slow to load, and only needed here
    from jupyter_client.manager import AsyncKernelManager  # noqa: PLC0415 - slow to load, and only needed here

    manager = AsyncKernelManager(kernel_name=kernel_name)
    environment = {**os.environ, NOTEBOOK_VARIABLE: str(path)}
    with kernel_log() as log, interrupts() as taken:
        try:
            _now(manager.start_kernel(cwd=str(path.parent), env=environment, stdout=log, stderr=log))
        except NoSuchKernel as error:
            raise missing_kernel(path, kernel_name) from error
        kernel = EarlyKernel(manager, log, taken)
        try:
            yield kernel
        except BaseException:
            kernel.at_once = True
            raise
        finally:
            with taken.given_to(lambda: None):
                _shut_down(manager, at_once=kernel.at_once)


def _shut_down(manager: Any, *, at_once: bool) -> None:
    """End a kernel: kill it, or ask it to go and look for its end more often than the manager would by itself."""
    if at_once:
        _now(manager.shutdown_kernel(now=True))
        return
    manager.shutting_down = True
    _now(manager.request_shutdown())
    _now(manager.finish_shutdown(pollinterval=_POLL_SECONDS))
    _now(manager.cleanup_resources())


@contextmanager
def kernel_log() -> Iterator[IO[bytes]]:
    """A file for what a kernel's process writes by itself, which is no part of the notebook's output.

    What cells print reaches the notebook through the kernel's protocol; here end the kernel's own warnings, which
    would disturb the terminal or the JSON of whoever started it, and its last words, should it die.
    """
    with tempfile.TemporaryFile(prefix="nbsteps-kernel-") as file:
        yield file


def last_words(log: IO[bytes]) -> str:
    """The end of what a kernel's process wrote, without what every kernel says."""
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - _LAST_BYTES))
    lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if not line.startswith(_CHATTER))


def missing_kernel(path: Path, kernel_name: str) -> DocumentError:
    """The error for a notebook whose kernel is not installed."""
    msg = f"{path.name} asks for the kernel {kernel_name!r}, which is not installed"
    return DocumentError(msg, hint="list what is with 'jupyter kernelspec list', or choose one: --kernel python3")
