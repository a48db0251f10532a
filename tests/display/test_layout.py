"""Where the steps of a picture stand and how its edges run."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbsteps.display.layers import layer
from nbsteps.display.layout import Layout, Metrics, depth, lay_out

METRICS = Metrics()


def chain(length):
    return {f"s{at}": (f"s{at - 1}",) if at else () for at in range(length)}


@st.composite
def graphs(draw, most=40):
    """A graph in order, each step needing up to four earlier ones."""
    size = draw(st.integers(1, most))
    reach = draw(st.sampled_from((2, 5, most)))
    needed = [draw(st.sets(st.integers(max(0, at - reach), at - 1), max_size=4)) if at else set() for at in range(size)]
    return {f"s{at}": tuple(f"s{parent}" for parent in sorted(parents)) for at, parents in enumerate(needed)}


def inside(layout: Layout, x, y):
    return 0 <= x <= layout.width and 0 <= y <= layout.height


def overlap(one, other):
    """Whether two rectangles (left, top, right, bottom) share more than an edge."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def rectangles(layout: Layout, metrics=METRICS):
    return {name: (x, y, x + metrics.width, y + metrics.height) for name, (x, y) in layout.boxes.items()}


@given(graphs())
def test_steps_never_overlap_and_stand_within_the_picture(parents):
    layout = lay_out(parents)
    boxes = list(rectangles(layout).values())
    assert len(boxes) == len(parents)
    assert not any(overlap(one, other) for at, one in enumerate(boxes) for other in boxes[:at])
    assert all(inside(layout, *box[:2]) and inside(layout, *box[2:]) for box in boxes)


@given(graphs())
def test_edges_lead_from_right_to_left_side_and_never_behind_a_step(parents):
    layout = lay_out(parents)
    boxes = rectangles(layout)
    edges = {(parent, name) for name, needed in parents.items() for parent in needed}
    assert layout.routes.keys() == edges
    for (source, target), points in layout.routes.items():
        start, end = boxes[source], boxes[target]
        assert points[0] == (start[2], (start[1] + start[3]) / 2)
        assert points[-1] == (end[0], (end[1] + end[3]) / 2)
        assert all(inside(layout, *point) for point in points)
        for (x, y), (to_x, to_y) in pairwise(points):
            area = (min(x, to_x), min(y, to_y), max(x, to_x), max(y, to_y))
            hit = [name for name, box in boxes.items() if overlap(box, area)]
            assert not hit, (source, target, area)


@given(graphs())
def test_a_step_stands_right_of_what_it_needs_or_in_a_lower_band(parents):
    layout = lay_out(parents)
    boxes = rectangles(layout)
    for name, needed in parents.items():
        for parent in needed:
            right = boxes[name][0] >= boxes[parent][2] + METRICS.column_gap
            below = boxes[name][1] >= boxes[parent][3]
            assert right or below


@given(graphs())
def test_the_same_graph_gives_the_same_picture(parents):
    assert lay_out(parents) == lay_out(parents)


@given(graphs())
def test_a_picture_is_never_wider_than_its_room_by_more_than_its_turns(parents):
    layout = lay_out(parents)
    columns = {x for x, _ in layout.boxes.values()}
    assert max(columns) - min(columns) <= METRICS.room * 1.4


@pytest.mark.parametrize("length", [1, 2, 5, 6, 11, 40])
def test_a_chain_is_straight_within_each_band(length):
    layout = lay_out(chain(length))
    rows = [y for _, y in layout.boxes.values()]
    bands = -(-length // METRICS.columns)
    assert len(set(rows)) == bands
    assert rows == sorted(rows)


def test_a_chain_stays_straight_where_an_edge_skips_a_step():
    layout = lay_out({"load": (), "clean": ("load",), "plot": ("clean", "load")})
    assert len({y for _, y in layout.boxes.values()}) == 1


def test_a_step_stands_in_the_middle_of_what_it_feeds():
    layout = lay_out({"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")})
    heights = {name: y for name, (_, y) in layout.boxes.items()}
    assert heights["a"] == heights["d"] == (heights["b"] + heights["c"]) / 2


def test_what_feeds_only_a_late_step_stands_next_to_it():
    layout = lay_out({**chain(4), "late": (), "end": ("s3", "late")})
    assert layout.boxes["late"][0] == layout.boxes["s3"][0]


def test_two_chains_that_could_cross_do_not():
    parents = {"a": (), "b": (), "c": ("b",), "d": ("a",), "e": ("d", "c"), "f": ("c",)}
    boxes = lay_out(parents).boxes
    assert (boxes["a"][1] < boxes["b"][1]) == (boxes["d"][1] < boxes["c"][1])


def test_steps_without_edges_stand_in_rows():
    layout = lay_out({f"s{at}": () for at in range(METRICS.columns + 1)})
    assert len({y for _, y in layout.boxes.values()}) == 2


def test_long_edges_of_one_step_share_their_way():
    parents = {**chain(4), "x": ("s0", "s2"), "y": ("s0", "s3")}
    routes = lay_out(parents).routes
    assert routes["s0", "x"][:3] == routes["s0", "y"][:3]


def test_a_circle_is_drawn_with_its_way_back_below_everything():
    layout = lay_out({"a": ("c",), "b": ("a",), "c": ("b",)})
    back = layout.routes["c", "a"]
    assert max(y for _, y in back) > max(y for _, y in layout.boxes.values()) + METRICS.height
    assert all(inside(layout, *point) for point in back)


def test_a_step_that_needs_itself_is_drawn():
    layout = lay_out({"a": ("a",)})
    assert layout.routes["a", "a"]
    assert set(layout.boxes) == {"a"}


def test_nothing_gives_an_empty_picture():
    assert lay_out({}).boxes == {}
    assert depth({}) == 0


def test_the_depth_is_the_longest_way():
    assert depth({**chain(3), "x": ("s0",)}) == 3


def test_a_large_graph_leaves_out_long_edges_that_others_imply():
    parents = {name: tuple(dict.fromkeys((*needed, "s0"))) if needed else () for name, needed in chain(150).items()}
    routes = lay_out(parents).routes
    assert routes["s0", "s140"] == ()
    assert routes["s139", "s140"]
    assert routes["s0", "s5"]


@settings(max_examples=20)
@given(graphs(most=12))
def test_a_small_graph_draws_every_edge(parents):
    assert all(lay_out(parents).routes.values())


def test_layers_lead_from_each_column_to_the_next():
    graph = layer([(), (0,), (1,), (0, 2)])
    assert all(graph.column[other] == graph.column[node] + 1 for node in range(4) for other in graph.after[node])
    assert sorted(node for column in graph.columns for node in column) == list(range(len(graph.column)))


@pytest.mark.parametrize("size", [2000])
def test_a_huge_graph_is_laid_out(size):
    parents = {f"s{at}": tuple(f"s{at - back}" for back in (1, 2, 7) if at >= back) for at in range(size)}
    layout = lay_out(parents)
    assert len(layout.boxes) == size
    assert len(set(layout.boxes.values())) == size
