"""A stored value is loaded when a cell first mentions its name, and only then."""

from __future__ import annotations

import functools
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from nbsteps.core.errors import DamagedValueError
from nbsteps.notebook.lazy import LazyNames

PENDING = ("orders", "rates", "model")
ALL = set(PENDING)

HELPERS = """
import functools, math, contextlib
def report(): return orders.sum()
def indirect(): return report()
def nested():
    def inner(): return [rates for _ in range(2)]
    return inner()
def query(): return sql("select * from orders join rates")
def formatted(): return f"{orders}"
def listing(): return eval("or" + "ders")
def training(net): return net.eval()
def with_default(f=report): return f()
def logged(f):
    @functools.wraps(f)
    def wrapper(*a): return f(*a)
    return wrapper
@logged
def decorated(): return model
@functools.lru_cache
def cached(): return rates
@contextlib.contextmanager
def managed(): yield orders
part = functools.partial(report)
table = {"a": report, "b": nested}
class Base:
    def run(self): return orders
class Analysis(Base):
    limit = 3
    @property
    def share(self): return rates
    @staticmethod
    def fit(): return model
analysis = Analysis()
bound = analysis.run
class Holder:
    def __init__(self): self.call = report
holder = Holder()
lam = lambda: model
def loop(): return loop2()
def loop2(): return loop()
def shadow(rates): return rates
number = 3
"""


def make(text=HELPERS, shell=None, names=PENDING):
    namespace = {"__name__": "__main__"}
    exec(text, namespace)  # noqa: S102 - the notebook's helpers
    lazy = LazyNames(namespace, shell)
    loaded = []

    def loader(name):
        def load():
            loaded.append(name)
            return f"value of {name}"

        return load

    for name in names:
        lazy.bind(name, loader(name))
    return lazy, namespace, loaded


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", set()),
        ("x = 1", set()),
        ("orders", {"orders"}),
        ("orders = 1", {"orders"}),
        ("del orders", {"orders"}),
        ("orders_2 = 1; reorders = 2", set()),
        ("print(orders.head(), rates['x'])", {"orders", "rates"}),
        ("sql('select * from orders')", {"orders"}),
        ("f'{rates:.2f}'", {"rates"}),
        ("%timeit model.fit()", {"model"}),
        ("!echo {rates}", {"rates"}),
        ("!echo $rates", {"rates"}),
        ("%%time\norders.sum()", {"orders"}),
        ("orders?", {"orders"}),
        ("this is not python but orders", {"orders"}),
        ("# orders in a comment", {"orders"}),
        ("report()", {"orders"}),
        ("indirect()", {"orders"}),
        ("nested()", {"rates"}),
        ("query()", {"orders", "rates"}),
        ("formatted()", {"orders"}),
        ("decorated()", {"model"}),
        ("cached()", {"rates"}),
        ("managed()", {"orders"}),
        ("part()", {"orders"}),
        ("table['a']()", {"orders", "rates"}),
        ("analysis.share", ALL),
        ("Analysis", ALL),
        ("bound()", ALL),
        ("holder.call()", {"orders"}),
        ("lam()", {"model"}),
        ("with_default()", {"orders"}),
        ("training(net)", set()),
        ("net.eval()", set()),
        ("loop()", set()),
        ("math.sqrt(number)", set()),
        ("globals()['or' + 'ders']", ALL),
        ("eval('or' + 'ders')", ALL),
        ("get_ipython().user_ns", ALL),
        ("locals()", ALL),
        ("dir()", ALL),
        ("listing()", ALL),
        ("%who", ALL),
        ("%whos", ALL),
        ("whos", ALL),
        ("%who_ls DataFrame", ALL),
        ("%store", ALL),
        ("%reset -f", ALL),
        ("or*?", ALL),
        ("who = 1", set()),
        ("store = 1", set()),
    ],
)
def test_mentioned(source, expected):
    lazy, _, loaded = make()
    assert lazy.mentioned(source) == expected
    assert loaded == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("orders.head()", ["orders"]),
        ("%%step clean --in orders\norders.head()", []),
        ("\n%%step clean\norders", []),
        ("%pipeline run orders", []),
        ("%pipeline clear orders\nrates", ["rates"]),
        ("%%pipeline\norders", ["orders"]),
        ("", []),
    ],
)
def test_before_a_cell(source, expected):
    lazy, namespace, loaded = make()
    lazy.pre_run_cell(SimpleNamespace(raw_cell=source))
    assert loaded == expected
    assert {name for name in PENDING if name in namespace} == set(expected)


def test_a_bound_name_is_absent_until_it_is_loaded_once():
    lazy, namespace, loaded = make("orders = 'old'")
    assert "orders" not in namespace
    assert lazy.pending("orders")
    lazy.materialise(["orders", "unknown"])
    lazy.materialise(["orders"])
    assert namespace["orders"] == "value of orders"
    assert loaded == ["orders"]
    assert not lazy.pending("orders")


