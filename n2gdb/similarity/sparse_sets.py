"""Weighted sets in flat arrays: finds the pairs that overlap, without a double loop.

Two sets that overlap by a share t have a common element among the rarest of both: so many that those left
out weigh less than t of the set. Only sets that meet there are compared (prefix filtering; Bayardo, Ma and
Srikant, *Scaling up all pairs similarity search*, 2007).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from n2gdb.core.arrays import BoolArray, Float64Array, Int64Array, distinct

__all__ = ["SparseSets", "expanded", "pairs_within"]


#: Pairs that are made or compared at once: what bounds the memory.
_BLOCK = 1 << 21
#: Sums of reals may miss a bound that they meet by this much.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class SparseSets:
    """``n`` sets over common elements, as rows of a sparse matrix.

    row      (entries,) the set of each entry, rising
    element  (entries,) numbered from the rarest up, rising within a row
    weight   (entries,) of the element in the set
    total    (n,) weight of each whole set, elements that no other set has included
    counts   (entries,) whether the element adds to the size of what is shared
    """

    row: Int64Array
    element: Int64Array
    weight: Float64Array
    total: Float64Array
    counts: BoolArray

    @classmethod
    def of(
        cls,
        row: Int64Array,
        element: Int64Array,
        n: int,
        weight: Float64Array | None = None,
        total: Float64Array | None = None,
        counts: BoolArray | None = None,
    ) -> SparseSets:
        """Lay out entries in any order; one that occurs twice counts once.

        Weights are 1 unless given, and every entry counts.
        """
        _, number, frequency = np.unique(element, return_inverse=True, return_counts=True)
        rarity = np.empty(len(frequency), np.int64)
        rarity[np.argsort(frequency, kind="stable")] = np.arange(len(frequency))
        key = row * max(1, len(frequency)) + rarity[number]
        first = np.argsort(key)
        first = first[is_first(key[first])]
        weights = np.ones(len(first)) if weight is None else weight[first].astype(np.float64)
        totals = np.bincount(row[first], weights, n) if total is None else total
        counted = np.ones(len(first), np.bool_) if counts is None else counts[first]
        return cls(row[first], rarity[number][first], weights, totals.astype(np.float64), counted)

    @cached_property
    def start(self) -> Int64Array:
        """Where each row's entries begin, and the end: (n + 1,)."""
        return np.searchsorted(self.row, np.arange(len(self.total) + 1))

    @cached_property
    def _key(self) -> Int64Array:
        return self.row * self._width + self.element

    @cached_property
    def _width(self) -> int:
        return int(self.element.max(initial=0)) + 1

    def prefix(self, share: float) -> BoolArray:
        """Return which entries are the rarest, without which less than ``share`` is left: (entries,)."""
        return self.rarest(share * self.total - _TOLERANCE)[0]

    def rarest(self, least: Float64Array) -> tuple[BoolArray, Float64Array]:
        """Return which entries are the rarest of their rows, and the weight of the others: (entries,), (n,).

        The others weigh less than ``least``, of which there is one a row.
        """
        after = np.cumsum(self.weight[::-1])[::-1]
        after = np.append(after, 0.0)
        rare: BoolArray = after[:-1] >= np.repeat(least + after[self.start[1:]], np.diff(self.start))
        return rare, np.bincount(self.row[~rare], self.weight[~rare], len(self.total))

    def shared(self, left: Int64Array, right: Int64Array) -> tuple[Float64Array, Int64Array]:
        """Return, for pairs of rows, the sum of the smaller weights of common elements, and their number."""
        least, size = np.zeros(len(left)), np.zeros(len(left), np.int64)
        if not len(self.row):
            return least, size
        lengths = np.diff(self.start)
        swap = lengths[left] > lengths[right]
        small, large = np.where(swap, right, left), np.where(swap, left, right)
        reach = np.cumsum(lengths[small])
        for low, high in blocks(reach):
            pair, entry = expanded(self.start[small[low:high]], lengths[small[low:high]])
            wanted = large[low:high][pair] * self._width + self.element[entry]
            found = np.searchsorted(self._key, wanted).clip(max=len(self._key) - 1)
            common = self._key[found] == wanted
            smaller = np.minimum(self.weight[entry[common]], self.weight[found[common]])
            least[low:high] = np.bincount(pair[common], smaller, high - low)
            counted = common & self.counts[entry]
            size[low:high] = np.bincount(pair[counted], minlength=high - low)
        return least, size

    @cached_property
    def _by_element(self) -> tuple[Int64Array, Int64Array]:
        """Entries by element, and where each element's begin: (entries,), (elements + 1,)."""
        order = np.argsort(self.element, kind="stable")
        return order, np.searchsorted(self.element[order], np.arange(self._width + 1))

    def against(self, row: int) -> tuple[Int64Array, Float64Array, Int64Array]:
        """Return the sets that have an element of one: rows, sum of smaller weights, number of those shared.

        The number is 0 where only elements are shared that do not count; the row itself is left out.
        """
        own = np.arange(self.start[row], self.start[row + 1])
        order, begin = self._by_element
        of_own = self.element[own]
        owner, place = expanded(begin[of_own], begin[of_own + 1] - begin[of_own])
        entry, mine = order[place], own[owner]
        rows = self.row[entry]
        smaller = np.minimum(self.weight[entry], self.weight[mine])
        least = np.bincount(rows, smaller, len(self.total)).astype(np.float64)
        size = np.bincount(rows[self.counts[entry]], minlength=len(self.total)).astype(np.int64)
        least[row] = size[row] = 0
        other = np.flatnonzero(size)
        return other, least[other], size[other]


def pairs_within(
    key: Int64Array, member: Int64Array, report: Callable[[int, int], None]
) -> Iterator[tuple[Int64Array, Int64Array]]:
    """Yield blocks of pairs, smaller member first, of all members that have a key in common.

    A pair comes once in a block, but may come in several. ``report`` gets the number of entries done.
    """
    order = np.lexsort((member, key))
    key, member = key[order], member[order]
    fresh = is_first(key) | is_first(member)
    key, member = key[fresh], member[fresh]
    end = np.searchsorted(key, key, "right")
    following = end - np.arange(len(key)) - 1  # each is paired with those after it in its group
    for low, high in blocks(np.cumsum(following)):
        first, second = expanded(np.arange(low, high) + 1, following[low:high])
        width = int(member.max(initial=0)) + 1
        pair = distinct(member[low + first] * width + member[second])
        yield pair // width, pair % width
        report(high, len(key))


def is_first(values: Int64Array) -> BoolArray:
    """Return which of some values differ from the one before: the first of each, where they rise."""
    first = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return first


def expanded(start: Int64Array, length: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return, for ranges of these starts and lengths, the range of each member and the member."""
    owner = np.repeat(np.arange(len(start)), length)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length)
    return owner, start[owner] + offset


def blocks(reach: Int64Array, most: int = _BLOCK) -> Iterator[tuple[int, int]]:
    """Yield ranges of items whose sizes, summed up in ``reach``, come to about ``most``."""
    low = 0
    while low < len(reach):
        done = int(reach[low - 1]) if low else 0
        high = max(low + 1, int(np.searchsorted(reach, done + most, "right")))
        yield low, high
        low = high
