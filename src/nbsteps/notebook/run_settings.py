"""How the toolbar's next run is executed: chosen on a page, remembered by the kernel, the same on every page."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Final

from nbsteps.executors.pool import names

MOST: Final = 64
"""Workers that can be chosen; more are typed: ``%pipeline run --workers N``."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What ``--workers`` and ``--executor`` say."""

    workers: int = 1
    executor: str = ""

    def words(self) -> tuple[str, ...]:
        """As words of ``%pipeline run``; none for the default."""
        workers = ("--workers", str(self.workers)) if self.workers > 1 else ()
        return (*workers, *(("--executor", self.executor) if self.executor else ()))

    def changed(self, message: Mapping[str, Any], namespace: Mapping[str, object]) -> RunSettings:
        """With what a page chose; what there is no such thing of changes nothing."""
        found, workers, executor = self, message.get("workers"), message.get("executor")
        if isinstance(workers, int) and 1 <= workers <= MOST:
            found = replace(found, workers=workers)
        return replace(found, executor=executor) if executor in offered(namespace) else found

    def view(self, namespace: Mapping[str, object]) -> dict[str, Any]:
        """For a page: what is chosen, and what there is to choose from."""
        return {**asdict(self), "executors": offered(namespace), "cores": min(os.cpu_count() or 1, MOST)}


def offered(namespace: Mapping[str, object]) -> list[str]:
    """Names of executors: the default, the kinds, other packages' and the notebook's own variables."""
    # By type: looking at a value that is not loaded yet would load it.
    own = [name for name, value in list(namespace.items()) if issubclass(type(value), Executor) and name[:1] != "_"]
    return list(dict.fromkeys(("", "main", *_kinds(), *own)))


@cache
def _kinds() -> tuple[str, ...]:
    """Read once: what is installed does not change while a kernel lives."""
    return names()
