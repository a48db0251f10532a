"""The text of a ``%%step`` line -> name, options and messages. What the options are stands in option_table."""

from __future__ import annotations

import builtins
import difflib
import keyword
import unicodedata
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any, NamedTuple

from nbsteps.core.kinds import DASHES, Literal, UnreadableError, is_flag, parse_duration, quote, tokenize
from nbsteps.core.model import StepOptions
from nbsteps.core.option_table import OPTIONS, USAGE, Option, help_text, reference_markdown

__all__ = [
    "OPTIONS",
    "Option",
    "Parsed",
    "format_line",
    "help_text",
    "parse_duration",
    "parse_line",
    "reference_markdown",
]


class Parsed(NamedTuple):
    """What a magic line says.

    Attributes:
        name: the step's name as written, ``""`` if there is none.
        options: what could be understood.
        messages: pairs of message and mend for what could not; empty for a good line.
    """

    name: str
    options: StepOptions
    messages: tuple[tuple[str, str], ...]


_BY_FLAG: Mapping[str, Option] = {option.flag: option for option in OPTIONS}
_DEFAULTS: Mapping[str, Any] = {field.name: field.default for field in fields(StepOptions)}
_NO_OPTIONS = StepOptions()
_OF_A_RUN: Mapping[str, str] = {
    "--workers": "%pipeline run --workers N; for one step: --max-parallel N or --pool NAME:SLOTS",
    "--executor": "%pipeline run --executor NAME",
    "--force": "%pipeline run --force STEP; to run it each time: --cache off",
    "--param": "%pipeline run --param NAME=VALUE",
    "--fail-fast": "%pipeline run --fail-fast",
    "--keep-going": "%pipeline run --keep-going",
    "--dry-run": "%pipeline run --dry-run",
}
# IPython adds names of its own; the answer must be the same with and without it.
_BUILTINS = frozenset(name for name in dir(builtins) if not name.startswith("_")) | {"display", "get_ipython"}


@lru_cache(maxsize=8192)
def parse_line(line: str) -> Parsed:
    """Read the text after ``%%step``. Bad input never raises: ``messages`` reports it."""
    messages: list[tuple[str, str]] = []
    words = tokenize(line)
    if words is None:
        messages.append((f"a quote in {line.strip()!r} is not closed", "close the quote"))
        words = line.replace("'", " ").replace('"', " ").split()
        return Parsed(_step_name(words, messages), _NO_OPTIONS, tuple(messages))
    name = _step_name(words, messages)
    if len(words) <= 1:
        return Parsed(name, _NO_OPTIONS, tuple(messages))
    found = _options(words[bool(name) :], messages)
    return Parsed(name, StepOptions(**found), tuple(messages))


def format_line(name: str, options: StepOptions) -> str:
    """The text after ``%%step`` that :func:`parse_line` reads as ``name`` and ``options``; defaults are left out."""
    pieces = [name]
    for option in OPTIONS:
        value = getattr(options, option.field)
        if value != _DEFAULTS[option.field]:
            pieces.append(option.flag)
            pieces.extend(quote(word) for word in option.kind.words(value))
    return " ".join(pieces)


def _step_name(words: list[str], messages: list[tuple[str, str]]) -> str:
    """The step's name, ``""`` if there is none."""
    if not words or is_flag(words[0]):
        messages.append(("the step has no name", f"give it one: {USAGE}"))
        return ""
    name = words[0]
    if problem := _bad_name(name):
        suggestion = "".join(letter if letter.isalnum() else "_" for letter in name).strip("_")
        if _bad_name(suggestion):
            suggestion = f"step_{suggestion}" if suggestion else "step_1"
        messages.append((f"{name!r} cannot name a step: it is {problem}", f"%%step {suggestion}"))
    return name if name.isascii() else unicodedata.normalize("NFKC", name)


def _bad_name(name: str) -> str:
    """What is wrong with a step's name, ``""`` for a good one."""
    if not name.isidentifier():
        return "no Python identifier"
    if keyword.iskeyword(name):
        return "a Python keyword"
    return "the name of a Python builtin" if name in _BUILTINS else ""


def _options(words: list[str], messages: list[tuple[str, str]]) -> dict[str, Any]:
    """Read everything after the name: field to value."""
    found: dict[str, Any] = {}
    position, count = 0, len(words)
    while position < count:
        flag = words[position]
        position += 1
        start = position
        while position < count and not is_flag(words[position]):
            position += 1
        option = _BY_FLAG.get(flag)
        if option is not None and is_flag(flag):
            _take(option, words[start:position], found, messages)
        else:
            messages.append(_misplaced(flag))
    return found


def _misplaced(word: str) -> tuple[str, str]:
    """Message for a word that stands where an option should."""
    if not is_flag(word):
        return f"{word!r} belongs to no option", f"options start with two dashes: {USAGE}"
    wanted = f"--{word.lstrip(''.join(DASHES)).lower()}"
    if wanted in _OF_A_RUN:
        return f"{word} is an option of a run, not of a step", _OF_A_RUN[wanted]
    close = [wanted] if wanted in _BY_FLAG else difflib.get_close_matches(wanted, _BY_FLAG, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"known options: {', '.join(_BY_FLAG)}"
    return f"unknown option {word}", hint


def _take(option: Option, words: list[str], found: dict[str, Any], messages: list[tuple[str, str]]) -> None:
    """Read one option's words into ``found``."""
    kind, name = option.kind, option.field
    try:
        if not kind.many:
            value = kind.read(_single(words, given=name in found))
        else:
            values = [kind.read(word) for word in _split(words)]
            if not values and _DEFAULTS[name] is not None:
                raise ValueError("it has no value")  # noqa: TRY301 - all complaints end in the one handler below
            # A name given twice is meant once.
            value = tuple(dict.fromkeys((*(found.get(name) or ()), *values)))
    except ValueError as error:
        mend = error.mend if isinstance(error, UnreadableError) else f"for example {option.example}"
        messages.append((f"{option.flag}: {error}", mend))
    else:
        found[name] = value


def _single(words: list[str], *, given: bool) -> str:
    """The one word of an option that takes one.

    Raises:
        ValueError: there is none, there are several, or the option was given before.
    """
    if given:
        raise ValueError("it is given twice")
    if not words:
        raise ValueError("it has no value")
    if len(words) > 1:
        message = f"it takes one value, not {len(words)}; put a value that contains blanks in quotes"
        raise ValueError(message)
    return words[0]


def _split(words: list[str]) -> list[str]:
    """Words taken apart at commas, those in quotes excepted; empty ones are left out."""
    found: list[str] = []
    for word in words:
        if "," not in word or isinstance(word, Literal):
            found.append(word)
        else:
            found.extend(word.split(","))
    return [word for word in found if word]
