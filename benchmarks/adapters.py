"""The probes of ``tests/conformance`` for other tools: runs inside their environment, one process for each version.

``python -m benchmarks.adapters TOOL`` reads one job a line (see :func:`benchmarks.wrong_hits.job`) and answers each
with one line: what became of the step. Everything heavy is imported once, then a child process is forked for each job;
a tool that remembers within a session only keeps one for all jobs with the same store.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import io
import json
import os
import select
import signal
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.conformance.fingerprint import fingerprint

RAN = "__import__('probe_ran').ran()"
"""What a body does first, so that it is known whether it ran."""


def _function(cell: dict[str, Any], head: str, name: str) -> str:
    body = textwrap.indent(f"{RAN}\n{cell['body']}\nreturn {', '.join(cell['writes'])}", "    ")
    return f"{head}def {name}({', '.join(cell['reads'])}):\n{body}\n"


def _as_functions(cells: list[Any], head: str) -> str:
    """Cells as a module: each step a function that is called at once."""
    texts = []
    for cell in cells:
        if isinstance(cell, str):
            texts.append(cell)
            continue
        name = f"step_{cell['name']}"
        texts.append(_function(cell, head, name))
        texts.append(f"{', '.join(cell['writes'])} = {name}({', '.join(cell['reads'])})")
    return "\n\n".join(texts)


def _loaded(name: str, source: str) -> ModuleType:
    Path(f"{name}.py").write_text(source, encoding="utf-8")
    importlib.invalidate_caches()
    return importlib.import_module(name)


def joblib(cells: list[Any], store: str) -> object:
    """``Memory.cache`` around each step."""
    head = f"import joblib as _joblib\n_memory = _joblib.Memory({store!r}, verbose=0)\n\n"
    return _loaded("probe_notebook", head + _as_functions(cells, "@_memory.cache\n")).result


def redun(cells: list[Any], store: str) -> object:
    """A task for each step, and one that calls them."""
    from redun import Scheduler
    from redun.config import Config

    texts = ["from redun import task as _task", "redun_namespace = 'probe'"]
    calls = []
    for cell in cells:
        if isinstance(cell, str):
            texts.append(cell)
            continue
        name = f"step_{cell['name']}"
        texts.append(_function(cell, "@_task()\n", name))
        calls.append(f"_made = {name}({', '.join(cell['reads'])})")
        several = len(cell["writes"]) > 1
        calls += [f"{each} = _made[{at}]" if several else f"{each} = _made" for at, each in enumerate(cell["writes"])]
    body = textwrap.indent("\n".join([*calls, "return result"]), "    ")
    texts.append(f"@_task()\ndef probe_main():\n{body}")
    module = _loaded("probe_notebook", "\n\n".join(texts))
    scheduler = Scheduler(config=Config({"backend": {"db_uri": f"sqlite:///{store}/redun.db"}}))
    scheduler.load()
    return scheduler.run(module.probe_main())


def hamilton(cells: list[Any], store: str) -> object:
    """A function for each step, named like what it makes; the other cells are a module of their own."""
    from hamilton import driver

    context = "\n\n".join(cell for cell in cells if isinstance(cell, str))
    _loaded("probe_context", context)
    texts = ["import probe_context as _context"]
    texts.append("globals().update({k: v for k, v in vars(_context).items() if not k.startswith('__')})")
    for cell in cells:
        if isinstance(cell, str):
            continue
        if len(cell["writes"]) > 1:
            raise NotImplementedError("a function makes one value")
        arguments = ", ".join(f"{each}: object" for each in cell["reads"])
        body = textwrap.indent(f"{RAN}\n{cell['body']}\nreturn {cell['writes'][0]}", "    ")
        texts.append(f"def {cell['writes'][0]}({arguments}) -> object:\n{body}")
    module = _loaded("probe_notebook", "\n\n".join(texts))
    built = driver.Builder().with_modules(module).with_cache(path=store).build()
    return built.execute(["result"])["result"]


def marimo(cells: list[Any], store: str) -> object:
    """An app of these cells, with ``persistent_cache`` around what a step does."""
    texts = ["import marimo", "app = marimo.App()", "@app.cell\ndef _():\n    import marimo as mo\n    return"]
    for cell in cells:
        source = cell
        if not isinstance(cell, str):
            inner = textwrap.indent(f"{RAN}\n{cell['body']}", "    ")
            source = f"with mo.persistent_cache({cell['name']!r}, save_path={store!r}):\n{inner}"
        texts.append("@app.cell\ndef _():\n" + textwrap.indent(source, "    ") + "\n    return")
    module = _loaded("probe_notebook", "\n\n".join(texts))
    _, made = module.app.run()
    return made["result"]


def cash(cells: list[Any], store: str) -> object:
    """IPython with ``%cash_on``: it caches statements, so the step's body is a cell like the others."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    os.environ["CASH_CACHE_DIR"] = store
    os.environ["CASH_PERSIST_ALL"] = "1"  # bodies as short as these are not worth a file to it otherwise
    os.environ["CASH_ANALYTICS"] = "0"
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    for source in ("import cash", "%cash_on", *(each if isinstance(each, str) else each["body"] for each in cells)):
        done = shell.run_cell(source, store_history=True)
        error = done.error_before_exec or done.error_in_exec
        if error is not None:
            raise error
    return shell.user_ns["result"]


