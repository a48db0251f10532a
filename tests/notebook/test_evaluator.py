"""Bodies and context cells run as IPython would run them, and fail with the user's own frames."""

from __future__ import annotations

import ast
import contextlib
import re
import signal
import sys
import threading
import time

import pytest

from nbsteps.core.model import Cell

ANSI = re.compile(r"\x1b\[[\d;]*m")


def texts(outcome):
    """Each output as one word for its kind and its text."""
    kinds = {"display_data": "shown", "execute_result": "result"}
    return [
        f"{display['name']}: {display['text']}"
        if display["output_type"] == "stream"
        else f"{kinds[display['output_type']]}: {display['data']['text/plain']}"
        for display in outcome.displays
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", []),
        ("# only a comment", []),
        ("x = 1", []),
        ("x = 1\nx + 1", ["result: 2"]),
        ("x = 1\nx + 1;", []),
        ("x = 1\nx + 1;  # quiet", []),
        ("1\n2", ["result: 2"]),
        ("if True:\n    3", []),
        ("None", []),
        ("print('a')\n'b'", ["stdout: a\n", "result: 'b'"]),
        ("'''a; string;'''", ["result: 'a; string;'"]),
        ("display('a')", ["shown: 'a'"]),
        ("!echo from the shell", ["stdout: from the shell\n"]),
        ("found = !echo a; echo b\nprint(list(found))", ["stdout: ['a', 'b']\n"]),
        ("%precision 3\n1/3", ["result: 0.333"]),
        ("%%capture kept\nprint('a')", []),
        ("\n\n%%python\nprint('nested')", ["stdout: nested\n"]),
        ("%%script bash\necho nested", ["stdout: nested\n"]),
        ("    x = 3\n    x", ["result: 3"]),
        (">>> x = 4\n>>> x", ["result: 4"]),
        ("_ = 5\nprint(__name__)", ["stdout: __main__\n"]),
        ("from __future__ import annotations\ndef f(a: nowhere): ...\nf.__annotations__", ["result: {'a': 'nowhere'}"]),
        ("import asyncio\nawait asyncio.sleep(0, 'slept')", ["result: 'slept'"]),
        ("import asyncio\ntask = asyncio.create_task(asyncio.sleep(0, 6))\nprint(await task)", ["stdout: 6\n"]),
        ("async def pieces():\n    yield 7\nasync for piece in pieces():\n    print(piece)", ["stdout: 7\n"]),
        ("import asyncio\nasync with asyncio.timeout(9):\n    pass\ndisplay('in')\n8;", ["shown: 'in'"]),
    ],
)
def test_run_body(evaluator, body, expected, make_step):
    outcome = evaluator.run_body(make_step(f"%%step clean\n{body}"))
    assert outcome.error is None, outcome.traceback
    assert texts(outcome) == expected
    assert outcome.duration > 0


def test_names_land_in_the_namespace(evaluator, shell, make_step):
    evaluator.run_body(
        make_step("%%step clean\nimport asyncio\nx = 1\ny = await asyncio.sleep(0, x)\ndef f(): return y")
    )
    assert evaluator.namespace is shell.user_ns
    assert (shell.user_ns["x"], shell.user_ns["y"], shell.user_ns["f"]()) == (1, 1, 1)


def test_live_output_is_shown_and_other_output_is_not(evaluator, console, make_step):
    step = make_step("%%step clean\nprint('a')\n'b'")
    quiet = evaluator.run_body(step, live=False)
    assert console.out == ""
    live = evaluator.run_body(step)
    assert quiet.displays == live.displays
    assert console.out.startswith("a\n")
    assert "'b'" in console.out


@pytest.mark.parametrize(
    ("interactivity", "expected"),
    [
        ("all", ["result: 1", "result: 2"]),
        ("last", ["result: 2"]),
        ("last_expr", ["result: 2"]),
        ("none", []),
        ("last_expr_or_assign", ["result: 2"]),
    ],
)
def test_the_shell_says_what_is_displayed(evaluator, shell, interactivity, expected, make_step):
    shell.ast_node_interactivity = interactivity
    assert texts(evaluator.run_body(make_step("%%step clean\n1\n2"))) == expected


