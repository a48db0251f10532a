"""Deciding from where the user is: ``%pipeline approve`` in a kernel, ``nbsteps approve`` without one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nbsteps.config import load_config, project_root, store_folder
from nbsteps.core.approvals import Approval
from nbsteps.core.errors import DocumentError, UsageError
from nbsteps.core.model import RunResult
from nbsteps.display.asking import decision_line
from nbsteps.engine.deciding import Decisions
from nbsteps.engine.manner import shown_parameter
from nbsteps.notebook.host import SystemClock, notebook_name, this_host
from nbsteps.notebook.means import means
from nbsteps.notebook.waiting_runs import Waited, waited

if TYPE_CHECKING:
    from nbsteps.notebook.kernel import Kernel

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

    def take(self, decisions: Decisions) -> Approval:
        """Record it.

        Raises:
            UsageError: nothing waits there, or it cannot be taken; nothing changed.
        """
        if self.word == "approve":
            return decisions.approve(self.step, self.values, self.comment)
        return decisions.reject(self.step, self.comment)


def decide_here(kernel: Kernel, decision: Decision) -> tuple[str, Callable[[], Ran]]:
    """Decide in a kernel; what to say, and what goes on with the run.

    Raises:
        UsageError: no such step, nothing waits there, or the decision cannot be taken.
    """
    session, step = kernel.session, decision.step
    session.select([step])
    done = decision.take(session.gate.decisions)
    return decision_line(done), lambda: go_on(kernel, step, done.request.run_id)


def go_on(kernel: Kernel, step: str, asked: str = "") -> Ran:
    """Go on with the run that waited for a decision about a step, as it was asked, whichever process asked it.

    Args:
        kernel: does it.
        step: what was decided about.
        asked: the run that asked, where none is known to wait.

    Raises:
        UsageError: the history does not have a parameter of that run.
    """
    session = kernel.session
    resumed = session.resume(step=step)
    if resumed is not None:
        return resumed
    found = waited(kernel.store, session.services.notebook, step, asked)
    wishes, own = found.wishes, {name: shown_parameter(name, value) for name, value in session.parameters.items()}
    # What this kernel was given as well needs no reading: the history does not have every value whole.
    given = {name: text for name, text in found.parameters.items() if own.get(name) != text}
    values = replace(found, parameters=given).values()
    how = means(wishes.workers, wishes.executor, kernel.shell.user_ns)
    return session.run(wishes.steps, forced=wishes.forced, parameters=values, fail_fast=wishes.fail_fast, means=how)


@dataclass(frozen=True, slots=True)
class Taken:
    """A decision that was recorded: what to say, and the run that waited for it."""

    line: str
    waited: Waited


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
        decisions = Decisions(store, SystemClock(), name, this_host().user, store.emit)
        done = decision.take(decisions)
        return Taken(decision_line(done), waited(store, name, decision.step, done.request.run_id))
    finally:
        store.close()
