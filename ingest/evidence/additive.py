"""Additive logistic models of many units at once, fitted block by block.

A block is a feature of which each row has at most one value, as the token two positions back. Within a
block the Hessian is diagonal, so a Newton step of all its weights takes two sums over rows. Units share
arrays and never weights: their values are numbered apart.
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


@dataclass(frozen=True, slots=True)
class FitBlock:
    """One feature: the value that rows have, for those that have one."""

    row: npt.NDArray[np.intp] | slice  # (entries,) rows that have a value, rising; a slice where all do
    value: IntArray  # (entries,) numbered over all units
    weight: FloatArray  # (values,)
    penalty: float

    def restricted(self, stays: BoolArray) -> FitBlock:
        """The same feature without some of its values: ``stays`` (values,); their weights become 0."""
        kept = stays[self.value]
        row = np.flatnonzero(kept) if isinstance(self.row, slice) else self.row[kept]
        return FitBlock(
            row, self.value[kept], np.where(stays, self.weight, 0).astype(np.float32), self.penalty
        )


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
        total[block.row] += block.weight[block.value]
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
            curve = np.bincount(block.value, importance * probability * (1 - probability), size)
            step = (slope - block.penalty * block.weight) / (curve + (block.penalty + 1e-9))
            step = np.clip(step, -_STEP, _STEP).astype(np.float32)
            total[block.row] += step[block.value]
            found[number] = replace(block, weight=block.weight + step)
    return found, total
