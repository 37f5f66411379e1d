"""Features for evidence: the tokens before a row, at one distance or anywhere near, by unit.

Every value of a feature, such as *the token 7 two positions back*, is numbered with its unit. There are many
more than a fit can take: those stay that promise most, one by one, where the activating tokens leave off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from n2gdb.core.arrays import FloatArray, IndexArray, Int64Array, IntArray
from n2gdb.ingest.evidence.additive import FitBlock
from n2gdb.ingest.evidence.corpus_text import CorpusText

__all__ = ["Feature", "context_features", "promising"]

#: A gain of less likelihood than this is none.
_LEAST_GAIN = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """One kind of context: its entries are pairs of a row and of a value, ``unit * span + token``."""

    depth: int  # as ``UnitEvidence.depth``: -32 is anywhere in the 32 positions before
    penalty: float
    row: IndexArray  # (entry,)
    key: Int64Array  # (entry,) the value
    excites: bool = False  # whether no weight of it may be below zero


def context_features(
    text: CorpusText,
    unit: npt.NDArray[np.integer],
    position: Int64Array,
    span: int,
    depth: int,
    reach: int,
    classes: Sequence[Int64Array],
    penalties: tuple[float, float],
    anchors: bool = True,
    absence: bool = True,
) -> list[Feature]:
    """List what may stand before rows: tokens and classes at each distance, and tokens anywhere near.

    ``penalties`` are for a weight at one distance and for one of anywhere near. ``anchors`` is whether
    special tokens are context too, ``absence`` whether a token anywhere near may weigh against a firing.
    """
    first = unit.astype(np.int64) * span
    at_distance, anywhere = penalties

    at: list[tuple[IndexArray, IntArray]] = []
    for distance in range(1, depth + 1):
        token = text.before(position, distance)
        row = np.flatnonzero((token >= 0) & (anchors | text.counted[np.maximum(position - distance, 0)]))
        at.append((row, token[row]))
    found = [
        Feature(distance, at_distance, row, first[row] + (token if named is None else named[token]))
        for named in (None, *classes)
        for distance, (row, token) in enumerate(at, 1)
    ]
    if reach:
        row, there = text.nearest(position, reach)
        if not anchors:
            row, there = row[text.counted[there]], there[text.counted[there]]
        found.append(Feature(-reach, anywhere, row, first[row] + text.tokens[there], not absence))
    return found


def promising(
    features: Sequence[Feature], slope: FloatArray, curve: FloatArray, span: int, units: int, most: int
) -> list[tuple[int, FitBlock, Int64Array]]:
    """Pick the ``most`` values of each unit that a Newton step of their own would gain most from.

    slope, curve (row,) are the first and second derivative of the loss at each row. Returns depth, block and
    keys (value,) of every feature with a value that was picked.
    """
    gains = []
    for feature in features:
        slopes = np.bincount(feature.key, slope[feature.row], units * span)
        curves = np.bincount(feature.key, curve[feature.row], units * span)
        key = np.flatnonzero(slopes > 0 if feature.excites else slopes)
        gain = slopes[key] ** 2 / (curves[key] + feature.penalty)
        gains.append((key[gain > _LEAST_GAIN], gain[gain > _LEAST_GAIN]))
    stays = best_of_each(
        np.concatenate([key // span for key, _ in gains]), np.concatenate([gain for _, gain in gains]), most
    )
    parts = np.split(stays, np.cumsum([len(key) for key, _ in gains])[:-1])
    picked = []
    for feature, (key, _), kept in zip(features, gains, parts, strict=True):
        if kept.any():
            picked.append((feature.depth, _block(feature, key[kept], span * units), key[kept]))
    return picked


def best_of_each(owner: Int64Array, score: npt.NDArray[np.floating], most: int) -> npt.NDArray[np.bool_]:
    """Tell which values are among the ``most`` with the highest scores of their owner, and above zero."""
    order = np.lexsort((-score, owner))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - np.searchsorted(owner[order], owner[order])
    return (rank < most) & (score > 0)


def _block(feature: Feature, keys: Int64Array, n_keys: int) -> FitBlock:
    number = np.full(n_keys, -1, np.int32)
    number[keys] = np.arange(len(keys), dtype=np.int32)
    value = number[feature.key]
    hit = np.flatnonzero(value >= 0)
    return FitBlock.of(
        feature.row[hit],
        value[hit],
        np.zeros(len(keys), np.float32),
        feature.penalty,
        several=feature.depth < 0,
        excites=feature.excites,
    )
