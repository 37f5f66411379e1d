"""Tokens by role: how many units or patterns have each, and the nodes on the paths to given ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from n2gdb.core.arrays import BoolArray, Int64Array, IntArray, IntegerArray, distinct
from n2gdb.core.deadline import check_time
from n2gdb.query.columnar.search import Loose
from n2gdb.query.columnar.tries import TrieColumns

__all__ = ["count_by_pattern", "count_by_unit", "on_paths"]


def count_by_pattern(tries: TrieColumns, ends: IntArray, in_context: bool) -> Counter[str]:
    """Count, by a token's text, the patterns that have it in a role, by the rows where they end."""
    if not in_context:  # each activates on one
        counts = np.bincount(tries.token[tries.root[ends]], minlength=len(tries.vocabulary))
        return _named(tries, np.bincount(tries.same_text, counts).astype(np.int64))
    rows, holder = on_paths(tries, ends, in_context)
    return _named(tries, _holders(tries.same_text[tries.token[rows]], holder))


def count_by_unit(
    tries: TrieColumns, ends: IntArray | None, inside: BoolArray, loose: Sequence[Loose], in_context: bool
) -> Counter[str]:
    """Count, by a token's text, the units ``inside`` that have it in a role.

    ``ends`` are the rows of the patterns that count; None where all nodes do. Tokens of ``loose`` firings
    count beside.
    """
    of_role = np.equal(tries.is_root, not in_context)
    rows = np.flatnonzero(of_role if ends is None else of_role & _above(tries, ends, in_context))
    rows = rows[inside[tries.owner[rows]]]
    exciting = [
        (token, place)
        for found in loose
        for place, steps in zip(found.place.tolist(), found.steps, strict=True)
        if inside[place]
        for depth, token in steps
        if (depth > 0) == in_context
    ]
    tokens = np.concatenate([tries.token[rows], tries.vocabulary_rows([token for token, _ in exciting])])
    holder = np.concatenate([tries.owner[rows], np.array([place for _, place in exciting], np.int64)])
    return _named(tries, _holders(tries.same_text[tokens], holder))


def _holders(text: Int64Array, holder: Int64Array) -> Int64Array:
    """Return how many hold each text."""
    check_time()
    width = int(holder.max(initial=0)) + 1
    return np.bincount(distinct(text * width + holder) // width)


def _named(tries: TrieColumns, counts: Int64Array) -> Counter[str]:
    codes = np.flatnonzero(counts)
    named = (tries.texts[code] for code in codes.tolist())
    return Counter(dict(zip(named, counts[codes].tolist(), strict=True)))


def _above(tries: TrieColumns, ends: IntArray, in_context: bool) -> BoolArray:
    """Return which nodes are on the paths to some ends; of context those, or else the activating ones."""
    seen = np.zeros(len(tries), np.bool_)
    rows = ends if in_context else tries.root[ends]
    while len(rows):
        check_time()
        seen[rows] = True
        rows = tries.parent[rows]
        rows = rows[rows >= 0]
        rows = rows[~seen[rows]]
    return seen


def on_paths(tries: TrieColumns, ends: IntegerArray, in_context: bool) -> tuple[Int64Array, Int64Array]:
    """Return the rows of a role on the paths to some ends, and the end of each."""
    if not in_context:
        return tries.root[ends].astype(np.int64), ends.astype(np.int64)
    rows, holders = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    end, row = ends.astype(np.int64), ends.astype(np.int64)
    while len(row):
        check_time()
        deep = ~tries.is_root[row]
        end, row = end[deep], row[deep]
        rows.append(row)
        holders.append(end)
        row = tries.parent[row].astype(np.int64)
    return np.concatenate(rows), np.concatenate(holders)
