"""Support and confidence: how often each pattern occurs in the corpus, and how often the unit fires there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from n2gdb.core.arrays import FloatArray, Int64Array
from n2gdb.core.graph import NeuronGraph
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.scan.record import ActivationRecord

__all__ = ["PatternCounts", "count_patterns"]


@dataclass(frozen=True, slots=True, eq=False)
class PatternCounts:
    """What the nodes of a graph meet in the corpus; arrays are (node,).

    A position counts for every node whose path ends there, whether or not a longer pattern matches too.
    """

    support: Int64Array  # occurrences of the path from the root to the node
    confidence: FloatArray  # share of these on which the unit fires; NaN without an occurrence


def count_patterns(
    text: CorpusText,
    record: ActivationRecord,
    units: Sequence[int],
    graphs: Sequence[NeuronGraph],
    threshold: float,
) -> list[PatternCounts]:
    """Count every path of some units' graphs; a unit fires from ``threshold`` of its maximum on.

    Where a record kept only some firings of a bin, each of these stands for as many as its bin has.
    """
    share = record.share()
    bins = record.bins()
    counts = []
    for unit, graph in zip(units, graphs, strict=True):
        entries = record.of(unit)
        fires = record.activation[entries] >= np.float32(threshold) * record.maximum[unit]
        position = record.position[entries][fires]
        weight = 1 / share[unit, bins[entries][fires]]
        counts.append(_count(text, graph, position, weight))
    return counts


def _count(
    text: CorpusText, graph: NeuronGraph, fires: Int64Array, weight: npt.NDArray[np.floating]
) -> PatternCounts:
    """Follow a graph over the corpus, and over the positions where its unit fires."""
    support = np.zeros(len(graph), np.int64)
    fired = np.zeros(len(graph))
    at: list[Int64Array] = []
    firing: list[npt.NDArray[np.intp]] = []
    for node, (token, depth, parent) in enumerate(
        zip(graph.token.tolist(), graph.depth.tolist(), graph.parent.tolist(), strict=True)
    ):
        if parent < 0:
            at.append(text.occurrences(token))
            firing.append(np.flatnonzero(text.tokens[fires] == token))
        else:
            here = at[parent]
            at.append(here[text.before(here, depth) == token])
            there = firing[parent]
            firing.append(there[text.before(fires[there], depth) == token])
        support[node] = len(at[node])
        fired[node] = weight[firing[node]].sum()
    confidence = np.full(len(graph), np.nan, np.float32)
    np.divide(np.minimum(fired, support), support, out=confidence, where=support > 0, casting="same_kind")
    return PatternCounts(support, confidence)
