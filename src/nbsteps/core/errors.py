"""The errors a user can meet, and their non-raising form.

Every error names the step and its cell, says what was seen, and offers a mend as a line that can be pasted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a notebook, found without running it.

    Attributes:
        step: name of the step, or ``""`` where no step could be named.
        cell: label of the cell, such as ``"cell 4"``.
        message: what was seen.
        hint: the mend, as a line that the user can paste or a sentence; may be ``""``.
        severity: an ``"error"`` keeps the step from running, a ``"warning"`` does not.
    """

    step: str
    cell: str
    message: str
    hint: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        """Render as ``step clean (cell 4): message`` with the hint on a line of its own."""
        where = self.cell
        if self.step:
            where = f"step {self.step} ({self.cell})" if self.cell else f"step {self.step}"
        head = f"{where}: {self.message}" if where else self.message
        return f"{head}\n    {self.hint}" if self.hint else head


class NbstepsError(Exception):
    """Base of all errors of nbsteps; ``exit_code`` is what the command line ends with."""

    exit_code = 2

    def __init__(self, message: str, *, step: str = "", cell: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.problem = Problem(step=step, cell=cell, message=message, hint=hint)

    def __str__(self) -> str:
        return str(self.problem)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback: a user's mistake needs none of ours."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(NbstepsError):
    """A command, magic or call with words that cannot be meant."""


class DocumentError(NbstepsError):
    """A notebook that cannot be found, read or understood as a whole."""


class ProblemsError(NbstepsError):
    """A notebook whose steps have problems that keep the asked-for work from starting."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        first = problems[0]
        super().__init__(first.message, step=first.step, cell=first.cell, hint=first.hint)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class StepError(NbstepsError):
    """A step that did not do what it declares (an output not assigned, an input changed in place)."""

    exit_code = 1


class MissingInputError(StepError):
    """An input that is neither in the kernel nor fresh in the store."""


class MutatedInputError(StepError):
    """A step changed one of its inputs in place."""


class UndigestibleError(NbstepsError):
    """A value that has no content digest: an open connection, a generator, a lock.

    Attributes:
        path: where in the value it was met, such as ``"[3].conn"``; ``""`` for the value itself.
        type_name: qualified name of the type that was refused.
        detail: why, in words; may be ``""``.
    """

    def __init__(self, type_name: str, path: str = "", detail: str = "") -> None:
        where = f" at {path}" if path else ""
        super().__init__(f"{type_name}{where} has no content digest{': ' + detail if detail else ''}")
        self.type_name = type_name
        self.path = path
        self.detail = detail


class UnsendableError(NbstepsError):
    """Something that a body needs cannot be sent to where it should be executed: it is executed in the kernel."""


class CrashedError(NbstepsError):
    """The process that executed a body died."""

    exit_code = 1


class StoreError(NbstepsError):
    """The store cannot be read or written; never raised for a damaged value, which is a miss.

    Attributes:
        digest: content digest of the stored value that is the cause where that is a part of the one asked for.
    """

    digest = ""


class StoreVersionError(StoreError):
    """The store was written by a newer nbsteps."""


class DamagedValueError(StoreError):
    """A stored value whose checksum fails, or whose file is gone: the caller treats it as a miss."""


class UntrustedValueError(StoreError):
    """A stored value that needs unpickling and was not authenticated by this user."""


class UnstorableValueError(StoreError):
    """A value that no codec can store (an open file, a lock): the step runs again every time."""


class StepTimeout(BaseException):
    """An attempt took longer than ``--timeout``, or the step longer than ``--total-timeout``.

    Attributes:
        seconds: the limit.
        total: whether it was the limit over all attempts.
    """

    def __init__(self, seconds: float, *, total: bool = False) -> None:
        super().__init__(f"no end after {seconds:g} s{' over all attempts and waits' if total else ''}")
        self.seconds = seconds
        self.total = total


class Control(Exception):  # noqa: N818 - not an error: what a body says to the engine
    """Base of what a step's body may raise to steer the engine."""


class Skip(Control):
    """Raised by a body: the step has nothing to do; what needs it is skipped too, by the rules."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Retry(Control):
    """Raised by a body: this attempt failed, try again after ``after`` seconds; counts against ``--retries``."""

    def __init__(self, reason: str = "", *, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


class NoRetry(Control):
    """Raised by a body: the step failed, and trying again is of no use."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
