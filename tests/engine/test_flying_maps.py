"""Maps beside other steps: nobody waits for somebody else's items, and workers and pools are never exceeded."""

import re

import pytest

from nbsteps.core.events import AttemptEnded, ItemsStarted, ItemsSucceeded, Progressed, Warned
from nbsteps.core.states import StepState
from nbsteps.engine.capacity import Means
from nbsteps.testing import MemoryStore
from tests.engine.simulated import MEANS, Sim

MAKE = "%%step make\nxs = list(range({count}))"
ITEM = "%%step each --map a=xs {options}\nwork(f'item {{a}}', {seconds})\ny = a"


def cells(*others, count=4, options="", seconds=1, before=""):
    each = ITEM.format(options=options, seconds=seconds).replace("\nwork", f"\n{before}\nwork" if before else "\nwork")
    return (MAKE.format(count=count), each, *others)


def play(sim, session, means, **options):
    start = sim.clock.time
    result, errors = session.run(means=means, **options)
    return result, errors, sim.clock.time - start


def start_of(sim, who):
    return next(spell.start for spell in sim.spells if spell.who == who)


def states(result):
    return {name: str(step.state) for name, step in result.steps.items()}


@pytest.mark.parametrize(
    ("means", "count", "most"),
    [
        (Means(2), 4, 11),  # items in two workers beside b in the kernel
        (Means(2, "simulated"), 2, 16),  # three bodies of 5, 5 and 10 seconds on two workers
        (Means(3, "simulated"), 2, 11),
        (Means(1), 4, 31),
    ],
)
def test_other_steps_go_on_while_a_map_runs(means, count, most):
    sim = Sim()
    session = sim.begin(*cells("%%step b\nwork('b', 10)\nz = 1", "%%step c\nw = y, z", count=count, seconds=5))
    result, _, took = play(sim, session, means)
    assert set(states(result).values()) == {"succeeded"}
    assert took <= most
    session.services.evaluator.materialise(["w"])
    assert session.services.evaluator.names["w"] == (list(range(count)), 1)


@pytest.mark.parametrize("means", MEANS.values(), ids=MEANS)
@pytest.mark.parametrize(("slots", "options"), [(1, ""), (2, ""), (3, ""), (3, "--max-parallel 2")])
def test_a_pool_is_never_exceeded(means, slots, options):
    sim = Sim()
    pool = f"--pool db:{slots}"
    others = [f"%%step b{i} {pool}\nwork('in b{i}', 3)\nz{i} = 1" for i in range(3)]
    second = f"%%step more --map a=xs {pool}\nwork(f'in {{a}}', 1)\nq = a"
    session = sim.begin(*cells(*others, second, count=6, options=f"{pool} {options}"))
    result, _, _ = play(sim, session, means)
    assert set(states(result).values()) == {"succeeded"}
    assert sim.most_at_once("item", "in") <= slots
    assert sim.most_at_once() <= means.workers + (0 if means.executor else 1)
    assert len(sim.spells) == 15
    assert sim.most_at_once("item") <= (2 if options else slots)


def test_neither_many_items_nor_many_steps_keep_the_other_waiting():
    sim = Sim()
    steps = [f"%%step b{i}\nwork('b{i}', 1)\nz{i} = 1" for i in range(10)]
    session = sim.begin(*cells(*steps, count=40, seconds=1))
    result, _, took = play(sim, session, Means(2, "simulated"))
    assert set(states(result).values()) == {"succeeded"}
    began = sim.spells[0].start
    assert start_of(sim, "b9") - began <= 20, "the map takes one lane at a time"
    assert start_of(sim, "item 8") - began <= 20, "steps take turns with it"
    assert took <= 28


class Dawdling:
    """Takes a second whenever items are announced: on a busy machine a worker may be back before the loop goes on."""

    def __init__(self, sim):
        self.sim = sim

    def emit(self, event):
        if isinstance(event, ItemsStarted):
            self.sim.pass_time(1)


def test_a_step_that_is_ready_stands_in_line_before_a_map_asks_for_another_worker():
    sim = Sim()
    each = "%%step each --map a=xs\nwork(f'item {a}', 60 if a > 0 else 1)\ny = a"
    session = sim.begin(MAKE.format(count=4), each, "%%step b --in xs\nwork('b', 1)\nz = xs")
    session.services.listeners.append(Dawdling(sim))
    result, _, _ = play(sim, session, Means(2, "simulated"))
    assert set(states(result).values()) == {"succeeded"}
    assert start_of(sim, "b") < start_of(sim, "item 2")
    assert start_of(sim, "b") - sim.spells[0].start < 10


