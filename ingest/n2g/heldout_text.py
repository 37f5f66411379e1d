"""Held-out text on which graphs, look-up tables and evidence are judged by the true firings."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from n2gdb.core.arrays import BoolArray, IndexArray, Int64Array, IntArray
from n2gdb.core.graph import IndexedText, NeuronGraph
from n2gdb.evidence.weights import UnitEvidence
from n2gdb.ingest.n2g.baselines import TextNgrams
from n2gdb.ingest.n2g.judge import Verdict, verdict_of_counts
from n2gdb.ingest.n2g.learn import BASELINES
from n2gdb.ingest.n2g.text import lay

__all__ = ["HELDOUT_GAP", "HeldoutText"]

#: Padding between windows, at least: no pattern may reach further back.
HELDOUT_GAP = 64


@dataclass(frozen=True, eq=False)
class HeldoutText:
    """Windows of held-out text, ready for any number of graphs and tables to be run on."""

    windows: IntArray  # (window, position)
    counted: BoolArray  # (window, position) see SubjectModel.counted
    gap: int = HELDOUT_GAP  # padding between windows, as deep as the deepest graph or deeper
    laid: IndexedText = field(init=False)
    ngrams: TextNgrams = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "laid", IndexedText(lay(self.windows, self.gap)))
        object.__setattr__(self, "ngrams", TextNgrams.of(self.windows, max(BASELINES.values())))

    def predicted(self, graph: NeuronGraph, threshold: float) -> BoolArray:
        """Where a graph predicts a firing: (window, position)."""
        fire = np.append(graph.end >= threshold, False)  # the last is of no pattern
        fires: BoolArray = fire.take(graph.matched(self.laid)).reshape(len(self.windows), -1)[:, self.gap :]
        return fires

    def foreseen(self, evidence: UnitEvidence, classes: Int64Array | None, by_graph: BoolArray) -> BoolArray:
        """Where evidence predicts a firing: (window, position); ``classes`` as of ``UnitEvidence``.

        ``by_graph`` (window, position) is where the unit's graph predicts one.
        """
        own = evidence.depth == 0
        places = [self.laid.positions(token) for token in evidence.token[own].tolist()]
        weight = np.repeat(evidence.weight[own], list(map(len, places)))
        position = np.concatenate([np.zeros(0, np.int64), *places])
        found = np.zeros(len(self.laid.tokens), np.bool_)
        matched = np.pad(by_graph, ((0, 0), (self.gap, 0))).ravel()
        odds = evidence.log_odds_at(self.laid.tokens, position, weight, classes)
        odds += np.float32(evidence.graph) * matched[position]
        found[position[odds >= evidence.threshold]] = True
        fires: BoolArray = found.reshape(len(self.windows), -1)[:, self.gap :]
        return fires

    def verdict(self, predicted: BoolArray, firings: IndexArray) -> Verdict:
        """Judge a prediction by the true firings: flat positions in ``windows``."""
        said = predicted & self.counted
        hits = int(np.count_nonzero(said.ravel()[firings]))
        return verdict_of_counts(hits, len(firings), int(np.count_nonzero(said)))
