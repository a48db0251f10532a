"""The evaluator in a real kernel: what a front end receives."""

from __future__ import annotations

import os
import queue
import re
import time

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ANSI = re.compile(r"\x1b\[[\d;]*m")
PATIENCE = 60

SETUP = '''
from nbsteps.core.model import Cell, Step, StepOptions
from nbsteps.core.source import split_cell
from nbsteps.notebook.evaluator import ShellEvaluator, attach_traceback

_shell = get_ipython()
_evaluator = ShellEvaluator(_shell)
_steps, _outcomes = {}, {}

def step(line, cell):
    """As the real magic does: run the body, and fail as it failed."""
    source = f"%%step {line}\\n{cell}"
    split = split_cell(source)
    made = Step(line, Cell("cell 4", source), split.body, StepOptions(), (), (), frozenset(), split.line_offset)
    _steps[line] = made
    show(made)

def show(made, live=True):
    _outcomes[made.name] = outcome = _evaluator.run_body(made, live=live)
    if outcome.error is not None:
        raise attach_traceback(_shell, outcome.error)

def texts(name):
    """What was recorded, one word for the kind and its text."""
    return [(d.get("name", d["output_type"]), d.get("text") or d["data"]["text/plain"]) for d in recorded(name)]

def recorded(name):
    return _outcomes[name].displays

_shell.register_magic_function(step, "cell")
'''


