"""Numbers, times and harmless text."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.display.diff import unified
from nbsteps.display.wording import count, duration, indent, moment, one_line, plain, roughly, size, table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "a few seconds"),
        (0, "a few seconds"),
        (9.9, "a few seconds"),
        (10, "10s"),
        (11.2, "15s"),
        (54, "55s"),
        (55, "1 min"),
        (89, "1 min"),
        (91, "2 min"),
        (3560, "59 min"),
        (3599, "1 h"),
        (4700, "1 h 20 min"),
        (7100, "2 h"),
        (math.nan, "a few seconds"),
        (math.inf, "a few seconds"),
    ],
)
def test_an_estimate_reads(seconds, text):
    assert roughly(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (-1, "0ms"),
        (0.0004, "<1ms"),
        (0.0124, "12ms"),
        (0.099, "99ms"),
        (0.0996, "0.1s"),
        (0.1, "0.1s"),
        (2.14, "2.1s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (42, "42s"),
        (59.4, "59s"),
        (59.7, "1m 00s"),
        (64, "1m 04s"),
        (3599.7, "1h 00m"),
        (7800, "2h 10m"),
        (360000, "100h 00m"),
        (math.nan, "?"),
        (math.inf, "?"),
    ],
)
def test_a_duration_reads(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234, "1.2 kB"),
        (330_000_000, "330 MB"),
        (999_600, "1.0 MB"),
        (2.5e12, "2.5 TB"),
        (3e15, "3 PB"),
    ],
)
def test_a_size_reads(amount, text):
    assert size(amount) == text


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_longer_duration_never_reads_shorter(one, other):
    def seconds(text: str) -> float:
        units = {"h": 3600, "m": 60, "s": 1}
        if text == "<1ms":
            return 0.0004
        if text.endswith("ms"):
            return float(text[:-2]) / 1000
        return sum(float(part[:-1]) * units[part[-1]] for part in text.split())

    low, high = sorted((one, other))
    assert seconds(duration(low)) <= seconds(duration(high))


def test_a_count_agrees_with_its_noun():
    assert [count(0, "step"), count(1, "step"), count(1200, "step")] == ["0 steps", "1 step", "1,200 steps"]


def test_a_time_that_no_calendar_has_is_said_to_be_unknown():
    assert moment(1e30) == "an unknown time"
    assert moment(math.nan) == "an unknown time"


@given(st.text())
def test_plain_text_drives_no_terminal(text):
    found = plain(text)
    assert not any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in found)
    found.encode("utf-8")


def test_plain_text_takes_escape_sequences_and_turned_writing_apart():
    assert plain("\x1b[31mred\u202eevil\r\nnext") == "\ufffd[31mred\ufffdevil\nnext"


def test_one_line_says_that_there_is_more():
    assert one_line("first\nsecond") == "first ..."
    assert one_line("a\tb") == "a b"
    assert one_line("") == ""


def test_a_table_is_aligned_and_has_no_trailing_blanks():
    assert table([("a", "bb", ""), ("ccc", "d", "e f")]) == ["  a    bb", "  ccc  d   e f"]


def test_empty_lines_stay_empty_when_indented():
    assert indent("a\n\nb", "  ") == "  a\n\n  b"


def test_a_diff_shows_both_sides_and_no_colours():
    text = unified("x = 1\ny = 2\n", "x = 1\ny = 3\n")
    assert text.splitlines() == ["--- before", "+++ now", "@@ -1,2 +1,2 @@", " x = 1", "-y = 2", "+y = 3"]


def test_a_diff_of_like_texts_is_empty():
    assert unified("a\n", "a") == ""


def test_a_long_diff_says_how_much_is_left_out():
    text = unified("", "\n".join(map(str, range(50))), limit=10)
    assert len(text.splitlines()) == 11
    assert text.endswith("... 43 more lines")


def test_a_huge_text_is_not_compared_line_by_line():
    assert "too long to compare" in unified("", "x\n" * 30_000)
