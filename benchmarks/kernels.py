"""A live kernel with a saved notebook, driven as a front end drives it, cell by cell."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from benchmarks.headless import write_notebook

_PATIENCE = 600.0


class Kernel:
    """A kernel in the notebook's folder; ``python`` is the interpreter that it runs."""

    def __init__(self, folder: Path, sources: Sequence[str], python: Path = Path(sys.executable)) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = write_notebook(folder / "live.ipynb", list(sources))
        self._python = python
        self._ids = {source: f"cell-{position}" for position, source in enumerate(sources)}

    def __enter__(self) -> Self:
        self._manager = KernelManager()
        argv = [str(self._python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        self._manager._kernel_spec = KernelSpec(argv=argv, display_name="benchmark", language="python")  # noqa: SLF001 - another interpreter, without installing a kernel
        environment: Mapping[str, str] = {**os.environ, "JPY_SESSION_NAME": str(self._path)}
        self._manager.start_kernel(cwd=str(self._path.parent), env=environment)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=_PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=False)

    def run(self, source: str) -> float:
        """Seconds from sending a cell to the kernel being idle again; the cell must not fail."""
        content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        message = self._client.session.msg("execute_request", content)
        message["metadata"] = {"cellId": self._ids.get(source, "")}
        failed, sent = "", message["header"]["msg_id"]
        start = time.perf_counter()
        self._client.shell_channel.send(message)
        while True:
            told = self._client.get_iopub_msg(timeout=_PATIENCE)
            if told["parent_header"].get("msg_id") != sent:
                continue
            if told["msg_type"] == "error":
                failed = "\n".join(told["content"]["traceback"])
            if told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
                break
        seconds = time.perf_counter() - start
        while self._client.get_shell_msg(timeout=_PATIENCE)["parent_header"].get("msg_id") != sent:
            pass
        if failed:
            msg = f"a cell failed: {source[:80]}\n{failed}"
            raise RuntimeError(msg)
        return seconds
