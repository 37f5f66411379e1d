"""Weighted sets in flat arrays: finds the pairs that overlap, without a double loop.

Two sets that overlap by a share t have a common element among the rarest of both: so many that those left
out weigh less than t of the set. Only sets that meet there are compared (prefix filtering; Bayardo, Ma and
Srikant, *Scaling up all pairs similarity search*, 2007).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from n2gdb.core.arrays import (
    BoolArray,
    Float64Array,
    IndexArray,
    Int64Array,
    IntegerArray,
    expanded,
    is_first,
    stable_order,
)
from n2gdb.core.deadline import check_time

__all__ = ["SparseSets", "groups"]


#: Pairs that are made or compared at once: what bounds the memory.
_BLOCK = 1 << 21
#: Entries that are sorted at once: few enough for the processor's cache.
_SORTED = 1 << 18
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
        element: IntegerArray,
        n: int,
        weight: Float64Array | None = None,
        total: Float64Array | None = None,
        counts: BoolArray | None = None,
    ) -> SparseSets:
        """Lay out entries in any order; one that occurs twice counts once.

        Elements are numbers from 0 up. Weights are 1 unless given, and every entry counts.
        """
        frequency = np.bincount(element)
        used = np.flatnonzero(frequency)
        rarity = np.zeros(len(frequency), np.int64)
        rarity[used[stable_order(frequency[used])]] = np.arange(len(used))
        number = rarity[element]
        order = _by_row(row, number)
        row, number = row[order], number[order]
        if not (fresh := is_first(row) | is_first(number)).all():
            order, row, number = order[fresh], row[fresh], number[fresh]
        weights = np.ones(len(order)) if weight is None else weight[order].astype(np.float64, copy=False)
        totals = np.bincount(row, weights, n) if total is None else total
        counted = np.ones(len(order), np.bool_) if counts is None else counts[order]
        return cls(row, number, weights, totals.astype(np.float64), counted)

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
        others = np.bincount(self.row[~rare], self.weight[~rare], len(self.total))
        return rare, others.astype(np.float64)

    def shared(self, left: Int64Array, right: Int64Array) -> tuple[Float64Array, Int64Array]:
        """Return, for pairs of rows, the sum of the smaller weights of common elements, and their number."""
        least, size = np.zeros(len(left)), np.zeros(len(left), np.int64)
        if not len(self.row):
            return least, size
        lengths = np.diff(self.start)
        swap = lengths[left] > lengths[right]
        small, large = np.where(swap, right, left), np.where(swap, left, right)
        reach = np.cumsum(lengths[small])
        for low, high in _blocks(reach):
            check_time()
            pair, entry = expanded(self.start[small[low:high]], self.start[small[low:high] + 1])
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
        owner, place = expanded(begin[of_own], begin[of_own + 1])
        entry, mine = order[place], own[owner]
        rows = self.row[entry]
        smaller = np.minimum(self.weight[entry], self.weight[mine])
        least = np.bincount(rows, smaller, len(self.total)).astype(np.float64)
        size = np.bincount(rows[self.counts[entry]], minlength=len(self.total)).astype(np.int64)
        least[row] = size[row] = 0
        other = np.flatnonzero(size)
        return other, least[other], size[other]


def _by_row(row: Int64Array, number: Int64Array) -> IndexArray:
    """Return the order of entries by row, then number: most come by row, so the first sort is quick."""
    order = np.argsort(row, kind="stable")
    row, width = row[order], int(number.max(initial=0)) + 1
    for own, _, _ in groups(row, np.ones(len(row), np.int64), _SORTED):
        part = order[own]
        order[own] = part[stable_order((row[own] - row[own][0]) * width + number[part])]
    return order


def groups(rising: Int64Array, size: Int64Array, most: int) -> Iterator[tuple[slice, int, int]]:
    """Yield ranges of items of about ``most`` in size, equal ones together; how much is done, and of what."""
    end = np.append(np.flatnonzero(rising[1:] != rising[:-1]) + 1, len(rising))
    reach = np.cumsum(size)[end - 1] if len(rising) else end[:0]
    for low, high in _blocks(reach, most):
        yield slice(int(end[low - 1]) if low else 0, int(end[high - 1])), int(reach[high - 1]), int(reach[-1])


def _blocks(reach: Int64Array, most: int = _BLOCK) -> Iterator[tuple[int, int]]:
    """Yield ranges of items whose sizes, summed up in ``reach``, come to about ``most``."""
    low = 0
    while low < len(reach):
        done = int(reach[low - 1]) if low else 0
        high = max(low + 1, int(np.searchsorted(reach, done + most, "right")))
        yield low, high
        low = high