def test_binding_again_replaces():
    lazy, namespace, loaded = make()
    lazy.bind("orders", lambda: "newer")
    lazy.materialise(["orders"])
    assert namespace["orders"] == "newer"
    assert loaded == []


def test_what_was_assigned_meanwhile_counts():
    lazy, namespace, loaded = make()
    namespace["orders"] = 1
    assert not lazy.pending("orders")
    lazy.materialise(["orders"])
    assert namespace["orders"] == 1
    assert loaded == []


def test_what_was_superseded_does_not_come_back():
    lazy, namespace, _ = make()
    namespace["orders"] = 1
    lazy.superseded(["orders", "rates"])
    del namespace["orders"]
    assert not lazy.pending("orders")
    assert lazy.pending("rates")


def test_forgotten_names_stay_unbound():
    lazy, namespace, _ = make()
    lazy.forget("orders")
    lazy.forget("unknown")
    assert lazy.mentioned("orders") == set()
    assert "orders" not in namespace


def fail(error):
    def load():
        raise error

    return load


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (DamagedValueError("its checksum fails", step="clean", hint="%pipeline run clean"), "%pipeline run clean"),
        (ValueError("broken"), "run the step that writes orders again"),
    ],
)
def test_a_value_that_cannot_be_loaded_is_named_and_unbound(capsys, error, mend):
    lazy, namespace, _ = make()
    lazy.bind("orders", fail(error))
    lazy.pre_run_cell(SimpleNamespace(raw_cell="orders + rates"))
    shown = capsys.readouterr().err
    assert "orders could not be restored" in shown
    assert mend in shown
    assert "orders" not in namespace
    assert not lazy.pending("orders")
    assert namespace["rates"] == "value of rates"


def test_the_engine_hears_of_a_value_that_cannot_be_loaded():
    lazy, _, _ = make()
    lazy.bind("orders", fail(DamagedValueError("its checksum fails")))
    with pytest.raises(DamagedValueError):
        lazy.materialise(["orders"])


def test_an_interrupted_load_can_be_tried_again():
    lazy, _, _ = make()
    lazy.bind("orders", fail(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        lazy.materialise(["orders"])
    assert lazy.pending("orders")


def test_deep_structures_end():
    chain = "\n".join(f"def f{i}(): return f{i + 1}()" for i in range(300)) + "\ndef f300(): return orders\n"
    lazy, namespace, _ = make(chain)
    namespace["loop"] = loop = []
    loop.append(loop)
    namespace["deep"] = functools.reduce(lambda inner, _: functools.partial(print, inner), range(2000), namespace["f0"])
    assert lazy.mentioned("f0(); loop") == {"orders"}
    assert lazy.mentioned("deep") == {"orders"}


class Awkward:
    """An object that answers every question with an error."""

    def __getattribute__(self, name):
        message = f"do not look at {name}"
        raise RuntimeError(message)


def test_awkward_objects_are_left_alone():
    lazy, namespace, _ = make()
    namespace["awkward"] = Awkward()
    assert lazy.mentioned("awkward + orders") == {"orders"}


@given(st.text())
def test_any_text_can_be_searched(text):
    lazy, _, _ = make()
    assert lazy.mentioned(text) <= ALL


@pytest.fixture
def shell():
    made = InteractiveShell.instance()
    yield made
    made.history_manager.end_session()
    InteractiveShell.clear_instance()


def test_in_a_shell(shell):
    lazy = LazyNames(shell.user_ns, shell)
    loads = []
    lazy.bind("orders", lambda: loads.append("orders") or 41)
    lazy.bind("rates", lambda: loads.append("rates") or 1)
    shell.run_cell("x = 1").raise_error()
    assert loads == []
    shell.run_cell("answer = orders + 1").raise_error()
    assert shell.user_ns["answer"] == 42
    assert loads == ["orders"]
    lazy.close()
    assert shell.run_cell("rates", silent=False).error_in_exec is not None


def test_cells_are_listened_to_as_long_as_something_is_pending(shell):
    before = list(shell.events.callbacks["pre_run_cell"])
    lazy = LazyNames(shell.user_ns, shell)
    for value in (1, 2):
        lazy.bind("orders", lambda value=value: value)
        assert len(shell.events.callbacks["pre_run_cell"]) == len(before) + 1
        shell.run_cell("answer = orders").raise_error()
        assert (shell.user_ns["answer"], shell.events.callbacks["pre_run_cell"]) == (value, before)
    lazy.close()
    assert shell.events.callbacks["pre_run_cell"] == before


def test_a_cell_that_starts_a_run_and_goes_on_with_the_results(shell):
    lazy = LazyNames(shell.user_ns, shell)
    loads = []

    def pipeline(line):
        for name in ("orders", "rates"):
            lazy.bind(name, lambda name=name: loads.append(name) or 41)

    shell.register_magic_function(pipeline, "line")
    shell.run_cell("%pipeline run rates\nanswer = orders + 1").raise_error()
    assert shell.user_ns["answer"] == 42
    assert loads == ["orders"]
    lazy.close()
