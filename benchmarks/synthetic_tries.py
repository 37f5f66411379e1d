"""Made-up tries by the million, as columns: patterns drawn by hashing, then laid into tries by sorting.

A neuron's patterns grow from its activating tokens backwards. What stands before a path is drawn from few
candidates, half of them the same for every neuron, as words keep company: so patterns of a neuron share
their beginnings, and so do neurons. Some context tokens repeat one nearer to the activating token. One
neuron in fifty is nearly the twin of another.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from benchmarks.synthetic_words import zipf_tokens
from n2gdb.core.arrays import BoolArray, Float64Array, Int64Array, KeyArray
from n2gdb.core.units import unit_key
from n2gdb.storage import schema

__all__ = ["nodes_of_neurons"]


PATTERNS = 70  # a neuron, on average
ROOTS = 12  # activating tokens a neuron has at most
LEVELS = 8  # context tokens a pattern has at most
DEEPER = 0.62  # how likely a pattern is to go on after each token
COMMON = 0.5  # share of candidates that are the same for every neuron
REPEATS = 0.02  # share of context tokens that repeat one nearer to the activating token
TWINS, TWIN_GROUPS = 0.02, 0.008  # share of neurons that are twins, and of groups that they form
UNLIKE = 0.03  # share of a twin's patterns that are its own

_TOKEN_BITS = 20


def nodes_of_neurons(
    layer: int, neurons: int, seed: int = 0, patterns: int = PATTERNS
) -> tuple[pa.Table, Int64Array]:
    """Return ``schema.NODES`` of one layer, and how many patterns end in each neuron: (neurons,).

    ``patterns`` are drawn for a neuron, on average; those that are the same are one.
    """
    owner, pattern = _patterns(layer, neurons, seed, patterns)
    keys = _paths(owner, pattern)
    order = np.lexsort((*reversed(keys), owner[:, 0]))
    return _laid(layer, neurons, owner[order, 0].astype(np.int64), [key[order] for key in keys])


def _patterns(layer: int, neurons: int, seed: int, patterns: int) -> tuple[KeyArray, KeyArray]:
    """Return (index, seed) of the neuron that each pattern is drawn for, and the seed of the pattern."""
    index = np.arange(neurons, dtype=np.uint64)
    own = _hashed(index, np.uint64(layer + 1), np.uint64(seed + 1))
    groups = max(1, int(TWIN_GROUPS * neurons))
    twin = _share(_hashed(own, np.uint64(2))) < TWINS
    group = _hashed(own, np.uint64(3)) % np.uint64(groups)
    character = np.where(twin, _hashed(group, np.uint64(4), np.uint64(seed + 1)), own)
    count = np.random.default_rng(character[0]).poisson(patterns, neurons)
    count[twin] = patterns
    row = np.repeat(index, count)
    place = np.arange(len(row), dtype=np.uint64) - np.repeat(np.cumsum(count) - count, count).astype(
        np.uint64
    )
    pattern = _hashed(character[row], place, np.uint64(5))
    unlike = twin[row] & (_share(_hashed(own[row], place, np.uint64(6))) < UNLIKE)
    pattern = np.where(unlike, _hashed(own[row], place, np.uint64(7)), pattern)
    return np.stack([row, character[row]], axis=1), pattern


def _paths(owner: KeyArray, pattern: KeyArray) -> list[Int64Array]:
    """Return (depth, token) of each pattern at each level, packed; -1 where it has ended."""
    neuron = owner[:, 1]
    root = zipf_tokens(_share(_hashed(neuron, _few(_hashed(pattern, np.uint64(8)), ROOTS))))
    keys = [root.astype(np.int64)]
    common, mine = _hashed(root.astype(np.uint64), np.uint64(9)), _hashed(neuron, root.astype(np.uint64))
    depth, going = np.zeros(len(pattern), np.int64), np.ones(len(pattern), np.bool_)
    nearer = root
    for level in range(1, LEVELS + 1):
        draw = _hashed(pattern, np.uint64(100 + level))
        going &= _share(draw) < DEEPER
        choice = _few(_hashed(draw, np.uint64(10)), 6)
        of_all = _share(_hashed(mine, choice, np.uint64(11))) < COMMON
        candidate = np.where(of_all, _hashed(common, choice), _hashed(mine, choice))
        token = zipf_tokens(_share(candidate))
        repeat = _share(_hashed(candidate, np.uint64(12))) < REPEATS
        token = np.where(repeat, np.where(candidate & np.uint64(1), root, nearer), token)
        depth = depth + 1 + _few(_hashed(candidate, np.uint64(13)), 8).astype(np.int64)
        key = depth << _TOKEN_BITS | token
        keys.append(np.where(going, key, -1))
        common = _hashed(common, key.astype(np.uint64))
        mine = _hashed(mine, key.astype(np.uint64))
        nearer = token
    return keys


def _laid(layer: int, neurons: int, owner: Int64Array, keys: list[Int64Array]) -> tuple[pa.Table, Int64Array]:
    """Lay sorted paths into tries: a node is where a path first differs from the one before."""
    new = _begins(owner, keys)
    at = (np.cumsum(new) - 1).reshape(new.shape)  # the node, where there is one
    passed = np.maximum.accumulate(np.where(new, at, -1), axis=0)
    row, level = np.nonzero(new)
    parent = np.where(level > 0, passed[row, level - 1], -1)
    packed = np.stack(keys, axis=1)[row, level]
    first = np.searchsorted(owner[row], np.arange(neurons))
    pre = np.arange(len(row)) - first[owner[row]]
    end = np.full(len(row), np.nan, np.float32)
    lengths = (np.stack(keys, axis=1) >= 0).sum(axis=1)
    ends = passed[np.arange(len(owner)), lengths - 1]
    end[ends] = 0.5 + 0.5 * _share(_hashed(packed[ends].astype(np.uint64), np.uint64(14)))
    marks = ~np.isnan(end)
    importance = 0.75 + 0.25 * _share(_hashed(packed.astype(np.uint64), np.uint64(15)))
    table = pa.table(
        [
            unit_key(0, layer, owner[row].astype(np.int64)),
            pre.astype(np.int32),
            (packed & ((1 << _TOKEN_BITS) - 1)).astype(np.int32),
            (packed >> _TOKEN_BITS).astype(np.int32),
            np.where(parent < 0, -1, parent - first[owner[row]]).astype(np.int32),
            np.where(level > 0, importance, 1).astype(np.float32),
            pa.array(end, mask=~marks),
            (1 + _hashed(packed.astype(np.uint64), np.uint64(16)) % 500 // (1 + level)).astype(np.int64),
            _share(_hashed(packed.astype(np.uint64), np.uint64(17))).astype(np.float32),
        ],
        schema=schema.NODES,
    )
    return table, np.bincount(owner[row][marks], minlength=neurons)


def _begins(owner: Int64Array, keys: list[Int64Array]) -> BoolArray:
    """Tell where a path leaves the one before it: (patterns, levels)."""
    new = np.zeros((len(owner), len(keys)), np.bool_)
    differs = np.append(True, owner[1:] != owner[:-1])
    for level, key in enumerate(keys):
        differs = differs | np.append(True, key[1:] != key[:-1])
        new[:, level] = differs & (key >= 0)
    return new


def _few(key: KeyArray, most: int) -> KeyArray:
    """Draw 0 to ``most - 1``, each a bit more than half as likely as the one before."""
    drawn: KeyArray = (np.log(_share(key) + 1e-12) / np.log(0.6)).astype(np.uint64)
    return np.remainder(drawn, np.uint64(most))


def _share(key: KeyArray) -> Float64Array:
    """Return a number from 0 to 1 by a key's bits."""
    return (key >> np.uint64(11)).astype(np.float64) / (1 << 53)


def _hashed(*keys: KeyArray | np.uint64) -> KeyArray:
    """Mix keys into one, element by element."""
    mixed = np.asarray(keys[0], np.uint64)
    for key in (*keys[1:], np.uint64(0)):
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + key
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
    return mixed
