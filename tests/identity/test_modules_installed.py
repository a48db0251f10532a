"""Installed distributions: found from their modules, counted by version as configured."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from nbsteps.identity import distributions, places
from nbsteps.identity.distributions import distribution, minor, package_part
from nbsteps.identity.modules import module_parts
from nbsteps.identity.places import Origin, file_origin


@pytest.mark.parametrize(
    ("version", "expect"),
    [("3.1.1", "3.1"), ("3.1", "3.1"), ("3", "3.0"), ("1!2.3.4", "1!2.3"), ("2024.1rc1", "2024.1"), ("dev", "dev")],
)
def test_minor(version: str, expect: str) -> None:
    assert minor(version) == expect


@pytest.mark.parametrize(
    ("env", "before", "after", "expect"),
    [
        ("minor", "3.1.0", "3.1.1", "same"),
        ("minor", "3.1.0", "3.2.0", "changed"),
        ("exact", "3.1.0", "3.1.1", "changed"),
        ("exact", "3.1.0", "3.1.0", "same"),
    ],
)
def test_versions_count_as_configured(
    env: Any, before: str, after: str, expect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = []
    for version in (before, after):
        monkeypatch.setitem(distributions._LOADED, "made_up", distributions.Distribution("made-up", version))
        part = package_part("made_up.sub", env)
        assert part is not None
        assert (part.name, part.detail) == ("made-up", version)
        digests.append(part.digest)
    assert ("same" if digests[0] == digests[1] else "changed") == expect


def test_versions_can_be_left_out() -> None:
    assert package_part("numpy", "off") is None


@pytest.mark.parametrize(
    ("module", "name"),
    [("numpy", "numpy"), ("dateutil", "python-dateutil"), ("xxhash", "xxhash"), ("yaml", "PyYAML")],
)
def test_distributions_are_found(module: str, name: str) -> None:
    pytest.importorskip(module)
    from importlib.metadata import version

    assert distribution(module) == (name, version(name))


def test_a_package_upgraded_after_its_import_counts_by_what_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    import xxhash

    monkeypatch.setattr(xxhash, "__version__", "0.1", raising=False)
    assert distributions._find("xxhash").version.startswith("0.1 (metadata: ")


def test_installed_modules_are_no_source() -> None:
    import numpy.linalg

    found = module_parts([numpy.linalg.__name__, "pathlib"], "minor")
    assert [part.name for part in found.parts] == ["numpy"]


@pytest.mark.parametrize(
    ("file", "origin"),
    [
        ("<cell-1>", Origin.LOCAL),
        ("<frozen os>", Origin.PYTHON),
        (os.__file__, Origin.PYTHON),
        (str(Path(os.__file__).parent / "site-packages" / "x.py"), Origin.INSTALLED),
        ("/somewhere/.venv/lib/python3.11/site-packages/x/y.py", Origin.INSTALLED),
        ("/somewhere/project/util.py", Origin.LOCAL),
        (places.__file__, Origin.PYTHON),
    ],
)
def test_origin_of_files(file: str, origin: Origin) -> None:
    assert file_origin(file) is origin
