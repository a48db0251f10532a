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
from nbsteps.core.policies import Field, Jitter, MapSource, OnExpire, OnReject, Pool, Tolerance, Trigger


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
        ("s --retries 0", {}),
        ("s --retries 3 --retry-delay 500ms --backoff 1", {"retries": 3, "retry_delay": 0.5, "backoff": 1.0}),
        ("s --retry-delay 0s --max-delay 1m30s", {"retry_delay": 0.0, "max_delay": 90.0}),
        ("s --jitter full", {"jitter": Jitter.FULL}),
        ("s --retry-on OSError,requests.Timeout", {"retry_on": ("OSError", "requests.Timeout")}),
        ("s --no-retry-on KeyError TypeError", {"no_retry_on": ("KeyError", "TypeError")}),
        ("s --timeout 2m --total-timeout 1h", {"timeout": 120.0, "total_timeout": 3600.0}),
        ("s --map day=days", {"map": (MapSource("day", "days"),)}),
        ("s --map=a=xs,b=ys", {"map": (MapSource("a", "xs"), MapSource("b", "ys"))}),
        ("s --map-key day.date", {"map_key": "day.date"}),
        ("s --map-key 'day[0], 1'", {"map_key": "day[0], 1"}),
        ("s --max-parallel 4 --tolerate 3", {"max_parallel": 4, "tolerate": Tolerance(3)}),
        ("s --tolerate 12.5%", {"tolerate": Tolerance(12.5, percent=True)}),
        ("s --when 'len(x) > 0'", {"when": "len(x) > 0"}),
        ("s --when \"x == 'a'\"", {"when": "x == 'a'"}),
        ("s --branch load --when else", {"branch": "load", "when": "else"}),
        ("s --when \"failed('a') or skipped('b')\"", {"when": "failed('a') or skipped('b')"}),
        ("s --trigger none_failed", {"trigger": Trigger.NONE_FAILED}),
        ("s --catch fetch", {"catch": "fetch"}),
        ("s --approve 'Pay {total:,.2f} of {{all}}?'", {"approve": "Pay {total:,.2f} of {{all}}?"}),
        (
            "s --ask amount:float=0.5 note, on:date ok:bool=no",
            {"ask": (Field("amount", "float", "0.5"), Field("note"), Field("on", "date"), Field("ok", "bool", "no"))},
        ),
        (
            "s --ask 'size:small|very large=very large'",
            {"ask": (Field("size", "choice", "very large", ("small", "very large")),)},
        ),
        ("s --ask note=", {"ask": (Field("note", "str", ""),)}),
        ("s --ask note=a=b", {"ask": (Field("note", "str", "a=b"),)}),
        ("s --approve-timeout 1d --on-expire reject", {"approve_timeout": 86_400.0, "on_expire": OnExpire.REJECT}),
        ("s --on-reject fail --approvers ana,ben", {"on_reject": OnReject.FAIL, "approvers": ("ana", "ben")}),
        ("s --notify json://h/a 'mailto://x?to=a,b'", {"notify": ("json://h/a", "mailto://x?to=a,b")}),
        ("s --slow 2x --pool api:2", {"slow": 2.0, "pool": Pool("api", 2)}),
        ("s --pool a:b:2", {"pool": Pool("a:b", 2)}),
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
        ("s --workers 2", "--workers is an option of a run, not of a step", "%pipeline run --workers N"),
        ("s --force", "--force is an option of a run, not of a step", "--cache off"),
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
        ("s --retries -1", "--retries: '-1' is no whole number from 0 on", "--retries 3"),
        ("s --retries many", "--retries: 'many' is no whole number", "--retries 3"),
        ("s --retry-delay -1s", "--retry-delay: '-1s' is no duration", "--retry-delay 5s"),
        ("s --max-delay 5", "--max-delay: '5' is no duration", "--max-delay 1m"),
        ("s --backoff 0.5", "--backoff: '0.5' is no number from 1 on", "--backoff 1.5"),
        ("s --backoff nan", "--backoff: 'nan' is no number from 1 on", "--backoff 1.5"),
        ("s --backoff -2", "--backoff: '-2' is no number from 1 on", "--backoff 1.5"),
        ("s --jitter some", "--jitter: 'some' is none of none, full", "--jitter full"),
        ("s --retry-on 3", "--retry-on: '3' is no Python name", "--retry-on ConnectionError"),
        ("s --retry-on a..b", "--retry-on: '' is no Python name", "--retry-on ConnectionError"),
        ("s --timeout 0s", "--timeout: '0s' leaves no time", "--timeout 2m"),
        ("s --total-timeout 0ms", "--total-timeout: '0ms' leaves no time", "--total-timeout 10m"),
        ("s --map", "--map: it has no value", "--map day=days"),
        ("s --map day", "--map: 'day' does not say what it runs over; write day=ITEMS", "--map day=days"),
        (
            "s --map day=days[1]",
            "--map: 'days[1]' is no name, and only what has a name can be run over",
            "day_list = days[1] in a cell above, then --map day=day_list",
        ),
        (
            "s --map i=[1",
            "--map: '[1' is no name, and only what has a name can be run over",
            "i_list = ... in a cell above, then --map i=i_list",
        ),
        (
            "s --trigger all_succes",
            f"--trigger: 'all_succes' is none of {', '.join(Trigger)}",
            "did you mean all_success?",
        ),
        ("s --map-key 'a b'", "--map-key: 'a b' is no Python expression", "--map-key day.date"),
        ("s --max-parallel 0", "--max-parallel: '0' is no whole number from 1 on", "--max-parallel 4"),
        ("s --tolerate 101%", "--tolerate: '101%' is neither a number of items nor a share", "--tolerate 5%"),
        ("s --tolerate 1.5", "--tolerate: '1.5' is neither a number of items nor a share", "--tolerate 5%"),
        ("s --tolerate -1", "--tolerate: '-1' is neither a number of items nor a share", "--tolerate 5%"),
        ("s --when 'x >'", "--when: 'x >' is no Python expression", "--when 'len(orders) > 0'"),
        ("s --when x > 1", "--when: it takes one value, not 3; put a value that contains blanks in quotes", "--when"),
        ("s --when 'failed(a)'", "--when: failed asks how a step ended and takes its name", "--when"),
        ("s --branch a-b", "--branch: 'a-b' is no Python name", "--branch load"),
        ("s --catch a b", "--catch: it takes one value, not 2", "--catch fetch"),
        ("s --approve 'Pay {}?'", "--approve: {} names no variable", "--approve"),
        ("s --approve 'Pay {total'", "--approve: expected '}' before end of string", "--approve"),
        ("s --ask 'a b'", "--ask: 'a b' is no Python name", "--ask amount:float=0.5"),
        ("s --ask count: int=3", "--ask: '' is no type of a field", "--ask"),
        ("s --ask amount:money", "--ask: 'money' is no type of a field: str, int, float, bool, date", "--ask"),
        ("s --ask amount:float=much", "--ask: 'much' is no number", "--ask"),
        ("s --ask 'size:a|b=c'", "--ask: 'c' is none of a, b", "--ask"),
        ("s --ask 'size:a|a'", "--ask: the choices of size must be different and not empty", "--ask"),
        ("s --approve-timeout 0s", "--approve-timeout: '0s' leaves no time", "--approve-timeout 1d"),
        ("s --on-expire never", "--on-expire: 'never' is none of fail, reject, approve", "--on-expire reject"),
        ("s --on-reject no", "--on-reject: 'no' is none of skip, fail", "--on-reject fail"),
        ("s --slow 2", "--slow: '2' is no multiple of the median from 1x on", "--slow 2x"),
        ("s --slow 0.5x", "--slow: '0.5x' is no multiple of the median from 1x on", "--slow 2x"),
        ("s --pool api", "--pool: 'api' does not say how many may run at once; write api:SLOTS", "--pool api:2"),
        ("s --pool api:0", "--pool: '0' is no whole number from 1 on", "--pool api:2"),
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
SECONDS = st.floats(min_value=0, allow_infinity=False, allow_nan=False)
LIMITS = st.none() | st.floats(min_value=0, exclude_min=True, allow_infinity=False)
DOTTED = st.lists(st.lists(identifiers(), min_size=1, max_size=3).map(".".join), max_size=2, unique=True).map(tuple)
EXPRESSIONS = st.sampled_from(["", "x", "x > 1 and y == 'a b'", 'len(rows), "\'"', "-x", r"'\n' in x"])
CHOICES = st.lists(st.text("ab c,'", min_size=1, max_size=4).map(str.strip).filter(bool), min_size=2, unique=True)
FORM_FIELDS = (
    st.builds(Field, identifiers(), st.just("str"), st.none() | st.text(max_size=8))
    | st.builds(Field, identifiers(), st.just("int"), st.none() | st.integers().map(str))
    | st.builds(Field, identifiers(), st.just("float"), st.none() | SECONDS.map(repr))
    | st.builds(Field, identifiers(), st.just("bool"), st.none() | st.sampled_from(["yes", "no"]))
    | st.builds(Field, identifiers(), st.just("date"), st.none() | st.dates().map(str))
    | st.builds(Field, identifiers(), st.just("choice"), st.none(), CHOICES.map(tuple))
)
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
    ttl=st.none() | SECONDS,
    owner=st.text(max_size=8),
    tags=WORDS,
    retries=st.integers(0, 10**6),
    retry_delay=SECONDS,
    backoff=st.floats(min_value=1, allow_infinity=False),
    max_delay=st.none() | SECONDS,
    jitter=st.sampled_from(Jitter),
    retry_on=DOTTED,
    no_retry_on=DOTTED,
    timeout=LIMITS,
    total_timeout=LIMITS,
    map=st.lists(st.builds(MapSource, identifiers(), identifiers()), max_size=2, unique=True).map(tuple),
    map_key=EXPRESSIONS,
    max_parallel=st.none() | st.integers(min_value=1),
    tolerate=st.builds(Tolerance, st.integers(0, 10**6)) | st.builds(Tolerance, st.floats(0, 100), st.just(value=True)),
    when=EXPRESSIONS | st.sampled_from(["else", "failed('a') and x"]),
    branch=st.just("") | identifiers(),
    trigger=st.sampled_from(Trigger),
    catch=st.just("") | identifiers(),
    approve=st.text(max_size=8).map(lambda text: text.replace("{", "{{").replace("}", "}}")),
    ask=st.lists(FORM_FIELDS, max_size=2, unique=True).map(tuple),
    approve_timeout=LIMITS,
    on_expire=st.sampled_from(OnExpire),
    on_reject=st.sampled_from(OnReject),
    approvers=WORDS,
    notify=WORDS,
    slow=st.none() | st.floats(min_value=1, allow_infinity=False),
    pool=st.none() | st.builds(Pool, st.text(min_size=1, max_size=5), st.integers(min_value=1)),
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
