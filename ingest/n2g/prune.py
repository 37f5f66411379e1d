"""Prune: the shortest suffix of a window that still makes the neuron fire on its pivot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from n2gdb.core.arrays import BoolArray, FloatArray, IndexArray, IntArray
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.scan.sinks import BEYOND
from n2gdb.ingest.trunk.packing import lengths_of

__all__ = ["Examples", "Prompts", "prune", "reach_of", "shortest_of"]


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
    tokens: IntArray  # (prompt, position) with the BOS in front, PAD after it
    pivot: IndexArray  # (prompt,) the last position
    activations: FloatArray  # (prompt, position) as the model gives them; only the pivot's until measured
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


def prune(
    engine: Engine, layer: int, examples: Examples, config: N2GConfig, whole: BoolArray | None = None
) -> Prompts:
    """Cut each example to its shortest suffix with ``prune_ratio`` of the pivot's activation.

    If none reaches the ratio, the longest stays. None crosses a special token, but that without a BOS one
    token at least stands before the pivot, whatever it is. Those that are ``whole``, (example,), keep all
    that stands between the start of their window and the pivot. Examples whose pruned prompt does not
    activate at all, or as an attention sink does, are dropped, as nothing can be scaled.

    Source: N2G, arXiv 2305.19911, section 3.1.
    """
    reach = reach_of(engine, examples, config.prune_limit)  # (example,) longest suffix
    least = np.minimum(shortest_of(engine), reach)
    if whole is not None:
        least = np.where(whole, reach, least)
    length, kept = _shortest(engine, layer, examples, least, reach, config)
    alive = np.flatnonzero(kept > 0)
    tokens = _suffixes(engine.model.bos, examples, alive, length[alive], config.prune_limit)
    last = _last(tokens)
    activations = np.zeros(tokens.shape, np.float32)
    activations[np.arange(len(alive)), last] = kept[alive]
    factor = examples.activation[alive] / kept[alive] / examples.scale[alive]
    return Prompts(alive, examples.neuron[alive], tokens, last, activations, factor.astype(np.float32))


def reach_of(engine: Engine, examples: Examples, limit: int) -> IndexArray:
    """Return each example's longest suffix, up to the limit, the window's start or a special token.

    It has no less than ``shortest_of`` tokens, where the window has that many.
    """
    position = np.arange(examples.tokens.shape[1])
    special = np.isin(examples.tokens, list(engine.model.special)) | (examples.tokens == PAD)
    before = np.where(special & (position < examples.pivot[:, None]), position, -1).max(axis=1)
    reach: IndexArray = np.minimum(examples.pivot - before, limit)
    return np.maximum(reach, np.minimum(shortest_of(engine), examples.pivot + 1))


def shortest_of(engine: Engine) -> int:
    """Tokens of the shortest suffix: without a BOS one that stands before the pivot, which would be first."""
    return 1 if engine.model.first_counts else 2


def _shortest(
    engine: Engine,
    layer: int,
    examples: Examples,
    least: IndexArray,
    reach: IndexArray,
    config: N2GConfig,
) -> tuple[IndexArray, FloatArray]:
    """Find each example's shortest suffix that keeps enough of its activation, else its longest.

    None is shorter than ``least``.

    Returns its length and what it keeps at the pivot: (example,) each. Lengths grow by a factor, then the gap
    between the last that fails and the first that does not is halved: should a suffix in a gap that was leapt
    keep more than a longer one, it is overlooked.
    """
    fails = least - 1  # shorter ones are not tried
    keeps = np.full_like(reach, config.prune_limit + 1)
    kept = np.zeros(len(reach), np.float32)
    while True:
        further = np.maximum(fails + 1, (fails * config.prune_growth).astype(np.intp))
        length = np.where(keeps <= reach, (fails + keeps) // 2, np.minimum(further, reach))
        pending = np.flatnonzero((fails < reach) & (keeps - fails > 1))
        if not len(pending):
            return np.minimum(keeps, reach), kept
        prompt = _suffixes(engine.model.bos, examples, pending, length[pending], config.prune_limit)
        pivot = np.arange(prompt.shape[1]) == _last(prompt)[:, None]
        found = engine.activations(layer, prompt, examples.neuron[pending], pivot)[pivot]
        # In a shorter text the pivot may be an attention sink that it is not in the window.
        is_sink = found > BEYOND * examples.activation[pending]
        enough = (found >= config.prune_ratio * examples.activation[pending]) & ~is_sink
        # What the shortest that keeps enough gives, or the longest where none does.
        best = (enough | (length[pending] == reach[pending])) & ~is_sink
        kept[pending[best]] = found[best]
        keeps[pending[enough]] = length[pending[enough]]
        fails[pending[~enough]] = length[pending[~enough]]


def _suffixes(
    bos: int | None, examples: Examples, row: IndexArray, length: IndexArray, limit: int
) -> IntArray:
    """Cut the suffixes of these lengths that end on the pivots, after a BOS: (row, position)."""
    place = np.arange(limit)
    inside = place < length[:, None]
    position = examples.pivot[row, None] + 1 - length[:, None] + place  # (row, limit)
    text = np.where(inside, examples.tokens[row[:, None], np.where(inside, position, 0)], PAD)
    tokens = text if bos is None else np.pad(text, ((0, 0), (1, 0)), constant_values=bos)
    return tokens.astype(np.int32)


def _last(prompts: IntArray) -> IndexArray:
    return lengths_of(prompts) - 1
