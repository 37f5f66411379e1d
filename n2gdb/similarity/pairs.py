"""All pairs of similar neurons, exact, from sparse arrays instead of a double loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from n2gdb.core.arrays import BoolArray, Float64Array, Int64Array
from n2gdb.core.units import layer_of
from n2gdb.errors import QueryError
from n2gdb.similarity.sparse_sets import SparseSets, pairs_within

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Pairs", "similar_pairs"]

Table = Callable[[str, Mapping[str, object]], "pa.Table"]

#: What was read, by its name and the model's number.
Kept = dict[tuple[str, int | None], object]

_T = TypeVar("_T")

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of neurons by falling score, then size; every array is (pairs,).

    ``left`` and ``right`` are Neuron.ids, the smaller first; ``size`` counts what the two share: paths, or
    distinct tokens over both roles.
    """

    left: Int64Array
    right: Int64Array
    score: Float64Array
    size: Int64Array

    def __len__(self) -> int:
        return len(self.left)


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Pairs of rows with what is known of them so far."""

    left: Int64Array
    right: Int64Array
    score: Float64Array
    size: Int64Array


def similar_pairs(
    table: Table,
    metric: str = "tokens",
    *,
    above: float = 0.9,
    model: int | None = None,
    across_layers: bool = False,
    min_size: int = 1,
    progress: Callable[[str, int, int | None], None] | None = None,
    kept: Kept | None = None,
) -> Pairs:
    """Return every pair of neurons whose similarity by ``metric`` is ``above`` or more.

    ``metric`` is graph, tokens or subset. ``across_layers`` leaves out pairs of one layer of one model,
    ``min_size`` pairs that share less, such as graphs of a single pattern. Raises QueryError for a threshold
    that is not in (0, 1]. ``progress`` gets each stage, how much of it is done, and how much there is;
    ``kept`` keeps what is read for the next question.

    Source: N2G, arXiv 2305.19911, section 4.3 (similar pairs: tokens; subset pairs: subset).
    """
    if not 0 < above <= 1:
        raise QueryError(f"a threshold for pairs lies above 0 and not above 1, not at {above:g}")
    reader = _Reader(table, model, {} if kept is None else kept)

    def report(done: int, total: int) -> None:
        if progress is not None:
            progress("compare", done, total)

    if progress is not None:
        progress("read the graphs", 0, None)
    allowed = _across(reader.ids) if across_layers else _any
    if metric == "graph":
        found = _by_paths(reader.paths(), above, allowed, report)
    else:
        roles = [reader.tokens(role) for role in ("ACTIVATES_ON", "CONTEXT")]
        join = _by_tokens if metric == "tokens" else _by_subset
        found = join(roles[0], roles[1], above, allowed, report)
    return _ordered(reader.ids, list(found), min_size)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads what is compared of the neurons of a model, or of all, once where it is kept."""

    table: Table
    model: int | None
    kept: Kept

    @property
    def ids(self) -> Int64Array:
        """Neuron.id of every row, rising."""
        ids: Int64Array = self._neurons["id"].to_numpy()
        return ids

    def tokens(self, role: str) -> SparseSets:
        """The tokens of each neuron in a role."""

        def read() -> SparseSets:
            columns = self._asked(f"-[:{role}]->(t:Token)", "t.text_key AS element")
            row = np.searchsorted(self.ids, columns["id"].to_numpy())
            return SparseSets.of(row, columns["element"].to_numpy(), len(self.ids))

        return self._once(role, read)

    def paths(self) -> SparseSets:
        """The paths of each neuron, with their weights."""

        def read() -> SparseSets:
            columns = self._asked("-[x:PASSES]->(p:Path)", "p.id AS element, x.weight AS weight")
            row, total = np.searchsorted(self.ids, columns["id"].to_numpy()), self._neurons["weight"]
            weight = columns["weight"].to_numpy()
            return SparseSets.of(row, columns["element"].to_numpy(), len(self.ids), weight, total.to_numpy())

        return self._once("PASSES", read)

    @property
    def _neurons(self) -> pa.Table:
        return self._once("", lambda: self._asked("", "n.weight AS weight", " ORDER BY n.id"))

    def _asked(self, pattern: str, named: str, order: str = "") -> pa.Table:
        where = "" if self.model is None else " WHERE n.model = $model"
        parameters = {} if self.model is None else {"model": self.model}
        return self.table(f"MATCH (n:Neuron){pattern}{where} RETURN n.id AS id, {named}{order}", parameters)

    def _once(self, name: str, read: Callable[[], _T]) -> _T:
        found = self.kept.get((name, self.model))
        if found is None:
            found = self.kept[name, self.model] = read()
        return cast("_T", found)


def _any(left: Int64Array, right: Int64Array) -> BoolArray:
    return np.ones(len(left), np.bool_)


def _across(ids: Int64Array) -> Callable[[Int64Array, Int64Array], BoolArray]:
    return lambda left, right: layer_of(ids[left]) != layer_of(ids[right])


_Allowed = Callable[[Int64Array, Int64Array], BoolArray]
_Report = Callable[[int, int], None]


def _by_paths(paths: SparseSets, above: float, allowed: _Allowed, report: _Report) -> Iterator[_Candidates]:
    """Weighted Jaccard: shared weight s of totals a and b gives s / (a + b - s)."""
    rare = paths.prefix(above)
    for left, right in pairs_within(paths.element[rare], paths.row[rare], report):
        first, second = paths.total[left], paths.total[right]
        near = np.minimum(first, second) >= above * np.maximum(first, second) - _TOLERANCE
        near &= allowed(left, right)
        left, right = left[near], right[near]
        shared, size = paths.shared(left, right)
        score = np.minimum(shared / (paths.total[left] + paths.total[right] - shared), 1.0)
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
        pair = np.unique(np.minimum(small, large)[wanted] * n + np.maximum(small, large)[wanted])
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


def _ordered(ids: Int64Array, found: list[_Candidates], min_size: int) -> Pairs:
    left, right, score, size = (
        np.concatenate([np.zeros(0, kind), *(getattr(each, name) for each in found)])
        for name, kind in (("left", np.int64), ("right", np.int64), ("score", np.float64), ("size", np.int64))
    )
    _, first = np.unique(left * (len(ids) + 1) + right, return_index=True)
    first = first[size[first] >= min_size]
    order = first[np.lexsort((right[first], left[first], -size[first], -score[first]))]
    return Pairs(ids[left[order]], ids[right[order]], score[order], size[order])
