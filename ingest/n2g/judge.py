"""Judge: how well a graph predicts the firings of its neuron on text it was not built from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from n2gdb.core.arrays import FloatArray, IntArray
from n2gdb.core.graph import NeuronGraph
from n2gdb.ingest.n2g.text import lay

__all__ = ["UNJUDGED", "Verdict", "judge", "predict_windows", "verdict_of_counts"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Precision, recall and F1 of predicted against true firings.

    All three are NaN without a true firing; precision and F1 are 0 where no firing is predicted.
    """

    precision: float
    recall: float
    f1: float
    true_firings: int
    predicted_firings: int


#: Of a unit without a graph to judge.
UNJUDGED = Verdict(np.nan, np.nan, np.nan, 0, 0)


def judge(predicted: FloatArray, activations: FloatArray, threshold: float) -> Verdict:
    """Compare predicted with true normalised activations, -inf where none counts: (window, position) both.

    Source: N2G, arXiv 2305.19911, section 4.1.
    """
    said = (predicted >= threshold) & np.isfinite(activations)
    true = activations >= threshold
    hits = int(np.count_nonzero(said & true))
    return verdict_of_counts(hits, int(np.count_nonzero(true)), int(np.count_nonzero(said)))


def verdict_of_counts(hits: int, n_true: int, n_predicted: int) -> Verdict:
    """Return the verdict on so many hits among true and predicted firings."""
    if not n_true:
        return Verdict(np.nan, np.nan, np.nan, 0, n_predicted)
    precision = hits / n_predicted if n_predicted else 0.0
    return Verdict(precision, hits / n_true, 2 * hits / (n_true + n_predicted), n_true, n_predicted)


def predict_windows(graph: NeuronGraph, tokens: IntArray) -> FloatArray:
    """Predict along several windows at once: (window, position) -> (window, position).

    They are laid one after another with padding between that no pattern can cross.
    """
    gap = int(graph.depth.max(initial=0))
    return graph.predict(lay(tokens, gap)).reshape(len(tokens), gap + tokens.shape[1])[:, gap:]
