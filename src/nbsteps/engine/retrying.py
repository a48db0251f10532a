"""Which failures are worth another attempt."""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from nbsteps.core.errors import NoRetry, Problem, Retry, StepError, StepTimeout
from nbsteps.core.graph import Graph
from nbsteps.core.model import Step
from nbsteps.core.retry import Limit, Reason
from nbsteps.engine.services import Services

NEVER: Final = (SyntaxError, StepError, NoRetry)
"""What another attempt cannot mend: text that is no Python, and a body that does not do what its step says."""


def retryable(step: Step, error: BaseException, services: Services, run_id: str) -> bool:
    """Whether a failure is of a kind that is retried: not denied by name, and allowed where names are given.

    A list that cannot be applied counts as absent, and that is said: a failure must not become another one.
    """
    if isinstance(error, StepTimeout):
        kind_of: BaseException | type = TimeoutError
    elif isinstance(error, Exception) and not isinstance(error, NEVER):
        kind_of = error
    else:
        return False
    if isinstance(error, Retry):
        return True
    options = step.options
    try:
        if any(_is(kind_of, name, services) for name in options.no_retry_on):
            return False
        return not options.retry_on or any(_is(kind_of, name, services) for name in options.retry_on)
    except Exception as wrong:  # noqa: BLE001 - a class may do anything when it is asked what is one of it
        message = f"whether to retry could not be told ({type(wrong).__name__}: {wrong}): it is retried"
        services.warn(run_id, step.name, message)
        return True


def asked_delay(error: BaseException) -> float | None:
    """The seconds that a body asked for with ``Retry(after=...)``."""
    return error.after if isinstance(error, Retry) else None


def _is(error: BaseException | type, name: str, services: Services) -> bool:
    kinds = resolve(name, services.evaluator.namespace)
    if kinds is None:
        return False
    return issubclass(error, kinds) if isinstance(error, type) else isinstance(error, kinds)


def resolve(name: str, namespace: Mapping[str, object]) -> type | tuple[type, ...] | None:
    """The class that a name stands for: in the user's namespace, a builtin, ours, or a dotted name to import."""
    for found in _meanings(name, namespace):
        many = found if isinstance(found, tuple) else (found,)
        if many and all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in many):
            return tuple(many)
    return None


def _meanings(name: str, namespace: Mapping[str, object]) -> Iterator[object]:
    head, *path = name.split(".")
    ours = {"StepTimeout": TimeoutError}
    for scope in (namespace, vars(builtins), ours):
        if head in scope:
            yield _follow(scope[head], path)
    if path:
        yield _imported(name)


def _follow(value: object, path: Iterable[str]) -> object:
    for part in path:
        value = getattr(value, part, None)
    return value


def _imported(name: str) -> object:
    """A dotted name as what a module of the longest importable prefix has."""
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        return _follow(module, parts[cut:])
    return None


def doubtful_names(graph: Graph, names: Iterable[str], namespace: Mapping[str, object]) -> Iterator[Problem]:
    """A problem for each class of ``--retry-on`` and ``--no-retry-on`` that nobody knows.

    What a context cell assigns is taken as known: it may not have been executed yet.
    """
    for name in names:
        step = graph.steps[name]
        if not step.options.retry_on and not step.options.no_retry_on:
            continue
        for option, kinds in (("--retry-on", step.options.retry_on), ("--no-retry-on", step.options.no_retry_on)):
            for kind in kinds:
                if resolve(kind, namespace) is None and kind.partition(".")[0] not in graph.assigned():
                    message = f"{option} {kind}: there is no such class of exceptions"
                    hint = f"import it in a cell above, or write where it is from: {option} package.module.{kind}"
                    yield Problem(name, step.cell.label, message, hint)


def timeout_of(step: Step, error: BaseException | None, limit: Limit) -> BaseException | None:
    """What ended an attempt; a timeout that was the rest of the step's time says so, and how long that was."""
    if not isinstance(error, StepTimeout) or not limit.total:
        return error
    return StepTimeout(step.options.total_timeout or 0.0, total=True).with_traceback(error.__traceback__)


def why_failed(step: Step, error: BaseException | None, given_up: Reason) -> str:
    """The word for a failure after which no attempt follows; ``""`` where the error says it all."""
    if isinstance(error, StepTimeout) and error.total:
        return str(Reason.TOTAL_TIMEOUT)
    if given_up is Reason.TOTAL_TIMEOUT or isinstance(error, NoRetry):
        return str(given_up)
    if step.options.retries:
        return str(given_up)
    return "timeout" if isinstance(error, StepTimeout) else ""
