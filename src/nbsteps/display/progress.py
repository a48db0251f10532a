"""A run as plain lines, one an event: for logs, terminals and cells without a front end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never

from nbsteps.core.events import (
    Accepted,
    ApprovalDecided,
    AttemptEnded,
    AttemptStarted,
    Cleared,
    ContextExecuted,
    Event,
    ItemsStarted,
    ItemsSucceeded,
    Progressed,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepRetrying,
    StepSlow,
    StepStarted,
    StepSucceeded,
    StepWaiting,
    Warned,
)
from nbsteps.core.mapped import item_name
from nbsteps.core.model import Attempt, Failure, ItemCounts
from nbsteps.core.states import ApprovalState, StepState
from nbsteps.display.standing import SIGNS, outcome
from nbsteps.display.wording import count, duration, one_line

_MANY: Final = 10
"""Failed items of a step that have a line each."""


class ProgressLines:
    """Listener that writes a line when a step starts, when it ends, and when there is something to know.

    Args:
        write: takes a line with its end, such as ``sys.stdout.write``.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._failures: dict[str, Failure] = {}
        self._quarters: dict[str, int] = {}
        self._lost: dict[str, dict[str, str]] = {}

    def emit(self, event: Event) -> None:
        """Write what the event means to a person, if anything."""
        match event:
            case RunStarted() | RunEnded():
                self._failures.clear()
                self._quarters.clear()
                self._lost.clear()
            case AttemptStarted() | ItemsSucceeded():
                pass  # how the first attempt starts and the last ends, its step says
            case StepStarted():
                self._line(StepState.RUNNING, event.step, "running", ", ".join(event.reasons))
            case ItemsStarted() | AttemptEnded() | StepRetrying() | Progressed() | StepSlow():
                self._meanwhile(event)
            case StepSucceeded() | StepRestored() | StepEnded():
                self._end(event)
            case StepWaiting() | ApprovalDecided() | Accepted() | Cleared():
                self._decision(event)
            case ContextExecuted() | Warned():
                self._remark(event)
            case _:
                assert_never(event)

    def _meanwhile(self, event: ItemsStarted | AttemptEnded | StepRetrying | Progressed | StepSlow) -> None:
        match event:
            case ItemsStarted():
                self._tried_again(event)
            case AttemptEnded():
                self._failed(event.attempt)
            case StepRetrying():
                self._retry(event)
            case Progressed():
                self._progress(event)
            case StepSlow():
                took, median = duration(event.seconds), duration(event.median)
                self._say(f"! warning: {event.step}: takes longer than usual: {took} so far, {median} as a rule")

    def _failed(self, attempt: Attempt) -> None:
        failure = attempt.failure
        if failure is None:
            return
        self._failures[attempt.step] = failure
        if attempt.item:
            name = item_name(attempt.position, attempt.label, attempt.item)
            told = f"{name} failed: {failure.error_type}: {failure.message}"
            self._lost.setdefault(attempt.step, {})[attempt.item] = one_line(told)

    def _tried_again(self, event: ItemsStarted) -> None:
        lost = self._lost.get(event.step, {})
        for attempt in event.attempts:
            lost.pop(attempt.item, None)

    def _items_lost(self, step: str) -> None:
        """The items that failed in the end, below their step's line."""
        lost = list(self._lost.pop(step, {}).values())
        for told in lost[:_MANY]:
            self._say(f"    {told}")
        if len(lost) > _MANY:
            self._say(f"    {count(len(lost) - _MANY, 'more item')} failed: nbsteps.attempts() has them")

    def _retry(self, event: StepRetrying) -> None:
        failure = self._failures.get(event.step)
        after = "" if failure is None else f"after {failure.error_type}: {failure.message}"
        soon = f" in {duration(event.delay)}" if event.delay > 0 else ""
        name = event.step
        if event.item:
            name = f"{event.step} {item_name(event.position, event.label, event.item)}"
        self._line(StepState.RETRYING, name, f"retrying{soon}, attempt {event.attempt + 1}", after)

    def _progress(self, event: Progressed) -> None:
        """One line for each quarter: a log is read afterwards."""
        quarter = int(4 * event.done / event.total) if event.total else 0
        if self._quarters.get(event.step, 0) < quarter < 4:  # noqa: PLR2004 - its end is a line of its own
            self._quarters[event.step] = quarter
            self._line(StepState.RUNNING, event.step, f"{event.done:g}/{event.total:g}", event.text)

    def _end(self, event: StepSucceeded | StepRestored | StepEnded) -> None:
        items = _items(event.items)
        match event:
            case StepSucceeded():
                kept = f"not cached: {', '.join(event.uncacheable)}" if event.uncacheable else ""
                words = f"succeeded in {duration(event.result.duration)}{items}"
                self._line(StepState.SUCCEEDED, event.step, words, kept)
                self._items_lost(event.step)
            case StepRestored():
                words = f"{outcome(StepState.CACHED)}, spared {duration(event.time_saved)}"
                self._line(StepState.CACHED, event.step, words)
            case StepEnded():
                self._line(event.state, event.step, f"{outcome(event.state)}{items}", event.reason)
                self._items_lost(event.step)
                self._hint(self._failures.get(event.step))

    def _decision(self, event: StepWaiting | ApprovalDecided | Accepted | Cleared) -> None:
        match event:
            case StepWaiting():
                self._line(StepState.WAITING, event.step, "needs approval", event.request.message)
                self._say(f"    %pipeline approve {event.step}")
            case ApprovalDecided():
                verdict = event.verdict
                sign = StepState.SUCCEEDED if verdict.state is ApprovalState.APPROVED else StepState.SKIPPED
                by = f" by {verdict.by}" if verdict.by else ""
                self._line(sign, event.step, f"{verdict.state}{by}", verdict.comment)
            case Accepted():
                self._line(StepState.CACHED, event.step, "accepted as it is stored", ", ".join(event.reasons))
            case Cleared():
                self._line(StepState.PENDING, event.step, "forgotten")

    def _hint(self, failure: Failure | None) -> None:
        if failure is not None and failure.hint:
            self._say(f"    {one_line(failure.hint)}")

    def _remark(self, event: ContextExecuted | Warned) -> None:
        match event:
            case ContextExecuted():
                self._say(f"{SIGNS[StepState.SUCCEEDED]} {event.cell} executed in {duration(event.duration)}")
            case Warned():
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


def _items(items: ItemCounts | None) -> str:
    """What became of a map's items, to be said after its state."""
    if items is None:
        return ""
    parts = ((items.executed, "executed"), (items.restored, "restored"), (items.failed, "failed"))
    told = ", ".join(f"{number} {word}" for number, word in parts if number)
    return f", {count(items.total, 'item')}" + (f" ({told})" if told else "")
