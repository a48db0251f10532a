"""Whole steps executed away from the kernel's main thread, while the loop goes on."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

from nbsteps.core.errors import CrashedError, Skip, StepError, StepTimeout, UnsendableError
from nbsteps.core.events import AttemptStarted, Progressed
from nbsteps.core.model import Attempt, Step
from nbsteps.core.retry import limit
from nbsteps.engine.attempt import Attempts, describe
from nbsteps.engine.bindings import Bindings, is_volatile
from nbsteps.engine.capacity import Capacity
from nbsteps.engine.contracts import Executed, Trial
from nbsteps.engine.judge import Identity
from nbsteps.engine.monitoring import Hearing
from nbsteps.engine.sending import lost, sent_names, tell_stuck, unsent
from nbsteps.engine.services import Services, new_id
from nbsteps.ports import Lane, Order, Outcome, Reply


class StepLanes:
    """The lanes of one kernel as a place for whole steps."""

    def __init__(self, services: Services, bindings: Bindings) -> None:
        self._services, self._bindings = services, bindings
        self._attempts = Attempts(services, bindings)

    def launch(self, step: Step, identity: Identity, trial: Trial, capacity: Capacity) -> Flight:
        """Start an attempt as soon as a lane is free.

        Raises:
            StoreError: an input cannot be read back.
        """
        for name in self._bindings.provide(identity.inputs, verify=not trial.live):
            message = f"{name} was changed since its step wrote it; the step gets what was written"
            self._services.warn(trial.run_id, step.name, message, f"change a copy, or change {name} in a step")
        order = self._order(step, identity, trial)
        self._bindings.unset_missing(identity.inputs)
        capacity.open(capacity.lanes_for_steps())
        return Flight(self, step, identity, trial, order, capacity)

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

    def land(self, flight: Flight, attempt: Attempt, reply: Reply) -> Executed:
        """Take in what a body made: bind, store, record, show."""
        evaluator, step, outcome = self._services.evaluator, flight.step, reply.outcome
        if outcome.displays and not flight.trial.quiet:
            evaluator.replay(outcome.displays, "", step.name)
        error = outcome.error or unsent(step, reply) or self._broken(step, reply)
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
        """The body did not come back, or what it made did not."""
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

    def tell_stuck(self, flight: Flight, lane: Lane) -> None:
        """Say so where a body that was stopped goes on."""
        tell_stuck(lane, flight.step, self._services, flight.trial.run_id)

    def now(self) -> float:
        """The clock by which deadlines go."""
        return self._services.clock.monotonic()

    def hear(self, step: Step, run_id: str) -> Hearing:
        """Take what a body elsewhere says about its progress."""
        services = self._services

        def tell(_: int, done: float, total: float, text: str) -> None:
            services.emit(Progressed(services.clock.now(), run_id, step.name, done, total, text))

        return Hearing(tell, services.clock.monotonic)


class Flight:
    """One attempt at a whole step on a lane, or waiting for one; what cannot be sent is executed in the kernel."""

    def __init__(  # noqa: PLR0913 - what an attempt is made of
        self, home: StepLanes, step: Step, identity: Identity, trial: Trial, order: Order, capacity: Capacity
    ) -> None:
        self.step, self.identity, self.trial = step, identity, trial
        self._home, self._order, self._capacity = home, order, capacity
        self._attempt: Attempt | None = None
        self._future: Future[tuple[Reply, ...]] | None = None
        self._found: Executed | None = None
        self._stays = self._freed = self._late_already = False
        self._wound = ""
        self._limit = trial.limit
        # To wait for a place before the first attempt costs nothing of the time over all of them.
        self._began: float | None = None if trial.number == 1 else trial.began
        self._deadline = None if self._began is None else _sum(self._began, step.options.total_timeout)
        self._hearing = home.hear(step, trial.run_id)
        self._claim = capacity.ask(step.options.pool, away=True)

    @property
    def futures(self) -> tuple[Future[tuple[Reply, ...]], ...]:
        """The answer, once the order is under way."""
        return () if self._future is None else (self._future,)

    @property
    def due(self) -> float | None:
        """At once if it can start, else when its time is up."""
        ready = self._claim.granted or self._wound
        return 0.0 if self._future is None and ready and not self.hungry else self._deadline

    @property
    def hungry(self) -> bool:
        """Whether it could not be sent and it is the kernel's turn."""
        return self._stays and self._claim.granted

    def turn(self) -> Executed | None:
        """Start it if there is a place, land it, or stop it."""
        if self._future is None and self._wound:
            self._leave()
            return Executed(None, cancelled=self._wound)
        if self._future is None and self._claim.granted and not self._stays:
            self._found = self._found or self._start()
        if self._found is not None:
            return self._found
        if self._future is not None and self._future.done() and not self._late_already:
            return self._land(self._future)
        return self._late() if self._late_already or self._is_late() else None

    def _is_late(self) -> bool:
        return self._deadline is not None and self._deadline <= self._home.now()

    def feed(self) -> Executed:
        """Execute it in the kernel."""
        try:
            with self._capacity.beside():
                return self._home.at_home(self)
        finally:
            self._leave()

    def beside(self) -> None:
        """Start it, or stop it, while a body has the main thread; it lands afterwards."""
        if self._future is None:
            if self._claim.granted and not self._stays and not self._wound and self._found is None:
                self._found = self._start()
        elif self._future.done() or self._is_late():
            self._late_already = not self._future.done()
            self._free(stop=self._late_already)

    def wind_down(self, reason: str) -> None:
        """Do not start any more."""
        self._wound = reason

    def _start(self) -> Executed | None:
        lane = self._claim.lane
        assert lane is not None  # noqa: S101 - granted
        try:
            packed = lane.pack(self._order)
            self._attempt = self._home.announce(self, lane)
        except UnsendableError as error:
            self._home.say(self, error.problem.message, error.problem.hint)
            self._free()
            self._freed = False
            self._stays, self._claim = True, self._capacity.ask(self.step.options.pool, away=False)
            return None
        except CrashedError as error:
            self._leave()
            return Executed(None, error, describe(error))
        now = self._home.now()
        self._began = now if self._began is None else self._began
        self._limit = limit(self.step.options, now - self._began)
        self._deadline = _sum(now, self._limit.seconds)
        self._future = lane.submit(packed, self._hearing)
        return None

    def _land(self, future: Future[tuple[Reply, ...]]) -> Executed:
        error, attempt = future.exception(), self._attempt
        assert attempt is not None  # noqa: S101 - it has been announced
        self._leave()
        if error is not None:
            return self._timed(self._home.fail(attempt, lost(self.step, error)))
        return self._timed(self._home.land(self, attempt, future.result()[0]))

    def _timed(self, executed: Executed) -> Executed:
        return replace(executed, began=self._began)

    def _late(self) -> Executed:
        total = self._limit.total or self._future is None
        seconds = self.step.options.total_timeout if total else self.step.options.timeout
        lane, begun = self._claim.lane, self._future is not None
        found = self.stop(StepTimeout(seconds or 0.0, total=total))
        if lane is not None and begun and not self._late_already:
            self._home.tell_stuck(self, lane)
        return found

    def _leave(self) -> None:
        self._hearing.close()
        if self._claim.lane is not None:
            self._claim.lane.release(self._order.token)
        self._free()

    def _free(self, *, stop: bool = False) -> None:
        """Give back the lane, once: then it is another's."""
        if not self._freed:
            self._freed = True
            if stop and self._claim.lane is not None:
                self._claim.lane.stop()
            self._capacity.give_back(self._claim)

    def stop(self, why: BaseException) -> Executed:
        """End it because of a timeout or an interrupt; a result that comes later is discarded."""
        self._free(stop=self._future is not None)
        self._leave()
        if self._attempt is None:
            return Executed(None, why, describe(why))
        return self._timed(self._home.fail(self._attempt, why))


def _sum(start: float, seconds: float | None) -> float | None:
    return None if seconds is None else start + seconds
