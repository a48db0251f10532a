"""Other objects: piece by piece through their pickle reduction, or refused with type and path."""

import asyncio
import contextlib
import contextvars
import copyreg
import dataclasses
import functools
import io
import itertools
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import weakref

import pytest

from nbsteps.core.errors import UndigestibleError, UsageError
from nbsteps.identity import content
from nbsteps.identity.content import digest, registry


@pytest.fixture(autouse=True)
def no_hook():
    """Each test starts without a hook for code and leaves what it registers behind it."""
    before = registry.code_digester()
    names, types_ = dict(registry._by_name), dict(registry._by_type)
    content.register_code_digester(None)
    yield
    content.register_code_digester(before)
    registry._by_name.clear()
    registry._by_name.update(names)
    registry._by_type.clear()
    registry._by_type.update(types_)
    registry._resolved.clear()


@dataclasses.dataclass
class Order:
    name: str
    lines: list


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    item: str
    count: int


@dataclasses.dataclass
class Other:
    name: str
    lines: list


class Slotted:
    __slots__ = ("__dict__", "a", "b")

    def __init__(self, **values):
        for name, value in values.items():
            setattr(self, name, value)


class Chosen:
    """Pickles a part of itself."""

    def __init__(self, kept, dropped):
        self.kept = kept
        self.dropped = dropped

    def __getstate__(self):
        return {"kept": self.kept}


class Tagged(set):
    def __init__(self, members, tag):
        super().__init__(members)
        self.tag = tag


class Stack(list):
    pass


class Endless:
    def __reduce__(self):
        return Endless, (Endless(),)


class Broken:
    def __reduce__(self):
        raise RuntimeError("no such thing")


class Odd:
    def __reduce_ex__(self, protocol):
        return 7


class Registered:
    def __init__(self, value):
        self.value = value


def stack(values, **attributes):
    made = Stack(values)
    vars(made).update(attributes)
    return made


APART = {
    "data classes": [Order("a", []), Order("b", []), Order("a", [1]), Other("a", []), {"name": "a", "lines": []}],
    "frozen data classes with slots": [Line("a", 1), Line("a", 2), Line("b", 1)],
    "slots": [Slotted(a=1), Slotted(b=1), Slotted(a=1, b=1), Slotted(c=1), Slotted(a=1, c=1)],
    "chosen state": [Chosen(1, 1), Chosen(2, 1)],
    "sets with attributes": [Tagged({1}, "a"), Tagged({1}, "b"), Tagged({2}, "a"), {1}],
    "lists with attributes": [stack([1]), stack([1], a=1), stack([2], a=1), [1]],
    "partials": [functools.partial(int), functools.partial(int, base=2), functools.partial(int, "1")],
    "exceptions": [ValueError("a"), ValueError("b"), KeyError("a")],
    "buffers": [io.BytesIO(b"a"), io.BytesIO(b"b"), io.StringIO("a")],
    "generators of numbers": [random.Random(1), random.Random(2)],
    "bound methods": [Order("a", []).__eq__, Order("b", []).__eq__],
}


@pytest.mark.parametrize("values", APART.values(), ids=APART.keys())
def test_tells_apart(values):
    assert len({digest(value) for value in values}) == len(values)
    assert len({digest([value]) for value in values}) == len(values)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Order("a", [Line("b", 1), {"c": {1, 2}}]),
        lambda: Slotted(a=1, c=[2]),
        lambda: Tagged({"a", "b", ("c", 1)}, "t"),
        lambda: stack([1, 2], a=1),
        lambda: functools.partial(int, base=2),
        lambda: random.Random(3),
        lambda: Chosen(1, random.random()),
        object,
    ],
)
def test_equal_objects_are_alike(make):
    assert digest(make()) == digest(make())


def test_order_of_attributes_never_counts():
    one, other = Slotted(c=1, d=2), Slotted(d=2, c=1)
    assert digest(one) == digest(other)


