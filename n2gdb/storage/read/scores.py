"""Scores of graphs and look-up tables by layer: the paper's table 1 for a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from n2gdb.storage.columns import TEXTS
from n2gdb.storage.connection import Connection
from n2gdb.storage.shapes import settled

__all__ = ["N2G", "LayerScores", "mean_over_layers", "read_layer_scores"]

#: The predictor that is the stored graph itself; ``schema.PREDICTORS`` has the others, by text.
N2G = "n2g"

#: Resamples of a layer's neurons that an interval is read off.
_RESAMPLES = 300


@dataclass(frozen=True, slots=True)
class LayerScores:
    """Means over the judged neurons of a layer: those that fire on the text.

    A predictor that predicts no firing of a neuron counts as 0 there. ``text`` is ``test``, the test half of
    each neuron's top examples, ``heldout``, or ``active``: the test half again, of latents, where any
    activation above zero is a firing. ``base_rate`` is the share of tokens that a neuron fires on,
    over all neurons of the layer, known only for held-out text; ``nodes`` is None for what is not a graph.
    ``layer`` is None for the mean over all layers. ``f1_low`` and ``f1_high`` are the ends of the 95 %
    interval of the mean F1, from resampling the neurons; None where it is not known.

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
    f1_low: float | None = None
    f1_high: float | None = None

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON.

        >>> db.report()[0].as_dict()["predictor"]
        'n2g'
        """
        return asdict(self)


def read_layer_scores(connection: Connection, number: int, model: str) -> tuple[LayerScores, ...]:
    """Read the scores of one model, by text, layer, then predictor: the graph's own first.

    Source: N2G, arXiv 2305.19911, table 1.
    """
    own = connection.rows(
        f"MATCH (n:Neuron) WHERE n.model = $model RETURN n.layer, count(n.f1), {_means('n')}",
        {"model": number},
    )
    others = connection.rows(
        "MATCH (n:Neuron)-[s:SCORE]->(:Model) WHERE n.model = $model"
        f" RETURN n.layer, s.text, s.predictor, count(s.f1), {_means('s')}",
        {"model": number},
    )
    rows = [(layer, "test", N2G, *rest) for layer, *rest in own] + [tuple(row) for row in others]
    found = [
        LayerScores(model, layer, predictor, text, int(neurons), precision, recall, f1, nodes)
        for layer, text, predictor, neurons, precision, recall, f1, nodes in rows
    ]
    intervals = _intervals(connection, number)
    with_intervals = [
        replace(each, f1_low=ends[0], f1_high=ends[1]) if ends else each
        for each in found
        for ends in (intervals.get((each.layer or 0, each.text, each.predictor)),)
    ]
    return tuple(sorted(with_intervals, key=_place))


def _intervals(connection: Connection, number: int) -> dict[tuple[int, str, str], tuple[float, float]]:
    """Return the 95 % intervals of mean F1 by layer, text and predictor, from seeded resamples of neurons."""
    import numpy as np

    rows = connection.rows(
        "MATCH (n:Neuron) WHERE n.model = $model AND n.f1 IS NOT NULL RETURN n.id, n.layer, n.f1",
        {"model": number},
    )
    scores: dict[tuple[int, str, str], list[float]] = {}
    for _, layer, f1 in sorted(rows):
        scores.setdefault((layer, "test", N2G), []).append(f1)
    rows = connection.rows(
        "MATCH (n:Neuron)-[s:SCORE]->(:Model) WHERE n.model = $model AND s.f1 IS NOT NULL"
        " RETURN n.id, n.layer, s.text, s.predictor, s.f1",
        {"model": number},
    )
    for _, layer, text, predictor, f1 in sorted(rows):
        scores.setdefault((layer, text, predictor), []).append(f1)
    found = {}
    for place, values in scores.items():
        drawn = np.random.default_rng(0).integers(0, len(values), (_RESAMPLES, len(values)))
        low, high = np.percentile(np.array(values)[drawn].mean(axis=1), (2.5, 97.5))
        found[place] = (round(float(low), 6), round(float(high), 6))
    return found


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


_ORDER = (N2G, "evidence", "plain", "lookup", "ngram")


def _place(scores: LayerScores) -> tuple[int, int, int]:
    return TEXTS.index(scores.text), scores.layer or 0, _ORDER.index(scores.predictor)


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
        None,
        *_joined_interval(layers, mean("f1"), neurons),
    )


def _joined_interval(
    layers: Sequence[LayerScores], mean: float | None, neurons: int
) -> tuple[float | None, float | None]:
    """Return the interval of a mean over layers, whose errors are independent of each other."""
    known = [
        (each.f1 - each.f1_low, each.f1_high - each.f1, each.neurons)
        for each in layers
        if each.f1 is not None and each.f1_low is not None and each.f1_high is not None
    ]
    if mean is None or sum(count for *_, count in known) != neurons:
        return None, None
    below, above = (sum((each[side] * each[2] / neurons) ** 2 for each in known) for side in (0, 1))
    return mean - below**0.5, mean + above**0.5
