"""Bodies and context cells run as IPython would run them, and fail with the user's own frames."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import linecache
import re
import signal
import sys
import threading
import time

import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbsteps.core.model import Cell, Step, StepOptions
from nbsteps.core.source import split_cell
from nbsteps.notebook.evaluator import ShellEvaluator, attach_traceback, plain_traceback

ANSI = re.compile(r"\x1b\[[\d;]*m")


class Console:
    """What was printed so far."""

    def __init__(self, capsys):
        self._capsys = capsys
        self._out = self._errors = ""

    def _read(self):
        out, errors = self._capsys.readouterr()
        self._out += out
        self._errors += errors

    @property
    def out(self):
        self._read()
        return ANSI.sub("", self._out)

    @property
    def errors(self):
        self._read()
        return ANSI.sub("", self._errors)


@pytest.fixture
def console(capsys):
    return Console(capsys)


@pytest.fixture
def shell(console):
    made = InteractiveShell.instance()
    yield made
    made.history_manager.end_session()
    InteractiveShell.clear_instance()


@pytest.fixture
def evaluator(shell):
    made = ShellEvaluator(shell)

    def step(line, cell):
        source = f"%%step {line}\n{cell}"
        outcome = made.run_body(make_step(source, label=f"In [{shell.execution_count}]"))
        if outcome.error is not None:
            raise attach_traceback(shell, outcome.error)

    shell.register_magic_function(step, "cell")
    yield made
    made.close()


def make_step(source, *, label="cell 4", outputs=()):
    split = split_cell(source)
    name = split.line.split()[0]
    cell = Cell(label, source)
    return Step(name, cell, split.body, StepOptions(), (), outputs, frozenset(), split.line_offset)


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
def test_run_body(evaluator, body, expected):
    outcome = evaluator.run_body(make_step(f"%%step clean\n{body}"))
    assert outcome.error is None, outcome.traceback
    assert texts(outcome) == expected
    assert outcome.duration > 0


def test_names_land_in_the_namespace(evaluator, shell):
    evaluator.run_body(
        make_step("%%step clean\nimport asyncio\nx = 1\ny = await asyncio.sleep(0, x)\ndef f(): return y")
    )
    assert evaluator.namespace is shell.user_ns
    assert (shell.user_ns["x"], shell.user_ns["y"], shell.user_ns["f"]()) == (1, 1, 1)


def test_live_output_is_shown_and_other_output_is_not(evaluator, console):
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
def test_the_shell_says_what_is_displayed(evaluator, shell, interactivity, expected):
    shell.ast_node_interactivity = interactivity
    assert texts(evaluator.run_body(make_step("%%step clean\n1\n2"))) == expected


@pytest.mark.parametrize("assignment", ["x = 2", "x: int = 2", "x = 1\nx += 1"])
def test_a_last_assignment_is_displayed_where_the_shell_says_so(evaluator, shell, assignment):
    shell.ast_node_interactivity = "last_expr_or_assign"
    assert texts(evaluator.run_body(make_step(f"%%step clean\n{assignment}"))) == ["result: 2"]


class Doubled(ast.NodeTransformer):
    def visit_Constant(self, node):
        return ast.Constant(node.value * 2) if isinstance(node.value, int) else node


def test_transformers_of_the_shell_are_applied(evaluator, shell):
    shell.ast_transformers.append(Doubled())
    assert texts(evaluator.run_body(make_step("%%step clean\n21"))) == ["result: 42"]


def failing(evaluator, source, **options):
    outcome = evaluator.run_body(make_step(source, **options))
    assert outcome.error is not None
    return outcome


FAILURES = {
    "at the top": ("%%step clean\nx = 1\n1 / 0", 3, "1 / 0", ZeroDivisionError),
    "first line": ("%%step clean\n1 / 0", 2, "1 / 0", ZeroDivisionError),
    "below blank lines": ("%%step clean\n\n\n1 / 0", 4, "1 / 0", ZeroDivisionError),
    "blank lines above the magic": ("\n\n%%step clean\n1 / 0", 4, "1 / 0", ZeroDivisionError),
    "continued magic line": ("%%step clean \\\n  --out x\n1 / 0", 3, "1 / 0", ZeroDivisionError),
    "below a continued shell line": ("%%step clean\n!echo a \\\n  b\n1 / 0", 4, "1 / 0", ZeroDivisionError),
    "below a continued line magic": ("%%step clean\nx = 1\n%env A=1 \\\n\ny = 2\n1 / 0", 6, "1 / 0", ZeroDivisionError),
    "in an awaiting body": (
        "%%step clean\nimport asyncio as a\nawait a.sleep(0)\n1 / 0",
        4,
        "1 / 0",
        ZeroDivisionError,
    ),
    "in a function": ("%%step clean\ndef f():\n    return 1 / 0\nf()", 3, "return 1 / 0", ZeroDivisionError),
    "in an indented body": ("%%step clean\n    x = 1\n    1 / 0", 3, "1 / 0", ZeroDivisionError),
    "syntax": ("%%step clean\nx = 1\nreturn x", 3, "return x", SyntaxError),
    "indentation": ("%%step clean\nif True:\nx = 1", 3, "x = 1", IndentationError),
    "syntax of what the body compiles": ("%%step clean\nx = 1\ncompile('1 +', 'x', 'exec')", 3, "compile", SyntaxError),
    "nested cell magic": ("%%step clean\n%%python\nraise SystemExit(3)", 2, "run_cell_magic", Exception),
    "exit": ("%%step clean\nimport sys\nsys.exit(3)", 3, "sys.exit(3)", SystemExit),
    "interrupt": ("%%step clean\nraise KeyboardInterrupt", 2, "raise KeyboardInterrupt", KeyboardInterrupt),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_shows_the_cell_and_line(evaluator, name):
    source, line, text, kind = FAILURES[name]
    outcome = failing(evaluator, source)
    assert isinstance(outcome.error, kind)
    assert f'File "step clean (cell 4)", line {line}' in outcome.traceback
    assert text in outcome.traceback
    assert "nbsteps" not in outcome.traceback
    assert "\x1b" not in outcome.traceback


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_rendered_with_the_users_frames(evaluator, shell, name):
    source, line, text, _kind = FAILURES[name]
    error = failing(evaluator, source).error
    rendered = ANSI.sub("", "\n".join(attach_traceback(shell, error)._render_traceback_()))
    assert f"step clean (cell 4), line {line}" in rendered
    assert text in rendered
    assert "nbsteps" not in rendered


@pytest.mark.parametrize("mode", ["Plain", "Context", "Verbose", "Minimal", "Docs"])
def test_every_mode_of_tracebacks(evaluator, shell, mode):
    error = failing(evaluator, "%%step clean\n1 / 0").error
    shell.InteractiveTB.set_mode(mode)
    rendered = "\n".join(attach_traceback(shell, error)._render_traceback_())
    assert "ZeroDivisionError" in rendered
    assert "nbsteps" not in rendered


def run_cell(shell, console, source):
    result = shell.run_cell(source, store_history=True)
    return result, console.out


def test_the_cell_fails_once_with_the_users_error(evaluator, shell, console):
    result, shown = run_cell(shell, console, "%%step clean\nx = 1\nraise ValueError('too many')")
    assert type(result.error_in_exec) is ValueError
    assert shown.count("Traceback (most recent call last)") == 1
    assert shown.count("ValueError: too many") == 1
    assert "Cell In[1], line 3" in shown
    assert shown.count("raise ValueError('too many')") == 1
    assert "run_cell_magic" not in shown
    assert "nbsteps" not in shown


def test_the_number_is_that_of_the_cell(evaluator, shell, console):
    run_cell(shell, console, "x = 1")
    run_cell(shell, console, "y = 1")
    _, shown = run_cell(shell, console, "%%step clean\n1 / 0")
    assert "Cell In[3], line 2" in shown


def test_a_step_that_another_cell_runs_has_its_name(evaluator, shell, console):
    step = make_step("%%step clean\n1 / 0")

    def pipeline(line):
        raise attach_traceback(shell, evaluator.run_body(step).error)

    shell.register_magic_function(pipeline, "line")
    _, shown = run_cell(shell, console, "%pipeline run")
    assert "step clean (cell 4), line 2" in shown
    assert "Cell In" not in shown
    assert "pipeline" not in shown


@pytest.mark.parametrize(
    "body", ["return 1", "await = 3", "exec('1 +')", "raise ExceptionGroup('several', [ValueError(1)])"]
)
def test_errors_that_ipython_renders_its_own_way_fail_once_too(evaluator, shell, body, console):
    result, shown = run_cell(shell, console, f"%%step clean\nx = 1\n{body}")
    name = "ExceptionGroup" if "Group" in body else "SyntaxError"
    assert type(result.error_in_exec).__name__ == name
    assert type(result.error_in_exec.original).__name__ == name
    text = shown + console.errors
    assert text.count(f"{name}: ") == 1
    assert "line 3" in text
    assert "nbsteps" not in text
    assert "run_cell_magic" not in text


def test_causes_are_shown_whole(evaluator, shell, console):
    source = "%%step clean\ntry:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('outer') from e"
    result, shown = run_cell(shell, console, source)
    assert "ZeroDivisionError" in shown
    assert "ValueError: outer" in shown
    assert "direct cause" in shown
    assert "line 3" in shown
    assert "line 5" in shown
    assert "nbsteps" not in shown
    assert "line 3" in plain_traceback(result.error_in_exec)


@dataclasses.dataclass(frozen=True)
class FrozenError(Exception):
    code: int


class SlottedError(Exception):
    __slots__ = ("code",)

    def __setattr__(self, name, value):
        message = "no attributes here"
        raise AttributeError(message)


class OwnRenderingError(Exception):
    def _render_traceback_(self):
        return ["my own words"]


@pytest.mark.parametrize("kind", [FrozenError, SlottedError])
def test_exceptions_that_refuse_attributes(evaluator, shell, kind, console):
    shell.user_ns["kind"] = kind
    result, shown = run_cell(shell, console, "%%step clean\nx = 1\nraise kind(3)")
    assert type(result.error_in_exec) is kind
    assert "Cell In[1], line 3" in shown
    assert "run_cell_magic" not in shown


def test_exceptions_that_render_themselves(evaluator, shell, console):
    shell.user_ns["kind"] = OwnRenderingError
    _, shown = run_cell(shell, console, "%%step clean\nraise kind()")
    assert "my own words" in shown


def test_frames_of_ours_inside_are_left_out(evaluator, shell):
    shell.user_ns["split_cell"] = split_cell
    outcome = failing(evaluator, "%%step clean\nsplit_cell(3)")
    assert "line 2" in outcome.traceback
    assert "source.py" not in outcome.traceback


def test_an_error_of_ours_alone_is_its_message():
    assert plain_traceback(ValueError("seen")) == "ValueError: seen"


def test_functions_of_an_older_text_keep_their_lines(evaluator, shell):
    evaluator.run_body(make_step("%%step clean\ndef old(): 1 / 0"))
    old = shell.user_ns["old"]
    evaluator.run_body(make_step("%%step clean\n\ndef new(): 1 / 0"))
    evaluator.run_body(make_step("%%step clean\n\ndef new(): 1 / 0"))
    new = shell.user_ns["new"].__code__.co_filename
    assert linecache.getline(old.__code__.co_filename, 2).strip() == "def old(): 1 / 0"
    assert linecache.getline(new, 3).strip() == "def new(): 1 / 0"
    assert new.startswith("step clean (cell 4)")


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


def test_a_body_that_assigns_a_pending_name(evaluator, shell):
    evaluator.bind("orders", lambda: "stored")
    evaluator.run_body(make_step("%%step clean\norders = 'new'", outputs=("orders",)))
    assert shell.user_ns["orders"] == "new"
    del shell.user_ns["orders"]
    assert not evaluator.pending("orders")


def test_materialise(evaluator, shell):
    evaluator.bind("orders", lambda: 41)
    evaluator.materialise(["orders"])
    assert shell.user_ns["orders"] == 41


def test_replay_is_not_the_bodys_output(evaluator, console):
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
def test_an_interrupt_cancels_an_awaiting_body(evaluator, shell, swallows):
    states = shell.user_ns["states"] = []
    source = AWAITING.replace("finally:", "except asyncio.CancelledError:") if swallows else AWAITING

    def interrupt():
        while not states:
            time.sleep(0.01)
        signal.raise_signal(signal.SIGINT) if False else signal.pthread_kill(
            threading.main_thread().ident, signal.SIGINT
        )

    thread = threading.Thread(target=interrupt)
    thread.start()
    outcome = failing(evaluator, source)
    thread.join()
    assert type(outcome.error) is KeyboardInterrupt
    assert states == ["started", "cleaned up"]
    if not swallows:
        assert "line 5" in outcome.traceback
    assert "nbsteps" not in outcome.traceback


def test_the_hooks_are_gone_after_a_failure(evaluator, shell):
    with contextlib.suppress(SystemExit):
        failing(evaluator, "%%step clean\nimport sys\nsys.exit(3)")
    assert "write" not in vars(sys.stdout)
    assert "publish" not in vars(shell.display_pub)
