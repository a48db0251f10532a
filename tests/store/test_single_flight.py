"""Single flight: a key is computed by one process and one thread at a time, and taken over from the dead."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nbsteps.store import locks
from nbsteps.store import single_flight as flight_module
from nbsteps.store.single_flight import SingleFlight
from nbsteps.store.store import DuckStore

HOLDER = """
import sys
from pathlib import Path
from nbsteps.store.single_flight import SingleFlight
with SingleFlight(Path(sys.argv[1]), {"pid": 4711, "notebook": "other.ipynb"}).hold("key", print):
    print("held", flush=True)
    sys.stdin.read()
"""


def make(folder: Path) -> SingleFlight:
    return SingleFlight(folder, {"pid": 1, "notebook": "nb.ipynb"})


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_threads_exclude_each_other(tmp_path: Path) -> None:
    flight, inside, most = make(tmp_path), [], []

    def work() -> None:
        for _ in range(20):
            with flight.hold("key", print):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (max(most), len(most)) == (1, 80)


def test_other_keys_are_free_and_a_thread_may_enter_twice(tmp_path: Path) -> None:
    flight = make(tmp_path)
    with flight.hold("key", print), flight.hold("key", print), flight.hold("other", print):
        assert set(flight._held) == {"key", "other"}
    assert flight._held == {}


@pytest.mark.parametrize("end", ["release", "kill"])
def test_a_waiter_takes_over(tmp_path: Path, end: str) -> None:
    process = holder(tmp_path)
    entered = threading.Event()

    def wait() -> None:
        with make(tmp_path).hold("key", print):
            entered.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not entered.wait(0.05)
    if end == "kill":
        process.kill()
    process.communicate()
    assert entered.wait(10)
    thread.join()
    assert process.returncode == (-signal.SIGKILL if end == "kill" else 0)


def test_a_long_wait_says_who_holds_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 0.0)
    process = holder(tmp_path)
    heard: list[str] = []

    def hear(message: str) -> None:
        heard.append(message)
        process.communicate()

    with make(tmp_path).hold("key", hear):
        pass
    assert len(heard) == 1
    assert "process 4711 (other.ipynb)" in heard[0]


def test_without_byte_ranges_each_key_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight_module.locks, "BYTE_RANGES", False)
    flight = make(tmp_path)
    with flight.hold("key", print), flight.hold("other", print):
        assert len(list((tmp_path / "flight").iterdir())) == 2


def test_a_folder_that_cannot_be_written_still_separates_threads(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    flight = make(tmp_path / "file")
    with flight.hold("key", print):
        assert not flight._local["key"].acquire(blocking=False)
    assert flight._local["key"].acquire(blocking=False)


def test_the_store_looks_again_inside(tmp_path: Path) -> None:
    store = DuckStore(tmp_path)
    with store.flight("key"):
        assert store.find("key") == ()
    store.close()


def test_who_does_not_wait_is_told_that_another_holds_the_key(tmp_path: Path) -> None:
    flight, process = make(tmp_path), holder(tmp_path)
    with flight.hold("key", print, wait=False) as held:
        assert not held
    process.communicate()
    with flight.hold("key", print, wait=False) as held, flight.hold("key", print, wait=False) as again:
        assert held
        assert again


def test_an_interrupt_right_after_the_lock_was_taken_leaves_nothing_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flight = make(tmp_path)

    def interrupted(_byte: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(flight, "_sign", interrupted)
        with pytest.raises(KeyboardInterrupt), flight.hold("key", print):
            pass
    assert flight._held == {}
    with make(tmp_path).hold("key", print, wait=False) as held:
        assert held


def test_a_lock_that_nobody_has_any_more_is_given_up(tmp_path: Path) -> None:
    assert locks.Lock.acquire(tmp_path / "lock") is not None
    gc.collect()
    again = locks.Lock.acquire(tmp_path / "lock")
    assert again is not None
    again.release()
