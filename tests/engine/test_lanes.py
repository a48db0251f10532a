"""Maps and whole steps away from the kernel, over lanes that a test holds in its hands."""

from concurrent.futures import Future

import pytest

from nbsteps.core.errors import CrashedError, UnsendableError
from nbsteps.core.events import AttemptEnded, AttemptStarted, ItemsStarted, Warned
from nbsteps.core.states import RunState, StepState
from nbsteps.engine.capacity import Means
from nbsteps.ports import Outcome, Reply
from nbsteps.testing import make_session


class HandLane:
    """Executes an order at once; its answer comes when the test says so."""

    kind, kills, free, pid = "hands", True, True, 4711

    def __init__(self, lanes):
        self.lanes = lanes

    def coming(self):
        return None

    def pack(self, order):
        for name in self.lanes.unsendable & order.shared.keys():
            raise UnsendableError(f"{name} cannot be sent")
        return order

    def submit(self, order, tell):
        future = Future()
        self.lanes.flying.append((self, order, future))
        self.lanes.most = max(self.lanes.most, len(self.lanes.flying))
        self.lanes.orders.append(order)
        self.lanes.step()
        return future

    def release(self, token):
        self.lanes.released.add(token)

    def stop(self):
        self.lanes.stopped += 1
        self.lanes.flying = [each for each in self.lanes.flying if each[0] is not self]


class HandLanes:
    """Lanes whose orders end in the order that ``turn`` picks, once ``hold`` of them are under way."""

    def __init__(self, hold=1, turn=0):
        self.hold, self.turn = hold, turn
        self.unsendable, self.deadly = set(), None
        self.opened, self.orders, self.flying = [], [], []
        self.most = self.stopped = 0
        self.released = set()

    def open(self, executor, workers):
        self.opened.append((executor, workers))
        self.made = getattr(self, "made", [])
        self.made += [HandLane(self) for _ in range(workers - len(self.made))]
        return self.made[:workers]

    def step(self):
        if len(self.flying) >= self.hold:
            self.end()

    def end(self):
        _, order, future = self.flying.pop(self.turn)
        if self.deadly is not None and any(self.deadly in item.values() for item in order.items):
            future.set_exception(CrashedError("the worker process died (memory ran out, as a rule)"))
        else:
            future.set_result(tuple(execute(order, item) for item in order.items))

    def close(self):
        pass


def execute(order, item):
    names = {**order.shared, **item}
    shown = []
    names["print"] = lambda *words: shown.append(" ".join(map(str, words)) + "\n")
    try:
        exec(order.step.body, names)  # noqa: S102 - executing a body is what a lane does
    except Exception as error:  # noqa: BLE001 - as a worker
        return Reply(Outcome(error=error, traceback=repr(error)))
    displays = tuple({"output_type": "stream", "name": "stdout", "text": text} for text in shown)
    return Reply(Outcome(displays), {name: names[name] for name in order.outputs if name in names})


def run(*cells, lanes, means=None):
    session = make_session(*cells)
    session.services.lanes = lanes
    lanes.session = session
    result, errors = session.run(means=means or Means(2))
    return session, result, errors


def value(session, name):
    return session.services.store.get(session.bindings.known(name).artifact)


def events(session, kind):
    return [event for event in session.services.store.events if isinstance(event, kind)]


MAKE = "%%step make\nxs = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
EACH = "%%step each --map a=xs\nprint(a)\ny = a * k"


@pytest.mark.parametrize(("hold", "turn"), [(1, 0), (2, 0), (2, -1)])
def test_results_and_output_come_in_item_order(hold, turn):
    lanes = HandLanes(hold, turn)
    session = make_session("k = 2", MAKE, EACH)
    session.services.lanes = lanes
    session.services.clock.wait = lambda _futures, _seconds: lanes.flying and lanes.end()
    result, _ = session.run(means=Means(2))
    assert result.steps["each"].state is StepState.SUCCEEDED
    assert value(session, "y") == [2 * a for a in range(10)]
    shown = [display["text"] for group in session.services.evaluator.replayed for display in group]
    assert "".join(shown) == "".join(f"{a}\n" for a in range(10))
    assert session.services.evaluator.executed == ["make"]


def test_only_what_the_body_reads_is_sent():
    lanes = HandLanes()
    run("k = 2\nother = object()", MAKE, EACH, lanes=lanes)
    assert all(set(order.shared) == {"k"} for order in lanes.orders)
    assert {order.token for order in lanes.orders} == lanes.released
    assert len(lanes.released) == 1


