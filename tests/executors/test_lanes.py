"""Lanes: bodies in worker processes, in threads, on an executor that the user passes."""

import os
import socket
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nbsteps.core.errors import CrashedError, UnsendableError, UsageError
from nbsteps.core.model import Cell, Step, StepOptions
from nbsteps.executors.parcel import pack, unpack
from nbsteps.executors.pool import Pool, check
from nbsteps.executors.progress_listener import ProgressListener, speaking
from nbsteps.notebook.worker import perform
from nbsteps.ports import Order, Outcome, Reply


def order_of(body, outputs=("y",), items=({},), **shared):
    step = Step("work", Cell("cell 1", f"%%step work\n{body}"), body, StepOptions(), (), outputs, frozenset())
    return Order(step, shared, token=body, items=items, outputs=outputs, folder=Path.cwd())


@pytest.fixture(scope="module")
def lane():
    pool = Pool(perform, in_thread)
    (opened,) = pool.open("processes", 1)
    yield opened
    pool.close()


def silent(*_words):
    pass


def loky_executor(workers):
    from loky.process_executor import ProcessPoolExecutor as LokyExecutor

    return LokyExecutor(workers)


class Clustered(Executor):
    """Sends everything as bytes, as executors of clusters do, and works in this process."""

    def __init__(self, workers):
        self._threads = ThreadPoolExecutor(workers)

    def submit(self, fn, /, *args, **kwargs):
        fn, args, kwargs = unpack(pack((fn, args, kwargs)))
        return self._threads.submit(fn, *args, **kwargs)

    def shutdown(self, wait=True, *, cancel_futures=False):
        self._threads.shutdown(wait, cancel_futures=cancel_futures)


def in_thread(order, _tell):
    return tuple(Reply(Outcome(), {"y": dict(item)}) for item in order.items)


def done(lane, order):
    return lane.submit(lane.pack(order), silent).result(timeout=60)


def test_a_process_gets_what_it_needs_and_sends_back_what_it_made(lane):
    replies = done(lane, order_of("print(a)\ny = a * k", items=({"a": 1}, {"a": [2]}), k=3))
    assert [reply.values for reply in replies] == [{"y": 3}, {"y": [2, 2, 2]}]
    assert [reply.outcome.displays[0]["text"] for reply in replies] == ["1\n", "[2]\n"]
    assert lane.pid != os.getpid()


def test_the_last_expression_comes_back_as_a_display(lane):
    (reply,) = done(lane, order_of("y = 1\n{'y': y}"))
    assert reply.outcome.displays[0]["data"]["text/plain"] == "{'y': 1}"


def test_functions_of_the_notebook_travel(lane):
    namespace = {"__name__": "__main__", "k": 5}
    exec("def f(x): return x + k", namespace)  # noqa: S102 - as a notebook defines it
    assert done(lane, order_of("y = f(1)", f=namespace["f"]))[0].values == {"y": 6}


def test_an_error_has_its_own_traceback(lane):
    (reply,) = done(lane, order_of("x = 1\nraise ValueError('no')"))
    assert isinstance(reply.outcome.error, ValueError)
    assert "step work (cell 1)" in reply.outcome.traceback
    assert "raise ValueError('no')" in reply.outcome.traceback
    assert reply.values == {}


def test_an_error_that_cannot_travel_has_a_stand_in(lane):
    body = "class Odd(Exception):\n    def __init__(self, a, b): super().__init__('odd')\nraise Odd(1, 2)"
    (reply,) = done(lane, order_of(body))
    assert type(reply.outcome.error).__name__ == "Odd"
    assert str(reply.outcome.error) == "odd"


def test_items_that_are_changed_in_place_are_named(lane):
    items = ({"a": [1]}, {"a": [2]})
    replies = done(lane, replace(order_of("if a == [2]: a.append(1)\ny = 1", items=items), watch=("a",)))
    assert [reply.changed for reply in replies] == ["", "a"]


def test_outputs_that_cannot_travel_are_named(lane):
    (reply,) = done(lane, order_of("import threading\ny = threading.Lock()\nz = 1", outputs=("y", "z")))
    assert reply.values == {"z": 1}
    assert "lock" in reply.unsent["y"]


