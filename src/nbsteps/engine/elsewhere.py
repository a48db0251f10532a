"""Whole steps executed away from the kernel's main thread, while the loop goes on."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from typing import Any

from nbsteps.core.errors import CrashedError, Skip, StepError, StepTimeout, UnsendableError
from nbsteps.core.events import AttemptStarted
from nbsteps.core.model import Attempt, Step
from nbsteps.engine.attempt import Attempts, describe
from nbsteps.engine.bindings import Bindings, is_volatile
from nbsteps.engine.executed import Executed, Means, Trial
from nbsteps.engine.judge import Identity
from nbsteps.engine.sending import sent_names
from nbsteps.engine.services import Services, new_id
from nbsteps.ports import Lane, Order, Outcome, Reply


class StepLanes:
    """The lanes of one kernel as a place for whole steps; those that find none free wait for one."""

    def __init__(self, services: Services, bindings: Bindings) -> None:
        self._services, self._bindings = services, bindings
        self._attempts = Attempts(services, bindings)
        self._waiting: deque[Flight] = deque()
        self._running: list[Flight] = []

    def takes(self, step: Step, means: Means) -> bool:
        """Whether steps are to be executed elsewhere: only where the user says so."""
        return self._services.lanes is not None and not step.options.map and means.executor not in {"", "main"}

    def launch(self, step: Step, identity: Identity, trial: Trial) -> Flight:
        """Start an attempt, or have it wait for a free lane.

        Raises:
            StoreError: an input cannot be read back.
        """
        for name in self._bindings.provide(identity.inputs, verify=not trial.live):
            message = f"{name} was changed since its step wrote it; the step gets what was written"
            self._services.warn(trial.run_id, step.name, message, f"change a copy, or change {name} in a step")
        flight = Flight(self, step, identity, trial, self._order(step, identity, trial))
        self._bindings.unset_missing(identity.inputs)
        self._waiting.append(flight)
        self.start_next()
        return flight

    def _order(self, step: Step, identity: Identity, trial: Trial) -> Order:
        services = self._services
        inputs = {name: bound.digest for name, bound in identity.inputs.items() if name not in step.outputs}
        watched = [name for name, digest in inputs.items() if not is_volatile(digest)]
        return Order(
            step=step,
            shared={},
            token=new_id(),
            items=(sent_names(step, services.evaluator.namespace, identity.inputs, trial.given),),
            watch=tuple(watched) if services.config.mutation != "off" else (),
            outputs=step.outputs,
            private=services.private,
            folder=services.folder.absolute(),
            root=services.root,
        )

    def start_next(self) -> None:
        """Give free lanes to those that wait, in the order in which they came, as far as their pools allow."""
        for flight in list(self._waiting):
            lane = self._lane(flight) if self._fits(flight) else None
            if lane is not None:
                self._waiting.remove(flight)
                self._running.append(flight)
                flight.start(lane)

    def _fits(self, flight: Flight) -> bool:
        pool = flight.step.options.pool
        if pool is None:
            return True
        others = [each.step.options.pool for each in self._running]
        return sum(other is not None and other.name == pool.name for other in others) < pool.slots

    def _lane(self, flight: Flight) -> Lane | None:
        lanes, means = self._services.lanes, flight.trial.means
        busy = {id(each.lane) for each in self._running}
        if lanes is None or len(busy) >= max(1, means.workers):
            return None
        found = lanes.open(means.executor, max(1, means.workers))
        return next((lane for lane in found if id(lane) not in busy and lane.free), None)

    def ended(self, flight: Flight) -> None:
        """A flight is over; its lane is free for the next one."""
        if flight in self._running:
            self._running.remove(flight)
        if flight in self._waiting:
            self._waiting.remove(flight)
        self.start_next()

    def land(self, flight: Flight, attempt: Attempt, reply: Reply) -> Executed:
        """Take in what a body made: bind, store, record, show."""
        evaluator, step, outcome = self._services.evaluator, flight.step, reply.outcome
        if outcome.displays and not flight.trial.quiet:
            evaluator.replay(outcome.displays, "", step.name)
        error = outcome.error or self._broken(step, reply)
        if isinstance(error, Skip):
            return self._attempts.skipped(step, attempt, error)
        if error is not None:
            return self._attempts.failed(attempt, error, outcome)
        for name in step.outputs:
            evaluator.forget(name)
            if name in reply.values:
                evaluator.namespace[name] = reply.values[name]
        self._services.epoch += 1
        return self._attempts.commit(step, flight.identity, attempt, outcome, reply.observed)

    def _broken(self, step: Step, reply: Reply) -> StepError | None:
        """What the step promised and did not keep."""
        absent = [name for name in step.outputs if name not in reply.values and name not in step.optional]
        if reply.changed:
            error = self._attempts.mutated(step, reply.changed)
            if self._services.config.mutation != "warn":
                return error
            self._services.warn("", step.name, error.problem.message, error.problem.hint)
        return self._attempts.unassigned(step, absent) if absent else None

    def fail(self, attempt: Attempt, error: BaseException) -> Executed:
        """The body did not come back."""
        return self._attempts.failed(attempt, error, Outcome(error=error))

    def at_home(self, flight: Flight) -> Executed:
        """Execute in the kernel what cannot be executed elsewhere."""
        return self._attempts.execute(flight.step, flight.identity, flight.trial)

    def announce(self, flight: Flight, lane: Lane) -> Attempt:
        """Record that an attempt begins."""
        services, trial = self._services, flight.trial
        attempt = Attempt(
            run_id=trial.run_id,
            step=flight.step.name,
            attempt=trial.number,
            started_at=services.clock.now(),
            executor=lane.kind,
            host=services.host.name,
            pid=lane.pid,
            delay=trial.delay,
        )
        services.emit(AttemptStarted(attempt.started_at, attempt))
        return attempt

    def say(self, flight: Flight, message: str, hint: str) -> None:
        """Say that a step runs in the kernel after all."""
        self._services.warn(flight.trial.run_id, flight.step.name, f"{message}: the step runs in the kernel", hint)

    def now(self) -> float:
        """The clock by which deadlines go."""
        return self._services.clock.monotonic()


class Flight:
    """One attempt at a whole step on a lane, or waiting for one."""

    def __init__(self, home: StepLanes, step: Step, identity: Identity, trial: Trial, order: Order) -> None:
        self.step, self.identity, self.trial = step, identity, trial
        self.lane: Lane | None = None
        self._home, self._order = home, order
        self._attempt: Attempt | None = None
        self._deadline: float | None = None
        self._future: Future[Reply | None] = Future()
        self._future.set_running_or_notify_cancel()

    @property
    def future(self) -> Future[Any]:
        """Done when there is something to :meth:`land`."""
        return self._future

    @property
    def deadline(self) -> float | None:
        """When it is to be stopped, by the clock's ``monotonic``; None for never."""
        return self._deadline

    def start(self, lane: Lane) -> None:
        """A lane is free."""
        self.lane = lane
        try:
            packed = lane.pack(self._order)
            self._attempt = self._home.announce(self, lane)
        except UnsendableError as error:
            self._home.say(self, error.problem.message, error.problem.hint)
            self._future.set_result(None)
            return
        except CrashedError as error:
            self._future.set_exception(error)
            return
        if self.trial.limit.seconds is not None:
            self._deadline = self._home.now() + self.trial.limit.seconds
        lane.submit(packed).add_done_callback(self._arrived)

    def _arrived(self, done: Future[tuple[Reply, ...]]) -> None:
        if self._future.done():
            return
        error = done.exception()
        if error is None:
            self._future.set_result(done.result()[0])
        else:
            self._future.set_exception(error)

    def land(self) -> Executed:
        """Take in what it came to."""
        self._leave()
        error, attempt = self._future.exception(), self._attempt
        if attempt is None:
            return self._home.at_home(self) if error is None else Executed(None, error, describe(error))
        if error is not None:
            return self._home.fail(attempt, error)
        reply = self._future.result()
        assert reply is not None  # noqa: S101 - only what was never announced has none
        if reply.unsent:
            name, why = next(iter(reply.unsent.items()))
            self._home.say(self, f"{name} cannot be brought back from there: {why}", "")
            unsent = UnsendableError(f"{name} cannot be brought back")
            self._home.fail(attempt, unsent)
            return self._home.at_home(self)
        return self._home.land(self, attempt, reply)

    def _leave(self) -> None:
        if self.lane is not None:
            self.lane.release(self._order.token)
        self._home.ended(self)

    def stop(self, why: BaseException) -> Executed:
        """End it because of a timeout or an interrupt; a result that comes later is discarded."""
        if isinstance(why, StepTimeout):
            why.total = self.trial.limit.total
        if self.lane is not None:
            self.lane.stop()
        self._leave()
        if self._attempt is None:
            return Executed(None, why, describe(why))
        return self._home.fail(self._attempt, why)