@pytest.mark.parametrize("means", [MEANS["kernel"], MEANS["workers"]], ids=["kernel", "workers"])
def test_an_item_that_waits_for_its_retry_keeps_nobody_waiting(means):
    sim = Sim()
    failing = "if a == 1 and flaky(): raise OSError(a)"
    options = "--retries 1 --retry-delay 60s"
    session = sim.begin(
        *cells("%%step b\nwork('b', 5)\nz = 1", options=options, before=failing),
        flaky=lambda left=[1]: left and left.pop(),
    )
    result, _, took = play(sim, session, means)
    assert set(states(result).values()) == {"succeeded"}
    assert start_of(sim, "b") - sim.spells[0].start < 10
    assert 60 <= took < 70


def test_a_retry_that_is_due_has_its_turn_between_two_items():
    sim = Sim()
    flaky = "%%step b --retries 1 --retry-delay 5s\nwork('b', 1)\nif flaky(): raise OSError\nz = 1"
    make, each = cells(count=10, seconds=2)
    session = sim.begin(make, flaky, each, flaky=lambda left=[1]: left and left.pop())
    result, _, _ = play(sim, session, Means(1))
    assert set(states(result).values()) == {"succeeded"}
    first, second = (spell.start for spell in sim.spells if spell.who == "b")
    assert 5 <= second - first <= 9


FAILING = "if a == 2: raise ValueError(a)"


@pytest.mark.parametrize("means", MEANS.values(), ids=MEANS)
@pytest.mark.parametrize(
    ("options", "fail_fast", "executed", "state", "reason"),
    [
        ("", False, 12, "failed", "ValueError"),
        ("", True, 6, "failed", "ValueError"),
        ("--tolerate 1", True, 12, "succeeded", ""),
        ("--tolerate 50%", True, 12, "succeeded", ""),
        ("--tolerate 5%", True, 6, "failed", "tolerance_exceeded"),
        ("--retries 1 --retry-delay 1s", True, 11, "failed", "retries_exhausted"),
        ("--max-parallel 1", True, 4, "failed", "ValueError"),
        ("--timeout 5s", True, 6, "failed", "ValueError"),
        ("--pool db:1", True, 4, "failed", "ValueError"),
    ],
)
def test_failing_fast_stops_a_map_as_soon_as_nothing_can_save_it(means, options, fail_fast, executed, state, reason):
    sim = Sim()
    session = sim.begin(*cells(count=12, options=options, before=FAILING))
    result, _, _ = play(sim, session, means, fail_fast=fail_fast)
    step = result.steps["each"]
    assert str(step.state) == state
    assert reason in step.reason or reason in str(step.failure)
    assert step.items.executed <= executed
    if executed < 12:
        assert step.items.executed < 12
        assert "were not executed (--fail-fast)" in step.failure.message
    check_resumed(sim, session, means, failing=1)


def check_resumed(sim, session, means, *, failing=0):
    """A new run executes what is missing and nothing else: each item once, the failing ones again."""
    before = sim.times()
    session.run(means=means)
    after = sim.times()
    done = {who for who, times in before.items() if who.startswith("item")}
    assert all(after[who] == before[who] for who in done)
    assert sum(who.startswith("item") for who in after) == 12 - failing


@pytest.mark.parametrize("means", MEANS.values(), ids=MEANS)
def test_a_step_that_fails_elsewhere_stops_the_map_if_the_run_fails_fast(means):
    sim = Sim()
    bad = "%%step bad --retries 1 --retry-delay 3s\nwork('bad', 1)\nif yes: raise ValueError"
    session = sim.begin("yes = True", bad, *cells(count=12, seconds=1))
    result, _, _ = play(sim, session, means, fail_fast=True)
    assert states(result) == {"bad": "failed", "make": "succeeded", "each": "cancelled"}
    assert result.steps["each"].reason == "step bad failed (--fail-fast)"
    started, ended = ended_attempts(session)
    assert started == ended
    assert 1 <= result.steps["each"].items.executed < 12
    session.services.evaluator.names["yes"] = False
    before = sim.times()
    result, _ = session.run(["each"], means=means)
    assert states(result)["each"] == "succeeded"
    assert {who for who in before if who.startswith("item")}.isdisjoint(
        who for who, times in sim.times().items() if times > 1
    )


