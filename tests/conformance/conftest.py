"""The shell that probes share, and the sum that stands at the end."""

from __future__ import annotations

import pytest

from tests.conformance.playing import Ground, Shell


@pytest.fixture(scope="module")
def shell():
    made = Shell()
    yield made
    made.close()


@pytest.fixture
def ground(tmp_path):
    return Ground(tmp_path)


KINDS = (("wrong hit", "wrong hits"), ("false miss", "false misses"))


def pytest_terminal_summary(terminalreporter):
    """How often the cache was wrong, and how often it missed what it could have had."""
    verdicts = [tuple(each) for report in _reports(terminalreporter) for each in _verdicts(report)]
    if not verdicts:
        return
    counts = ", ".join(f"{sum(kind == each for each, _ in verdicts)} {kinds}" for kind, kinds in KINDS)
    terminalreporter.section("conformance")
    terminalreporter.line(f"{len(verdicts)} probes executed: {counts}")
    for kind, text in sorted(verdicts):
        if kind != "right":
            terminalreporter.line(f"{kind}: {text}")


def _reports(terminalreporter):
    return [
        r for key in ("passed", "failed") for r in terminalreporter.stats.get(key, ()) if hasattr(r, "user_properties")
    ]


def _verdicts(report):
    return [value for name, value in report.user_properties if name == "verdict"]
