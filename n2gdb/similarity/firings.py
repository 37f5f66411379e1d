"""Where units fire: samples of positions, and how often two units fire together.

A sample holds the positions with the smallest hashes of all on which a unit fires, or all of them where they
are few. So of two units everything is known up to the smaller of their largest hashes: there the firings of
both are counted, and those of either. Where both samples are whole, the share is exact.

Source: Cohen and Kaplan, *Summarizing data using bottom-k sketches*, 2007.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from n2gdb.core.arrays import BoolArray, Float64Array, Int64Array, distinct, expanded
from n2gdb.similarity.meetings import Enough, candidates
from n2gdb.similarity.sparse_sets import SparseSets

__all__ = ["FiringSets"]

_ALL = np.iinfo(np.int64).max


@dataclass(frozen=True)
class FiringSets:
    """The positions on which ``n`` units fire, or samples of them.

    row     (entries,) the unit of each position, rising
    rank    (entries,) the position's place by its hash among all that are sampled, rising within a row
    limit   (n,) rank up to which all firings of a unit are known
    """

    row: Int64Array
    rank: Int64Array
    limit: Int64Array

    @classmethod
    def of(cls, row: Int64Array, rank: Int64Array, sampled: BoolArray) -> FiringSets:
        """Lay out firings in any order; ``sampled`` tells of which units only some are known: (n,)."""
        width = int(rank.max(initial=0)) + 1
        row, rank = np.divmod(distinct(row * width + rank), width)
        limit = np.full(len(sampled), _ALL)
        limit[sampled] = rank[np.searchsorted(row, np.flatnonzero(sampled), "right") - 1]
        return cls(row, rank, limit)

    @cached_property
    def start(self) -> Int64Array:
        """Where each row's entries begin, and the end: (n + 1,)."""
        return np.searchsorted(self.row, np.arange(len(self.limit) + 1))

    @cached_property
    def _width(self) -> int:
        return int(self.rank.max(initial=0)) + 2

    @cached_property
    def _key(self) -> Int64Array:
        return self.row * self._width + self.rank

    @cached_property
    def _by_rank(self) -> tuple[Int64Array, Int64Array]:
        """Rows by rank, and where each rank's begin: (entries,), (ranks + 1,)."""
        rank, row = np.divmod(np.sort(self.rank * len(self.limit) + self.row), len(self.limit))
        return row, np.searchsorted(rank, np.arange(self._width))

    def count(self, row: int) -> int:
        """Return how many firings of a unit are known."""
        return int(self.start[row + 1] - self.start[row])

    def against(self, row: int) -> tuple[Int64Array, Float64Array, Int64Array]:
        """Return the units that fire where one does: rows, the share of firings in common, their number."""
        own = self.rank[self.start[row] : self.start[row + 1]]
        rows, begin = self._by_rank
        _, place = expanded(begin[own], begin[own + 1])
        common = np.bincount(rows[place], minlength=len(self.limit))
        common[row] = 0
        other = np.flatnonzero(common)
        return other, self._share(np.full(len(other), row), other, common[other]), common[other]

    def pairs(
        self,
        above: float,
        allowed: Callable[[Int64Array, Int64Array], BoolArray],
        report: Callable[[int, int], None],
    ) -> Iterator[tuple[Int64Array, Int64Array, Float64Array, Int64Array]]:
        """Yield blocks of pairs of rows that fire together, with the share and the number of firings.

        All whose share is ``above`` or more are among them.
        """
        sets = SparseSets.of(self.row, self.rank, len(self.limit))
        for left, right in candidates(sets, self._enough(sets.total, above), report):
            kept = allowed(left, right)
            left, right = left[kept], right[kept]
            common = sets.shared(left, right)[1]
            yield left, right, self._share(left, right, common), common

    def _enough(self, count: Float64Array, above: float) -> Enough:
        """Return how many firings must be of both, of those that are known.

        Of a unit of which only some are known, all of these count where its limit is the smaller one.
        """
        whole = self.limit == _ALL
        fewest = count[~whole].min(initial=np.inf)
        either = Enough.of_either(count, above)

        def pair(left: Int64Array, right: Int64Array) -> Float64Array:
            return np.where(whole[left] & whole[right], either.pair(left, right), above * fewest)

        smaller, larger = (np.minimum(of, above * fewest) for of in (either.smaller, either.larger))
        return Enough(smaller, larger, pair, 0.5)  # many meet in one window of text and have little else

    def _share(self, left: Int64Array, right: Int64Array, common: Int64Array) -> Float64Array:
        limit = np.minimum(np.minimum(self.limit[left], self.limit[right]), self._width - 1)
        either = self._up_to(left, limit) + self._up_to(right, limit) - common
        share: Float64Array = common / np.maximum(either, 1)
        return share

    def _up_to(self, rows: Int64Array, limit: Int64Array) -> Int64Array:
        return np.searchsorted(self._key, rows * self._width + limit, "right") - self.start[rows]
