"""Answers on similarity: the neurons most similar to one, and all pairs, by their names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

from n2gdb.core import arguments
from n2gdb.core.units import NeuronName, OfNeuron
from n2gdb.grammar.ast import Metric
from n2gdb.similarity.search import Bounds, ComparisonSource, Rows, Score, similar
from n2gdb.storage.parameters import MOST_LISTED
from n2gdb.storage.read.names import neuron_of

if TYPE_CHECKING:
    from n2gdb.similarity.columns import SimilarityColumns, Table
    from n2gdb.similarity.pairs import Pairs
    from n2gdb.storage.read.catalog import ModelInfo
    from n2gdb.storage.read.shared_steps import SharedSteps

__all__ = [
    "LEAST_OF_PAIRS",
    "NeuronPair",
    "SimilarNeuron",
    "named_pairs",
    "notices_of",
    "read_metric",
    "scores_among",
    "similar_neurons",
]

#: The least similarity of pairs where none is said.
LEAST_OF_PAIRS = {Metric.GRAPH: 0.3, Metric.COFIRING: 0.3, Metric.TOKENS: 0.5, Metric.SUBSET: 0.9}


@dataclass(frozen=True, slots=True)
class SimilarNeuron(OfNeuron):
    """A neuron similar to another: ``similarity`` is from 0 to 1, ``size`` counts what they share.

    That is steps of their graphs, tokens over both roles, or recorded firings, depending on the metric.

    >>> nearest = neuron.similar(k=1)[0]
    >>> str(nearest.neuron), round(nearest.similarity, 2), nearest.size
    ('L4N137', 0.41, 2)
    """

    neuron: NeuronName
    model: str
    f1: float | None
    similarity: float
    size: int
    heldout_f1: float | None = None
    heldout_firings: int | None = None

    def __repr__(self) -> str:
        return f"<SimilarNeuron {self.neuron} similarity {self.similarity:.2f}, size {self.size}>"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON.

        >>> db.similar("L4N358", k=1)[0].as_dict()["neuron"]
        'L4N137'
        """
        return {
            "neuron": str(self.neuron),
            "model": self.model,
            "heldout_f1": self.heldout_f1,
            "heldout_firings": self.heldout_firings,
            "f1": self.f1,
            "similarity": self.similarity,
            "size": self.size,
        }


@dataclass(frozen=True, slots=True)
class NeuronPair:
    """Two neurons that are alike; ``similarity`` and ``size`` as of SimilarNeuron.

    >>> pair = db.pairs("subset", sharing=2)[0]
    >>> str(pair.first), str(pair.second), pair.similarity, pair.size
    ('L3N45', 'L4N12', 1.0, 2)
    """

    first: NeuronName
    first_model: str
    second: NeuronName
    second_model: str
    similarity: float
    size: int

    def __repr__(self) -> str:
        alike = f"similarity {self.similarity:.2f}, size {self.size}"
        return f"<NeuronPair {self.first} {self.second} {alike}>"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON.

        >>> sorted(db.pairs(sharing=1)[0].as_dict())
        ['first', 'first_model', 'second', 'second_model', 'similarity', 'size']
        """
        return {
            "first": str(self.first),
            "first_model": self.first_model,
            "second": str(self.second),
            "second_model": self.second_model,
            "similarity": self.similarity,
            "size": self.size,
        }


def notices_of(metric: Metric, columns: Callable[[], SimilarityColumns]) -> tuple[str, ...]:
    """Return what an answer by a metric has to say."""
    if metric is not Metric.COFIRING or columns().is_recorded:
        return ()
    return ("this database has no record of firings: those in the stored examples were compared",)


def read_metric(name: str) -> Metric:
    """Return a metric by its name; raise QueryError for another."""
    return Metric(arguments.kind("metric", name, [metric.value for metric in Metric]))


def similar_neurons(
    source: ComparisonSource, neuron: int, metric: Metric, models: Sequence[ModelInfo], bounds: Bounds
) -> list[SimilarNeuron]:
    """Return the neurons most like the one of this Neuron.id, the most similar first."""
    scores = similar(source, neuron, metric, bounds)
    figures = _figures(source.rows, scores)
    names = {model.number: model.name for model in models}
    found = []
    for score in scores:
        number, name = neuron_of(models, score.neuron)
        f1, *heldout = figures[score.neuron]
        found.append(SimilarNeuron(name, names[number], f1, score.score, score.size, *heldout))
    return found


def scores_among(
    table: Table, models: Sequence[ModelInfo], shared: SharedSteps, neurons: Sequence[int]
) -> dict[tuple[int, int], dict[str, float]]:
    """Return how alike every two of some neurons are, by Neuron.id and then by metric; 0 for nothing shared.

    Only what these neurons have is read, however many the database holds.
    """
    from n2gdb.similarity.columns import SimilarityColumns

    columns = SimilarityColumns(table, models, shared, neurons)
    scores = {
        pair: dict.fromkeys((metric.value for metric in Metric), 0.0) for pair in combinations(neurons, 2)
    }
    for first, metric in product(neurons[:-1], Metric):
        like = columns.against(first, metric)
        score = dict(zip(like.unit.tolist(), like.score.tolist(), strict=True))
        for second in neurons[neurons.index(first) + 1 :]:
            scores[first, second][metric.value] = score.get(second, 0.0)
    return scores


def named_pairs(pairs: Pairs, models: Sequence[ModelInfo], start: int, stop: int) -> list[NeuronPair]:
    """Return the pairs from ``start`` up to ``stop`` with their names."""
    found = []
    names = {model.number: model.name for model in models}
    for place in range(start, stop):
        first, second = (neuron_of(models, int(side[place])) for side in (pairs.left, pairs.right))
        found.append(
            NeuronPair(
                first[1],
                names[first[0]],
                second[1],
                names[second[0]],
                float(pairs.score[place]),
                int(pairs.size[place]),
            )
        )
    return found


def _figures(rows: Rows, scores: Sequence[Score]) -> dict[int, tuple[Any, Any, Any]]:
    """Return F1 on top examples, then on held-out text with the firings there, of the neurons scored."""
    returned = "RETURN n.id, n.f1, n.heldout_f1, n.heldout_firings"
    if len(scores) > MOST_LISTED:
        found = rows(f"MATCH (n:Neuron) {returned}", {})
    else:
        listed = [score.neuron for score in scores]
        found = rows(f"MATCH (n:Neuron) WHERE n.id IN $neurons {returned}", {"neurons": listed})
    return {key: (f1, heldout, firings) for key, f1, heldout, firings in found}
