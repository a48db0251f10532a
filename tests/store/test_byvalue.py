"""Classes of the notebook: with the value into a kernel that lacks them, the live ones where they are the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbsteps.store.byvalue import fingerprint
from nbsteps.store.values import Values

POINT = """
from dataclasses import dataclass
@dataclass
class Point:
    x: int = 1
    def moved(self, by): return Point(self.x + by)
"""
COLOR = """
from enum import Enum
class Color(Enum):
    RED = 1
    BLUE = "b"
"""
SHAPES = """
class Shape:
    def name(self): return type(self).__name__
class Square(Shape):
    class Side:
        long = 3
    def __init__(self): self.side = Square.Side()
"""


def define(source: str) -> None:
    """Execute a notebook cell."""
    import __main__

    exec(compile(source, "<cell>", "exec", dont_inherit=True), vars(__main__))  # noqa: S102 (as a kernel does)


def main(name: str) -> Any:
    import __main__

    return getattr(__main__, name)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    import __main__

    before = dict(vars(__main__))
    yield
    vars(__main__).clear()
    vars(__main__).update(before)


@pytest.fixture
def there_and_back(tmp_path: Path) -> Any:
    values = Values(tmp_path, inline_limit=100_000, table_limit=0)

    def go(value: object, then: str = "") -> Any:
        stored = values.encode(value, "d" * 32)
        define(then)
        return values.decode(stored.artifact, stored.payload)

    return go


def test_a_dataclass_is_equal_to_new_ones(there_and_back: Any) -> None:
    define(POINT)
    found = there_and_back([main("Point")(3)], then=POINT)
    assert found == [main("Point")(3)]
    assert type(found[0]) is main("Point")


def test_an_enum_member_is_the_member(there_and_back: Any) -> None:
    define(COLOR)
    assert there_and_back({"c": main("Color").BLUE}, then=COLOR)["c"] is main("Color").BLUE


def test_bases_and_inner_classes_are_live_too(there_and_back: Any) -> None:
    define(SHAPES)
    found = there_and_back(main("Square")(), then=SHAPES)
    assert isinstance(found, main("Shape"))
    assert type(found.side) is main("Square").Side


@pytest.mark.parametrize(
    "then", ["del Point", POINT.replace("+ by", "- by"), POINT.replace("x: int = 1", "x: int = 2"), "Point = 5"]
)
def test_a_class_that_changed_does_not_get_old_values(then: str, there_and_back: Any) -> None:
    define(POINT)
    found = there_and_back(main("Point")(3), then=then)
    assert found.moved(2).x == 5
    assert type(found) is not vars(sys.modules["__main__"]).get("Point")


def test_values_of_a_class_that_is_not_live_share_it(there_and_back: Any) -> None:
    define(POINT)
    first, second = (there_and_back(main("Point")(n)) for n in (1, 2))
    del sys.modules["__main__"].Point  # type: ignore[attr-defined]  # defined by the cell
    assert type(first) is type(second)


@pytest.mark.parametrize("name", ["Point", "Color", "Square"])
def test_a_fingerprint_is_the_same_in_another_process(name: str) -> None:
    source = POINT + COLOR + SHAPES
    define(source)
    code = f"{source}\nfrom nbsteps.store.byvalue import fingerprint; print(fingerprint({name}))"
    found = {
        subprocess.run(
            [sys.executable, "-c", "\n" * lines + code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": str(lines), "PATH": "", "SYSTEMROOT": ""},
        ).stdout.strip()
        for lines in (1, 2)
    }
    assert found == {fingerprint(main(name))}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(self): return 1", "def f(self): return 2"),
        ("def f(self): return 1", "def g(self): return 1"),
        ("a = 1", "a = 1.0"),
        ("a = 1", "b = 1"),
        ("a: int", "b: int"),
        ("f = staticmethod(lambda: 1)", "f = classmethod(lambda: 1)"),
        ("f = property(lambda self: 1)", "f = property(lambda self: 2)"),
        ("def f(self, a=1): pass", "def f(self, a=2): pass"),
        ("def f(self): return {1} & {1, 2}", "def f(self): return {1} & {1, 3}"),
    ],
)
def test_what_a_fingerprint_tells_apart(before: str, after: str) -> None:
    prints = []
    for body in (before, after):
        define(f"class Thing:\n    {body}")
        prints.append(fingerprint(main("Thing")))
    assert prints[0] != prints[1]


def test_comments_and_places_do_not_count() -> None:
    define("class Thing:\n    def f(self): return 1")
    first = fingerprint(main("Thing"))
    define("\n\n# more\nclass Thing:\n    'Explained.'\n\n    def f(self):\n        # why\n        return 1")
    assert fingerprint(main("Thing")) == first
