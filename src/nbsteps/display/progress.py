"""A run as plain lines, one an event: for logs, terminals and cells without a front end."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from nbsteps.core.events import (
    AttemptEnded,
    AttemptStarted,
    Cleared,
    ContextExecuted,
    Event,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepStarted,
    StepSucceeded,
    Warned,
)
from nbsteps.core.model import Attempt, Failure
from nbsteps.core.states import StepState
from nbsteps.display.standing import SIGNS, WORDS
from nbsteps.display.wording import duration, one_line


class ProgressLines:
    """Listener that writes a line when a step starts, when it ends, and when there is something to know.

    Args:
        write: takes a line with its end, such as ``sys.stdout.write``.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._failures: dict[str, Failure] = {}

    def emit(self, event: Event) -> None:
        """Write what the event means to a person, if anything."""
        match event:
            case RunStarted() | RunEnded():
                self._failures.clear()
            case StepStarted():
                self._line(StepState.RUNNING, event.step, "running", ", ".join(event.reasons))
            case AttemptStarted() | AttemptEnded():
                self._attempt(event.attempt)
            case StepSucceeded() | StepRestored() | StepEnded():
                self._end(event)
            case ContextExecuted():
                self._say(f"{SIGNS[StepState.SUCCEEDED]} {event.cell} executed in {duration(event.duration)}")
            case Warned():
                self._warn(event)
            case Cleared():
                self._say(f"{SIGNS[StepState.PENDING]} {event.step} forgotten")
            case _:
                assert_never(event)

    def _attempt(self, attempt: Attempt) -> None:
        """Say only that a step is tried again: how the first attempt starts and the last ends, its step says."""
        if attempt.failure is not None:
            self._failures[attempt.step] = attempt.failure
        elif attempt.attempt > 1 and not attempt.item:
            failure = self._failures.get(attempt.step)
            after = "" if failure is None else f"after {failure.error_type}: {failure.message}"
            self._line(StepState.RETRYING, attempt.step, f"retrying, attempt {attempt.attempt}", after)

    def _end(self, event: StepSucceeded | StepRestored | StepEnded) -> None:
        match event:
            case StepSucceeded():
                kept = f"not cached: {', '.join(event.uncacheable)}" if event.uncacheable else ""
                words = f"succeeded in {duration(event.result.duration)}"
                self._line(StepState.SUCCEEDED, event.step, words, kept)
            case StepRestored():
                words = f"restored, spared {duration(event.time_saved)}"
                self._line(StepState.CACHED, event.step, words)
            case StepEnded():
                self._line(event.state, event.step, WORDS[event.state].lower(), event.reason)
                self._hint(self._failures.get(event.step))

    def _hint(self, failure: Failure | None) -> None:
        if failure is not None and failure.hint:
            self._say(f"    {one_line(failure.hint)}")

    def _warn(self, event: Warned) -> None:
        where = f"{event.step}: " if event.step else ""
        self._say(f"! warning: {where}{event.message}")
        if event.hint:
            self._say(f"    {one_line(event.hint)}")

    def _line(self, state: StepState, step: str, words: str, detail: str = "") -> None:
        self._say(f"{SIGNS[state]} {step} {words}" + (f": {detail}" if detail else ""))

    def _say(self, text: str) -> None:
        """Write one line; a stream that cannot write a mark gets ``?`` for it, a run never ends over that."""
        start = text[: len(text) - len(text.lstrip())]
        line = f"{start}{one_line(text)}\n"
        try:
            self._write(line)
        except UnicodeEncodeError:
            self._write(line.encode("ascii", "replace").decode("ascii"))
