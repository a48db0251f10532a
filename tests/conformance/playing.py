"""Executes versions of a probe: in a shell of this process, in a process of its own, or by a real kernel."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from tests.conformance.fingerprint import fingerprint
from tests.conformance.probe import Cell, Probe, source_of
from tests.conformance.settings import kept_settings

PATIENCE = 90.0
REPOSITORY = Path(__file__).parents[2]
OUTCOMES = {"StepRestored": "restore", "StepSucceeded": "rerun", "StepEnded": "error"}


@dataclass(frozen=True)
class Played:
    """What became of the step that a probe asks about.

    Attributes:
        outcome: ``rerun``, ``restore`` or ``error``.
        result: fingerprint of its result, ``""`` without one.
        reasons: why it was executed.
        error: what went wrong, if anything.
    """

    outcome: str
    result: str
    reasons: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Trial:
    """A, then B, and B on an empty store; ``again`` is A executed once more before anything changed."""

    first: Played
    second: Played
    empty: Played
    again: Played | None = None


class Ground:
    """The folders of one probe."""

    def __init__(self, folder: Path) -> None:
        self.outside = folder / "outside"
        self.project = folder / "project"
        self.outside.mkdir()
        self.project.mkdir()
        (self.project / "pyproject.toml").write_text("[project]\nname = 'probe'\n")

    def prepare(self, probe: Probe, version: str) -> Path:
        """Make the files of a version; returns the notebook's path."""
        if version == "B" and probe.moved.startswith(".."):
            moved = (self.project / probe.moved).parent.resolve()
            moved.parent.mkdir(parents=True, exist_ok=True)
            self.project = self.project.rename(moved)
            path = self.project / Path(probe.moved).name
        else:
            path = self.project / ((version == "B" and probe.moved) or probe.notebook)
        path.parent.mkdir(parents=True, exist_ok=True)
        files = probe.files if version == "A" else probe.changed
        for name, content in files.items():
            self._put(path.parent / name, content)
        with contextlib.chdir(path.parent):
            code = probe.before if version == "A" else probe.change
            exec(code, {"__name__": "harness"})  # noqa: S102 - a probe says by code what changes
        if version == "B" and path.name != probe.notebook and not probe.moved.startswith(".."):
            (self.project / probe.notebook).unlink(missing_ok=True)
        write(path, probe.cells if version == "A" or probe.live else probe.changed_cells)
        return path

    def _put(self, path: Path, content: str | None) -> None:
        if content is None:
            path.unlink()
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def store(self, name: str) -> str:
        """A store by name, outside the project."""
        return str(self.outside / name)


def write(path: Path, cells: Sequence[Cell], *extra: str) -> None:
    """Save a notebook."""
    sources = [*extra[:1], *(source_of(cell) for cell in cells), *extra[1:]]
    made = [new_code_cell(source, id=f"c{at}") for at, source in enumerate(sources)]
    for cell in made:
        if cell.source.startswith("# parameters"):
            cell.metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "python3", "language": "python"}
    nbformat.write(new_notebook(cells=made, metadata={"kernelspec": kernel}), path)


class Shell:
    """A shell of this process that becomes as good as new for each version."""

    def __init__(self) -> None:
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        self._shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
        self._shell.displayhook.flush = lambda: None  # a full garbage collection; what it flushes is never asked for
        self._kernel: Any = None
        self._session: Any = None
        self._told: list[Any] = []
        self.queries = False
        """Whether what is played may use the database that belongs to the process."""

    def close(self) -> None:
        """For good."""
        from IPython.core.interactiveshell import InteractiveShell

        self.renew()
        self._shell.history_manager.end_session()
        InteractiveShell.clear_instance()

    def renew(self) -> None:
        """Forget everything that was executed; the store stays open."""
        from nbsteps.notebook.connection import disconnect
        from nbsteps.testing import MemoryStore

        if self._kernel is not None:
            self._session.services.store = MemoryStore()
            self._kernel.evaluator.close()
        disconnect(self._shell)
        self._shell.reset(new_session=True)
        self._kernel, self._told = None, []
        # Functions of duckdb share one database; what one probe left open another cannot use. A new one takes 10 ms.
        if self.queries and "duckdb" in sys.modules:
            duckdb = sys.modules["duckdb"]
            duckdb.default_connection().close()
            duckdb.set_default_connection(duckdb.connect())

    def open(self, path: Path, store: Any) -> None:
        """Connect nbsteps with the shell as good as new, for the notebook at ``path``."""
        from nbsteps.notebook.connection import connect

        self.renew()
        self._kernel = connect(self._shell)
        self._kernel.use_notebook(path)
        self._session = self._kernel.session
        services = self._session.services
        services.listeners.append(self)
        services.store.close()
        services.store = store
        services.private = (*services.private, path.parents[1] / "outside")

    def clear(self) -> None:
        """Forget what is stored."""
        self._kernel.session.clear()

    def emit(self, event: object) -> None:
        """Hear of what becomes of steps."""
        self._told.append(event)

    def execute(self, cells: Sequence[Cell], step: str) -> Played:
        """Execute cells in order; what became of the step the last time."""
        self._told.clear()
        error, reasons = "", ()
        for cell in cells:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                done = self._shell.run_cell(source_of(cell), store_history=True)
            failed = done.error_before_exec or done.error_in_exec
            if failed is not None:
                error = f"{type(failed).__name__}: {failed}"
                break
        outcome = ""
        for event in self._told:
            kind = type(event).__name__
            if getattr(event, "step", getattr(getattr(event, "attempt", None), "step", None)) == step:
                outcome = OUTCOMES.get(kind, outcome)
                reasons = tuple(event.reasons) if kind == "StepStarted" else reasons
        return Played(outcome, "" if error else self._result(cells, step), reasons, error)

    def _result(self, cells: Sequence[Cell], step: str) -> str:
        (name,) = next(cell.writes for cell in cells if not isinstance(cell, str) and cell.name == step)[-1:]
        self._kernel.evaluator.materialise([name])
        return fingerprint(self._shell.user_ns[name])


