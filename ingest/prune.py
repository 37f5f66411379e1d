"""Prune: the shortest end of a window that still makes the neuron fire on its pivot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.engine import Engine, lengths_of
from n2gdb.ingest.windows import PAD

__all__ = ["Examples", "Prompts", "prune", "reach_of"]

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

    def take(self, rows: IndexArray) -> Prompts:
        """Return some of the prompts."""
        return Prompts(
            self.source[rows],
            self.neuron[rows],
            self.tokens[rows],
            self.pivot[rows],
            self.activations[rows],
            self.factor[rows],
        )


def prune(engine: Engine, layer: int, examples: Examples, config: N2GConfig) -> Prompts:
    """Cut each example to its shortest suffix with ``prune_ratio`` of the pivot's activation.

    Suffixes grow by one token; if none reaches the ratio, the longest stays. None crosses a special
    token. Examples whose pruned prompt does not activate at all are dropped, as nothing can be scaled.

    Source: N2G, arXiv 2305.19911, section 3.1.
    """
    reach = reach_of(engine, examples, config.prune_limit)  # (example,) longest suffix
    width = config.prune_limit + (engine.model.bos is not None)
    tokens = np.full((len(reach), width), PAD, np.int32)
    activations = np.zeros((len(reach), width), np.float32)
    pending = np.arange(len(reach))
    for length in range(1, config.prune_limit + 1):
        # One length at a time: no longer suffix is run for an example that a shorter one settles.
        pending = pending[reach[pending] >= length]
        prompt = _suffixes(engine.model.bos, examples, pending, length, width)
        found = engine.activations(layer, prompt, examples.neuron[pending])
        at_pivot = found[np.arange(len(pending)), _last(prompt)]
        enough = at_pivot >= config.prune_ratio * examples.activation[pending]
        settled = enough | (length == reach[pending])
        tokens[pending[settled]] = prompt[settled]
        activations[pending[settled]] = found[settled]
        pending = pending[~settled]
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


def reach_of(engine: Engine, examples: Examples, limit: int) -> IndexArray:
    """Return each example's longest suffix, up to the limit, the window's start or a special token."""
    position = np.arange(examples.tokens.shape[1])
    special = np.isin(examples.tokens, list(engine.model.special)) | (examples.tokens == PAD)
    before = np.where(special & (position < examples.pivot[:, None]), position, -1).max(axis=1)
    reach: IndexArray = np.minimum(examples.pivot - before, limit)
    return reach


def _suffixes(bos: int | None, examples: Examples, row: IndexArray, length: int, width: int) -> IntArray:
    """Cut suffixes of one length that end on the pivot, behind a BOS: (row, position)."""
    position = examples.pivot[row, None] + np.arange(1 - length, 1)  # (row, length)
    tokens = np.full((len(row), width), PAD, np.int32)
    front = int(bos is not None)
    if bos is not None:
        tokens[:, 0] = bos
    tokens[:, front : front + length] = examples.tokens[row[:, None], position]
    return tokens


def _last(prompts: IntArray) -> IndexArray:
    return lengths_of(prompts) - 1
