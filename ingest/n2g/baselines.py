"""Baselines of the paper: look-up tables of what a neuron did after the same last tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from n2gdb.core.arrays import BoolArray, FloatArray, IndexArray, IntArray, KeyArray
from n2gdb.ingest.arrays import PAD

__all__ = ["NGRAM_LOOKUP", "TOKEN_LOOKUP", "NgramTable", "TextNgrams"]


#: Lengths of the tables that the paper compares with.
TOKEN_LOOKUP, NGRAM_LOOKUP = 1, 5

_PRIME, _MULTIPLIER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


@dataclass(frozen=True, slots=True, eq=False)
class NgramTable:
    """The largest activation seen after each n-gram of training text, for every n up to a bound.

    It predicts that of the longest n-gram which it knows, 0 if it knows none. The largest, as a mean
    would hardly ever reach the fire threshold: on the reference neurons the token look-up's F1 by layer is
    0.93 0.85 0.44 0.60 0.54 0.46 by the largest, 0.94 0.82 0.28 0.40 0.38 0.36 by the mean, over neurons
    that fire on their test examples. The published code makes and judges its look-up on windows without
    their BOS, where neurons fire elsewhere; here it reads what graphs read (docs/faithfulness.md).

    Source: N2G, arXiv 2305.19911, section 4.1.
    """

    keys: tuple[KeyArray, ...]  # for each n, the n-grams' keys, rising
    largest: tuple[FloatArray, ...]  # for each n, (n-gram,)

    @classmethod
    def learn(cls, n: int, tokens: IntArray, activation: FloatArray, least: float = -np.inf) -> Self:
        """Learn from windows: tokens, normalised activation (window, position), -inf where none counts.

        An n-gram activates no more than its last token. Longer ones whose last token never reaches ``least``
        are left out: what is predicted after them stays below it either way.
        """
        keys, largest = [], []
        counted = np.isfinite(activation)
        for key, whole in _keys(tokens, n):
            counted = counted & whole
            known, most, place = _largest(key[counted], activation[counted])
            keys.append(known)
            largest.append(most)
            if len(keys) == 1:
                counted[counted] = most[place] >= least
        return cls(tuple(keys), tuple(largest))

    def predictions(self, tokens: IntArray) -> Iterator[FloatArray]:
        """Predict along windows by n-grams of up to 1, 2, ... tokens: (window, position) -> the same each."""
        predicted = np.zeros(tokens.shape, np.float32)
        # From short to long: the longest known n-gram has the last word.
        for (key, whole), known, most in zip(
            _keys(tokens, len(self.keys)), self.keys, self.largest, strict=True
        ):
            if len(known):
                place = np.minimum(np.searchsorted(known, key), len(known) - 1)
                hit = whole & (known[place] == key)
                predicted[hit] = most[place[hit]]
            yield predicted.copy()

    def predict(self, tokens: IntArray) -> FloatArray:
        """Predict along windows: (window, position) -> (window, position)."""
        *_, predicted = self.predictions(tokens)
        return predicted


@dataclass(frozen=True, slots=True, eq=False)
class TextNgrams:
    """A long text that knows where each of its n-grams ends, for running many tables on it."""

    shape: tuple[int, int]
    keys: tuple[KeyArray, ...]  # for each n, rising
    position: tuple[IndexArray, ...]  # for each n, the flat position of each key

    @classmethod
    def of(cls, tokens: IntArray, longest: int) -> Self:
        """Index windows for n-grams up to a length: (window, position)."""
        keys, position = [], []
        for key, whole in _keys(tokens, longest):
            at = np.flatnonzero(whole.ravel())
            order = np.argsort(key.ravel()[at], kind="stable")
            position.append(at[order])
            keys.append(key.ravel()[at[order]])
        return cls((tokens.shape[0], tokens.shape[1]), tuple(keys), tuple(position))

    def fires(self, table: NgramTable, threshold: float) -> BoolArray:
        """Where a table predicts ``threshold`` or more, as ``NgramTable.predict``: (window, position)."""
        found = np.zeros(self.shape[0] * self.shape[1], np.bool_)
        for key, position, known, largest in zip(
            self.keys, self.position, table.keys, table.largest, strict=False
        ):
            start, stop = np.searchsorted(key, known, "left"), np.searchsorted(key, known, "right")
            size = stop - start
            # All positions of all known n-grams: runs of the sorted positions, laid one after another.
            offset = np.repeat(start - np.concatenate([[0], np.cumsum(size)[:-1]]), size)
            found[position[np.arange(len(offset)) + offset]] = np.repeat(largest >= threshold, size)
        return found.reshape(self.shape)


def _largest(key: KeyArray, activation: FloatArray) -> tuple[KeyArray, FloatArray, IndexArray]:
    """Return distinct keys, rising, the largest activation of each, and the place of every key among them."""
    known, place = np.unique(key, return_inverse=True)
    most = np.full(len(known), -np.inf, np.float32)
    np.maximum.at(most, place, activation)
    return known, most, place


def _keys(tokens: IntArray, longest: int) -> Iterator[tuple[KeyArray, BoolArray]]:
    """Yield a 64-bit key of the last 1, 2, ... tokens at each position, and whether there are as many.

    (window, position) -> (window, position) each.
    """
    number = (tokens.astype(np.int64) + 2).astype(np.uint64)
    key = np.zeros(tokens.shape, np.uint64)
    whole = np.ones(tokens.shape, np.bool_)
    for back in range(longest):
        there = number[:, : tokens.shape[1] - back]
        key, whole = key.copy(), whole.copy()
        whole[:, :back] = False
        whole[:, back:] &= there != PAD + 2
        mixed = (key[:, back:] ^ there) * _PRIME
        key[:, back:] = (mixed ^ (mixed >> np.uint64(29))) * _MULTIPLIER
        yield key, whole
