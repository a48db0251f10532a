"""Why a step runs: the one vocabulary that plan, why, log, history and widget print."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class ReasonKind(StrEnum):
    """What kind of reason; the order is the order in which reasons are shown."""

    FORCED = "forced"
    CACHE_OFF = "cache off"
    UNCACHEABLE = "uncacheable"
    NEVER_RAN = "never ran"
    CODE = "code"
    MAP = "map"
    OUTPUTS = "outputs"
    EDITED = "edited"
    HELPER = "helper"
    INPUT = "input"
    PARAMETER = "parameter"
    FORM = "form"
    ERROR = "error"
    CONSTANT = "constant"
    FILE = "file"
    MODULE = "module"
    PACKAGE = "package"
    ENV = "env"
    ENVIRONMENT = "environment"
    SETTING = "setting"
    RANDOM = "random"
    PLACE = "place"
    STATE = "state"
    VERSION = "version"
    PYTHON = "python"
    SCHEME = "scheme"
    EXPIRED = "expired"
    RESULT_MISSING = "result missing"
    OTHER_RUN = "other run"
    FAILED_LAST_TIME = "failed last time"
    CANCELLED_LAST_TIME = "cancelled last time"
    CRASHED_LAST_TIME = "crashed last time"
    ITEMS = "items"
    UPSTREAM = "upstream"
    CONDITION = "condition"
    DEPENDS = "depends"
    APPROVAL = "approval"
    SKIPPED = "skipped"
    BLOCKED = "blocked"


TEXTS: Final = MappingProxyType(
    {
        ReasonKind.FORCED: "forced",
        ReasonKind.CACHE_OFF: "cache off",
        ReasonKind.UNCACHEABLE: "uncacheable: {name}",
        ReasonKind.NEVER_RAN: "never ran",
        ReasonKind.CODE: "code changed",
        ReasonKind.MAP: "--map changed",
        ReasonKind.OUTPUTS: "outputs changed",
        ReasonKind.EDITED: "{name} was edited and not executed",
        ReasonKind.HELPER: "helper {name} changed",
        ReasonKind.INPUT: "input {name} changed",
        ReasonKind.PARAMETER: "parameter {name} changed",
        ReasonKind.FORM: "approved value {name} changed",
        ReasonKind.ERROR: "caught error changed",
        ReasonKind.CONSTANT: "constant {name} changed",
        ReasonKind.FILE: "file {name} changed",
        ReasonKind.MODULE: "module {name} changed",
        ReasonKind.PACKAGE: "package {name} changed",
        ReasonKind.ENV: "environment variable {name} changed",
        ReasonKind.ENVIRONMENT: "environment changed",
        ReasonKind.SETTING: "setting {name} changed",
        ReasonKind.RANDOM: "random state changed: {name}",
        ReasonKind.PLACE: "working directory changed",
        ReasonKind.STATE: "state of {name} changed",
        ReasonKind.VERSION: "version changed",
        ReasonKind.PYTHON: "python changed",
        ReasonKind.SCHEME: "key scheme changed",
        ReasonKind.EXPIRED: "expired",
        ReasonKind.RESULT_MISSING: "result missing",
        ReasonKind.OTHER_RUN: "result of another run",
        ReasonKind.FAILED_LAST_TIME: "failed last time",
        ReasonKind.CANCELLED_LAST_TIME: "cancelled last time",
        ReasonKind.CRASHED_LAST_TIME: "crashed last time",
        ReasonKind.ITEMS: "{name} items",
        ReasonKind.UPSTREAM: "{name} may change",
        ReasonKind.CONDITION: "its condition is not known yet",
        ReasonKind.DEPENDS: "depends on step {name}",
        ReasonKind.APPROVAL: "waits for approval",
        ReasonKind.SKIPPED: "{name}",
        ReasonKind.BLOCKED: "{name}",
    }
)
_INLINE: Final = MappingProxyType(
    {
        ReasonKind.PACKAGE: "package {name} {before} -> {after}",
        ReasonKind.PYTHON: "python {before} -> {after}",
        ReasonKind.VERSION: "version {before} -> {after}",
    }
)


def mend(uncacheable: str) -> str:
    """What to do about a name that keeps a step from being cached, given as ``conn: why``; ``""`` where unknown."""
    name = uncacheable.partition(":")[0]
    return f"--ignore {name}, or make {name} the output of a step" if name.isidentifier() else ""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of a decision.

    Attributes:
        name: the helper, variable, file or package that it is about.
        before: the old side, for a diff: source text, a value's summary, a version; ``""`` where there was none.
        after: the new side.
        inline: whether both sides are short enough to stand in the text.
    """

    kind: ReasonKind
    name: str = ""
    before: str = ""
    after: str = ""
    inline: bool = False

    def __str__(self) -> str:
        """The reason as every view prints it."""
        table = _INLINE if self.inline and self.kind in _INLINE else TEXTS
        return table[self.kind].format(name=self.name, before=self.before or "none", after=self.after or "none")
