"""Candidate patterns of a neuron's graph, from the bare token to deep context."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from n2gdb.core.arrays import BoolArray, IndexArray
from n2gdb.core.graph import Pattern, Step
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.n2g.firings import PromptFiring

__all__ = ["BARE", "Candidate", "Candidates", "Level", "Path", "read_candidates"]

#: The context of a pattern, nearest first: (depth, token) of every token that it names before the last.
Path = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Level:
    """One way to read patterns off prompts: how much a context token must matter, and whether variants count.

    The lower the threshold, the more context a pattern names.
    """

    threshold: float
    augmented: bool

    @property
    def generalises(self) -> float:
        """The share of firings that such patterns meet in examples they were not read off: a first guess.

        Measured on the demo model: 0.8 at 0.75, 0.7 at 0.5, 0.6 at 0.3; bare tokens 0.9.
        """
        return 0.9 if self.threshold == math.inf else 0.5 + 0.4 * self.threshold


#: The level that names only the activating token, wherever a training example fires on it.
BARE = Level(math.inf, augmented=False)


@dataclass(slots=True)
class Candidate:
    """A pattern, and the examples (places among the neuron's) that it was read off."""

    context: tuple[Step, ...]
    activation: float
    places: set[int]

    def pattern(self, token: int) -> Pattern:
        """Return the pattern for the activating token that it is a candidate of."""
        return Pattern((Step(0, token, 1.0), *self.context), self.activation)

    def read_elsewhere(self, place: IndexArray) -> BoolArray:
        """Whether it was read off another example than each of these: (position,) -> (position,)."""
        if len(self.places) > 1:
            return np.ones(len(place), np.bool_)
        (own,) = self.places
        elsewhere: BoolArray = place != own
        return elsewhere


#: A neuron's candidates: by activating token, level and path.
Candidates = dict[int, dict[Level, dict[Path, Candidate]]]


def read_candidates(firings: Sequence[PromptFiring], config: N2GConfig) -> dict[int, Candidates]:
    """Read the candidates of every neuron off its firings, at every threshold, with variants and without."""
    found: dict[int, Candidates] = {}
    for threshold in config.thresholds:
        original, augmented = Level(threshold, augmented=False), Level(threshold, augmented=True)
        for firing in firings:
            if firing.slot <= threshold:
                continue
            levels = found.setdefault(firing.neuron, {}).setdefault(firing.token, {})
            context = firing.steps(threshold)
            if firing.is_original:
                _add(levels, original, firing, context)
            if config.augment:
                _add(levels, augmented, firing, context)
    return found


def _add(
    levels: dict[Level, dict[Path, Candidate]], level: Level, firing: PromptFiring, context: tuple[Step, ...]
) -> None:
    paths = levels.setdefault(level, {})
    path = tuple((step.depth, step.token) for step in context)
    known = paths.get(path)
    if known is None:
        paths[path] = Candidate(context, firing.activation, {firing.place})
        return
    known.places.add(firing.place)
    if firing.activation > known.activation:
        known.context, known.activation = context, firing.activation