@pytest.mark.parametrize("assignment", ["x = 2", "x: int = 2", "x = 1\nx += 1"])
def test_a_last_assignment_is_displayed_where_the_shell_says_so(evaluator, shell, assignment, make_step):
    shell.ast_node_interactivity = "last_expr_or_assign"
    assert texts(evaluator.run_body(make_step(f"%%step clean\n{assignment}"))) == ["result: 2"]


class Doubled(ast.NodeTransformer):
    def visit_Constant(self, node):
        return ast.Constant(node.value * 2) if isinstance(node.value, int) else node


def test_transformers_of_the_shell_are_applied(evaluator, shell, make_step):
    shell.ast_transformers.append(Doubled())
    assert texts(evaluator.run_body(make_step("%%step clean\n21"))) == ["result: 42"]


def test_run_context(evaluator, shell, console):
    outcome = evaluator.run_context(Cell("cell 2", "%time x = 1\nprint('seen')\nx"))
    assert outcome.error is None
    assert shell.user_ns["x"] == 1
    assert texts(outcome)[-1] == "result: 1"
    assert "seen" in console.out


@pytest.mark.parametrize(
    ("source", "line"), [("\n\nx = 1\n1 / 0", 4), ("%%time\n1 / 0", None), ("import nowhere_at_all", 1), ("1 +", 1)]
)
def test_a_failing_context_cell_names_itself(evaluator, source, line):
    outcome = evaluator.run_context(Cell("cell 2", source))
    assert outcome.error is not None
    if line is not None:
        assert f'File "cell 2", line {line}' in outcome.traceback


def test_a_context_cell_loads_what_it_mentions(evaluator, shell):
    evaluator.bind("orders", lambda: 41)
    assert evaluator.pending("orders")
    evaluator.run_context(Cell("cell 2", "answer = orders + 1"))
    assert shell.user_ns["answer"] == 42


def test_a_body_that_assigns_a_pending_name(evaluator, shell, make_step):
    evaluator.bind("orders", lambda: "stored")
    evaluator.run_body(make_step("%%step clean\norders = 'new'", outputs=("orders",)))
    assert shell.user_ns["orders"] == "new"
    del shell.user_ns["orders"]
    assert not evaluator.pending("orders")


def test_materialise(evaluator, shell):
    evaluator.bind("orders", lambda: 41)
    evaluator.materialise(["orders"])
    assert shell.user_ns["orders"] == 41


def test_replay_is_not_the_bodys_output(evaluator, console, make_step):
    first = evaluator.run_body(make_step("%%step clean\nprint('a')\n'b'"), live=False)
    evaluator.replay(first.displays, "restored from 2026-01-01 10:00, spared 12s")
    assert console.out == "restored from 2026-01-01 10:00, spared 12s\na\n'b'\n"


AWAITING = """%%step clean
import asyncio
states.append("started")
try:
    await asyncio.sleep(60)
finally:
    states.append("cleaned up")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals to one's own process are something else there")
@pytest.mark.parametrize("swallows", [False, True])
def test_an_interrupt_cancels_an_awaiting_body(shell, swallows, failing):
    states = shell.user_ns["states"] = []
    source = AWAITING.replace("finally:", "except asyncio.CancelledError:") if swallows else AWAITING

    def interrupt():
        while not states:
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    outcome = failing(source)
    thread.join()
    assert type(outcome.error) is KeyboardInterrupt
    assert states == ["started", "cleaned up"]
    if not swallows:
        assert "line 5" in outcome.traceback
    assert "nbsteps" not in outcome.traceback


def test_an_interrupt_while_the_bodys_thread_starts_cancels_it(shell, failing, monkeypatch):
    states = shell.user_ns["states"] = []
    start = threading.Thread.start

    def interrupted(thread):
        start(thread)
        while thread.name == "nbsteps-await" and not states:
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    outcome = failing(AWAITING)
    assert type(outcome.error) is KeyboardInterrupt
    assert states == ["started", "cleaned up"]
    assert "line 5" in outcome.traceback


def test_the_hooks_are_gone_after_a_failure(shell, failing):
    with contextlib.suppress(SystemExit):
        failing("%%step clean\nimport sys\nsys.exit(3)")
    assert "write" not in vars(sys.stdout)
    assert "publish" not in vars(shell.display_pub)
