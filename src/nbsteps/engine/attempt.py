"""One execution of a body: inputs in place, body run, inputs unharmed, outputs there, result durable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from nbsteps.core.errors import (
    CrashedError,
    MutatedInputError,
    NbstepsError,
    Skip,
    StepError,
    UndigestibleError,
    UnstorableValueError,
)
from nbsteps.core.events import AttemptEnded, AttemptStarted, StepSucceeded
from nbsteps.core.model import Artifact, Attempt, Failure, Part, Result, Step
from nbsteps.core.states import AttemptState
from nbsteps.engine.bindings import NO_VALUE, Bindings, digest_or_unique, is_volatile, unique_digest
from nbsteps.engine.contracts import Executed, Trial
from nbsteps.engine.judge import Identity
from nbsteps.engine.monitoring import told
from nbsteps.engine.retrying import timeout_of
from nbsteps.engine.services import Services
from nbsteps.identity import content
from nbsteps.identity.environment import observe_env
from nbsteps.identity.observed import observe_reads
from nbsteps.ports import Outcome


class Attempts:
    """Executes bodies in the kernel's main thread and namespace."""

    def __init__(self, services: Services, bindings: Bindings) -> None:
        self._services = services
        self._bindings = bindings

    def execute(self, step: Step, identity: Identity, trial: Trial) -> Executed:
        """Run the body once and commit what it made. The attempt is durable before the body starts.

        Raises:
            StoreError: an input cannot be read back.
        """
        services = self._services
        for name in self._bindings.provide(identity.inputs, verify=not trial.live):
            message = f"{name} was changed since its step wrote it; the step gets what was written"
            services.warn(trial.run_id, step.name, message, f"change a copy, or change {name} in a step")
        attempt = Attempt(
            run_id=trial.run_id,
            step=step.name,
            attempt=trial.number,
            started_at=services.clock.now(),
            executor="main",
            host=services.host.name,
            pid=services.host.pid,
            delay=trial.delay,
        )
        services.emit(AttemptStarted(attempt.started_at, attempt))
        try:
            return self._attempt(step, identity, trial, attempt)
        except KeyboardInterrupt as interrupt:
            # Not in the body: while what it made was compared and stored.
            return self.failed(attempt, interrupt, Outcome(error=interrupt))

    def _attempt(self, step: Step, identity: Identity, trial: Trial, attempt: Attempt) -> Executed:
        services = self._services
        with (
            observe_reads(services.private) as seen,
            observe_env() as asked,
            self._guarded(step, identity, trial.given) as guard,
        ):
            outcome = self._run(step, trial)
            guard.error = outcome.error
        services.epoch += 1
        error = outcome.error or self._violation(step, identity, guard)
        if isinstance(error, Skip):
            return self.skipped(step, attempt, error)
        if error is not None:
            return self.failed(attempt, error, outcome)
        observed = (*seen.parts(services.folder, services.root), *asked.parts())
        return self.commit(step, identity, attempt, outcome, observed)

    def _run(self, step: Step, trial: Trial) -> Outcome:
        services = self._services
        try:
            with services.cancel.body(), told(services, step.name, trial.run_id):
                outcome = services.evaluator.run_body(step, live=not trial.quiet, timeout=trial.limit.seconds)
        except KeyboardInterrupt as interrupt:
            return Outcome(error=interrupt)
        return replace(outcome, error=timeout_of(step, outcome.error, trial.limit)) if outcome.error else outcome

    @contextmanager
    def _guarded(self, step: Step, identity: Identity, given: Mapping[str, object]) -> Iterator[_Guard]:
        """Clear the outputs' names, so that only this body can assign them; put them back if it fails.

        What the engine gives the body is there while it runs.
        """
        namespace = self._services.evaluator.namespace
        covered = {name: namespace[name] for name in given if name in namespace}
        namespace.update(given)
        inputs = {name: namespace[name] for name in identity.inputs if name in namespace}
        stash = {
            name: namespace.pop(name)
            for name in (*step.outputs, *step.scratch)
            if name in namespace and name not in inputs
        }
        guard = _Guard(inputs)
        try:
            yield guard
        finally:
            for name in given:
                if name not in step.outputs:
                    namespace.pop(name, None)
            namespace.update(covered)
            self._bindings.unset_missing(inputs)
            if guard.error is not None:
                for name, value in stash.items():
                    namespace.setdefault(name, value)

    def _violation(self, step: Step, identity: Identity, guard: _Guard) -> StepError | None:
        """What the step promised and did not keep."""
        namespace = self._services.evaluator.namespace
        absent = [name for name in step.outputs if name not in namespace and name not in step.optional]
        return self.unassigned(step, absent) if absent else self._mutation(step, identity, guard.inputs)

    def unassigned(self, step: Step, names: Iterable[str]) -> StepError:
        """The error for outputs that the body did not assign."""
        absent = ", ".join(names)
        message = f"the body ended without assigning {absent}"
        return StepError(message, step=step.name, cell=step.cell.label, hint=f"assign {absent}, or drop it from --out")

    def _mutation(self, step: Step, identity: Identity, inputs: Mapping[str, object]) -> StepError | None:
        mode = self._services.config.mutation
        namespace = self._services.evaluator.namespace
        found: StepError | None = None
        for name, value in inputs.items():
            if name in step.outputs:
                continue
            before = identity.inputs[name]
            if before is NO_VALUE:
                continue
            if mode != "off" and not is_volatile(before.digest) and digest_or_unique(value) != before.digest:
                found = found or self.mutated(step, name)
                self._bindings.provide({name: before})
            elif namespace.get(name) is not value:
                namespace[name] = value
        if found is not None and mode == "warn":
            self._services.warn("", step.name, str(found.args[0]), found.problem.hint)
            return None
        return found

    def mutated(self, step: Step, name: str) -> StepError:
        """The error for an input that the body changed in place."""
        message = f"the body changed its input {name} in place"
        hint = f"work on a copy ({name} = {name}.copy()), or declare it: --mutates {name}"
        return MutatedInputError(message, step=step.name, cell=step.cell.label, hint=hint)

    def skipped(self, step: Step, attempt: Attempt, skip: Skip) -> Executed:
        """The body had nothing to do: it ended well, and left nothing."""
        services = self._services
        for name in step.outputs:
            if name not in step.options.mutates:
                services.evaluator.forget(name)
        now = services.clock.now()
        ended = replace(attempt, state=AttemptState.SUCCEEDED, ended_at=now, peak_rss=services.host.peak_rss())
        services.emit(AttemptEnded(now, ended))
        return Executed(None, skipped=skip.reason)

    def failed(self, attempt: Attempt, error: BaseException, outcome: Outcome) -> Executed:
        """Record that a body ended without success."""
        now = self._services.clock.now()
        state = _state_after(error)
        failure = describe(error, outcome.traceback)
        ended = replace(attempt, state=state, ended_at=now, failure=failure, peak_rss=self._services.host.peak_rss())
        self._services.emit(AttemptEnded(now, ended))
        return Executed(None, error, failure)

    def commit(
        self, step: Step, identity: Identity, attempt: Attempt, outcome: Outcome, observed: tuple[Part, ...]
    ) -> Executed:
        """Store what a body assigned, and record its success."""
        services = self._services
        outputs, uncacheable = self._store_outputs(step)
        displays = self._store_displays(outcome)
        now = services.clock.now()
        result = Result(
            key=identity.key,
            static=identity.static,
            notebook=services.notebook,
            step=step.name,
            run_id=attempt.run_id,
            outputs=outputs,
            parts=identity.parts,
            observed=observed,
            displays=displays,
            started_at=attempt.started_at,
            ended_at=now,
            duration=outcome.duration,
            uncacheable=(*identity.uncacheable, *uncacheable),
            reasons=identity.reasons,
        )
        ended = replace(attempt, state=AttemptState.SUCCEEDED, ended_at=now, peak_rss=services.host.peak_rss())
        services.emit(StepSucceeded(now, ended, result, result.uncacheable))
        return Executed(result)

    def _store_outputs(self, step: Step) -> tuple[dict[str, Artifact], tuple[str, ...]]:
        """Digest and store each output; what cannot be kept is named and keeps the step from being reused."""
        services = self._services
        outputs: dict[str, Artifact] = {}
        uncacheable = list[str]()
        for name in step.outputs:
            if name not in services.evaluator.namespace:
                self._bindings.absent(name)
                continue
            value = services.evaluator.namespace[name]
            digest, artifact, why = "", None, ""
            try:
                digest = content.digest(value)
                artifact = outputs[name] = services.store.put(value, digest)
            except (UndigestibleError, UnstorableValueError) as error:
                why = error.problem.message
                uncacheable.append(f"{name}: {why}")
            self._bindings.note(name, value, digest or unique_digest(), artifact, why)
        return outputs, tuple(uncacheable)

    def _store_displays(self, outcome: Outcome) -> Artifact | None:
        if not outcome.displays:
            return None
        shown = list(outcome.displays)
        return self._services.store.put(shown, content.digest(shown))


@dataclass(slots=True)
class _Guard:
    """The input objects as they were handed to the body, and how the body ended."""

    inputs: Mapping[str, object]
    error: BaseException | None = None


def _state_after(error: BaseException) -> AttemptState:
    if isinstance(error, KeyboardInterrupt):
        return AttemptState.CANCELLED
    return AttemptState.CRASHED if isinstance(error, CrashedError) else AttemptState.FAILED


def describe(error: BaseException, traceback: str = "") -> Failure:
    """An exception as data."""
    kind = type(error)
    bare = kind.__module__ in {"builtins", "__main__"}
    name = kind.__qualname__ if bare else f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(error, NbstepsError):
        return Failure(kind.__qualname__, error.problem.message, traceback, error.problem.hint)
    return Failure(name, str(error), traceback)
