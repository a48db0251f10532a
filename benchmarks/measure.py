"""How things are timed: medians, fresh processes, sizes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_ANSWER = "answer: "


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Attributes:
        repetitions: fresh processes a number, whose median counts.
        steps: depth of the chain.
        depths: two depths whose times a step are compared.
        frame_bytes: size of the frame of a warm no-op.
        bound_bytes: size of the frame that is bound lazily.
        cells: cells of the notebook that is run headlessly.
        executions: executions of a cell in a live kernel.
        digest_bytes: size of what is digested.
        items: items of a map.
        many: items of a map whose memory is looked at.
        shared_bytes: size of an array that every item of a map reads.
    """

    repetitions: int = 5
    steps: int = 1000
    depths: tuple[int, int] = (500, 2000)
    frame_bytes: int = 1_000_000_000
    bound_bytes: int = 330_000_000
    cells: int = 200
    executions: int = 200
    digest_bytes: int = 400_000_000
    items: int = 1000
    many: int = 100_000
    shared_bytes: int = 200_000_000


SMALL = Sizes(
    repetitions=3,
    frame_bytes=300_000_000,
    executions=100,
    digest_bytes=100_000_000,
    many=20_000,
    shared_bytes=50_000_000,
)
TINY = Sizes(1, 5, (3, 6), 200_000, 200_000, 2, 2, 200_000, 8, 16, 20_000)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a group gets to work with.

    Attributes:
        folder: an empty folder of its own.
        sizes: how much is measured.
        peers: an interpreter that has the peers which nbsteps does not install; None where they are not measured.
    """

    folder: Path
    sizes: Sizes = field(default_factory=Sizes)
    peers: Path | None = None


def fresh(function: Callable[..., Any], **arguments: Any) -> Any:
    """Call a function of this package in a new process; arguments and answer are JSON."""
    name = f"{function.__module__}:{function.__qualname__}"
    command = [sys.executable, "-m", "benchmarks.worker", name, json.dumps(arguments, default=str)]
    return answer_of(command, ROOT)


def answer_of(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Any:
    """What a worker process answers; what it says on standard error is shown if it fails."""
    done = subprocess.run(
        command, cwd=folder, env=None if environment is None else {**os.environ, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    for line in done.stdout.splitlines():
        if line.startswith(_ANSWER):
            return json.loads(line.removeprefix(_ANSWER))
    msg = f"{' '.join(command)[:200]} ended with {done.returncode} and no answer:\n{done.stderr[-2000:]}"
    raise RuntimeError(msg)


def answer(value: object) -> None:
    """Called by a worker, once."""
    print(_ANSWER + json.dumps(value), flush=True)


def wall(command: Sequence[str], folder: Path) -> float:
    """Seconds that a command takes; it has to succeed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        msg = f"{' '.join(command)[:200]} ended with {done.returncode}:\n{done.stderr[-2000:]}"
        raise RuntimeError(msg)
    return seconds


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turn(repetitions: int, **calls: Callable[[], float]) -> dict[str, float]:
    """Medians of several measurements that take turns, so that a noisy machine is noisy for all of them."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repetitions):
        for name, call in calls.items():
            found[name].append(call())
    return {name: statistics.median(values) for name, values in found.items()}
