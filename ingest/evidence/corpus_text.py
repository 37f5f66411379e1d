"""Corpus text: windows laid end to end, with an index from tokens to their positions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from n2gdb.core.arrays import BoolArray, Int64Array, IntArray, IntegerArray, KeyArray, position_hash

__all__ = ["NOTHING", "CorpusText"]


#: Stands before the start of a window, and wherever no token is.
NOTHING = -1

#: Two positions read alike where this many tokens up to them agree.
_ALIKE = 12


@dataclass(frozen=True, eq=False)
class CorpusText:
    """Windows of a corpus, addressed by flat position: window x width + position in the window.

    ``counted`` is False at padding and special tokens, which are never activating tokens.
    """

    tokens: IntArray  # (position,)
    width: int
    counted: npt.NDArray[np.bool_]  # (position,)

    @classmethod
    def of(cls, windows: IntArray, special: Collection[int]) -> CorpusText:
        """Lay windows flat: (window, position), padded with PAD."""
        tokens = np.ascontiguousarray(windows).ravel()
        return cls(tokens, windows.shape[1], (tokens >= 0) & ~np.isin(tokens, sorted(special)))

    @cached_property
    def _order(self) -> IntegerArray:
        """Positions by their token, rising; padding first: (position,)."""
        order = np.argsort(self.tokens, kind="stable")
        return order.astype(np.uint32 if len(order) < 1 << 32 else np.int64)

    @cached_property
    def _starts(self) -> Int64Array:
        """Where the positions of each token begin in ``_order``: (tokens + 1,)."""
        found: Int64Array = np.cumsum(np.bincount(self.tokens + 1))
        return found

    def occurrences(self, token: int) -> Int64Array:
        """Positions where a token stands and counts, rising."""
        if not 0 <= token < len(self._starts) - 1:
            return np.zeros(0, np.int64)
        there = self._order[self._starts[token] : self._starts[token + 1]].astype(np.int64)
        return there[self.counted[there]]

    def before(self, position: Int64Array, depth: int) -> IntArray:
        """The token ``depth`` positions back from each position; NOTHING before its window's start."""
        inside = position % self.width >= depth
        found: IntArray = np.where(inside, self.tokens[np.maximum(position - depth, 0)], NOTHING)
        return found

    @cached_property
    def _next(self) -> IntArray:
        """How far ahead the same token stands next; farther than any window where it doesn't: (position,)."""
        order = self._order
        ahead = np.full(len(order), np.iinfo(np.int32).max, np.int32)
        named = self.tokens[order]
        same = named[1:] == named[:-1]
        ahead[order[:-1][same]] = (order[1:] - order[:-1])[same]
        return ahead

    def is_last(self, position: Int64Array, distance: int) -> BoolArray:
        """Whether a token stands ``distance`` back that does not stand nearer, from each position."""
        there = np.maximum(position - distance, 0)
        found: BoolArray = (position % self.width >= distance) & (self._next[there] >= distance)
        return found & (self.tokens[there] >= 0)

    def reading(self, position: Int64Array) -> KeyArray:
        """A key of the last tokens up to each of some positions, the same where they read alike: (some,)."""
        key = np.zeros(len(position), np.uint64)
        for depth in range(_ALIKE):
            key = position_hash(key ^ (self.before(position, depth).astype(np.int64) + 2).astype(np.uint64))
        return key

    def alike(self, windows: Int64Array) -> KeyArray:
        """Keys of every ``reading`` in some windows, rising."""
        position = windows[:, None] * self.width + np.arange(self.width)
        return np.unique(self.reading(position.ravel()))
