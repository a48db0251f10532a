"""How the words of a magic line are told apart, read as values and written back."""

from __future__ import annotations

import difflib
import keyword
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from nbsteps.core.model import CacheMode

DASHES = ("-", "\N{EN DASH}", "\N{EM DASH}")

_TOKEN = re.compile(
    r"""\s*(?:(?P<flag>--[^\s='"]*)=|(?P<word>(?:[^\s'"]|'[^']*'|"(?:\\.|[^"\\])*")+)|(?P<bad>\S))""", re.DOTALL
)
_VALUE = re.compile(r"""(?:[^\s'"]|'[^']*'|"(?:\\.|[^"\\])*")*""", re.DOTALL)
_QUOTED = re.compile(r"""'([^']*)'|"((?:\\.|[^"\\])*)\"""", re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')
_BARE = re.compile(r"""[^\s'",=\\\-\u2013\u2014][^\s'",]*""")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_SECONDS: Mapping[str, int] = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_MINUTES_UP_TO = 1_000_000_000


class Literal(str):
    """A word that was written in quotes: never an option, never split at commas."""

    __slots__ = ()


def tokenize(line: str) -> list[str] | None:
    """Words of a line, quotes removed and ``--flag=value`` taken apart; None if a quote is not closed."""
    if "'" not in line and '"' not in line and "=" not in line:
        return line.split()
    words: list[str] = []
    position, end = 0, len(line.rstrip())
    while position < end:
        match = _TOKEN.match(line, position)
        if match is None or match.group("bad"):
            return None
        position = match.end()
        if match.group("flag") is None:
            words.append(_unquote(match.group("word")))
            continue
        value = _VALUE.match(line, position)
        text = value.group() if value is not None else ""
        position += len(text)
        word = _unquote(text)
        words += [match.group("flag"), Literal(word) if not word or word.startswith(DASHES) else word]
    return words


def quote(word: str) -> str:
    """The word as :func:`tokenize` reads it back whole."""
    if _BARE.fullmatch(word):
        return word
    if "'" not in word:
        return f"'{word}'"
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def is_flag(word: str) -> bool:
    """Whether a word is meant as an option: two dashes, or one dash or its typographic forms before a letter."""
    if not word.startswith(DASHES) or isinstance(word, Literal):
        return False
    return word.startswith("--") or word[1:2].isalpha()


def parse_duration(text: str) -> float:
    """Seconds meant by ``30s``, ``2m``, ``1h30m``, ``1d``, ``500ms``, ``1.5h``; units are w, d, h, m, s and ms.

    Raises:
        ValueError: anything else.
    """
    total, position, seen = 0.0, 0, set[str]()
    while (match := _DURATION.match(text, position)) is not None and match.group(2) not in seen:
        number, unit = match.groups()
        seen.add(unit)
        total += float(number) / 1000 if unit == "ms" else float(number) * _SECONDS[unit]
        position = match.end()
    if not seen or position != len(text) or math.isinf(total):
        message = f"{text!r} is no duration; write it like 30s, 2m, 1h30m, 1d or 500ms"
        raise ValueError(message)
    return total


def format_duration(seconds: float) -> str:
    """The text that :func:`parse_duration` reads as exactly ``seconds``."""
    if seconds != int(seconds) or seconds > _MINUTES_UP_TO:
        return f"{Decimal(repr(seconds)):f}s"
    left, pieces = int(seconds), []
    for unit in "dhms":
        count, left = divmod(left, _SECONDS[unit])
        if count:
            pieces.append(f"{count}{unit}")
    return "".join(pieces) or "0s"


@dataclass(frozen=True, slots=True)
class Kind:
    """How an option's words become its value and back.

    Attributes:
        read: one word to one value; raises ValueError with what is wrong.
        many: the value is a tuple of what any number of words give, and repeated options add up.
        show: one value to one word.
    """

    read: Callable[[str], Any]
    many: bool = False
    show: Callable[[Any], str] = str

    def words(self, value: Any) -> list[str]:
        """The words to print for a value, not quoted."""
        return [self.show(item) for item in value] if self.many else [self.show(value)]


def read_name(word: str) -> str:
    """A Python name, in the form in which Python compares names.

    Raises:
        ValueError: it is none.
    """
    if word.isidentifier() and not keyword.iskeyword(word):
        # Python compares identifiers in this form.
        return word if word.isascii() else unicodedata.normalize("NFKC", word)
    reason = "a Python keyword" if keyword.iskeyword(word) else "no Python name"
    message = f"{word!r} is {reason}"
    raise ValueError(message)


class UnreadableError(ValueError):
    """A word that cannot be read, with a mend of its own."""

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(message)
        self.mend = mend


def none_of(word: str, choices: Sequence[str]) -> ValueError:
    """What is wrong with a word that is none of a few."""
    message = f"{word!r} is none of {', '.join(choices)}"
    close = difflib.get_close_matches(word, choices, n=1)
    return UnreadableError(message, f"did you mean {close[0]}?") if close else ValueError(message)


def _read_cache(word: str) -> CacheMode:
    try:
        return CacheMode(word)
    except ValueError:
        raise none_of(word, tuple(CacheMode)) from None


def _unquote(word: str) -> str:
    """Remove quotes; a word that starts with one becomes a :class:`Literal`."""
    if "'" not in word and '"' not in word:
        return word
    plain = _QUOTED.sub(lambda m: m.group(1) if m.group(1) is not None else _ESCAPE.sub(r"\1", m.group(2)), word)
    return Literal(plain)


NAMES = Kind(read_name, many=True)
WORDS = Kind(str, many=True)
TEXT = Kind(str)
CACHE = Kind(_read_cache)
DURATION = Kind(parse_duration, show=format_duration)
