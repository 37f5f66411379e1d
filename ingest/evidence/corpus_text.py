"""Corpus text: windows laid end to end, with an index from tokens to their positions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from n2gdb.core.arrays import (
    BoolArray,
    IndexArray,
    Int64Array,
    IntArray,
    IntegerArray,
    KeyArray,
    distinct,
    is_in,
    position_hash,
)

__all__ = ["NOTHING", "CorpusText"]


#: Stands before the start of a window, and wherever no token is.
NOTHING = -1

#: Two positions read alike where this many tokens up to them agree.
_ALIKE = 12

#: One for each of these.
_FACTORS = position_hash(np.arange(_ALIKE)) | np.uint64(1)

#: Positions that are looked back from at a time: what that takes stays near the core.
_TOGETHER = 1024

#: Two tokens are one number; tokens are fewer than this.
_TOKENS = 1 << 32


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

    def index(self) -> None:
        """Make what finds tokens, before it is first asked for."""
        _ = self._starts, self._next

    def occurrences(self, token: int) -> Int64Array:
        """Positions where a token stands and counts, rising."""
        if not 0 <= token < len(self._starts) - 1:
            return np.zeros(0, np.int64)
        there = self._order[self._starts[token] : self._starts[token + 1]].astype(np.int64)
        return there[self.counted[there]]

    def before(self, position: Int64Array, depth: int) -> IntArray:
        """The token ``depth`` positions back from each position; NOTHING before its window's start."""
        inside = self._inside(position) >= depth
        found: IntArray = np.where(inside, self.tokens[np.maximum(position - depth, 0)], NOTHING)
        return found

    @cached_property
    def _next(self) -> IntArray:
        """How far ahead the same token stands next: (position,).

        Farther than any window where it doesn't, 0 at padding.
        """
        order = self._order
        ahead = np.full(len(order), np.iinfo(np.int32).max, np.int32)
        named = self.tokens[order]
        same = named[1:] == named[:-1]
        ahead[order[:-1][same]] = (order[1:] - order[:-1])[same]
        ahead[self.tokens < 0] = 0
        return ahead

    def nearest(self, position: Int64Array, reach: int) -> tuple[IndexArray, Int64Array]:
        """Where each token of the ``reach`` positions before each of some stands nearest.

        Returns pairs of a place in ``position``, rising, and a flat position: (pair,) each.
        """
        reach = min(reach, self.width)
        ahead = sliding_window_view(self._next, reach)  # (position, reach)
        column = np.arange(reach, dtype=np.int32)
        rows: list[IndexArray] = [np.zeros(0, np.intp)]
        places: list[Int64Array] = [np.zeros(0, np.int64)]
        for start in range(0, len(position), _TOGETHER):
            some = position[start : start + _TOGETHER]
            first = np.maximum(some - reach, 0)
            distance = (some - first).astype(np.int32)[:, None] - column
            inside = self._inside(some).astype(np.int32)[:, None]
            found = (np.minimum(ahead[first], inside) >= distance) & (distance > 0)
            count = np.count_nonzero(found, axis=1)
            rows.append(np.repeat(np.arange(start, start + len(some)), count))
            places.append(np.flatnonzero(found) + np.repeat(first - np.arange(len(some)) * reach, count))
        return np.concatenate(rows), np.concatenate(places)

    def alike(self, position: Int64Array, windows: Int64Array) -> BoolArray:
        """Whether the last tokens up to each position read like those up to any position in some windows."""
        rows = self.tokens.reshape(-1, self.width)[windows]
        before = np.pad(rows, ((0, 0), (_ALIKE - 1, 0)), constant_values=NOTHING)
        steps = [before[:, _ALIKE - 1 - depth :][:, : self.width].ravel() for depth in range(_ALIKE)]
        # Most positions differ from all of them in the last two tokens.
        found = is_in(_pairs(self.tokens[position], self.before(position, 1)), distinct(_pairs(*steps[:2])))
        close = np.flatnonzero(found)
        here = (self.before(position[close], depth) for depth in range(_ALIKE))
        found[close] = is_in(_readings(here), distinct(_readings(steps)))
        return found

    def _inside(self, position: Int64Array) -> Int64Array:
        """How far each position is from its window's start; a third of the time that ``%`` takes."""
        return position - position // self.width * self.width


def _pairs(last: IntArray, before: IntArray) -> Int64Array:
    """A number for each pair of tokens, its own."""
    found: Int64Array = last.astype(np.int64) * _TOKENS + before
    return found


def _readings(steps: Iterable[IntArray]) -> KeyArray:
    """A key of the tokens at each distance from some positions: (position,) each -> (position,).

    Multiplied by odd numbers without a pattern and added up, different tokens give different keys, but for
    one pair in a trillion or fewer.
    """
    key = np.zeros(1, np.uint64)
    for token, factor in zip(steps, _FACTORS, strict=True):
        key = key + token.astype(np.uint64) * factor
    return key
