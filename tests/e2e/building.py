"""Real notebooks on a real disk: executed in live kernels, by papermill and by the command line, over real stores."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import nbformat
from jupyter_client.manager import KernelManager
from nbformat.v4 import new_code_cell, new_notebook, output_from_msg

from nbsteps.api import open_store

ANSI = re.compile(r"\x1b\[[\d;]*m")
PATIENCE = 60.0


def step(line, *body):
    """A step's cell whose execution leaves a mark outside the project."""
    name = line.split()[0]
    return "\n".join([f"%%step {line}", f"mark({name!r})", *body])


@dataclass
class Shown:
    """What a cell came to: its outputs as nbformat keeps them."""

    outputs: list = field(default_factory=list)
    pager: str = ""

    @property
    def text(self):
        """Streams and plain texts in order, without colours."""
        return "".join(map(_text_of, self.outputs))

    @property
    def error(self):
        """``Name: message`` of the one error, ``""`` without."""
        found = [f"{o.ename}: {ANSI.sub('', o.evalue)}" for o in self.outputs if o.output_type == "error"]
        assert len(found) < 2, found
        return found[0] if found else ""

    @property
    def traceback(self):
        """The traceback as shown."""
        return "\n".join(ANSI.sub("", "\n".join(o.traceback)) for o in self.outputs if o.output_type == "error")

    @property
    def state(self):
        """What the step's note says for other tools, ``{}`` without a note."""
        notes = [o.metadata["nbsteps"] for o in self.outputs if "nbsteps" in o.get("metadata", {})]
        assert len(notes) < 2, notes
        return notes[0] if notes else {}

    @property
    def body(self):
        """The outputs without the step's note, as comparable data; a value shown again is no execution's result."""
        kept = [json.loads(json.dumps(o)) for o in self.outputs if "nbsteps" not in o.get("metadata", {})]
        for output in kept:
            if output["output_type"] == "execute_result":
                output["output_type"] = "display_data"
                del output["execution_count"]
        return kept


def _text_of(output):
    if output.output_type == "stream":
        return ANSI.sub("", output.text)
    data = output.get("data", {})
    return data.get("text/plain", "") + "\n" if data else ""


class Live:
    """A live kernel as JupyterLab drives one: it knows the notebook by its session's name, cells have ids."""

    def __init__(self, folder, *, session=None, environment=None):
        environment = {**os.environ, **(environment or {})}
        if session is not None:
            environment["JPY_SESSION_NAME"] = str(session)
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(cwd=str(folder), env=environment, stderr=subprocess.DEVNULL)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    @property
    def pid(self):
        return self.manager.provisioner.pid

    def send(self, source, cell_id=None):
        """Ask for a cell; returns the request's id."""
        content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        content["stop_on_error"] = False
        metadata = {} if cell_id is None else {"cellId": cell_id}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def receive(self, request):
        """Everything that a cell shows, when it has ended."""
        shown = Shown()
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != request:
                continue
            kind = message["msg_type"]
            if kind == "status" and message["content"]["execution_state"] == "idle":
                break
            if kind in {"stream", "display_data", "execute_result", "error"}:
                _append(shown.outputs, output_from_msg(message))
        reply = self.client.get_shell_msg(timeout=PATIENCE)
        while reply["parent_header"].get("msg_id") != request:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
        for page in reply["content"].get("payload", ()):
            shown.pager += ANSI.sub("", page.get("data", {}).get("text/plain", ""))
        return shown

    def run(self, source, cell_id=None):
        """Execute one cell."""
        return self.receive(self.send(source, cell_id))

    def restart(self):
        """As the user's menu does."""
        self.manager.restart_kernel(now=False)
        self.client.wait_for_ready(timeout=PATIENCE)

    def interrupt(self):
        """As the user's stop button does."""
        self.manager.interrupt_kernel()

    def kill(self):
        """As the machine's memory does."""
        os.kill(self.pid, signal.SIGKILL)
        self.manager.provisioner.process.wait()

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


def _append(outputs, output):
    """As front ends do: a stream goes on where it stopped."""
    last = outputs[-1] if outputs else None
    if (
        output.output_type == "stream"
        and last is not None
        and (last.output_type, last.get("name"))
        == (
            "stream",
            output.name,
        )
    ):
        last.text += output.text
    else:
        outputs.append(output)