def test_what_cannot_be_sent_is_named(lane):
    with pytest.raises(UnsendableError, match="k cannot be sent"):
        lane.pack(order_of("y = k", k=threading.Lock()))


def test_nothing_is_left_of_one_order_for_the_next(lane):
    done(lane, order_of("y = 1\nleft = 2", outputs=("y", "left")))
    (reply,) = done(lane, order_of("y = 'left' in globals()"))
    assert reply.values == {"y": False}


def test_files_that_are_read_are_noticed(lane, tmp_path):
    data = tmp_path / "data.txt"
    data.write_text("one")
    order = replace(order_of("y = open(path).read()", path=str(data)), folder=tmp_path, root=tmp_path)
    (reply,) = done(lane, order)
    assert [part.name for part in reply.observed] == ["data.txt"]


def test_environment_and_folder_are_the_kernels(lane, tmp_path, monkeypatch):
    monkeypatch.setenv("NBSTEPS_TEST_WORD", "here")
    body = "import os\ny = os.environ['NBSTEPS_TEST_WORD'], os.getcwd()"
    (reply,) = done(lane, replace(order_of(body), folder=tmp_path))
    assert reply.values == {"y": ("here", str(tmp_path))}


def test_shared_variables_are_sent_once(lane):
    order = order_of("y = k + a", items=({"a": 1},), k=1)
    assert lane.pack(order).shared is not None
    done(lane, order)
    packed = lane.pack(replace(order, items=({"a": 2},)))
    assert packed.shared is None
    assert lane.submit(packed, silent).result(timeout=60)[0].values == {"y": 3}


def test_shared_variables_are_packed_once_for_all_lanes():
    pool = Pool(perform, in_thread)
    order = order_of("y = float(big.sum())", big=np.ones(300_000))
    lanes = pool.open("processes", 2)
    packed = [each.pack(order) for each in lanes]
    assert packed[0].shared is packed[1].shared
    path = Path(packed[0].shared.path)
    assert path.exists()
    replies = [each.submit(one, silent).result(timeout=60) for each, one in zip(lanes, packed, strict=True)]
    assert [reply.values for (reply,) in replies] == [{"y": 300_000.0}] * 2
    lanes[0].release(order.token)
    assert not path.exists()
    pool.close()


def test_a_process_that_dies_is_replaced(lane):
    died = lane.submit(lane.pack(order_of("import os\nos.kill(os.getpid(), 9)")), silent)
    assert isinstance(died.exception(timeout=60), CrashedError)
    assert done(lane, order_of("y = 1"))[0].values == {"y": 1}


def test_a_process_that_is_stopped_is_replaced(lane):
    pid = lane.pid
    future = lane.submit(lane.pack(order_of("import threading\nthreading.Event().wait()\ny = 1")), silent)
    lane.stop()
    assert isinstance(future.exception(timeout=60), CrashedError)
    assert done(lane, order_of("y = 1"))[0].values == {"y": 1}
    assert lane.pid != pid


def test_large_buffers_are_mapped_and_can_be_written_to(lane):
    values = np.arange(1_000_000.0)
    order = order_of("values[0] = 7\ny = values[1:], values[0]", values=values)
    (reply,) = done(lane, order)
    np.testing.assert_array_equal(reply.values["y"][0], values[1:])
    assert reply.values["y"][1] == 7
    assert values[0] == 0


@pytest.mark.parametrize(
    "value", [1, "text", [1, {"a": (2,)}], np.arange(10), np.zeros(300_000), np.zeros((600, 600)).T]
)
def test_parcels_hold_any_value(value):
    parcel = pack(value)
    np.testing.assert_equal(unpack(parcel), value)
    parcel.drop()
    assert not parcel.path or not Path(parcel.path).exists()


def test_threads_get_the_objects_themselves():
    pool = Pool(perform, in_thread)
    (lane,) = pool.open("threads", 1)
    thing = threading.Lock()
    assert done(lane, order_of("", items=({"a": thing},)))[0].values["y"]["a"] is thing
    assert not lane.kills


