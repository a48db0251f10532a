"""Bodies that take too long are stopped, whatever they do, and everything is put back as it was."""

from __future__ import annotations

import signal
import sys
import threading
import time

import pytest

from nbsteps.core.errors import StepTimeout
from nbsteps.core.model import Cell, Step, StepOptions
from nbsteps.notebook import evaluator as module
from nbsteps.notebook.evaluator import ShellEvaluator
from nbsteps.notebook.stops import stops

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")

# The time is up when the body says so: with a short limit it could be over before the body began.
UP = "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.05, signal.getitimer(signal.ITIMER_REAL)[1])"

# Each would last for minutes; the limit is that of the whole test run otherwise.
ENDLESS = {
    "sleep": "import time\ntime.sleep(300)",
    "busy loop": "while True:\n    pass",
    "a wait in C": "import threading\nthreading.Event().wait(300)",
    "a lock": "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
    "a system call": "import select\nselect.select([], [], [], 300)",
    "a child": "import subprocess\nsubprocess.run(['sleep', '300'])",
    "swallows": "import time\nwhile True:\n    try:\n        time.sleep(300)\n    except Exception:\n        pass",
    "awaits": "import asyncio\nawait asyncio.sleep(300)",
    "awaits and swallows": (
        "import asyncio\nwhile True:\n    try:\n        await asyncio.sleep(300)\n    except Exception:\n        pass"
    ),
}


@pytest.fixture(autouse=True)
def no_alarm():
    """Set aside whatever limits this test itself by the same signal."""
    handler = signal.getsignal(signal.SIGALRM)
    before = signal.setitimer(signal.ITIMER_REAL, 0)
    yield
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, *before)


@pytest.fixture
def body(shell):
    """Execute a body with a limit; its outcome."""
    evaluator = ShellEvaluator(shell)

    def run(source, timeout=300):
        step = Step("work", Cell("cell 1", f"%%step work\n{source}"), source, StepOptions(), (), (), frozenset())
        return evaluator.run_body(step, timeout=timeout)

    yield run
    evaluator.close()


@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS.keys())
def test_a_body_is_stopped_where_it_stands(body, source):
    before = signal.getsignal(signal.SIGALRM), signal.getsignal(signal.SIGINT)
    outcome = body(f"{UP}\n{source}")
    assert type(outcome.error) is StepTimeout
    assert outcome.error.seconds == 300
    assert "step work (cell 1)" in outcome.traceback
    assert "stops.py" not in outcome.traceback
    assert (signal.getsignal(signal.SIGALRM), signal.getsignal(signal.SIGINT)) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert body("x = 1").error is None


def test_a_body_may_clean_up(body, shell):
    up = UP.replace("\n", "; ")
    outcome = body(f"import time\ndone = []\ntry:\n    {up}; time.sleep(300)\nfinally:\n    done.append('cleaned')")
    assert type(outcome.error) is StepTimeout
    assert shell.user_ns["done"] == ["cleaned"]


SWALLOWS = """
import signal
import time
seen = []
while len(seen) < 2:
    try:
        if not seen:
            signal.setitimer(signal.ITIMER_REAL, 0.05, signal.getitimer(signal.ITIMER_REAL)[1])
        time.sleep(300)
    except BaseException as error:
        seen.append(type(error).__name__)
"""


def test_one_that_swallows_everything_is_stopped_again(body, shell):
    assert type(body(SWALLOWS).error) is StepTimeout
    assert shell.user_ns["seen"] == ["StepTimeout", "StepTimeout"]


def test_a_short_limit_stops_a_body_whether_it_began_or_not(body):
    outcome = body(ENDLESS["sleep"], timeout=0.2)
    assert type(outcome.error) is StepTimeout
    assert outcome.error.seconds == 0.2


def test_a_body_in_time_is_not_stopped(body):
    assert body("x = 1", timeout=300).error is None
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_somebody_elses_alarm_goes_on(body):
    rang = []
    signal.signal(signal.SIGALRM, lambda *_: rang.append(True))
    signal.setitimer(signal.ITIMER_REAL, 300, 7)
    body(ENDLESS["sleep"], timeout=0.2)
    left, interval = signal.getitimer(signal.ITIMER_REAL)
    assert 0 < left <= 300
    assert interval == 7
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    body("x = 1", timeout=300)
    while not rang:
        time.sleep(0.01)


def test_an_alarm_set_by_the_body_is_the_bodys(body):
    body("import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)", timeout=300)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN


def test_what_comes_too_early_or_too_late_is_remembered():
    with stops() as stop:
        signal.raise_signal(signal.SIGINT)
        assert isinstance(stop.missed, KeyboardInterrupt)
    with stops(300) as stop:
        signal.raise_signal(signal.SIGALRM)
        assert isinstance(stop.missed, StepTimeout)
        signal.raise_signal(signal.SIGINT)
        assert isinstance(stop.missed, KeyboardInterrupt)


def test_a_missed_interrupt_ends_the_body_before_it_begins(body, shell, monkeypatch):
    original = module.capture

    def slow(*args, **options):
        signal.raise_signal(signal.SIGINT)
        return original(*args, **options)

    monkeypatch.setattr(module, "capture", slow)
    outcome = body("began = True")
    assert type(outcome.error) is KeyboardInterrupt
    assert "began" not in shell.user_ns


def test_who_ignores_interrupts_goes_on_doing_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stops() as stop:
            stop.armed = True
            signal.raise_signal(signal.SIGINT)
        assert stop.missed is None
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_nothing_is_taken():
    seen = []

    def work():
        with stops(1) as stop:
            seen.append(stop.missed)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None]
