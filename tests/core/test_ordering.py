"""Order and cycles of directed graphs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.core.ordering import find_cycles, topological_order


def graph(text: str) -> dict[str, tuple[str, ...]]:
    """``"a b:a c:ab"``: b needs a, c needs a and b."""
    return {node: tuple(parents) for node, _, parents in (word.partition(":") for word in text.split())}


@pytest.mark.parametrize(
    ("nodes", "order", "stuck"),
    [
        ("", "", ""),
        ("a b:a c:b", "abc", ""),
        ("c:b b:a a", "abc", ""),
        ("b:a x a y", "xaby", ""),
        ("d:bc b:a c:a a", "abcd", ""),
        ("a:b b:a c", "c", "ab"),
        ("a:a b", "b", "a"),
        ("a:b b:a c:a", "", "abc"),
    ],
)
def test_nodes_follow_what_they_need_and_else_their_own_order(nodes, order, stuck):
    found, left = topological_order(graph(nodes))
    assert ("".join(found), "".join(left)) == (order, stuck)


@pytest.mark.parametrize(
    ("nodes", "cycles"),
    [
        ("a b:a", []),
        ("a:a", ["a"]),
        ("a:b b:a", ["ba"]),
        ("a:c b:a c:b", ["bca"]),
        ("a:b b:a c:d d:c", ["ba", "dc"]),
        ("a:b b:a c:a d:c", ["ba"]),
        ("c:a a:b b:a", ["ba"]),
    ],
)
def test_cycles_are_found_in_the_direction_of_the_data(nodes, cycles):
    parents = graph(nodes)
    _, stuck = topological_order(parents)
    assert ["".join(cycle) for cycle in find_cycles(stuck, parents)] == cycles


NODES = st.integers(1, 12).flatmap(
    lambda n: st.fixed_dictionaries(
        {i: st.lists(st.integers(0, n - 1), max_size=3, unique=True).map(tuple) for i in range(n)}
    )
)


@given(NODES)
def test_any_graph_is_sorted_as_far_as_it_can_be(parents):
    order, stuck = topological_order(parents)
    assert sorted(order + stuck) == sorted(parents)
    place = {node: at for at, node in enumerate(order)}
    for node in order:
        assert all(place[parent] < place[node] for parent in parents[node])
    written = list(parents)
    for at, node in enumerate(order):
        free = [other for other in order[at:] if all(place[parent] < at for parent in parents[other])]
        assert node == min(free, key=written.index)


@given(NODES)
def test_every_circle_is_a_circle_and_no_node_is_in_two(parents):
    _, stuck = topological_order(parents)
    cycles = find_cycles(stuck, parents)
    seen = [node for cycle in cycles for node in cycle]
    assert len(seen) == len(set(seen))
    assert bool(cycles) == bool(stuck)
    for cycle in cycles:
        for node, following in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            assert node in parents[following]
