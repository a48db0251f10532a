"""Every cell of a frame counts, and a cell that cannot be digested is named."""

import numpy as np
import pandas as pd
import pytest

from nbsteps.core.errors import UndigestibleError
from nbsteps.identity.content import digest


def test_every_cell_counts():
    base = pd.DataFrame(
        {
            "i": range(50),
            "f": np.linspace(0, 1, 50),
            "s": [str(n) for n in range(50)],
            "b": [True] * 50,
            "o": pd.Series([n if n % 2 else str(n) for n in range(50)], dtype=object),
            "t": pd.date_range("2020", periods=50),
        }
    )
    seen = {digest(base)}
    for row in (0, 25, 49):
        for name, other in {"i": -1, "f": -1.0, "s": "?", "b": False, "o": None, "t": pd.NaT}.items():
            changed = base.copy()
            changed.loc[row, name] = other
            seen.add(digest(changed))
    assert len(seen) == 1 + 3 * 6


def test_a_refusal_names_column_and_row():
    with pytest.raises(UndigestibleError, match=r"generator at \['df'\]\['c'\]\[1\] has no"):
        digest({"df": pd.DataFrame({"c": pd.Series([1, (n for n in "1")], dtype=object)})})


def test_refusals_in_attrs():
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["a"] = (n for n in "1")
    with pytest.raises(UndigestibleError, match=r"generator at \.attrs\['a'\] has no"):
        digest(frame)


def test_wide_frames():
    wide = pd.DataFrame(np.zeros((2, 3000)))
    changed = wide.copy()
    changed.iloc[1, 2999] = 1
    assert digest(wide) != digest(changed)
