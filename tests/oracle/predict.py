"""What is predicted on a text, straight from the definitions.

By a graph, the longest pattern that stands counts. By evidence, weights are added one by one, in 32 bits.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from n2gdb.core.graph import Pattern
from tests.oracle.numbers import number
from tests.oracle.world import Classes, Evidence, Neuron, PatternIndex, Stored

__all__ = ["Firing", "Foreseen", "firings", "foreseen", "weights_of"]


@dataclass(frozen=True)
class Firing:
    """A pattern by which a neuron fires at a position of a text."""

    position: int
    stored: Stored


def firings(index: PatternIndex, cut: Sequence[int], at: int | None = None) -> Iterator[Firing]:
    """Yield where the neurons of a model fire on a text, at all positions or at one."""
    for position in range(len(cut)) if at is None else [at]:
        counting: dict[Neuron, Stored] = {}
        for stored in index.activated_by.get(cut[position], ()):
            if _stands(stored.pattern, cut, position):
                known = counting.get(stored.neuron)
                if known is None or _rank(stored) > _rank(known):
                    counting[stored.neuron] = stored
        for stored in counting.values():
            if number(stored.pattern.activation) >= index.model.fire_threshold:
                yield Firing(position, stored)


def _stands(pattern: Pattern, cut: Sequence[int], position: int) -> bool:
    """Tell whether a pattern stands at a position; what it does not name may be any token of the text."""
    return pattern.depth <= position and all(
        cut[position - step.depth] == step.token for step in pattern.steps
    )


def _rank(stored: Stored) -> tuple[int, int, float, int]:
    """The longest pattern, then the one that names most, then the one that activates most, then the first."""
    pattern = stored.pattern
    return pattern.depth, len(pattern.steps), pattern.activation, -stored.end


@dataclass(frozen=True)
class Foreseen:
    """A firing at a position: how strong, and depth and token of what excites there."""

    position: int
    activation: float
    steps: tuple[tuple[int, int], ...]


def weights_of(evidence: Evidence, classes: Classes, token: int, depth: int) -> list[float]:
    """Return the weights that a token has at a depth: its own, then those of its classes."""
    named = [token, *(kind[token] for kind in classes if token in kind)]
    return [evidence.weights[depth, each] for each in named if (depth, each) in evidence.weights]


def foreseen(
    evidence: Evidence,
    classes: Classes,
    cut: Sequence[int],
    at: int | None,
    fire_threshold: float,
    by_graph: Collection[int],
) -> Iterator[Foreseen]:
    """Yield where a unit is predicted to fire on a text, at all positions or at one.

    ``by_graph`` are the positions where its graph predicts a firing.
    """
    for position in range(len(cut)) if at is None else [at]:
        if (0, cut[position]) not in evidence.weights:
            continue
        total = np.float32(evidence.base) + np.float32(evidence.weights[0, cut[position]])
        steps = [(0, cut[position])]
        for reach in sorted({-depth for depth, _ in evidence.weights if depth < 0}, reverse=True):
            near = set(cut[max(0, position - reach) : position])
            anywhere = np.float32(0)
            for token in sorted(near):
                anywhere += np.float32(evidence.weights.get((-reach, token), 0.0))
            total += anywhere
        for depth in range(1, min(evidence.deepest, position) + 1):
            token = cut[position - depth]
            weights = weights_of(evidence, classes, token, depth)
            for weight in weights:
                total += np.float32(weight)
            if sum(weights) > 0:
                steps.append((depth, token))
        if position in by_graph:
            total += np.float32(evidence.graph)
        if total >= np.float32(evidence.threshold):
            yield Foreseen(position, _strength(total, evidence.threshold, fire_threshold), tuple(steps))


def _strength(total: np.float32, threshold: float, fire_threshold: float) -> float:
    """The chance of firing, were the unit's threshold where the model's is: never below that."""
    above = float(total) - float(np.float32(threshold))
    shift = math.log(fire_threshold / (1 - fire_threshold))
    return max(float(np.float32(1 / (1 + np.exp(-(above + shift))))), fire_threshold)
