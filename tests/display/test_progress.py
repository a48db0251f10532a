"""A run as plain lines."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from nbsteps.core.approvals import Request, Verdict
from nbsteps.core.events import (
    Accepted,
    ApprovalDecided,
    AttemptEnded,
    AttemptStarted,
    Cleared,
    ContextExecuted,
    ItemsStarted,
    ItemsSucceeded,
    Progressed,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepRetrying,
    StepSlow,
    StepStarted,
    StepSucceeded,
    StepWaiting,
    Warned,
)
from nbsteps.core.model import Attempt, Failure, ItemCounts, Result, Run
from nbsteps.core.states import ApprovalState, AttemptState, RunState, StepState
from nbsteps.display.progress import ProgressLines
from nbsteps.display.standing import SIGNS, STALE, WORDS

RESULT = Result("k", "s", "nb", "clean", "r", {}, (), duration=2.1)


def attempt(number=1, failure=None, item=""):
    state = AttemptState.RUNNING if failure is None else AttemptState.FAILED
    return Attempt("r", "clean", number, 0.0, "main", "h", 1, item=item, state=state, failure=failure)


def decided(state, by="", comment=""):
    return ApprovalDecided(0, "r", "nb", "clean", Verdict("q", state, 0.0, by, comment))


def check(events, *lines):
    """These events are written as these lines."""
    written = list[str]()
    progress = ProgressLines(written.append)
    for event in events:
        progress.emit(event)
    assert written == [f"{line}\n" for line in lines]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (StepStarted(0, "r", "clean", "k", ("code changed", "f changed")), "▸ clean running: code changed, f changed"),
        (StepStarted(0, "r", "clean", "k", ()), "▸ clean running"),
        (StepSucceeded(0, attempt(), RESULT), "✓ clean succeeded in 2.1s"),
        (StepSucceeded(0, attempt(), RESULT, ("c: open",)), "✓ clean succeeded in 2.1s: not cached: c: open"),
        (StepRestored(0, "r", "clean", "k", 31.0), "○ clean restored, spared 31s"),
        (StepEnded(0, "r", "clean", StepState.FAILED, "ValueError: x\nmore"), "✗ clean failed: ValueError: x ..."),
        (StepEnded(0, "r", "c", StepState.UPSTREAM_FAILED, "step a failed"), "← c upstream failed: step a failed"),
        (StepEnded(0, "r", "clean", StepState.CANCELLED, "interrupted"), "■ clean cancelled: interrupted"),
        (ContextExecuted(0, "r", "cell 3", 0.2), "✓ cell 3 executed in 0.2s"),
        (Cleared(0, "nb", "clean"), "◌ clean forgotten"),
        (
            StepSucceeded(0, attempt(), RESULT, (), ItemCounts(9, 6, 2, 1)),
            "✓ clean succeeded in 2.1s, 9 items (6 executed, 2 restored, 1 failed)",
        ),
        (
            StepEnded(0, "r", "clean", StepState.FAILED, "too many failed", (), ItemCounts(1, 1, 0, 1)),
            "✗ clean failed, 1 item (1 executed, 1 failed): too many failed",
        ),
        (StepRetrying(0, "r", "clean", 1, 0.0, 0.0), "↻ clean retrying, attempt 2"),
        (StepRetrying(0, "r", "clean", 1, 3.0, 3.0, "x"), "↻ clean item x retrying in 3.0s, attempt 2"),
        (
            StepRetrying(0, "r", "clean", 1, 3.0, 3.0, "7178a67e578d"),
            "↻ clean item 7178a67e retrying in 3.0s, attempt 2",
        ),
        (
            StepRetrying(0, "r", "clean", 1, 3.0, 3.0, "7178a67e578d", 37, "'a.csv'"),
            "↻ clean item 37 ('a.csv') retrying in 3.0s, attempt 2",
        ),
        (StepSlow(0, "r", "clean", 90, 40), "! warning: clean: takes longer than usual: 1m 30s so far, 40s as a rule"),
        (decided(ApprovalState.APPROVED, "dana", "fine"), "✓ clean approved by dana: fine"),
        (decided(ApprovalState.EXPIRED), "» clean expired"),
        (Accepted(0, "nb", "clean", RESULT, ("code changed",)), "○ clean accepted as it is stored: code changed"),
        (Warned(0, "r", "clean", "uncacheable: conn"), "! warning: clean: uncacheable: conn"),
        (Warned(0, "r", "", "store is slow"), "! warning: store is slow"),
    ],
)
def test_one_event_is_one_line(event, line):
    check([event], line)


@pytest.mark.parametrize(
    "event",
    [
        RunStarted(0, Run("r", "nb", "magic", 0, "h", 1, "u"), ("clean",)),
        RunEnded(0, "r", RunState.SUCCEEDED),
        AttemptStarted(0, attempt()),
        AttemptEnded(0, attempt(failure=Failure("ValueError", "x"))),
        AttemptStarted(0, attempt(2)),
        ItemsStarted(0, "r", "clean", (attempt(item="a"),)),
        ItemsSucceeded(0, "r", "clean", ((attempt(item="a"), RESULT),)),
        Progressed(0, "r", "clean", 3),
    ],
)
def test_what_other_lines_say_is_not_said_twice(event):
    check([event])


def test_a_failure_comes_with_its_mend():
    ended = AttemptEnded(0, attempt(failure=Failure("StepError", "no x", hint="assign x")))
    check([ended, StepEnded(0, "r", "clean", StepState.FAILED, "StepError: no x")],
          "✗ clean failed: StepError: no x", "    assign x")  # fmt: skip


def test_a_second_attempt_says_what_ended_the_first():
    ended = AttemptEnded(0, attempt(failure=Failure("OSError", "busy")))
    check([ended, StepRetrying(0, "r", "clean", 1, 0.5, 9)],
          "↻ clean retrying in 0.5s, attempt 2: after OSError: busy")  # fmt: skip


def lost(position, number=1):
    failure = Failure("ValueError", f"bad {position}\nmore")
    return AttemptEnded(0, replace(attempt(number, failure, f"k{position}"), position=position, label=f"'{position}'"))


def again(position):
    return StepRetrying(0, "r", "clean", 1, 0.0, 0.0, f"k{position}", position, f"'{position}'")


@pytest.mark.parametrize(
    ("end", "line"),
    [
        (StepSucceeded(0, attempt(), RESULT), "✓ clean succeeded in 2.1s"),
        (StepEnded(0, "r", "clean", StepState.FAILED, "too many"), "✗ clean failed: too many"),
    ],
)
def test_items_that_failed_in_the_end_are_named(end, line):
    retried = "↻ clean item 3 ('3') retrying, attempt 2: after ValueError: bad 3 ..."
    other = ItemsStarted(0, "r", "clean", (attempt(2, item="k3"),))
    check([lost(2), lost(3), again(3), other, end], retried, line, "    item 2 ('2') failed: ValueError: bad 2 ...")
    check([lost(3), again(3), other, lost(3, 2), end], retried, line, "    item 3 ('3') failed: ValueError: bad 3 ...")


def test_of_many_failed_items_the_first_are_named():
    named = [f"    item {n} ('{n}') failed: ValueError: bad {n} ..." for n in range(10)]
    end = StepEnded(0, "r", "clean", StepState.FAILED, "too many")
    more = "    990 more items failed: nbsteps.attempts() has them"
    check([*map(lost, range(1000)), end, end], "✗ clean failed: too many", *named, more, "✗ clean failed: too many")


def test_a_request_for_approval_says_what_to_type():
    asked = StepWaiting(0, "r", "clean", Request("q", "nb", "r", "clean", "k", "Publish?", 0.0))
    check([asked], "◆ clean needs approval: Publish?", "    %pipeline approve clean")


def test_progress_is_a_line_for_each_quarter():
    events = [Progressed(0, "r", "clean", done, 1000) for done in range(1, 1001)]
    check(events, "▸ clean 250/1000", "▸ clean 500/1000", "▸ clean 750/1000")


def test_a_warning_comes_with_its_mend():
    check([Warned(0, "r", "a", "uncacheable: c", "--ignore c")], "! warning: a: uncacheable: c", "    --ignore c")


def test_a_stream_that_knows_no_marks_does_not_end_the_run():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    ProgressLines(stream.write).emit(StepRestored(0, "r", "clean", "k", 1.0))
    stream.flush()
    assert raw.getvalue() == b"? clean restored, spared 1.0s\n"


def test_nothing_written_drives_a_terminal():
    check([StepStarted(0, "r", "\x1b[2J", "k", ("\x07",))], "▸ \ufffd[2J running: \ufffd")


def test_every_state_has_a_word_and_a_mark_of_its_own():
    states = {*StepState, STALE}
    assert set(WORDS) == set(SIGNS) == states
    assert len(set(SIGNS.values())) == len(set(WORDS.values())) == len(states)
