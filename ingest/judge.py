"""Judge: how well a graph predicts the firings of its neuron on text it was not built from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from n2gdb.graph import NeuronGraph
from n2gdb.ingest.windows import PAD

__all__ = ["Verdict", "judge"]


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


def judge(
    graph: NeuronGraph,
    tokens: npt.NDArray[np.int32],
    activations: npt.NDArray[np.float32],
    counted: npt.NDArray[np.bool_],
    threshold: float,
) -> Verdict:
    """Run ``graph`` on windows and compare with the normalised activations there.

    tokens, activations, counted: (window, position); only positions that are counted are compared.

    Source: N2G, arXiv 2305.19911, section 4.1.
    """
    predicted = predict_windows(graph, tokens) >= threshold
    true = activations >= threshold
    hits = int(np.count_nonzero(predicted & true & counted))
    n_true = int(np.count_nonzero(true & counted))
    n_predicted = int(np.count_nonzero(predicted & counted))
    if not n_true:
        return Verdict(np.nan, np.nan, np.nan, 0, n_predicted)
    precision = hits / n_predicted if n_predicted else 0.0
    return Verdict(precision, hits / n_true, 2 * hits / (n_true + n_predicted), n_true, n_predicted)


def predict_windows(graph: NeuronGraph, tokens: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """Predict along several windows at once: (window, position) -> (window, position).

    They are laid behind one another with padding between that no pattern can cross.
    """
    gap = int(graph.depth.max(initial=0))
    laid = np.pad(tokens, ((0, 0), (gap, 0)), constant_values=PAD)
    return graph.predict(laid.ravel()).reshape(laid.shape)[:, gap:]
