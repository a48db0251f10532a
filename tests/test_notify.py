"""Notifications: who is told of what, through a real receiver; and what becomes of those that cannot be sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from nbsteps.config import Notify
from nbsteps.core.approvals import Request
from nbsteps.core.events import (
    AttemptEnded,
    Event,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepSlow,
    StepStarted,
    StepSucceeded,
    StepWaiting,
)
from nbsteps.core.model import Attempt, Failure, Result, Run
from nbsteps.core.policies import Field
from nbsteps.core.states import RunState, StepState
from nbsteps.notify import Message, Notifier, SendError, send_by_apprise

ATTEMPT = Attempt("r1", "pay", 1, 1.0, "main", "host", 7)
FAILED = Attempt("r1", "pay", 1, 1.0, "main", "host", 7, failure=Failure("ValueError", "no money"))
RESULT = Result("k", "s", "nb.ipynb", "pay", "r1", {}, (), duration=2.0)
REQUEST = Request("q1", "nb.ipynb", "r1", "pay", "k", "Pay 5?", 1.0, (Field("amount", "float"),), inputs=(("n", "5"),))
FAILURE: list[Event] = [
    AttemptEnded(2.0, FAILED),
    StepEnded(3.0, "r1", "pay", StepState.FAILED, "ValueError: no money"),
]


class Postbox:
    """Instead of sending: keeps what was sent, and refuses some addresses."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Message]] = []
        self.warned: list[tuple[str, str, str, str]] = []

    def send(self, url: str, message: Message) -> None:
        if "broken" in url:
            raise SendError("broken://... did not take the message", "mend it")
        if "odd" in url:
            raise RuntimeError("secret")
        self.sent.append((url, message))

    def warn(self, *said: str) -> None:
        self.warned.append((said[0], said[1], said[2], said[3]))

    def told(self) -> list[str]:
        return [f"{url} {message.title.removeprefix('nb.ipynb: ')}" for url, message in self.sent]


def tell(
    *events: Event, settings: Notify, own: tuple[str, ...] = (), trigger: str = "cli", state: RunState = RunState.FAILED
) -> Postbox:
    box = Postbox()
    notifier = Notifier(settings, lambda _step: own, box.warn, send=box.send, patience=60.0)
    run = Run("r1", "nb.ipynb", trigger, 1.0, "host", 7, "ana")
    for event in (RunStarted(1.0, run, ("pay",)), *events, RunEnded(9.0, "r1", state)):
        notifier.emit(event)
    return box


ALL = Notify(("all://",), ("failed", "waiting", "succeeded", "slow"))


@pytest.mark.parametrize(
    ("events", "state", "own", "expected"),
    [
        (FAILURE, RunState.FAILED, (), ["all:// run failed"]),
        (FAILURE, RunState.FAILED, ("own://",), ["own:// step pay failed", "all:// run failed"]),
        ([StepSucceeded(3.0, ATTEMPT, RESULT)], RunState.SUCCEEDED, (), ["all:// run succeeded"]),
        (
            [StepSucceeded(3.0, ATTEMPT, RESULT)], RunState.SUCCEEDED, ("own://",),
            ["own:// step pay succeeded", "all:// run succeeded"],
        ),
        ([StepWaiting(3.0, "r1", "pay", REQUEST)], RunState.WAITING, (), ["all:// step pay waits for approval"]),
        (
            [StepWaiting(3.0, "r1", "pay", REQUEST)], RunState.WAITING, ("own://", "all://"),
            ["own:// step pay waits for approval", "all:// step pay waits for approval"],
        ),
        ([StepSlow(3.0, "r1", "pay", 9.0, 2.0)], RunState.CANCELLED, (), ["all:// step pay is slow"]),
        ([StepEnded(3.0, "r1", "pay", StepState.SKIPPED, "")], RunState.CANCELLED, ("own://",), []),
        ([StepStarted(2.0, "r1", "pay", "k", ()), StepRestored(3.0, "r1", "pay", "k", 1.0)], RunState.CRASHED, (), []),
    ],
)  # fmt: skip
def test_who_is_told_of_what(events: list[Event], state: RunState, own: tuple[str, ...], expected: list[str]) -> None:
    box = tell(*events, settings=ALL, own=own, state=state)
    assert box.told() == expected
    assert box.warned == []


