"""Deciding from where the user is: ``%pipeline approve`` in a kernel, ``nbsteps approve`` without one."""

from __future__ import annotations

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


def decide_from_outside(path: Path, decision: Decision) -> str:
    """Decide without a kernel: the store is enough. Returns what to say.

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
        return decision_line(decision.take(desk))
    finally:
        store.close()