def test_a_thread_that_was_given_up_occupies_its_lane():
    go, ended = threading.Event(), threading.Event()

    def wait(_order, _tell):
        go.wait()
        ended.set()
        return ()

    pool = Pool(perform, wait)
    (lane,) = pool.open("threads", 1)
    future = lane.submit(lane.pack(order_of("")), silent)
    lane.stop()
    assert isinstance(future.exception(timeout=60), CrashedError)
    assert not lane.free
    (other,) = pool.open("threads", 1)
    assert other is not lane
    go.set()
    assert ended.wait(60)


def test_an_executor_of_the_users(lane):
    pool = Pool(perform, in_thread)
    with ThreadPoolExecutor(1) as executor:
        (passed,) = pool.open(executor, 1)
        assert done(passed, order_of("", items=({"a": 1},)))[0].values == {"y": {"a": 1}}
    assert lane.free


SAYS = """
import nbsteps, time
from pathlib import Path
nbsteps.progress(1, 2, text)
while not Path(heard).exists():
    time.sleep(0.01)
y = 0
"""


@pytest.mark.parametrize("make", [ThreadPoolExecutor, ProcessPoolExecutor, loky_executor, Clustered])
def test_progress_comes_back_from_an_executor_of_the_users_while_the_body_runs(make, tmp_path):
    pool, words = Pool(perform, perform), []
    with make(1) as executor:
        (passed,) = pool.open(executor, 1)
        for text in ("rows", "ä" * 600):
            heard = tmp_path / f"heard {len(text)}"
            order = order_of(SAYS, items=({"text": text, "heard": str(heard)},))
            future = passed.submit(passed.pack(order), lambda *said, heard=heard: words.append(said) or heard.touch())
            assert future.result(timeout=60)[0].outcome.error is None
            assert words.pop()[:3] == (0, 1.0, 2.0)
    pool.close()


def test_only_who_was_given_an_order_is_heard():
    said, heard = [], threading.Event()
    listener = ProgressListener()
    place = listener.hear(lambda *words: said.append(words) or heard.set())
    other = listener.hear(lambda *_: pytest.fail("another order's"))
    listener.forget(other)
    for wrong in (other, place._replace(secret=place.secret[::-1]), place._replace(machine="elsewhere"), None):
        speaking(wrong)(0, 1.0, 2.0, "not this")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"\xff{", ("127.0.0.1", place.port))
    speaking(place)(0, 1.0, 2.0, "this")
    assert heard.wait(60)
    assert said == [(0, 1.0, 2.0, "this")]
    listener.close()
    speaking(place)(0, 2.0, 2.0, "into the void")


def test_an_executor_that_takes_no_more_work_is_told_of(lane):
    executor = ThreadPoolExecutor(1)
    (passed,) = Pool(perform, in_thread).open(executor, 1)
    executor.shutdown()
    error = passed.submit(passed.pack(order_of("")), silent).exception(timeout=60)
    assert isinstance(error, CrashedError)
    assert "the ThreadPoolExecutor takes no more work: cannot schedule" in str(error)
    assert lane.free


def test_a_broken_executor_of_another_package_is_made_anew(monkeypatch):
    made = []

    def make():
        made.append(ProcessPoolExecutor(1))
        return made[-1]

    monkeypatch.setattr("nbsteps.executors.pool._plugin", lambda _name: make)
    pool = Pool(perform, in_thread)
    (first,) = pool.open("crew", 1)
    died = first.submit(first.pack(order_of("import os\nos.kill(os.getpid(), 9)")), silent)
    assert isinstance(died.exception(timeout=60), CrashedError)
    (second,) = pool.open("crew", 1)
    assert done(second, order_of("y = 1"))[0].values == {"y": 1}
    assert len(made) == 2
    pool.close()


@pytest.mark.parametrize("name", ["", "main", "threads", "processes"])
def test_known_names(name):
    check(name)


def test_an_unknown_name_is_refused():
    with pytest.raises(UsageError, match="no executor 'threds'"):
        check("threds")
