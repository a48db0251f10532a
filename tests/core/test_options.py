"""A magic line becomes a name, options and messages, and is written back the same."""

from __future__ import annotations

import keyword
import unicodedata
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.core.kinds import format_duration
from nbsteps.core.model import CacheMode, StepOptions
from nbsteps.core.options import (
    OPTIONS,
    format_line,
    help_text,
    parse_duration,
    parse_line,
    reference_markdown,
)


def check(line: str, name: str = "s", **expect: Any) -> None:
    """Assert that ``line`` is understood without complaint."""
    assert parse_line(line) == (name, StepOptions(**expect), ())


def check_bad(line: str, message: str, hint: str = "") -> None:
    """Assert that ``line`` gives exactly one message, which holds ``message`` and whose mend holds ``hint``."""
    messages = parse_line(line).messages
    assert len(messages) == 1
    assert message in messages[0][0]
    assert hint in messages[0][1]
    assert messages[0][1]


@pytest.mark.parametrize(
    ("line", "expect"),
    [
        ("s", {}),
        ("  s  ", {}),
        ("s --in raw", {"inputs": ("raw",)}),
        ("s --in raw rates --out orders", {"inputs": ("raw", "rates"), "outputs": ("orders",)}),
        ("s --in a,b, c ,d , e", {"inputs": ("a", "b", "c", "d", "e")}),
        ("s --in a --in b", {"inputs": ("a", "b")}),
        ("s --in a a", {"inputs": ("a",)}),
        ("s --in=raw", {"inputs": ("raw",)}),
        ("s --in=a,b c", {"inputs": ("a", "b", "c")}),
        ("s --in 'a' \"b\"", {"inputs": ("a", "b")}),
        ("s --in é", {"inputs": ("é",)}),
        ("s --in \ufb01", {"inputs": ("fi",)}),
        ("s --in", {"inputs": ()}),
        ("s --out", {"outputs": ()}),
        ("s --out=", {"outputs": ()}),
        ("s --out --in a", {"outputs": (), "inputs": ("a",)}),
        ("s --after a b", {"after": ("a", "b")}),
        (
            "s --files data/*.csv 'my, file.csv' a.txt,b.txt",
            {"files": ("data/*.csv", "my, file.csv", "a.txt", "b.txt")},
        ),
        ("s --files C:\\data\\*.csv", {"files": ("C:\\data\\*.csv",)}),
        ("s --files='a b' c", {"files": ("a b", "c")}),
        ("s --env HOME ProgramFiles(x86)", {"env": ("HOME", "ProgramFiles(x86)")}),
        ("s --ignore con --mutates df", {"ignore": ("con",), "mutates": ("df",)}),
        ("s --version 2", {"version": "2"}),
        ("s --version 'a b'", {"version": "a b"}),
        ('s --version "a \\"b\\" \\\\ \'c\'"', {"version": "a \"b\" \\ 'c'"}),
        ("s --version=-1", {"version": "-1"}),
        ("s --version -1", {"version": "-1"}),
        ("s --version '--in'", {"version": "--in"}),
        ("s --version=", {}),
        ("s --version a,b", {"version": "a,b"}),
        ("s --version x=1", {"version": "x=1"}),
        ("s --cache on", {}),
        ("s --cache off", {"cache": CacheMode.OFF}),
        ("s --cache=run", {"cache": CacheMode.RUN}),
        ("s --ttl 1h30m", {"ttl": 5400.0}),
        ("s --owner ana --tags a b,c", {"owner": "ana", "tags": ("a", "b", "c")}),
        ("s --owner 'Ana B.'", {"owner": "Ana B."}),
    ],
)
def test_good_lines(line: str, expect: dict[str, Any]) -> None:
    check(line, **expect)


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("", "the step has no name", "%%step NAME"),
        ("--in raw", "the step has no name", "%%step NAME"),
        ("a/b", "'a/b' cannot name a step: it is no Python identifier", "%%step a_b"),
        ("a-b --in x", "no Python identifier", "%%step a_b"),
        ("1a", "no Python identifier", "%%step step_1a"),
        ("/", "no Python identifier", "%%step step_1"),
        ("clean:", "no Python identifier", "%%step clean"),
        ("class", "a Python keyword", "%%step step_class"),
        ("filter", "the name of a Python builtin", "%%step step_filter"),
        ("display", "the name of a Python builtin", "%%step step_display"),
        ("s raw", "'raw' belongs to no option", "two dashes"),
        ("s --inn raw", "unknown option --inn", "--in"),
        ("s -in raw", "unknown option -in", "--in"),
        ("s \N{EM DASH}out raw", "unknown option \N{EM DASH}out", "--out"),
        ("s --OUT raw", "unknown option --OUT", "--out"),
        ("s --tag a", "unknown option --tag", "--tags"),
        ("s --zzz", "unknown option --zzz", "known options: --in, --out"),
        ("s --zzz=1 2", "unknown option --zzz", "known options"),
        ("s --in a-b", "--in: 'a-b' is no Python name", "--in raw rates"),
        ("s --in class", "--in: 'class' is a Python keyword", "--in"),
        ("s --in 'a b'", "--in: 'a b' is no Python name", "--in"),
        ("s --after", "--after: it has no value", "--after download"),
        ("s --files ''", "--files: it has no value", "--files"),
        ("s --version", "--version: it has no value", "--version 2"),
        ("s --version 1 2", "--version: it takes one value, not 2", "--version 2"),
        ("s --version 1 --version 2", "--version: it is given twice", "--version 2"),
        ("s --cache maybe", "--cache: 'maybe' is none of on, off, run", "--cache off"),
        ("s --cache", "--cache: it has no value", "--cache off"),
        ("s --ttl 30", "--ttl: '30' is no duration", "--ttl 1d"),
        ("s --ttl soon", "--ttl: 'soon' is no duration", "--ttl 1d"),
        ("s --owner 'ana", "a quote in", "close the quote"),
        ("s --owner=it's", "a quote in", "close the quote"),
    ],
)
def test_bad_lines(line: str, message: str, hint: str) -> None:
    check_bad(line, message, hint)


