"""Saliency: the share of an activation that is lost when a context token is masked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from n2gdb.core.arrays import BoolArray, FloatArray, IndexArray, IntArray
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.n2g.prune import Prompts

__all__ = ["measure_saliency"]


#: Spans of masked tokens lengthen by this factor with their distance from the pivot.
_SPAN_GROWTH = 2.0


@dataclass(frozen=True, slots=True)
class _Spans:
    """Runs of tokens to mask together."""

    prompt: IndexArray  # (span,)
    first: IndexArray  # (span,)
    stop: IndexArray  # (span,) after the last

    def halves(self, rows: BoolArray) -> _Spans:
        """Cut the spans of these rows in two."""
        prompt, first, stop = self.prompt[rows], self.first[rows], self.stop[rows]
        middle = (first + stop) // 2
        return _Spans(np.tile(prompt, 2), np.concatenate([first, middle]), np.concatenate([middle, stop]))


def measure_saliency(
    engine: Engine, layer: int, prompts: Prompts, config: N2GConfig
) -> tuple[Prompts, FloatArray]:
    """Importance of each earlier position for the activation at each position.

    importance[p, k, j] = 1 - a(j, p with token k masked) / a(j, p), for k < j, at the pivot and wherever
    the normalised a(j, p) exceeds the activation threshold; else 0, as for tokens far from the pivot in a
    span that does not matter to it. Special tokens are never masked.
    Returns the prompts with the activations at every position, which ``prune`` leaves out, and the
    importance (prompt, masked position, position) float32.

    Source: N2G, arXiv 2305.19911, section 3.2; the fraction as in the authors' code.
    """
    special = np.isin(prompts.tokens, list(engine.model.special))
    may_mask = (np.arange(prompts.tokens.shape[1]) < prompts.pivot[:, None]) & ~special
    at_pivot = np.arange(prompts.tokens.shape[1]) == prompts.pivot[:, None]
    spans = _first_spans(may_mask, prompts.pivot, config.mask_alone)
    # The prompts run along with what begins like them.
    prompts, found = _with_prompts(engine, layer, prompts, ~special, spans, at_pivot)
    importance = _by_halving(engine, layer, prompts, spans, found, at_pivot, config)
    # What fires before the pivot is rare.
    fires = (prompts.normalised > config.activation_threshold) & ~at_pivot
    last = _last_true(fires)
    spans = _first_spans(may_mask & (np.arange(may_mask.shape[1]) < last[:, None]), last, config.mask_alone)
    found = _activations(engine, layer, prompts, spans, fires)
    return prompts, importance + _by_halving(engine, layer, prompts, spans, found, fires, config)


def _with_prompts(
    engine: Engine, layer: int, prompts: Prompts, everywhere: BoolArray, spans: _Spans, asked: BoolArray
) -> tuple[Prompts, FloatArray]:
    """Run the prompts, and with each span masked: the prompts measured, and (span, position)."""
    n = len(prompts.tokens)
    found = engine.activations(
        layer,
        np.concatenate([prompts.tokens, _mask(prompts, spans, engine.model.mask)]),
        np.concatenate([prompts.neuron, prompts.neuron[spans.prompt]]),
        np.concatenate([everywhere, asked[spans.prompt]]),
    )
    return replace(prompts, activations=found[:n]), found[n:]


def _by_halving(
    engine: Engine,
    layer: int,
    prompts: Prompts,
    spans: _Spans,
    found: FloatArray,
    asked: BoolArray,
    config: N2GConfig,
) -> FloatArray:
    """Importance of single tokens at asked positions: spans that matter at one of them are halved.

    found (span, position) with each span masked, asked (prompt, position) -> (prompt, masked position,
    position).
    """
    width = prompts.tokens.shape[1]
    importance = np.zeros((len(prompts.tokens), width, width), np.float32)
    while len(spans.prompt):
        lost = _lost(prompts, spans, found, asked)  # (span, position)
        single = spans.stop - spans.first == 1
        importance[spans.prompt[single], spans.first[single]] = lost[single]
        spans = spans.halves(~single & (lost.max(axis=1) > min(config.thresholds)))
        found = _activations(engine, layer, prompts, spans, asked)
    return importance


def _last_true(rows: BoolArray) -> IndexArray:
    """Where the last True of each row stands, -1 without any: (row, position) -> (row,)."""
    place: IndexArray = np.where(rows, np.arange(rows.shape[1]), -1).max(axis=1)
    return place


def _first_spans(may_mask: BoolArray, pivot: IndexArray, alone: int) -> _Spans:
    """Single tokens next to the pivot, and ever longer spans of those before: none holds a special token."""
    distance = pivot[:, None] - np.arange(may_mask.shape[1])  # (prompt, position)
    bounds = _bounds(alone, distance.max(initial=0))
    band = np.searchsorted(bounds, distance)
    starts = may_mask.copy()
    starts[:, 1:] &= ~(may_mask[:, :-1] & (band[:, 1:] == band[:, :-1]))
    prompt, first = np.nonzero(starts)
    number = np.cumsum(starts.ravel()).reshape(starts.shape) - 1  # (prompt, position) span
    length = np.bincount(number[may_mask], minlength=len(prompt))
    return _Spans(prompt, first, first + length)


def _bounds(alone: int, furthest: int) -> IndexArray:
    """The greatest distance of every span: 1, 2, ... ``alone``, then growing by a factor."""
    bounds = list(range(1, (alone or furthest) + 1))
    while bounds and bounds[-1] < furthest:
        bounds.append(int(np.ceil(bounds[-1] * _SPAN_GROWTH)))
    return np.array(bounds, np.intp)


def _mask(prompts: Prompts, spans: _Spans, mask: int) -> IntArray:
    """The prompts with a span masked in each: (span, position)."""
    position = np.arange(prompts.tokens.shape[1])
    masked = (position >= spans.first[:, None]) & (position < spans.stop[:, None])
    return np.where(masked, mask, prompts.tokens[spans.prompt]).astype(np.int32)


def _activations(engine: Engine, layer: int, prompts: Prompts, spans: _Spans, asked: BoolArray) -> FloatArray:
    """Activations with each span masked, at requested positions after it: (span, position)."""
    variants = _mask(prompts, spans, engine.model.mask)
    later = np.arange(variants.shape[1]) >= spans.stop[:, None]
    return engine.activations(layer, variants, prompts.neuron[spans.prompt], asked[spans.prompt] & later)


def _lost(prompts: Prompts, spans: _Spans, found: FloatArray, asked: BoolArray) -> FloatArray:
    """Share of the activation at requested positions after a span that masking it takes: (span, position)."""
    later = asked[spans.prompt] & (np.arange(found.shape[1]) >= spans.stop[:, None])
    ratio = np.divide(found, prompts.activations[spans.prompt], out=np.ones_like(found), where=later)
    lost: FloatArray = np.where(later, 1 - ratio, 0).astype(np.float32)
    return lost
