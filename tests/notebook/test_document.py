"""The notebook is found where its front end says, and read with clear words about what is wrong."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.core.errors import DocumentError
from nbsteps.core.model import Cell
from nbsteps.notebook import document
from nbsteps.notebook.document import find_notebook, notebook_in_command, read_notebook

PYTHON = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}


def content(*cells, metadata=PYTHON, **fields):
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells), **fields}


def code(source, **fields):
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None, **fields}


def markdown(source):
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def write(folder, data, name="nb.ipynb"):
    path = folder / name
    if isinstance(data, bytes):
        path.write_bytes(data)
    else:
        path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


def test_code_cells_keep_their_position_among_all(tmp_path):
    read = read_notebook(
        write(
            tmp_path,
            content(
                markdown("# title"),
                code("x = 1", id="a", metadata={"tags": ["parameters"]}),
                {"cell_type": "raw", "source": "raw", "metadata": {}},
                code(["%%step clean\n", "y = x"], id="b"),
            ),
        )
    )
    assert read.cells == (
        Cell("cell 2", "x = 1", id="a", tags=("parameters",)),
        Cell("cell 4", "%%step clean\ny = x", id="b"),
    )
    assert (read.kernel_name, read.language, read.path) == ("python3", "python", tmp_path / "nb.ipynb")
    assert read.metadata["kernelspec"]["display_name"] == "Python 3"


@pytest.mark.parametrize(
    "data",
    [
        content(code("x"), nbformat_minor=0),
        content(code("x", id="same"), code("y", id="same")),
        content(code("x", metadata={"tags": None}), nbformat_minor=4),
        content(code("x"), metadata={}),
        content(code("x"), metadata={"language_info": {"name": "ipython"}}),
        content(code("x", outputs=[{"output_type": "from the future"}]), nbformat_minor=99),
        b"\xef\xbb\xbf" + json.dumps(content(code("x"))).encode(),
        {key: value for key, value in content(code("x")).items() if key != "metadata"},
        {key: value for key, value in content(code("x")).items() if key != "nbformat_minor"},
        content({"cell_type": "code", "source": "x"}),
    ],
)
def test_notebooks_that_are_a_little_off_are_read(tmp_path, data):
    assert read_notebook(write(tmp_path, data)).cells[0].source == "x"


def test_what_nbformat_writes_is_read(tmp_path):
    path = tmp_path / "nb.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 'ä'")]), path)
    assert read_notebook(path).cells[0].source == "x = 'ä'"


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        ("", "nb.ipynb is empty", "add a cell"),
        ("  \n", "nb.ipynb is empty", "add a cell"),
        ("x = 1\n", "nb.ipynb is not JSON", "saved as a notebook"),
        ('{"nbformat": 4,\n"cells": [', "line 2", "saved as a notebook"),
        ("[" * 100_000, "nb.ipynb is not JSON", "saved as a notebook"),
        ("<<<<<<< HEAD\n{}", "merge conflict", "nbdime"),
        ("[]", "no notebook", "saved as a notebook"),
        ('{"a": 1}', "no nbformat", "saved as a notebook"),
        (
            {"nbformat": 3, "worksheets": []},
            "old notebook format 3",
            "jupyter nbconvert --to notebook --inplace nb.ipynb",
        ),
        ({"nbformat": 5, "cells": []}, "notebook format 5, which is newer", "pip install --upgrade"),
        ({"nbformat": "four"}, "is 'four'", "saved as a notebook"),
        ({"nbformat": True, "cells": []}, "is True", "saved as a notebook"),
        (content(), "no code cells", "at least one code cell"),
        (content(markdown("# only prose")), "no code cells", "at least one code cell"),
        (content(cells=None), "no list of cells", "checkpoint"),
        (content("not a cell"), "cell 1 of nb.ipynb is damaged", "checkpoint"),
        (content(code("x"), {"cell_type": "code"}), "cell 2 of nb.ipynb is damaged", "checkpoint"),
        (content(code([1])), "cell 1 of nb.ipynb is damaged", "checkpoint"),
        (content({"source": "x"}), "cell 1 of nb.ipynb is damaged", "checkpoint"),
        (content(code("x"), metadata={"kernelspec": {"name": "ir", "language": "R"}}), "in R", "Python kernel"),
        (content(code("x"), metadata={"language_info": {"name": "julia"}}), "in julia", "Python kernel"),
        ("x".encode("utf-16"), "nb.ipynb is not in UTF-8", "save it as UTF-8"),
        ('{"a": "ä"}'.encode("latin-1"), "0xe4", "save it as UTF-8"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, data, message, hint):
    with pytest.raises(DocumentError) as caught:
        read_notebook(write(tmp_path, data))
    assert message in str(caught.value)
    assert hint in caught.value.problem.hint
    assert "nb.ipynb" in str(caught.value)


def test_a_missing_notebook_names_a_near_one(tmp_path):
    write(tmp_path, content(code("x")), "flights.ipynb")
    with pytest.raises(DocumentError, match=r"no notebook flihgts.ipynb in .*\n.*did you mean flights.ipynb\?"):
        read_notebook(tmp_path / "flihgts.ipynb")


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("flights", "did you mean flights.ipynb?"),
        ("fligths.ipynb", "did you mean flights.ipynb?"),
        ("zzz.ipynb", "check the path, or save the notebook first; there is: flights.ipynb, sales.ipynb"),
        ("more", "name a notebook in it: more/one.ipynb"),
        ("none", "there is no notebook in it: name one"),
    ],
)
def test_what_there_is_instead_is_named(tmp_path, asked, hint):
    for folder in ("more", "none"):
        (tmp_path / folder).mkdir()
    for name in ("flights.ipynb", "sales.ipynb", "more/one.ipynb"):
        write(tmp_path, content(code("x")), name)
    with pytest.raises(DocumentError) as caught:
        read_notebook(tmp_path / asked)
    assert caught.value.problem.hint == hint


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere/nb.ipynb", r"nb\.ipynb in nowhere"),
        ("nb.ipynb", "save the notebook first"),
        (".", "is a folder"),
    ],
)
def test_no_notebook_at_all(tmp_path, name, message):
    with pytest.raises(DocumentError, match=message):
        read_notebook(tmp_path / name)


def test_a_file_below_a_file(tmp_path):
    write(tmp_path, content(code("x")))
    with pytest.raises(DocumentError, match=r"no notebook x\.ipynb in nb\.ipynb"):
        read_notebook(tmp_path / "nb.ipynb" / "x.ipynb")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied"), "may not be read"),
        (OSError(5, "Input/output"), "cannot be read"),
    ],
)
def test_an_unreadable_file(tmp_path, monkeypatch, error, message):
    path = write(tmp_path, content(code("x")))

    def fail(self):
        raise error

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(DocumentError, match=message):
        read_notebook(path)


def test_an_unchanged_notebook_is_not_read_again(tmp_path, monkeypatch):
    path = write(tmp_path, content(code("x")))
    first = read_notebook(path)
    monkeypatch.setattr(document, "_content", None)
    assert read_notebook(path) is first


def test_a_changed_notebook_is_read_again(tmp_path):
    path = write(tmp_path, content(code("x")))
    read_notebook(path)
    status = path.stat()
    write(tmp_path, content(code("y")))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert read_notebook(path).cells[0].source == "y"


def test_a_replaced_notebook_is_read_again(tmp_path):
    path = write(tmp_path, content(code("x")))
    read_notebook(path)
    status = path.stat()
    other = write(tmp_path, content(code("y")), "other.ipynb")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)
    assert read_notebook(path).cells[0].source == "y"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = write(tmp_path_factory.mktemp("any"), data)
    with pytest.raises(DocumentError):
        read_notebook(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ODD_CELL = st.fixed_dictionaries({}, optional={"cell_type": JSON | st.just("code"), "source": JSON, "metadata": JSON})


@given(cells=st.lists(ODD_CELL | JSON, max_size=3) | JSON, metadata=JSON | st.just(PYTHON), minor=JSON | st.just(5))
def test_any_notebook_is_read_or_refused(tmp_path_factory, cells, metadata, minor):
    data = {"nbformat": 4, "nbformat_minor": minor, "cells": cells, "metadata": metadata}
    try:
        read = read_notebook(write(tmp_path_factory.mktemp("any"), data))
    except DocumentError:
        return
    assert all(isinstance(cell.source, str) for cell in read.cells)


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A folder as the kernel's, and a parent process that says nothing."""
    for name in ("JPY_SESSION_NAME", "NBSTEPS_NOTEBOOK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(parent=lambda: None))
    folder = tmp_path / "project" / "work"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def started_by(monkeypatch, folder, *command):
    parent = SimpleNamespace(cmdline=lambda: list(command), cwd=lambda: str(folder))
    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(parent=lambda: parent))


