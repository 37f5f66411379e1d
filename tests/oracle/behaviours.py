"""The behaviours of a graph by the plainest way: join nodes that are linked, or drawn as one."""

from __future__ import annotations

from n2gdb.core.graph import NeuronGraph

__all__ = ["behaviours_of"]


def behaviours_of(graph: NeuronGraph) -> list[set[int]]:
    """The sets of nodes that hang together, in preorder of their first."""
    token, depth, parent = graph.token.tolist(), graph.depth.tolist(), graph.parent.tolist()
    parts: list[set[int]] = []
    for node in range(len(graph)):
        linked = [
            part
            for part in parts
            if parent[node] in part or any((token[n], depth[n]) == (token[node], depth[node]) for n in part)
        ]
        parts = [part for part in parts if part not in linked] + [{node}.union(*linked)]
    return sorted(parts, key=min)
