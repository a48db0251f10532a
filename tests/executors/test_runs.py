"""Runs with real worker processes: maps, whole steps, timeouts, cancelling."""

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from nbsteps.core.events import ItemsStarted, ItemsSucceeded, Progressed
from nbsteps.core.states import RunState, StepState
from nbsteps.engine.capacity import Means
from nbsteps.executors.pool import Pool
from nbsteps.notebook.host import SystemClock
from nbsteps.notebook.threaded import ThreadBodies
from nbsteps.notebook.worker import perform
from nbsteps.testing import make_session

TWO = Means(2)


@pytest.fixture(scope="module")
def pool():
    found = Pool(perform, perform)
    yield found
    found.close()


@pytest.fixture
def threads():
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    found = Pool(perform, ThreadBodies(shell).perform)
    yield found
    found.close()
    InteractiveShell.clear_instance()


@pytest.fixture
def run(pool):
    def start(*cells, means=TWO, session=None, pool=pool):
        session = session or make_session(*cells)
        session.services.lanes, session.services.clock = pool, SystemClock()
        result, errors = session.run(means=means)
        return session, result, errors

    return start


def value(session, name):
    return session.services.store.get(session.bindings.known(name).artifact)


MAKE = "%%step make\nxs = list(range(20))"


def test_a_map_with_functions_of_the_notebook(run):
    session, result, _ = run("k = 2\ndef f(x): return x * k", MAKE, "%%step each --map a=xs\nprint(a)\ny = f(a)")
    assert result.steps["each"].items.executed == 20
    assert value(session, "y") == [2 * a for a in range(20)]
    shown = "".join(d["text"] for group in session.services.evaluator.replayed for d in group)
    assert shown == "".join(f"{a}\n" for a in range(20))
    again, _ = session.run(means=TWO)
    assert again.steps["each"].state is StepState.CACHED


def test_what_a_kernel_makes_and_what_a_process_makes_is_the_same(run):
    cells = ("import math", MAKE, "%%step each --map a=xs\ny = {a: [math.sqrt(a), (a, str(a))]}")
    here, first, _ = run(*cells, means=Means(1))
    away, second, _ = run(*cells)
    assert first.steps["each"].key == second.steps["each"].key
    assert here.bindings.known("y").digest == away.bindings.known("y").digest


def test_an_item_that_takes_too_long_is_killed(run):
    body = "import threading\nthreading.Event().wait()\ny = a"
    cells = ("%%step make\nxs = [1, 2]", f"%%step each --map a=xs --timeout 0.2s --tolerate 100%\n{body}")
    session, result, _ = run(*cells)
    assert result.state is RunState.SUCCEEDED
    assert value(session, "y") == []
    assert [error.error_type.rpartition(".")[2] for error in value(session, "y").errors] == ["StepTimeout"] * 2


def test_a_cancelled_map_leaves_everything_usable(run):
    body = "import threading\nif k: threading.Event().wait()\ny = a"
    cells = ("", "%%step make\nxs = [1, 2, 3]", f"%%step each --map a=xs --ignore k\n{body}")
    session = make_session(*cells)
    session.services.evaluator.names["k"] = 1

    class Canceller:
        def emit(self, event):
            if isinstance(event, ItemsStarted):
                session.services.cancel.ask()

    canceller = Canceller()
    session.services.listeners.append(canceller)
    _, result, _ = run(session=session)
    assert result.state is RunState.CANCELLED
    session.services.listeners.remove(canceller)
    session.services.evaluator.names["k"] = 0
    _, result, _ = run(session=session)
    assert result.state is RunState.SUCCEEDED
    assert value(session, "y") == [1, 2, 3]


def test_whole_steps(run):
    cells = (
        "k = 3",
        "%%step a\nx = [1]",
        "%%step b\nprint('b')\ny = x * k",
        "%%step c\nz = x[0]",
        "%%step d\nw = y, z",
    )
    session, result, _ = run(*cells, means=Means(2, "processes"))
    assert result.state is RunState.SUCCEEDED
    assert session.services.evaluator.executed == []
    assert session.services.evaluator.names["w"] == ([1, 1, 1], 1)
    assert [d["text"] for group in session.services.evaluator.replayed for d in group] == ["b\n"]


@pytest.mark.parametrize(
    ("body", "options", "reason"),
    [
        ("1 / 0", "", "ZeroDivisionError"),
        ("import os\nos.kill(os.getpid(), 9)", "--retries 1 --retry-delay 0s", "retries_exhausted"),
        ("import threading\nthreading.Event().wait()", "--timeout 0.2s", "timeout"),
        ("x.append(1)", "", "MutatedInputError"),
        ("raise SystemExit(3)", "", "SystemExit"),
    ],
)
def test_how_a_whole_step_fails(run, body, options, reason):
    cells = ("%%step a\nx = [1]", f"%%step b {options}\n{body}\ny = 1")
    session, result, _ = run(*cells, means=Means(2, "processes"))
    assert result.steps["b"].state is StepState.FAILED
    assert reason in result.steps["b"].reason
    assert "y" not in session.services.evaluator.names


