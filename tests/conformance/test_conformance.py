"""Never a wrong hit: every probe, against the whole product."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.collection import PROBES
from tests.conformance.playing import in_kernels, in_processes, in_shell

SHELL = [probe for probe in PROBES if probe.level == "shell"]
PROCESS = [probe for probe in PROBES if probe.level == "process"]
SAMPLED = [probe for probe in PROBES if probe.sampled]
EXCUSED = [probe for probe in PROBES if probe.excused]
WHAT_COUNTS = Path(__file__).parents[2] / "docs" / "explanation" / "what-counts.md"
NAMING_NOTHING = {
    "never ran",
    "result missing",
    "failed last time",
    "cancelled last time",
    "crashed last time",
    "key scheme changed",
}
NAMED = {"values": "constant value changed", "inputs": "input value changed"}
# Notebooks leave files open.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def check(probe, trial, record_property):
    """What the second version came to is what the probe says, and its result what an empty store gives."""
    first, second, empty = trial.first, trial.second, trial.empty
    expected_of_first = "rerun" if probe.expect != "error" else first.outcome
    assert (first.outcome, first.error) == (expected_of_first, ""), "version A runs"
    if probe.expect == "error":
        assert (second.outcome, empty.outcome) == ("error", "error"), second.reasons
        record_property("verdict", ("right", probe.name))
        return
    if trial.again is not None and probe.expect == "rerun":
        unchanged = "rerun" if probe.uncacheable else "restore"
        assert trial.again.outcome == unchanged, f"unchanged, and yet: {trial.again.reasons}"
    assert (empty.outcome, empty.error) == ("rerun", ""), "version B runs on an empty store"
    if probe.differs and probe.expect == "rerun":
        assert first.result != empty.result, "the probe shows nothing: both versions give the same"
    record_property("verdict", verdict_of(probe, second, empty))
    assert second.error == ""
    assert second.result == empty.result, f"wrong result after a {second.outcome}"
    expected = "rerun" if probe.excused else probe.expect
    assert second.outcome == expected, second.reasons
    if expected == "rerun":
        check_reasons(probe, second.reasons)


def check_reasons(probe, reasons):
    """The reasons name what changed, and the value by its name."""
    assert reasons
    assert NAMING_NOTHING.isdisjoint(reasons), reasons
    assert NAMED.get(probe.family, reasons[0]) in reasons


def verdict_of(probe, second, empty):
    if second.result != empty.result:
        return "wrong hit", probe.name
    if probe.expect == "restore" and second.outcome == "rerun":
        return "false miss", f"{probe.name} ({', '.join(second.reasons)})"
    return "right", probe.name


def by_name(probes):
    return pytest.mark.parametrize("probe", probes, ids=lambda probe: probe.name)


@by_name(SHELL)
def test_in_a_shell(probe, shell, ground, record_property):
    check(probe, in_shell(shell, probe, ground), record_property)


@by_name(PROCESS)
def test_in_processes(probe, ground, record_property):
    check(probe, in_processes(probe, ground), record_property)


@pytest.mark.slow
@by_name(SAMPLED)
def test_in_kernels(probe, ground, record_property):
    check(probe, in_kernels(probe, ground), record_property)


def test_there_are_enough_probes_of_each_kind():
    assert len(PROBES) >= 120
    assert sum(probe.expect == "restore" for probe in PROBES) >= 30
    assert {probe.family for probe in SAMPLED} == {probe.family for probe in PROBES}


@by_name(EXCUSED)
def test_a_false_miss_is_explained(probe):
    assert f"`{probe.name}`" in WHAT_COUNTS.read_text(encoding="utf-8")
