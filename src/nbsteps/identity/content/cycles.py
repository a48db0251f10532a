"""Values that hold themselves.

Such a value is a graph, and two graphs are equal in content when nothing but identity could tell their unfoldings
apart. That is found by refinement: every container starts with a hash of its own bytes and is hashed again with the
hashes of what it holds, until no round tells more of them apart.
"""

from __future__ import annotations

from typing import Any, Final

from xxhash import xxh3_128, xxh3_128_digest

from nbsteps.identity.content import code
from nbsteps.identity.content.registry import BAG, CODE, Refusal
from nbsteps.identity.content.walk import outright, parts_of, refused, render

_WORK: Final = 20_000_000
"""Most hashes to spend on one value: about ten seconds."""


class _Node:
    __slots__ = ("bag", "children", "hasher", "kind", "label", "leaves", "parent", "value")

    def __init__(self, value: object, parent: _Node | None, kind: str, label: object) -> None:
        self.value = value
        self.parent = parent
        self.kind = kind
        self.label = label
        self.hasher = xxh3_128()
        self.children: list[int] = []
        self.bag: list[int] | None = None
        self.leaves: list[bytes] = []

    def own(self) -> bytes:
        """Hash of everything but the children that are containers."""
        self.hasher.update(b"".join(sorted(self.leaves)))
        return self.hasher.digest()

    def held(self) -> list[int]:
        """All children that are containers."""
        return self.children + (self.bag or [])

    def path(self) -> str:
        """Where the node was first met inside the whole value."""
        pieces: list[str] = []
        node: _Node | None = self
        while node is not None and node.parent is not None:
            pieces.append(render(node.kind, node.label))
            node = node.parent
        return "".join(reversed(pieces))


class _Graph:
    """All containers of one value, each once."""

    def __init__(self, root: object) -> None:
        self.nodes: list[_Node] = []
        self._places: dict[int, int] = {}
        self._codes = code.References()
        self._place(root, None, "", "")
        for node in self.nodes:  # grows while it is read
            try:
                self._expand(node)
            except Exception as error:
                raise refused(error, node.value, node.path()) from error

    def _place(self, value: object, parent: _Node | None, kind: str, label: object) -> int:
        place = self._places.get(id(value))
        if place is None:
            place = self._places[id(value)] = len(self.nodes)
            self.nodes.append(_Node(value, parent, kind, label))
        return place

    def _expand(self, node: _Node) -> None:
        for part in parts_of(node.value):
            if part is BAG:
                node.bag = []
            elif type(part) is tuple:
                self._child(node, *part)
            else:
                node.hasher.update(part)

    def _child(self, node: _Node, kind: str, label: object, value: Any) -> None:
        data = self._codes.digest(value) if kind is CODE else outright(value)
        if data is None:
            place = self._place(value, node, kind, label)
            if node.bag is None:
                node.hasher.update(b"@")
                node.children.append(place)
            else:
                node.bag.append(place)
        elif node.bag is None:
            node.hasher.update(data)
        else:
            node.leaves.append(xxh3_128_digest(data))


def _settle(graph: _Graph, hashes: list[bytes]) -> list[int]:
    """Give their final hash to containers that lead to no cycle; return the places of the others."""
    waiting = [len(node.held()) for node in graph.nodes]
    holders: list[list[int]] = [[] for _node in graph.nodes]
    for place, node in enumerate(graph.nodes):
        for child in node.held():
            holders[child].append(place)
    ready = [place for place, count in enumerate(waiting) if count == 0]
    for place in ready:  # grows while it is read
        hashes[place] = _combined(graph.nodes[place], hashes[place], hashes)
        for holder in holders[place]:
            waiting[holder] -= 1
            if waiting[holder] == 0:
                ready.append(holder)
    return [place for place, count in enumerate(waiting) if count]


def _combined(node: _Node, own: bytes, hashes: list[bytes]) -> bytes:
    held = [hashes[place] for place in node.children]
    if node.bag is not None:
        held += sorted(hashes[place] for place in node.bag)
    return xxh3_128_digest(own + b"".join(held))


def digest_graph(value: object) -> bytes:
    """The digest of a value that holds itself, 16 bytes.

    The root's hash alone could be the same for two graphs that differ further down, so what every hash becomes in
    one more round is part of the digest: then the last round is stable for both graphs taken together.

    Raises:
        UndigestibleError: something inside has no content, or the graph takes too long to tell apart.
    """
    graph = _Graph(value)
    owns = [node.own() for node in graph.nodes]
    hashes = list(owns)
    cyclic = _settle(graph, hashes)
    classes, spent = len({hashes[place] for place in cyclic}), 0
    while True:
        rounded = {place: _combined(graph.nodes[place], owns[place], hashes) for place in cyclic}
        spent += len(cyclic)
        count = len(set(rounded.values()))
        if count == classes:
            steps = sorted({hashes[place] + after for place, after in rounded.items()})
            return xxh3_128_digest(b"cycle" + hashes[0] + b"".join(steps))
        if spent > _WORK:
            raise refused(Refusal(value, f"{len(cyclic):,} containers that hold one another"), value, "")
        classes = count
        for place, after in rounded.items():
            hashes[place] = after
