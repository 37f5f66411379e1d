"""How alike two neurons are, by each metric, straight from its definition."""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import lru_cache
from math import inf
from typing import NamedTuple

import numpy as np

from n2gdb.core.arrays import position_hash
from n2gdb.core.tokens import normalise
from n2gdb.grammar.ast import Metric
from n2gdb.storage.schema import MOST_FIRINGS
from tests.oracle.numbers import number
from tests.oracle.world import Neuron, World

__all__ = ["Score", "containment", "similarity"]


class Score(NamedTuple):
    """A score from 0 to 1, and how much is shared; graphs that score 0 have no similarity, so no size."""

    value: float
    size: int


NONE = Score(0.0, 0)


@lru_cache(maxsize=200_000)
def similarity(metric: Metric, one: Neuron, other: Neuron, world: World) -> Score:
    """Return how alike two neurons are, 1 to itself; tokens are the same where their texts are."""
    match metric:
        case Metric.COFIRING:
            return Score(1.0, len(one.firings)) if one is other else _together(one, other)
        case Metric.GRAPH:
            size = len(_steps(one)[1].keys() & _steps(other)[1].keys())
            return Score(1.0, size) if one is other else _common(one, other, world)
    if one is other:
        return Score(1.0, sum(map(len, _roles(one))))
    larger = metric is Metric.TOKENS
    pairs = list(zip(_roles(one), _roles(other), strict=True))
    return _least([_overlap(x, y, larger) for x, y in pairs], pairs)


def _common(one: Neuron, other: Neuron, world: World) -> Score:
    """Compare the steps of two graphs, as written and with case and space aside: weighted Jaccard."""
    common = united = 0.0
    for first, second, is_loose in zip(_steps(one), _steps(other), (False, True), strict=True):
        for step in first | second:
            rarity = world.rarity[step[2] if is_loose else normalise(step[2])]  # which drops one space a time
            common += rarity * min(first.get(step, 0.0), second.get(step, 0.0))
            united += rarity * max(first.get(step, 0.0), second.get(step, 0.0))
    size = len(_steps(one)[1].keys() & _steps(other)[1].keys())
    return Score(round(common / united, 9), size) if size else NONE


def _together(one: Neuron, other: Neuron) -> Score:
    """Return the share of tokens on which both fire among those on which either does, as far as is known."""
    if one.model is not other.model:
        return NONE
    known = min(_limit(one), _limit(other))
    first, second = ({each for each in of.firings if _hash(each) <= known} for of in (one, other))
    return Score(len(first & second) / len(first | second), len(first & second)) if first & second else NONE


def _limit(neuron: Neuron) -> float:
    """Return the hash up to which all firings of a neuron are known."""
    return _hash(neuron.firings[-1]) if len(neuron.firings) == MOST_FIRINGS else inf


@lru_cache(maxsize=10_000)
def _hash(position: int) -> int:
    return int(position_hash(np.array([position]))[0])


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


Step = tuple[str, int, str]


@lru_cache(maxsize=20_000)
def _steps(neuron: Neuron) -> tuple[dict[Step, float], dict[Step, float]]:
    """Return the best activation through every step, as written, and with case and space aside.

    A step is the activating token, a distance before it, and the token there.
    """
    texts = neuron.model.texts
    exact: dict[Step, float] = {}
    loose: dict[Step, float] = {}
    for pattern in neuron.patterns.values():
        root, activation = texts[pattern.steps[0].token], number(pattern.activation)
        for each in pattern.steps:
            step = (root, each.depth, texts[each.token])
            for found, key in ((exact, step), (loose, (normalise(step[0]), step[1], normalise(step[2])))):
                found[key] = max(found.get(key, 0.0), activation)
    return exact, loose
