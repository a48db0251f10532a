"""The loop of one run: whatever is ready is taken; a delay, a person or another process keeps nothing else waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Final

from nbsteps.core import rules
from nbsteps.core.errors import StoreError
from nbsteps.core.events import RunEnded, RunStarted
from nbsteps.core.graph import Graph
from nbsteps.core.model import Run, RunResult, Step, StepRun
from nbsteps.core.rules import Ruling
from nbsteps.core.states import GOOD, RunState, StepState
from nbsteps.engine.agenda import Agenda
from nbsteps.engine.attempt import describe
from nbsteps.engine.bindings import Bindings
from nbsteps.engine.contexts import ContextKeeper
from nbsteps.engine.contracts import Crew, Executed
from nbsteps.engine.judge import Judge
from nbsteps.engine.lifecycle import Lifecycle
from nbsteps.engine.live import LiveInputs
from nbsteps.engine.manner import Manner
from nbsteps.engine.services import Services
from nbsteps.engine.tracking import Tracker
from nbsteps.engine.work import NO_WISH, Wish, Work

_LEAST: Final = 0.02
_SLICE: Final = 0.1
"""Longest wait without a look at whether the run is to end, seconds."""


class Runner:
    """One run over one graph."""

    def __init__(  # noqa: PLR0913 - the parts of one kernel's engine, all needed
        self,
        services: Services,
        bindings: Bindings,
        keeper: ContextKeeper,
        judge: Judge,
        graph: Graph,
        run: Run,
        *,
        crew: Crew | None = None,
        manner: Manner | None = None,
    ) -> None:
        self._services = services
        self._bindings = bindings
        self._keeper = keeper
        self._manner = manner or Manner()
        self._names: tuple[str, ...] = ()
        self._delayed: dict[str, Work] = {}
        self._flying: dict[str, Work] = {}
        self._remade: tuple[str, ...] = ()
        self.run = run
        self.tracker = Tracker(services, run.run_id)
        fail_fast = self._manner.fail_fast
        means = self._manner.means
        self._lifecycle = Lifecycle(
            services, bindings, keeper, self.tracker, crew or Crew(), means, fail_fast=fail_fast
        )
        self._lifecycle.capacity.beside = self._beside
        self._graph = graph
        self._agenda = Agenda(graph, (), self.tracker.bad)
        self.tracker.on_end = self._ended
        self._lifecycle.over(graph, judge)

    def over(self, graph: Graph, judge: Judge) -> None:
        """Go on with the notebook as it has become."""
        self._lifecycle.over(graph, judge)
        if graph is not self._graph:
            self._graph = graph
            self._agenda = Agenda(graph, (), self.tracker.bad)
            self._agenda.add(name for name in self._names if name in graph.steps and self._waits(name))

    def _waits(self, name: str) -> bool:
        return not self.tracker.over(name) and name not in self._delayed and name not in self._flying

    def _ended(self, name: str, state: StepState) -> None:
        self._agenda.ended(name, good=state in GOOD)
        self._lifecycle.slowness.end(name)

    def start(self, names: Iterable[str]) -> None:
        """Announce the run over these steps."""
        self._names = tuple(names)
        self._services.cancel.begin()
        self._agenda.add(self._names)
        options = {name: self._graph.steps[name].options for name in self._names}
        owners = {name: option.owner for name, option in options.items() if option.owner}
        tags = {name: option.tags for name, option in options.items() if option.tags}
        self._services.emit(RunStarted(self.run.started_at, self.run, self._names, owners, tags))

    def finish(self, state: RunState | None = None) -> RunResult:
        """Announce the end, or the pause; without ``state`` it follows from the steps."""
        self._services.cancel.end()
        if state is RunState.CANCELLED:
            self.cancel(self._names)
        self._ground()
        tracker = self.tracker
        for name in rules.caught(self._graph, tracker.states):
            tracker.steps[name] = replace(tracker.steps[name], handled=True)
        state = state or self._state()
        now = self._services.clock.now()
        self.run = replace(self.run, state=state, ended_at=now)
        self._services.emit(RunEnded(now, self.run.run_id, state))
        steps = dict(tracker.steps)
        if state is RunState.WAITING:
            steps |= {name: self.held(name) for name in self._names if name not in steps}
        order = [name for name in self._graph.steps if name in steps]
        return RunResult(self.run, {name: steps[name] for name in (*order, *(steps.keys() - order))})

    def _state(self) -> RunState:
        """What follows from the steps; a run that left one without its turn did not succeed."""
        state = rules.run_state(self._graph, self.tracker.states)
        left = [name for name in self._names if not self.tracker.over(name)]
        if state is not RunState.SUCCEEDED or not left:
            return state
        # A cell by itself whose turn has to wait for a person that another run has asked: nothing went wrong.
        return RunState.CANCELLED if all(self.held(name).reason for name in left) else RunState.FAILED

    def held(self, name: str) -> StepRun:
        """A step that could not be looked at, because something before it waits for a person."""
        before = self._graph.ancestors([name]) if name in self._graph.steps else ()
        states = self.tracker.standing()
        waiting = [step for step in self._graph.steps if step in before and states.get(step) is StepState.WAITING]
        return StepRun(name, StepState.PENDING, f"step {waiting[0]} waits for approval" if waiting else "")

    def run_all(self, names: tuple[str, ...]) -> RunResult:
        """Run or restore the named steps; failures keep what needs them from running, and nothing else."""
        self.start(names)
        try:
            self._drive(None)
            if self._tripped():
                self.tracker.cancel(self._names, f"step {self._tripped()} failed (--fail-fast)")
        except KeyboardInterrupt as interrupt:
            self.tracker.errors.setdefault("", interrupt)
            return self.finish(RunState.CANCELLED)
        except BaseException:
            self.finish(RunState.FAILED)
            raise
        return self.finish()

    def until(self, name: str, needed: tuple[str, ...]) -> None:
        """Take a step and what it needs, given in graph order; while they wait for a retry, others have their turn.

        Returns when the step ended, or cannot because something waits for a person.

        Raises:
            KeyboardInterrupt: the user interrupted.
        """
        self._agenda.add(step for step in needed if self._waits(step))
        self._names += tuple(step for step in needed if step not in self._names)
        self._drive((name, needed))

    def alone(self, name: str, found: LiveInputs) -> None:
        """Take one step with its inputs as the user sees them, whatever else has happened, until it ends or is held.

        Raises:
            KeyboardInterrupt: the user interrupted.
        """
        if self.tracker.over(name):
            self.tracker.reopen(name)
        if found.ruling is Ruling.WAIT:
            return
        if found.ruling is not Ruling.RUN:
            self._rule_out(name, found.ruling, found.reason)
            return
        forced = name in self._manner.forced
        self._take(name, Wish(forced=forced, live=found.inputs, consulted=found.consulted))
        while name in self._delayed or name in self._flying:
            self._services.cancel.check()
            self._land(early=False)
            due = self._due()
            if due is not None:
                self._again(due)
            elif not self._feed() and (name in self._delayed or name in self._flying):
                self._pause()

    def _drive(self, only: tuple[str, tuple[str, ...]] | None) -> None:
        """Take steps until nothing is left that could be taken; with ``only``, until its step ended."""
        cancel = self._services.cancel
        while only is None or not self.tracker.over(only[0]):
            if cancel.asked:
                cancel.check()
            if self._flying:
                self._land(early=only is None)
            due = self._due() if self._delayed else None
            if due is not None:
                self._again(due)
                continue
            name = self._next(only)
            if name is not None:
                self._look(name, quiet=only is not None and name != only[0])
            elif self._feed():
                continue
            elif self._delayed or self._flying:
                self._pause()
            else:
                return

    def _next(self, only: tuple[str, tuple[str, ...]] | None) -> str | None:
        if self._manner.fail_fast and self._tripped():
            self._wind_down(f"step {self._tripped()} failed (--fail-fast)")
            return None
        decided = self._lifecycle.preconditions.decided
        if only is not None:
            name = self._agenda.take_of((*self._remade, *only[1])) or decided(only[1])
            if name is not None:
                return name
        if self._is_hungry():
            # The main thread has something to do: what needs none can start.
            return self._spare(self._lifecycle.flies)
        return (self._agenda.take() or decided()) if only is None else self._spare(lambda _: True)

    def _is_hungry(self) -> bool:
        return any(work.flying is not None and work.flying.hungry for work in self._flying.values())

    def _wind_down(self, reason: str) -> None:
        """Start nothing more: no other attempt, no item."""
        for name in list(self._delayed):
            self._lifecycle.give_up(self._delayed.pop(name), reason)
        for work in self._flying.values():
            if work.flying is not None:
                work.flying.wind_down(reason)

    def _spare(self, suits: Callable[[Step], object]) -> str | None:
        """A step that can fill a wait: one for which no context cell would be executed before its turn."""
        if not self._delayed and not self._flying:
            return None
        steps, due = self._graph.steps, self._keeper.due
        fitting = (name for name in self._agenda.ready() if suits(steps[name]) and not due(steps[name], self._graph))
        return self._agenda.take_of(fitting)

    def _tripped(self) -> str:
        """The step whose failure nobody handles and that ends a run which fails fast, ``""`` for none."""
        if not self._manner.fail_fast:
            return ""
        handled = {caught for _, caught in self._graph.catches}
        failed = (name for name, state in self.tracker.states.items() if state is StepState.FAILED)
        return next((name for name in failed if name not in handled), "")

    def _look(self, name: str, *, quiet: bool) -> None:
        """See what a step's rules say, and take it if they let it run."""
        if not self._waits(name):
            return
        if not self._agenda.settled(name):
            found = rules.ruling(self._graph, name, self.tracker.states, self.tracker.chosen)
            asked = self._graph.watched.get(name, ())
            if found is Ruling.WAIT or (found is Ruling.RUN and not all(map(self.tracker.over, asked))):
                return
            if found is not Ruling.RUN:
                self._rule_out(name, found, rules.why(self._graph, name, self.tracker.states, self.tracker.chosen))
                return
        forced = name in self._manner.forced
        self._take(name, Wish(forced=forced, quiet=quiet) if forced or quiet else NO_WISH)

    def _rule_out(self, name: str, found: Ruling, reason: str) -> None:
        state = StepState.SKIPPED if found is Ruling.SKIP else StepState.UPSTREAM_FAILED
        self.tracker.end(name, state, reason)
        if state is StepState.SKIPPED:
            self._lifecycle.preconditions.unmake(self._graph.steps[name])

    def _take(self, name: str, wish: Wish) -> None:
        try:
            self._keep(name, self._lifecycle.take(self._graph.steps[name], wish))
        except StoreError as error:
            self._damaged(name, error, again=wish.live is None)

    def _again(self, work: Work) -> None:
        name = work.step.name
        del self._delayed[name]
        try:
            self._keep(name, self._lifecycle.attempt(work))
        except StoreError as error:
            self._damaged(name, error, again=work.wish.live is None)

    def _keep(self, name: str, work: Work | None) -> None:
        if work is not None:
            (self._delayed if work.flying is None else self._flying)[name] = work

    def _damaged(self, name: str, error: StoreError, *, again: bool) -> None:
        """Run the steps of this run again whose stored outputs are damaged, then this one; or let it fail."""
        lost = [step for step in self._graph.steps if self._is_damaged(step)] if again else []
        if not lost:
            self.tracker.errors[name] = error
            failure = replace(describe(error), hint=f"%pipeline run {name}")
            self.tracker.end(name, StepState.FAILED, str(error.args[0]), failure=failure)
            return
        self._remade += tuple(lost)
        for step in lost:
            self._services.warn(self.run.run_id, step, f"{error.args[0]}; the step runs again")
            self.tracker.reopen(step)
            self._agenda.reopen(step)
        self.tracker.reopen(name)
        self._agenda.put(name)

    def _is_damaged(self, name: str) -> bool:
        result = self.tracker.results.get(name)
        outputs = () if result is None else result.outputs.values()
        return any(artifact.digest in self._bindings.missing for artifact in outputs)

    def _due(self) -> Work | None:
        """The first step, in the order of its time, that is due for its next attempt."""
        now = self._services.clock.monotonic()
        due = [work for work in self._delayed.values() if work.due <= now]
        return min(due, key=lambda work: work.due, default=None)

    def _land(self, *, early: bool) -> None:
        """Take in what was executed elsewhere, and send more; ``early``: steps stand in line before maps ask again."""
        while early and not self._tripped() and (name := self._spare(self._lifecycle.flies)) is not None:
            self._look(name, quiet=False)
        self._lifecycle.capacity.serve()
        for work in list(self._flying.values()):
            if work.flying is not None:
                self._took(work, work.flying.turn)

    def _feed(self) -> bool:
        """Give the main thread to what flies and needs it; False if nothing does."""
        for work in self._flying.values():
            if work.flying is not None and work.flying.hungry:
                self._took(work, work.flying.feed)
                return True
        return False

    def _took(self, work: Work, act: Callable[[], Executed | None]) -> None:
        name = work.step.name
        try:
            executed = act()
        except StoreError as error:
            del self._flying[name]
            self._lifecycle.abandon(work)
            self._damaged(name, error, again=work.wish.live is None)
            return
        if executed is not None:
            del self._flying[name]
            self._keep(name, self._lifecycle.conclude(work, executed))

    def _pause(self) -> None:
        """Wait for what comes first: the next attempt, something that lands, or a wish to end."""
        clock = self._services.clock
        futures, seconds = self._awaited([work.due for work in self._delayed.values()])
        if futures:
            clock.wait(futures, seconds)
        else:
            clock.sleep(seconds)

    def _awaited(self, times: list[float]) -> tuple[list[Future[Any]], float]:
        """What flies and is not done, and after how many seconds a look is worth while at the latest."""
        now = self._services.clock.monotonic()
        flying = [work.flying for work in self._flying.values() if work.flying is not None]
        times += [at for each in flying if (at := each.due) is not None]
        futures = [future for each in flying for future in each.futures]
        futures += self._lifecycle.capacity.coming()
        return futures, min([_SLICE, *(max(0.0, at - now) for at in times)])

    @contextmanager
    def _beside(self) -> Iterator[None]:
        """While a body has the main thread, another one serves the workers, if something flies."""
        if not self._flying:
            yield
            return
        with self._services.clock.beside(self._serve):
            yield

    def _serve(self) -> tuple[list[Future[Any]], float]:
        self._lifecycle.capacity.serve()
        for work in self._flying.values():
            if work.flying is not None:
                work.flying.beside()
        futures, seconds = self._awaited([])
        return [future for future in futures if not future.done()], max(_LEAST, seconds)

    def cancel(self, names: Iterable[str]) -> None:
        """End what flies or waits for a retry, and record those of the steps that have not ended as cancelled."""
        self._ground()
        self._delayed.clear()
        self.tracker.cancel(names, "interrupted")

    def _ground(self) -> None:
        """End what flies."""
        while self._flying:
            _, work = self._flying.popitem()
            with suppress(KeyboardInterrupt):
                self._lifecycle.stop(work, KeyboardInterrupt())
