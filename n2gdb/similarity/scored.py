"""Scores of all units in arrays, by Neuron.id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from n2gdb.core.arrays import Float64Array, Int64Array
from n2gdb.core.units import model_of
from n2gdb.grammar.ast import Metric
from n2gdb.similarity.columns import SimilarityColumns
from n2gdb.similarity.search import Score

__all__ = ["Scored", "scores_against"]


class Scored(Mapping[int, Score]):
    """Scores by Neuron.id; a Score is made when it is asked for."""

    __slots__ = ("_ids", "_score", "_size")

    def __init__(self, ids: Int64Array, score: Float64Array, size: Int64Array) -> None:
        """Take the scores of units, (units,) each, in any order."""
        order = np.argsort(ids)
        self._ids, self._score, self._size = ids[order], score[order], size[order]

    @classmethod
    def of(cls, scores: Mapping[int, Score]) -> Scored:
        """Take scores as arrays."""
        if isinstance(scores, cls):
            return scores
        every = scores.values()
        return cls(
            np.array([each.neuron for each in every], np.int64),
            np.array([each.score for each in every], np.float64),
            np.array([each.size for each in every], np.int64),
        )

    def among(self, ids: Int64Array) -> tuple[Float64Array, Int64Array]:
        """Return the scores and sizes of some units, 0 for those that have none."""
        place, known = self._places(ids)
        score, size = np.zeros(len(ids)), np.zeros(len(ids), np.int64)
        score[known], size[known] = self._score[place[known]], self._size[place[known]]
        return score, size

    def _places(self, ids: Int64Array) -> tuple[Int64Array, Int64Array]:
        place = np.searchsorted(self._ids, ids)
        inside = np.flatnonzero(place < len(self._ids))
        return place, inside[self._ids[place[inside]] == ids[inside]]

    def __getitem__(self, neuron: int) -> Score:
        place, known = self._places(np.array([neuron]))
        if not len(known):
            raise KeyError(neuron)
        return Score(neuron, float(self._score[place[0]]), int(self._size[place[0]]))

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids.tolist())

    def __len__(self) -> int:
        return len(self._ids)


def scores_against(columns: SimilarityColumns, own: Score, metric: Metric, model: int | None) -> Scored:
    """Return the scores of a unit and of all that share something with it, of one model unless it is None."""
    found = columns.against(own.neuron, metric)
    found = found.kept(found.size > 0)
    if model is not None:
        found = found.kept(model_of(found.unit) == model)
    return Scored(
        np.append(found.unit, own.neuron),
        np.append(found.score, own.score),
        np.append(found.size, own.size),
    )