def test_what_is_good_in_a_bad_line_is_kept() -> None:
    parsed = parse_line("s --in a --ttl soon --bad x --out b")
    assert parsed.name == "s"
    assert parsed.options == StepOptions(inputs=("a",), outputs=("b",))
    assert len(parsed.messages) == 2


def test_the_name_survives_an_unclosed_quote() -> None:
    assert parse_line("clean --owner 'ana").name == "clean"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("2m", 120.0),
        ("1h30m", 5400.0),
        ("1d", 86_400.0),
        ("1w", 604_800.0),
        ("500ms", 0.5),
        ("1.5h", 5400.0),
        ("1m500ms", 60.5),
        ("0s", 0.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "1", "s", "1 s", "-1s", "1x", "1s1s", "1h 30m", "1e3s", "inf", "1.s", "9" * 400 + "d"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@given(st.floats(min_value=0, allow_infinity=False, allow_nan=False))
def test_durations_are_written_exactly(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


def test_there_is_a_row_for_every_field_in_order() -> None:
    assert [option.field for option in OPTIONS] == [field.name for field in fields(StepOptions)]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.flag)
def test_every_example_is_good(option: Any) -> None:
    parsed = parse_line(f"s {option.example}")
    assert parsed.messages == ()
    assert getattr(parsed.options, option.field) != getattr(StepOptions(), option.field)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.flag)
def test_every_option_is_in_help_and_reference(option: Any) -> None:
    assert f"  {option.flag} {option.metavar}" in help_text()
    row = next(line for line in reference_markdown().splitlines() if line.startswith(f"| `{option.flag} "))
    assert row.replace("\\|", "").count("|") == 5
    assert option.example in row


def identifiers() -> st.SearchStrategy[str]:
    """Names as Python compares them."""
    start = st.characters(categories=["Lu", "Ll", "Lo"], include_characters="_")
    rest = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd"], include_characters="_"), max_size=5)
    joined = st.builds(lambda head, tail: unicodedata.normalize("NFKC", head + tail), start, rest)
    return joined.filter(lambda name: name.isidentifier() and not keyword.iskeyword(name))


NAMES = st.lists(identifiers(), max_size=3, unique=True).map(tuple)
WORDS = st.lists(st.text(min_size=1, max_size=8), max_size=3, unique=True).map(tuple)
ANY_OPTIONS = st.builds(
    StepOptions,
    inputs=st.none() | NAMES,
    outputs=st.none() | NAMES,
    after=NAMES,
    files=WORDS,
    env=WORDS,
    ignore=NAMES,
    mutates=NAMES,
    version=st.text(max_size=8),
    cache=st.sampled_from(CacheMode),
    ttl=st.none() | st.floats(min_value=0, allow_infinity=False, allow_nan=False),
    owner=st.text(max_size=8),
    tags=WORDS,
)


@given(identifiers().map(lambda name: f"x{name}_"), ANY_OPTIONS)
def test_what_is_written_is_read_back(name: str, options: StepOptions) -> None:
    assert parse_line(format_line(name, options)) == (name, options, ())


@given(st.text(alphabet="abc-= ,'\"\\/\n\t\N{EM DASH}1", max_size=30) | st.text(max_size=30))
def test_any_line_is_answered(line: str) -> None:
    parsed = parse_line(line)
    assert all(message and hint for message, hint in parsed.messages)
    if not parsed.messages:
        assert parse_line(format_line(parsed.name, parsed.options)) == parsed
