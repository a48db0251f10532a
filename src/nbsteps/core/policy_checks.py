"""Options of one step that contradict each other, or that do nothing without another: each with its mend."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterator
from operator import attrgetter
from typing import Any, NamedTuple

from nbsteps.core.conditions import ELSE, read_condition
from nbsteps.core.errors import Problem, Severity
from nbsteps.core.forms import show_field
from nbsteps.core.model import StepOptions
from nbsteps.core.option_table import OPTIONS
from nbsteps.core.options import format_line
from nbsteps.core.placeholders import placeholders
from nbsteps.core.policies import OnExpire

_FIRST = "retries"
_FLAGS = {option.field: option.flag for option in OPTIONS}
_DEFAULTS: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(StepOptions)}
_FIELDS = tuple(_DEFAULTS)[tuple(_DEFAULTS).index(_FIRST) :]
_values = attrgetter(*_FIELDS)
_PLAIN = _values(StepOptions())
_IDLE = {
    "retry_delay": "retries",
    "backoff": "retries",
    "max_delay": "retries",
    "jitter": "retries",
    "retry_on": "retries",
    "no_retry_on": "retries",
    "map_key": "map",
    "max_parallel": "map",
    "tolerate": "map",
    "approve_timeout": "approve",
    "on_reject": "approve",
    "approvers": "approve",
    "on_expire": "approve_timeout",
}
"""Option to the one without which it does nothing."""


class Found(NamedTuple):
    """What is wrong: the mend is the magic line with these changes, or a sentence."""

    message: str
    changes: dict[str, Any] = {}  # noqa: RUF012 - never changed; a NamedTuple's default cannot be a factory
    hint: str = ""
    severity: Severity = "error"


def own_problems(
    name: str, cell: str, options: StepOptions, reads: frozenset[str], *, opaque: bool
) -> tuple[Problem, ...]:
    """Everything wrong with the options of a step by themselves.

    Args:
        name: the step's name.
        cell: label of its cell.
        options: as written.
        reads: names that the body reads.
        opaque: whether the body's names cannot be seen.
    """
    if _values(options) == _PLAIN:
        return ()
    checks = (_idle(options), _limits(options), _maps(options), _rules(name, options), _asks(options, reads, opaque))
    problems = list[Problem]()
    for found in (found for check in checks for found in check):
        hint = found.hint or f"%%step {format_line(name, dataclasses.replace(options, **found.changes))}"
        problems.append(Problem(name, cell, found.message, hint, found.severity))
    return tuple(problems)


def _cleared(*names: str) -> dict[str, Any]:
    return {name: _DEFAULTS[name] for name in names}


def _given(options: StepOptions, name: str) -> bool:
    return bool(getattr(options, name) != _DEFAULTS[name])


def _idle(options: StepOptions) -> Iterator[Found]:
    """Options that do nothing for want of another one."""
    for name, needed in _IDLE.items():
        if _given(options, name) and not _given(options, needed):
            message = f"{_FLAGS[name]} does nothing without {_FLAGS[needed]}"
            yield Found(message, _cleared(name), severity="warning")


def _limits(options: StepOptions) -> Iterator[Found]:
    total = options.total_timeout
    if total is None:
        return
    if options.timeout is not None and options.timeout > total:
        message = "--timeout is longer than --total-timeout, which ends the attempt first"
        yield Found(message, _cleared("timeout"), severity="warning")
    if options.retries and options.retry_delay >= total:
        message = "--retry-delay is not shorter than --total-timeout, so there is never a second attempt"
        yield Found(message, _cleared("total_timeout"), severity="warning")


def _maps(options: StepOptions) -> Iterator[Found]:
    """Loop variables that are something else as well."""
    seen = set[str]()
    listed: dict[str, Container[str]] = {
        "--in": options.inputs or (),
        "--out": options.outputs or (),
        "--mutates": options.mutates,
        "--ask": tuple(field.name for field in options.ask),
    }
    for source in options.map:
        if source.item in seen:
            yield Found(f"--map binds {source.item} twice", hint=_other(source.item))
        seen.add(source.item)
        if any(source.item == other.items for other in options.map):
            yield Found(f"--map: {source.item} cannot be both the item and the items", hint=_other(source.item))
        for flag, names in listed.items():
            if source.item in names:
                message = f"{flag} {source.item}: that is the loop variable of --map, there while an item runs"
                yield Found(message, hint=f"take {source.item} out of {flag}")
        if source.items in options.mutates:
            message = f"--mutates {source.items}: the items of a map must not change what they are taken from"
            yield Found(message, {"mutates": tuple(name for name in options.mutates if name != source.items)})


def _other(item: str) -> str:
    return f"give the loop variable another name, such as {item}_item"


def _rules(name: str, options: StepOptions) -> Iterator[Found]:
    if options.when.strip() == ELSE and not options.branch:
        yield Found("--when else means something only in a branch", hint="add --branch GROUP, or an expression")
    if options.catch == name:
        yield Found(f"--catch {name}: that is this step itself", _cleared("catch"))
    if name in read_condition(options.when).steps:
        yield Found("--when asks how this step itself ended", hint="ask for another step")
    early = read_condition(options.when).names & {source.item for source in options.map}
    for item in sorted(early):
        message = f"--when reads {item}, the loop variable of --map: it is asked once, before the items"
        yield Found(message, hint=f"raise nbsteps.Skip in the body, or leave items out of what {item} runs over")


def _asks(options: StepOptions, reads: frozenset[str], opaque: bool) -> Iterator[Found]:  # noqa: FBT001 - private
    names = [field.name for field in options.ask]
    if names and not options.approve:
        yield Found("--ask needs a question: nobody is asked without --approve", {"approve": "Go on?"})
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield Found(f"--ask has two fields {name}", hint=f"give one of them another name, such as {name}_2")
    for flag, listed in (
        ("--in", options.inputs or ()),
        ("--out", options.outputs or ()),
        ("--mutates", options.mutates),
    ):
        for name in names:
            if name in listed:
                message = f"{flag} {name}: that is a field of --ask, which would hide it"
                yield Found(message, hint=f"give the field another name, such as {name}_asked")
    yield from _shown(options, names)
    for name in names:
        if name not in reads and not opaque:
            message = f"--ask {name}: the body never reads it"
            left = tuple(field for field in options.ask if field.name != name)
            yield Found(message, {"ask": left}, severity="warning")


def _shown(options: StepOptions, names: list[str]) -> Iterator[Found]:
    """What the question shows, or takes for an answer, before there is any."""
    for name in placeholders(options.approve).names:
        if name in names:
            message = f"--approve shows {name}, a field of --ask: it is asked before the form is filled in"
            yield Found(message, hint=f"take {{{name}}} out of the text")
        if any(name == source.item for source in options.map):
            message = f"--approve shows {name}, the loop variable of --map: it is asked once, before the items"
            yield Found(message, hint=f"take {{{name}}} out of the text")
    empty = [field for field in options.ask if field.default is None]
    if empty and options.on_expire is OnExpire.APPROVE:
        message = f"--on-expire approve: nobody would have filled in {', '.join(field.name for field in empty)}"
        yield Found(message, hint=f"give a default: --ask {show_field(empty[0])}=...")
