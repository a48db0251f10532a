"""Finding the notebook that a kernel belongs to, and reading it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nbsteps.core.errors import DocumentError
from nbsteps.core.model import Cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["NOTEBOOK_VARIABLE", "Document", "find_notebook", "notebook_in_command", "read_notebook"]

NOTEBOOK_VARIABLE = "NBSTEPS_NOTEBOOK"
"""Environment variable by which nbsteps tells the kernels that it starts which notebook they execute."""

SESSION_VARIABLE = "JPY_SESSION_NAME"
"""Where Jupyter says which notebook a kernel was started for."""
_VSCODE_NAME = "__vsc_ipynb_file__"
_SUFFIX = ".ipynb"
# Words of a command line that say: the notebooks named here are executed.
_RUNNERS = frozenset({"papermill", "nbconvert", "jupyter-nbconvert", "jupyter-execute", "jupyter-run"})
_JUPYTER_VERBS = frozenset({"execute", "run", "nbconvert"})
_FORMAT = 4
_SHOWN = 3
# Where the program stands in a command line: behind an interpreter and its -m at most.
_PROGRAM_WORDS = 3
_PYTHON = frozenset({"python", "python3", "ipython", "ipython3"})


@dataclass(frozen=True, slots=True)
class Document:
    """A notebook as read from its file.

    Attributes:
        path: absolute.
        cells: the code cells in order; ``cell 4`` is the fourth of all cells.
        metadata: the notebook's own, as saved.
        kernel_name: name of the kernel that it asks for, ``""`` where it asks for none.
        language: of its code, ``python`` where it does not say.
    """

    path: Path
    cells: tuple[Cell, ...]
    metadata: Mapping[str, Any]
    kernel_name: str
    language: str


_Stamp = tuple[int, int, int]
_documents: dict[Path, tuple[_Stamp, Document]] = {}


def find_notebook(shell: InteractiveShell | None, override: str | os.PathLike[str] | None = None) -> Path | None:
    """Path of the notebook that the shell executes; None where nobody says.

    Asked in this order, and the first that names a file is taken: the user, the command line of the papermill or such
    that started the kernel, nbsteps itself (headless), the Jupyter session, VS Code. The command line comes before the
    environment, because a papermill that a notebook starts inherits the environment of that notebook's kernel.

    Args:
        shell: the kernel's shell.
        override: what the user said; taken as it is, so that reading it can say what is wrong.
    """
    if override is not None:
        return Path(override).expanduser().absolute()
    return _first_notebook(_candidates(shell))


def session_notebook(name: str) -> Path | None:
    """Path of the notebook that a Jupyter session of this name executes; None where there is no such file."""
    return _first_notebook(_session_paths(name))


def _first_notebook(candidates: Iterable[Path]) -> Path | None:
    found = (each for each in candidates if each.suffix == _SUFFIX and each.is_file())
    return next((each.absolute() for each in found), None)


def read_notebook(path: str | os.PathLike[str]) -> Document:
    """Read a notebook; one that has not changed since is not read again.

    Raises:
        DocumentError: it cannot be read, is no notebook of format 4, has no code cells, or is not in Python.
    """
    file = Path(path).expanduser().absolute()
    try:
        status = file.stat()
    except OSError as error:
        raise _unreadable(file, error) from error
    stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
    known = _documents.get(file)
    if known is not None and known[0] == stamp:
        return known[1]
    document = _document(file, _content(file))
    _documents[file] = (stamp, document)
    return document


def notebook_in_command(command: list[str]) -> str | None:
    """The notebook that a command line executes; None where it executes none or one of several.

    Papermill's second notebook is its output.
    """
    words = [Path(word).name.removesuffix(".exe") for word in command]
    runner = next((at for at, word in enumerate(words) if word in _RUNNERS), None)
    if runner is None:
        runner = next((at for at, word in enumerate(words[:-1]) if _is_jupyter_verb(word, words[at + 1])), None)
    if runner is None:
        return None
    named = [
        word for before, word in zip(command[runner:], command[runner + 1 :], strict=False) if _is_input(before, word)
    ]
    if words[runner] == "papermill":
        return named[0] if named else None
    return named[0] if len(named) == 1 else None


def _is_jupyter_verb(word: str, following: str) -> bool:
    return word in {"jupyter", "jupyter.py"} and following in _JUPYTER_VERBS


def _is_input(before: str, word: str) -> bool:
    return word.endswith(_SUFFIX) and not word.startswith("-") and before not in {"-o", "--output"}


def _candidates(shell: InteractiveShell | None) -> Iterator[Path]:
    yield from _parent_process_paths()
    told = os.environ.get(NOTEBOOK_VARIABLE)
    if told:
        yield Path(told)
    session = os.environ.get(SESSION_VARIABLE)
    if session:
        yield from _session_paths(session)
    vscode = shell.user_ns.get(_VSCODE_NAME) if shell is not None else None
    if isinstance(vscode, str) and vscode:
        yield Path(vscode)


def _session_paths(session: str) -> Iterator[Path]:
    """Where the name of a Jupyter session may point.

    It is an absolute path, or one relative to the server's root, which is the kernel's folder or one above it. With
    real-time collaboration the path holds a drive's name (``RTC:``).
    """
    folder = Path.cwd()
    for name in (session, _without_drive(session)):
        path = Path(name)
        yield path if path.is_absolute() else folder / path
        if not path.is_absolute():
            yield from (parent / path for parent in folder.parents)
    yield folder / Path(_without_drive(session)).name


def _without_drive(session: str) -> str:
    """``RTC:a/b.ipynb`` and ``/srv/RTC:b.ipynb`` without ``RTC:``; a Windows drive is one letter and stays."""
    parts = session.split("/")
    for at, part in enumerate(parts):
        drive, colon, rest = part.partition(":")
        if colon and len(drive) > 1:
            parts[at] = rest
    return "/".join(parts)


def started_by_papermill() -> bool:
    """Whether the process that started this kernel is papermill's command line."""
    command, _folder = _parent_process()
    return any(Path(word).name.removesuffix(".exe") == "papermill" for word in command[:_PROGRAM_WORDS])


