"""Child processes of a body: what they read is the body's doing, too.

Seen are processes that are forked, and those that ``multiprocessing``, ``concurrent.futures`` or loky (joblib) start
afresh: they are told where to write down what they read. Any other program is known by its command only.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from nbsteps.identity import child_reads
from nbsteps.identity.environment import tell_of_variables
from nbsteps.identity.observed import tell_of_reads
from nbsteps.identity.traces import unheard

_KEY: Final = "nbsteps"
_BEGIN: Final = (
    "__import__('importlib.util').util.find_spec('nbsteps') and "
    "__import__('nbsteps.identity.subprocesses', fromlist=['begin']).begin({!r})"
)
_MARK: Final = "_nbsteps_tells"


class _Teller:
    """In a child process, in the place of a body's observer: writes down for the parent what it hears."""

    thread = -1

    def reads(self, name: str, _value: str | None = None) -> None:
        """A file was read."""
        self._tell("reads", name)

    def writes(self, name: str) -> None:
        """A file was written."""
        self._tell("writes", name)

    def lists(self, path: str) -> None:
        """A folder was listed."""
        self._tell("lists", path)

    def looks(self, path: str) -> None:
        """A question whether there is something."""
        self._tell("looks", path)

    def names(self, path: str) -> None:
        """A child of the child was told of a path."""
        self._tell("names", path)

    def locates(self, path: str | None = None) -> None:
        """The working directory counts."""
        self._tell("locates", path or "")

    @staticmethod
    def is_mine(_thread: int) -> bool:
        """Bodies that this process runs have observers of their own, which come first."""
        return False

    @staticmethod
    def _tell(what: str, name: str) -> None:
        with unheard():
            child_reads.tell(what, name)


class _TellerOfVariables(_Teller):
    def reads(self, name: str, _value: str | None = None) -> None:
        """A variable was read."""
        self._tell("variable", name)

    def writes(self, name: str) -> None:
        """A variable that the child sets is its own affair."""

    def queries(self, _duckdb: Any) -> None:
        """A child's own database of duckdb is empty at first."""


def begin(path: str) -> None:
    """From now on, tell the parent process of what this one reads."""
    child_reads.belongs_to(path)
    _begin()


def _begin() -> None:
    tell_of_reads(_Teller())
    tell_of_variables(_TellerOfVariables())


@functools.cache
def install() -> None:
    """Prepare this process for having children."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before_fork, after_in_child=_begin)


def _before_fork() -> None:
    with unheard():
        child_reads.path()


class _Beginning:
    """Begins to tell where it is unpickled, if nbsteps is installed there."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return eval, (_BEGIN.format(child_reads.path()),)


def prepare(module: ModuleType) -> None:
    """Let what starts processes afresh hand over where they are to tell of their reads."""
    function = getattr(module, "get_preparation_data", None)
    if not callable(function) or hasattr(function, _MARK):
        return

    @functools.wraps(function)
    def get_preparation_data(*args: Any, **kwargs: Any) -> Any:
        data = function(*args, **kwargs)
        if isinstance(data, dict):
            data[_KEY] = _Beginning()
        return data

    setattr(get_preparation_data, _MARK, True)
    module.get_preparation_data = get_preparation_data  # type: ignore[attr-defined]  # a function of that module
