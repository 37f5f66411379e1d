"""How alike two neuron graphs are, by each metric, straight from its definition."""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import lru_cache
from typing import NamedTuple

from n2gdb.grammar.ast import Metric
from tests.oracle.numbers import number
from tests.oracle.world import Neuron

__all__ = ["Score", "containment", "similarity"]


class Score(NamedTuple):
    """A score from 0 to 1, and how much is shared; graphs that score 0 have no similarity, so no size."""

    value: float
    size: int


NONE = Score(0.0, 0)


@lru_cache(maxsize=200_000)
def similarity(metric: Metric, one: Neuron, other: Neuron) -> Score:
    """Return how alike two graphs are, 1 to itself; tokens are the same where their texts are."""
    if one is other:
        return Score(1.0, len(_paths(one)) if metric is Metric.GRAPH else sum(map(len, _roles(one))))
    if metric is Metric.GRAPH:
        first, second = _paths(one), _paths(other)
        united = sum(max(first.get(path, 0), second.get(path, 0)) for path in first | second)
        common = sum(min(first[path], second[path]) for path in first.keys() & second.keys())
        return Score(common / united, len(first.keys() & second.keys())) if common else NONE
    larger = metric is Metric.TOKENS
    pairs = list(zip(_roles(one), _roles(other), strict=True))
    return _least([_overlap(x, y, larger) for x, y in pairs], pairs)


@lru_cache(maxsize=200_000)
def containment(inner: Neuron, outer: Neuron) -> Score:
    """Return which share of the tokens of ``inner``, in each role, ``outer`` has too."""
    pairs = list(zip(_roles(inner), _roles(outer), strict=True))
    return _least([len(x & y) / len(x) if x else 1.0 for x, y in pairs], pairs)


def _least(overlaps: Sequence[float], pairs: Sequence[tuple[Set[str], Set[str]]]) -> Score:
    """Return the smaller of the overlaps of both roles; an empty graph has nothing to share."""
    shared = sum(len(x & y) for x, y in pairs)
    return Score(min(overlaps), shared) if shared and min(overlaps) else NONE


def _overlap(x: Set[str], y: Set[str], larger: bool) -> float:
    """Return which share of the texts of one role is common; a role without any holds in full."""
    size = max(len(x), len(y)) if larger else min(len(x), len(y))
    return len(x & y) / size if size else 1.0


@lru_cache(maxsize=20_000)
def _roles(neuron: Neuron) -> tuple[Set[str], Set[str]]:
    """Return the texts of the activating tokens, and of the context tokens."""
    steps = [step for pattern in neuron.patterns.values() for step in pattern.steps]
    texts = neuron.model.texts
    return (
        frozenset(texts[step.token] for step in steps if not step.depth),
        frozenset(texts[step.token] for step in steps if step.depth),
    )


@lru_cache(maxsize=20_000)
def _paths(neuron: Neuron) -> dict[tuple[tuple[int, str], ...], float]:
    """Return the best activation of the patterns through every path from a root to a node."""
    best: dict[tuple[tuple[int, str], ...], float] = {}
    for pattern in neuron.patterns.values():
        path = tuple((step.depth, neuron.model.texts[step.token]) for step in pattern.steps)
        for length in range(1, len(path) + 1):
            best[path[:length]] = max(best.get(path[:length], 0.0), number(pattern.activation))
    return best
