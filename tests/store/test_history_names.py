"""Questions about what is not in the history, and what is near."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from nbsteps.core.errors import UsageError
from nbsteps.store.store import DuckStore
from tests.store.script import Script


@pytest.mark.parametrize(
    ("ask", "mend"),
    [
        (lambda store: store.sql("SELECT * FROM stesp"), "did you mean steps?"),
        (lambda store: store.sql("SELECT * FROM claen.out"), "did you mean clean.out?"),
        (lambda store: store.sql("SELECT * FROM zzzz"), "approvals, clean.out"),
        (lambda store: store.history.artifact("claen", "out"), "did you mean clean.out?"),
        (lambda store: store.history.artifact("q", "z"), "stored: clean.out"),
        (lambda store: store.history.runs(limit=-1), "limit=20"),
    ],
)
def test_a_name_that_is_not_there_comes_with_the_nearest(
    opened: Callable[..., DuckStore], ask: Callable[[DuckStore], object], mend: str
) -> None:
    store = opened()
    Script(store).succeed("clean", pd.DataFrame({"x": [1]}))
    with pytest.raises(UsageError) as caught:
        ask(store)
    assert caught.value.problem.hint.endswith(mend)
    assert "Did you mean" not in str(caught.value)
