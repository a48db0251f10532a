"""A run on a terminal: every step with its state, how far it is and how long it took, drawn again as it changes.

Plain ANSI, a handful of sequences: a library for this would cost more to import than the rest of the command line.
:class:`LiveTree` is pure and makes lines; :class:`LiveScreen` puts them where they were before.
"""

from __future__ import annotations

import threading
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Self, TextIO

from nbsteps.core.states import StepState
from nbsteps.display.standing import SIGNS, outcome
from nbsteps.display.wording import duration, one_line, roughly

_PERIOD: Final = 0.1
"""Seconds between two pictures."""
_DEEPEST: Final = 6
_BAR: Final = 20
_KEPT: Final = 8
"""So much of a name counts more than how far to the right it stands."""
_ACTIVE: Final = frozenset({StepState.RUNNING, StepState.RETRYING, StepState.WAITING})
_BAD: Final = frozenset({StepState.FAILED, StepState.CRASHED})
_REASONED: Final = _BAD | {StepState.RETRYING, StepState.WAITING, StepState.UPSTREAM_FAILED, StepState.SKIPPED}
_COLOURS: Final[Mapping[str, str]] = {
    StepState.RUNNING: "34",
    StepState.RETRYING: "33",
    StepState.WAITING: "35",
    StepState.SUCCEEDED: "32",
    StepState.CACHED: "32",
    StepState.FAILED: "31",
    StepState.CRASHED: "31",
    StepState.UPSTREAM_FAILED: "31",
}
_FAINT: Final = "2"
_STRONG: Final = "1"

Piece = tuple[str, str]
"""A text and the number of its colour, ``""`` for none."""


