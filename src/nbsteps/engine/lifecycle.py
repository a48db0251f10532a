"""One step's turn: its condition, its gate, the decision, and attempts until it ends or has to wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

from nbsteps.core import retry
from nbsteps.core.decide import Decision, decide
from nbsteps.core.events import StepRestored, StepRetrying, StepStarted
from nbsteps.core.graph import Graph
from nbsteps.core.model import CacheMode, ItemCounts, Part, PartKind, Result, Step, StepRun
from nbsteps.core.reasons import mend
from nbsteps.core.states import StepState
from nbsteps.core.terms import ERROR
from nbsteps.engine.attempt import Attempts, describe
from nbsteps.engine.bindings import Bindings, Bound, digest_or_unique
from nbsteps.engine.capacity import Capacity, Means
from nbsteps.engine.contexts import ContextError, ContextKeeper
from nbsteps.engine.contracts import Crew, Executed, InFlight, Trial
from nbsteps.engine.judge import Identity, Judge
from nbsteps.engine.monitoring import Slowness
from nbsteps.engine.preconditions import Preconditions
from nbsteps.engine.retrying import asked_delay, retryable, why_failed
from nbsteps.engine.services import Services
from nbsteps.engine.tracking import Tracker
from nbsteps.engine.work import NO_WISH, Wish, Work
from nbsteps.identity import content

_LOOK: Final = 0.1
"""Between two looks at whether another process has computed a step, seconds."""


class Lifecycle:
    """Takes the steps of one run, one at a time, on the main thread."""

    def __init__(  # noqa: PLR0913 - the parts of one kernel's engine, all needed
        self,
        services: Services,
        bindings: Bindings,
        keeper: ContextKeeper,
        tracker: Tracker,
        crew: Crew,
        means: Means,
        *,
        fail_fast: bool = False,
    ) -> None:
        self._services = services
        self._bindings = bindings
        self._keeper = keeper
        self._tracker = tracker
        self._crew = crew
        self._fail_fast = fail_fast
        self.capacity = Capacity(services, means)
        self._attempts = Attempts(services, bindings)
        self._flying = 0
        self.slowness = Slowness(services)
        self.preconditions = Preconditions(services, bindings, tracker, crew.gate)
        self._graph: Graph
        self._judge: Judge

    def over(self, graph: Graph, judge: Judge) -> None:
        """Work on this graph from now on."""
        self._graph, self._judge = graph, judge
        self.preconditions.over(graph)

    def take(self, step: Step, wish: Wish = NO_WISH) -> Work | None:
        """Skip, hold, restore or execute a step; what is left to do if it has not ended.

        Raises:
            StoreError: a stored value cannot be read back.
            KeyboardInterrupt: the user interrupted; the step is recorded as cancelled.
        """
        name, consulted = step.name, None if wish.live is None else wish.consulted
        try:
            self._keeper.prepare(step, self._graph, self._tracker.run_id, lacking_only=wish.live is not None)
            inputs = self.preconditions.inputs(name) if wish.live is None else wish.live
            if step.options.when and not self.preconditions.wanted(step, inputs, consulted):
                return None
        except ContextError as error:
            self._tracker.errors[name] = error.cause
            failure = describe(error.cause, error.traceback)
            self._tracker.end(name, StepState.FAILED, str(error.args[0]), failure=failure)
            return None
        except KeyboardInterrupt:
            self._tracker.end(name, StepState.CANCELLED, "interrupted")
            raise
        given: dict[str, object] = {ERROR: self.preconditions.caught(step.options.catch)} if step.options.catch else {}
        identity = self._identify(step, inputs, given)
        if step.options.approve:
            opened = self.preconditions.open(step, identity, inputs, consulted)
            if opened is None:
                return None
            given |= opened
            identity = self._identify(step, inputs, given)
        for text in self._judge.warnings(step):
            kind, _, why = text.partition("uncacheable: ")
            self._services.warn(self._tracker.run_id, name, text, "" if kind else mend(why))
        return self._settle(Work(step, identity, wish, given))

    def _identify(self, step: Step, inputs: Mapping[str, Bound], given: Mapping[str, object]) -> Identity:
        return self._judge.identify(step, inputs, tuple(given_parts(given)) if given else ())

    def _settle(self, work: Work) -> Work | None:
        decision = self._decide(work)
        if decision.result is not None:
            self._restore(work, decision.result)
            return None
        self._because(work, decision)
        return self.attempt(work)

    def _because(self, work: Work, decision: Decision) -> None:
        work.reasons = tuple(map(str, decision.reasons))
        if any(reason.before or reason.after for reason in decision.reasons):
            work.identity = work.identity._replace(reasons=decision.reasons)

    def _decide(self, work: Work, *, fresh: bool = False) -> Decision:
        forced = work.wish.forced
        facts = self._judge.facts(work.step, work.identity, forced=forced, run_id=self._tracker.run_id, fresh=fresh)
        return decide(facts)

    def attempt(self, work: Work) -> Work | None:
        """Execute the body, unless another process has done so meanwhile; what is left to do.

        Raises:
            StoreError: an input cannot be read back.
            KeyboardInterrupt: the user interrupted; the step is recorded as cancelled.
        """
        if work.number and self._too_late(work):
            self._leave(work)
            return None
        if not self._admitted(work):
            work.due = self._services.clock.monotonic() + _LOOK
            return work
        try:
            return self._attempt(work)
        finally:
            self._leave(work)

    def _admitted(self, work: Work) -> bool:
        """Whether the body's pool has a slot for it. Those that are executed elsewhere see to it themselves."""
        pool = work.step.options.pool
        if pool is None or work.step.options.map or self.flies(work.step):
            return True
        work.claim = work.claim or self.capacity.ask(pool, away=False)
        return work.claim.granted

    def _leave(self, work: Work) -> None:
        claim, work.claim = work.claim, None
        if claim is not None:
            self.capacity.give_back(claim)

    def flies(self, step: Step) -> bool:
        """Whether a step needs no main thread."""
        capacity = self.capacity
        return bool(capacity.lanes_for_items(step.options) if step.options.map else capacity.lanes_for_steps())

    def _attempt(self, work: Work) -> Work | None:
        # What nobody may reuse is nothing to wait for.
        reusable = not work.identity.uncacheable and work.step.options.cache is CacheMode.ON
        with ExitStack() as held:
            if reusable and not self._held(work, held):
                work.due = self._services.clock.monotonic() + _LOOK
                return work
            if reusable and not work.wish.forced:
                decision = self._decide(work, fresh=True)
                if decision.result is not None:
                    self._restore(work, decision.result)
                    return None
                if not work.reasons:
                    self._because(work, decision)
            executed = self._execute(work)
            if not isinstance(executed, Executed):
                work.flying, work.hold = executed, held.pop_all()
                self._flying += 1
                return work
        return self.conclude(work, executed)

    def _held(self, work: Work, held: ExitStack) -> bool:
        """Keep other processes from computing the same; False while one does and this one must not wait for it.

        Whoever has steps in the air never waits, or two runs could wait for each other's.
        """
        services = self._services
        # A wish to end interrupts the wait, too.
        with services.cancel.body():
            flight = services.store.flight(work.identity.key, wait=not self._flying)
            return held.enter_context(flight)

    def _too_late(self, work: Work) -> bool:
        """Whether the time over all attempts ran out while the step waited."""
        limit = work.step.options.total_timeout
        if limit is None or self._services.clock.monotonic() - work.began < limit:
            return False
        self._fail(work, Executed(None, self._tracker.errors.get(work.step.name)), str(retry.Reason.TOTAL_TIMEOUT))
        return True

    def _execute(self, work: Work) -> Executed | InFlight:
        step, tracker, clock = work.step, self._tracker, self._services.clock
        if not work.number:
            work.started_at, work.began = clock.now(), clock.monotonic()
            self._services.emit(
                StepStarted(work.started_at, tracker.run_id, step.name, work.identity.key, work.reasons)
            )
            tracker.move(step.name, StepState.QUEUED)
            self.slowness.begin(step, tracker.run_id)
        work.number += 1
        trial = Trial(
            run_id=tracker.run_id,
            number=work.number,
            delay=work.delay,
            limit=retry.limit(step.options, clock.monotonic() - work.began),
            live=work.wish.live is not None and work.number == 1,
            forced=work.wish.forced,
            quiet=work.wish.quiet,
            given=work.given,
            began=work.began,
            fail_fast=self._fail_fast,
        )
        tracker.move(step.name, StepState.RUNNING)
        return self._send(step, work.identity, trial)

    def _send(self, step: Step, identity: Identity, trial: Trial) -> Executed | InFlight:
        if step.options.map and self._crew.mapper is not None:
            return self._crew.mapper.launch(step, identity, trial, self.capacity)
        if self._crew.elsewhere is not None and self.flies(step):
            return self._crew.elsewhere.launch(step, identity, trial, self.capacity)
        with self.capacity.beside():
            return self._attempts.execute(step, identity, trial)

    def conclude(self, work: Work, executed: Executed) -> Work | None:
        """Record what an attempt came to; what is left to do if another follows.

        Raises:
            KeyboardInterrupt: it was interrupted.
        """
        self._landed(work)
        if work.number == 1 and executed.began is not None:
            # To wait for a place before the first attempt costs nothing of the time over all attempts.
            work.began = executed.began
        with work.hold:
            return self._concluded(work, executed)

    def _landed(self, work: Work) -> None:
        if work.flying is not None:
            work.flying = None
            self._flying -= 1

    def give_up(self, work: Work, reason: str) -> None:
        """Start no attempt of a step that waits for one."""
        self._leave(work)
        if work.number:
            facts = self._facts(work, Executed(None))
            self._tracker.end(work.step.name, StepState.CANCELLED, reason, **facts)
        else:
            self._tracker.end(work.step.name, StepState.CANCELLED, reason)

    def abandon(self, work: Work) -> None:
        """Nothing of it is under way any more, and it came to nothing."""
        self._landed(work)
        work.hold.close()

    def _concluded(self, work: Work, executed: Executed) -> Work | None:
        name, error = work.step.name, executed.error
        if executed.result is not None:
            self._succeed(work, executed.result, executed)
            return None
        if executed.skipped is not None:
            self.preconditions.skip(work.step, executed.skipped or "skipped by its body", **self._facts(work, executed))
            return None
        if isinstance(error, KeyboardInterrupt):
            self._tracker.end(name, StepState.CANCELLED, "interrupted", **self._facts(work, executed))
            raise error
        if executed.cancelled:
            self._tracker.end(name, StepState.CANCELLED, executed.cancelled, **self._facts(work, executed))
            return None
        following = self._following(work, executed)
        if isinstance(following, retry.Wait):
            return self._wait(work, executed, following.delay)
        self._fail(work, executed, executed.reason or why_failed(work.step, error, following.reason))
        return None

    def _following(self, work: Work, executed: Executed) -> retry.Wait | retry.GiveUp:
        step, error = work.step, executed.error
        if step.options.map or error is None:
            return retry.GiveUp(retry.Reason.NON_RETRYABLE)
        total = why_failed(step, error, retry.Reason.NON_RETRYABLE) == retry.Reason.TOTAL_TIMEOUT
        return retry.after(
            retry.policy(step.options),
            attempt=work.number,
            elapsed=self._services.clock.monotonic() - work.began,
            retryable=not total and retryable(step, error, self._services, self._tracker.run_id),
            asked=asked_delay(error),
            seed=f"{self._tracker.run_id}\0{step.name}",
        )

    def _wait(self, work: Work, executed: Executed, delay: float) -> Work:
        clock, name = self._services.clock, work.step.name
        if executed.error is not None:
            self._tracker.errors[name] = executed.error
        now = clock.now()
        self._tracker.move(name, StepState.RETRYING)
        work.delay, work.due = delay, clock.monotonic() + delay
        self._services.emit(StepRetrying(now, self._tracker.run_id, name, work.number, delay, now + delay))
        return work

    def _fail(self, work: Work, executed: Executed, reason: str) -> None:
        name = work.step.name
        if executed.error is not None:
            self._tracker.errors[name] = executed.error
        failure = executed.failure
        if failure is None and executed.error is not None:
            failure = describe(executed.error)
        text = "" if failure is None else f"{failure.error_type}: {failure.message}"
        more = self._facts(work, executed)
        self._tracker.end(name, StepState.FAILED, reason or text, failure=failure, **more)

    def _facts(self, work: Work, executed: Executed) -> dict[str, object]:
        return {
            "reasons": work.reasons,
            "key": work.identity.key,
            "started_at": work.started_at,
            "attempts": work.number,
            "items": executed.items,
        }

    def _succeed(self, work: Work, result: Result, executed: Executed) -> None:
        step = work.step
        for name in self._judge.drift(step, work.identity):
            message = f"the body changed {name}, which it also reads: the next run sees another value and runs again"
            hint = f"work on a copy, or do not count it: --ignore {name}"
            self._services.warn(self._tracker.run_id, step.name, message, hint)
        done = replace(
            StepRun(step.name, StepState.SUCCEEDED, work.reasons[0] if work.reasons else ""),
            ended_at=self._services.clock.now(),
            output_bytes=sum(artifact.bytes for artifact in result.outputs.values()),
            **self._facts(work, executed),  # type: ignore[arg-type]
        )
        self._tracker.good(done, result)

    def _restore(self, work: Work, result: Result) -> None:
        services, step = self._services, work.step
        self._bindings.restore(result)
        if step.optional:
            for name in step.optional.difference(result.outputs):
                self._bindings.absent(name)
        now = services.clock.now()
        items = None if result.items is None else ItemCounts(result.items, 0, result.items, 0)
        size = sum([artifact.bytes for artifact in result.outputs.values()])
        services.emit(StepRestored(now, self._tracker.run_id, step.name, result.key, result.duration, size, items))
        done = StepRun(
            step=step.name,
            state=StepState.CACHED,
            reason=f"accepted by {result.accepted_by}" if result.accepted_by else "unchanged",
            key=result.key,
            started_at=now,
            ended_at=now,
            attempts=work.number,
            time_saved=result.duration,
            output_bytes=size,
            items=items,
        )
        self._tracker.good(done, result)

    def stop(self, work: Work, why: BaseException) -> Work | None:
        """End an attempt that flies; what is left to do."""
        assert work.flying is not None  # noqa: S101 - only those that fly are stopped
        return self.conclude(work, work.flying.stop(why))


def given_parts(given: Mapping[str, object]) -> Iterator[Part]:
    """What the engine binds for a body counts as its inputs do; an exception by its type and text."""
    for name, value in given.items():
        error = isinstance(value, BaseException)
        text = repr((type(value).__qualname__, str(value))) if error else value
        yield Part(PartKind.VALUE, name, digest_or_unique(text), content.summary(text), "error" if error else "form")
