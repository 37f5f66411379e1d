"""Fits evidence: for many units at once, a few signed weights that predict where each fires."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from n2gdb.core.arrays import BoolArray, FloatArray, Int64Array
from n2gdb.core.graph import NeuronGraph
from n2gdb.ingest.evidence.additive import FitBlock, Rows, fit, sigmoid
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.evidence.rows import TopWindows, UnitRows
from n2gdb.ingest.evidence.threshold import Trial, match_rows
from n2gdb.ingest.scan.record import position_hash
from n2gdb.prediction.evidence import UnitEvidence

__all__ = ["EvidenceConfig", "learn_evidence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceConfig:
    """Parameters of evidence."""

    windows: int = 20
    """Top windows beside a unit's examples that its threshold is chosen by."""
    firings: int = 2
    """Recorded firings that a unit needs, at least."""
    tokens: int = 64
    """Activating tokens of a unit, at most: those with the most firings; each has a weight."""
    near: float = 0.3
    """Share of the maximum from which a token is activating."""
    drawn: int = 1500
    """Occurrences below the record that are drawn for a unit, about."""
    depth: int = 6
    """Positions back from the activating token that weights reach."""
    weights: int = 64
    """Weights of context, at most."""
    rounds: tuple[int, ...] = (160,)
    """Weights that are kept on the way there; the rest is dropped, and these are fitted anew."""
    width: float = 0.08
    """How softly labels pass from 0 to 1 around the fire threshold, in shares of the maximum."""
    least: float = 0.25
    """Share of the maximum below which a label is 0."""
    penalty: float = 1.0
    """Penalty on squared weights of context."""
    own_penalty: float = 0.3
    """The same, of activating tokens."""
    base_penalty: float = 0.01
    sweeps: int = 20
    refits: int = 8
    top_worth: tuple[float, float, int] = (0.7, 9.0, 4)
    """How much F1 on top windows counts beside that on the corpus, for the threshold: ``a + b t ** c``, where
    ``t`` is the graph's own F1 on top windows that it was not read off. Where the graph is good, evidence
    must not fall behind it."""
    folds: int = 3


@dataclass(frozen=True, eq=False)
class _Batch:
    """Rows of some units laid one after another."""

    unit: npt.NDArray[np.int32]  # (row,) place among the units
    position: Int64Array
    rows: Rows
    fires: BoolArray
    fold: Int64Array
    blocks: tuple[FitBlock, ...]  # base, then a block a depth
    names: tuple[tuple[Int64Array, Int64Array], ...]  # of each depth's values: unit and token
    depths: tuple[int, ...]


def learn_evidence(
    text: CorpusText,
    rows: Sequence[UnitRows],
    windows: Sequence[TopWindows],
    graphs: Sequence[NeuronGraph],
    threshold: float,
    config: EvidenceConfig,
    classes: Sequence[Int64Array] = (),
) -> list[UnitEvidence | None]:
    """Learn the evidence of some units from their rows; None if the unit's graph does better by itself."""
    batch = _lay(text, rows, windows, threshold, config, classes)
    blocks, total = fit(batch.rows, batch.blocks, config.sweeps)
    whole = batch.rows
    for most in (*config.rounds, config.weights):
        blocks, total = _narrowed(batch, blocks, total, whole, most, config)
        if most == config.rounds[0]:
            wide = blocks
    crossed = _cross_fitted(batch, wide, config)
    bounds = np.searchsorted(batch.unit, np.arange(len(rows) + 1))
    found: list[UnitEvidence | None] = []
    parts = _parts(blocks, batch, len(rows))
    for number, (unit_rows, own, graph, weights) in enumerate(zip(rows, windows, graphs, parts, strict=True)):
        some = slice(bounds[number], bounds[number + 1])
        trial = Trial.of(text, unit_rows, own, batch.fires[some])
        level = trial.threshold(
            crossed[some], match_rows(graph, text, unit_rows.position, threshold), config.top_worth
        )
        evidence = UnitEvidence(float(blocks[0].weight[number]), level or 0.0, *weights)
        found.append(None if level is None else evidence)
    return found