def make_shell(**names):
    return SimpleNamespace(user_ns=names)


def test_nobody_says(nowhere):
    write(nowhere, content(code("x")))
    assert find_notebook(make_shell()) is None
    assert find_notebook(None) is None


@pytest.mark.parametrize(
    "session",
    [
        "{folder}/nb.ipynb",
        "nb.ipynb",
        "work/nb.ipynb",
        "project/work/nb.ipynb",
        "RTC:nb.ipynb",
        "RTC:work/nb.ipynb",
        "{folder}/RTC:nb.ipynb",
        "{folder}/away/nb.ipynb",
    ],
)
def test_the_jupyter_session_says(nowhere, monkeypatch, session):
    path = write(nowhere, content(code("x")))
    monkeypatch.setenv("JPY_SESSION_NAME", session.format(folder=nowhere))
    assert find_notebook(make_shell()) == path


@pytest.mark.parametrize("session", ["console-1-3f2a", "gone.ipynb", "", "RTC:", "work"])
def test_a_session_that_names_no_notebook(nowhere, monkeypatch, session):
    monkeypatch.setenv("JPY_SESSION_NAME", session)
    assert find_notebook(make_shell()) is None


def test_vscode_says(nowhere):
    path = write(nowhere, content(code("x")))
    assert find_notebook(make_shell(__vsc_ipynb_file__=str(path))) == path
    assert find_notebook(make_shell(__vsc_ipynb_file__=3)) is None


