"""A step with ``--slow`` over fakes: its retries count, and so do its items."""

from __future__ import annotations

import pytest

from nbsteps.core.events import StepSlow
from tests.engine.acting import again, begin


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("--slow 2x", "sleep(seconds[0]); x = 1"),
        ("--slow 2x --retries 1 --retry-delay 8s", "flaky(seconds[1]); sleep(3); x = 1"),
        ("--slow 2x --map n=[1,2,3]", "sleep(seconds[0] / 3); x = n"),
    ],
)
def test_a_step_that_takes_twice_as_long_as_usual_says_so(line, body):
    seconds = [3.0, 0]
    numbers = "%%step numbers --out ns\nns = [1, 2, 3]"
    session = begin(numbers, f"%%step a {line.replace('[1,2,3]', 'ns')} --out x\n{body}", seconds=seconds)
    session.services.evaluator.offered["sleep"] = session.services.clock.sleep
    for _ in range(3):
        assert [type(e) for e in again(session, "a", forced=["a"]).heard.events if isinstance(e, StepSlow)] == []
    seconds[:] = [30.0, 4]  # what was called three times fails once more
    slow = [event for event in again(session, "a", forced=["a"]).heard.events if isinstance(event, StepSlow)]
    assert [event.step for event in slow] == ["a"]
    assert slow[0].seconds > 2 * slow[0].median