@contextlib.contextmanager
def surroundings(path: Path, environment: dict[str, str]) -> Iterator[None]:
    """The working directory, the import path and the environment that a kernel would have; modules are forgotten."""
    before, folders, modules = dict(os.environ), list(sys.path), set(sys.modules)
    os.environ.update(environment)
    sys.path.insert(0, str(path.parent))
    writing, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    importlib.invalidate_caches()
    try:
        with contextlib.chdir(path.parent):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        sys.path[:] = folders
        sys.dont_write_bytecode = writing
        for name in set(sys.modules) - modules:
            if _belongs_to(sys.modules[name], path.parents[2]):
                del sys.modules[name]


def _belongs_to(module: object, folder: Path) -> bool:
    places = [getattr(module, "__file__", None) or "", *map(str, getattr(module, "__path__", ()))]
    return any(place.startswith(str(folder)) for place in places)


def _restore_files(probe: Probe, path: Path) -> None:
    """Undo what the body did to the files of version B."""
    for name, content in probe.changed.items():
        if content is not None:
            (path.parent / name).write_text(content, encoding="utf-8")


@kept_settings()
def in_shell(shell: Shell, probe: Probe, ground: Ground) -> Trial:
    """Play a probe in shells of this process."""
    from nbsteps.store.store import DuckStore
    from nbsteps.testing import MemoryStore

    shell.queries = "duckdb" in repr(probe)
    # Opened once for A and B: what a file brings back to another process is what processes and kernels show.
    store = DuckStore(Path(ground.store("store")))
    try:
        first, again, second = _play(shell, probe, ground, store)
    finally:
        shell.renew()
        store.ledger._substance, store.ledger._journal.unfolded = False, 0  # nobody will ask for this history
        store.close()
    if probe.live:
        empty = _play(shell, probe, Ground(_fresh_folder(ground)), MemoryStore(), clear=True)[-1]
        return Trial(first, second, empty)
    path = next(ground.project.rglob("*.ipynb"))
    _restore_files(probe, path)
    return Trial(first, second, _play_alone(shell, probe, path, "B", MemoryStore()), again)


def _play(shell: Shell, probe: Probe, ground: Ground, store: Any, *, clear: bool = False) -> tuple[Played, Any, Played]:
    path = ground.prepare(probe, "A")
    if not probe.live:
        first, again = (_play_alone(shell, probe, path, "A", store) for _ in range(2))
        return first, again, _play_alone(shell, probe, ground.prepare(probe, "B"), "B", store)
    with surroundings(path, probe.environment):
        shell.open(path, store)
        first = shell.execute(probe.cells, probe.step)
        if clear:
            shell.clear()
        ground.prepare(probe, "B")
        os.environ.update(probe.environment_of("B"))
        return first, None, shell.execute(probe.changed_cells, probe.step_of("B"))


def _play_alone(shell: Shell, probe: Probe, path: Path, version: str, store: Any) -> Played:
    with surroundings(path, probe.environment_of(version)):
        shell.open(path, store)
        return shell.execute(probe.cells if version == "A" else probe.changed_cells, probe.step_of(version))


