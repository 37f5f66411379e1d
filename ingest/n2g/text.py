"""Text that patterns are scored on: windows end to end, with the neuron's activations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from n2gdb.core.arrays import BoolArray, FloatArray, IndexArray, Int64Array, IntArray
from n2gdb.core.graph import IndexedText
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.n2g.candidates import Path

__all__ = ["LaidText", "RandomText", "lay"]

_Number = TypeVar("_Number", np.int32, np.float32)


def lay(windows: IntArray, gap: int) -> IntArray:
    """Lay windows one after another, with padding before each that no pattern crosses.

    (window, position) -> (windows x (gap + positions),)
    """
    return _behind_gaps(windows, gap, PAD)


def _behind_gaps(rows: npt.NDArray[_Number], gap: int, filling: float) -> npt.NDArray[_Number]:
    """Lay rows one after another, with a gap before each: (row, position) -> (rows x (gap + positions),)."""
    laid = np.full((len(rows), gap + rows.shape[1]), filling, rows.dtype)
    laid[:, gap:] = rows
    return laid.ravel()


def matches(tokens: Int64Array, at: IndexArray, paths: Iterable[Path]) -> dict[Path, BoolArray]:
    """Whether the context of each path stands before each of these positions: path -> (position,).

    Paths have steps and beginnings in common, each of which is looked for once.
    """
    found: dict[Path, BoolArray] = {(): np.ones(len(at), np.bool_)}
    steps: dict[tuple[int, int], BoolArray] = {}

    def match(path: Path) -> BoolArray:
        if path not in found:
            *before, step = path
            if step not in steps:
                depth, token = step
                steps[step] = tokens[at - depth] == token
            found[path] = match(tuple(before)) & steps[step]
        return found[path]

    return {path: match(path) for path in paths}


@dataclass(frozen=True, eq=False)
class LaidText:
    """A neuron's training windows: its normalised activation at every position, and the example there."""

    text: IndexedText
    activation: FloatArray  # (position,), -inf where none counts
    place: IndexArray  # (position,) the example, as its place among the neuron's

    @classmethod
    def of(cls, tokens: IntArray, activation: FloatArray, place: IndexArray, gap: int) -> LaidText:
        """Lay windows: tokens, activation (window, position), place (window,)."""
        width = tokens.shape[1] + gap
        laid = _behind_gaps(activation, gap, -np.inf)
        return cls(IndexedText(lay(tokens, gap)), laid, np.repeat(place, width))


@dataclass(frozen=True, eq=False)
class RandomText:
    """Random windows of the corpus, and where each neuron of a layer fires in them."""

    number: Int64Array  # (window,) the window's number in the corpus, rising
    windows: IntArray  # (window, position)
    gap: int
    firings: Mapping[int, IndexArray]  # neuron -> flat positions in ``windows``, rising
    first_counts: bool = True  # whether a window's first position does

    @cached_property
    def text(self) -> IndexedText:
        """The windows, laid one after another."""
        return IndexedText(lay(self.windows, self.gap))

    def fires(self, neuron: int) -> BoolArray:
        """Whether a neuron fires at each position of the laid text: (position,)."""
        width = self.windows.shape[1]
        found = np.zeros(len(self.text.tokens), np.bool_)
        flat = self.firings.get(neuron, np.zeros(0, np.intp))
        found[flat // width * (width + self.gap) + self.gap + flat % width] = True
        return found

    def hidden(self, windows: Int64Array) -> BoolArray:
        """Whether each position of the laid text is not to be weighed: (position,).

        Those in one of these windows of the corpus are not, nor first positions where they do not count.
        """
        hidden = np.repeat(np.isin(self.number, windows)[:, None], self.windows.shape[1] + self.gap, axis=1)
        hidden[:, self.gap] |= not self.first_counts
        return hidden.ravel()
