"""Deciding from where the user is: ``%pipeline approve`` in a kernel, ``nbsteps approve`` without one."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nbsteps.config import load_config, project_root, store_folder
from nbsteps.core.approvals import Approval
from nbsteps.core.errors import DocumentError, UsageError
from nbsteps.core.model import RunResult
from nbsteps.core.states import StepState
from nbsteps.display.asking import decision_line
from nbsteps.engine.deciding import Desk
from nbsteps.notebook.commands import literal
from nbsteps.notebook.machine import SystemClock, notebook_name, this_host

if TYPE_CHECKING:
    from nbsteps.engine.session import Session

Ran = tuple[RunResult, Mapping[str, BaseException]]


def form_values(pairs: Sequence[str]) -> dict[str, object]:
    """``["amount=0.5"]`` -> texts by field; the form itself knows what they stand for.

    Raises:
        UsageError: no ``=``, or a field given twice.
    """
    found: dict[str, object] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or name in found:
            msg = f"{pair!r} is not of the form FIELD=VALUE" if not separator else f"{name} is given twice"
            raise UsageError(msg, hint="for example: approve STEP amount=0.5")
        found[name] = text
    return found


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decides: ``word`` is ``approve`` or ``reject``, ``values`` fill the form."""

    word: str
    step: str
    values: Mapping[str, object] = field(default_factory=dict)
    comment: str = ""

    def take(self, desk: Desk) -> Approval:
        """Record it.

        Raises:
            UsageError: nothing waits there, or it cannot be taken; nothing changed.
        """
        if self.word == "approve":
            return desk.approve(self.step, self.values, self.comment)
        return desk.reject(self.step, self.comment)


def decide_here(session: Session, decision: Decision) -> tuple[str, Callable[[], Ran]]:
    """Decide in a kernel; what to say, and what goes on with the run.

    Where no run of this kernel waits, the step is run with what it needs, and what rests on it if another kernel
    asked.

    Raises:
        UsageError: no such step, nothing waits there, or the decision cannot be taken.
    """
    step = decision.step
    session.select([step])
    alone = step in session.ended and session.ended[step].state is StepState.WAITING
    done = decision.take(session.gate.desk)

    def go_on() -> Ran:
        resumed = session.resume()
        if resumed is not None:
            return resumed
        targets = (step,) if alone else (step, *session.graph().descendants([step]))
        return session.run(targets)

    return decision_line(done), go_on


@dataclass(frozen=True, slots=True)
class Taken:
    """A decision that was recorded.

    Attributes:
        line: what to say.
        notebook: its file's name.
        step: whom it was about.
        parameters: those of the run that asked, as the history shows them: whoever goes on needs the same.
    """

    line: str
    notebook: str
    step: str
    parameters: Mapping[str, str]

    def words(self) -> str:
        """The parameters as the command line takes them, each after a blank; one that is no whole value as ``...``."""
        return "".join(f" -p {name} {_word(text)}" for name, text in self.parameters.items())

    def values(self) -> dict[str, object]:
        """The parameters themselves.

        Raises:
            UsageError: the history does not have one whole: it is long, a secret, or no plain value.
        """
        for name, text in self.parameters.items():
            if not _read(text):
                msg = f"it was decided; the run that asked was given {name}, which the history does not keep in full"
                raise UsageError(msg, step=self.step, hint=f"go on with: nbsteps run {self.notebook}{self.words()}")
        return {name: ast.literal_eval(text) for name, text in self.parameters.items()}


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


def decide_from_outside(path: Path, decision: Decision) -> Taken:
    """Decide without a kernel: the store is enough.

    Raises:
        DocumentError: there is no such notebook.
        UsageError: nothing waits there, or the decision cannot be taken.
    """
    from nbsteps.store.store import DuckStore  # noqa: PLC0415 - keeps the command line fast

    file = path.expanduser().absolute()
    if not file.is_file():
        msg = f"there is no notebook {path}"
        raise DocumentError(msg, hint="name its file")
    folder = file.parent
    home = store_folder(folder)
    if not home.is_dir():
        msg = f"it waits for no approval: nothing of {path.name} ran yet"
        raise UsageError(msg, step=decision.step, hint=f"nbsteps run {path}")
    store = DuckStore(home, config=load_config(folder))
    try:
        name = notebook_name(file, project_root(folder) or folder)
        desk = Desk(store, SystemClock(), name, this_host().user, store.emit)
        done = decision.take(desk)
        rows = store.history.records("runs", notebook=name)
        asked = next((row["parameters"] for row in rows if row["run_id"] == done.request.run_id), None)
        return Taken(decision_line(done), path.name, decision.step, asked or {})
    finally:
        store.close()
