"""What can be told of a child process from its command: files that it names, variables that its shell looks up."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from typing import Any

from nbsteps.identity.environment import shell_variables

_MOST_WORDS = 1000


def words_of(command: Any) -> tuple[str, ...]:
    """The words of a command line, and those inside an argument that is a command line itself (``sh -c '...'``)."""
    arguments = [command] if isinstance(command, (str, bytes, os.PathLike)) else list(command or ())
    found: list[str] = []
    for argument in arguments[:_MOST_WORDS]:
        text = os.fsdecode(argument)
        found.append(text)
        found.extend(_split(text))
    return tuple(dict.fromkeys(found))[:_MOST_WORDS]


def _split(text: str) -> Iterator[str]:
    if not any(mark in text for mark in " ;|&<>()$"):
        return
    try:
        yield from shlex.shlex(text, posix=True, punctuation_chars=True)
    except ValueError:  # an open quotation
        yield from text.split()


def variables_of(words: Iterable[str]) -> frozenset[str]:
    """Names of the variables that a shell would look up."""
    return frozenset(name for word in words if "$" in word for name in shell_variables(word))
