"""Pipelines in Jupyter notebooks: steps, dependencies, a durable cache and a history, without a server.

``%load_ext nbsteps`` in a notebook gives ``%%step`` and ``%pipeline``; the functions here serve scripts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nbsteps.api import (
        accept,
        approvals,
        approve,
        artifacts,
        attempts,
        events,
        load,
        plan,
        reject,
        run,
        runs,
        sql,
        steps,
        toolbar,
        why,
    )
    from nbsteps.core.errors import NbstepsError, NoRetry, Retry, Skip, StepTimeout
    from nbsteps.core.mapped import MapOutput
    from nbsteps.core.missing import MISSING
    from nbsteps.engine.monitoring import progress

_API = frozenset(
    {
        "accept",
        "approvals",
        "approve",
        "artifacts",
        "attempts",
        "events",
        "load",
        "plan",
        "reject",
        "run",
        "runs",
        "sql",
        "steps",
        "toolbar",
        "why",
    }
)

_ERRORS = frozenset({"NbstepsError", "NoRetry", "Retry", "Skip", "StepTimeout"})

__all__ = [
    "MISSING",
    "MapOutput",
    "NbstepsError",
    "NoRetry",
    "Retry",
    "Skip",
    "StepTimeout",
    "__version__",
    "accept",
    "approvals",
    "approve",
    "artifacts",
    "attempts",
    "events",
    "load",
    "load_ipython_extension",
    "plan",
    "progress",
    "reject",
    "run",
    "runs",
    "sql",
    "steps",
    "toolbar",
    "unload_ipython_extension",
    "why",
]


def __getattr__(name: str) -> Any:
    """Load the API when it is first asked for, so that ``import nbsteps`` stays fast."""
    if name in _API:
        from nbsteps import api  # noqa: PLC0415 - keeps import nbsteps fast

        return getattr(api, name)
    if name in _ERRORS:
        from nbsteps.core import errors  # noqa: PLC0415 - keeps import nbsteps fast

        return getattr(errors, name)
    if name == "progress":
        from nbsteps.engine.monitoring import progress  # noqa: PLC0415 - keeps import nbsteps fast

        return progress
    if name == "MapOutput":
        from nbsteps.core.mapped import MapOutput  # noqa: PLC0415 - keeps import nbsteps fast

        return MapOutput
    if name == "MISSING":
        from nbsteps.core.missing import MISSING  # noqa: PLC0415 - keeps import nbsteps fast

        return MISSING
    msg = f"module 'nbsteps' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: Any) -> None:
    """Register ``%%step`` and ``%pipeline``; called by ``%load_ext nbsteps``."""
    from nbsteps.notebook.connection import connect  # noqa: PLC0415 - keeps import nbsteps fast

    connect(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Release the store and stop listening; called by ``%unload_ext nbsteps``."""
    from nbsteps.notebook.connection import disconnect  # noqa: PLC0415 - keeps import nbsteps fast

    disconnect(shell)
