"""The ground every test stands on: no state of the person's own Jupyter, matplotlib or nbsteps is read or written."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Deadlines measure the machine, and this one is shared. The seed is printed, so that a failure can be repeated.
settings.register_profile("dev", deadline=None, max_examples=50, print_blob=True)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,  # a submission is judged by the same examples each time; those on desks are random
    max_examples=200,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

FOLDERS = {
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "jupyter/config",
    "JUPYTER_DATA_DIR": "jupyter/data",
    "JUPYTER_RUNTIME_DIR": "jupyter/runtime",
    "MPLCONFIGDIR": "matplotlib",
}
FIXED = {
    "JUPYTER_PLATFORM_DIRS": "1",
    "JUPYTER_PREFER_ENV_PATH": "0",  # else the environment's own kernels come before the one made here
    "MPLBACKEND": "agg",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger in each kernel warns of frozen modules otherwise
}
FOREIGN = ("JPY_", "NBSTEPS_", "PAPERMILL_", "VSCODE_")


def pytest_configure(config: pytest.Config) -> None:
    """Point the environment at a folder of this process, before any test module is imported."""
    folder = Path(tempfile.mkdtemp(prefix="nbsteps-tests-"))
    # At the very end: an IPython shell made by a test closes its history when the process exits.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        patch.delenv(name)
    # Started in the background of a shell, a process ignores interrupts; tests send them, to itself and to kernels.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name, value in FIXED.items():
        patch.setenv(name, value)
    for name, part in FOLDERS.items():
        (folder / part).mkdir(parents=True)
        patch.setenv(name, str(folder / part))
    patch.setenv("NBSTEPS_SECRET_FILE", str(folder / "nbsteps" / "secret"))
    _install_kernel(folder / FOLDERS["JUPYTER_DATA_DIR"] / "kernels" / "python3")


def _install_kernel(folder: Path) -> None:
    """A kernel ``python3`` that is the interpreter which runs the tests, whatever else is installed."""
    folder.mkdir(parents=True)
    specification = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python 3 (tests)",
        "language": "python",
    }
    (folder / "kernel.json").write_text(json.dumps(specification), encoding="utf-8")
