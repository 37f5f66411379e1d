"""Anchors: examples on which a unit fires because the text has just begun.

The token in front of a text is never masked: what would be measured is a text that no model was trained on.
Instead text is put between it and all that follows. What is lost then is how much the start of the text
matters.
"""

from __future__ import annotations

import numpy as np

from n2gdb.core.arrays import FloatArray
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.n2g.prune import Examples, reach_of

__all__ = ["REACH", "measure_anchor"]

#: Tokens from the start of the text in which a unit may fire because of it.
REACH = 12

#: Tokens that are put in between.
_BETWEEN = 16


def measure_anchor(engine: Engine, layer: int, examples: Examples) -> FloatArray:
    """Share of each example's activation that is lost where it stands further from the start: (example,).

    0 where its pivot stands further than REACH from the start, or where nothing can be put in between: that
    is what follows in the same window. In a model without a BOS nothing is anchored.
    """
    lost = np.zeros(len(examples.pivot), np.float32)
    bos = engine.model.bos
    if bos is None:
        return lost
    width = examples.tokens.shape[1]
    between = examples.pivot[:, None] + 1 + np.arange(_BETWEEN)  # (example, between)
    filling = np.take_along_axis(examples.tokens, np.minimum(between, width - 1), 1)
    whole = (between < width) & (filling != PAD) & ~np.isin(filling, list(engine.model.special))
    near = (examples.pivot <= REACH) & (reach_of(engine, examples, REACH) == examples.pivot)
    row = np.flatnonzero(near & (examples.tokens[:, 0] == bos) & whole.all(axis=1))
    prompts = np.full((len(row), 1 + _BETWEEN + REACH), PAD, np.int32)
    prompts[:, 0], prompts[:, 1 : 1 + _BETWEEN] = bos, filling[row]
    place = np.arange(1, REACH + 1)
    prompts[:, 1 + _BETWEEN :] = np.where(
        place <= examples.pivot[row, None], examples.tokens[row][:, np.minimum(place, width - 1)], PAD
    )
    pivot = np.arange(prompts.shape[1]) == (examples.pivot[row] + _BETWEEN)[:, None]
    found = engine.activations(layer, prompts, examples.neuron[row], pivot)[pivot]
    lost[row] = np.maximum(0, 1 - found / examples.activation[row])
    return lost