@pytest.mark.parametrize("how", ["", " --map a=xs", " --map a=xs --tolerate 100%"])
def test_a_body_whose_output_cannot_travel_is_not_executed_twice(run, tmp_path, how):
    said = tmp_path / "said"
    body = f"import threading\nwith open({str(said)!r}, 'a') as file:\n    file.write('x')\ny = threading.Lock()"
    cells = ("%%step make\nxs = [1]", f"%%step each --retries 3 --retry-delay 0s{how}\n{body}")
    session, result, errors = run(*cells, means=Means(2, "processes"))
    tolerated = "tolerate" in how
    assert result.steps["each"].state is (StepState.SUCCEEDED if tolerated else StepState.FAILED)
    assert said.read_text() == "x"
    text = str(value(session, "y").errors[0]) if tolerated else str(errors["each"])
    assert "output y cannot be brought back from the worker: _thread.lock (" in text
    if not tolerated:
        assert "--executor threads" in result.steps["each"].failure.hint


@pytest.mark.parametrize("executor", ["processes", "threads"])
@pytest.mark.parametrize("option", ["", " --map a=xs"], ids=["a step", "items"])
def test_progress_comes_back_from_workers_as_in_the_kernel(run, threads, executor, option):
    each = f"%%step each{option}\nnbsteps.progress(2, 5, 'half way')\ny = 1"
    cells = ("import nbsteps", "%%step make\nxs = [3]", each)
    session, result, _ = run(*cells, means=Means(2, executor), pool=threads if executor == "threads" else None)
    assert result.state is RunState.SUCCEEDED
    events = session.services.store.events
    told = [(event.done, event.total, event.text) for event in events if isinstance(event, Progressed)]
    expected = (0, 1, "item 0 (3): 2 of 5 half way") if option else (2, 5, "half way")
    assert expected in told
    kinds = [type(event).__name__ for event in events if getattr(event, "step", "") == "each"]
    assert "Progressed" not in kinds[kinds.index("StepSucceeded") :], "the end comes last"


@pytest.mark.parametrize("tolerate", ["", "--tolerate 100%"])
def test_a_body_in_a_worker_must_not_change_what_items_share(run, tolerate):
    make = "%%step make\nxs = [1, 2, 3]\nshared = []"
    session, result, errors = run(make, f"%%step each --map a=xs {tolerate}\nshared.append(a)\ny = len(shared)")
    assert result.steps["each"].state is StepState.FAILED
    assert "changed its input shared in place" in str(errors["each"])
    assert not [event for event in session.services.store.events if isinstance(event, ItemsSucceeded)]


def test_an_item_whose_worker_is_killed_fails_alone_and_is_named(run):
    body = "import os\nif a == 7: os.kill(os.getpid(), 9)\ny = a"
    cells = (MAKE, f"%%step each --map a=xs --tolerate 1\n{body}", "%%step beside\nz = 1")
    session, result, _ = run(*cells)
    assert result.state is RunState.SUCCEEDED
    made = value(session, "y")
    assert made == [a for a in range(20) if a != 7]
    assert "died (memory ran out, as a rule) while it executed item 7 (7) of step each" in made.errors[0].message
    again, _ = session.run(means=TWO)
    assert again.steps["each"].items.executed == 1


def test_items_are_recorded_while_a_long_body_has_the_kernel(run, tmp_path):
    """The body in the kernel waits until all items have been executed: what sends them does not wait for it."""
    left = tmp_path / "left"
    left.mkdir()
    each = f"import pathlib\n(pathlib.Path({str(left)!r}) / str(a)).touch()\ny = a"
    wait = f"import os, time\nwhile len(os.listdir({str(left)!r})) < 20:\n    time.sleep(0.01)\nz = 1"
    session, result, _ = run(MAKE, f"%%step each --map a=xs --timeout 60s\n{each}", f"%%step beside\n{wait}")
    assert {str(step.state) for step in result.steps.values()} == {"succeeded"}
    assert value(session, "y") == list(range(20))


GONE = """
import os, pathlib, time
def gone(pid):
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
while not any(map(gone, os.listdir(pids))):
    time.sleep(0.01)
pathlib.Path(go).touch()
z = 1
"""


def test_time_limits_of_workers_hold_while_a_long_body_has_the_kernel(run, tmp_path):
    """The body in the kernel waits until a worker has been killed, whichever attempt that is; then items may end."""
    pids, go = tmp_path / "pids", tmp_path / "go"
    pids.mkdir()
    body = f"""
import os, pathlib, time
(pathlib.Path({str(pids)!r}) / str(os.getpid())).touch()
while not os.path.exists({str(go)!r}):
    time.sleep(0.01)
y = a
"""
    head = "%%step each --map a=xs --timeout 1s --retries 1000 --retry-delay 0s"
    beside = GONE.replace("pids", repr(str(pids))).replace("(go)", f"({str(go)!r})")
    _, result, _ = run("%%step make\nxs = [0]", f"{head}{body}", f"%%step beside{beside}", means=Means(2, "processes"))
    assert {str(step.state) for step in result.steps.values()} == {"succeeded"}
