"""Promises about the repository as a whole: sizes, paths, pages, and how little an import loads."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tools import links, tree

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("x = 1\n", [], id="a short module is fine"),
        pytest.param("x = 1\n" * 399, [], id="399 lines are fine"),
        pytest.param("x = 1\n" * 400, [400], id="400 lines are too many"),
        pytest.param("def f():\n" + "    x = 1\n" * 39, [], id="a function of 40 lines is fine"),
        pytest.param("def f():\n" + "    x = 1\n" * 40, [1], id="a function of 41 lines is too long"),
        pytest.param("class A:\n  async def f(self):\n" + "    x = 1\n" * 40, [2], id="so is an async method"),
    ],
)
def test_sizes(source: str, expected: list[int]):
    assert [line for line, _ in tree.oversized(source)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("see data/home/x.csv", False, id="a relative path"),
        pytest.param("https://example.org/home/page", False, id="a web address"),
        pytest.param("~/work/x", False, id="below the home folder, whoever's it is"),
        pytest.param("open('/" + "home/ann/x.csv')", True, id="a home folder"),
        pytest.param("cd /" + "root/x", True, id="the home folder of root"),
        pytest.param("/" + "work/main", True, id="a workplace"),
        pytest.param("/" + "Users/ann", True, id="a home folder on a Mac"),
        pytest.param("C:\\" + "Users\\ann", True, id="a home folder on Windows"),
    ],
)
def test_machine_paths(text: str, expected: bool):
    assert bool(list(tree.machine_paths(text))) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("# A b\n[x](#a-b)", [], id="an anchor on the page"),
        pytest.param("[x](#a-b)", ["page.md has no heading #a-b"], id="an anchor that is not there"),
        pytest.param("[x](other.md#the-key)", [], id="an anchor on another page"),
        pytest.param("[x](other.md#gone)", ["other.md has no heading #gone"], id="one that is not there"),
        pytest.param("[x](gone.md)", ["gone.md leads nowhere"], id="a page that is not there"),
        pytest.param("`[x](gone.md)`", [], id="code is no link"),
        pytest.param("[x](https://example.org/gone)", [], id="the web is not asked"),
        pytest.param("# `a.b`: (c)\n# x\n# x\n[1](#ab-c) [2](#x-1)", [], id="punctuation and repeated headings"),
    ],
)
def test_links(tmp_path: Path, text: str, expected: list[str]):
    (tmp_path / "other.md").write_text("# The key\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    assert [finding.split(": ", 1)[1] for finding in links.broken(page)] == expected


@pytest.mark.parametrize("check", [tree.findings, links.broken], ids=["sizes and paths", "links"])
def test_whole_repository_keeps(check, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    files = [file for file in tree.tracked() if check is tree.findings or file.suffix == ".md"]
    assert [finding for file in files for finding in check(file)] == []


@pytest.mark.parametrize("module", ["nbsteps", "nbsteps.config", "nbsteps.ports"])
@pytest.mark.parametrize(
    "heavy", ["IPython", "anywidget", "cloudpickle", "duckdb", "numpy", "pandas", "papermill", "polars", "pyarrow"]
)
def test_import_leaves_out(module: str, heavy: str, loaded):
    assert heavy not in loaded(module)


@pytest.mark.parametrize("heavy", ["anywidget", "duckdb", "jsonschema", "nbformat", "numpy", "pandas", "papermill"])
def test_a_first_step_waits_for_no_more_than_it_needs(heavy: str, loaded):
    assert heavy not in loaded("nbsteps.notebook.connection, nbsteps.notebook.labrun, nbsteps.notebook.headless")


@pytest.fixture(scope="session")
def loaded():
    """What a fresh interpreter has loaded after an import; asked once for each module."""
    known: dict[str, set[str]] = {}

    def load(module: str) -> set[str]:
        if module not in known:
            code = f"import sys, {module}; print(*sys.modules)"
            done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
            known[module] = set(done.stdout.split())
        return known[module]

    return load


def test_every_imported_distribution_is_declared():
    declared = {_name(text) for text in _requirements()} | {"nbsteps"}
    distributions = packages_distributions()
    undeclared = {
        f"{file.relative_to(ROOT)} imports {top}"
        for file in SOURCES
        for top in _imported(file)
        if top not in sys.stdlib_module_names and not {_name(d) for d in distributions.get(top, [top])} & declared
    }
    assert undeclared == set()


@pytest.mark.parametrize("requirement", sorted(PROJECT["dependencies"]))
def test_dependency_has_its_reason(requirement: str):
    page = (ROOT / "docs" / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    assert f"| `{_name(requirement)}` |" in page


@pytest.mark.parametrize("extra", sorted(PROJECT["optional-dependencies"]))
def test_extra_has_its_reasons(extra: str):
    page = (ROOT / "docs" / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    names = {_name(text) for text in PROJECT["optional-dependencies"][extra]} - {"nbsteps"}
    assert {name for name in names if not re.search(rf"\| `{extra}` \| `{re.escape(name)}` \| \S", page)} == set()


def test_changelog_has_a_place_for_what_is_not_released():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## \[Unreleased\]$", text, re.MULTILINE)


def _requirements() -> list[str]:
    return PROJECT["dependencies"] + [text for extra in PROJECT["optional-dependencies"].values() for text in extra]


def _name(requirement: str) -> str:
    """A distribution's name without version and extras, spelt the one way."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def _imported(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    absolute = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in plain | absolute}
