"""All pairs of similar neurons, exact, from sparse arrays instead of a double loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from n2gdb.core.arrays import BoolArray, Float64Array, Int64Array, distinct
from n2gdb.core.units import layer_of
from n2gdb.errors import ArgumentError
from n2gdb.grammar.ast import Metric
from n2gdb.similarity.sparse_sets import SparseSets, pairs_within

if TYPE_CHECKING:
    from n2gdb.similarity.columns import SimilarityColumns
    from n2gdb.similarity.firings import FiringSets

__all__ = ["Pairs", "similar_pairs"]

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
    for left, right, score, size in firings.pairs(allowed, report):
        yield _kept(left, right, score, size, above)


def _by_steps(steps: SparseSets, above: float, allowed: _Allowed, report: _Report) -> Iterator[_Candidates]:
    """Weighted Jaccard: shared weight s of totals a and b gives s / (a + b - s)."""
    rare = steps.prefix(above)
    for left, right in pairs_within(steps.element[rare], steps.row[rare], report):
        first, second = steps.total[left], steps.total[right]
        near = np.minimum(first, second) >= above * np.maximum(first, second) - _TOLERANCE
        near &= allowed(left, right)
        left, right = left[near], right[near]
        shared, size = steps.shared(left, right)
        score = np.minimum(shared / (steps.total[left] + steps.total[right] - shared), 1.0)
        yield _kept(left, right, score, size, above)


def _by_tokens(
    activating: SparseSets, context: SparseSets, above: float, allowed: _Allowed, report: _Report
) -> Iterator[_Candidates]:
    """Overlap over the larger set, in both roles: rare tokens of both roles must meet."""
    member, key = _rare_of_both(activating, context, above)
    for left, right in pairs_within(key, member, report):
        near = allowed(left, right)
        for sets in (activating, context):
            sizes = (
                np.minimum(sets.total[left], sets.total[right]),
                np.maximum(sets.total[left], sets.total[right]),
            )
            near &= sizes[0] >= above * sizes[1] - _TOLERANCE
        yield _scored(activating, context, left[near], right[near], np.maximum, above)


def _by_subset(
    activating: SparseSets, context: SparseSets, above: float, allowed: _Allowed, report: _Report
) -> Iterator[_Candidates]:
    """Overlap over the smaller set, in both roles: a rare token of the smaller is in the larger."""
    for left, right in _joined(activating, above, report):
        near = allowed(left, right)
        yield _scored(activating, context, left[near], right[near], np.minimum, above)


def _rare_of_both(activating: SparseSets, context: SparseSets, above: float) -> tuple[Int64Array, Int64Array]:
    """Return (row, key) for every rare activating with every rare context token of a row, or with none."""
    rare_a, rare_c = activating.prefix(above), context.prefix(above)
    row, first = activating.row[rare_a], activating.element[rare_a]
    start = np.searchsorted(context.row[rare_c], row)
    length = np.searchsorted(context.row[rare_c], row, "right") - start
    alone = context.total[row] == 0
    owner = np.repeat(np.arange(len(row)), length)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length) + start[owner]
    width = int(context.element.max(initial=-1)) + 2
    with_context = first[owner] * width + context.element[rare_c][place] + 1
    return (
        np.concatenate([row[owner], row[alone]]),
        np.concatenate([with_context, first[alone] * width]),
    )


def _joined(sets: SparseSets, above: float, report: _Report) -> Iterator[tuple[Int64Array, Int64Array]]:
    """Yield blocks of pairs of rows of which a rare element of the smaller set is in the larger."""
    rare = np.flatnonzero(sets.prefix(above))
    by_element = np.argsort(sets.element, kind="stable")
    element, member = sets.element[by_element], sets.row[by_element]
    start = np.searchsorted(element, sets.element[rare])
    length = np.searchsorted(element, sets.element[rare], "right") - start
    reach = np.cumsum(length)
    n = len(sets.total)
    low = 0
    while low < len(rare):
        done = int(reach[low - 1]) if low else 0
        high = max(low + 1, int(np.searchsorted(reach, done + (1 << 21), "right")))
        owner = np.repeat(np.arange(low, high), length[low:high])
        place = np.arange(len(owner)) - np.repeat(
            np.cumsum(length[low:high]) - length[low:high], length[low:high]
        )
        small, large = sets.row[rare[owner]], member[start[owner] + place]
        wanted = (sets.total[small] <= sets.total[large]) & (small != large)
        pair = distinct(np.minimum(small, large)[wanted] * n + np.maximum(small, large)[wanted])
        yield pair // n, pair % n
        report(high, len(rare))
        low = high


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
    good = score >= above - _TOLERANCE
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
    good = score >= above - _TOLERANCE
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
