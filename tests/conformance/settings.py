"""Settings of the process that probes change, as they were: other tests share it."""

from __future__ import annotations

import builtins
import calendar
import contextlib
import copyreg
import csv
import decimal
import json
import locale
import math
import sys
from collections.abc import Iterator

CATEGORIES = (locale.LC_COLLATE, locale.LC_CTYPE, locale.LC_MONETARY, locale.LC_NUMERIC, locale.LC_TIME)


@contextlib.contextmanager
def kept_settings() -> Iterator[None]:
    """Undo what is set for the interpreter, its library, or a library that is loaded by then."""
    argv, context, reductions = sys.argv, decimal.getcontext().copy(), dict(copyreg.dispatch_table)
    digits, limit, default = sys.get_int_max_str_digits(), csv.field_size_limit(), json.JSONEncoder.default
    places = {category: locale.setlocale(category) for category in CATEGORIES}
    try:
        yield
    finally:
        sys.argv = argv
        decimal.setcontext(context)
        sys.set_int_max_str_digits(digits)
        csv.field_size_limit(limit)
        calendar.setfirstweekday(0)
        json.JSONEncoder.default = default
        copyreg.dispatch_table.clear()
        copyreg.dispatch_table.update(reductions)
        for name in set(csv.list_dialects()) - DIALECTS:
            csv.unregister_dialect(name)
        for category, place in places.items():
            locale.setlocale(category, place)
        for module in (builtins, math):
            for name in [each for each in vars(module) if each.lower().startswith("probe")]:
                delattr(module, name)
        for name, undo in UNDO.items():
            if name in sys.modules:
                undo(sys.modules[name])


DIALECTS = {"excel", "excel-tab", "unix"}


def _numpy(np):
    if np.random.get_bit_generator().state["bit_generator"] != "MT19937":
        np.random.set_bit_generator(np.random.MT19937())
    np.set_printoptions(precision=8)
    np.seterr(divide="warn")


def _pandas(pd):
    for option in ("display.precision", "mode.string_storage"):
        pd.reset_option(option)


def _matplotlib(mpl):
    mpl.rcParams["figure.dpi"] = mpl.rcParamsDefault["figure.dpi"]


UNDO = {
    "numpy": _numpy,
    "pandas": _pandas,
    "polars": lambda pl: pl.Config.restore_defaults(),
    "matplotlib": _matplotlib,
    "sklearn": lambda sklearn: sklearn.set_config(transform_output="default"),
}
