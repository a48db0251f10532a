"""Peers that nbsteps does not install, in an environment of their own that is thrown away: ``--peers`` only."""

from __future__ import annotations

import statistics
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.kernels import Kernel
from benchmarks.measure import ROOT, Sizes, answer_of, in_turn

PACKAGES = ("apache-hamilton", "cash-lib", "ipykernel", "pandas", "pyarrow")
_HAMILTON = """
import importlib.util, json, sys, time
folder, steps = sys.argv[1], int(sys.argv[2])
sys.setrecursionlimit(50 * steps + 10_000)  # Hamilton walks a chain recursively
from hamilton import driver
spec = importlib.util.spec_from_file_location("chain_module", folder + "/chain_module.py")
module = importlib.util.module_from_spec(spec)
sys.modules["chain_module"] = module
spec.loader.exec_module(module)
start = time.perf_counter()
built = driver.Builder().with_modules(module).with_cache(path=folder + "/cache").build()
value = built.execute([f"a{steps - 1}"])[f"a{steps - 1}"]
seconds = time.perf_counter() - start
assert value == steps, value
print("answer: " + json.dumps(seconds))
"""


def install(folder: Path) -> Path:
    """Make the environment and return its interpreter."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    command: Sequence[str] = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    subprocess.run(command, check=True)
    return python


def hamilton(python: Path, folder: Path, steps: int) -> tuple[float, float]:
    """Milliseconds a step of a chain of cached functions: cold, and warm in a new process."""
    folder.mkdir(parents=True)
    functions = ["def a0() -> int:\n    return 1\n"]
    functions += [f"def a{i}(a{i - 1}: int) -> int:\n    return a{i - 1} + 1\n" for i in range(1, steps)]
    (folder / "chain_module.py").write_text("\n".join(functions), encoding="ascii")
    command = [str(python), "-c", _HAMILTON, str(folder), str(steps)]
    environment = {"HAMILTON_TELEMETRY_ENABLED": "false"}
    cold, *warm = (float(answer_of(command, folder, environment)) for _ in range(4))
    return 1000 * cold / steps, 1000 * statistics.median(warm) / steps


def cash(python: Path, folder: Path, sizes: Sizes) -> tuple[float, float]:
    """Seconds that a cached cell costs beyond an empty one, and seconds to bring a frame back."""
    start = ["import cash", "%cash_on"]
    size = sizes.bound_bytes
    helper = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom benchmarks.digests import mixed_frame"
    cell, frame, use = "a = 1 + 1\nb = a + 1", f"frame = mixed_frame({size})", "frame.shape"
    sources = ["pass", *start, cell, helper, frame, use]
    with Kernel(folder, sources, python) as kernel:
        empty = statistics.median(kernel.run("pass") for _ in range(10))
        for source in sources:
            kernel.run(source)
        found = in_turn(sizes.executions, cached=lambda: kernel.run(cell))
    restored = []
    for _ in range(3):  # it makes the frame again the first time, because other cells stood above it before
        with Kernel(folder, sources, python) as kernel:
            for source in (*start, helper, "import pandas"):
                kernel.run(source)
            restored.append(kernel.run(frame) + kernel.run(use))
    return found["cached"] - empty, statistics.median(restored[1:]) - 2 * empty
