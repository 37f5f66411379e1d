"""Many tries as columns, one after another: derived columns, and the steps that neurons have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from n2gdb.core.arrays import (
    BoolArray,
    Float64Array,
    Int64Array,
    IntArray,
    IntegerArray,
    is_first,
    mixed,
    pair_order,
)

__all__ = ["GraphSteps", "Tries", "graph_steps"]


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class GraphSteps:
    """Steps of neurons' graphs, each neuron's once; (steps,) each.

    A step is a token at a distance before an activating token, or the activating token itself. So a further
    token on a path moves no other step of it.
    """

    neuron: Int64Array  # whatever key the neurons were given
    step: Int64Array  # 62 bits of a hash of activating token, distance and token
    loose: Int64Array  # of the same step, case and space aside
    token: Int64Array  # key of its token, case and space aside
    activation: Float64Array  # the largest of any pattern through it


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

    def steps(
        self, neuron: Int64Array, text_keys: Int64Array, norm_keys: Int64Array
    ) -> tuple[GraphSteps, GraphSteps]:
        """Return the steps of all neurons, as ``graph_steps`` does; ``neuron`` is each node's owner."""
        texts = text_keys[self.token], norm_keys[self.token]
        return graph_steps(neuron, *texts, self.root, self.depth, self.best)

    def smallest(self, values: Float64Array) -> Float64Array:
        """Return the smallest of ``values`` from each node up to its root, which is left out: (nodes,) each.

        At a root itself its own value stands.
        """
        smallest = values.copy()
        for children in self.levels[2:]:
            smallest[children] = np.minimum(smallest[children], smallest[self.above[children]])
        return smallest


def graph_steps(
    neuron: Int64Array,
    text: Int64Array,
    norm: Int64Array,
    root: Int64Array,
    depth: IntegerArray,
    best: Float64Array,
) -> tuple[GraphSteps, GraphSteps]:
    """Return the steps of all neurons as they are written, and those with case and space aside.

    Of each node there is its owner, the keys of its token's text, as it is and with case and space aside, the
    row of its activating token, its depth, and the largest activation of any pattern through it: (nodes,).
    Steps that read alike are the same here, also of different models.
    """
    exact, loose = (_step_keys(each, root, depth) for each in (text, norm))
    activation = np.nan_to_num(best)

    def each(step: Int64Array) -> GraphSteps:
        order = pair_order(neuron, step)
        owner, taken = neuron[order], step[order]
        first = np.flatnonzero(is_first(owner) | is_first(taken))
        kept = order[first]
        largest = np.maximum.reduceat(activation[order], first) if len(first) else activation
        return GraphSteps(owner[first], taken[first], loose[kept], norm[kept], largest)

    return each(exact), each(loose)


def _step_keys(text: Int64Array, root: Int64Array, depth: IntegerArray) -> Int64Array:
    """Hash activating token, distance and token of every node."""
    key = text.view(np.uint64)
    at = mixed(key[root] + depth.astype(np.uint64) * _GOLDEN)
    return (mixed(at ^ (key + _GOLDEN)) >> np.uint64(2)).astype(np.int64)
