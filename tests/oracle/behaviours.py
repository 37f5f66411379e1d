"""The behaviours of a graph by the plainest way: join nodes that are linked, or drawn as one."""

from __future__ import annotations

from n2gdb.core.graph import NeuronGraph

__all__ = ["behaviours_of", "counted"]


def counted(graph: NeuronGraph) -> dict[str, int]:
    """What a database counts of a graph when it is built, by column."""
    deepest = max((pattern.depth for pattern in graph.patterns()), default=0)
    return {"polysemy": len(behaviours_of(graph)), "max_depth": deepest}


def behaviours_of(graph: NeuronGraph) -> list[set[int]]:
    """The sets of nodes that hang together, in preorder of their first."""
    token, depth, parent = graph.token.tolist(), graph.depth.tolist(), graph.parent.tolist()
    part = [{node} for node in range(len(graph))]  # of each node
    first: dict[tuple[int, int], int] = {}
    for node, above in enumerate(parent):
        drawn_as = first.setdefault((token[node], depth[node]), node)
        for other in (drawn_as, above if above >= 0 else node):
            small, large = sorted((part[node], part[other]), key=len)
            if small is not large:
                large |= small
                for each in small:
                    part[each] = large
    return sorted({id(each): each for each in part}.values(), key=min)
