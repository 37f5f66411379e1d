"""All pairs of similar neurons, exact, from sparse arrays instead of a double loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from n2gdb.core.arrays import BoolArray, Float64Array, Int64Array
from n2gdb.core.units import layer_of
from n2gdb.errors import ArgumentError
from n2gdb.grammar.ast import Metric
from n2gdb.similarity.meetings import Enough, candidates, candidates_of_both
from n2gdb.similarity.sparse_sets import SparseSets

if TYPE_CHECKING:
    from n2gdb.similarity.columns import SimilarityColumns
    from n2gdb.similarity.firings import FiringSets

__all__ = ["Pairs", "similar_pairs"]

#: Sums of reals may miss a threshold that they meet by this much.
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of neurons by falling score, then size; every array is (pairs,).

    ``left`` and ``right`` are Neuron.ids, the smaller first; ``size`` counts what the two share: steps,
    distinct tokens over both roles, or firings.
    """

    left: Int64Array
    right: Int64Array
    score: Float64Array
    size: Int64Array

    def __len__(self) -> int:
        return len(self.left)

    def narrowed(self, above: float, sharing: int, allowed: BoolArray) -> Pairs:
        """Return those ``allowed`` that are as similar and share as much: (pairs,)."""
        inside = allowed & (self.score >= above - _TOLERANCE) & (self.size >= sharing)
        return Pairs(self.left[inside], self.right[inside], self.score[inside], self.size[inside])


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Pairs of rows with what is known of them so far."""

    left: Int64Array
    right: Int64Array
    score: Float64Array
    size: Int64Array


def similar_pairs(
    columns: SimilarityColumns,
    metric: Metric,
    *,
    above: float,
    sharing: int,
    model: int | None = None,
    across_layers: bool = False,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> Pairs:
    """Return every pair of neurons whose similarity by ``metric`` is ``above`` or more.

    ``across_layers`` leaves out pairs of one layer of one model, ``sharing`` pairs that share less, such as
    graphs of a single pattern. Raises ArgumentError for a threshold that is not in (0, 1]. ``progress`` gets
    each stage, how much of it is done, and how much there is.

    Source: N2G, arXiv 2305.19911, section 4.3 (similar pairs: tokens; subset pairs: subset).
    """
    if not 0 < above <= 1:
        raise ArgumentError(f"the least similarity of pairs must be above 0 and at most 1, not {above:g}")

    def report(done: int, total: int) -> None:
        if progress is not None:
            progress("compare", done, total)

    if progress is not None:
        progress("read the graphs", 0, None)
    allowed = _allowed(columns, model, across_layers)
    above = max(0.0, above - _TOLERANCE)
    match metric:
        case Metric.GRAPH:
            found = _by_steps(columns.steps, above, allowed, report)
        case Metric.COFIRING:
            found = _by_firings(columns.firings, above, allowed, report)
        case Metric.TOKENS:
            found = _by_tokens(*columns.roles, above, allowed, report)
        case Metric.SUBSET:
            found = _by_subset(*columns.roles, above, allowed, report)
    return _ordered(columns.ids, list(found), sharing)


def _allowed(columns: SimilarityColumns, model: int | None, across_layers: bool) -> _Allowed:
    inside = np.ones(len(columns.ids), np.bool_) if model is None else columns.models == model
    layer = layer_of(columns.ids)

    def allowed(left: Int64Array, right: Int64Array) -> BoolArray:
        kept: BoolArray = inside[left] & inside[right]
        return kept & (layer[left] != layer[right]) if across_layers else kept

    return allowed


_Allowed = Callable[[Int64Array, Int64Array], BoolArray]
_Report = Callable[[int, int], None]


def _by_firings(
    firings: FiringSets, above: float, allowed: _Allowed, report: _Report
) -> Iterator[_Candidates]:
    """Share of the firings of either that are firings of both."""
    for left, right, score, size in firings.pairs(above, allowed, report):
        yield _kept(left, right, score, size, above)


def _by_steps(steps: SparseSets, above: float, allowed: _Allowed, report: _Report) -> Iterator[_Candidates]:
    """Weighted Jaccard: shared weight s of totals a and b gives s / (a + b - s)."""
    enough = Enough.of_either(steps.total, above)
    for left, right in candidates(steps, enough, report):
        near = allowed(left, right)
        left, right = left[near], right[near]
        shared, size = steps.shared(left, right)
        score = np.minimum(shared / (steps.total[left] + steps.total[right] - shared), 1.0)
        yield _kept(left, right, score, size, above)


def _by_tokens(
    activating: SparseSets, context: SparseSets, above: float, allowed: _Allowed, report: _Report
) -> Iterator[_Candidates]:
    """Overlap over the larger set, in both roles."""
    for left, right in candidates_of_both(activating, context, above, report):
        near = allowed(left, right)
        yield _scored(activating, context, left[near], right[near], np.maximum, above)


def _by_subset(
    activating: SparseSets, context: SparseSets, above: float, allowed: _Allowed, report: _Report
) -> Iterator[_Candidates]:
    """Overlap over the smaller set, in both roles: candidates are those that have it in the first."""
    enough = Enough.of_smaller(activating.total, above)
    for left, right in candidates(activating, enough, report):
        near = allowed(left, right)
        yield _scored(activating, context, left[near], right[near], np.minimum, above)


def _scored(
    activating: SparseSets,
    context: SparseSets,
    left: Int64Array,
    right: Int64Array,
    divisor: Callable[[Float64Array, Float64Array], Float64Array],
    above: float,
) -> _Candidates:
    """Score pairs in the activating role first, and in the other those that are still above."""
    score, size = _overlap(activating, left, right, divisor)
    good = score >= above
    left, right, score, size = left[good], right[good], score[good], size[good]
    also, more = _overlap(context, left, right, divisor)
    return _kept(left, right, np.minimum(score, also), size + more, above)


def _overlap(
    sets: SparseSets,
    left: Int64Array,
    right: Int64Array,
    divisor: Callable[[Float64Array, Float64Array], Float64Array],
) -> tuple[Float64Array, Int64Array]:
    _, size = sets.shared(left, right)
    total = divisor(sets.total[left], sets.total[right])
    return np.divide(size, total, out=np.ones(len(size)), where=total > 0), size  # 0 / 0 is 1


def _kept(
    left: Int64Array, right: Int64Array, score: Float64Array, size: Int64Array, above: float
) -> _Candidates:
    good = score >= above
    return _Candidates(left[good], right[good], score[good], size[good])


def _ordered(ids: Int64Array, found: list[_Candidates], sharing: int) -> Pairs:
    left, right, score, size = (
        np.concatenate([np.zeros(0, kind), *(getattr(each, name) for each in found)])
        for name, kind in (("left", np.int64), ("right", np.int64), ("score", np.float64), ("size", np.int64))
    )
    _, first = np.unique(left * (len(ids) + 1) + right, return_index=True)
    first = first[size[first] >= sharing]
    order = first[np.lexsort((right[first], left[first], -size[first], -score[first]))]
    return Pairs(ids[left[order]], ids[right[order]], score[order], size[order])
