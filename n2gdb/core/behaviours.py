"""Behaviours: the disconnected parts of a neuron's graph; their number is its polysemy.

Two activating tokens belong to one behaviour where their contexts share a token at the same depth, or are
linked by others that do: the parts that the paper's picture of the graph falls into, in which any-tokens are
left out and the same token at the same depth is drawn once. Our pictures, in which such a token stands twice
where patterns would cross, frame these parts. Source: N2G, arXiv 2305.19911, section 3 (pictures).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from n2gdb.core.arrays import Int64Array, IntArray, IntegerArray, is_first, pair_order

if TYPE_CHECKING:
    from n2gdb.core.graph import NeuronGraph

__all__ = ["behaviours", "linked_tries"]


def behaviours(graph: NeuronGraph) -> IntArray:
    """Number the behaviour that each node belongs to, 0 the one that activates most: (nodes,) int32."""
    row = np.arange(len(graph))
    root = np.maximum.accumulate(np.where(graph.parent < 0, row, 0))
    linked = linked_tries(np.zeros(len(graph), np.int64), graph.token, graph.depth, root)
    strongest = np.zeros(len(graph), np.float32)
    np.fmax.at(strongest, linked, graph.best)
    found, place = np.unique(linked, return_inverse=True)
    rank = np.empty(len(found), np.int32)
    rank[np.argsort(-strongest[found], kind="stable")] = np.arange(len(found), dtype=np.int32)
    return rank[place]


def linked_tries(
    neuron: IntegerArray,
    token: IntegerArray,
    depth: IntegerArray,
    root: IntegerArray,
) -> Int64Array:
    """Return the first root of each node's behaviour, of many graphs laid one after another: (nodes,).

    ``neuron`` is each node's owner and ``root`` the row of its activating token, in preorder; (nodes,) each.
    """
    if not len(token):
        return np.zeros(0, np.int64)
    first = is_first(root)
    tries, trie = np.flatnonzero(first), np.cumsum(first) - 1
    drawn = depth.astype(np.int64) * (int(token.max()) + 1) + token
    order = pair_order(neuron, drawn)
    return _spread(tries, trie, order, np.flatnonzero(is_first(neuron[order]) | is_first(drawn[order])))


def _spread(tries: Int64Array, trie: Int64Array, order: Int64Array, firsts: Int64Array) -> Int64Array:
    """Give tries that share a drawn node one number, the lowest among them, until nothing changes."""
    drawn = np.empty(len(order), np.int64)  # node -> the drawn node that it is part of
    drawn[order] = np.repeat(np.arange(len(firsts)), np.diff(np.append(firsts, len(order))))
    starts = np.flatnonzero(np.diff(trie, prepend=-1))
    lowest = np.arange(len(tries))
    while True:
        of_drawn = np.minimum.reduceat(lowest[trie[order]], firsts)
        lower = np.minimum.reduceat(of_drawn[drawn], starts)
        lower = np.minimum(lower, lower[lower])
        if np.array_equal(lower, lowest):
            return tries[lowest[trie]]
        lowest = lower
