"""Notebooks played over fakes: a clock that moves when told to, bodies that fail as often as wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbsteps.core.events import AttemptEnded, AttemptStarted, StepRetrying
from nbsteps.core.model import RunResult
from nbsteps.core.states import GOOD
from nbsteps.engine.session import Session
from nbsteps.testing import FakeEvaluator, MemoryStore, RecordingListener, make_session


@dataclass
class Played:
    """A notebook that was run once."""

    session: Session
    result: RunResult
    errors: Any
    heard: RecordingListener

    @property
    def evaluator(self) -> FakeEvaluator:
        evaluator = self.session.services.evaluator
        assert isinstance(evaluator, FakeEvaluator)
        return evaluator

    @property
    def executed(self) -> list[str]:
        """The steps whose bodies ran, once for each attempt."""
        return self.evaluator.executed

    @property
    def waits(self) -> list[float]:
        """The delays between attempts."""
        return [event.delay for event in self.heard.events if isinstance(event, StepRetrying)]

    @property
    def ended(self) -> list[AttemptEnded]:
        return [event for event in self.heard.events if isinstance(event, AttemptEnded)]

    @property
    def started(self) -> list[AttemptStarted]:
        return [event for event in self.heard.events if isinstance(event, AttemptStarted)]

    def said(self) -> dict[str, str]:
        """Step to its state, and in brackets the reason of those that did not end well."""
        found = {}
        for name, step in self.result.steps.items():
            bare = step.state in GOOD or not step.reason
            found[name] = str(step.state) if bare else f"{step.state}({step.reason})"
        return found

    def value(self, name: str) -> object:
        self.evaluator.materialise([name])
        return self.evaluator.names[name]


class Flaky:
    """Offered to bodies as ``flaky(n)``: fails the first ``n`` times that a body calls it."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, times: int, error: type[Exception] = ValueError) -> int:
        self.calls += 1
        if self.calls <= times:
            message = f"no {self.calls}"
            raise error(message)
        return self.calls


def begin(*cells: str, store: MemoryStore | None = None, **offered: object) -> Session:
    """A fresh kernel with these cells, whose bodies find ``offered`` among the builtins."""
    session = make_session(*cells, store=store)
    evaluator = session.services.evaluator
    assert isinstance(evaluator, FakeEvaluator)
    evaluator.offered |= {"flaky": Flaky(), "cancel": session.cancel, **offered}
    return session


def again(session: Session, *targets: str, **options: Any) -> Played:
    """Run what a kernel holds."""
    heard = RecordingListener()
    session.services.listeners.append(heard)
    result, errors = session.run(targets, **options)
    session.services.listeners.remove(heard)
    return Played(session, result, errors, heard)


def play(*cells: str, store: MemoryStore | None = None, **options: Any) -> Played:
    """Run these cells in a fresh kernel."""
    return again(begin(*cells, store=store), **options)
