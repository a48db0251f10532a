"""Terminals whose code page lacks our marks."""

from __future__ import annotations

import io

import pytest

from nbsteps.core.states import StepState
from nbsteps.display.narrow import _PLAIN, show_anyhow
from nbsteps.display.standing import SIGNS


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("ascii", b"o load  restored\n+ stra\\xdfe  =-  5us\n"),
        ("cp1252", b"o load  restored\n+ stra\xdfe  =-  5\xb5s\n"),
        ("cp437", b"o load  restored\n+ stra\xe1e  =-  5\xe6s\n"),
        ("utf-8", "○ load  restored\n✓ straße  ━╌  5µs\n".encode()),
        ("utf_16_le", "○ load  restored\n✓ straße  ━╌  5µs\n".encode("utf_16_le")),
    ],
)
def test_what_a_code_page_lacks_is_written_plainly(encoding, written):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    show_anyhow(stream)
    stream.write("○ load  restored\n✓ straße  ━╌  5µs\n")
    stream.flush()
    assert raw.getvalue() == written


def test_a_stream_that_is_no_file_is_left_alone():
    stream = io.StringIO()
    show_anyhow(stream)
    stream.write("✓")
    assert stream.getvalue() == "✓"


def test_every_state_has_a_plain_mark_of_its_own():
    marks = [_PLAIN[SIGNS[state]] for state in SIGNS]
    assert len(set(marks)) == len(SIGNS) > len(StepState)
    assert all(mark.isascii() and len(mark) == 1 for mark in marks)
