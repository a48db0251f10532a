"""Order and cycles of a directed graph given as node -> parents."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping


def topological_order(parents: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sort the nodes so that each follows its parents; among free ones the mapping's own order counts.

    Kahn's algorithm over a heap of positions, O((n + e) log n).

    Returns:
        The sorted nodes, and those that a cycle keeps from being sorted, in the mapping's order.
    """
    position = {name: index for index, name in enumerate(parents)}
    if all(position[parent] < position[name] for name, needed in parents.items() for parent in needed):
        return tuple(parents), ()
    names = list(parents)
    missing = {name: len(needed) for name, needed in parents.items()}
    children: dict[str, list[str]] = {name: [] for name in parents}
    for name, needed in parents.items():
        for parent in needed:
            children[parent].append(name)
    ready = [position[name] for name, count in missing.items() if count == 0]
    order = list[str]()
    while ready:
        name = names[heapq.heappop(ready)]
        order.append(name)
        for child in children[name]:
            missing[child] -= 1
            if missing[child] == 0:
                heapq.heappush(ready, position[child])
    placed = set(order)
    return tuple(order), tuple(name for name in names if name not in placed)


def find_cycles(nodes: Iterable[str], parents: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Disjoint cycles among ``nodes``, each in the direction of the data (a node, then the one that needs it).

    Nodes that only lie behind a cycle are in none.
    """
    left = dict.fromkeys(nodes)
    cycles = list[tuple[str, ...]]()
    while left:
        trail: dict[str, None] = {}
        node: str | None = next(iter(left))
        while node is not None and node not in trail:
            trail[node] = None
            node = next((parent for parent in parents[node] if parent in left), None)
        if node is not None:
            walked = list(trail)
            cycles.append(tuple(reversed(walked[walked.index(node) :])))
        for name in trail:
            del left[name]
    return tuple(cycles)
