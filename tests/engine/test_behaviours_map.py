"""Behaviours 31 to 35 of notes/behaviours.md, through the engine, and what else a map promises."""

import pytest

from nbsteps.core.events import AttemptEnded, ItemsStarted, ItemsSucceeded, Progressed, StepRestored, StepRetrying
from nbsteps.core.states import AttemptState, StepState
from nbsteps.testing import MemoryStore, make_session


class Notebook:
    """A notebook that is run again and again, each time in a new kernel, on one store."""

    def __init__(self, items="[1, 2, 3, 4]", options="", body="y = a * 10", more=(), context="k = 10"):
        self.items, self.options, self.body, self.more, self.context = items, options, body, more, context
        self.store = MemoryStore()

    def run(self, **names):
        make = f"%%step make\nxs = {self.items}"
        each = f"%%step each --map a=xs {self.options}\n{self.body}"
        self.session = make_session(
            self.context, make, each, "%%step total\nt = list(y)", *self.more, store=MemoryStore(self.store)
        )
        self.session.services.evaluator.names.update(names)
        before = len(self.store.events)
        self.result, self.errors = self.session.run()
        self.events = self.store.events[before:]
        return self.result.steps["each"]

    @property
    def executed(self):
        return self.session.services.evaluator.executed.count("each")

    @property
    def state(self):
        return {name: str(step.state) for name, step in self.result.steps.items()}

    @property
    def total(self):
        return self.store.get(self.session.bindings.known("t").artifact)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


def counts(step):
    items = step.items
    return items.total, items.executed, items.restored, items.failed


def test_behaviour_31_a_failed_item_fails_the_step_and_the_others_stay():
    notebook = Notebook(body="if a == 3: raise ValueError('no 3')\ny = a * 10")
    step = notebook.run()
    assert step.state is StepState.FAILED
    assert counts(step) == (4, 4, 0, 1)
    assert notebook.state["total"] == "upstream_failed"
    assert len([pair for event in notebook.of(ItemsSucceeded) for pair in event.done]) == 3
    assert isinstance(notebook.errors["each"], ValueError)
    assert "item 2 (3)" in notebook.errors["each"].__notes__[0]


def test_behaviour_32_a_resume_executes_the_failed_item_only():
    notebook = Notebook(body="if a == 3 and k: raise ValueError('no 3')\ny = a * 10", options="--ignore k")
    assert notebook.run(k=1).state is StepState.FAILED
    step = notebook.run(k=0)
    assert step.state is StepState.SUCCEEDED
    assert counts(step) == (4, 1, 3, 0)
    assert notebook.session.services.evaluator.executed == ["each", "total"]
    assert notebook.total == [10, 20, 30, 40]


@pytest.mark.parametrize(
    ("tolerate", "bad", "state", "reason"),
    [
        ("25%", [2], "succeeded", ""),
        ("25%", [2, 3], "failed", "tolerance_exceeded"),
        ("1", [2], "succeeded", ""),
        ("1", [2, 3], "failed", "tolerance_exceeded"),
        ("100%", [1, 2, 3, 4], "succeeded", ""),
    ],
)
def test_behaviour_33_tolerance(tolerate, bad, state, reason):
    notebook = Notebook(
        body=f"if a in {bad}: raise ValueError(a)\ny = a",
        options=f"--tolerate {tolerate}",
        more=("%%step said\ne = [(each.index, each.error_type) for each in y.errors]",),
    )
    step = notebook.run()
    assert str(step.state) == state
    if state == "failed":
        assert reason in step.reason
        return
    assert notebook.total == [a for a in (1, 2, 3, 4) if a not in bad]
    errors = notebook.store.get(notebook.session.bindings.known("e").artifact)
    assert errors == [(a - 1, "ValueError") for a in bad]


def test_tolerated_failures_are_tried_again():
    notebook = Notebook(body="if a == 3: raise ValueError(a)\ny = a", options="--tolerate 1")
    notebook.run()
    step = notebook.run()
    assert counts(step) == (4, 1, 3, 1)
    assert notebook.state == {"make": "cached", "each": "succeeded", "total": "cached"}


def test_behaviour_34_no_items():
    notebook = Notebook(items="[]")
    assert counts(notebook.run()) == (0, 0, 0, 0)
    assert notebook.state == {"make": "succeeded", "each": "succeeded", "total": "succeeded"}
    assert notebook.total == []
    assert notebook.executed == 0