def test_a_project_is_told_of_what_it_asked_for_only() -> None:
    waiting = StepWaiting(3.0, "r1", "pay", REQUEST)
    assert tell(*FAILURE, settings=Notify(("a://",), ("waiting",))).sent == []
    assert tell(waiting, settings=Notify(("a://",), ("failed",)), state=RunState.WAITING).sent == []
    assert Notify().events == ("failed", "waiting", "slow")


def test_what_a_person_does_cell_by_cell_is_told_to_the_steps_own_addresses_only() -> None:
    slow = StepSlow(3.0, "r1", "pay", 90.0, 2.0)
    box = tell(slow, *FAILURE, settings=ALL, own=("own://",), trigger="cell")
    assert box.told() == ["own:// step pay is slow", "own:// step pay failed"]


def test_messages_say_what_happened_and_what_to_do() -> None:
    ((_, failed),) = tell(*FAILURE, settings=ALL).sent
    assert failed == Message(
        "nb.ipynb: run failed", "pay: ValueError: no money\nnotebook nb.ipynb, run r1", "failure"
    )  # fmt: skip
    ((_, waits),) = tell(StepWaiting(3.0, "r1", "pay", REQUEST), settings=ALL, state=RunState.WAITING).sent
    assert waits.body.splitlines()[:3] == ["Pay 5?", "  n: 5", "nbsteps approve nb.ipynb pay amount=..."]


def test_what_cannot_be_sent_is_one_warning_and_keeps_nobody_else_from_hearing() -> None:
    box = tell(*FAILURE, settings=Notify(("broken://secret", "broken://other", "odd://secret", "good://")))
    assert box.told() == ["good:// run failed"]
    assert box.warned == [
        ("r1", "", "a notification was not sent: broken://... did not take the message", "mend it"),
        ("r1", "", "a notification was not sent: odd://...: RuntimeError", ""),
    ]


def test_a_message_that_takes_too_long_is_not_waited_for() -> None:
    free, box = threading.Event(), Postbox()

    def send(url: str, message: Message) -> None:
        assert free.wait(60.0)
        box.send(url, message)

    notifier = Notifier(ALL, lambda _step: (), box.warn, send=send, patience=0.0)
    notifier.emit(RunStarted(1.0, Run("r1", "nb.ipynb", "cli", 1.0, "host", 7, "ana"), ("pay",)))
    notifier.emit(RunEnded(2.0, "r1", RunState.FAILED))
    assert box.sent == []
    free.set()
    notifier.flush(60.0)
    assert box.told() == ["all:// run failed"]


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[Any]]]:
    """Address of an HTTP server, and what it was sent; it refuses what goes to ``/no``."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(404 if self.path == "/no" else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"json://127.0.0.1:{server.server_port}", got
        server.shutdown()
        thread.join()


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise still imports it
def test_a_real_receiver_gets_the_message(receiver: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("apprise")
    url, got = receiver
    monkeypatch.setenv("HOOK", url)
    warned: list[Any] = []
    notifier = Notifier(
        Notify(("$HOOK/a", f"{url}/no", "nosuch://x")), lambda _: (), lambda *said: warned.append(said), patience=60.0
    )
    notifier.emit(RunStarted(1.0, Run("r1", "nb.ipynb", "cli", 1.0, "host", 7, "ana"), ("pay",)))
    for event in FAILURE:
        notifier.emit(event)
    notifier.emit(RunEnded(9.0, "r1", RunState.FAILED))
    assert [(each["title"], each["type"]) for each in got] == [("nb.ipynb: run failed", "failure")] * 2
    assert got[0]["message"].startswith("pay: ValueError: no money")
    refused, unknown = [said[2] for said in warned]
    assert "json://... did not take the message" in refused
    assert "404" in refused
    assert unknown == "a notification was not sent: nosuch://... is no address that Apprise knows"


def test_without_apprise_the_mend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    with pytest.raises(SendError) as caught:
        send_by_apprise("json://localhost", Message("a", "b"))
    assert caught.value.hint == "pip install 'nbsteps[notify]'"
