"""What conditions and the texts of questions refer to."""

from __future__ import annotations

import pytest

from nbsteps.core.conditions import is_default, read_condition
from nbsteps.core.model import StepOptions
from nbsteps.core.placeholders import fill, placeholders


@pytest.mark.parametrize(
    ("text", "names", "questions"),
    [
        ("x", "x", ""),
        (" x > limit ", "limit x", ""),
        ("len(rows) > 0", "len rows", ""),
        ("any(r > top for r in rows)", "any rows top", ""),
        ("failed('a')", "", "failed a"),
        ("failed('a') and not skipped(\"b\") or x", "x", "failed a skipped b"),
        ("succeeded('a') or succeeded('a')", "", "succeeded a"),
        ("(lambda x: x)(y)", "y", ""),
        ("frame.failed > 1", "frame", ""),
        ("True", "", ""),
        ("else", "", ""),
        ("", "", ""),
    ],
)
def test_conditions(text: str, names: str, questions: str) -> None:
    found = read_condition(text) if text else read_condition("True")
    assert not found.problem
    assert " ".join(sorted(found.names)) == names
    assert " ".join(f"{question} {step}" for question, step in found.questions) == questions


def test_the_steps_of_a_condition_are_named_once_in_order() -> None:
    assert read_condition("failed('b') or skipped('a') or skipped('b')").steps == ("b", "a")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x >", "is no Python expression"),
        ("x = 1", "is no Python expression"),
        ("if x", "is no Python expression"),
        ("a\0b", "is no Python expression"),
        ("(" * 1000, "is no Python expression"),
        ("(y := x)", "must not assign or wait"),
        ("await x", "must not assign or wait"),
        ("failed", "failed asks how a step ended and takes its name: failed('step')"),
        ("failed(a)", "failed asks how a step ended"),
        ("skipped()", "skipped asks how a step ended"),
        ("succeeded('a', 'b')", "succeeded asks how a step ended"),
        ("succeeded(step='a')", "succeeded asks how a step ended"),
        ("failed(b'a')", "failed asks how a step ended"),
        ("failed(*x)", "failed asks how a step ended"),
        ("map(failed, ['a'])", "failed asks how a step ended"),
    ],
)
def test_bad_conditions(text: str, problem: str) -> None:
    assert problem in read_condition(text).problem


@pytest.mark.parametrize(
    ("options", "expect"),
    [
        ({}, False),
        ({"when": "else"}, False),
        ({"branch": "g"}, True),
        ({"branch": "g", "when": "else"}, True),
        ({"branch": "g", "when": " else "}, True),
        ({"branch": "g", "when": "x"}, False),
    ],
)
def test_the_default_of_a_branch(options: dict[str, str], expect: bool) -> None:
    assert is_default(StepOptions(**options)) is expect  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Go on?", ""),
        ("Pay {total}?", "total"),
        ("{b} {a} {b}", "b a"),
        ("{total:,.2f} {frame.shape[0]} {rows[0]!r}", "total frame rows"),
        ("{total:{width}}", "total width"),
        ("{{total}}", ""),
    ],
)
def test_places(text: str, names: str) -> None:
    assert placeholders(text) == (tuple(names.split()), "")


@pytest.mark.parametrize("text", ["{", "}", "{}", "{0}", "{a b}", "{total", "{a!x", "{len(x)}", "{a[}"])
def test_bad_places(text: str) -> None:
    found = placeholders(text)
    assert found.names == ()
    assert "double a brace" in found.problem


def test_filling_in() -> None:
    assert fill("Pay {total:,.2f} of {{all}} to {who[0]}?", {"total": 1234.5, "who": ["Ana"]}) == (
        "Pay 1,234.50 of {all} to Ana?"
    )