class LiveTree:
    """What is known of a run, and how it looks.

    Args:
        title: what is run.
        started: seconds since the epoch.
    """

    def __init__(self, title: str, started: float) -> None:
        self._title = title
        self._started = started
        self._nodes: dict[str, Mapping[str, Any]] = {}
        self._depths: Mapping[str, int] = {}
        self._run: Mapping[str, Any] | None = None

    def take(self, batch: Mapping[str, Any]) -> None:
        """Take in what changed: ``nodes`` and ``run`` as the board packs them, ``depths`` of the steps in the graph."""
        self._depths = batch.get("depths", self._depths)
        self._nodes |= batch.get("nodes", {})
        self._run = batch.get("run", self._run)

    def lines(self, now: float, width: int, height: int, *, colour: bool = False) -> list[str]:
        """The picture as lines of at most ``width`` columns, at most ``height`` of them."""
        names = self._chosen(max(height - 2, 1))
        longest = max((columns(one_line(name)) + self._indent(name) for name in names), default=0)
        column = min(longest, max(width // 2, 12))
        pieces = [self._head(now), *(self._step(name, column, now) for name in names)]
        left_out = [name for name in self._nodes if name not in names]
        if left_out:
            pieces.append(self._rest(left_out))
        return [_fitted(line, width, colour=colour) for line in pieces]

    def _head(self, now: float) -> list[Piece]:
        run = self._run
        if run is None:
            return [(self._title, _STRONG), (f"  starting, {duration(now - self._started)}", _FAINT)]
        ended = run.get("ended")
        said = f"  {run['done']}/{run['total']} steps, {duration((ended or now) - run['started'])}"
        return [(self._title, _STRONG), (said + _left(run, now), _FAINT)]

    def _step(self, name: str, column: int, now: float) -> list[Piece]:
        node = self._nodes[name]
        state = node["state"]
        colour = _COLOURS.get(state, _FAINT)
        indent = min(self._indent(name), max(column - min(columns(name), _KEPT), 0))
        shown = _shortened(one_line(name), column - indent)
        since, share = node.get("since"), node.get("share")
        took = _lasting(now - since, node.get("usual"), state) if since is not None and state in _ACTIVE else ""
        number = ", ".join(part for part in (one_line(str(node.get("number") or "")), took) if part)
        bar = [(f"  {_bar(share)}", colour)] if share is not None and state in _ACTIVE else []
        reasons = one_line(str(node.get("reasons") or "")) if state in _REASONED else ""
        return [
            (f"{' ' * indent}{SIGNS.get(StepState(state), '?')} ", colour),
            (shown + " " * (column - indent - columns(shown)), ""),
            (f"  {outcome(StepState(state))}", colour),
            (f"  {number}" if number else "", _FAINT),
            *bar,
            (f"  {reasons}" if reasons else "", _FAINT),
        ]

    def _indent(self, name: str) -> int:
        return 2 * min(self._depths.get(name, 0), _DEEPEST)

    def _chosen(self, room: int) -> list[str]:
        """What fits, in graph order: what goes on and what went wrong first, then what is next, then what is done."""
        names = list(self._nodes)
        if len(names) <= room:
            return names
        states = {name: self._nodes[name]["state"] for name in names}
        ranked = sorted(names, key=lambda name: _rank(states[name]))
        chosen = set(ranked[:room])
        return [name for name in names if name in chosen]

    def _rest(self, names: Iterable[str]) -> list[Piece]:
        states = Counter(outcome(StepState(self._nodes[name]["state"])) for name in names)
        told = ", ".join(f"{number} {word}" for word, number in states.most_common())
        return [(f"… {sum(states.values())} more: {told}", _FAINT)]


def _left(run: Mapping[str, Any], now: float) -> str:
    """How much longer a run goes on; ``""`` where nothing is known, or it has taken longer than it usually does."""
    until = run.get("until")
    if until is None or run.get("ended") is not None:
        return ""
    seconds = max(until - now, run.get("after", 0.0))
    if seconds <= 0:
        return ""
    said = roughly(seconds)
    about = "up to " if run.get("most") else "" if said.startswith("a ") else "about "
    return f", {about}{said} left"


def _lasting(seconds: float, usual: float | None, state: str) -> str:
    """How long a step has been in its state, and how long it usually runs."""
    shown = duration(seconds)
    return f"{shown} of ~{duration(usual)}" if usual and state == StepState.RUNNING else shown


def _rank(state: str) -> int:
    if state in _ACTIVE:
        return 0
    if state in _BAD:
        return 1
    return 2 if state in {StepState.PENDING, StepState.QUEUED} else 3


def _bar(share: float) -> str:
    done = round(min(max(share, 0.0), 1.0) * _BAR)
    return "━" * done + "╌" * (_BAR - done) + f" {share:.0%}"


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: characters of some scripts take two, some marks none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF") for each in text)


def _shortened(text: str, room: int) -> str:
    if columns(text) <= room:
        return text
    while text and columns(text) > room - 1:
        text = text[:-1]
    return text + "…"


def _fitted(pieces: Sequence[Piece], width: int, *, colour: bool) -> str:
    """The pieces as one line that does not wrap."""
    line, room = [], width - 1
    for text, number in pieces:
        shown = _shortened(text, room) if room > 0 else ""
        room -= columns(shown)
        line.append(f"\x1b[{number}m{shown}\x1b[0m" if colour and number and shown else shown)
    return "".join(line).rstrip()


class LiveScreen:
    """Keeps a tree at the end of a terminal's text.

    Args:
        stream: the terminal.
        tree: what is shown.
        read: called before each picture; returns what changed since the last time.
        clock: seconds since the epoch.
        size: the terminal's columns and lines.
        colour: whether the terminal shows colours.
    """

    def __init__(  # noqa: PLR0913 - everything of the outside, by keyword
        self,
        stream: TextIO,
        tree: LiveTree,
        *,
        read: Callable[[], Iterable[Mapping[str, Any]]],
        clock: Callable[[], float],
        size: Callable[[], tuple[int, int]],
        colour: bool = True,
    ) -> None:
        self._stream, self._tree, self._read = stream, tree, read
        self._clock, self._size, self._colour = clock, size, colour
        self._drawn = 0
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="nbsteps screen", daemon=True)

    def __enter__(self) -> Self:
        self._stream.write("\x1b[?25l")
        self.draw()
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Leave the last picture where it is."""
        self._ended.set()
        self._thread.join()
        self.draw()
        self._stream.write("\x1b[?25h")
        self._stream.flush()

    def say(self, text: str) -> None:
        """Write a line above the tree, for good."""
        with self._lock:
            self._stream.write(f"{self._back()}{text}\n")
            self._drawn = 0
            self.draw()

    def draw(self) -> None:
        """Draw the tree over its last picture."""
        with self._lock:
            for batch in self._read():
                self._tree.take(batch)
            columns, rows = self._size()
            lines = self._tree.lines(self._clock(), columns, rows - 1, colour=self._colour)
            self._stream.write(self._back() + "".join(f"{line}\n" for line in lines))
            self._stream.flush()
            self._drawn = len(lines)

    def _back(self) -> str:
        """To where the last picture begins, and everything from there on away."""
        return f"\x1b[{self._drawn}F\x1b[J" if self._drawn else ""

    def _work(self) -> None:
        while not self._ended.wait(_PERIOD):
            self.draw()
