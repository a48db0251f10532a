"""What the nouns say of themselves."""

from __future__ import annotations

import pytest

from nbsteps.core.model import Run, RunResult, StepRun
from nbsteps.core.states import RunState, StepState


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ((), "no steps"),
        (("cached", "succeeded", "cached"), "2 cached, 1 succeeded"),
        (("failed", "upstream_failed", "succeeded"), "1 failed, 1 succeeded, 1 upstream_failed"),
    ],
)
def test_a_run_result_is_one_short_line(states: tuple[str, ...], said: str) -> None:
    steps = {f"s{i}": StepRun(f"s{i}", StepState(state), "a reason " * 50) for i, state in enumerate(states)}
    result = RunResult(Run("r1", "a.ipynb", "api", 0.0, "host", 1, "user", state=RunState.FAILED), steps)
    assert repr(result) == f"<RunResult r1 of a.ipynb: failed ({said})>"
