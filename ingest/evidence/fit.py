"""Fits evidence: for many units at once, a few signed weights that predict where each fires."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from n2gdb.core.arrays import BoolArray, FloatArray, Int64Array, position_hash
from n2gdb.core.graph import NeuronGraph
from n2gdb.evidence.weights import UnitEvidence
from n2gdb.ingest.evidence.additive import FitBlock, Rows, fit, sigmoid
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.evidence.features import best_of_each, context_features, promising
from n2gdb.ingest.evidence.rows import TopWindows, UnitRows
from n2gdb.ingest.evidence.threshold import Trial, match_rows

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
    """Positions back from the activating token at which weights tell distances apart."""
    reach: int = 64
    """Positions back that weights of a token anywhere before reach; 0 for none of these."""
    weights: int = 64
    """Weights of context, at most."""
    screened: int = 300
    """Values of context that are fitted at first: those that promise most one by one."""
    wide: int = 128
    """Weights that are kept on the way to the last ones."""
    graph: bool = True
    """Whether a firing that the unit's graph predicts has a weight."""
    anchors: bool = True
    """Whether special tokens, as that at the beginning of a text, are context."""
    absence: bool = True
    """Whether tokens anywhere before may weigh against a firing: whether their absence tells."""
    misses: bool = True
    """Whether near misses are rows one and all, rather than as many as are drawn of other occurrences."""
    width: float = 0.08
    """How softly labels pass from 0 to 1 around the fire threshold, in shares of the maximum."""
    least: float = 0.25
    """Share of the maximum below which a label is 0."""
    penalty: float = 1.0
    """Penalty on squared weights of context."""
    reach_penalty: float = 4.0
    """The same, of tokens anywhere before."""
    own_penalty: float = 0.3
    """The same, of activating tokens."""
    graph_penalty: float = 0.1
    base_penalty: float = 0.01
    sweeps: int = 6
    refits: int = 4
    top_worth: tuple[float, float, int] = (0.5, 20.0, 6)
    """How much F1 on top windows counts beside that on the corpus, for the threshold: ``a + b t ** c``, where
    ``t`` is the graph's own F1 on top windows that it was not read off. Where the graph is good, evidence
    must not fall behind it."""
    folds: int = 3
    stretch: int = 8
    """Consecutive windows in one fold: of one document, mostly, which weights could learn by heart."""


@dataclass(frozen=True, eq=False)
class _Batch:
    """Rows of some units laid one after another."""

    units: int
    unit: npt.NDArray[np.int32]  # (row,) place among the units
    position: Int64Array
    rows: Rows
    fires: BoolArray
    matched: BoolArray  # the unit's graph predicts a firing
    fold: Int64Array
    span: int  # numbers that tokens and classes have


@dataclass(frozen=True, eq=False)
class _Model:
    """Blocks of base, activating tokens and graph, then of context; what they are, and the rows' log odds."""

    blocks: tuple[FitBlock, ...]
    depths: tuple[int, ...]
    keys: tuple[Int64Array, ...]  # (value,) unit x span + token, of each block
    total: FloatArray

    #: Blocks that are never narrowed.
    FIXED = 3

    def fitted(self, rows: Rows, sweeps: int) -> _Model:
        blocks, total = fit(rows, self.blocks, sweeps)
        return replace(self, blocks=tuple(blocks), total=total)

    def narrowed(self, rows: Rows, span: int, most: int, sweeps: int) -> _Model:
        """Keep each unit's ``most`` context weights, largest beside their standard errors; fit all anew."""
        context = self.blocks[self.FIXED :]
        if not context:
            return self.fitted(rows, sweeps)
        probability = sigmoid(self.total)
        doubt = rows.importance * probability * (1 - probability)
        score = [np.abs(block.weight) * np.sqrt(block.sums(doubt[block.row])) for block in context]
        owner = np.concatenate(self.keys[self.FIXED :]) // span
        stays = np.split(
            best_of_each(owner, np.concatenate(score), most),
            np.cumsum([len(block.weight) for block in context])[:-1],
        )
        kept = [number for number, of in enumerate(stays) if of.any()]
        first = range(self.FIXED)
        narrow = _Model(
            (
                *self.blocks[: self.FIXED],
                *(context[number].restricted(stays[number]) for number in kept),
            ),
            tuple(self.depths[number] for number in (*first, *(self.FIXED + each for each in kept))),
            (*self.keys[: self.FIXED], *(self.keys[self.FIXED + each][stays[each]] for each in kept)),
            self.total,
        )
        return narrow.fitted(rows, sweeps)


def learn_evidence(
    text: CorpusText,
    rows: Sequence[UnitRows],
    windows: Sequence[TopWindows],
    graphs: Sequence[NeuronGraph],
    threshold: float,
    config: EvidenceConfig,
    classes: Sequence[Int64Array] = (),
) -> list[UnitEvidence | None]:
    """Learn the evidence of some units from their rows; None where the unit's graph does better by itself."""
    batch = _lay(text, rows, graphs, threshold, config, classes)
    wide = _wide(text, batch, config, classes)
    model = wide.narrowed(batch.rows, batch.span, config.weights, config.refits)
    crossed = _cross_fitted(batch, wide, config)
    bounds = np.searchsorted(batch.unit, np.arange(len(rows) + 1))
    base, _, graph = (block.weight for block in model.blocks[: _Model.FIXED])
    found: list[UnitEvidence | None] = []
    for number, (unit_rows, own, weights) in enumerate(zip(rows, windows, _parts(model, batch), strict=True)):
        some = slice(bounds[number], bounds[number + 1])
        trial = Trial.of(text, unit_rows, own, batch.fires[some])
        scale, shift = trial.calibration(crossed[some])
        odds = scale * crossed[some] + shift
        level = trial.threshold(odds, batch.matched[some], config.top_worth)
        depth, token, weight = weights
        found.append(
            None
            if level is None
            else UnitEvidence(
                scale * float(base[number]) + shift,
                level,
                depth,
                token,
                np.float32(scale) * weight,
                scale * float(graph[number]) if config.graph else 0.0,
            )
        )
    return found


