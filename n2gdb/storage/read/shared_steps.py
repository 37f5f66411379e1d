"""Shared steps: which units' graphs have a step that others have too, and what it weighs in each.

Every graph is a set of steps, as ``core.tries.GraphSteps`` has them: as they are written, and with case and
space aside. Those of several units are numbered by how many have them, the rarest first. They are arrays
behind the engine's pages: what follows from the tries alone, and is read by the million.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from n2gdb.core.arrays import BoolArray, ByteArray, Float64Array, Int64Array, IntegerArray, expanded
from n2gdb.errors import DatabaseFormatError
from n2gdb.storage.read.mapped_arrays import read_arrays

__all__ = ["SharedSteps"]


@dataclass(frozen=True, eq=False)
class SharedSteps:
    """Steps by number, and for each step the units that have it: its holders."""

    unit: Int64Array  # Neuron.id of the units that have a graph, rising: (units,)
    total: Float64Array  # what all steps of each weigh, those of no other included: (units,)
    counts: IntegerArray  # how many units have each step, rising: (steps,)
    loose: ByteArray  # ``is_loose``, packed: (steps / 8,)
    holder: IntegerArray  # place of a unit, rising within a step: (holders,)
    weight: Float64Array  # of the step in its graph: (holders,)

    @classmethod
    def read(cls, path: Path) -> SharedSteps:
        """Map those of a database file into memory; raises DatabaseFormatError where it has none."""
        found = read_arrays(path, cls)
        if found is None:
            raise DatabaseFormatError(f"{path} is cut short: build it again with `n2gdb ingest`")
        return found

    @cached_property
    def start(self) -> Int64Array:
        """Where the holders of each step begin, and the end: (steps + 1,)."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.counts, dtype=np.int64)])

    @property
    def is_loose(self) -> BoolArray:
        """Which steps leave case and space aside: what is shared is counted in these. (steps,)."""
        return np.unpackbits(self.loose, count=len(self.counts)).view(np.bool_)

    @property
    def step(self) -> IntegerArray:
        """The step of each holder: (holders,)."""
        return np.repeat(np.arange(len(self.counts), dtype=np.int32), self.counts)

    def against(self, neuron: int) -> tuple[Int64Array, Float64Array, Int64Array]:
        """Compare the graphs of all units with that of one, by Neuron.id.

        Return those that share something: their places, the sum of the smaller weights of the shared steps
        over that of the larger weights of all, and how many are shared, case and space aside.
        """
        place = int(np.searchsorted(self.unit, neuron))
        if place == len(self.unit) or self.unit[place] != neuron:
            nothing = np.zeros(0, np.int64)
            return nothing, nothing.astype(np.float64), nothing
        own = np.flatnonzero(self.holder == place)
        step = np.searchsorted(self.start, own, "right") - 1
        whose, entry = expanded(self.start[step], self.start[step + 1])
        holder = self.holder[entry].astype(np.int64)
        smaller = np.minimum(self.weight[entry], self.weight[own][whose])
        least = np.bincount(holder, smaller, len(self.unit))
        size = np.bincount(holder[self.is_loose[step][whose]], minlength=len(self.unit))
        size[place] = 0
        other = np.flatnonzero(size)
        least = least[other]
        score = np.round(least / (self.total[place] + self.total[other] - least), 9)
        return other, np.minimum(score, 1.0), size[other].astype(np.int64)
