"""How a run goes about it, what is recorded of that, and what is left of it while a person is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from nbsteps.core.model import Run, RunResult, Wishes
from nbsteps.core.secrecy import MASKED, is_secret
from nbsteps.core.states import StepState
from nbsteps.engine.capacity import Means
from nbsteps.engine.services import Services, new_id


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run goes about it.

    Attributes:
        forced: steps whose bodies run whatever is stored.
        fail_fast: start nothing more once a step failed for good.
        means: what may be executed away from the main thread, and how much at once.
    """

    forced: frozenset[str] = frozenset()
    fail_fast: bool = False
    means: Means = Means()  # noqa: RUF009 - a frozen value

    def wishes(self, wanted: Iterable[str]) -> Wishes:
        """What is recorded with a run over the wanted steps."""
        executor = self.means.executor if isinstance(self.means.executor, str) else ""
        return Wishes(tuple(wanted), tuple(sorted(self.forced)), self.fail_fast, self.means.workers, executor)


@dataclass(frozen=True, slots=True)
class Paused:
    """A run of this kernel that waits for a person.

    Attributes:
        wanted: the steps that it was asked for; empty for all.
        manner: how it goes on: what it has forced already is not forced again.
        waiting: steps that somebody is asked about.
    """

    wanted: tuple[str, ...]
    manner: Manner
    waiting: frozenset[str]

    @classmethod
    def after(cls, wanted: tuple[str, ...], manner: Manner, result: RunResult) -> Paused:
        """What is left of a run that came to ``result``."""
        states = {name: done.state for name, done in result.steps.items()}
        ran = {name for name, state in states.items() if state is StepState.SUCCEEDED}
        waiting = frozenset(name for name, state in states.items() if state is StepState.WAITING)
        return cls(wanted, replace(manner, forced=manner.forced - ran), waiting)


def new_run(services: Services, trigger: str, wishes: Wishes, parameters: Mapping[str, object]) -> Run:
    """A run that begins now."""
    return Run(
        run_id=new_id(),
        notebook=services.notebook,
        trigger=trigger,
        started_at=services.clock.now(),
        host=services.host.name,
        pid=services.host.pid,
        user=services.host.user,
        parameters={name: shown_parameter(name, value) for name, value in parameters.items()},
        wishes=wishes,
    )


_SHOWN = 200


def shown_parameter(name: str, value: object) -> str:
    """A parameter as the history may keep it: short, and never a secret."""
    return MASKED if is_secret(name) else repr(value)[:_SHOWN]
