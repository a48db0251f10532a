"""That the benchmarks run and their table can be read; how fast anything is, is no test's business."""

from dataclasses import replace

import pytest

from benchmarks.__main__ import GROUPS, main, measure
from benchmarks.measure import TINY, Bench
from benchmarks.table import HEAD, Row, quantity, render


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_a_group_measures_something_at_tiny_sizes(group, tmp_path):
    rows = measure(Bench(tmp_path, TINY), [group])
    assert rows
    assert all(len(row.cells()) == len(HEAD) for row in rows)
    assert all(row.theirs is None or row.theirs >= 0 for row in rows)


ROW = Row("a chain", 0.2, "ms", "joblib", 0.1)


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (ROW, None),
        (replace(ROW, most=0.2), True),
        (replace(ROW, most=0.1), False),
        (replace(ROW, most_ratio=2.0), True),
        (replace(ROW, most_ratio=1.9), False),
        (replace(ROW, least_ratio=2.0), True),
        (replace(ROW, least_ratio=2.1), False),
        (replace(ROW, most=0.2, most_ratio=1.0), False),
        (replace(ROW, most=0.2, fact=("nothing loaded", False)), False),
        (replace(ROW, fact=("nothing loaded", True)), True),
        (replace(ROW, theirs=None, most_ratio=1.0), None),
    ],
)
def test_a_target_is_met_only_if_every_part_of_it_is(row, met):
    assert row.met is met


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123 ms"), (12.34, "12.3 ms"), (1234.5, "1230 ms"), (0.0, "0 ms"), (2.0, "2 ms")],
)
def test_a_quantity_has_three_digits_and_its_unit(value, text):
    assert quantity(value, "ms") == text


def test_the_table_is_markdown_with_aligned_columns():
    row = replace(ROW, most=0.1, most_ratio=1.0, published="joblib 0.1")
    head, rule, line = render([row]).splitlines()
    assert len(head) == len(rule) == len(line)
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        *("a chain", "0.2 ms", "joblib 0.1 ms", "2"),
        *("<= 0.1 ms, ratio <= 1", "NO", "joblib 0.1"),
    ]


def test_an_unknown_group_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["speed"])
    assert "no group 'speed': choose from import, chain" in capsys.readouterr().err
