"""Runs with real worker processes: maps, whole steps, timeouts, cancelling."""

import pytest

from nbsteps.core.events import ItemsStarted
from nbsteps.core.states import RunState, StepState
from nbsteps.engine.executed import Means
from nbsteps.executors.pool import Pool
from nbsteps.notebook.machine import SystemClock
from nbsteps.notebook.worker import perform
from nbsteps.testing import make_session

TWO = Means(2)


@pytest.fixture(scope="module")
def pool():
    found = Pool(perform, perform)
    yield found
    found.close()


@pytest.fixture
def run(pool):
    def start(*cells, means=TWO, session=None):
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
