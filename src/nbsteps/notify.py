"""Tells people of failures, waits, successes and slow steps, through Apprise: chat, mail, push, webhooks.

A listener of the events like any other. Messages are sent by a thread; a run waits for them a few seconds at its end.
What cannot be sent is a warning, never a failure. URLs hold secrets: they are neither stored nor shown.
"""

from __future__ import annotations

import importlib
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from nbsteps.config import Notify
from nbsteps.core.approvals import Request
from nbsteps.core.events import (
    AttemptEnded,
    Event,
    RunEnded,
    RunStarted,
    StepEnded,
    StepSlow,
    StepSucceeded,
    StepWaiting,
)
from nbsteps.core.model import Failure, Run
from nbsteps.core.states import RunState, StepState

PATIENCE: Final = 10.0
"""Seconds that the end of a run waits for messages on their way."""
_LONGEST: Final = 1000
_BAD: Final = frozenset({StepState.FAILED, StepState.CRASHED})


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: ``kind`` is ``failure``, ``warning``, ``success`` or ``info``, for those who colour it."""

    title: str
    body: str
    kind: str = "info"


class SendError(Exception):
    """A message was not delivered; the text says why, without the URL. ``hint`` is a mend where we know one."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


Send = Callable[[str, Message], None]
Warn = Callable[[str, str, str, str], None]


def send_by_apprise(url: str, message: Message) -> None:
    """Send one message; environment variables in the URL (``$NAME``) are filled in.

    Raises:
        SendError: it was not delivered.
    """
    try:
        apprise: Any = importlib.import_module("apprise")  # an extra, and slow to load
    except ImportError as error:
        raise SendError("notifications need Apprise", "pip install 'nbsteps[notify]'") from error
    service = apprise.Apprise()
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as log:
        if not service.add(os.path.expandvars(url)):
            raise SendError(f"{_scheme(url)} is no address that Apprise knows", "see https://appriseit.com/services/")
        sent = service.notify(title=message.title, body=message.body, notify_type=message.kind, body_format="text")
        said = log.getvalue().strip().rpartition("\n")[2]
    if not sent:
        raise SendError(f"{_scheme(url)} did not take the message{': ' + said if said else ''}")


def _scheme(url: str) -> str:
    """What may be shown of a URL: the rest is a secret, often."""
    head, separator, _ = url.partition("://")
    return f"{head}://..." if separator else "a URL"


