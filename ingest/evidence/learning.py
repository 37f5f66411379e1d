"""Learns the evidence of many units: draws their rows, then fits some units together at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from n2gdb.core.arrays import Int64Array
from n2gdb.core.graph import NeuronGraph
from n2gdb.evidence.weights import UnitEvidence
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.evidence.fit import EvidenceConfig, learn_evidence
from n2gdb.ingest.evidence.rows import RowSource, TopWindows
from n2gdb.ingest.scan.record import ActivationRecord

__all__ = ["EvidenceText"]

#: Units whose evidence is learned together.
_TOGETHER = 16


@dataclass(frozen=True, eq=False)
class EvidenceText:
    """What evidence is learned from, whatever the units: the corpus, and the classes of its tokens."""

    text: CorpusText
    classes: Int64Array  # (kinds, tokens)
    threshold: float
    """Share of the maximum from which a unit fires."""
    config: EvidenceConfig

    def learn(
        self,
        record: ActivationRecord,
        train: Sequence[Int64Array],
        test: Sequence[Int64Array],
        graphs: Sequence[NeuronGraph],
    ) -> list[UnitEvidence | None]:
        """Learn the evidence of every unit of a record; None where its graph stands alone.

        ``train`` and ``test`` are the numbers of each unit's top windows that its graph was read off, and of
        those that it is judged by.
        """
        config = self.config
        source = RowSource(
            self.text, record, self.threshold, config.tokens, config.near, config.drawn, config.misses
        )
        found: list[UnitEvidence | None] = [None] * len(graphs)
        for start in range(0, len(graphs), _TOGETHER):
            windows, rows = {}, {}
            for unit in range(start, min(start + _TOGETHER, len(graphs))):
                known = np.concatenate([train[unit], test[unit]])
                own = TopWindows(train[unit], test[unit], source.other_windows(unit, known, config.windows))
                each = source.rows(unit, own)
                if each is not None and np.count_nonzero(each.activation >= self.threshold) >= config.firings:
                    windows[unit], rows[unit] = own, each
            if rows:
                learned = learn_evidence(
                    self.text,
                    list(rows.values()),
                    list(windows.values()),
                    [graphs[unit] for unit in rows],
                    self.threshold,
                    config,
                    list(self.classes),
                )
                for unit, evidence in zip(rows, learned, strict=True):
                    found[unit] = evidence
        return found