def _fresh_folder(ground: Ground) -> Path:
    folder = ground.outside / "again"
    folder.mkdir()
    return folder


def in_processes(probe: Probe, ground: Ground) -> Trial:
    """Play A, and A again, in one process, then B and B on an empty store in another."""
    path = ground.prepare(probe, "A")
    first, again = _driven(probe, "A", path, ground.store("store"))
    second, empty = _driven(probe, "B", ground.prepare(probe, "B"), ground.store("store"))
    return Trial(first, second, empty, again)


def _driven(probe: Probe, version: str, path: Path, store: str) -> list[Played]:
    folders = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": folders, **probe.environment_of(version), "NBSTEPS_STORE": store}
    command = [sys.executable, "-m", "tests.conformance.playing", probe.name, version, path.name]
    done = subprocess.run(
        command, cwd=path.parent, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    return [Played(**each) for each in json.loads(done.stdout.splitlines()[-1])]


def _drive(name: str, version: str, notebook: str) -> None:
    """Play one version in this process, twice, and print what became of it: A on one store, B on an empty one then."""
    from nbsteps.store.store import DuckStore
    from nbsteps.testing import MemoryStore
    from tests.conformance.collection import PROBES

    probe = next(each for each in PROBES if each.name == name)
    sys.path[:] = ["", *(each for each in sys.path if each not in {"", str(Path.cwd())})]
    shell = Shell()
    store = DuckStore(Path(os.environ["NBSTEPS_STORE"]))
    path = Path.cwd() / notebook
    cells = probe.cells if version == "A" else probe.changed_cells
    played = []
    for each in (store, store if version == "A" else MemoryStore()):
        shell.open(path, each)
        with contextlib.chdir(path.parent):
            played.append(asdict(shell.execute(cells, probe.step_of(version))))
        if version == "B":
            _restore_files(probe, path)
    shell.close()
    store.close()
    sys.stdout.write(json.dumps(played) + "\n")


def in_kernels(probe: Probe, ground: Ground) -> Trial:
    """Play each version of a probe in a kernel of its own (A and B in one where the probe is live)."""
    path = ground.prepare(probe, "A")
    with _Kernel(probe, "A", path, ground.store("store")) as kernel:
        first = kernel.play(probe.cells)
        if probe.live:
            ground.prepare(probe, "B")
            return Trial(first, kernel.play(probe.changed_cells), _empty_in_kernel(probe, ground))
    path = ground.prepare(probe, "B")
    with _Kernel(probe, "B", path, ground.store("store")) as kernel:
        second = kernel.play(probe.changed_cells)
        kernel.live.run(f"%pipeline clear\n%cd -q {path.parent}")
        return Trial(first, second, kernel.play(probe.changed_cells))


def _empty_in_kernel(probe: Probe, ground: Ground) -> Played:
    again = Ground(_fresh_folder(ground))
    with _Kernel(probe, "A", again.prepare(probe, "A"), ground.store("empty")) as kernel:
        kernel.play(probe.cells)
        again.prepare(probe, "B")
        kernel.live.run("%pipeline clear")
        return kernel.play(probe.changed_cells)


STATES = {"cached": "restore", "succeeded": "rerun", "failed": "error"}


class _Kernel:
    """A live kernel for one notebook."""

    def __init__(self, probe: Probe, version: str, path: Path, store: str) -> None:
        from tests.e2e.building import Live

        self._probe = probe
        environment = {**probe.environment_of(version), "NBSTEPS_STORE": store}
        self.live = Live(path.parent, session=path, environment=environment)
        self.live.run("%load_ext nbsteps")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.live.close()

    def play(self, cells: Sequence[Cell]) -> Played:
        """Execute cells in order."""
        outcome, reasons, error = "", (), ""
        for cell in cells:
            shown = self.live.run(source_of(cell))
            error = error or shown.error
            if not isinstance(cell, str) and cell.name == self._probe.step:
                outcome = STATES.get(shown.state.get("state", ""), "error")
                reasons = tuple(shown.state.get("reasons", ()))
        return Played(outcome, "" if error else self._result(cells), reasons, error)

    def _result(self, cells: Sequence[Cell]) -> str:
        (name,) = next(c.writes for c in cells if not isinstance(c, str) and c.name == self._probe.step)[-1:]
        path = str(Path(__file__).with_name("fingerprint.py"))
        code = f"{name}\n_told = {{}}\nexec(open({path!r}).read(), _told)\nprint(_told['fingerprint']({name}))"
        shown = self.live.run(code)
        return next(output.text.strip() for output in shown.outputs if output.output_type == "stream")


if __name__ == "__main__":
    _drive(*sys.argv[1:])
