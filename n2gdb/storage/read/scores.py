"""Scores of graphs and look-up tables by layer: the paper's table 1 for a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from n2gdb.storage.connection import Connection
from n2gdb.storage.shapes import settled

__all__ = ["N2G", "LayerScores", "mean_over_layers", "read_layer_scores"]

#: The predictor that is the stored graph itself; the others are ``schema.PREDICTORS``.
N2G = "n2g"


@dataclass(frozen=True, slots=True)
class LayerScores:
    """Means over the judged neurons of a layer: those that fire on the text.

    A predictor that predicts no firing of a neuron counts as 0 there. ``text`` is ``test``, the test half of
    each neuron's top examples, or ``heldout``. ``base_rate`` is the share of tokens that a neuron fires on,
    over all neurons of the layer, known only for held-out text; ``nodes`` is None for what is not a graph.
    ``layer`` is None for the mean over all layers.

    >>> mean = db.report()[-1]
    >>> mean.layer, mean.predictor
    (None, 'n2g')
    """

    model: str
    layer: int | None
    predictor: str
    text: str
    neurons: int
    precision: float | None
    recall: float | None
    f1: float | None
    nodes: float | None = None
    base_rate: float | None = None

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return asdict(self)


def read_layer_scores(connection: Connection, number: int, model: str) -> tuple[LayerScores, ...]:
    """Read the scores on test examples of one model, by layer, then predictor: the graph's own first.

    Source: N2G, arXiv 2305.19911, table 1.
    """
    own = connection.rows(
        f"MATCH (n:Neuron) WHERE n.model = $model RETURN n.layer, count(n.f1), {_means('n')}",
        {"model": number},
    )
    others = connection.rows(
        f"MATCH (s:Score) WHERE s.model = $model RETURN s.layer, s.predictor, count(s.f1), {_means('s')}",
        {"model": number},
    )
    rows = [(layer, N2G, *rest) for layer, *rest in own] + [tuple(row) for row in others]
    found = [
        LayerScores(model, layer, predictor, "test", int(neurons), precision, recall, f1, nodes)
        for layer, predictor, neurons, precision, recall, f1, nodes in rows
    ]
    return tuple(sorted(found, key=_place))


def _means(judged: str) -> str:
    """Return Cypher for the means of the scores, and of the nodes of those that have any."""
    columns = (
        *(f"{judged}.{name}" for name in ("precision", "recall", "f1")),
        (f"CASE WHEN {judged}.f1 IS NULL THEN NULL ELSE {judged}.n_nodes END"),
    )
    return ", ".join(settled(f"avg({column})") for column in columns)


def mean_over_layers(scores: Sequence[LayerScores]) -> tuple[LayerScores, ...]:
    """Return the means over all judged neurons of a model, for each predictor and text in ``scores``."""
    kinds = dict.fromkeys((each.model, each.predictor, each.text) for each in scores)
    return tuple(
        _mean([each for each in scores if (each.model, each.predictor, each.text) == kind]) for kind in kinds
    )


_ORDER = (N2G, "plain", "lookup", "ngram")


def _place(scores: LayerScores) -> tuple[int, int]:
    return scores.layer or 0, _ORDER.index(scores.predictor)


def _mean(layers: Sequence[LayerScores]) -> LayerScores:
    neurons = sum(each.neurons for each in layers)

    def mean(field: str) -> float | None:
        known = [(value, each.neurons) for each in layers if (value := getattr(each, field)) is not None]
        return sum(value * count for value, count in known) / neurons if known and neurons else None

    first = layers[0]
    return LayerScores(
        first.model,
        None,
        first.predictor,
        first.text,
        neurons,
        mean("precision"),
        mean("recall"),
        mean("f1"),
        mean("nodes"),
    )
