"""Where a worker looks for the modules beside the notebook."""

from __future__ import annotations

import pytest

from nbsteps.notebook.worker import _after_standard_library


@pytest.mark.parametrize(
    ("path", "position"),
    [
        (["/lib/python311.zip", "/lib/python3.11", "/venv/lib/python3.11/site-packages"], 2),
        (["/lib/python3", "/usr/lib/python3/dist-packages", "/more/site-packages"], 1),
        (["/lib/python3.11"], 0),
        ([], 0),
    ],
)
def test_the_folder_comes_after_the_standard_library_as_in_a_kernel(path, position):
    assert _after_standard_library(path) == position