@dataclass(slots=True)
class _Story:
    """What is known of a run that goes on."""

    run: Run
    failures: dict[str, Failure] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class Notifier:
    """Listener that sends messages."""

    def __init__(
        self,
        settings: Notify,
        urls_of: Callable[[str], Iterable[str]],
        warn: Warn,
        *,
        send: Send = send_by_apprise,
        patience: float = PATIENCE,
    ) -> None:
        """Listen.

        Args:
            settings: whom to tell of what, whichever step it is about. What a person does cell by cell is not told.
            urls_of: a step's own ``--notify``.
            warn: told run, step, message and mend where a message could not be sent, on the thread of the run.
            send: sends.
            patience: seconds to wait at the end of a run.
        """
        self._settings, self._urls_of, self._warn = settings, urls_of, warn
        self._send, self._patience = send, patience
        self._stories: dict[str, _Story] = {}
        self._queue: queue.SimpleQueue[tuple[str, str, str, Message]] = queue.SimpleQueue()
        self._idle = threading.Condition()
        self._open = 0
        self._thread: threading.Thread | None = None
        self._troubles: list[tuple[str, str, str, str]] = []

    def emit(self, event: Event) -> None:
        """Send what the event is worth."""
        match event:
            case RunStarted():
                self._stories[event.run_id] = _Story(event.run)
            case AttemptEnded() if event.attempt.failure is not None and event.run_id in self._stories:
                self._stories[event.run_id].failures[event.step] = event.attempt.failure
            case StepEnded() | StepSucceeded() | StepWaiting() | StepSlow():
                self._step(event)
            case RunEnded():
                self._run(event)
            case _:
                pass

    def _step(self, event: StepEnded | StepSucceeded | StepWaiting | StepSlow) -> None:
        story = self._stories.get(event.run_id)
        name = event.step
        match event:
            case StepEnded() if event.state in _BAD:
                text = _failure(event, story)
                if story is not None:
                    story.failed[name] = text
                self._tell(("failed",), event.run_id, name, f"step {name} {event.state}", text, "failure", own=True)
            case StepSucceeded():
                took = f"in {event.result.duration:.1f} s"
                self._tell(("succeeded",), event.run_id, name, f"step {name} succeeded", took, "success", own=True)
            case StepWaiting():
                title, text = f"step {name} waits for approval", _question(event.request)
                self._tell(("waiting",), event.run_id, name, title, text, "warning")
            case StepSlow():
                text = f"{event.seconds:.0f} s so far, {event.median:.1f} s as a rule"
                self._tell(("slow",), event.run_id, name, f"step {name} is slow", text, "warning")
            case _:
                pass

    def _run(self, event: RunEnded) -> None:
        story = self._stories.pop(event.run_id, None)
        if story is not None and self._wanted(str(event.state), story):
            failed = "\n".join(f"{name}: {text}" for name, text in story.failed.items())
            kind = "success" if event.state is RunState.SUCCEEDED else "failure"
            self._queue_all(self._settings.urls, event.run_id, "", f"run {event.state}", failed, kind, story)
        self.flush(self._patience)

    def _wanted(self, event: str, story: _Story) -> bool:
        return event in {"failed", "succeeded"} & set(self._settings.events) and story.run.trigger != "cell"

    def _tell(  # noqa: PLR0913 - the parts of one message
        self, events: tuple[str, ...], run_id: str, step: str, title: str, text: str, kind: str, *, own: bool = False
    ) -> None:
        """Tell a step's own addresses, and those of the project unless its run will be told of as a whole."""
        story = self._stories.get(run_id)
        urls = dict.fromkeys(self._urls_of(step))
        if not own and (story is None or story.run.trigger != "cell") and set(events) & set(self._settings.events):
            urls |= dict.fromkeys(self._settings.urls)
        self._queue_all(urls, run_id, step, title, text, kind, story)

    def _queue_all(  # noqa: PLR0913 - the parts of one message
        self, urls: Iterable[str], run_id: str, step: str, title: str, text: str, kind: str, story: _Story | None
    ) -> None:
        notebook = "" if story is None else story.run.notebook
        body = "\n".join(part for part in (text[:_LONGEST], f"notebook {notebook}, run {run_id}") if part)
        for url in urls:
            with self._idle:
                self._open += 1
            self._queue.put((url, run_id, step, Message(f"{notebook}: {title}" if notebook else title, body, kind)))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="nbsteps-notify", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            url, run_id, step, message = self._queue.get()
            trouble: tuple[str, str, str, str] | None = None
            try:
                self._send(url, message)
            except SendError as error:
                trouble = (run_id, step, str(error), error.hint)
            except Exception as error:  # noqa: BLE001 - whatever a plug-in of Apprise raises is no failure of the run
                trouble = (run_id, step, f"{_scheme(url)}: {type(error).__name__}", "")
            with self._idle:
                self._open -= 1
                if trouble is not None:
                    self._troubles.append(trouble)
                self._idle.notify_all()

    def flush(self, patience: float) -> None:
        """Wait for messages on their way, and warn of those that did not arrive, each trouble once."""
        with self._idle:
            self._idle.wait_for(lambda: not self._open, patience)
            troubles, self._troubles = self._troubles, []
        for run_id, step, message, hint in dict.fromkeys(troubles):
            self._warn(run_id, step, f"a notification was not sent: {message}", hint)


def _failure(event: StepEnded, story: _Story | None) -> str:
    failure = None if story is None else story.failures.get(event.step)
    return event.reason if failure is None else f"{failure.error_type}: {failure.message}"


def _question(request: Request) -> str:
    fields = " ".join(f"{each.name}={each.default or '...'}" for each in request.fields)
    lines = [request.message, *(f"  {name}: {text}" for name, text in request.inputs)]
    lines.append(f"nbsteps approve {request.notebook} {request.step} {fields}".rstrip())
    return "\n".join(lines)