def test_a_reducer_from_copyreg_is_asked_as_pickle_would():
    class Local:
        def __init__(self, value):
            self.value = value
            self.lock = threading.Lock()

    Local.__qualname__ = "Local"
    copyreg.pickle(Local, lambda local: (dict, (), {"value": local.value}))
    try:
        assert digest(Local(1)) == digest(Local(1)) != digest(Local(2))
    finally:
        copyreg.dispatch_table.pop(Local)


def numbers():
    yield 1


async def waiting():
    await asyncio.sleep(0)


def coroutine():
    made = waiting()
    made.close()
    return made


def opened(stack):
    return stack.enter_context(open(__file__, encoding="utf-8"))  # noqa: PTH123  an open file is the case


REFUSED = {
    "generator": lambda stack: numbers(),
    "coroutine": lambda stack: coroutine(),
    "_thread.lock": lambda stack: threading.Lock(),
    "_thread.RLock": lambda stack: threading.RLock(),
    "_io.TextIOWrapper": opened,
    "socket.socket": lambda stack: stack.enter_context(socket.socket()),
    "sqlite3.Connection": lambda stack: stack.enter_context(contextlib.closing(sqlite3.connect(":memory:"))),
    "weakref.ReferenceType": lambda stack: weakref.ref(REFUSED.get),
    "_thread._local": lambda stack: threading.local(),
    "_contextvars.ContextVar": lambda stack: contextvars.ContextVar("a"),
    "list_iterator": lambda stack: iter([1]),
    "map": lambda stack: map(int, "12"),
    "zip": lambda stack: zip("12", "34", strict=True),
    "itertools.count": lambda stack: itertools.count(),
    "dict_keys": lambda stack: {}.keys(),
    "frame": lambda stack: sys._getframe(),
    "function": lambda stack: numbers,
    f"{__name__}.Broken": lambda stack: Broken(),
    f"{__name__}.Odd": lambda stack: Odd(),
    "staticmethod": lambda stack: staticmethod(numbers),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_what_has_no_content(name):
    with contextlib.ExitStack() as stack:
        value = REFUSED[name](stack)
        with pytest.raises(UndigestibleError) as caught:
            digest(value)
        assert (caught.value.type_name, caught.value.path) == (name, "")
        with pytest.raises(UndigestibleError) as caught:
            digest({"a": [1, types_of(value)]})
        assert (caught.value.type_name, caught.value.path) == (name, "['a'][1].conn")


def types_of(value):
    return __import__("types").SimpleNamespace(conn=value)


def test_refuses_a_duckdb_connection():
    import duckdb

    with duckdb.connect() as connection, pytest.raises(UndigestibleError, match="DuckDBPyConnection at \\[0\\] has no"):
        digest([connection])


def test_a_process_is_refused_by_what_it_holds():
    with subprocess.Popen([sys.executable, "-c", ""]) as process, pytest.raises(UndigestibleError, match="lock"):
        digest(process)


def test_says_why_in_words():
    with pytest.raises(UndigestibleError, match=r"list_iterator at \[0\] has no content digest: reading an iterator"):
        digest([iter([])])
    with pytest.raises(UndigestibleError, match="no such thing"):
        digest(Broken())


def test_an_object_that_reduces_to_itself_forever_is_refused(monkeypatch):
    from nbsteps.identity.content import walk

    monkeypatch.setattr(walk, "MAX_DEPTH", 1000)
    with pytest.raises(UndigestibleError, match="nested deeper") as caught:
        digest([Endless()])
    assert len(str(caught.value)) < 500


def test_a_figure_is_the_same_when_it_is_looked_at_twice(monkeypatch):
    figures = pytest.importorskip("matplotlib.figure")
    content.register_code_digester(lambda code: None)

    def draw(last):
        figure = figures.Figure()
        figure.subplots().plot([1, last])
        return figure

    figure = draw(2)
    assert digest(figure) == digest(figure) != digest(draw(3))


class TestCode:
    """Functions and classes inside values go to the hook."""

    def test_a_function_is_told_by_the_hook(self):
        content.register_code_digester(lambda code: code.__name__)
        before = digest([numbers])
        content.register_code_digester(lambda code: code.__name__ + "2")
        assert digest([numbers]) != before

    def test_a_class_of_an_instance_is_told_by_the_hook(self):
        plain = digest([Order("a", [])])
        content.register_code_digester(lambda code: "v1")
        first = digest([Order("a", [])])
        content.register_code_digester(lambda code: "v2")
        assert len({plain, first, digest([Order("a", [])])}) == 3

    def test_one_class_is_asked_for_once(self):
        asked = []
        content.register_code_digester(asked.append)
        digest([Line("a", number) for number in range(100)])
        assert asked.count(Line) == 1

    def test_none_means_that_the_name_says_enough(self):
        content.register_code_digester(lambda code: None)
        assert digest(numbers) == digest(numbers) != digest(waiting)

    def test_an_instance_of_a_class_of_main_needs_the_hook(self):
        made = type("Made", (), {"__module__": "__main__"})()
        with pytest.raises(UndigestibleError, match="register_code_digester"):
            digest([made])
        content.register_code_digester(lambda code: "source")
        assert digest([made])

    def test_the_standard_library_needs_no_hook(self):
        content.register_code_digester(lambda code: pytest.fail(f"asked for {code}"))
        assert len({digest(value) for value in (int, dict, len, functools.reduce, random, OSError)}) == 6

    def test_a_local_function_of_the_library_is_no_name(self):
        with pytest.raises(UndigestibleError):
            digest(contextlib.contextmanager(numbers))

    def test_code_that_leads_back_to_the_value_ends(self):
        value = []

        def back():
            return value

        value.append(back)
        content.register_code_digester(lambda code: digest(code.__closure__[0].cell_contents))
        assert digest(value) == digest(value)

    def test_a_refusal_behind_the_hook_keeps_the_outer_path(self):
        def hook(code):
            return digest({"inner": threading.Lock()})

        content.register_code_digester(hook)
        with pytest.raises(UndigestibleError) as caught:
            digest([1, numbers])
        assert (caught.value.type_name, caught.value.path) == ("_thread.lock", "[1]['inner']")


class TestRegister:
    """Other packages digest their types themselves."""

    def test_by_type(self):
        content.register(Registered, lambda value: value.value)
        assert digest(Registered([1])) == digest(Registered([1]))
        assert len({digest(Registered([1])), digest(Registered([2])), digest([1])}) == 3

    def test_by_name(self):
        content.register(f"{__name__}.Registered", lambda value: "fixed")
        assert digest(Registered(1)) == digest(Registered(2))

    def test_subclasses_follow_and_differ(self):
        class Sub(Registered):
            pass

        Sub.__qualname__ = "Sub"
        content.register(Registered, lambda value: value.value)
        assert digest(Sub(1)) != digest(Registered(1))
        assert digest(Sub(1)) == digest(Sub(1))

    @pytest.mark.parametrize("kind", [int, list, type(None)])
    def test_what_nbsteps_digests_itself_is_not_for_others(self, kind):
        with pytest.raises(UsageError, match="digested by nbsteps itself"):
            content.register(kind, str)

    def test_errors_of_the_function_name_the_value(self):
        content.register(Registered, lambda value: 1 / 0)
        with pytest.raises(UndigestibleError, match=r"Registered at \[0\] has no content digest: ZeroDivisionError"):
            digest([Registered(1)])

    def test_entry_points_are_read_once_and_loaded_when_needed(self, monkeypatch):
        import importlib.metadata

        asked, loaded = [], []

        class Point:
            name = f"{__name__}.Registered"

            def load(self):
                loaded.append(self.name)
                return lambda value: "plugin"

        def entry_points(group):
            asked.append(group)
            return [Point()]

        monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
        monkeypatch.setattr(registry._State, "plugins_loaded", False)
        digest([1, {"a": 2.5}])
        assert asked == []
        digest(Order("a", []))
        assert (asked, loaded) == (["nbsteps.digests"], [])
        assert digest(Registered(1)) == digest(Registered(2))
        assert asked == ["nbsteps.digests"]
        assert loaded
