"""Tokens by role: how many units or patterns have each, and the nodes on the paths to given ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from n2gdb.core.arrays import BoolArray, Int64Array, IntegerArray, distinct
from n2gdb.core.deadline import check_time
from n2gdb.query.columnar.search import Loose, Search
from n2gdb.query.columnar.tries import TrieColumns

__all__ = ["count_tokens", "on_paths"]


def count_tokens(
    search: Search,
    ends: IntegerArray | None,
    inside: BoolArray,
    loose: Sequence[Loose] = (),
    *,
    in_context: bool,
    by_pattern: bool,
) -> Counter[str]:
    """Count, by a token's text, the units or the patterns that have it in a role.

    ``ends`` are the rows of the patterns that count; None where all nodes of the units ``inside`` do. Tokens
    of ``loose`` firings of these units count beside.
    """
    tries = search.columns.tries
    if ends is None:
        rows = np.flatnonzero(inside[tries.owner] & (tries.is_root != in_context))
        holder = tries.owner[rows].astype(np.int64)
    else:
        counting = np.zeros(len(tries), np.bool_)
        counting[ends[inside[tries.owner[ends]]]] = True
        rows, holder = on_paths(tries, np.flatnonzero(counting), in_context)
        if not by_pattern:
            holder = tries.owner[holder].astype(np.int64)
    exciting = [
        (token, place)
        for found in loose
        for place, steps in zip(found.place.tolist(), found.steps, strict=True)
        if inside[place]
        for depth, token in steps
        if (depth > 0) == in_context
    ]
    tokens = np.concatenate([tries.token[rows], tries.vocabulary_rows([token for token, _ in exciting])])
    holder = np.concatenate([holder, np.array([place for _, place in exciting], np.int64)])
    if not len(tokens):
        return Counter()
    width = int(holder.max()) + 1
    check_time()
    pair = distinct(tries.same_text[tokens] * width + holder)
    counts = np.bincount(pair // width)
    codes = np.flatnonzero(counts)
    return Counter(
        {tries.texts[code]: count for code, count in zip(codes.tolist(), counts[codes].tolist(), strict=True)}
    )


def on_paths(tries: TrieColumns, ends: Int64Array, in_context: bool) -> tuple[Int64Array, Int64Array]:
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
