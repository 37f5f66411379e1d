"""Pairs of sets at random: those found from where the rarest elements meet are those of a double loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import combinations

import numpy as np
import pytest

from n2gdb.core.arrays import Float64Array, Int64Array, stable_order
from n2gdb.core.units import WITHIN_MODEL, layer_of
from n2gdb.grammar.ast import Metric
from n2gdb.similarity import meetings, sparse_sets
from n2gdb.similarity.firings import FiringSets
from n2gdb.similarity.pairs import similar_pairs
from n2gdb.similarity.sparse_sets import SparseSets

N = 60

#: The weights of entries: all one, few that are whole and so meet thresholds, and any.
WEIGHTS: dict[str, Callable[[np.random.Generator, int], Float64Array]] = {
    "one": lambda random, n: np.ones(n),
    "whole": lambda random, n: random.integers(1, 4, n).astype(np.float64),
    "any": lambda random, n: random.gamma(0.5, size=n) * 100,
}


class MadeUp:
    """What pairs are computed from, of units of several models and layers."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.models = np.sort(self.random.integers(0, 3, N))
        self.ids = self.models * WITHIN_MODEL + np.sort(self.random.integers(0, WITHIN_MODEL, N))
        self.ids = np.sort(self.ids)
        self.steps = self._weighted(WEIGHTS[list(WEIGHTS)[seed % 3]])
        row, element = self._entries()
        other_row, other = self._entries()
        has_context = np.isin(other_row, row)
        self.roles = (
            SparseSets.of(row, element, N),
            SparseSets.of(other_row[has_context], other[has_context], N),
        )
        row, rank = self._entries()
        sampled = np.isin(np.arange(N), row) & (self.random.random(N) < 0.3 * (seed % 4))
        self.firings = FiringSets.of(row, rank, sampled)

    def _entries(self) -> tuple[Int64Array, Int64Array]:
        """Entries in any order, some twice: a few elements are in most sets, and many in one or two.

        Some sets are empty, and some nearly those of others.
        """
        size = self.random.integers(1, 14, N) * (self.random.random(N) > 0.15)
        row = np.repeat(np.arange(N), size)
        element = (80 * self.random.random(len(row)) ** 3).astype(np.int64) * 2
        for copy in self.random.choice(N, N // 3, replace=False):
            others = row != copy
            copied = element[(row == self.random.integers(N)) & others]
            copied = copied[self.random.random(len(copied)) < 0.8]
            row = np.concatenate([row[others], np.full(len(copied), copy)])
            element = np.concatenate([element[others], copied])
        order = self.random.permutation(len(row))
        order = np.append(order, order[:9])
        return row[order], element[order]

    def _weighted(self, weights: Callable[[np.random.Generator, int], Float64Array]) -> SparseSets:
        row, element = np.unique(np.stack(self._entries()), axis=1)
        order = self.random.permutation(len(row))
        row, element = row[order], element[order]
        weight = weights(self.random, len(row))
        total = np.bincount(row, weight, N) + self.random.choice([0.0, 1.0], N)  # with what no other set has
        return SparseSets.of(row, element, N, weight, total, element % 10 > 0)

    def of(self, sets: SparseSets) -> list[dict[int, tuple[float, bool]]]:
        """Return every set: its elements, each with its weight and whether it counts."""
        found: list[dict[int, tuple[float, bool]]] = [{} for _ in range(N)]
        for row, element, weight, counts in zip(
            sets.row, sets.element, sets.weight, sets.counts, strict=True
        ):
            found[row][int(element)] = (float(weight), bool(counts))
        return found

    def scores(self, metric: Metric) -> dict[tuple[int, int], tuple[float, int]]:
        """Score all pairs that have something in common that counts, one after the other."""
        score = {Metric.GRAPH: self._of_steps, Metric.COFIRING: self._of_firings}.get(metric)
        if score is None:
            divisor = max if metric is Metric.TOKENS else min
            roles = [self.of(sets) for sets in self.roles]
            return self._all(lambda one, other: self._of_roles(roles, divisor, one, other))
        return score()

    def _all(
        self, score: Callable[[int, int], tuple[float, int]]
    ) -> dict[tuple[int, int], tuple[float, int]]:
        every = {pair: score(*pair) for pair in combinations(range(N), 2)}
        return {pair: each for pair, each in every.items() if each[1] and each[0]}

    def _of_steps(self) -> dict[tuple[int, int], tuple[float, int]]:
        every, total = self.of(self.steps), self.steps.total

        def score(one: int, other: int) -> tuple[float, int]:
            both = every[one].keys() & every[other].keys()
            shared = sum(min(every[one][each][0], every[other][each][0]) for each in both)
            size = sum(every[one][each][1] for each in both)
            return (min(1.0, shared / (total[one] + total[other] - shared)) if both else 0.0), size

        return self._all(score)

    def _of_firings(self) -> dict[tuple[int, int], tuple[float, int]]:
        sets = self.firings
        every = [set(sets.rank[sets.row == unit].tolist()) for unit in range(N)]

        def score(one: int, other: int) -> tuple[float, int]:
            known = min(sets.limit[one], sets.limit[other])
            first, second = ({each for each in every[unit] if each <= known} for unit in (one, other))
            return len(first & second) / max(1, len(first | second)), len(first & second)

        return self._all(score)

    @staticmethod
    def _of_roles(
        roles: list[list[dict[int, tuple[float, bool]]]],
        divisor: Callable[[int, int], int],
        one: int,
        other: int,
    ) -> tuple[float, int]:
        least, size = 1.0, 0
        for every in roles:
            common, of = (
                len(every[one].keys() & every[other].keys()),
                divisor(len(every[one]), len(every[other])),
            )
            least, size = min(least, common / of if of else 1.0), size + common
        return least, size


@lru_cache
def made_up(seed: int) -> MadeUp:
    return MadeUp(seed)


@pytest.fixture(params=[False, True], ids=["at once", "by blocks"])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        for module, name in (
            *((meetings, name) for name in ("_BLOCK", "_KEYS", "_GATHERED")),
            *((sparse_sets, name) for name in ("_BLOCK", "_SORTED")),
        ):
            monkeypatch.setattr(module, name, 40)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("seed", range(6))
def test_pairs_are_those_of_a_double_loop(metric: Metric, seed: int) -> None:
    columns = made_up(seed)
    every = columns.scores(metric)
    met = sorted({score for score, _ in every.values()})
    assert len(met) > 5
    ids, layers = columns.ids.tolist(), layer_of(columns.ids).tolist()
    # Thresholds that pairs meet, miss by less than the tolerance, and miss.
    near = [min(1.0, score + more) for score in met[:: len(met) // 5 + 1] for more in (0, 5e-10, 1e-6)]
    for above in (0.02, 1 / 3, 1.0, *near):
        found = similar_pairs(columns, metric, above=above, sharing=1)  # type: ignore[arg-type]
        got = list(zip(found.left.tolist(), found.right.tolist(), strict=True))
        wanted = {(ids[a], ids[b]): each for (a, b), each in every.items() if each[0] >= above - 1e-9}
        assert set(got) == wanted.keys()
        assert len(got) == len(wanted)
        assert [wanted[pair][1] for pair in got] == found.size.tolist()
        assert [wanted[pair][0] for pair in got] == pytest.approx(found.score.tolist())
        keys = list(zip((-found.score).tolist(), (-found.size).tolist(), got, strict=True))
        assert keys == sorted(keys)
        few = similar_pairs(columns, metric, above=above, sharing=2, model=1, across_layers=True)  # type: ignore[arg-type]
        within = [
            pair
            for pair in got
            if all(columns.models[ids.index(each)] == 1 for each in pair)
            and wanted[pair][1] >= 2
            and layers[ids.index(pair[0])] != layers[ids.index(pair[1])]
        ]
        assert list(zip(few.left.tolist(), few.right.tolist(), strict=True)) == within


@pytest.mark.parametrize("highest", [3, 1 << 20, 1 << 62])
def test_equal_numbers_stay_in_their_order(highest: int) -> None:
    values = np.random.default_rng(0).integers(0, highest, 500) // 2 * 2
    assert stable_order(values).tolist() == np.argsort(values, kind="stable").tolist()
    assert stable_order(values[:0]).tolist() == []
