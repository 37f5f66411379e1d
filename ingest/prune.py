"""Prune: the shortest end of a window that still makes the neuron fire on its pivot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.engine import PAD, Engine, lengths_of

__all__ = ["Examples", "Prompts", "prune"]

IntArray = npt.NDArray[np.int32]
IndexArray = npt.NDArray[np.intp]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Examples:
    """Training examples of neurons of one layer, one row each."""

    neuron: IndexArray  # (example,) index in the layer
    tokens: IntArray  # (example, position)
    pivot: IndexArray  # (example,)
    activation: FloatArray  # (example,) at the pivot
    scale: FloatArray  # (example,) the neuron's max activation


@dataclass(frozen=True, slots=True)
class Prompts:
    """Short prompts that end on a pivot, one row each; row i came of example ``source[i]``."""

    source: IndexArray  # (prompt,)
    neuron: IndexArray  # (prompt,)
    tokens: IntArray  # (prompt, position) with the BOS in front, PAD behind
    pivot: IndexArray  # (prompt,) the last position
    activations: FloatArray  # (prompt, position) as the model gives them
    factor: FloatArray  # (prompt,) normalises them and makes up for what pruning lost

    @property
    def normalised(self) -> FloatArray:
        """Normalised activations, rescaled by what pruning lost: (prompt, position)."""
        return self.activations * self.factor[:, None]


def prune(engine: Engine, layer: int, examples: Examples, config: N2GConfig) -> Prompts:
    """Cut each example to its shortest suffix with ``prune_ratio`` of the pivot's activation.

    Suffixes grow by one token; if none reaches the ratio, the longest stays. None crosses a special
    token. Examples whose pruned prompt does not activate at all are dropped, as nothing can be scaled.

    Source: N2G, arXiv 2305.19911, section 3.1.
    """
    reach = _reach(engine, examples, config)  # (example,) longest suffix
    width = config.prune_limit + (engine.model.bos is not None)
    tokens = np.full((len(reach), width), PAD, np.int32)
    activations = np.zeros((len(reach), width), np.float32)
    open_ = np.ones(len(reach), bool)
    for lengths in _rounds(config.prune_limit):
        row = np.flatnonzero(open_ & (reach >= lengths.start))
        row, length = _pairs(row, lengths, reach)
        prompt = _suffixes(engine.model.bos, examples, row, length, width)
        found = engine.activations(layer, prompt, examples.neuron[row])
        at_pivot = found[np.arange(len(row)), _last(prompt)]
        enough = at_pivot >= config.prune_ratio * examples.activation[row]
        keep = _shortest(row, length, enough | (length == reach[row]))
        tokens[row[keep]] = prompt[keep]
        activations[row[keep]] = found[keep]
        open_[row[keep]] = False
    last = _last(tokens)
    kept = activations[np.arange(len(tokens)), last]
    alive = np.flatnonzero(kept > 0)
    factor = examples.activation[alive] / kept[alive] / examples.scale[alive]
    return Prompts(
        alive,
        examples.neuron[alive],
        tokens[alive],
        last[alive],
        activations[alive],
        factor.astype(np.float32),
    )


def _rounds(limit: int) -> Iterator[range]:
    """Suffix lengths in rounds that grow: what a short suffix settles is not asked again."""
    start, size = 1, 2
    while start <= limit:
        yield range(start, min(start + size, limit + 1))
        start += size
        size = min(size + 1, 6)


def _reach(engine: Engine, examples: Examples, config: N2GConfig) -> IndexArray:
    """Longest suffix of each example: up to the limit, the window's start, or a special token."""
    position = np.arange(examples.tokens.shape[1])
    special = np.isin(examples.tokens, list(engine.model.special)) | (examples.tokens == PAD)
    before = np.where(special & (position < examples.pivot[:, None]), position, -1).max(axis=1)
    reach: IndexArray = np.minimum(examples.pivot - before, config.prune_limit)
    return reach


def _pairs(row: IndexArray, lengths: range, reach: IndexArray) -> tuple[IndexArray, IndexArray]:
    """Every (example, suffix length) of a round, as far as the example reaches."""
    rows, length = np.repeat(row, len(lengths)), np.tile(np.array(lengths), len(row))
    fits = length <= reach[rows]
    return rows[fits], length[fits]


def _suffixes(
    bos: int | None, examples: Examples, row: IndexArray, length: IndexArray, width: int
) -> IntArray:
    """Cut suffixes that end on the pivot, behind a BOS: (pair, position)."""
    front = bos is not None
    offset = np.arange(width - front)
    position = examples.pivot[row, None] - length[:, None] + 1 + offset  # (pair, position)
    inside = offset < length[:, None]
    tokens = np.where(inside, examples.tokens[row[:, None], np.where(inside, position, 0)], PAD)
    return np.pad(tokens, ((0, 0), (int(front), 0)), constant_values=bos or 0).astype(np.int32)


def _last(prompts: IntArray) -> IndexArray:
    return lengths_of(prompts) - 1


def _shortest(row: IndexArray, length: IndexArray, good: npt.NDArray[np.bool_]) -> IndexArray:
    """Indices of the first good pair of each example; pairs of one example stand by rising length."""
    index = np.flatnonzero(good)
    _, first = np.unique(row[index], return_index=True)
    found: IndexArray = index[first]
    return found