def test_behaviour_35_only_a_new_item_is_executed():
    notebook = Notebook()
    notebook.run()
    assert notebook.run().state is StepState.CACHED
    notebook.items = "[9, 1, 2, 3, 4]"
    assert counts(notebook.run()) == (5, 1, 4, 0)
    assert notebook.total == [90, 10, 20, 30, 40]
    notebook.items = "[4, 3]"
    assert counts(notebook.run()) == (2, 0, 2, 0)
    assert notebook.total == [40, 30]


@pytest.mark.parametrize(
    ("items", "body", "total"),
    [
        ("(1, 2)", "y = a", [1, 2]),
        ("{'p': 1, 'q': 2}", "y = a", [("p", 1), ("q", 2)]),
        ("range(3)", "y = a + 1", [1, 2, 3]),
        ("[1, 1, 1]", "y = a", [1, 1, 1]),
        ("[1, 1.0, True, '1']", "y = type(a).__name__", ["int", "float", "bool", "str"]),
        ("[None]", "y = a", [None]),
    ],
)
def test_what_can_be_run_over(items, body, total):
    notebook = Notebook(items=items, body=body)
    assert notebook.run().state is StepState.SUCCEEDED
    assert notebook.total == total


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("'text'", "cannot run over xs: it is a str"),
        ("b'text'", "cannot run over xs: it is a bytes"),
        ("7", "cannot run over xs: int is not iterable"),
        ("None", "cannot run over xs: NoneType is not iterable"),
    ],
)
def test_what_cannot(items, message):
    notebook = Notebook(items=items)
    step = notebook.run()
    assert step.state is StepState.FAILED
    assert message in str(notebook.errors["each"])
    assert step.failure.hint == "xs = [xs]"


def zipped(first, second):
    session = make_session(f"%%step make\nps = {first}\nqs = {second}", "%%step each --map p=ps,q=qs\ny = (p, q)")
    result, errors = session.run()
    return session, result.steps["each"], errors


def test_several_variables_go_together():
    session, step, _ = zipped([1, 2], "['a', 'b']")
    assert step.state is StepState.SUCCEEDED
    session.services.evaluator.materialise(["y"])
    assert session.services.evaluator.names["y"] == [(1, "a"), (2, "b")]


def test_several_variables_must_be_equally_long():
    _, step, errors = zipped([1, 2], "['a']")
    assert step.state is StepState.FAILED
    assert "ps has 2, qs has 1" in str(errors["each"])


def test_a_key_identifies_an_item_whatever_else_it_holds():
    notebook = Notebook(
        items="[{'id': 1, 'n': 1}, {'id': 2, 'n': 1}]", options="--map-key \"a['id']\"", body="y = a['n']"
    )
    notebook.run()
    notebook.items = "[{'id': 1, 'n': 5}, {'id': 3, 'n': 7}]"
    assert counts(notebook.run()) == (2, 1, 1, 0)
    assert notebook.total == [1, 7]


@pytest.mark.parametrize(
    ("key", "message"),
    [("a // 10", "the same for item 0 (1) and item 1 (2): 0"), ("a.x", "failed for item 0 (1): AttributeError")],
)
def test_a_key_that_tells_nothing_apart(key, message):
    notebook = Notebook(options=f"--map-key '{key}'")
    assert notebook.run().state is StepState.FAILED
    assert message in str(notebook.errors["each"])
    assert notebook.executed == 0


def test_retries_are_an_items_own():
    body = "seen.append(a)\nif a == 2 and seen.count(2) < 3: raise OSError(a)\ny = a"
    notebook = Notebook(body=body, options="--ignore seen --retries 2 --retry-delay 5s")
    step = notebook.run(seen=[])
    assert step.state is StepState.SUCCEEDED
    assert notebook.session.services.evaluator.names["seen"] == [1, 2, 3, 4, 2, 2]
    assert [event.delay for event in notebook.of(StepRetrying)] == [5, 10]
    ended = [event.attempt for event in notebook.of(AttemptEnded) if event.attempt.item]
    assert [(attempt.attempt, str(attempt.state)) for attempt in ended] == [(1, "failed"), (2, "failed")]
    assert notebook.total == [1, 2, 3, 4]