def ipyflow(cells: list[Any], store: str) -> object:
    """A kernel with ``%%memoize`` on each step's cell; cells keep their places, as in a notebook that is open."""
    from ipyflow.config import Interface
    from ipyflow.data_model.cell import Cell
    from ipyflow.shell.interactiveshell import IPyflowInteractiveShell
    from ipyflow.singletons import flow
    from traitlets.config import Config

    shell = IPyflowInteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    flow().mut_settings.interface = Interface.JUPYTERLAB
    names = [f"cell-{at}" for at in range(len(cells))]
    Cell.set_cell_positions({name: at for at, name in enumerate(names)})
    for name, cell in zip(names, cells, strict=True):
        source = cell
        if not isinstance(cell, str):
            head = "" if Path(store).name == EMPTY else "%%memoize\n"
            source = f"{head}{RAN}\n{cell['body']}"
        done = shell.run_cell(source, store_history=True, cell_id=name)
        error = done.error_before_exec or done.error_in_exec
        if error is not None:
            raise error
    return shell.user_ns["result"]


ADAPTERS: dict[str, Callable[[list[Any], str], object]] = {
    "joblib": joblib,
    "cash-lib": cash,
    "marimo": marimo,
    "apache-hamilton": hamilton,
    "redun": redun,
    "ipyflow": ipyflow,
}
LIBRARIES = ("numpy", "pandas", "pyarrow")
HEAVY = {  # and what these import themselves when they are used first
    "joblib": ("joblib",),
    "cash-lib": ("IPython.core.interactiveshell", "ipykernel.connect"),
    "marimo": ("marimo", "matplotlib.pyplot", "marimo._output.mpl"),
    "apache-hamilton": ("hamilton.driver",),
    "redun": ("redun",),
    "ipyflow": ("ipyflow.shell.interactiveshell",),
}
EMPTY = "empty"
"""Name of the store that remembers nothing of another version."""
SESSIONS = frozenset({"ipyflow"})
"""Tools that remember as long as a kernel lives: all jobs with one store are played in one process."""
PATIENCE = 60.0
"""Seconds that a version may take."""
BLIND_TO_RUNNING = frozenset({"cash-lib"})
"""Tools that would cache the line, too, that tells whether a body ran."""


def play(tool: str, job: dict[str, Any]) -> dict[str, Any]:
    """One version, in this process: fingerprint of its result, and whether the step's body ran."""
    _prepare(job)
    ran = Path(job["log"])
    ran.write_bytes(b"")
    module = ModuleType("probe_ran")
    module.ran = lambda: ran.write_bytes(ran.read_bytes() + b"x")  # type: ignore[attr-defined]
    sys.modules["probe_ran"] = module
    try:
        result = ADAPTERS[tool](job["cells"], job["store"])
        executed = None if tool in BLIND_TO_RUNNING else len(ran.read_bytes())
        return {"result": fingerprint(result), "executed": executed, "error": ""}
    except BaseException as error:  # noqa: BLE001 - whatever it is, the tool cannot do it
        return {"result": "", "executed": None, "error": f"{type(error).__name__}: {error}"[:200]}


def _prepare(job: dict[str, Any]) -> None:
    """The environment, the folder and the import path that a kernel for the notebook would have."""
    for name in set(_given) - set(job["environment"]):
        os.environ.pop(name, None)
    _given[:] = job["environment"]
    os.environ.update(job["environment"])
    os.chdir(job["folder"])
    if job["folder"] not in sys.path:
        sys.path[:0] = [job["folder"]]
    sys.dont_write_bytecode = True


_given: list[str] = []


class Session:
    """A forked process that plays versions until it is closed."""

    def __init__(self, tool: str, others: Iterable[Session]) -> None:
        jobs, to_child = os.pipe()
        from_child, answers = os.pipe()
        self._child = os.fork()
        if not self._child:
            for each in (to_child, from_child, *(end for other in others for end in other.ends)):
                os.close(each)  # else nobody would see that they end
            _serve(tool, jobs, answers)
        os.close(jobs)
        os.close(answers)
        self.ends = (to_child, from_child)
        self._jobs, self._answers = os.fdopen(to_child, "w"), os.fdopen(from_child)

    def play(self, job: dict[str, Any]) -> dict[str, Any]:
        """One version."""
        with contextlib.suppress(BrokenPipeError):
            self._jobs.write(json.dumps(job) + "\n")
            self._jobs.flush()
        ready, _, _ = select.select([self._answers], [], [], PATIENCE)
        if not ready:
            os.kill(self._child, signal.SIGKILL)
        text = self._answers.readline()
        return json.loads(text) if text else {"result": "", "executed": None, "error": "it ended"}

    def close(self) -> None:
        """End it, and wait until it wrote what it had to."""
        with contextlib.suppress(BrokenPipeError):
            self._jobs.close()
        self._answers.read()
        self._answers.close()
        os.waitpid(self._child, 0)


def _serve(tool: str, jobs: int, answers: int) -> None:
    """What the process of a session does."""
    with _quiet(), os.fdopen(answers, "w") as pipe:
        for line in os.fdopen(jobs):
            pipe.write(json.dumps(play(tool, json.loads(line))) + "\n")
            pipe.flush()
        atexit._run_exitfuncs()  # noqa: SLF001 - what is still to be written is written then
    os._exit(0)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def main(tool: str) -> None:
    """Answer jobs until there are none."""
    for name in (*LIBRARIES, *HEAVY[tool]):
        importlib.import_module(name)
    sessions: dict[str, Session] = {}
    for line in sys.stdin:
        job = json.loads(line)
        for store in list(sessions):
            if tool not in SESSIONS or Path(store).parent != Path(job["store"]).parent:
                sessions.pop(store).close()
        if job["store"] not in sessions:
            sessions[job["store"]] = Session(tool, sessions.values())
        print(json.dumps(sessions[job["store"]].play(job)), flush=True)
    for session in sessions.values():
        session.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
