"""Identity of code: a step's body, and everything behind the names that it reads and no step writes."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import BuiltinFunctionType
from typing import Final, NamedTuple

from nbsteps.core.model import Part, PartKind
from nbsteps.core.names import analyse
from nbsteps.identity.codeobjects import Facts, body_facts, magics_of
from nbsteps.identity.distributions import EnvMode, package_part
from nbsteps.identity.environment import declared_env, shell_variables
from nbsteps.identity.feed import digest_texts
from nbsteps.identity.modules import locate
from nbsteps.identity.places import Origin, name_origin
from nbsteps.identity.reach import Rules, Walk
from nbsteps.identity.settings import any_settings
from nbsteps.identity.trees import body_digest

_BUILTINS: Final = vars(builtins)
_USUAL: Final = (BuiltinFunctionType, type)
"""What Python's own names of builtins stand for; a cell may have put others there."""


@dataclass(frozen=True, slots=True)
class CodeContext:
    """Where the notebook lives and how far versions count.

    Attributes:
        project_root: folder of the project, or None.
        notebook_folder: folder of the notebook, or None where it has no path.
        env: how versions of installed distributions count: ``exact``, ``minor`` (major.minor) or ``off``.
    """

    project_root: Path | None = None
    notebook_folder: Path | None = None
    env: EnvMode = "minor"


class Closure(NamedTuple):
    """What lies behind the names that a body reads.

    Attributes:
        parts: helpers, constants, parameters, modules and packages, each a part of its own, in a stable order.
        reached: variables that steps write and that the body, or a helper behind it, reads.
        uncacheable: what keeps the step from being cached, each text starting with the name that is why.
        warnings: what the user should know, such as a module edited after it was imported.
    """

    parts: tuple[Part, ...] = ()
    reached: frozenset[str] = frozenset()
    uncacheable: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@lru_cache(maxsize=8192)
def body_part(body: str, outputs: tuple[str, ...]) -> tuple[Part, ...]:
    """Parts for the body's normalised syntax tree and for the names that it must have assigned."""
    names = sorted(outputs)
    return (
        Part(PartKind.CODE, "", body_digest(body), detail=body),
        Part(PartKind.OUTPUTS, "", digest_texts("outputs", *names), detail=" ".join(names)),
    )


def closure(  # noqa: PLR0913 - keyword-only facts of one notebook
    reads: Iterable[str],
    namespace: Mapping[str, object],
    *,
    stop: Collection[str],
    ignore: Collection[str] = (),
    parameters: Collection[str] = (),
    context: CodeContext,
    body: str = "",
    settled: bool | None = None,
) -> Closure:
    """Follow the names that a body reads through helpers, classes, constants, modules and packages.

    Args:
        reads: every global name that the body may read.
        namespace: the notebook's globals, live.
        stop: variables that steps write: collected, not followed.
        ignore: names that do not count; those of modules with the module's name before them (``util.logger``).
        parameters: names whose values are parameters of the notebook.
        context: where the notebook lives.
        body: the body's text; its imports and what it reads from modules count, too.
        settled: whether any setting of the process counts, where the caller has looked a moment ago.
    """
    facts = body_facts(body)
    names = dict.fromkeys((*reads, *sorted(facts.texts.among(namespace, stop))))
    reached = [name for name in names if name in stop and name not in ignore]
    others = [name for name in names if name not in stop]
    follow = [name for name in others if name in namespace or not _is_builtin(name)]
    shell = _shell_parts(body, namespace, stop)
    counts = follow or shell or _counts(facts) or magics_of(body)
    if not (counts or (any_settings() if settled is None else settled)):
        return Closure(reached=frozenset(reached)) if reached else _NOTHING
    walk = Walk(namespace, Rules(stop, ignore, parameters, context.env))
    walk.run(follow, facts, body)
    walk.reached.update(reached)
    return Closure(
        walk.parts() + shell, frozenset(walk.reached), tuple(sorted(set(walk.uncacheable))), tuple(walk.warnings)
    )


def _is_builtin(name: str) -> bool:
    """Whether a name stands for what Python itself has under it."""
    value = _BUILTINS.get(name)
    return isinstance(value, _USUAL) and name_origin(value.__module__) is Origin.PYTHON


def _counts(facts: Facts) -> bool:
    """Whether anything but names counts."""
    return bool(facts.imports or facts.texts.imports or facts.local_time)


def _shell_parts(body: str, namespace: Mapping[str, object], stop: Collection[str]) -> tuple[Part, ...]:
    """Parts for the variables that a shell line or cell of the body looks up in the environment."""
    if "$" not in body or not ("!" in body or body.lstrip().startswith("%%")):
        return ()
    try:
        own = analyse(body).writes
    except SyntaxError:
        own = frozenset()
    names = shell_variables(body).difference(own, stop)
    return declared_env(name for name in names if name not in namespace)


def module_package(module: str, context: CodeContext) -> Part | None:
    """The part for the distribution that a top-level module comes from; None for what is not installed.

    The module need not be loaded: a value that waits in the store to be loaded has a type from it all the same.
    """
    found = locate(module) if module else None
    if found is None or found.origin is not Origin.INSTALLED:
        return None
    return package_part(module, context.env)


_NOTHING: Final = Closure()
