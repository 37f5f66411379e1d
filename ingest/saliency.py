"""Saliency: how much of an activation is lost when a context token is masked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from n2gdb.ingest.engine import Engine
from n2gdb.ingest.prune import Prompts

__all__ = ["measure_saliency"]

FloatArray = npt.NDArray[np.float32]


def measure_saliency(engine: Engine, layer: int, prompts: Prompts, threshold: float) -> FloatArray:
    """Importance of each earlier position for the activation at each position.

    importance[p, k, j] = 1 - a(j, p with token k masked) / a(j, p), for k < j, at the pivot and wherever
    the normalised a(j, p) exceeds ``threshold``; else 0. Special tokens are never masked.
    Returns (prompt, masked position, position) float32.

    Source: N2G, arXiv 2305.19911, section 3.2; the fraction as in the authors' code.
    """
    tokens, width = prompts.tokens, prompts.tokens.shape[1]
    position = np.arange(width)
    fires = prompts.normalised > threshold  # (prompt, position)
    fires[np.arange(len(fires)), prompts.pivot] = True
    special = np.isin(tokens, list(engine.model.special))
    masked = (position < prompts.pivot[:, None]) & ~special
    prompt, mask = np.nonzero(masked)  # (variant,) each
    variant = tokens[prompt]
    variant[np.arange(len(prompt)), mask] = engine.model.mask
    found = engine.activations(layer, variant, prompts.neuron[prompt])  # (variant, position)
    importance = np.zeros((len(tokens), width, width), np.float32)
    later = fires[prompt] & (position > mask[:, None])
    ratio = np.divide(found, prompts.activations[prompt], out=np.ones_like(found), where=later)
    importance[prompt, mask] = np.where(later, 1 - ratio, 0)
    return importance
