"""Settings of the process that probes change, as they were: other tests share it."""

from __future__ import annotations

import contextlib
import decimal
import locale
import sys
from collections.abc import Iterator

CATEGORIES = (locale.LC_COLLATE, locale.LC_CTYPE, locale.LC_MONETARY, locale.LC_NUMERIC, locale.LC_TIME)


@contextlib.contextmanager
def kept_settings() -> Iterator[None]:
    """Undo what is set for the interpreter, its library, or a library that is loaded by then."""
    argv, context = sys.argv, decimal.getcontext().copy()
    places = {category: locale.setlocale(category) for category in CATEGORIES}
    try:
        yield
    finally:
        sys.argv = argv
        decimal.setcontext(context)
        for category, place in places.items():
            locale.setlocale(category, place)
        for name, undo in UNDO.items():
            if name in sys.modules:
                undo(sys.modules[name])


def _numpy(np):
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
