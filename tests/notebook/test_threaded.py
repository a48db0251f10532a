"""Bodies in threads of the kernel, and bodies that are executed many times."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from nbsteps.core.model import Cell, Step, StepOptions
from nbsteps.executors.threads import ThreadLane
from nbsteps.notebook.capture import capture
from nbsteps.notebook.threaded import ThreadBodies
from nbsteps.ports import Order


def step_of(body, outputs=("y",)):
    return Step("work", Cell("cell 1", f"%%step work\n{body}"), body, StepOptions(), (), outputs, frozenset())


def order_of(body, outputs=("y",), items=({},), **shared):
    return Order(step_of(body, outputs), shared, token=body, items=items, outputs=outputs, folder=Path.cwd())


def silent(*_words):
    pass


@pytest.fixture
def perform(shell):
    bodies = ThreadBodies(shell)
    return lambda order: bodies.perform(order, silent)


def texts(reply):
    shown = reply.outcome.displays
    return [display["text"] if "text" in display else display["data"]["text/plain"] for display in shown]


def test_a_body_has_a_namespace_of_its_own(perform, shell):
    (reply,) = perform(order_of("k = k + 1\ny = k", k=1))
    assert reply.values == {"y": 2}
    assert "y" not in shell.user_ns


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("print('a')", ["a\n"]),
        ("y = 1\ny + 1", ["2"]),
        ("y = 1\ny + 1;", []),
        ("from IPython.display import display\ndisplay({'a': 1})\nprint('b')\nNone", ["{'a': 1}", "b\n"]),
        ("import asyncio\nawait asyncio.sleep(0)\n'awaited'", ["'awaited'"]),
    ],
)
def test_what_it_shows_is_recorded_and_not_shown(perform, capsys, body, expected):
    (reply,) = perform(order_of(body))
    assert reply.outcome.error is None
    assert texts(reply) == expected
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "body", ["1 / 0", "def f(:\n  pass", "raise SystemExit(3)", "import asyncio\nawait asyncio.nothing()"]
)
def test_errors_are_outcomes(perform, body):
    (reply,) = perform(order_of(body))
    assert reply.outcome.error is not None
    assert "cell 1" in reply.outcome.traceback
    assert reply.values == {}


def test_threads_and_the_main_thread_do_not_hear_each_other(shell, perform, capsys):
    started, go = threading.Event(), threading.Event()
    body = "print('one')\nstarted.set()\ngo.wait()\nprint('two')\ny = 1"
    lane = ThreadLane(lambda order, _tell: perform(order))
    with capture(shell, live=True) as displays:
        future = lane.submit(lane.pack(order_of(body, started=started, go=go)), silent)
        assert started.wait(60)
        sys.stdout.write("main\n")
        go.set()
        (reply,) = future.result(timeout=60)
    assert [display["text"] for display in displays] == ["main\n"]
    assert texts(reply) == ["one\ntwo\n"]
    assert capsys.readouterr().out == "main\n"


def test_items_that_are_changed_are_named(perform):
    items = ({"a": [1]}, {"a": [2]})
    replies = perform(replace(order_of("if a == [2]: a.append(1)\ny = 1", items=items), watch=("a",)))
    assert [reply.changed for reply in replies] == ["", "a"]


def test_a_body_is_executed_as_often_as_asked(evaluator):
    with evaluator.repeat_body(step_of("print(a)\ny = a * 2"), live=False) as run:
        for number in (1, 2):
            evaluator.namespace["a"] = number
            outcome = run(None)
            assert [display["text"] for display in outcome.displays] == [f"{number}\n"]
            assert evaluator.namespace["y"] == 2 * number


def test_what_is_shown_between_two_executions_belongs_to_nobody(evaluator, capsys):
    with evaluator.repeat_body(step_of("print('body')"), live=False) as run:
        run(None)
        sys.stdout.write("between\n")
        assert [display["text"] for display in run(None).displays] == ["body\n"]
    assert capsys.readouterr().out == "between\n"


@pytest.mark.parametrize("body", ["1 / 0", "def f(:\n  pass"])
def test_a_repeated_body_that_fails_says_so_each_time(evaluator, body):
    with evaluator.repeat_body(step_of(body)) as run:
        for _ in range(2):
            outcome = run(None)
            assert outcome.error is not None
            assert "cell 1" in outcome.traceback
