"""Settings that a cell makes for the whole process, and that results depend on without naming them.

Only what differs from how the interpreter or the library starts is told, so that nothing counts where nothing was set.
Settings of a library count wherever its version does.
"""

from __future__ import annotations

import operator
import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from nbsteps.core.errors import UndigestibleError
from nbsteps.identity import content
from nbsteps.identity.places import Origin, file_origin, name_origin

_DECIMAL: Final = (28, "ROUND_HALF_EVEN", -999999, 999999, 1, 0, ("DivisionByZero", "InvalidOperation", "Overflow"))
_LOCALES: Final = ("LC_COLLATE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME")
_NUMPY_ERRORS: Final = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_NUMPY_PRINTING: Final = {
    "edgeitems": 3,
    "threshold": 1000,
    "precision": 8,
    "linewidth": 75,
    "suppress": False,
    "nanstr": "nan",
    "infstr": "inf",
    "sign": "-",
    "formatter": None,
    "floatmode": "maxprec",
    "legacy": False,
    "override_repr": None,
}
_SKLEARN: Final = {
    "assume_finite": False,
    "print_changed_only": True,
    "display": "diagram",
    "array_api_dispatch": False,
    "transform_output": "default",
    "enable_metadata_routing": False,
}
_DIALECTS: Final = frozenset({"excel", "excel-tab", "unix"})
_DIALECT: Final = (
    *("delimiter", "quotechar", "escapechar", "doublequote", "skipinitialspace", "lineterminator", "quoting", "strict"),
)
_FIELD_LIMIT: Final = 131072
_OF_SESSION: Final = ("backend", "interactive", "toolbar", "savefig.directory", "webagg.")
_POLARS_OF_MACHINE: Final = frozenset({"POLARS_MAX_THREADS", "POLARS_VERBOSE", "POLARS_TEMP_DIR"})
_EXTENDED: Final = {"pandas": ("DataFrame", "Series", "Index"), "polars": ("DataFrame", "LazyFrame", "Series", "Expr")}


def process_settings() -> Iterator[tuple[str, str]]:
    """Name and text of each setting of the interpreter and its library that is not as they start."""
    if sys.flags.optimize:
        yield "sys.flags.optimize", str(sys.flags.optimize)
    decimal, locale = sys.modules.get("decimal"), sys.modules.get("locale")
    if decimal is not None:
        context = decimal.getcontext()
        traps = tuple(sorted(signal.__name__ for signal, on in context.traps.items() if on))
        numbers = (context.prec, context.rounding, context.Emin, context.Emax, context.capitals, context.clamp, traps)
        if numbers != _DECIMAL:
            yield "decimal.getcontext()", repr(numbers)
    if locale is not None:
        chosen = {name: locale.setlocale(getattr(locale, name)) for name in _LOCALES if hasattr(locale, name)}
        if any(value not in {"C", "POSIX"} for value in chosen.values()):
            yield "locale.setlocale()", repr(chosen)
        encoding = locale.getpreferredencoding(do_setlocale=False).lower()
        if encoding not in {"utf-8", "utf8"}:
            yield "locale.getpreferredencoding()", encoding
    yield from _library_settings()


def _library_settings() -> Iterator[tuple[str, str]]:
    """What can be set in modules of the standard library, of those that are loaded."""
    digits = sys.get_int_max_str_digits()
    if digits != sys.int_info.default_max_str_digits:
        yield "sys.set_int_max_str_digits()", str(digits)
    for name, told in _STANDARD.items():
        module = sys.modules.get(name)
        if module is not None:
            yield from told(module)


def _calendar(module: Any) -> Iterator[tuple[str, str]]:
    if module.firstweekday():
        yield "calendar.setfirstweekday()", str(module.firstweekday())


def _copyreg(module: Any) -> Iterator[tuple[str, str]]:
    for kind, function in module.dispatch_table.items():
        if _is_users(function):
            yield f"copyreg.pickle({kind.__qualname__})", _digest(function)


def _json(module: Any) -> Iterator[tuple[str, str]]:
    for cls in (module.JSONEncoder, module.JSONDecoder):
        for name in _added(cls):
            yield f"json.{cls.__name__}.{name}", _digest(vars(cls)[name])


def _csv(csv: Any) -> Iterator[tuple[str, str]]:
    for name in sorted(set(csv.list_dialects()) - _DIALECTS):
        dialect = csv.get_dialect(name)
        yield f"csv.register_dialect({name!r})", repr([getattr(dialect, each) for each in _DIALECT])
    if csv.field_size_limit() != _FIELD_LIMIT:
        yield "csv.field_size_limit()", str(csv.field_size_limit())