def labels(notebook):
    """What attempts at items say of them, whatever event tells of it: one pair an item."""
    attempts = [attempt for event in notebook.of(ItemsStarted) for attempt in event.attempts]
    attempts += [attempt for event in notebook.of(ItemsSucceeded) for attempt, _ in event.done]
    attempts += [event.attempt for event in notebook.of(AttemptEnded) if event.attempt.item]
    return sorted({(each.position, each.label) for each in (*attempts, *notebook.of(StepRetrying))})


@pytest.mark.parametrize(
    ("items", "options", "shown"),
    [
        ("['n', 's']", "", [(0, "'n'"), (1, "'s'")]),
        ("{'n': 1, 's': [2]}", "", [(0, "('n', 1)"), (1, "('s', [2])")]),
        ("[{'id': 7, 'n': 1}, {'id': 9, 'n': 1}]", "--map-key \"a['id']\"", [(0, "7"), (1, "9")]),
        ("[{'token': 7}, {'token': 9}]", "--map-key \"a['token']\"", [(0, "***"), (1, "***")]),
    ],
)
def test_attempts_say_which_item_they_are_at(items, options, shown):
    body = "if a not in seen:\n    seen.append(a)\n    raise OSError\ny = a"
    notebook = Notebook(items=items, options=f"--ignore seen --retries 1 {options}", body=body)
    assert notebook.run(seen=[]).state is StepState.SUCCEEDED
    assert labels(notebook) == shown
    assert notebook.of(StepRetrying)


def test_only_items_that_are_executed_are_put_into_words():
    notebook = Notebook(items="['n', 's']", body="y = a")
    notebook.run()
    notebook.items = "['n', 's', 't']"
    notebook.run()
    assert labels(notebook) == [(2, "'t'")]


@pytest.mark.parametrize(
    ("items", "also"),
    [
        ("[7]", ""),
        ("[7, 9]", "; also item 1 (9)"),
        ("range(7, 15)", "; also item 1 (8), item 2 (9), item 3 (10) and 4 more: nbsteps.attempts() has them"),
    ],
)
def test_the_first_failed_items_are_named_in_the_error_and_the_reason(items, also):
    listed = f"[{{'id': n}} for n in {items}]"
    notebook = Notebook(items=listed, options="--map-key \"a['id']\"", body="raise OSError('down')")
    assert notebook.run().failure.message.partition("; ")[2] == f"item 0 (7): down{also}"
    assert notebook.errors["each"].__notes__[0].endswith(f"the first: item 0 (7){also}")


def test_attempts_are_announced_before_they_run():
    notebook = Notebook()
    notebook.run()
    announced = [attempt.item for event in notebook.of(ItemsStarted) for attempt in event.attempts]
    done = [result.item for event in notebook.of(ItemsSucceeded) for _, result in event.done]
    assert announced == done
    assert len(set(done)) == 4
    assert all(
        attempt.state is AttemptState.SUCCEEDED for event in notebook.of(ItemsSucceeded) for attempt, _ in event.done
    )
    assert notebook.of(Progressed)[-1].items.executed == 4


def test_an_interrupt_keeps_what_ended():
    notebook = Notebook(body="if a == 3 and k: raise KeyboardInterrupt\ny = a", options="--ignore k")
    step = notebook.run(k=1)
    assert step.state is StepState.CANCELLED
    assert notebook.state["total"] == "cancelled"
    assert counts(notebook.run(k=0)) == (4, 2, 2, 0)


def test_skipped_items_are_absent_and_no_failures():
    notebook = Notebook(body="import nbsteps\nif a == 3: raise nbsteps.Skip('not today')\ny = a")
    assert notebook.run().state is StepState.SUCCEEDED
    assert notebook.total == [1, 2, 4]


def test_an_item_that_was_skipped_is_asked_again():
    notebook = Notebook(body="import nbsteps\nif a == 3: raise nbsteps.Skip('not today')\ny = a")
    notebook.run()
    step = notebook.run()
    assert step.state is StepState.SUCCEEDED
    assert counts(step) == (4, 1, 3, 0)
    assert "1 of 4 items were skipped by the body" in "\n".join(step.reasons)


def test_what_an_item_leaves_behind_is_not_there_for_the_next():
    body = "k = k + 1\ny = k"
    notebook = Notebook(body=body, options="--out y", context="")
    session = make_session("%%step make\nxs = [1, 2]\nk = 0", f"%%step each --map a=xs --out y\n{body}")
    session.run()
    session.services.evaluator.materialise(["y"])
    assert session.services.evaluator.names["y"] == [1, 1]
    assert notebook.items


