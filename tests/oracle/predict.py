"""What graphs predict on a text, straight from the definition: the longest pattern that stands counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from n2gdb.core.graph import Pattern
from tests.oracle.numbers import number
from tests.oracle.world import Neuron, PatternIndex, Stored

__all__ = ["Firing", "firings"]


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
