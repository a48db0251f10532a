"""Modules: the user's count by source, transitively, installed ones by version; each case in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbsteps.identity.codeobjects import Import
from nbsteps.identity.modules import imported_names

_PROGRAM = """
import json, sys, os, pathlib
sys.path.insert(0, os.getcwd())
from nbsteps.identity.code import closure, CodeContext
from nbsteps.identity.modules import remember_imports
names = {"__name__": "__main__"}
def report(env="minor"):
    found = closure(READS.split(), names, stop=(), context=CodeContext(env=env), body=BODY)
    parts = sorted((part.kind, part.name, part.digest) for part in found.parts)
    print(json.dumps({"parts": parts, "uncacheable": found.uncacheable, "warnings": found.warnings}))
def write(path, text, later=0):
    file = pathlib.Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    if later:
        os.utime(file, (file.stat().st_mtime + later,) * 2)
def run(cell):
    exec(compile(cell, "<cell>", "exec"), names)
"""

Report = dict[str, Any]


def kernel(folder: Path, script: str, *, reads: str = "", body: str = "", **variables: str) -> list[Report]:
    """Run ``script`` in a fresh interpreter in ``folder``; what each ``report()`` found."""
    program = f"READS = {reads!r}\nBODY = {body!r}\n{_PROGRAM}\n{script}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**{name: os.environ[name] for name in os.environ if name != "PYTHONDONTWRITEBYTECODE"}, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def parts(report: Report) -> dict[str, str]:
    assert not report["uncacheable"]
    return {f"{kind} {name}": digest for kind, name, digest in report["parts"]}


def changed(folder: Path, before: dict[str, str], after: dict[str, str], cell: str, reads: str, body: str) -> set[str]:
    """Parts that differ between two fresh kernels, one with the files ``before``, one with ``after``."""
    found = []
    for label, files in (("before", before), ("after", {**before, **after})):
        write(folder / label, files)
        (report,) = kernel(folder / label, f"run({cell!r})\nreport()", reads=reads, body=body)
        found.append(set(parts(report).items()))
    return {name for name, _ in found[0] ^ found[1]}


UTIL = {"util.py": "K = 1\ndef f(): return K\ndef g(): return 2\n"}
PACKAGE = {
    "pkg/__init__.py": "Z = 1\n",
    "pkg/a.py": "from . import b\nfrom .sub.c import thing\n",
    "pkg/b.py": "X = 1\n",
    "pkg/sub/__init__.py": "",
    "pkg/sub/c.py": "thing = 1\n",
    "pkg/other.py": "Y = 1\n",
}
SPACE = {"space/one.py": "import space.two\n", "space/two.py": "X = 1\n"}
CASES: dict[str, tuple[dict[str, str], dict[str, str], str, str, str, str]] = {
    # name: files, edits, context cell, reads, body, parts that change
    "comment": (
        UTIL,
        {"util.py": "# new\nK = 1\ndef f(): return K\ndef g(): return 2\n"},
        "import util",
        "util",
        "",
        "",
    ),
    "docstrings": (
        UTIL,
        {"util.py": "'doc'\nK = 1\ndef f():\n    'doc'\n    return K\ndef g(): return 2\n"},
        "import util",
        "util",
        "",
        "",
    ),
    "function": (
        UTIL,
        {"util.py": "K = 1\ndef f(): return K\ndef g(): return 3\n"},
        "import util",
        "util",
        "",
        "module util",
    ),
    "constant": (
        UTIL,
        {"util.py": "K = 2\ndef f(): return K\ndef g(): return 2\n"},
        "import util",
        "util",
        "",
        "module util",
    ),
    "constant behind a function that the body calls": (
        UTIL,
        {"util.py": "K = 2\ndef f(): return K\ndef g(): return 2\n"},
        "import util",
        "util",
        "util.f()",
        "module util, value util.K",
    ),
    "function by name": (
        UTIL,
        {"util.py": "K = 1\ndef f(): return -K\ndef g(): return 2\n"},
        "from util import f",
        "f",
        "",
        "helper f",
    ),
    "constant behind a function by name": (
        UTIL,
        {"util.py": "K = 2\ndef f(): return K\ndef g(): return 2\n"},
        "from util import f",
        "f",
        "",
        "value util.K",
    ),
    "unused function beside one by name": (
        UTIL,
        {"util.py": "K = 1\ndef f(): return K\ndef g(): return 3\n"},
        "from util import f",
        "f",
        "",
        "",
    ),
    "import in the body": (UTIL, {"util.py": "K = 2\ndef f(): return K\n"}, "", "", "import util", "module util"),
    "import from in the body": (
        UTIL,
        {"util.py": "K = 2\ndef f(): return K\n"},
        "",
        "",
        "from util import f",
        "module util",
    ),
    "import in a helper": (
        UTIL,
        {"util.py": "K = 2\ndef f(): return K\n"},
        "def h():\n    import util\n    return util.f()",
        "h",
        "",
        "module util",
    ),
    "import behind a module": (
        {**UTIL, "top.py": "import util\n"},
        {"util.py": "K = 2\n"},
        "import top",
        "top",
        "",
        "module util",
    ),
    "import in a function behind a module": (
        {**UTIL, "top.py": "def f():\n    import util\n"},
        {"util.py": "K = 2\n"},
        "import top",
        "top",
        "",
        "module util",
    ),
    "star import": (
        {**UTIL, "top.py": "from util import *\n"},
        {"util.py": "K = 2\n"},
        "import top",
        "top",
        "",
        "module util",
    ),
    "relative import": (PACKAGE, {"pkg/b.py": "X = 2\n"}, "import pkg.a", "pkg", "import pkg.a", "module pkg.b"),
    "relative import from a submodule": (
        PACKAGE,
        {"pkg/sub/c.py": "thing = 2\n"},
        "import pkg.a",
        "pkg",
        "import pkg.a",
        "module pkg.sub.c",
    ),
    "package above": (PACKAGE, {"pkg/__init__.py": "Z = 2\n"}, "from pkg import a", "a", "", "module pkg"),
    "package above, further up": (
        PACKAGE,
        {"pkg/sub/__init__.py": "Z = 2\n"},
        "from pkg import a",
        "a",
        "",
        "module pkg.sub",
    ),
    "module that nobody imports": (PACKAGE, {"pkg/other.py": "Y = 2\n"}, "from pkg import a", "a", "", ""),
    "namespace package": (
        SPACE,
        {"space/two.py": "X = 2\n"},
        "import space.one",
        "space",
        "import space.one",
        "module space.two",
    ),
    "module that appears": (
        {"top.py": "try:\n    import maybe\nexcept ImportError: pass\n"},
        {"maybe.py": "X = 1\n"},
        "import top",
        "top",
        "",
        "module maybe",
    ),
    "class by name": (
        {"util.py": "class C:\n    def m(self): return 1\n"},
        {"util.py": "class C:\n    def m(self): return 2\n"},
        "from util import C\nx = C()",
        "x",
        "",
        "helper util.C",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_edit_of_a_module(case: str, tmp_path: Path) -> None:
    files, edits, cell, reads, body, expected = CASES[case]
    found = changed(tmp_path, files, edits, cell, reads, body)
    assert found == {each for each in expected.split(", ") if each}


EDIT = 'write("util.py", "K = 2\\ndef f(): return K\\n")\n'


def check_edit(folder: Path, script: str, expect: str, **options: str) -> None:
    write(folder, {"util.py": "K = 1\ndef f(): return K\n"})
    report = kernel(folder, script, reads="util", **options)[-1]
    assert ("edited" if report["uncacheable"] else "fresh") == expect
    assert bool(report["warnings"]) == (expect == "edited")


@pytest.mark.parametrize(
    ("script", "expect"),
    [
        ('run("import util")\nreport()', "fresh"),
        ('run("import util")\nreport()\n' + EDIT + "report()", "edited"),
        ('run("import util")\nremember_imports()\n' + EDIT + "report()", "edited"),
        ('run("import util")\nwrite("util.py", "K = 1\\ndef f(): return -K\\n")\nreport()', "edited"),
        ('run("import util")\nwrite("util.py", "K = 22\\ndef f(): return K\\n", later=9)\nreport()', "edited"),
        ('run("import util")\nwrite("util.py", "K = 1\\ndef f(): return K  # same\\n", later=9)\nreport()', "fresh"),
        ('run("import util")\nreport()\nwrite("util.py", "K = 1  # same\\ndef f(): return K\\n")\nreport()', "fresh"),
        (
            'run("import util")\nreport()\n' + EDIT + 'report()\nos.utime("util.py", (1, 1))\n'
            "import importlib; importlib.reload(names['util'])\nreport()",
            "fresh",
        ),
        ('run("import util")\nreport()\nwrite("util.py", "def (")\nreport()', "edited"),
    ],
)
def test_a_module_edited_after_its_import_makes_the_step_uncacheable(script: str, expect: str, tmp_path: Path) -> None:
    check_edit(tmp_path, script, expect)


def test_an_edit_shows_behind_another_module(tmp_path: Path) -> None:
    write(tmp_path, {"top.py": "import util\n", "util.py": "K = 1\n"})
    script = 'run("import top")\nreport()\nwrite("util.py", "K = 2\\n")\nreport()'
    report = kernel(tmp_path, script, reads="top")[-1]
    assert report["uncacheable"] == ["util: edited after it was imported"]
    assert report["warnings"] == [
        "module util was edited after it was imported: restart the kernel or reload it",
    ]


def test_an_edit_without_bytecode_on_disk(tmp_path: Path) -> None:
    script = 'run("import util")\nwrite("util.py", "K = 1\\ndef f(): return -K\\n")\nreport()'
    check_edit(tmp_path, script, "edited", PYTHONDONTWRITEBYTECODE="1")


def test_a_function_kept_from_before_a_reload_counts_by_its_own_code(tmp_path: Path) -> None:
    write(tmp_path, {"util.py": "def f(): return 1\n"})
    script = (
        'run("from util import f")\nreport()\nwrite("util.py", "def f(): return 2\\n", later=9)\nreport()\n'
        "import importlib, util; importlib.reload(util)\nreport()\nrun('from util import f')\nreport()"
    )
    first, edited, kept, fresh = (parts(report) for report in kernel(tmp_path, script, reads="f"))
    assert first == edited == kept
    assert fresh != first


def test_a_patched_attribute_counts_where_the_body_reads_it(tmp_path: Path) -> None:
    write(tmp_path, {"util.py": "K = 1\ndef f(): return K\n"})
    script = 'run("import util")\nreport()\nrun("util.K = 2")\nreport()\nrun("util.f = lambda: 3")\nreport()'
    found = [parts(report) for report in kernel(tmp_path, script, reads="util", body="x = util.f()")]
    assert found[0]["value util.K"] != found[1]["value util.K"]
    assert found[1]["helper util.f"] != found[2]["helper util.f"]


def test_a_module_taken_out_of_the_loaded_ones_has_no_identity(tmp_path: Path) -> None:
    write(tmp_path, UTIL)
    script = 'run("import util")\nreport()\ndel sys.modules["util"]\nimport util\nreport()'
    first, second = kernel(tmp_path, script, reads="util")
    assert not first["uncacheable"]
    assert second["uncacheable"] == ["util: not the module that an import of that name gives"]


def test_a_made_up_module_has_no_identity(tmp_path: Path) -> None:
    (report,) = kernel(tmp_path, 'import types; names["m"] = types.ModuleType("m")\nreport()', reads="m")
    assert report["uncacheable"] == ["m: not the module that an import of that name gives"]


def test_the_standard_library_counts_by_the_python_version_alone(tmp_path: Path) -> None:
    (report,) = kernel(tmp_path, 'run("import json, os.path")\nreport()', reads="json os", body="import csv")
    assert report["parts"] == []


def test_a_file_of_the_user_may_shadow_the_standard_library(tmp_path: Path) -> None:
    found = changed(tmp_path, {"this.py": "X = 1\n"}, {"this.py": "X = 2\n"}, "import this", "this", "")
    assert found == {"module this"}


@pytest.mark.parametrize(
    ("statement", "package", "expect"),
    [
        (Import(0, "a.b"), "", "a a.b"),
        (Import(0, "a", ("b", "c")), "", "a a.b a.c"),
        (Import(0, "a", ("*",)), "", "a"),
        (Import(1, "", ("b",)), "p.q", "p p.q p.q.b"),
        (Import(2, "x", ("b",)), "p.q", "p p.x p.x.b"),
        (Import(1, "", ("b",)), "", ""),
    ],
)
def test_names_of_imports(statement: Import, package: str, expect: str) -> None:
    assert sorted(set(imported_names([statement], package))) == expect.split()
