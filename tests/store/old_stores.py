"""Writes a store as today's code does, to be kept: later code must read what is in ``tests/store/stores``.

A store is written once for each revision of the format, with the oldest DuckDB that nbsteps allows, and never again::

    python -m tests.store.old_stores tests/store/stores/v1/revision-1.zip
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import zipfile
from collections import Counter
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

from nbsteps.config import Config
from nbsteps.core.events import Cleared
from nbsteps.core.model import Part, PartKind
from nbsteps.core.states import RunState
from nbsteps.identity.content import digest
from nbsteps.store.store import DuckStore
from tests.store.script import NOTEBOOK, Script

SECRET: Final = bytes(range(32))
"""What pickles in the stores are authenticated with."""
OBSERVED: Final = (Part(PartKind.FILE, "data.csv", "2" * 32),)
DISPLAYS: Final = [{"output_type": "stream", "name": "stdout", "text": "loaded"}]
LABELS: Final = {"owners": {"frame": "ana"}, "tags": {"frame": ("daily", "finance"), "text": ("daily",)}}


def values() -> dict[str, Any]:
    """Step to the value of its output; each is kept in another way or place."""
    import numpy as np
    import pandas as pd

    return {
        "frame": pd.DataFrame({"n": range(2500), "s": [f"x{i % 7}" for i in range(2500)]}),  # a table in the file
        "array": np.arange(3000.0).reshape(3, 1000),
        "text": "ä",
        "nested": {"a": [1, 2.5, None], "b": (True, b"bytes")},
        "many": list(range(1000)),  # an object file
        "network": ip_network("10.0.0.0/8"),  # a pickle
        "counts": Counter(range(200)),  # a pickle in an object file
    }


def late_values() -> dict[str, Any]:
    """The same for what was still in a journal when the process was killed."""
    return {"late": ip_network("10.1.0.0/16"), "late_many": list(range(2000))}


def write(folder: Path, **labels: Any) -> None:
    """Fill a store: a run that was folded, and a process that died before its journal was."""
    store = DuckStore(folder, config=Config(inline_limit=100))
    script = Script(store, "r1", **labels)
    shown = store.put(DISPLAYS, digest(DISPLAYS))
    for step, value in values().items():
        script.succeed(step, value, observed=OBSERVED, displays=shown)
    script.succeed("connection", 1, uncacheable=("connection",))
    script.succeed("gone", 1)
    script.fail("broken")
    script.restore("text")
    orchestrate(script)
    script.end(RunState.FAILED)
    store.emit(Cleared(script.tick(), NOTEBOOK, "gone"))
    store.close()
    dying = DuckStore(folder, config=Config(inline_limit=100))
    script = Script(dying, "r2")
    for step, value in late_values().items():
        script.succeed(step, value)
    script.restore("many")
    script.map("late_map", ["p", "q"])
    script.decide(script.ask("late_asked", "q3"))
    script.begin("cut")
    dying.ledger.flush()
    dying.ledger._journal.abandon()
    dying.ledger.drop()


def orchestrate(script: Script) -> None:
    """What revision 2 knows: retries, items, approvals, results that were kept by decision."""
    script.retry("again")
    script.map("mapped", ["x", "y", "z"])
    script.decide(script.ask("asked", "q1"))
    script.ask("open", "q2")
    script.accept(script.succeed("kept", "kept"))


def main(target: Path) -> None:
    """Write a store and pack it."""
    socket.gethostname = lambda: "host"
    with tempfile.TemporaryDirectory() as scratch:
        secret = Path(scratch, "secret")
        secret.write_bytes(SECRET)
        os.environ["NBSTEPS_SECRET_FILE"] = str(secret)
        folder = Path(scratch, ".nbsteps")
        write(folder, **LABELS)
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                packed.write(path, path.relative_to(folder).as_posix())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