def any_settings() -> bool:
    """Whether any setting of the interpreter and its library is not as they start."""
    return any(process_settings())


def library_settings(top: str) -> str:
    """What is set in a library that is loaded, as a text; ``""`` where nothing is."""
    module = sys.modules.get(top)
    if module is None:
        return ""
    told = _TELLERS.get(top)
    settings = {} if told is None else dict(told(module))
    settings.update(_extensions(top, module))
    return ", ".join(f"{name}={settings[name]}" for name in sorted(settings))


def _numpy(module: Any) -> Iterator[tuple[str, str]]:
    yield from _different(module.get_printoptions(), _NUMPY_PRINTING)
    yield from _different(module.geterr(), _NUMPY_ERRORS)


def _different(now: Mapping[str, object], usual: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in now.items():
        if name in usual and value is not usual[name] and value != usual[name]:
            yield name, repr(value) if isinstance(value, (str, int, float)) else _digest(value)


def _pandas(module: Any) -> Iterator[tuple[str, str]]:
    config = getattr(getattr(module, "_config", None), "config", None)
    registered = getattr(config, "_registered_options", {})
    values = getattr(config, "_global_config", {})
    for key, option in registered.items():
        found = values
        for piece in key.split("."):
            found = found.get(piece, option.defval) if isinstance(found, dict) else option.defval
        if found is not option.defval and found != option.defval:
            yield key, repr(found) if isinstance(found, (str, int, float, type(None))) else _digest(found)


def _matplotlib(module: Any) -> Iterator[tuple[str, str]]:
    module = sys.modules.get("matplotlib")
    usual = getattr(module, "rcParamsOrig", None)
    if usual is None:
        return
    for name, value in dict.items(module.rcParams):  # the mapping's own items warn of deprecated ones
        if not name.startswith(_OF_SESSION) and value != dict.get(usual, name):
            yield name, repr(value)


def _sklearn(module: Any) -> Iterator[tuple[str, str]]:
    yield from _different(module.get_config(), _SKLEARN)


def _polars(_module: Any) -> Iterator[tuple[str, str]]:
    for name, value in dict(os.environ).items():
        if name.startswith("POLARS_") and name not in _POLARS_OF_MACHINE:
            yield name, value


_TELLERS: Final[dict[str, Callable[[Any], Iterator[tuple[str, str]]]]] = {
    "numpy": _numpy,
    "pandas": _pandas,
    "matplotlib": _matplotlib,
    "seaborn": _matplotlib,
    "polars": _polars,
    "sklearn": _sklearn,
}

_STANDARD: Final[dict[str, Callable[[Any], Iterator[tuple[str, str]]]]] = {
    "calendar": _calendar,
    "copyreg": _copyreg,
    "csv": _csv,
    "json": _json,
}

_known: dict[type, tuple[tuple[object, ...], tuple[str, ...]]] = {}


def _extensions(top: str, module: Any) -> Iterator[tuple[str, str]]:
    """What the user added to the library's classes: methods, accessors, namespaces."""
    for name in _EXTENDED.get(top, ()):
        cls = vars(module).get(name)
        if isinstance(cls, type):
            for attribute in _added(cls):
                yield f"{name}.{attribute}", _digest(vars(cls)[attribute])


def _added(cls: type) -> tuple[str, ...]:
    """Attributes of an installed class whose code is the user's; looked for again when an attribute changed."""
    values = tuple(vars(cls).values())
    known = _known.get(cls)
    if known is None or len(known[0]) != len(values) or not all(map(operator.is_, known[0], values)):
        names = tuple(name for name, value in list(vars(cls).items()) if _is_users(value))
        known = _known[cls] = (values, names)
    return known[1]


def _is_users(value: Any) -> bool:
    for name in ("__func__", "fget", "func", "_accessor", "_ns"):
        value = getattr(value, name, value)
    if isinstance(value, types.FunctionType):
        return file_origin(value.__code__.co_filename) is Origin.LOCAL and name_origin(value.__module__) is Origin.LOCAL
    return isinstance(value, type) and name_origin(value.__module__) is Origin.LOCAL


def _digest(value: object) -> str:
    for name in ("_accessor", "_ns"):
        value = vars(value).get(name, value) if hasattr(value, "__dict__") and not isinstance(value, type) else value
    try:
        return content.digest(value)
    except UndigestibleError:
        return "?"
