"""The paper's baselines: tables that know what a neuron did after the same last tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from n2gdb.ingest.windows import PAD

__all__ = ["NGRAM_LOOKUP", "TOKEN_LOOKUP", "NgramTable"]

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]
KeyArray = npt.NDArray[np.uint64]

#: Lengths of the tables that the paper compares with.
TOKEN_LOOKUP, NGRAM_LOOKUP = 1, 5

_PRIME, _MULTIPLIER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


@dataclass(frozen=True, slots=True, eq=False)
class NgramTable:
    """The largest activation seen after each n-gram of training text, for every n up to a bound.

    It predicts that of the longest n-gram which it knows, 0 where it knows none. The largest, as a mean
    would hardly ever reach the fire threshold: on the reference neurons the token look-up's F1 by layer is
    0.93 0.85 0.44 0.60 0.54 0.46 by the largest, 0.94 0.82 0.28 0.40 0.38 0.36 by the mean.

    Source: N2G, arXiv 2305.19911, section 4.1.
    """

    keys: tuple[KeyArray, ...]  # for each n, the n-grams' keys, rising
    largest: tuple[FloatArray, ...]  # for each n, (n-gram,)

    @classmethod
    def learn(cls, n: int, tokens: IntArray, activation: FloatArray) -> Self:
        """Learn from windows: tokens, normalised activation (window, position), -inf where none counts."""
        keys, largest = [], []
        for length in range(1, n + 1):
            key, whole = _keys(tokens, length)
            counted = whole & np.isfinite(activation)
            known, place = np.unique(key[counted], return_inverse=True)
            most = np.full(len(known), -np.inf, np.float32)
            np.maximum.at(most, place, activation[counted])
            keys.append(known)
            largest.append(most)
        return cls(tuple(keys), tuple(largest))

    def predict(self, tokens: IntArray) -> FloatArray:
        """Predict along windows: (window, position) -> (window, position)."""
        predicted = np.zeros(tokens.shape, np.float32)
        # From short to long: the longest known n-gram has the last word.
        for length, (known, most) in enumerate(zip(self.keys, self.largest, strict=True), 1):
            if not len(known):
                continue
            key, whole = _keys(tokens, length)
            place = np.minimum(np.searchsorted(known, key), len(known) - 1)
            hit = whole & (known[place] == key)
            predicted[hit] = most[place[hit]]
        return predicted


def _keys(tokens: IntArray, length: int) -> tuple[KeyArray, npt.NDArray[np.bool_]]:
    """A 64-bit key of the last tokens at each position, and whether there are as many: (window, position)."""
    key = np.zeros(tokens.shape, np.uint64)
    whole = np.ones(tokens.shape, np.bool_)
    for back in range(length):
        token = np.pad(tokens, ((0, 0), (back, 0)), constant_values=PAD)[:, : tokens.shape[1]]
        whole &= token != PAD
        mixed = (key ^ (token.astype(np.int64) + 2).astype(np.uint64)) * _PRIME
        key = (mixed ^ (mixed >> np.uint64(29))) * _MULTIPLIER
    return key, whole