def test_the_loop_variable_is_the_users_again():
    notebook = Notebook()
    notebook.run(a="mine")
    assert notebook.session.services.evaluator.names["a"] == "mine"
    notebook = Notebook()
    notebook.run()
    assert "a" not in notebook.session.services.evaluator.names


@pytest.mark.parametrize(
    ("items", "body", "changed"),
    [("[[1], [2]]", "a.append(0)\ny = 1", "a"), ("[1, 2]", "shared.append(a)\ny = 1", "shared")],
)
def test_changing_an_input_in_place_is_an_error(items, body, changed):
    session = make_session(f"%%step make\nxs = {items}\nshared = []", f"%%step each --map a=xs\n{body}")
    result, errors = session.run()
    assert result.steps["each"].state is StepState.FAILED
    assert f"changed its input {changed} in place" in str(errors["each"])
    done = [event for event in session.services.store.events if isinstance(event, ItemsSucceeded)]
    assert not done


def test_what_cannot_be_stored_stays_in_the_kernel():
    notebook = Notebook(body="y = (i for i in ()) if a == 2 else a")
    session = make_session("%%step make\nxs = [1, 2]", f"%%step each --map a=xs\n{notebook.body}")
    session.run()
    value = session.services.evaluator.names["y"]
    assert value[0] == 1
    assert not isinstance(value[1], int)
    result, _ = session.run()
    assert result.steps["each"].state is StepState.SUCCEEDED


@pytest.mark.parametrize(("items", "executed"), [("[1, 1]", 2), ("[1, 2]", 2)])
def test_without_a_cache_every_item_runs(items, executed):
    notebook = Notebook(items=items, options="--cache off")
    notebook.run()
    notebook.run()
    assert notebook.executed == executed


def test_output_of_restored_items_is_shown_again_in_item_order():
    notebook = Notebook(body="print(a)\ny = a")
    notebook.run()
    notebook.items = "[1, 2, 9, 3]"
    notebook.run()
    replayed = [display["text"] for group in notebook.session.services.evaluator.replayed for display in group]
    assert replayed == ["1\n", "2\n", "3\n"]
    notebook.run()
    replayed = "".join(d["text"] for group in notebook.session.services.evaluator.replayed for d in group)
    assert notebook.state["each"] == "cached"
    result = notebook.result.steps["each"]
    shown = notebook.store.get(notebook.store.find(result.key)[0].displays)
    assert "".join(display["text"] for display in shown) == "1\n2\n9\n3\n"


def test_a_time_for_all_of_it_ends_the_map():
    body = "clock.sleep(40)\ny = a"
    notebook = Notebook(body=body, options="--ignore clock --total-timeout 60s")
    session_clock = {}

    class Clock:
        def sleep(self, seconds):
            session_clock["clock"].sleep(seconds)

    make = make_session("", "%%step make\nxs = [1, 2, 3]", f"%%step each --map a=xs {notebook.options}\n{body}")
    session_clock["clock"] = make.services.clock
    make.services.evaluator.names["clock"] = Clock()
    result, errors = make.run()
    step = result.steps["each"]
    assert step.state is StepState.FAILED
    assert step.reason.startswith("total_timeout")
    assert "no end after 60 s over all attempts and waits" in str(errors["each"])
    assert counts(step) == (3, 2, 0, 0)


def test_why_a_tolerated_failure_runs_again_and_what_cannot_be_kept():
    failing = Notebook(body="if a == 3: raise ValueError(a)\ny = a", options="--tolerate 1")
    failing.run()
    assert failing.session.why("each").text == "1 of 4 items, uncacheable: 1 of 4 items failed, which --tolerate allows"
    reading = Notebook(body="y = iter([a])", more=("%%step late\nz = iter([1])",))
    reading.run()
    for name, seen in (("each", "output y: list_iterator"), ("late", "output z: list_iterator"), ("total", "y: list")):
        said = reading.session.why(name).text
        assert seen in said, name
        assert "has no content digest: reading an iterator" in said, name


def test_a_restored_map_says_how_many_items_it_is_of():
    notebook = Notebook(body="y = a")
    assert counts(notebook.run()) == (4, 4, 0, 0)
    step = notebook.run()
    assert step.state is StepState.CACHED
    assert counts(step) == (4, 0, 4, 0)
    assert [event.items for event in notebook.events if isinstance(event, StepRestored) and event.items] == [step.items]
