"""What a run has come to so far, and the one place where a step's state changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from nbsteps.core.approvals import Request
from nbsteps.core.events import StepEnded
from nbsteps.core.model import Result, StepRun
from nbsteps.core.states import GOOD, TERMINAL, StepState, advance
from nbsteps.engine.services import Services


class Tracker:
    """The standing of one run's steps.

    Attributes:
        steps: what became of each step that ended or waits for a person.
        results: results of the steps that succeeded or were restored.
        errors: the exceptions of the steps that failed; ``""`` holds an interrupt.
        states: where each step stands that has left ``pending``.
        chosen: members of branch groups whose condition was true.
        before: how other steps ended before this run, for one that is taken alone.
        on_end: called with name and state of each step that ends.
    """

    def __init__(self, services: Services, run_id: str) -> None:
        self._services = services
        self.run_id = run_id
        self.steps: dict[str, StepRun] = {}
        self.results: dict[str, Result] = {}
        self.errors: dict[str, BaseException] = {}
        self.states: dict[str, StepState] = {}
        self.chosen: set[str] = set()
        self.before: Mapping[str, StepRun] = {}
        self.on_end: Callable[[str, StepState], None] = lambda _name, _state: None

    def state(self, name: str) -> StepState:
        """Where a step stands."""
        return self.states.get(name, StepState.PENDING)

    def standing(self) -> Mapping[str, StepState]:
        """How steps stand, those that ended before this run too where it was said."""
        if not self.before:
            return self.states
        return {name: done.state for name, done in self.before.items()} | self.states

    def over(self, name: str) -> bool:
        """Whether a step has ended."""
        return self.states.get(name) in TERMINAL

    def move(self, name: str, *states: StepState) -> None:
        """Take a step through states; one that it is in already is left out."""
        current = self.state(name)
        for state in states:
            if state is not current:
                current = self.states[name] = advance(current, state)

    def good(self, done: StepRun, result: Result) -> StepRun:
        """A step has its result. Its event was emitted with the result."""
        self.results[done.step] = result
        self.errors.pop(done.step, None)
        return self._end(done)

    def end(self, name: str, state: StepState, reason: str, **more: object) -> StepRun:
        """A step ends without a result."""
        now = self._services.clock.now()
        done = replace(StepRun(name, state, reason, ended_at=now), **more)  # type: ignore[arg-type]
        self._services.emit(StepEnded(now, self.run_id, name, state, reason, done.reasons, done.items))
        return self._end(done)

    def _end(self, done: StepRun) -> StepRun:
        self.move(done.step, done.state)
        self.steps[done.step] = done
        self.on_end(done.step, done.state)
        return done

    def wait(self, name: str, request: Request) -> StepRun:
        """A step waits for a person."""
        self.move(name, StepState.WAITING)
        waiting = StepRun(name, StepState.WAITING, request.message, key=request.key, request=request)
        self.steps[name] = waiting
        return waiting

    def reopen(self, name: str) -> None:
        """Forget how a step stood: it rested on a stored value that turned out to be damaged."""
        self.states.pop(name, None)
        self.steps.pop(name, None)
        self.results.pop(name, None)

    def cancel(self, names: Iterable[str], reason: str) -> None:
        """Those of the steps that have not ended are cancelled."""
        for name in names:
            if not self.over(name):
                self.end(name, StepState.CANCELLED, reason)

    def bad(self, name: str) -> bool:
        """Whether a step ended otherwise than well."""
        return self.over(name) and self.states[name] not in GOOD
