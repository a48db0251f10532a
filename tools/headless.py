"""Runs notebooks headlessly the way a user does, through the command line, and reads what it reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
NBSTEPS = str(Path(sysconfig.get_path("scripts")) / "nbsteps")
WAITING = 3
"""What ``nbsteps run`` ends with when a step waits for a person."""


class HeadlessError(Exception):
    """A notebook did not run as it should; the text is for a person."""


@dataclass(frozen=True)
class Report:
    """What ``nbsteps run --json`` said, with the seconds of the whole process as seen from outside.

    Attributes:
        steps: the objects of the report's ``steps``, in graph order.
        seconds: wall time from starting the process to its end.
    """

    steps: tuple[Mapping[str, Any], ...]
    seconds: float

    def names(self, state: str) -> list[str]:
        """Steps that ended in ``state``."""
        return [step["step"] for step in self.steps if step["state"] == state]


def run_nbsteps(notebook: Path, output: Path, store: Path, parameters: Mapping[str, str]) -> Report:
    """Run a notebook with ``nbsteps run``.

    Args:
        notebook: the notebook to run.
        output: where the executed notebook goes.
        store: folder of the store to use.
        parameters: passed as ``-p NAME VALUE``.

    A run that waits for approval is a good one.

    Raises:
        HeadlessError: the command failed, or printed no report.
    """
    words = [word for name, value in parameters.items() for word in ("-p", name, value)]
    command = [NBSTEPS, "run", str(notebook), "-o", str(output), "--json", *words]
    text, seconds = _call(command, store, good=(0, WAITING))
    try:
        report = json.loads(text)
    except json.JSONDecodeError as error:
        msg = f"{notebook.name}: nbsteps run --json printed no JSON: {text[:500]}"
        raise HeadlessError(msg) from error
    return Report(tuple(report["steps"]), seconds)


def approve(notebook: Path, step: str, store: Path) -> None:
    """Say yes to what a step asks, with what its form suggests.

    Raises:
        HeadlessError: the command failed.
    """
    _call([NBSTEPS, "approve", str(notebook), step, "--comment", "as suggested"], store)


def run_papermill(notebook: Path, output: Path, store: Path) -> float:
    """Run a notebook with papermill as it is, in the notebook's folder, and return the seconds it took.

    Raises:
        HeadlessError: the command failed.
    """
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "--cwd", str(notebook.parent)]
    return _call([*command, str(notebook), str(output)], store)[1]


def _call(command: list[str], store: Path, good: Collection[int] = (0,)) -> tuple[str, float]:
    """Standard output and seconds of a command that must end so; its progress goes to our standard error."""
    environment = {**os.environ, "NBSTEPS_STORE": str(store), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in good:
        msg = f"{' '.join(command)} ended with {done.returncode}\n{done.stdout[-2000:]}"
        raise HeadlessError(msg)
    return done.stdout, time.perf_counter() - start
