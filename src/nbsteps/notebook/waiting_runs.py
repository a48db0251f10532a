"""A run that waits for a person, as whoever goes on with it needs it: in this process or another, what it was asked."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from nbsteps.core.approvals import Request
from nbsteps.core.errors import UsageError
from nbsteps.core.model import NO_WISHES, Wishes
from nbsteps.core.states import StepState
from nbsteps.notebook.commands import literal
from nbsteps.store.records import decode_wishes

if TYPE_CHECKING:
    from nbsteps.engine.session import Session
    from nbsteps.store.store import DuckStore


def open_requests(session: Session) -> tuple[Request, ...]:
    """What waits for a person, the newest of each step; not what has expired. From any thread."""
    services = session.services
    now = services.clock.now()
    found = reversed(services.store.approvals(services.notebook))
    asked = {each.request.step: each.request for each in found if each.verdict is None}
    return tuple(each for each in asked.values() if each.expires_at is None or now < each.expires_at)


def all_open(session: Session, asked: tuple[Request, ...]) -> bool:
    """Whether all that somebody is asked still waits; looks at the store only where somebody is. From any thread."""
    waiting = open_requests(session) if asked else ()
    return all(request in waiting for request in asked)


def undecided(session: Session) -> tuple[Request, ...]:
    """The same, of the steps that there are. Main thread only."""
    steps = session.graph().steps
    return tuple(request for request in open_requests(session) if request.step in steps)


@dataclass(frozen=True, slots=True)
class Waited:
    """What a run that waits was asked, as far as it is left.

    Attributes:
        step: what somebody is asked about.
        notebook: its file's name.
        parameters: as the history shows them.
        wishes: those of its forced steps that ran are forced no more.
    """

    step: str
    notebook: str
    parameters: Mapping[str, str]
    wishes: Wishes

    def words(self) -> str:
        """What goes on with it on the command line, each word after a blank; what is not known whole as ``...``."""
        wishes = self.wishes
        found = [f"-p {name} {_word(text)}" for name, text in self.parameters.items()]
        found += [f"{word} {' '.join(names)}" for word, names in self._named() if names]
        found += ["--fail-fast"] if wishes.fail_fast else []
        found += [f"--workers {wishes.workers}"] if wishes.workers > 1 else []
        found += [f"--executor {shlex.quote(wishes.executor)}"] if wishes.executor else []
        return "".join(f" {word}" for word in found)

    def _named(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return ("--step", self.wishes.steps), ("--force-step", self.wishes.forced)

    def arguments(self) -> list[str]:
        """The same as the command line's arguments.

        Raises:
            UsageError: as :meth:`values`.
        """
        wishes = self.wishes
        found = [word for name, value in self.values().items() for word in ("-p", name, repr(value))]
        for word, names in self._named():
            found += [word, *names] if names else []
        found += ["--fail-fast"] if wishes.fail_fast else []
        found += ["--workers", str(wishes.workers)] if wishes.workers > 1 else []
        return [*found, *(["--executor", wishes.executor] if wishes.executor else [])]

    def values(self) -> dict[str, object]:
        """Its parameters.

        Raises:
            UsageError: the history does not have one whole: it is long, a secret, or no plain value.
        """
        for name, text in self.parameters.items():
            if not _read(text):
                msg = f"it was decided; the run that asked was given {name}, which the history does not keep in full"
                raise UsageError(msg, step=self.step, hint=f"go on with: nbsteps run {self.notebook}{self.words()}")
        return {name: ast.literal_eval(text) for name, text in self.parameters.items()}


def waited(store: DuckStore, notebook: str, step: str, asked: str) -> Waited:
    """The newest run that waits for a decision about a step; where none does any more, the run that ``asked``."""
    rows = store.history_records("steps", notebook=notebook, step=step)
    run_id = next((row["run_id"] for row in rows if row["state"] == StepState.WAITING), asked)
    runs: list[dict[str, Any]] = store.history_records("runs", notebook=notebook, run_id=run_id)
    parameters = runs[0]["parameters"] if runs else {}
    events = store.history_records("events", run_id=run_id)
    begun: dict[str, Any] = next((row["data"] for row in reversed(events) if row["event"] == "RunStarted"), {})
    wishes = decode_wishes(begun["wishes"]) if "wishes" in begun else NO_WISHES
    done = store.history_records("steps", notebook=notebook, run_id=run_id) if wishes.forced else []
    ran = {row["step"] for row in done if row["state"] == StepState.SUCCEEDED}
    left = replace(wishes, forced=tuple(name for name in wishes.forced if name not in ran))
    return Waited(step, PurePath(notebook).name, parameters or {}, left)


def _word(text: str) -> str:
    """A value as it is typed: a text without its quotes, where it is taken for a text all the same."""
    if not _read(text):
        return "..."
    value = ast.literal_eval(text)
    bare = isinstance(value, str) and literal(value) == value and not value.startswith("-")
    return shlex.quote(value if bare else text)


def _read(text: str) -> bool:
    """Whether a text of the history is a whole value."""
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    return True