@pytest.mark.parametrize(
    ("options", "means", "opened"),
    [
        ("", Means(3), [("processes", 3)]),
        ("--max-parallel 2", Means(3), [("processes", 2)]),
        ("--pool cpu:2", Means(3), [("processes", 2)]),
        ("", Means(2, "threads"), [("threads", 2)]),
        ("", Means(1), []),
        ("--max-parallel 1", Means(3), []),
        ("", Means(3, "main"), []),
    ],
)
def test_how_many_lanes_a_map_takes(options, means, opened):
    lanes = HandLanes()
    _, result, _ = run(MAKE, f"%%step each --map a=xs {options}\ny = a", lanes=lanes, means=means)
    assert list(dict.fromkeys(lanes.opened)) == opened
    assert result.state is RunState.SUCCEEDED
    assert lanes.most <= max(1, means.workers)


def test_what_cannot_be_sent_runs_in_the_kernel_and_says_so():
    lanes = HandLanes()
    lanes.unsendable = {"k"}
    session, result, _ = run("k = 2", MAKE, EACH, lanes=lanes)
    assert result.steps["each"].state is StepState.SUCCEEDED
    assert value(session, "y") == [2 * a for a in range(10)]
    assert session.services.evaluator.executed.count("each") == 10
    assert [event.message for event in events(session, Warned)] == ["k cannot be sent: the items run in the kernel"]


def test_an_item_whose_process_dies_fails_alone():
    lanes = HandLanes()
    lanes.deadly = 7
    cells = ("k = 2", MAKE, "%%step each --map a=xs --tolerate 1\ny = a * k")
    session, result, _ = run(*cells, lanes=lanes)
    assert result.steps["each"].state is StepState.SUCCEEDED
    assert value(session, "y") == [2 * a for a in range(10) if a != 7]
    assert value(session, "y").errors[0].error_type == "CrashedError"
    ended = [str(event.attempt.state) for event in events(session, AttemptEnded)]
    assert set(ended) == {"crashed"}
    alone = [order.items for order in lanes.orders if {"a": 7} in order.items]
    assert len(alone[-1]) == 1


def test_a_crash_is_retried_as_the_policy_says():
    lanes = HandLanes()
    lanes.deadly = 7
    cells = ("k = 2", MAKE, "%%step each --map a=xs --retries 2 --retry-delay 0s --tolerate 1\ny = a * k")
    session, result, _ = run(*cells, lanes=lanes)
    assert result.steps["each"].items.failed == 1
    assert len([order for order in lanes.orders if order.items == ({"a": 7},)]) == 3
    assert session.services.evaluator.executed == ["make"]


def test_a_wish_to_end_stops_the_lanes():
    lanes = HandLanes(hold=3)
    lanes.step = lambda: lanes.session.services.cancel.ask() if len(lanes.flying) == 2 else None
    session, result, _ = run("k = 2", MAKE, EACH, lanes=lanes)
    assert result.state is RunState.CANCELLED
    assert result.steps["each"].state is StepState.CANCELLED
    assert lanes.stopped == 2
    ended = [str(event.attempt.state) for event in events(session, AttemptEnded)]
    started = sum(len(event.attempts) for event in events(session, ItemsStarted))
    assert ended.count("cancelled") == started + 1


def test_attempts_say_where_they_were():
    lanes = HandLanes()
    session, _, _ = run("k = 2", MAKE, EACH, lanes=lanes)
    places = {(each.executor, each.pid) for event in events(session, ItemsStarted) for each in event.attempts}
    assert places == {("hands", 4711)}


WIDE = ("%%step a\nx = 1", *(f"%%step b{i} {{options}}\ny{i} = x + {i}" for i in range(4)), "%%step c\nz = y0 + y3")


@pytest.mark.parametrize(("options", "workers", "most"), [("", 3, 3), ("", 1, 1), ("--pool cpu:2", 3, 2)])
def test_whole_steps_share_workers_and_pools(options, workers, most):
    lanes = HandLanes()
    left = [f"b{i}" for i in range(4)]

    def wait():
        # Nothing ends before as many fly as may.
        names = [order.step.name for _, order, _ in lanes.flying]
        if len(names) < min(most, len(left)) and names[0] in left:
            return
        while lanes.flying:
            lanes.end()
        left[:] = [name for name in left if name not in names]

    lanes.step = wait
    cells = [cell.format(options=options) for cell in WIDE]
    session, result, _ = run(*cells, lanes=lanes, means=Means(workers, "hands"))
    assert result.state is RunState.SUCCEEDED
    assert lanes.most == most
    assert value(session, "z") == 5
    assert session.services.evaluator.executed == []
    assert {event.attempt.executor for event in events(session, AttemptStarted)} == {"hands"}