def ended_attempts(session):
    events = session.services.store.events
    started = sum(len(event.attempts) for event in events if isinstance(event, ItemsStarted))
    done = sum(len(event.done) for event in events if isinstance(event, ItemsSucceeded))
    ended = sum(isinstance(event, AttemptEnded) and bool(event.attempt.item) for event in events)
    return started, done + ended


@pytest.mark.parametrize("means", MEANS.values(), ids=MEANS)
@pytest.mark.parametrize(
    ("options", "at"),
    [
        ("", 3),
        ("--max-parallel 1", 3),
        ("--timeout 9s", 3),
        ("--total-timeout 90s", 3),
        ("--tolerate 1", 3),
        ("--retries 2 --retry-delay 50s", 20),  # everything but one item has ended, and that one waits
    ],
)
def test_a_wish_to_end_keeps_what_ended_and_leaves_the_rest_for_the_next_run(means, options, at):
    sim = Sim()
    waits = "retries" in options
    session = sim.begin(
        *cells(count=12, options=options, before="if a == 2 and flaky(): raise OSError" if waits else ""),
        flaky=lambda left=[1]: left and left.pop(),
    )
    until = sim.clock.time + at
    sim.hook = lambda: sim.clock.time >= until and session.services.cancel.ask()
    session.services.evaluator.interrupt = lambda: None
    result, errors, took = play(sim, session, means)
    assert states(result)["each"] == "cancelled"
    assert isinstance(errors[""], KeyboardInterrupt)
    assert took <= at + 2
    started, ended = ended_attempts(session)
    assert started == ended
    assert not sim.flying
    sim.hook = lambda: None
    stored = result.steps["each"].items.executed
    assert stored >= 1
    sim.spells.clear()
    result, _, _ = play(sim, session, means)
    assert states(result)["each"] == "succeeded"
    assert result.steps["each"].items.restored == stored
    assert len(sim.spells) == 12 - stored


@pytest.mark.parametrize("kills", [True, False], ids=["processes", "threads"])
@pytest.mark.parametrize(
    ("options", "attempts", "failed", "reason"),
    [
        ("--timeout 2s --tolerate 100%", 1, 1, ""),
        ("--timeout 2s --retries 2 --retry-delay 0s --tolerate 100%", 3, 1, ""),
        ("--timeout 2s", 1, 1, "timeout"),
        ("--timeout 2s --total-timeout 90s --retries 1 --retry-delay 0s", 2, 1, "retries_exhausted"),
        ("--timeout 9s --total-timeout 8s", 1, 1, "total_timeout"),
        ("--total-timeout 8s", 1, 1, "total_timeout"),
        ("--total-timeout 8s --max-parallel 2 --tolerate 1", 1, 1, "total_timeout"),
    ],
)
def test_time_limits_on_workers(options, attempts, failed, reason, kills):
    sim = Sim(kills=kills)
    make = "%%step make\nxs = [1, 1.5, 20, 0.5]"
    session = sim.begin(make, f"%%step each --map a=xs {options}\nwork(f'item {{a}}', a)\ny = a")
    result, errors, took = play(sim, session, Means(2))
    step = result.steps["each"]
    assert reason in step.reason
    if reason == "total_timeout":
        assert "no end after 8 s over all attempts and waits" in str(errors["each"])
    assert str(step.state) == ("failed" if reason else "succeeded")
    assert step.items.failed == failed
    assert sim.times()["item 20"] == attempts
    assert sim.times()["item 0.5"] == 1
    assert sim.most_at_once() <= 2
    assert took <= (12 if kills or attempts == 1 else 65)
    warned = [event for event in session.services.store.events if isinstance(event, Warned)]
    assert kills == (not warned)
    assert all("goes on: its worker" in event.message for event in warned)