def _parent_process() -> tuple[list[str], str]:
    """Command line and folder of the process that started this one; empty where nobody can tell."""
    try:
        import psutil  # type: ignore[import-untyped]  # noqa: PLC0415 - comes with ipykernel, but not on all platforms
    except ImportError:
        return [], ""
    try:
        parent = psutil.Process().parent()
        return ([], "") if parent is None else (parent.cmdline(), parent.cwd())
    except (psutil.Error, OSError):
        return [], ""


def _parent_process_paths() -> Iterator[Path]:
    command, folder = _parent_process()
    named = notebook_in_command(command)
    if named is not None:
        yield Path(folder) / named


def _content(file: Path) -> dict[str, Any]:
    """The file as JSON, known to be a notebook of format 4."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _unreadable(file, error) from error
    except UnicodeDecodeError as error:
        msg = f"{file.name} is not in UTF-8: byte {error.start} is {error.object[error.start]:#04x}"
        raise DocumentError(msg, hint=f"open {file.name} in an editor and save it as UTF-8") from error
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise _not_json(file, text, error) from error
    if not isinstance(content, dict) or "nbformat" not in content:
        msg = f"{file.name} is JSON but no notebook: it has no nbformat"
        raise DocumentError(msg, hint="give the path of a file that Jupyter saved as a notebook")
    version = content["nbformat"]
    if isinstance(version, bool) or version != _FORMAT:
        raise _wrong_format(file, version)
    return content


def _document(file: Path, content: dict[str, Any]) -> Document:
    metadata = content.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    kernel, language_info = _table(metadata, "kernelspec"), _table(metadata, "language_info")
    language = str(kernel.get("language") or language_info.get("name") or "python")
    if language.lower() not in _PYTHON:
        msg = f"{file.name} is a notebook in {language}, and steps are written in Python"
        raise DocumentError(msg, hint="choose a Python kernel for the notebook and save it")
    cells = _cells(file, content)
    if not cells:
        msg = f"{file.name} has no code cells"
        raise DocumentError(msg, hint="save the notebook with at least one code cell")
    return Document(file, cells, MappingProxyType(metadata), str(kernel.get("name") or ""), language)


def _cells(file: Path, content: Mapping[str, Any]) -> tuple[Cell, ...]:
    """The code cells. Without nbformat: beside JupyterLab its import takes a second, for checks not needed here."""
    found = content.get("cells")
    if not isinstance(found, list):
        msg = f"{file.name} is damaged: it has no list of cells"
        raise DocumentError(msg, hint=_restore(file))
    for at, cell in enumerate(found, 1):
        if not (isinstance(cell, dict) and isinstance(cell.get("cell_type"), str) and _is_text(cell.get("source"))):
            msg = f"cell {at} of {file.name} is damaged: it has no type or no text"
            raise DocumentError(msg, cell=f"cell {at}", hint=_restore(file))
    return tuple(
        Cell(f"cell {at}", "".join(cell["source"]), str(cell.get("id", "")), _tags(cell))
        for at, cell in enumerate(found, 1)
        if cell["cell_type"] == "code"
    )


def _restore(file: Path) -> str:
    return f"restore {file.name} from a backup or checkpoint"


def _is_text(source: object) -> bool:
    return isinstance(source, str) or (isinstance(source, list) and all(isinstance(line, str) for line in source))


def _tags(cell: Mapping[str, Any]) -> tuple[str, ...]:
    tags = _table(cell, "metadata").get("tags")
    return tuple(str(tag) for tag in tags) if isinstance(tags, list) else ()


def _table(owner: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = owner.get(name)
    return table if isinstance(table, Mapping) else {}


def _unreadable(file: Path, error: OSError) -> DocumentError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return DocumentError(f"no notebook {file.name} in {file.parent.name or file.parent}", hint=_nearest(file))
    if isinstance(error, IsADirectoryError) or file.is_dir():
        inside = sorted(_notebooks(file))[:_SHOWN]
        named = ", ".join(f"{file.name}/{name}" for name in inside)
        hint = f"name a notebook in it: {named}" if named else "there is no notebook in it: name one"
        return DocumentError(f"{file.name} is a folder, not a notebook", hint=hint)
    if error.errno in {errno.EACCES, errno.EPERM}:
        return DocumentError(f"{file.name} may not be read: {error.strerror}", hint=f"chmod u+r {file.name}")
    return DocumentError(f"{file.name} cannot be read: {error.strerror or error}", hint="check the path and the disk")


def _nearest(file: Path) -> str:
    import difflib  # noqa: PLC0415 - only for this message

    names = sorted(_notebooks(file.parent))
    stems = [name.removesuffix(_SUFFIX) for name in names]
    close = difflib.get_close_matches(file.name.removesuffix(_SUFFIX), stems, n=1)
    close = close or (stems if len(stems) == 1 else [])
    if close:
        return f"did you mean {close[0]}{_SUFFIX}?"
    some = f": {', '.join(names[:_SHOWN])}" if names else ""
    return f"check the path, or save the notebook first{some and '; there is'}{some}"


def _notebooks(folder: Path) -> list[str]:
    try:
        return [other.name for other in folder.iterdir() if other.suffix == _SUFFIX]
    except OSError:
        return []


def _not_json(file: Path, text: str, error: Exception) -> DocumentError:
    if not text.strip():
        return DocumentError(f"{file.name} is empty", hint="open it in Jupyter, add a cell and save it")
    place = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
    what = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
    if "<<<<<<<" in text:
        msg = f"{file.name} holds the marks of a merge conflict"
        return DocumentError(msg, hint=f"git checkout --ours {file.name}, or resolve it with nbdime")
    msg = f"{file.name} is not JSON, so no notebook: {what}{place}"
    return DocumentError(msg, hint="give the path of a file that Jupyter saved as a notebook")


def _wrong_format(file: Path, version: object) -> DocumentError:
    if isinstance(version, bool) or not isinstance(version, int):
        msg = f"{file.name} says that its notebook format is {version!r}, which is no number"
        return DocumentError(msg, hint="give the path of a file that Jupyter saved as a notebook")
    if version > _FORMAT:
        msg = f"{file.name} has notebook format {version}, which is newer than this nbsteps knows ({_FORMAT})"
        return DocumentError(msg, hint="pip install --upgrade nbsteps nbformat")
    msg = f"{file.name} has the old notebook format {version}, and steps need format {_FORMAT}"
    return DocumentError(msg, hint=f"jupyter nbconvert --to notebook --inplace {file.name}")
