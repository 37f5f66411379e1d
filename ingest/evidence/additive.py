"""Additive logistic models of many units at once, fitted block by block.

A block is a feature, as the token two positions back. Where each row has at most one value of it, the
Hessian within the block is diagonal, so a Newton step of all its weights takes two sums over rows. Where a
row has several, as the tokens anywhere near, its curvature counts as often as it has values: the step is
then a shorter one that still never overshoots. Units share arrays and never weights: their values are
numbered apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from n2gdb.core.arrays import BoolArray, FloatArray, IndexArray

__all__ = ["FitBlock", "Rows", "fit", "sigmoid"]


#: A Newton step of a weight is at most this large: far steps overshoot where few rows are undecided.
_STEP = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class FitBlock:
    """One feature: the values that rows have, for those that have one, by value.

    Sums over entries are taken run by run, which is several times as fast as counting into bins.
    """

    row: IndexArray  # (entries,) rows that have a value
    value: IndexArray  # (entries,) numbered over all units, rising
    weight: FloatArray  # (values,)
    penalty: float
    several: bool  # whether a row may have several values
    start: IndexArray  # where the run of each value that has entries begins
    excites: bool = False  # whether no weight may be below zero

    @classmethod
    def of(
        cls,
        row: IndexArray,
        value: npt.NDArray[np.integer],
        weight: FloatArray,
        penalty: float,
        *,
        several: bool = False,
        excites: bool = False,
    ) -> FitBlock:
        """Make a block of entries in any order; ``several`` where a row may have several."""
        # Numbers of 16 bits are sorted by their digits, many times as fast.
        order = np.argsort(value.astype(np.uint16) if len(weight) <= 1 << 16 else value, kind="stable")
        return cls._of_runs(row[order], value[order].astype(np.intp), weight, penalty, several, excites)

    @classmethod
    def _of_runs(
        cls,
        row: IndexArray,
        value: IndexArray,
        weight: FloatArray,
        penalty: float,
        several: bool,
        excites: bool,
    ) -> FitBlock:
        start = np.flatnonzero(np.diff(value, prepend=-1))
        return cls(row, value, weight, penalty, several, start, excites)

    def restricted(self, stays: BoolArray) -> FitBlock:
        """The same feature with some of its values, numbered anew: ``stays`` (values,)."""
        kept = np.flatnonzero(stays[self.value])
        value = (np.cumsum(stays) - 1)[self.value[kept]]
        return FitBlock._of_runs(
            self.row[kept], value, self.weight[stays], self.penalty, self.several, self.excites
        )

    def add_to(self, total: FloatArray, change: FloatArray) -> None:
        """Add a change of each weight (values,) to the log odds of rows (row,)."""
        if self.several:
            np.add.at(total, self.row, change[self.value])
        else:
            total[self.row] += change[self.value]

    def sums(self, each: FloatArray) -> FloatArray:
        """Sum over the entries of each value: (entries,) -> (values,)."""
        found = np.zeros(len(self.weight), np.float32)
        if len(each):
            found[self.value[self.start]] = np.add.reduceat(each, self.start)
        return found


@dataclass(frozen=True, slots=True)
class Rows:
    """What models are fitted to: labels from 0 to 1, and how much each row counts."""

    label: FloatArray  # (row,)
    importance: FloatArray  # (row,)


def sigmoid(x: FloatArray) -> FloatArray:
    """The logistic function."""
    found: FloatArray = np.negative(x)  # the one array that it makes
    np.exp(found, out=found)
    found += 1
    return np.reciprocal(found, out=found)


def log_odds(rows: int, blocks: Sequence[FitBlock]) -> FloatArray:
    """What the blocks add up to: (row,)."""
    total = np.zeros(rows, np.float32)
    for block in blocks:
        block.add_to(total, block.weight)
    return total


@dataclass(frozen=True, slots=True)
class _Part:
    """What derivatives for a block are computed on: its entries, or all rows where a row may have several."""

    at: IndexArray | slice
    label: FloatArray
    importance: FloatArray
    several: FloatArray | None  # values that each row has

    @classmethod
    def of_block(cls, rows: Rows, block: FitBlock) -> _Part:
        if not block.several:
            return cls(block.row, rows.label[block.row], rows.importance[block.row], None)
        several = np.bincount(block.row, minlength=len(rows.label)).astype(np.float32)
        return cls(slice(None), rows.label, rows.importance, several)

    def derivatives(self, block: FitBlock, odds: FloatArray) -> tuple[FloatArray, FloatArray]:
        """How steeply the loss falls with each weight of the block, and its curvature: (values,) each.

        ``odds`` are the log odds of its entries, or of all rows.
        """
        probability = sigmoid(odds)
        slope = self.label - probability
        slope *= self.importance
        curve = self.importance * probability
        curve *= np.subtract(1, probability, out=probability)
        if self.several is None:
            return block.sums(slope), block.sums(curve)
        return block.sums(slope[block.row]), block.sums((curve * self.several)[block.row])


def fit(rows: Rows, blocks: Sequence[FitBlock], sweeps: int) -> tuple[list[FitBlock], FloatArray]:
    """Improve the weights of blocks in turn, from where they stand; the log odds of all rows come with them.

    Minimises the logistic loss plus half of each block's penalty on its squared weights.
    """
    found = list(blocks)
    total = log_odds(len(rows.label), found)
    parts = [_Part.of_block(rows, block) for block in blocks]
    for _ in range(sweeps):
        for number, (block, part) in enumerate(zip(found, parts, strict=True)):
            odds = total[part.at]
            slope, curve = part.derivatives(block, odds)
            step = (slope - block.penalty * block.weight) / (curve + (block.penalty + 1e-9))
            step = np.clip(step, -_STEP, _STEP).astype(np.float32)
            if block.excites:
                step = np.maximum(step, -block.weight)
            if block.several:
                block.add_to(total, step)
            else:  # as add_to, with what is at hand
                odds += step[block.value]
                total[block.row] = odds
            found[number] = replace(block, weight=block.weight + step)
    return found, total
