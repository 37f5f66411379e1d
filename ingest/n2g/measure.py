"""Measuring: a model's activations on training prompts and their variants, and each token's importance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from n2gdb.core.arrays import FloatArray, IndexArray
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.n2g.anchor import measure_anchor
from n2gdb.ingest.n2g.augment import Helper, augment
from n2gdb.ingest.n2g.prune import Examples, Prompts, prune
from n2gdb.ingest.n2g.saliency import measure_saliency

__all__ = ["Measured", "measure"]


@dataclass(frozen=True, slots=True)
class Measured:
    """Pruned prompts and the variants of them that still fire; firings are read off these rows.

    importance (original, masked position, position); inherits (prompt,) gives each prompt's row of it.
    slot (prompt,) is the importance of the token that a variant replaces: infinite where it is the pivot,
    and for the originals.
    """

    prompts: Prompts
    importance: FloatArray
    inherits: IndexArray
    slot: FloatArray
    n_originals: int


def measure(
    engine: Engine, layer: int, examples: Examples, helpers: Sequence[Helper], config: N2GConfig
) -> Measured:
    """Prune examples, measure what each of their tokens matters, and vary those that matter.

    Where graphs are refined, tokens are varied down to the least of the thresholds.

    Source: N2G, arXiv 2305.19911, sections 3.1 to 3.3.
    """
    anchor = _anchor(engine, layer, examples, config)
    prompts = prune(engine, layer, examples, config, whole=anchor > 0)
    prompts, importance = measure_saliency(engine, layer, prompts, config)
    n_originals = len(prompts.tokens)
    inherits: IndexArray = np.arange(n_originals)
    slot = np.full(n_originals, np.inf, np.float32)
    if helpers:
        least = min(config.thresholds)
        prompts, inherits, slot = augment(engine, layer, prompts, importance, helpers, config, least)
    if helpers and config.measure_variants:
        prompts, importance = measure_saliency(engine, layer, prompts, config)
        inherits = np.arange(len(prompts.tokens))
    # After variants were made, which have the start of the text as the originals do.
    row = np.flatnonzero(anchor[prompts.source[: len(importance)]] > 0)
    importance[row, 0, prompts.pivot[row]] = anchor[prompts.source[row]]
    return Measured(prompts, importance, inherits, slot, n_originals)


def _anchor(engine: Engine, layer: int, examples: Examples, config: N2GConfig) -> FloatArray:
    """How much the start of the text matters to each example of a latent: (example,), 0 where too little.

    Of neurons it is not measured.
    """
    if engine.model.at(layer).dictionary is None or not len(examples.pivot):
        return np.zeros(len(examples.pivot), np.float32)
    lost = measure_anchor(engine, layer, examples)
    return np.where(lost > min(config.thresholds), lost, 0).astype(np.float32)
