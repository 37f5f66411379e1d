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

from n2gdb.core.arrays import BoolArray, FloatArray, IntArray

__all__ = ["FitBlock", "Rows", "fit", "sigmoid"]


#: A Newton step of a weight is at most this large: far steps overshoot where few rows are undecided.
_STEP = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class FitBlock:
    """One feature: the values that rows have, for those that have one."""

    row: npt.NDArray[np.intp] | slice  # (entries,) rows that have a value; a slice where all have one
    value: IntArray  # (entries,) numbered over all units
    weight: FloatArray  # (values,)
    penalty: float
    several: FloatArray | None = None  # (entries,) values that the entry's row has; None where all have one

    @classmethod
    def of(
        cls,
        row: npt.NDArray[np.intp],
        value: IntArray,
        weight: FloatArray,
        penalty: float,
        rows: int | None = None,
    ) -> FitBlock:
        """Make a block of entries; ``rows``, the number of all, where a row may have several."""
        several = None if rows is None else np.bincount(row, minlength=rows)[row].astype(np.float32)
        return cls(row, value, weight, penalty, several)

    def restricted(self, stays: BoolArray, rows: int) -> FitBlock:
        """The same feature with some of its values, numbered anew: ``stays`` (values,)."""
        kept = np.flatnonzero(stays[self.value])
        row = kept if isinstance(self.row, slice) else self.row[kept]
        number = np.cumsum(stays, dtype=np.int32) - np.int32(1)
        value = number[self.value[kept]]
        return FitBlock.of(
            row, value, self.weight[stays], self.penalty, None if self.several is None else rows
        )

    def add_to(self, total: FloatArray, change: FloatArray) -> None:
        """Add a change of each weight (values,) to the log odds of rows (row,)."""
        if self.several is None:
            total[self.row] += change[self.value]
        else:
            assert not isinstance(self.row, slice), "a block of several values a row names its rows"
            total += np.bincount(self.row, change[self.value], len(total)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Rows:
    """What models are fitted to: labels from 0 to 1, and how much each row counts."""

    label: FloatArray  # (row,)
    importance: FloatArray  # (row,)


def sigmoid(x: FloatArray) -> FloatArray:
    """The logistic function."""
    found: FloatArray = np.reciprocal(1 + np.exp(-x))
    return found


def log_odds(rows: int, blocks: Sequence[FitBlock]) -> FloatArray:
    """What the blocks add up to: (row,)."""
    total = np.zeros(rows, np.float32)
    for block in blocks:
        block.add_to(total, block.weight)
    return total


def fit(rows: Rows, blocks: Sequence[FitBlock], sweeps: int) -> tuple[list[FitBlock], FloatArray]:
    """Improve the weights of blocks in turn, from where they stand; the log odds of all rows come with them.

    Minimises the logistic loss plus half of each block's penalty on its squared weights.
    """
    found = list(blocks)
    total = log_odds(len(rows.label), found)
    parts = [(rows.label[block.row], rows.importance[block.row]) for block in blocks]
    for _ in range(sweeps):
        for number, (block, (label, importance)) in enumerate(zip(found, parts, strict=True)):
            probability = sigmoid(total[block.row])
            size = len(block.weight)
            slope = np.bincount(block.value, importance * (label - probability), size)
            each = importance * probability * (1 - probability)
            curve = np.bincount(block.value, each if block.several is None else each * block.several, size)
            step = (slope - block.penalty * block.weight) / (curve + (block.penalty + 1e-9))
            step = np.clip(step, -_STEP, _STEP).astype(np.float32)
            block.add_to(total, step)
            found[number] = replace(block, weight=block.weight + step)
    return found, total