def _lay(
    text: CorpusText,
    rows: Sequence[UnitRows],
    windows: Sequence[TopWindows],
    threshold: float,
    config: EvidenceConfig,
    classes: Sequence[Int64Array],
) -> _Batch:
    sizes = [len(each) for each in rows]
    unit = np.repeat(np.arange(len(rows), dtype=np.int32), sizes)
    position = np.concatenate([each.position for each in rows])
    activation = np.concatenate([each.activation for each in rows])
    soft = sigmoid(((activation - threshold) / config.width).astype(np.float32))
    label = np.where(activation < config.least, np.float32(0), soft)
    importance = np.concatenate([each.importance for each in rows])
    window = position // text.width
    # Seeded by the window alone, apart from the draw of positions.
    fold = (position_hash(~window) % np.uint64(config.folds)).astype(np.int64)
    weight = np.bincount(unit, importance, len(rows))
    mean = np.bincount(unit, importance * label, len(rows)) / weight
    base = np.log((mean + 1e-6) / (1 - mean + 1e-6)).astype(np.float32)
    blocks = [FitBlock(slice(None), unit, base, config.base_penalty)]
    names = []
    depths = []
    span = max([int(text.tokens.max()), *(int(each.max()) for each in classes)]) + 2
    kinds: list[tuple[int, Int64Array | None]] = [(depth, None) for depth in range(config.depth + 1)]
    kinds += [(depth, each) for each in classes for depth in range(1, config.depth + 1)]
    for depth, each in kinds:
        there = text.before(position, depth).astype(np.int64)
        if each is not None:
            there = np.where(there >= 0, each[there], -1)
        key = unit.astype(np.int64) * span + there + 1
        known, value = np.unique(key, return_inverse=True)
        penalty = config.penalty if depth else config.own_penalty
        blocks.append(
            FitBlock(slice(None), value.astype(np.int32), np.zeros(len(known), np.float32), penalty)
        )
        names.append((known // span, known % span - 1))
        depths.append(depth)
    return _Batch(
        unit,
        position,
        Rows(label, importance),
        activation >= threshold,
        fold,
        tuple(blocks),
        tuple(names),
        tuple(depths),
    )


def _narrowed(
    batch: _Batch,
    blocks: Sequence[FitBlock],
    total: FloatArray,
    rows: Rows,
    most: int,
    config: EvidenceConfig,
) -> tuple[list[FitBlock], FloatArray]:
    """Keep of each unit the ``most`` weights that move most rows most, and fit these anew."""
    probability = sigmoid(total)
    doubt = rows.importance * probability * (1 - probability)
    scores = [
        np.abs(block.weight) * np.sqrt(np.bincount(block.value, doubt[block.row], len(block.weight)))
        for block in blocks[1:]
    ]
    owner = np.concatenate([unit for unit, _ in batch.names])
    token = np.concatenate([token for _, token in batch.names])
    score = np.where(token >= 0, np.concatenate(scores), 0)
    # Activating tokens all stay, and are not counted.
    score[: len(scores[0])] = np.inf
    allowed = np.bincount(batch.names[0][0])[owner] + most
    order = np.lexsort((-score, owner))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - np.searchsorted(owner[order], owner[order])
    stays = np.split((rank < allowed) & (score > 0), np.cumsum([len(each) for each in scores])[:-1])
    narrow = [blocks[0], *(block.restricted(kept) for block, kept in zip(blocks[1:], stays, strict=True))]
    return fit(rows, narrow, config.refits)


def _cross_fitted(batch: _Batch, wide: Sequence[FitBlock], config: EvidenceConfig) -> FloatArray:
    """Log odds of every row by weights that were fitted without its fold of windows."""
    found = np.zeros(len(batch.unit), np.float32)
    for fold in range(config.folds):
        out = batch.fold == fold
        rows = Rows(batch.rows.label, np.where(out, np.float32(0), batch.rows.importance))
        blocks, total = fit(rows, wide, config.refits)
        for most in (*config.rounds[1:], config.weights):
            blocks, total = _narrowed(batch, blocks, total, rows, most, config)
        found[out] = total[out]
    return found


def _parts(
    blocks: Sequence[FitBlock], batch: _Batch, units: int
) -> list[tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], FloatArray]]:
    """Depth, token and weight of each unit."""
    kept = [np.flatnonzero(block.weight) for block in blocks[1:]]
    depth = np.concatenate([np.full(len(k), d) for d, k in zip(batch.depths, kept, strict=True)]).astype(
        np.int32
    )
    unit = np.concatenate([names[0][k] for names, k in zip(batch.names, kept, strict=True)])
    token = np.concatenate([names[1][k] for names, k in zip(batch.names, kept, strict=True)])
    weight = np.concatenate([block.weight[k] for block, k in zip(blocks[1:], kept, strict=True)])
    order = np.lexsort((token, depth, unit))
    bounds = np.searchsorted(unit[order], np.arange(units + 1))
    return [
        (
            depth[order[start:stop]],
            token[order[start:stop]].astype(np.int32),
            weight[order[start:stop]],
        )
        for start, stop in itertools.pairwise(bounds)
    ]