class Front:
    """A front end: executes cells and keeps what comes back."""

    def __init__(self, folder):
        self.manager = KernelManager(kernel_name="python3")
        backend = "module://matplotlib_inline.backend_inline"
        environment = os.environ | {"MPLBACKEND": backend}
        environment.pop("PYTEST_CURRENT_TEST", None)  # ipykernel sees it and leaves file descriptors alone
        self.manager.start_kernel(env=environment, cwd=str(folder))
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def send(self, source):
        return self.client.execute(source)

    def messages(self, request):
        """Output messages of a request, as they come, until it is done."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return
            if kind not in {"status", "execute_input"}:
                yield kind, content
        pytest.fail("the kernel did not answer")

    def reply(self, request):
        while True:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == request:
                return reply["content"]

    def run(self, source):
        request = self.send(source)
        outputs = list(self.messages(request))
        return self.reply(request), outputs

    def shown(self, source):
        """Outputs of a cell that succeeds: kind and text, streams merged."""
        reply, outputs = self.run(source)
        assert reply["status"] == "ok", reply
        found = []
        for kind, content in outputs:
            if kind == "stream" and found and found[-1][0] == content["name"]:
                found[-1] = (content["name"], found[-1][1] + content["text"].replace("\r\n", "\n"))
            elif kind == "stream":
                found.append((content["name"], content["text"].replace("\r\n", "\n")))
            else:
                found.append((kind, content.get("data", {}).get("text/plain", "")))
        return found

    def value(self, expression):
        """Value of an expression in the kernel, by its representation."""
        reply, outputs = self.run(f"print(repr({expression}))")
        assert reply["status"] == "ok", reply
        return "".join(content["text"] for _, content in outputs).strip()


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    made = Front(tmp_path_factory.mktemp("kernel"))
    try:
        assert made.run(SETUP)[0]["status"] == "ok"
        yield made
    finally:
        made.close()


def fails(front, source):
    reply, outputs = front.run(source)
    errors = [content for kind, content in outputs if kind == "error"]
    assert reply["status"] == "error"
    assert len(errors) == 1
    text = ANSI.sub("", "\n".join(errors[0]["traceback"]))
    assert "nbsteps" not in text
    assert "run_cell_magic('step'" not in text
    return errors[0]["ename"], errors[0]["evalue"], text, [output for output in outputs if output[0] != "error"]


def test_an_error_is_the_users_with_the_cells_line(front):
    name, value, text, others = fails(front, "%%step clean\nx = 1\nraise ValueError('too many')")
    assert (name, value) == ("ValueError", "too many")
    number = int(front.value("len(In) - 2"))
    assert f"Cell In[{number}], line 3\n      1 # %%step clean\n      2 x = 1\n" in text
    assert text.count("raise ValueError('too many')") == 1
    assert text.count("Traceback (most recent call last)") == 1
    assert others == []


@pytest.mark.parametrize(
    ("body", "name", "line"),
    [
        ("x = 1\nreturn x", "SyntaxError", 3),
        ("def f():\n    return 1 / 0\nf()", "ZeroDivisionError", 3),
        ("import asyncio\nawait asyncio.sleep(0)\n1 / 0", "ZeroDivisionError", 4),
        ("x = 1\nraise ExceptionGroup('two', [ValueError(1)])", "ExceptionGroup", 3),
        ("try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise KeyError('k')", "KeyError", 5),
    ],
)
def test_errors(front, body, name, line):
    found, _, text, others = fails(front, f"%%step clean\n{body}")
    assert found == name
    assert re.search(rf"(Cell In\[\d+\]|step clean \(cell 4\)\"?), line {line}", text)
    assert others == []


def test_a_step_that_another_cell_runs_is_named(front):
    fails(front, "%%step clean\nx = 1\n1 / 0")
    _, _, text, _ = fails(front, "show(_steps['clean'])")
    assert "step clean (cell 4), line 3" in text
    assert "Cell In" not in text


def test_output_is_shown_and_recorded(front):
    shown = front.shown("%%step clean\nimport sys\nprint('a')\nprint('b', file=sys.stderr)\ndisplay('c')\n!echo d\n'e'")
    expected = [
        ("stdout", "a\n"),
        ("stderr", "b\n"),
        ("display_data", "'c'"),
        ("stdout", "d\n"),
        ("execute_result", "'e'"),
    ]
    assert shown == expected
    assert front.value("texts('clean')") == repr(expected)


def test_output_that_is_not_live_is_only_recorded(front):
    before = front.shown("%%step clean\nprint('a')\ndisplay('b')\n!echo c\n'd'")
    recorded = front.value("texts('clean')")
    assert front.shown("show(_steps['clean'], live=False)") == []
    assert front.value("texts('clean')") == recorded == repr(before)


def test_output_comes_while_the_body_runs(front, tmp_path):
    signal = tmp_path / "go"
    body = f"import os, time\nprint('waiting')\nwhile not os.path.exists({str(signal)!r}):\n    time.sleep(0.01)"
    request = front.send(f"%%step clean\n{body}")
    shown = []
    for kind, content in front.messages(request):
        shown.append((kind, content.get("text")))
        signal.touch()  # only now can the body end
    # A busy kernel may send the line and its end apart.
    assert {kind for kind, _ in shown} == {"stream"}
    assert "".join(text for _, text in shown) == "waiting\n"
    assert front.reply(request)["status"] == "ok"


def test_an_awaiting_body_shows_in_its_own_cell(front):
    source = "%%step clean\nimport asyncio as a\nprint('a')\nawait a.sleep(0)\ndisplay('b')\nawait a.sleep(0, 'c')"
    expected = [("stdout", "a\n"), ("display_data", "'b'"), ("execute_result", "'c'")]
    assert front.shown(source) == expected
    assert front.value("texts('clean')") == repr(expected)


def test_displays_of_threads_are_recorded(front):
    source = "%%step clean\nimport threading\nt = threading.Thread(target=display, args=('a',))\nt.start()\nt.join()"
    assert front.shown(source) == [("display_data", "'a'")]
    assert front.value("texts('clean')") == repr([("display_data", "'a'")])


def test_updates_and_clearing(front):
    source = (
        "%%step clean\nfrom IPython.display import clear_output\nprint('gone')\nclear_output(wait=True)\n"
        "h = display('10%', display_id=True)\nh.update('100%')"
    )
    shown = front.shown(source)
    assert [kind for kind, _ in shown] == ["stdout", "clear_output", "display_data", "update_display_data"]
    assert front.value("texts('clean')") == repr([("display_data", "'100%'")])


def test_a_log_handler_made_before_is_heard(front):
    front.run("import logging, sys\nlogging.getLogger('l').addHandler(logging.StreamHandler(sys.stderr))")
    assert front.shown("%%step clean\nlogging.getLogger('l').warning('careful')") == [("stderr", "careful\n")]
    assert front.value("texts('clean')") == repr([("stderr", "careful\n")])


def test_figures_are_shown_once_recorded_and_shown_again(front):
    source = "%%step plot\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nprint('drawn');"
    reply, outputs = front.run(source)
    assert reply["status"] == "ok", reply
    figures = [content for kind, content in outputs if kind == "display_data"]
    assert len(figures) == 1
    assert figures[0]["data"]["image/png"]
    stored = front.value("[d['data']['image/png'] for d in _outcomes['plot'].displays if 'data' in d]")
    assert stored == repr([figures[0]["data"]["image/png"]])
    _, again = front.run("_evaluator.replay(_outcomes['plot'].displays, 'restored from 2026-01-01 10:00')")
    assert again[0][1]["data"]["text/plain"] == "restored from 2026-01-01 10:00"
    assert [content["data"]["image/png"] for kind, content in again[1:] if kind == "display_data"] == [
        figures[0]["data"]["image/png"]
    ]


def test_a_figure_drawn_before_is_not_the_steps(front):
    reply, outputs = front.run("plt.plot([1])\nshow(_steps['clean'], live=False)")
    assert reply["status"] == "ok", reply
    assert len([kind for kind, _ in outputs if kind == "display_data"]) == 1
    assert front.value("any('data' in d and 'image/png' in d['data'] for d in _outcomes['clean'].displays)") == "False"


def test_what_a_program_writes_itself_is_shown(front):
    source = "%%step clean\nimport os\nos.system('echo from a program')"
    assert ("stdout", "from a program\n") in front.shown(source)


@pytest.mark.parametrize(
    "body",
    [
        "import time\nprint('started', flush=True)\nwhile True:\n    time.sleep(0.01)",
        "import asyncio\nprint('started', flush=True)\nwhile True:\n    await asyncio.sleep(0.01)",
        "import asyncio, time\nprint('started', flush=True)\nawait asyncio.sleep(0)\nawait asyncio.sleep(3600)",
    ],
)
def test_an_interrupt_ends_the_body_and_the_kernel_goes_on(front, body):
    request = front.send(f"%%step clean\n{body}")
    errors = []
    for kind, content in front.messages(request):
        if kind == "stream":
            front.manager.interrupt_kernel()
        elif kind == "error":
            errors.append(content)
    assert front.reply(request)["ename"] == "KeyboardInterrupt"
    assert len(errors) == 1
    text = ANSI.sub("", "\n".join(errors[0]["traceback"]))
    assert re.search(r"Cell In\[\d+\], line [345]", text)  # it may come before the flush has returned
    assert "nbsteps" not in text
    assert front.value("1 + 1") == "2"


def test_names_are_loaded_when_a_cell_mentions_them(front):
    front.run("loads = []\n_evaluator.bind('or' 'ders', lambda: loads.append(1) or 41)")
    assert front.value("loads") == "[]"
    front.run("def total():\n    return orders + 1")
    assert front.value("(total(), loads)") == "(42, [1])"


def test_a_context_cell_is_executed_as_if_the_user_had(front):
    source = "_outcomes['context'] = _evaluator.run_context(Cell('cell 2', '%%time\\nlimit = 3\\nlimit'))"
    shown = front.shown(source)
    assert shown[-1] == ("execute_result", "3")
    assert front.value("limit") == "3"


def test_the_debugger_finds_the_steps_lines(front):
    front.run("%%step clean\ndef traced(): return 1")
    same = "traced.__code__.co_filename == get_ipython().compile.get_code_name(_steps['clean'].cell.source, '', 0)"
    assert front.value(f"({same}, traced.__code__.co_firstlineno)") == "(True, 2)"


def test_nbclient_stops_at_the_failed_cell(tmp_path):
    cells = [SETUP, "%%step clean\nprint('a')\nraise ValueError('too many')", "print('not reached')"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    with pytest.raises(CellExecutionError, match="too many") as caught:
        client.execute()
    assert (caught.value.ename, caught.value.evalue) == ("ValueError", "too many")
    assert [output.output_type for output in notebook.cells[1].outputs] == ["stream", "error"]
    assert notebook.cells[2].outputs == []