def _lay(
    text: CorpusText,
    rows: Sequence[UnitRows],
    graphs: Sequence[NeuronGraph],
    threshold: float,
    config: EvidenceConfig,
    classes: Sequence[Int64Array],
) -> _Batch:
    position = np.concatenate([each.position for each in rows])
    activation = np.concatenate([each.activation for each in rows])
    soft = sigmoid(((activation - threshold) / config.width).astype(np.float32))
    label = np.where(activation < config.least, np.float32(0), soft)
    matched = [
        match_rows(graph, text, each.position, threshold) for graph, each in zip(graphs, rows, strict=True)
    ]
    return _Batch(
        len(rows),
        np.repeat(np.arange(len(rows), dtype=np.int32), [len(each) for each in rows]),
        position,
        Rows(label, np.concatenate([each.importance for each in rows])),
        activation >= threshold,
        np.concatenate(matched),
        # Seeded by the stretch alone, apart from the draw of positions.
        (position_hash(~(position // (text.width * config.stretch))) % np.uint64(config.folds)).astype(
            np.int64
        ),
        max([int(text.tokens.max()), *(int(each.max()) for each in classes)]) + 1,
    )


def _wide(text: CorpusText, batch: _Batch, config: EvidenceConfig, classes: Sequence[Int64Array]) -> _Model:
    """Fit more weights than will be kept."""
    unit, rows = batch.unit, batch.rows
    weight = np.bincount(unit, rows.importance, batch.units)
    mean = np.bincount(unit, rows.importance * rows.label, batch.units) / weight
    base = np.log((mean + 1e-6) / (1 - mean + 1e-6)).astype(np.float32)
    own, value = np.unique(unit * np.int64(batch.span) + text.tokens[batch.position], return_inverse=True)
    every_row = np.arange(len(unit))
    matched = np.flatnonzero(batch.matched) if config.graph else np.zeros(0, np.intp)
    everyone, nothing = np.arange(batch.units) * np.int64(batch.span), np.zeros(batch.units, np.float32)
    first = _Model(
        (
            FitBlock.of(every_row, unit, base, config.base_penalty),
            FitBlock.of(every_row, value, np.zeros(len(own), np.float32), config.own_penalty),
            FitBlock.of(matched, unit[matched], nothing, config.graph_penalty),
        ),
        (0, 0, 0),
        (everyone, own, everyone),
        np.zeros(len(unit), np.float32),
    ).fitted(rows, config.sweeps)
    probability = sigmoid(first.total)
    picked = promising(
        context_features(
            text,
            batch.unit,
            batch.position,
            batch.span,
            config.depth,
            config.reach,
            classes,
            (config.penalty, config.reach_penalty),
            config.anchors,
            config.absence,
        ),
        rows.importance * (rows.label - probability),
        rows.importance * probability * (1 - probability),
        batch.span,
        batch.units,
        config.screened,
    )
    depths, blocks, keys = zip(*picked, strict=True) if picked else ((), (), ())
    model = _Model(
        (*first.blocks, *blocks), (*first.depths, *depths), (*first.keys, *keys), first.total
    ).fitted(rows, config.sweeps)
    return model.narrowed(rows, batch.span, config.wide, config.refits)


def _cross_fitted(batch: _Batch, wide: _Model, config: EvidenceConfig) -> FloatArray:
    """Log odds of every row by weights that were fitted without its fold of text."""
    found = np.zeros(len(batch.unit), np.float32)
    for fold in range(config.folds):
        out = batch.fold == fold
        rows = Rows(batch.rows.label, np.where(out, np.float32(0), batch.rows.importance))
        model = wide.fitted(rows, config.refits).narrowed(rows, batch.span, config.weights, config.refits)
        found[out] = model.total[out]
    return found


def _parts(
    model: _Model, batch: _Batch
) -> list[tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], FloatArray]]:
    """Depth, token and weight of each unit."""
    chosen = [1, *range(_Model.FIXED, len(model.blocks))]
    key = np.concatenate([model.keys[number] for number in chosen])
    weight = np.concatenate([model.blocks[number].weight for number in chosen])
    depth = np.concatenate([np.full(len(model.keys[number]), model.depths[number]) for number in chosen])
    unit, token = np.divmod(key, batch.span)
    order = np.lexsort((token, depth, unit))
    bounds = np.searchsorted(unit[order], np.arange(batch.units + 1))
    return [
        (depth[some].astype(np.int32), token[some].astype(np.int32), weight[some].astype(np.float32))
        for some in (order[start:stop] for start, stop in itertools.pairwise(bounds))
    ]