class Nb:
    """One notebook in a project of its own, and the ways to execute it."""

    def __init__(self, folder):
        self.outside = folder / "outside"
        self.folder = folder / "project"
        self.outside.mkdir()
        self.folder.mkdir()
        (self.folder / "pyproject.toml").write_text("[project]\nname = 'demo'\n")
        self.path = self.folder / "analysis.ipynb"
        self.trace = self.outside / "trace"
        self.trace.touch()
        self._kernels = []
        self._seen = 0

    @property
    def marks(self):
        """The cell that lets bodies leave a mark."""
        path = str(self.trace)
        return f"%load_ext nbsteps\ndef mark(name):\n    with open({path!r}, 'a') as f:\n        print(name, file=f)"

    def write(self, *sources, parameters=None, marks=True, kernel="python3"):
        """Save a notebook of these cells; ids are positions, so that edits keep them."""
        first = [self.marks] if marks else []
        cells = [new_code_cell(source, id=f"c{at}") for at, source in enumerate([*first, *sources])]
        if parameters is not None:
            cells.insert(len(first), new_code_cell(parameters, id="p", metadata={"tags": ["parameters"]}))
        metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
        self.save(new_notebook(cells=cells, metadata=metadata))
        return self

    def save(self, notebook):
        nbformat.write(notebook, self.path)

    def read(self, path=None):
        return nbformat.read(path or self.path, 4)

    def edit(self, old, new):
        """Change the text of the one cell that has ``old``, as an editor does."""
        notebook = self.read()
        (cell,) = (cell for cell in notebook.cells if old in cell.source)
        cell.source = cell.source.replace(old, new)
        self.save(notebook)

    def executed(self):
        """Bodies executed since this was asked last, in order."""
        marks = self.trace.read_text().split()
        fresh, self._seen = marks[self._seen :], len(marks)
        return fresh

    def wait_for(self, *marks):
        """Wait until the bodies have left these marks."""
        deadline = time.monotonic() + PATIENCE
        while self.trace.read_text().split()[self._seen :] != list(marks):
            assert time.monotonic() < deadline, self.trace.read_text()
            time.sleep(0.02)

    def live(self, **settings):
        """A live kernel that knows this notebook."""
        kernel = Live(self.folder, session=self.path, **settings)
        self._kernels.append(kernel)
        return kernel

    def run_live(self, kernel=None):
        """Execute cell by cell in a live kernel, as Run All does; returns what each cell showed, by its id."""
        kernel = kernel or self.live()
        return {cell.id: kernel.run(cell.source, cell.id) for cell in self.read().cells}

    def papermill(self, *arguments, engine=None, output="out.ipynb"):
        """``papermill analysis.ipynb out.ipynb ...`` in a process of its own."""
        chosen = [] if engine is None else ["--engine", engine]
        command = [sys.executable, "-m", "papermill", self.path.name, str(self.outside / output), *chosen, *arguments]
        return finish(self.start(*command, "--no-progress-bar"))

    def output(self, name="out.ipynb"):
        """The cells of an executed notebook as shown, by id."""
        return self.output_of({"output": self.outside / name})

    def output_of(self, report):
        """The same for the output of ``nbsteps run``."""
        return {cell.id: Shown(cell.get("outputs", [])) for cell in self.read(report["output"]).cells}

    def start(self, *command):
        """Start a process in the project's folder."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        return subprocess.Popen(command, cwd=self.folder, text=True, start_new_session=True, **pipes)

    def start_cli(self, *arguments):
        """``nbsteps ...`` in a process of its own."""
        return self.start(sys.executable, "-m", "nbsteps", *arguments)

    def cli(self, *arguments):
        """``nbsteps ...``, to its end."""
        return finish(self.start_cli(*arguments))

    def run(self, *arguments):
        """``nbsteps run analysis.ipynb --json ...``; the report, with the output notebook's path."""
        done = self.cli("run", self.path.name, "--json", *arguments)
        return json.loads(done.out)

    def states(self, *arguments):
        """Step -> state of one ``nbsteps run``."""
        return {row["step"]: row["state"] for row in self.run(*arguments)["steps"]}

    def history(self, kind):
        """One of the history tables as rows, newest first."""
        with open_store(self.folder) as store:
            return store.history.records(kind)

    def close(self):
        for kernel in self._kernels:
            kernel.close()


def finish(process):
    """Wait for a process: its exit code and what it wrote."""
    out, err = process.communicate(timeout=PATIENCE)
    return SimpleNamespace(code=process.returncode, out=ANSI.sub("", out), err=ANSI.sub("", err))
