"""Counts that are computed from the graphs when a database is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from n2gdb.core.arrays import Int64Array, is_first
from n2gdb.core.behaviours import linked_tries
from n2gdb.core.tries import Tries
from n2gdb.storage.columns import COUNTED

__all__ = ["COUNTS", "NeuronMeasures"]


def _polysemy(tries: Tries, owner: Int64Array, neurons: int) -> Int64Array:
    """Count the behaviours of every neuron."""
    linked = linked_tries(owner, tries.token, tries.depth, tries.root)
    of_first = owner[linked == np.arange(len(linked))]
    return np.bincount(of_first, minlength=neurons).astype(np.int64)


def _max_depth(tries: Tries, owner: Int64Array, neurons: int) -> Int64Array:
    """Return how many positions the deepest pattern of every neuron goes back."""
    deepest = np.zeros(neurons, np.int64)
    if len(owner):
        deepest[:] = np.maximum.reduceat(tries.depth, np.flatnonzero(is_first(owner)))
    return deepest


#: By column of ``schema.COUNTS``: from tries laid one after another, the number of each node's neuron,
#: counted from 0, and how many neurons there are, to one value for each neuron, (neurons,).
COUNTS: dict[str, Callable[[Tries, Int64Array, int], Int64Array]] = {
    "polysemy": _polysemy,
    "max_depth": _max_depth,
}


@dataclass(frozen=True, slots=True)
class NeuronMeasures:
    """Measures of the neurons that have a graph, by their keys in ascending order; (neurons,) each."""

    neuron: Int64Array
    values: Mapping[str, Int64Array]  # by column, in the order of the database's

    @classmethod
    def measured(cls, tries: Tries, neuron: Int64Array) -> NeuronMeasures:
        """Measure whole graphs; ``neuron`` is the key of each node's, those of one together: (nodes,)."""
        first = is_first(neuron)
        known, owner = neuron[first], np.cumsum(first) - 1
        return cls(known, {name: COUNTS[name](tries, owner, len(known)) for name in COUNTED})

    @classmethod
    def joined(cls, parts: Sequence[NeuronMeasures]) -> NeuronMeasures:
        """Put measures of different neurons together."""
        neuron = np.concatenate([np.zeros(0, np.int64), *(part.neuron for part in parts)])
        order = np.argsort(neuron)
        joined: dict[str, Int64Array] = {}
        for name in COUNTED:
            none = np.zeros(0, np.int64)
            joined[name] = np.concatenate([none, *(part.values[name] for part in parts)])[order]
        return cls(neuron[order], joined)

    def of(self, neuron: Int64Array) -> dict[str, Int64Array]:
        """Return the measures of these neurons; 0 for one without a graph: (neurons,) each."""
        place = np.searchsorted(self.neuron, neuron)
        known = place < len(self.neuron)
        known[known] = self.neuron[place[known]] == neuron[known]
        found: dict[str, Int64Array] = {}
        for name, values in self.values.items():
            own: Any = np.zeros(len(neuron), values.dtype)
            own[known] = values[place[known]]
            found[name] = own
        return found
