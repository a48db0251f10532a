"""A map as a whole: its attempt, the list of its items' outputs, and what its failures come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from nbsteps.core.errors import StepTimeout
from nbsteps.core.events import AttemptEnded, AttemptStarted, StepSucceeded
from nbsteps.core.mapped import MapOutput
from nbsteps.core.model import Artifact, Attempt, Failure, Result, Step
from nbsteps.core.retry import Reason
from nbsteps.core.states import AttemptState
from nbsteps.engine.attempt import describe
from nbsteps.engine.bindings import Bindings, is_volatile, unique_digest
from nbsteps.engine.contracts import Executed, Trial
from nbsteps.engine.judge import Identity
from nbsteps.engine.maps.local import merged
from nbsteps.engine.maps.log import Tally
from nbsteps.engine.services import Services
from nbsteps.identity import content
from nbsteps.identity.content.mapped import items_digest

TOO_MANY = "tolerance_exceeded"
_NAMED: Final = 3
"""Items that an error names beyond the one that it came from."""


class MapSummary:
    """One attempt at the whole step."""

    def __init__(self, services: Services, bindings: Bindings, step: Step, identity: Identity, trial: Trial) -> None:
        self._services, self._bindings, self._step, self._identity = services, bindings, step, identity
        host = services.host
        self._attempt = Attempt(
            run_id=trial.run_id,
            step=step.name,
            attempt=trial.number,
            started_at=services.clock.now(),
            executor="map",
            host=host.name,
            pid=host.pid,
            delay=trial.delay,
        )

    def start(self) -> None:
        """Announce it."""
        self._services.emit(AttemptStarted(self._attempt.started_at, self._attempt))

    def stopped(self, error: BaseException, tally: Tally | None) -> Executed:
        """It could not be brought to its end."""
        reason = str(Reason.TOTAL_TIMEOUT) if isinstance(error, StepTimeout) else ""
        state = AttemptState.CANCELLED if isinstance(error, KeyboardInterrupt) else AttemptState.FAILED
        return self._failed(error, describe(error), tally, reason, state)

    def left_out(self, reason: str, tally: Tally) -> Executed:
        """Items are left that were not started any more, by no fault of the step's."""
        now = self._services.clock.now()
        peak_rss = self._services.host.peak_rss()
        ended = replace(self._attempt, state=AttemptState.CANCELLED, ended_at=now, peak_rss=peak_rss)
        self._services.emit(AttemptEnded(now, ended))
        return Executed(None, items=tally.counts(), cancelled=reason)

    def ended(self, tally: Tally, seconds_saved: float) -> Executed:
        """Every item has ended: the step succeeds unless too many of them failed."""
        failed = [tally.failed[position] for position in sorted(tally.failed)]
        tolerate = self._step.options.tolerate
        if tolerate.allows(len(failed), tally.total):
            return self._succeeded(tally, seconds_saved)
        first = failed[0]
        allowed = f"{tolerate.limit:g}{'%' if tolerate.percent else ''}"
        told = f"{len(failed):,} of {tally.total:,} items failed, --tolerate {allowed}"
        left = tally.total - tally.done
        told += f"; {left:,} were not executed (--fail-fast)" if left else ""
        more = _others([each.item.name for each in failed[1:]])
        add_note(first.error, f"{told}; the first: {first.item.name}{more}")
        message = f"{told}; {first.item.name}: {first.failure.message}{more}"
        reason = TOO_MANY if tolerate.limit else first.reason
        failure = replace(first.failure, message=message)
        return self._failed(first.error, failure, tally, reason, AttemptState.FAILED)

    def _failed(
        self, error: BaseException, failure: Failure, tally: Tally | None, reason: str, state: AttemptState
    ) -> Executed:
        services, now = self._services, self._services.clock.now()
        ended = replace(self._attempt, state=state, ended_at=now, failure=failure, peak_rss=services.host.peak_rss())
        services.emit(AttemptEnded(now, ended))
        return Executed(None, error, failure, items=None if tally is None else tally.counts(), reason=reason)

    def _succeeded(self, tally: Tally, seconds_saved: float) -> Executed:
        services, attempt = self._services, self._attempt
        outputs, uncacheable = self._outputs(tally)
        if tally.failed:
            # What a rerun would try again must not be skipped by one.
            uncacheable.append(f"{len(tally.failed):,} of {tally.total:,} items failed, which --tolerate allows")
        if tally.skipped:
            uncacheable.append(f"{len(tally.skipped):,} of {tally.total:,} items were skipped by the body")
        displays = merged(display for position in sorted(tally.shown) for display in tally.shown[position])
        kept = services.store.put(displays, content.digest(displays)) if displays else None
        now = services.clock.now()
        result = Result(
            key=self._identity.key,
            static=self._identity.static,
            notebook=services.notebook,
            step=self._step.name,
            run_id=attempt.run_id,
            outputs=outputs,
            parts=self._identity.parts,
            displays=kept,
            observed=tally.observed(),
            started_at=attempt.started_at,
            ended_at=now,
            duration=now - attempt.started_at + seconds_saved,
            uncacheable=(*self._identity.uncacheable, *uncacheable),
            items=tally.total,
            reasons=self._identity.reasons,
        )
        ended = replace(attempt, state=AttemptState.SUCCEEDED, ended_at=now, peak_rss=services.host.peak_rss())
        services.emit(StepSucceeded(now, ended, result, result.uncacheable, tally.counts()))
        return Executed(result, items=tally.counts())

    def _outputs(self, tally: Tally) -> tuple[dict[str, Artifact], list[str]]:
        """Store each output's list, and bind it: lazily, so that the items' values need not be in memory."""
        absent = {**tally.failed, **tally.skipped}
        errors = tuple(absent[position].told() for position in sorted(absent))
        order = sorted(tally.made)
        outputs: dict[str, Artifact] = {}
        for at, name in enumerate(self._step.outputs):
            made = [tally.made[position] for position in order]
            artifacts = [each.artifacts[at] for each in made]
            digests = [each.digests[at] for each in made]
            stored = [artifact for artifact in artifacts if artifact is not None]
            if len(stored) == len(made) and not any(map(is_volatile, digests)):
                digest = items_digest(digests, errors)
                outputs[name] = self._services.store.put_items(stored, errors, digest)
                self._bindings.missing.discard(digest)
                self._bindings.bind(name, outputs[name])
                continue
            values = (
                each.values[at] if artifact is None else self._services.store.get(artifact)
                for each, artifact in zip(made, artifacts, strict=True)
            )
            self._bind(name, MapOutput(values, errors))
        return outputs, list(tally.uncacheable)

    def _bind(self, name: str, value: MapOutput) -> None:
        evaluator = self._services.evaluator
        evaluator.forget(name)
        evaluator.namespace[name] = value
        self._bindings.note(name, value, unique_digest(), None)


def _others(names: Sequence[str]) -> str:
    """The items that failed beyond the one whose error is shown: the first few by name, and where all of them are."""
    named, left = names[:_NAMED], len(names) - _NAMED
    also = f"; also {', '.join(named)}" if named else ""
    return f"{also} and {left:,} more: nbsteps.attempts() has them" if left > 0 else also


def add_note(error: BaseException, note: str) -> None:
    """Add a note that tracebacks show, once."""
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)
