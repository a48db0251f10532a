"""A failure shows the user's cell and line, once, and nothing of ours."""

from __future__ import annotations

import dataclasses
import linecache
import re

import pytest

from nbsteps.core.source import split_cell
from nbsteps.notebook.evaluator import attach_traceback, plain_traceback

ANSI = re.compile(r"\x1b\[[\d;]*m")


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
def test_a_failure_shows_the_cell_and_line(name, failing):
    source, line, text, kind = FAILURES[name]
    outcome = failing(source)
    assert isinstance(outcome.error, kind)
    assert f'File "step clean (cell 4)", line {line}' in outcome.traceback
    assert text in outcome.traceback
    assert "nbsteps" not in outcome.traceback
    assert "\x1b" not in outcome.traceback


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_rendered_with_the_users_frames(shell, name, failing):
    source, line, text, _kind = FAILURES[name]
    error = failing(source).error
    rendered = ANSI.sub("", "\n".join(attach_traceback(shell, error)._render_traceback_()))
    assert f"step clean (cell 4), line {line}" in rendered
    assert text in rendered
    assert "nbsteps" not in rendered


@pytest.mark.parametrize("mode", ["Plain", "Context", "Verbose", "Minimal", "Docs"])
def test_every_mode_of_tracebacks(shell, mode, failing):
    if mode not in shell.InteractiveTB.valid_modes:
        pytest.skip("this IPython does not have the mode")
    error = failing("%%step clean\n1 / 0").error
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


def test_a_step_that_another_cell_runs_has_its_name(evaluator, shell, console, make_step):
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


def test_frames_of_ours_inside_are_left_out(shell, failing):
    shell.user_ns["split_cell"] = split_cell
    outcome = failing("%%step clean\nsplit_cell(3)")
    assert "line 2" in outcome.traceback
    assert "source.py" not in outcome.traceback


def test_an_error_of_ours_alone_is_its_message():
    assert plain_traceback(ValueError("seen")) == "ValueError: seen"


def test_functions_of_an_older_text_keep_their_lines(evaluator, shell, make_step):
    evaluator.run_body(make_step("%%step clean\ndef old(): 1 / 0"))
    old = shell.user_ns["old"]
    evaluator.run_body(make_step("%%step clean\n\ndef new(): 1 / 0"))
    evaluator.run_body(make_step("%%step clean\n\ndef new(): 1 / 0"))
    new = shell.user_ns["new"].__code__.co_filename
    assert linecache.getline(old.__code__.co_filename, 2).strip() == "def old(): 1 / 0"
    assert linecache.getline(new, 3).strip() == "def new(): 1 / 0"
    assert new.startswith("step clean (cell 4)")
