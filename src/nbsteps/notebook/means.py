"""Where a run's bodies are executed, as the user says it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor

from nbsteps.engine.capacity import Means
from nbsteps.executors.pool import check


def steps_at_once(workers: int, executor: str) -> int:
    """How many steps are executed at once: the kernel's main thread, where they belong, has room for one."""
    return workers if executor not in {"", "main"} else 1


def means(workers: int, executor: str, namespace: Mapping[str, object]) -> Means:
    """What a run may use.

    Args:
        workers: bodies at once.
        executor: name of a kind, or of a variable of the notebook that holds a ``concurrent.futures.Executor``.
        namespace: the notebook's variables.

    Raises:
        UsageError: there is no such executor.
    """
    own = namespace.get(executor)
    if isinstance(own, Executor):
        return Means(workers, own)
    check(executor)
    return Means(workers, executor)
