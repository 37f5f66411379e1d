"""The activation that evidence predicts: how far the log odds of firing lie above a unit's own threshold.

Evidence predicts firings, not activations. So that its predictions stand beside those of graphs, log odds are
brought to their scale: what is predicted to fire reaches the fire threshold, and nothing else does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from n2gdb.core.arrays import BoolArray, FloatArray, Int64Array

if TYPE_CHECKING:
    import numpy as np

    from n2gdb.core.graph import NeuronGraph
    from n2gdb.evidence.weights import UnitEvidence

__all__ = ["log_odds_of", "predicted_activations"]

#: The fire threshold is kept so far from 0 and from 1, whose log odds are infinite.
_EDGE = 1e-6


def predicted_activations(
    log_odds: FloatArray, threshold: float | FloatArray | np.float32, fire_threshold: float
) -> FloatArray:
    """Bring log odds of firing to normalised activations, from 0 to 1: an array of any shape, float32.

    A unit fires where its log odds reach ``threshold``, its own: there, and nowhere else, the result is
    ``fire_threshold`` or more. Where this is 0.5 and the unit's threshold is 0, the result is the probability
    that it fires; log odds of -inf, of a token that is not activating, give 0.
    """
    import numpy as np

    share = min(max(fire_threshold, _EDGE), 1 - _EDGE)
    shift = math.log(share / (1 - share))
    above = log_odds.astype(np.float64) - np.asarray(threshold, np.float32)
    with np.errstate(over="ignore"):
        found = (1 / (1 + np.exp(-(above + shift)))).astype(np.float32)
    least = np.float32(fire_threshold)
    if least < fire_threshold:  # what is rounded down would not fire
        least = np.nextafter(least, np.float32(2))
    fires = log_odds >= np.asarray(threshold, np.float32)
    below = np.nextafter(np.float32(fire_threshold), np.float32(0))
    activations: FloatArray = np.where(fires, np.maximum(found, least), np.minimum(found, below))
    return activations


def log_odds_of(
    evidence: UnitEvidence,
    graph: NeuronGraph,
    tokens: Sequence[int],
    classes: Int64Array | None,
    fire_threshold: float,
) -> FloatArray:
    """Return the log odds that a unit fires at every position of a text: (positions,) float32.

    ``classes`` are as of ``UnitEvidence.log_odds``; the graph predicts a firing from ``fire_threshold`` on.
    """
    matched: BoolArray = graph.predict(tokens) >= fire_threshold
    return evidence.log_odds(tokens, classes, matched)