@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("whole", [False, True], ids=["an item", "a step"])
def test_a_worker_that_dies_takes_one_body_with_it_and_says_which(retries, whole):
    sim = Sim(deadly={"item 3"})
    each = "work(f'item {a}')\ny = a" if not whole else "work('item 3')\ny = 3"
    options = f"--retries {retries} --retry-delay 0s" + ("" if whole else " --map a=xs --tolerate 1")
    session = sim.begin("%%step make\nxs = list(range(8))", f"%%step each {options}\n{each}", "%%step b\nz = 1")
    result, errors, _ = play(sim, session, Means(2, "simulated"))
    assert states(result)["b"] == "succeeded"
    if whole:
        message = str(errors["each"])
    else:
        assert states(result)["each"] == "succeeded"
        session.services.evaluator.materialise(["y"])
        message = session.services.evaluator.names["y"].errors[0].message
    which = "step each" if whole else r"item 3 \(3\) of step each"
    assert re.search(rf"the worker process died \(memory ran out, as a rule\) while it executed {which}", message)
    alone = [spell for spell in sim.spells if spell.who == "item 3"]
    assert len(alone) - (0 if whole else 1) <= retries + 1
    started, ended = ended_attempts(session)
    assert started == ended


def test_what_cannot_be_sent_is_executed_in_the_kernel_while_others_fly():
    sim = Sim(unsendable={"k"})
    before = "k"
    others = [f"%%step b{i}\nwork('b{i}', 2)\nz{i} = 1" for i in range(3)]
    session = sim.begin("k = 1", *cells(*others, count=4, before=before, seconds=2))
    result, _, took = play(sim, session, Means(2, "simulated"))
    assert set(states(result).values()) == {"succeeded"}
    assert {spell.away for spell in sim.spells if spell.who.startswith("item")} == {False}
    assert {spell.away for spell in sim.spells if spell.who.startswith("b")} == {True}
    assert took <= 11


def test_the_progress_of_items_and_steps_elsewhere_is_told():
    sim = Sim()
    each = "%%step each --map a=xs\nprogress(a, 10)\nwork('item', 1)\ny = a"
    session = sim.begin("progress = print", "%%step make\nxs = [1, 2]", each, "%%step b\nprogress(7, 8)\nz = 1")
    result, _, _ = play(sim, session, Means(2, "simulated"))
    assert set(states(result).values()) == {"succeeded"}
    told = [event for event in session.services.store.events if isinstance(event, Progressed)]
    assert (7, 8) in {(event.done, event.total) for event in told if event.step == "b"}
    assert "item 0 (1): 1 of 10" in {event.text for event in told if event.step == "each"}


def test_a_map_is_finished_by_another_kernel_after_a_cancel():
    store = MemoryStore()
    first = Sim()
    session = first.begin(*cells(count=12), store=MemoryStore(store))
    first.hook = lambda: len(first.spells) >= 6 and session.services.cancel.ask()
    session.services.evaluator.interrupt = lambda: None
    result, _, _ = play(first, session, Means(2))
    assert result.steps["each"].state is StepState.CANCELLED
    second = Sim()
    result, _, _ = play(second, second.begin(*cells(count=12), store=MemoryStore(store)), Means(1))
    assert result.steps["each"].state is StepState.SUCCEEDED
    assert len(second.spells) == result.steps["each"].items.executed < 12


@pytest.mark.parametrize("means", [MEANS["workers"], MEANS["all on workers"]], ids=["items", "steps"])
def test_nobody_waits_for_workers_that_start(means):
    sim = Sim(boot=3.0)
    away = (
        cells(count=4, seconds=1) if not means.executor else (MAKE.format(count=4), "%%step each\nwork('item')\ny = 1")
    )
    here = "%%step b\nwork('b', 2)\nz = 1"
    session = sim.begin(*away, here)
    result, _, took = play(sim, session, means)
    assert set(states(result).values()) == {"succeeded"}
    if not means.executor:
        assert start_of(sim, "b") < start_of(sim, "item 0")
    assert took <= 9


@pytest.mark.parametrize("head", ["%%step each --map a=xs --total-timeout 2s", "%%step each --total-timeout 2s"])
def test_to_wait_for_a_worker_costs_nothing_of_the_time_for_all_attempts(head):
    sim = Sim(boot=30.0)
    session = sim.begin("%%step make\nxs = [1]", f"{head}\nwork('item', 1)\ny = 1")
    result, _, took = play(sim, session, Means(2, "simulated"))
    assert set(states(result).values()) == {"succeeded"}
    assert took >= 30
