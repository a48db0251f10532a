"""A notebook open in a live kernel, as a front end drives it: saved after each edit, executed cell by cell."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import KernelManager
from nbformat.v4 import new_code_cell, new_notebook

ANSI = re.compile(r"\x1b\[[\d;]*m")
PATIENCE = 60.0


class LiveNotebook:
    """One notebook and its kernel.

    Attributes:
        shown: the text that each cell showed the last time it was executed, by the name it was typed under.
    """

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self.shown: dict[str, str] = {}
        self._path = path
        self._environment = {**environment, "JPY_SESSION_NAME": str(path)}
        self._cells: dict[str, Any] = {}
        self._start()

    def type(self, name: str, source: str, *, tags: str = "", top: str = "") -> None:
        """Write a cell (the one typed under this name before, if there is one), save the notebook, run the cell."""
        cell: Any = self._cells.setdefault(name, new_code_cell())  # type: ignore[no-untyped-call]
        cell.source = source
        if tags:
            cell.metadata["tags"] = tags.split(",")
        if top:
            self._cells = {name: cell, **self._cells}
        self._save()
        self._run(name)

    def write(self, name: str, source: str) -> None:
        """Edit a cell and save the notebook, without running it."""
        self._cells[name].source = source
        self._save()

    def remove(self, name: str) -> None:
        """Delete a cell and save."""
        del self._cells[name]
        self._save()

    def _save(self) -> None:
        notebook = new_notebook(cells=list(self._cells.values()))  # type: ignore[no-untyped-call]
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self._path)  # type: ignore[no-untyped-call]

    def restart(self) -> None:
        """Restart the kernel and run all cells."""
        self.close()
        self._start()
        for name in self._cells:
            self._run(name)

    def close(self) -> None:
        """Shut the kernel down."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=False)

    def _start(self) -> None:
        self._manager = KernelManager(kernel_name="python3")
        folder = str(self._path.parent)
        self._manager.start_kernel(cwd=folder, env=self._environment, stderr=subprocess.DEVNULL)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=PATIENCE)

    def _run(self, name: str) -> None:
        """Execute a cell as JupyterLab does, which says which cell it is."""
        cell, client, texts = self._cells[name], self._client, list[str]()
        content = {"code": cell.source, "silent": False, "store_history": True, "allow_stdin": False}
        request = client.session.msg("execute_request", content, metadata={"cellId": cell.id})
        client.shell_channel.send(request)
        while True:
            message = client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != request["msg_id"]:
                continue
            if message["content"].get("execution_state") == "idle":
                break
            _collect(message, texts)
        client.get_shell_msg(timeout=PATIENCE)
        self.shown[name] = ANSI.sub("", "".join(texts))


def _collect(message: Mapping[str, Any], texts: list[str]) -> None:
    content = message["content"]
    kind = message["header"]["msg_type"]
    if kind == "stream":
        texts.append(content["text"])
    elif kind in {"display_data", "execute_result"}:
        texts.append(content["data"].get("text/plain", "") + "\n")
    elif kind == "error":
        texts.append("\n".join(content["traceback"]) + "\n")
