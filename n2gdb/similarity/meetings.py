"""Pairs of sets that may have enough in common, without a double loop.

Two sets that have enough in common have some of it among the rarest elements of both: so many that those
left out weigh too little (prefix filtering). Only pairs that meet there are made. Where more of the rarest
are taken than one meeting needs, most pairs that meet by chance are dropped at once: what they have in common
so far does not reach what is needed even with all that was left out.

Source: Bayardo, Ma and Srikant, *Scaling up all pairs similarity search*, 2007.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from n2gdb.core.arrays import BoolArray, Float64Array, Int64Array, distinct, expanded, is_first, stable_order
from n2gdb.similarity.sparse_sets import SparseSets, groups

__all__ = ["Enough", "candidates", "candidates_of_both"]

#: Meetings that are made at once: few enough for the processor's cache.
_BLOCK = 1 << 18
#: Pairs of elements that are made at once.
_KEYS = 1 << 19
#: Pairs that are returned at once.
_GATHERED = 1 << 20
#: Sums of reals may miss a bound that they meet by this part.
_SLACK = 1e-9

RowPairs = tuple[Int64Array, Int64Array]


@dataclass(frozen=True)
class Enough:
    """How much sets must have in common.

    smaller  (n,) each with sets that are as large or larger, at least
    larger   (n,) each with sets that are as small or smaller, at least; no more than ``smaller``
    pair     takes pairs, the smaller set first, and returns how much each needs
    common   the most common elements of a set are left out that weigh less than this part of what it needs
    """

    smaller: Float64Array
    larger: Float64Array
    pair: Callable[[Int64Array, Int64Array], Float64Array]
    common: float = 0.9

    @classmethod
    def of_either(cls, total: Float64Array, share: float) -> Enough:
        """A share of what either has: s of totals a and b for which s / (a + b - s) is that much."""
        part = share / (1 + share) * total
        return cls(2 * part, share * total, lambda smaller, larger: part[smaller] + part[larger])

    @classmethod
    def of_smaller(cls, total: Float64Array, share: float) -> Enough:
        """A share of the smaller set."""
        least = share * total
        return cls(least, np.zeros(len(total)), lambda smaller, larger: least[smaller], 0.8)


def candidates(sets: SparseSets, enough: Enough, report: Callable[[int, int], None]) -> Iterator[RowPairs]:
    """Yield blocks of pairs of rows, the smaller row first, among them all that have enough in common."""
    return _gathered(_likely(sets, enough, report), len(sets.total))


def candidates_of_both(
    first: SparseSets, second: SparseSets, share: float, report: Callable[[int, int], None]
) -> Iterator[RowPairs]:
    """Yield the same for a share of the larger set that is in common in each of two kinds of sets.

    Sets that are both empty have all in common in ``second``, but nothing in ``first``.
    """
    return _gathered(_likely_in_both(first, second, share, report), len(first.total))


def _likely(sets: SparseSets, enough: Enough, report: Callable[[int, int], None]) -> Iterator[RowPairs]:
    n = len(sets.total)
    by_size = np.argsort(sets.total, kind="stable")
    place = np.empty(n, np.int64)
    place[by_size] = np.arange(n)
    leading, left_out = sets.rarest(enough.common * enough.smaller)
    following, left_out_of_larger = sets.rarest(enough.common * enough.larger)
    entry = np.flatnonzero(following)
    entry = entry[np.argsort(sets.element[entry] * n + place[sets.row[entry]])]
    element, member = sets.element[entry], place[sets.row[entry]]
    weight = None if np.all(sets.weight == 1) else sets.weight[entry]
    for smaller, larger, amount in _meetings(element, member, n, report, leading[entry], weight):
        smaller, larger = by_size[smaller], by_size[larger]
        most = amount + np.maximum(left_out[smaller], left_out_of_larger[larger])
        good = most >= enough.pair(smaller, larger) * (1 - _SLACK)
        smaller, larger = smaller[good], larger[good]
        yield np.minimum(smaller, larger), np.maximum(smaller, larger)


def _likely_in_both(
    first: SparseSets, second: SparseSets, share: float, report: Callable[[int, int], None]
) -> Iterator[RowPairs]:
    """Pairs that meet have a rare element of ``first`` and one of ``second`` in common, or none there."""
    n = len(first.total)
    entry = np.flatnonzero(first.prefix(share))
    entry = entry[stable_order(first.element[entry])]
    element, row = first.element[entry], first.row[entry]
    least = share * second.total
    rare, left_out = second.rarest(Enough.common * least)
    alone = np.flatnonzero(np.diff(second.start) == 0)
    owner = np.concatenate([second.row[rare], alone])
    order = stable_order(owner)
    other = np.concatenate([second.element[rare] + 1, np.zeros(len(alone), np.int64)])[order]
    start, width = np.searchsorted(owner[order], np.arange(n + 1)), int(other.max(initial=0)) + 1
    length = np.diff(start)[row]
    for own, done, total in groups(element, length, _KEYS):
        at, place = expanded(start[row[own]], start[row[own] + 1])
        key = ((element[own] - element[own][0])[at] * width + other[place]) * n + row[own][at]
        key.sort()
        both = key // n
        for left, right, amount in _meetings(both, key - both * n, n):
            most = amount + np.maximum(left_out[left], left_out[right])
            good = most >= np.maximum(least[left], least[right]) * (1 - _SLACK)
            yield left[good], right[good]
        report(done, total)


def _meetings(
    element: Int64Array,
    member: Int64Array,
    n: int,
    report: Callable[[int, int], None] | None = None,
    leading: BoolArray | None = None,
    weight: Float64Array | None = None,
) -> Iterator[tuple[Int64Array, Int64Array, Int64Array | Float64Array]]:
    """Yield blocks of pairs of members of one element or more, with the sum of the smaller weights there.

    Entries rise by element, then member, which is below ``n``. Each pair comes once, the smaller member
    first, which must be ``leading`` there. Weights are 1 unless given. ``report`` gets the number of meetings
    done, and of all.
    """
    entry = np.flatnonzero(element[1:] == element[:-1])  # each meets all that follow in its element
    last = np.flatnonzero(np.append(entry[1:] != entry[:-1] + 1, len(entry) > 0))
    length = np.repeat(entry[last] + 1, np.diff(last, prepend=-1)) - entry
    if leading is not None:
        entry, length = entry[leading[entry]], length[leading[entry]]
    order = stable_order(member[entry])
    entry, length = entry[order], length[order]
    row = member[entry]
    for own, done, total in groups(row, length, _BLOCK):
        times = length[own]
        place = np.arange(times.sum()) + np.repeat(entry[own] + 1 - np.cumsum(times) + times, times)
        pair = np.repeat(row[own] * n, times) + member[place]
        if weight is None:
            pair.sort()
            begin = np.flatnonzero(is_first(pair))
            pair, amount = pair[begin], np.diff(begin, append=len(pair))
        else:
            order = stable_order(pair)
            smaller = np.minimum(np.repeat(weight[entry[own]], times), weight[place])[order]
            begin = np.flatnonzero(is_first(pair[order]))
            pair, amount = pair[order[begin]], np.add.reduceat(smaller, begin)
        left = pair // n
        yield left, pair - left * n, amount
        if report is not None:
            report(done, total)


def _gathered(blocks: Iterator[RowPairs], n: int) -> Iterator[RowPairs]:
    """Yield the pairs in blocks of about one size, each pair once in a block."""
    held: list[Int64Array] = []
    size = 0
    for left, right in blocks:
        held.append(left * n + right)
        size += len(left)
        if size >= _GATHERED:
            yield _once(held, n)
            held, size = [], 0
    if size:
        yield _once(held, n)


def _once(held: list[Int64Array], n: int) -> RowPairs:
    pair = distinct(np.concatenate(held))
    left = pair // n
    return left, pair - left * n
