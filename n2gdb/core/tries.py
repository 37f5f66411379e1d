"""Many tries as columns, one after another: derived columns, and the keys of their paths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from n2gdb.core.arrays import BoolArray, Float64Array, Int64Array, IntArray, KeyArray

__all__ = ["PathWeights", "Tries"]


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, slots=True)
class PathWeights:
    """Root-to-node paths of neurons, and how strongly each neuron activates through them; (paths,) each."""

    neuron: Int64Array  # whatever key the neurons were given
    path: Int64Array
    weight: Float64Array


@dataclass(frozen=True, slots=True)
class Tries:
    """What follows from the columns of many tries laid one after another; every array is (nodes,)."""

    token: Int64Array
    depth: IntArray
    above: Int64Array  # row of the parent; -1 at a root
    levels: tuple[Int64Array, ...]  # rows by their number of ancestors
    root: Int64Array  # row of the path's activating token
    last: IntArray  # preorder index of the last node below, as NeuronGraph.last
    best: Float64Array  # as NeuronGraph.best
    repeats: BoolArray  # the token occurs nearer to the activating end of its own path

    @classmethod
    def of(cls, nodes: pa.Table) -> Tries:
        """Compute from rows of ``schema.NODES`` sorted by (unit, pre)."""
        token = nodes["token"].to_numpy().astype(np.int64)
        pre, parent = nodes["pre"].to_numpy(), nodes["parent"].to_numpy()
        row = np.arange(len(pre), dtype=np.int64)
        above = np.where(parent >= 0, row - pre + parent, -1)
        root, level = row.copy(), np.zeros(len(row), np.int32)
        repeats = np.zeros(len(row), np.bool_)
        inner = row[above >= 0]
        ancestor = above[inner]
        while len(inner):
            root[inner] = ancestor
            level[inner] += 1
            repeats[inner] |= token[inner] == token[ancestor]
            ancestor = above[ancestor]
            inner, ancestor = inner[ancestor >= 0], ancestor[ancestor >= 0]
        levels = tuple(np.flatnonzero(level == deep) for deep in range(int(level.max(initial=-1)) + 1))
        last = pre.copy()
        best = pc.fill_null(nodes["end"], float("nan")).to_numpy().copy()
        for children in reversed(levels[1:]):
            np.maximum.at(last, above[children], last[children])
            np.fmax.at(best, above[children], best[children])
        return cls(token, nodes["depth"].to_numpy(), above, levels, root, last, best, repeats)

    def path_weights(self, neuron: Int64Array, text_keys: Int64Array) -> PathWeights:
        """Return every path with its weight, the best activation through its node.

        ``neuron`` is each node's owner, ``text_keys`` the key of every token's text: (tokens,). Tokens that
        read alike are the same here, so two nodes may lie on one path; the stronger one counts.
        """
        path = self._path_keys(text_keys.view(np.uint64))
        weight = np.nan_to_num(self.best)
        if len(np.unique(text_keys)) == len(text_keys):
            return PathWeights(neuron, path, weight)
        order = np.lexsort((-weight, path, neuron))
        neuron, path, weight = neuron[order], path[order], weight[order]
        first = np.ones(len(path), np.bool_)
        first[1:] = (neuron[1:] != neuron[:-1]) | (path[1:] != path[:-1])
        return PathWeights(neuron[first], path[first], weight[first])

    def smallest(self, values: Float64Array) -> Float64Array:
        """Return the smallest of ``values`` from each node up to its root, which is left out: (nodes,) each.

        At a root itself its own value stands.
        """
        smallest = values.copy()
        for children in self.levels[2:]:
            smallest[children] = np.minimum(smallest[children], smallest[self.above[children]])
        return smallest

    def _path_keys(self, text_keys: KeyArray) -> Int64Array:
        """Chain a hash from the root down over depth and text: 63 bits, so that the engine's integers do."""
        key = _mixed(text_keys[self.token] + self.depth.astype(np.uint64) * _GOLDEN)
        for children in self.levels[1:]:
            key[children] = _mixed(key[children] ^ (key[self.above[children]] + _GOLDEN))
        return (key >> np.uint64(1)).astype(np.int64)


def _mixed(key: KeyArray) -> KeyArray:
    """Spread every bit over all bits: the finishing steps of splitmix64."""
    key = (key ^ (key >> np.uint64(30))) * _FIRST
    key = (key ^ (key >> np.uint64(27))) * _SECOND
    return key ^ (key >> np.uint64(31))
