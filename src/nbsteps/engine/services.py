"""What every part of the engine shares: the ports, and who we are."""

from __future__ import annotations

import gc
import itertools
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nbsteps.config import Config
from nbsteps.core.events import Event, Warned
from nbsteps.engine.cancel import Cancel
from nbsteps.ports import Clock, Evaluator, Lanes, Listener, Store


@dataclass(frozen=True, slots=True)
class Host:
    """The process that executes."""

    name: str
    pid: int
    user: str
    peak_rss: Callable[[], int | None] = lambda: None


@dataclass(slots=True)
class Services:
    """The outside, as the engine reaches it.

    Attributes:
        notebook: what the history calls the notebook: its path in the project, or a stand-in where none is known.
        folder: the notebook's folder; ``--files`` patterns are relative to it.
        private: files and folders of our own, which never count as read by a body.
        epoch: counts executions of user code and requests by the user; what was read from live objects holds for
            one epoch only.
        lanes: places away from the main thread; None where there are none.
        cancel: how a run is asked to end from another thread.
    """

    evaluator: Evaluator
    store: Store
    clock: Clock
    host: Host
    config: Config = field(default_factory=Config)
    notebook: str = ""
    folder: Path = field(default_factory=Path)
    root: Path | None = None
    listeners: list[Listener] = field(default_factory=list)
    private: tuple[Path, ...] = ()
    epoch: int = 0
    lanes: Lanes | None = None
    cancel: Cancel = field(init=False)

    def __post_init__(self) -> None:
        self.cancel = Cancel(self.evaluator.interrupt)

    def emit(self, event: Event) -> None:
        """Tell the store first, so that what others hear of is durable, then everybody else."""
        self.store.emit(event)
        for listener in self.listeners:
            listener.emit(event)

    def warn(self, run_id: str, step: str, message: str, hint: str = "") -> None:
        """Tell the user something that stops nothing."""
        self.emit(Warned(self.clock.now(), run_id, step, message, hint))


_COUNTER = itertools.count()


def new_id() -> str:
    """An identifier that no other process makes: 64 random bits and a counter, sortable within a process."""
    return f"{secrets.token_hex(8)}{next(_COUNTER):04x}"


@contextmanager
def paused_collector() -> Iterator[None]:
    """Keep the garbage collector from looking at what is made meanwhile, nearly all of which stays: trees, graphs.

    Each collection would walk through it, and a full one through everything that the notebook holds, too.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            # Moves everything to the oldest generation without looking at it, and costs nothing.
            gc.freeze()
            gc.unfreeze()
        if running:
            gc.enable()