def test_papermill_says_more_than_the_environment_it_was_started_in(nowhere, monkeypatch):
    path = write(nowhere, content(code("x")))
    outer = write(nowhere, content(code("x")), "outer.ipynb")
    monkeypatch.setenv("JPY_SESSION_NAME", str(outer))
    started_by(monkeypatch, nowhere, "/usr/bin/python", "/usr/bin/papermill", "nb.ipynb", "out.ipynb")
    assert find_notebook(make_shell()) == path


def test_nbsteps_itself_says(nowhere, monkeypatch):
    path = write(nowhere, content(code("x")))
    monkeypatch.setenv("NBSTEPS_NOTEBOOK", str(path))
    assert find_notebook(make_shell()) == path


def test_what_the_user_says_is_taken_as_it_is(nowhere):
    assert find_notebook(make_shell(), "gone.ipynb") == nowhere / "gone.ipynb"


def test_a_parent_that_may_not_be_asked(nowhere, monkeypatch):
    def refuse():
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(parent=refuse))
    assert find_notebook(make_shell()) is None


def test_without_psutil(nowhere, monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert find_notebook(make_shell()) is None


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python /bin/papermill in.ipynb out.ipynb -p a 1", "in.ipynb"),
        ("/bin/papermill --cwd x in.ipynb out.ipynb", "in.ipynb"),
        ("python -m papermill in.ipynb out.ipynb", "in.ipynb"),
        ("papermill.exe in.ipynb out.ipynb", "in.ipynb"),
        ("python /bin/jupyter-nbconvert --to html --execute nb.ipynb", "nb.ipynb"),
        ("python /bin/jupyter-nbconvert --execute nb.ipynb --output out.ipynb", "nb.ipynb"),
        ("python /bin/jupyter-nbconvert --execute --output=out.ipynb nb.ipynb", "nb.ipynb"),
        ("python /bin/jupyter-nbconvert --execute a.ipynb b.ipynb", None),
        ("jupyter nbconvert --execute nb.ipynb", "nb.ipynb"),
        ("python -m jupyter execute nb.ipynb", "nb.ipynb"),
        ("jupyter-execute nb.ipynb", "nb.ipynb"),
        ("papermill", None),
        ("papermill s3://bucket/in.txt out.ipynb", "out.ipynb"),
        ("python /bin/jupyter-lab nb.ipynb", None),
        ("jupyter lab nb.ipynb", None),
        ("vim nb.ipynb", None),
        ("", None),
    ],
)
def test_command_lines(command, expected):
    assert notebook_in_command(command.split()) == expected
