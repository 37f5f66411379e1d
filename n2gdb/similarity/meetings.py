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

from n2gdb.core.arrays import BoolArray, Float64Array, Int64Array, stable_order
from n2gdb.similarity.sparse_sets import SparseSets, blocks, expanded, is_first

__all__ = ["Enough", "candidates", "candidates_of_both"]

#: Meetings that are made at once: few enough for the processor's cache.
_BLOCK = 1 << 18
#: Pairs of elements that are made at once.
_KEYS = 1 << 22
#: Bits of a weight as a whole number.
_BITS = 20
#: Elements are left out that weigh less than this part of what is needed.
_LEFT_OUT = 0.9
#: Sums of reals may miss a bound that they meet by this part.
_SLACK = 1e-9


@dataclass(frozen=True)
class Enough:
    """How much sets must have in common.

    smaller  (n,) each with sets that are as large or larger, at least
    larger   (n,) each with sets that are as small or smaller, at least; no more than ``smaller``
    pair     takes pairs, the smaller set first, and returns how much each needs
    """

    smaller: Float64Array
    larger: Float64Array
    pair: Callable[[Int64Array, Int64Array], Float64Array]

    @classmethod
    def of_either(cls, total: Float64Array, share: float) -> Enough:
        """A share of what either has: s of totals a and b for which s / (a + b - s) is that much."""
        part = share / (1 + share) * total
        return cls(2 * part, share * total, lambda smaller, larger: part[smaller] + part[larger])

    @classmethod
    def of_smaller(cls, total: Float64Array, share: float) -> Enough:
        """A share of the smaller set."""
        least = share * total
        return cls(least, np.zeros(len(total)), lambda smaller, larger: least[smaller])


def candidates(
    sets: SparseSets, enough: Enough, report: Callable[[int, int], None]
) -> Iterator[tuple[Int64Array, Int64Array]]:
    """Yield blocks of pairs of rows that may have enough in common, each pair once, the smaller
    row first."""
    n = len(sets.total)
    by_size = np.argsort(sets.total, kind="stable")
    place = np.empty(n, np.int64)
    place[by_size] = np.arange(n)
    leading, left_out = sets.rarest(_LEFT_OUT * enough.smaller)
    kept, left_out_of_larger = sets.rarest(_LEFT_OUT * enough.larger)
    kept = np.flatnonzero(kept)
    kept = kept[np.argsort(sets.element[kept] * n + place[sets.row[kept]])]
    unit = sets.weight.max(initial=1.0)
    worth = None
    if unit != sets.weight.min(initial=1.0):
        unit /= (1 << _BITS) - 1
        worth = np.ceil(sets.weight[kept] / unit).astype(np.int64)
    found = _meetings(sets.element[kept], place[sets.row[kept]], n, report, leading[kept], worth)
    for smaller, larger, amount in found:
        smaller, larger = by_size[smaller], by_size[larger]
        most = amount * unit + np.maximum(left_out[smaller], left_out_of_larger[larger])
        good = most >= enough.pair(smaller, larger) * (1 - _SLACK)
        smaller, larger = smaller[good], larger[good]
        yield np.minimum(smaller, larger), np.maximum(smaller, larger)


def candidates_of_both(
    first: SparseSets, second: SparseSets, share: float, report: Callable[[int, int], None]
) -> Iterator[tuple[Int64Array, Int64Array]]:
    """Yield blocks of pairs of rows that may have a share of the larger set in common in two kinds of sets.

    Pairs have a rare element of ``first`` and one of ``second`` in common, or none in ``second``. The smaller
    row is first; a pair may come in several blocks.
    """
    n = len(first.total)
    entry = np.flatnonzero(first.prefix(share))
    entry = entry[stable_order(first.element[entry])]
    element, row = first.element[entry], first.row[entry]
    least = share * second.total
    rare, left_out = second.rarest(_LEFT_OUT * least)
    alone = np.flatnonzero(np.diff(second.start) == 0)
    owner = np.concatenate([second.row[rare], alone])
    order = stable_order(owner)
    other = np.concatenate([second.element[rare] + 1, np.zeros(len(alone), np.int64)])[order]
    start, width = np.searchsorted(owner[order], np.arange(n + 1)), int(other.max(initial=0)) + 1
    length = np.diff(start)[row]
    for own, done, total in _groups(element, length, _KEYS):
        at, place = expanded(start[row[own]], length[own])
        key = ((element[own] - element[own][0])[at] * width + other[place]) * n + row[own][at]
        key.sort()
        both = key // n
        for left, right, amount in _meetings(both, key - both * n, n, lambda *_: report(done, total)):
            most = amount + np.maximum(left_out[left], left_out[right])
            good = most >= np.maximum(least[left], least[right]) * (1 - _SLACK)
            yield left[good], right[good]


def _meetings(
    element: Int64Array,
    member: Int64Array,
    n: int,
    report: Callable[[int, int], None],
    leading: BoolArray | None = None,
    worth: Int64Array | None = None,
) -> Iterator[tuple[Int64Array, Int64Array, Int64Array]]:
    """Yield blocks of pairs of members of one element or more, with the sum of the smaller worths.

    Entries rise by element, then member. Each pair comes once, the smaller member first, which must be
    ``leading`` there; members are below ``n``, worths below 2 ** _BITS, and 1 unless given. ``report`` gets the
    number of meetings done, and of all.
    """
    first = np.flatnonzero(is_first(element))
    size = np.diff(first, append=len(element))
    following = np.repeat(first + size, size) - np.arange(1, len(element) + 1)
    if leading is not None:
        following *= leading
    entry = np.flatnonzero(following)
    entry = entry[stable_order(member[entry])]
    length, row = following[entry], member[entry]
    for own, done, total in _groups(row, length, _BLOCK):
        times, start = length[own], entry[own] + 1
        place = np.arange(times.sum()) + np.repeat(start - np.cumsum(times) + times, times)
        base = row[own][0]
        pair = np.repeat((row[own] - base) * n, times) + member[place]
        if worth is None:
            pair.sort()
            begin = np.flatnonzero(is_first(pair))
            pair, amount = pair[begin], np.diff(begin, append=len(pair))
        else:
            pair <<= _BITS
            pair |= np.minimum(np.repeat(worth[entry[own]], times), worth[place])
            pair.sort()
            each = pair & ((1 << _BITS) - 1)
            pair >>= _BITS
            begin = np.flatnonzero(is_first(pair))
            pair, amount = pair[begin], np.add.reduceat(each, begin)
        left = pair // n
        yield left + base, pair - left * n, amount
        report(done, total)


def _groups(rising: Int64Array, size: Int64Array, most: int) -> Iterator[tuple[slice, int, int]]:
    """Yield ranges of items of about ``most`` in size, all that are equal in one; what is done, and of what."""
    end = np.append(np.flatnonzero(rising[1:] != rising[:-1]) + 1, len(rising))
    reach = np.cumsum(size)[end - 1] if len(rising) else end[:0]
    for low, high in blocks(reach, most):
        yield slice(int(end[low - 1]) if low else 0, int(end[high - 1])), int(reach[high - 1]), int(reach[-1])
