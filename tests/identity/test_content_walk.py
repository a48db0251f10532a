"""Depth, sharing and values that hold themselves."""

import types

import pytest

from nbsteps.core.errors import UndigestibleError
from nbsteps.identity.content import cycles, digest, walk


def nested(depth, core, wrap):
    for _level in range(depth):
        core = wrap(core)
    return core


@pytest.mark.parametrize("wrap", [lambda core: [core], lambda core: (core,), lambda core: {"a": core}])
def test_depth_is_no_limit(wrap):
    assert digest(nested(10_000, 1, wrap)) == digest(nested(10_000, 1, wrap))
    assert digest(nested(10_000, 1, wrap)) != digest(nested(10_000, 2, wrap))
    assert digest(nested(10_000, 1, wrap)) != digest(nested(10_001, 1, wrap))


def test_absurd_depth_is_refused(monkeypatch):
    monkeypatch.setattr(walk, "MAX_DEPTH", 100)
    with pytest.raises(UndigestibleError, match="nested deeper than 100"):
        digest(nested(101, [], lambda core: [core]))


def test_sharing_costs_nothing():
    value = [1]
    for _level in range(200):
        value = [value, value]
    assert len(digest(value)) == 32


def ring(size, labels):
    cells = [[label] for label in labels]
    for place in range(size):
        cells[place].append(cells[(place + 1) % size])
    return cells[0]


def itself(wrapped=0):
    value = []
    value.append(value)
    return nested(wrapped, value, lambda core: [core])


def family(name, *, swapped=False):
    parent = types.SimpleNamespace(name="parent", children=[])
    for child in ("ann", name):
        parent.children.append(types.SimpleNamespace(name=child, parent=parent))
    if swapped:
        parent.children.reverse()
    return parent


def mapping_itself(key):
    value = {"n": 1}
    value[key] = value
    return value


def tuple_ring(label):
    inner = []
    value = (label, inner)
    inner.append(value)
    return value


APART = {
    "rings of labels": [ring(3, "abc"), ring(3, "acb"), ring(3, "bca"), ring(4, "abca"), ring(2, "ab")],
    "families": [family("bob"), family("bea"), family("bob", swapped=True), family("bob").children[0]],
    "mappings": [mapping_itself("a"), mapping_itself("b"), {"n": 1, "a": {}}, [mapping_itself("a")]],
    "tuples": [tuple_ring("a"), tuple_ring("b"), tuple_ring("a")[1]],
    "a late difference": [ring(50, "a" * 50), ring(50, "a" * 49 + "b"), ring(50, "a" * 48 + "ba")],
    "length of a ring that ends": [[itself(), 1], [itself(), 2], [itself()]],
}


@pytest.mark.parametrize("values", APART.values(), ids=APART.keys())
def test_tells_cyclic_values_apart(values):
    assert len({digest(value) for value in values}) == len(values)


@pytest.mark.parametrize(
    "make",
    [itself, lambda: ring(5, "abcde"), lambda: family("bob"), lambda: mapping_itself("a"), lambda: tuple_ring("a")],
)
def test_equal_cyclic_values_are_alike(make):
    assert digest(make()) == digest(make())


def test_only_identity_could_tell_these_apart():
    assert digest(itself()) == digest(itself(3)) == digest(ring_of_lists(2)) == digest(ring_of_lists(7))
    assert digest(ring(3, "aaa")) == digest(ring(1, "a"))


def ring_of_lists(size):
    cells = [[] for _place in range(size)]
    for place in range(size):
        cells[place].append(cells[(place + 1) % size])
    return cells[0]


class Node:
    def __init__(self, label):
        self.label = label
        self.near = set()

    def __hash__(self):
        return id(self)

    def __eq__(self, other):
        return self is other


def tangle(labels, links):
    nodes = [Node(label) for label in labels]
    for one, other in links:
        nodes[one].near.add(nodes[other])
        nodes[other].near.add(nodes[one])
    return nodes


def test_order_never_counts_in_sets_of_nodes_that_hold_one_another():
    links = [(one, other) for one in range(12) for other in range(one)]
    kept = [tangle("abcdefghijkl", links) for _time in range(5)]
    assert len({digest(nodes) for nodes in kept}) == 1
    assert digest(tangle("abcdefghijkl", links[:-1])) not in {digest(nodes) for nodes in kept}


def test_a_tangle_of_many_nodes_ends():
    links = [(one, other) for one in range(60) for other in range(one)]
    assert digest(tangle(range(60), links)[0])


def test_a_refusal_inside_a_cycle_names_the_path():
    value = family("bob")
    value.children[1].name = (number for number in range(3))
    with pytest.raises(UndigestibleError, match=r"generator at \.children\[1\]\.name has no content digest"):
        digest(value)


def test_too_large_a_tangle_is_refused(monkeypatch):
    monkeypatch.setattr(cycles, "_WORK", 10)
    with pytest.raises(UndigestibleError, match="hold one another"):
        digest(double_chain(30))


def double_chain(size):
    cells = [[None, None] for _place in range(size)]
    for place in range(size - 1):
        cells[place][1] = cells[place + 1]
        cells[place + 1][0] = cells[place]
    return cells[0]


def test_chains_linked_both_ways_differ_by_length():
    assert len({digest(double_chain(size)) for size in range(2, 40)}) == 38
