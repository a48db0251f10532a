"""A notebook in a project of its own, for one test or for a module."""

from __future__ import annotations

import pytest

from tests.e2e.building import Nb


@pytest.fixture
def nb(tmp_path):
    """An empty project with one notebook, not yet written."""
    made = Nb(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def module_nb(tmp_path_factory):
    """The same for a whole module, where tests build on one another's state or share a kernel."""
    made = Nb(tmp_path_factory.mktemp("project"))
    yield made
    made.close()
