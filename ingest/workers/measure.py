"""Measures a work unit: support of its patterns, its evidence, and the scores of both on held-out text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from n2gdb.core.arrays import BoolArray, FloatArray, IndexArray, Int64Array
from n2gdb.core.graph import NeuronGraph
from n2gdb.evidence.weights import UnitEvidence
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.evidence.fit import EvidenceConfig
from n2gdb.ingest.evidence.learning import EvidenceText
from n2gdb.ingest.evidence.support import count_patterns
from n2gdb.ingest.evidence.token_classes import classes_of
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.n2g.baselines import NgramTable
from n2gdb.ingest.n2g.heldout_text import HeldoutText
from n2gdb.ingest.n2g.judge import Verdict, judge
from n2gdb.ingest.n2g.learn import Block, normalised
from n2gdb.ingest.scan.record import ActivationRecord
from n2gdb.storage.shards import RunFolder

__all__ = ["Findings", "Ground", "ground_of", "measure_piece"]


@dataclass(frozen=True, eq=False)
class Ground:
    """The texts that pieces are measured on, whatever their units."""

    corpus: CorpusText
    heldout: HeldoutText | None
    evidence: EvidenceText | None
    special: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What was measured of a piece's units; lists are (unit,)."""

    graphs: list[NeuronGraph]  # with support and confidence
    evidence: list[UnitEvidence | None]
    by_evidence: list[Verdict]
    """How evidence does on the test examples, or the graph of a unit without; empty if none was learned."""
    heldout: dict[str, list[Verdict]]
    """How each predictor does on held-out text, evidence as above; empty where there is none."""
    record: ActivationRecord


def ground_of(
    model: SubjectModel, corpus: CorpusStore, heldout: CorpusStore | None, run: RunFolder, config: N2GConfig
) -> Ground:
    """Lay out the texts of a run."""
    text = _text_of(model, corpus)
    evidence = None
    if config.evidence:
        classes = classes_of(run.classes(), len(model.token_texts()))
        evidence = EvidenceText(text, classes, config.fire_threshold, EvidenceConfig())
    aside = None
    if heldout is not None:
        windows = heldout.tokens_of(np.arange(heldout.n_windows))
        aside = HeldoutText(windows, model.counted(windows))
    return Ground(text, aside, evidence, tuple(sorted(model.special)))


def _text_of(model: SubjectModel, corpus: CorpusStore) -> CorpusText:
    counted = np.concatenate([model.counted(windows) for windows in corpus.batches(0, 4096)])
    return CorpusText(corpus.mapped().reshape(-1), corpus.width, counted.ravel())


def measure_piece(
    ground: Ground,
    block: Block,
    window: Int64Array,
    train: BoolArray,
    graphs: Sequence[NeuronGraph],
    verdicts: Sequence[Verdict],
    record: ActivationRecord,
    firings: Mapping[int, IndexArray],
    config: N2GConfig,
) -> Findings:
    """Measure the units of a block; window, train (unit, example); ``firings`` on held-out text by unit.

    ``verdicts`` are of the graphs on the test examples.
    """
    rows = range(len(graphs))
    counts = count_patterns(ground.corpus, record, rows, graphs, config.fire_threshold)
    graphs = [
        replace(graph, support=each.support, confidence=each.confidence)
        for graph, each in zip(graphs, counts, strict=True)
    ]
    test = block.exists & ~train
    evidence: list[UnitEvidence | None] = [None] * len(graphs)
    by_evidence: list[Verdict] = []
    if ground.evidence is not None:
        of_train = [window[row, train[row]] for row in rows]
        of_test = [window[row, test[row]] for row in rows]
        evidence = ground.evidence.learn(record, of_train, of_test, graphs)
        by_evidence = [
            verdict
            if each is None
            else _on_examples(ground, each, graphs[row], block, row, test[row], config)
            for row, (each, verdict) in enumerate(zip(evidence, verdicts, strict=True))
        ]
    heldout: dict[str, list[Verdict]] = {}
    if ground.heldout is not None:
        for row, unit in enumerate(block.neuron.tolist()):
            where = firings.get(unit, np.zeros(0, np.intp))
            found = _on_heldout(ground, graphs[row], evidence[row], block, row, train[row], where, config)
            for name, verdict in found.items():
                heldout.setdefault(name, []).append(verdict)
    return Findings(graphs, evidence, by_evidence, heldout, record)


def _on_examples(
    ground: Ground,
    evidence: UnitEvidence,
    graph: NeuronGraph,
    block: Block,
    row: int,
    test: BoolArray,
    config: N2GConfig,
) -> Verdict:
    assert ground.evidence is not None
    windows = block.tokens[row, test]
    gap = max(evidence.reach, int(graph.depth.max(initial=0)))
    laid = np.full((len(windows), gap + windows.shape[1]), -1, np.int64)
    laid[:, gap:] = windows
    matched = graph.predict(laid.ravel()) >= config.fire_threshold
    fires = evidence.fires(laid.ravel(), ground.evidence.classes, matched).reshape(laid.shape)[:, gap:]
    said: FloatArray = (fires & ~np.isin(windows, ground.special)).astype(np.float32)
    return judge(said, normalised(block, row, test), config.fire_threshold)


def _on_heldout(
    ground: Ground,
    graph: NeuronGraph,
    evidence: UnitEvidence | None,
    block: Block,
    row: int,
    train: BoolArray,
    firings: IndexArray,
    config: N2GConfig,
) -> dict[str, Verdict]:
    """Judge graph, evidence and token look-up by a unit's firings, flat positions in the windows."""
    text, threshold = ground.heldout, config.fire_threshold
    assert text is not None
    table = NgramTable.learn(1, block.tokens[row, train], normalised(block, row, train))
    by_graph = text.predicted(graph, threshold)
    own = text.verdict(by_graph, firings)
    found = {"n2g": own, "lookup": text.verdict(text.ngrams.fires(table, threshold), firings)}
    if ground.evidence is None:
        return found
    if evidence is not None:
        own = text.verdict(text.foreseen(evidence, ground.evidence.classes, by_graph), firings)
    return {**found, "evidence": own}
