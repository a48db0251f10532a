"""How the toolbar's next run is executed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from nbsteps.notebook.run_settings import RunSettings


class Unloaded:
    """A value that must not be looked at."""

    @property
    def __class__(self):
        raise AssertionError


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({}, ()),
        ({"workers": 4}, ("--workers", "4")),
        ({"executor": "threads"}, ("--executor", "threads")),
        ({"workers": 4, "executor": "processes"}, ("--workers", "4", "--executor", "processes")),
        ({"executor": "pool"}, ("--executor", "pool")),
        ({"workers": 0}, ()),
        ({"workers": 10**9}, ()),
        ({"workers": "4; import os"}, ()),
        ({"executor": "no such; import os"}, ()),
        ({"executor": "later"}, ()),
    ],
)
def test_a_page_chooses_among_what_there_is(message, words):
    with ThreadPoolExecutor(1) as pool:
        namespace = {"pool": pool, "_1": pool, "later": Unloaded()}
        assert RunSettings().changed(message, namespace).words() == words


def test_what_was_chosen_stays_until_something_else_is():
    manner = RunSettings().changed({"workers": 2, "executor": "threads"}, {})
    assert manner.changed({"workers": 3}, {}).words() == ("--workers", "3", "--executor", "threads")
    assert manner.changed({"executor": ""}, {}).words() == ("--workers", "2")


def test_a_page_is_told_what_there_is_to_choose_from():
    view = RunSettings(2, "threads").view({})
    assert (view["workers"], view["executor"]) == (2, "threads")
    assert view["executors"][:4] == ["", "main", "processes", "threads"]
    assert view["cores"] >= 1
