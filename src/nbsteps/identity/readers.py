"""Readers in C announce what they read: pyarrow, polars and duckdb open files themselves, where no audit event tells.

Each library is prepared once: when it is loaded, or at once if it is loaded already, so that names imported from it are
covered too. Where the library has a function of its own that all its readers pass through, that one is wrapped. The
wrappers do nothing but ask whether a body runs; then they tell what the reader is about to open.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import FrameType, ModuleType
from typing import Any, Final

from nbsteps.identity import randomness, subprocesses
from nbsteps.identity.ambient import COMPUTED
from nbsteps.identity.environment import note_variables
from nbsteps.identity.native import READERS
from nbsteps.identity.observed import is_observed, note_module, note_own_tables, note_read, note_write
from nbsteps.identity.sqlfiles import computes_names, files_in_sql, may_be_path

_MARK: Final = "_nbsteps_announces"


def install() -> None:
    """Prepare the libraries that are loaded, and those that will be. Repeating it changes nothing.

    The random generators are prepared in the same way, so that their seeding is noted; and what starts processes.
    """
    if any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        return
    subprocesses.install()
    for name, prepare in list(_LIBRARIES.items()):
        module = sys.modules.get(name)
        if module is not None:
            prepare(module)
    sys.meta_path.insert(0, _AfterImport())


class _AfterImport(MetaPathFinder):
    """Prepares a library as soon as the import system has executed it."""

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Leave the search to Python's own finder, and look at what it finds if it is one of ours."""
        prepare = _LIBRARIES.get(fullname)
        if prepare is None:
            if not fullname.startswith(_POLARS_READERS):
                return None
            prepare = _prepare_polars_reader
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            prepare(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # of this one loader of this one module
        return spec


def _note_source(source: Any) -> None:
    """Announce a path or the address of a file, or each of several."""
    if isinstance(source, str) and source.startswith("file://"):
        from urllib.request import url2pathname  # noqa: PLC0415 - keeps import nbsteps fast

        note_read(url2pathname(source.removeprefix("file://").removeprefix("localhost")))
    elif isinstance(source, (str, os.PathLike)):
        note_read(source)
    elif isinstance(source, (list, tuple, set)):
        for each in source:
            _note_source(each)


def _note_opened(path: Any, mode: Any = "r") -> None:
    """A path that is opened in a mode, as for ``open``."""
    if isinstance(mode, str) and mode[:1] in {"w", "x"}:
        _note_target(path)
        return
    _note_source(path)
    if mode in {"a", "r+"}:
        _note_target(path)


def _note_target(target: Any) -> None:
    if isinstance(target, (str, os.PathLike)):
        note_write(target)


def _note_query(query: Any, parameters: Any = None) -> None:
    for path, written in files_in_sql(query):
        (note_write if written else note_read)(path)
    if computes_names(query):
        note_variables([COMPUTED])
    values = parameters.values() if isinstance(parameters, dict) else parameters
    for value in values if isinstance(values, (list, tuple)) or isinstance(parameters, dict) else ():
        if isinstance(value, str) and may_be_path(value):
            note_read(value)


def _note_own_query(query: Any, parameters: Any = None) -> None:
    """A query of the database that belongs to the process."""
    note_own_tables(sys.modules["duckdb"])
    _note_query(query, parameters)


_QUERIES_NOTED: Final = (_note_query, _note_own_query)


def _note_database(database: Any) -> None:
    if isinstance(database, (str, os.PathLike)) and not os.fspath(database).startswith(":"):
        note_read(database)


def _announcing(function: Any, note: Callable[..., None], keyword: str, position: int) -> Any:
    """``function``, with what it is given under a keyword or at a position told to ``note`` before."""
    if getattr(function, _MARK, False):
        return function

    @functools.wraps(function)
    def announcing(*args: Any, **kwargs: Any) -> Any:
        if is_observed():
            told = kwargs.get(keyword, args[position] if len(args) > position else None)
            note(told, *_second(note, args[position + 1 : position + 2], kwargs))
        if note not in _QUERIES_NOTED:
            return function(*args, **kwargs)
        caller = sys._getframe(1)  # noqa: SLF001 - the only way to the caller
        if str(caller.f_globals.get("__name__")).startswith("nbsteps."):
            return function(*args, **kwargs)
        return _as_caller(caller, functools.partial(function, *args, **kwargs))

    setattr(announcing, _MARK, True)
    return announcing


def _second(note: Callable[..., None], following: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """What a note is told beside a path or a query: parameters that follow, or a mode."""
    if note is _note_opened:
        return (named["mode"],) if "mode" in named else following
    return following if note in _QUERIES_NOTED else ()


_CALL: Final = compile("_nbsteps_call()", __file__, "eval")


def _as_caller(caller: FrameType, call: Callable[[], Any]) -> Any:
    """Call from a frame that has the caller's names: duckdb looks there for the tables that a query names."""
    names: dict[str, Any] = {"_nbsteps_call": call}
    if caller.f_locals is not caller.f_globals:
        names = {**caller.f_locals, **names}
    return eval(_CALL, caller.f_globals, names)  # noqa: S307 - our own expression


def _wrap(holder: Any, name: str, note: Callable[..., None], keyword: str, position: int = 0) -> None:
    """Replace a function, and also in the module that defines it, so that its own name goes on to find it."""
    function = getattr(holder, name, None)
    if not callable(function):
        return
    replacement = _announcing(function, note, keyword, position)
    setattr(holder, name, replacement)
    home, own = sys.modules.get(getattr(function, "__module__", None) or ""), getattr(function, "__qualname__", "")
    if getattr(home, own, None) is function:
        setattr(home, own, replacement)


def _prepare_parquet(module: ModuleType) -> None:
    _wrap(module.ParquetFile, "__init__", _note_source, "source", 1)
    _wrap(module.ParquetDataset, "__init__", _note_source, "path_or_paths", 1)
    _wrap(module.ParquetWriter, "__init__", _note_target, "where", 1)
    for name in ("read_metadata", "read_schema"):
        _wrap(module, name, _note_source, "where")
        public = sys.modules.get("pyarrow.parquet")
        if hasattr(public, name):  # loaded before us
            setattr(public, name, getattr(module, name))


def _prepare_orc(module: ModuleType) -> None:
    _wrap(module, "read_table", _note_source, "source")
    _wrap(module.ORCFile, "__init__", _note_source, "source", 1)
    _wrap(module.ORCWriter, "__init__", _note_target, "where", 1)


def _prepare_feather(module: ModuleType) -> None:
    core = getattr(module, "_feather", None)
    _wrap(core, "FeatherReader", _note_source, "source")
    _wrap(core, "write_feather", _note_target, "dest", 1)


def _prepare_csv(module: ModuleType) -> None:
    for name in ("read_csv", "open_csv"):
        _wrap(module, name, _note_source, "input_file")
    _wrap(module, "write_csv", _note_target, "output_file", 1)


def _prepare_json(module: ModuleType) -> None:
    for name in ("read_json", "open_json"):
        _wrap(module, name, _note_source, "input_file")


def _prepare_dataset(module: ModuleType) -> None:
    _wrap(module, "_filesystem_dataset", _note_source, "source")
    _wrap(module, "parquet_dataset", _note_source, "metadata_path")


def _prepare_pyarrow(module: ModuleType) -> None:
    _wrap(module, "memory_map", _note_source, "path")
    _wrap(module, "input_stream", _note_source, "source")
    original = module.OSFile
    if getattr(original, _MARK, False):
        return

    class OSFile(original):  # type: ignore[misc, valid-type]  # a class in C: only a subclass can do more
        __doc__ = original.__doc__
        __module__ = original.__module__
        __qualname__ = original.__qualname__

        def __init__(self, path: Any, mode: str = "r", *_: Any, **__: Any) -> None:
            if is_observed():
                (_note_source if mode.startswith("r") else _note_target)(path)

    setattr(OSFile, _MARK, True)
    module.OSFile = sys.modules[original.__module__].OSFile = OSFile  # type: ignore[attr-defined]


def _prepare_polars(module: ModuleType) -> None:
    """Every reader of polars passes each path through one function, which its modules import by name."""
    for name, each in list(sys.modules.items()):
        if name.startswith(_POLARS_READERS):
            _prepare_polars_reader(each)
    _wrap(module, "read_parquet_metadata", _note_source, "source")
    _wrap(module, "sql", _note_query, "query")
    _wrap(module.SQLContext, "execute", _note_query, "query", 1)


def _prepare_polars_reader(module: ModuleType) -> None:
    function = getattr(module, "normalize_filepath", None)
    if callable(function):
        module.normalize_filepath = _announcing(function, _note_source, "path", 0)  # type: ignore[attr-defined]  # the writers' own stays


def _prepare_importlib(module: ModuleType) -> None:
    function = module.import_module
    if getattr(function, _MARK, False):
        return

    @functools.wraps(function)
    def import_module(name: str, package: str | None = None) -> ModuleType:
        found: ModuleType = function(name, package)
        if is_observed():
            note_module(found.__name__)
        return found

    setattr(import_module, _MARK, True)
    module.import_module = import_module  # type: ignore[attr-defined]  # a function of that module


def _prepare_duckdb(module: ModuleType) -> None:
    for name in _QUERIES:
        _wrap(module.DuckDBPyConnection, name, _note_query, "query", 1)
        _wrap(module, name, _note_own_query, "query")
    for name in _FILES:
        _wrap(module.DuckDBPyConnection, name, _note_source, "path_or_buffer", 1)
        _wrap(module, name, _note_source, "path_or_buffer")
    _wrap(module, "connect", _note_database, "database")


def _prepare_native(module: ModuleType) -> None:
    """Wrap what the table has for this module; a class whose ``__init__`` cannot be replaced stays as it is."""
    for reader in READERS[module.__name__]:
        holder, _, name = reader.name.rpartition(".")
        with contextlib.suppress(AttributeError, TypeError):
            place = getattr(module, holder) if holder else module
            _wrap(place, name, _note_opened if reader.moded else _note_source, reader.keyword, reader.position)


_POLARS_READERS: Final = ("polars.io.", "polars._utils.serde")
_QUERIES: Final = ("sql", "query", "from_query", "execute", "executemany", "query_df", "table", "view")
_FILES: Final = ("read_csv", "from_csv_auto", "read_parquet", "from_parquet", "read_json")
_LIBRARIES: Final[dict[str, Callable[[ModuleType], None]]] = {
    "pyarrow": _prepare_pyarrow,
    "pyarrow.parquet.core": _prepare_parquet,
    "pyarrow.orc": _prepare_orc,
    "pyarrow.feather": _prepare_feather,
    "pyarrow.csv": _prepare_csv,
    "pyarrow.json": _prepare_json,
    "pyarrow.dataset": _prepare_dataset,
    "polars": _prepare_polars,
    "importlib": _prepare_importlib,
    "multiprocessing.spawn": subprocesses.prepare,
    "loky.backend.spawn": subprocesses.prepare,
    "joblib.externals.loky.backend.spawn": subprocesses.prepare,
    "random": randomness.prepare,
    "numpy.random": randomness.prepare,
    "torch": randomness.prepare,
    "duckdb": _prepare_duckdb,
    **dict.fromkeys(READERS, _prepare_native),
}
