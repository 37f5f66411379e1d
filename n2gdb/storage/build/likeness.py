"""Likeness: the steps that neurons' graphs share, weighted by how rare their tokens are among all neurons.

Every step of a graph counts twice: as it is written, and with case and space aside. So ``Do`` and `` Do``
are alike by half. Each weighs the step's activation times the rarity of its token, ``log(1 + n / k)`` of a
token that k of n graphs name, case and space aside. Steps of one neuron alone add to its total and are not
stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from n2gdb.core.arrays import Float64Array, Int64Array, is_first, is_in, pair_order
from n2gdb.core.tries import GraphSteps

__all__ = ["STEPS", "Likeness", "StepSurvey"]

#: The kinds of steps, as ``Tries.steps`` returns them.
STEPS = ("exact", "loose")


@dataclass(frozen=True, slots=True)
class StepSurvey:
    """What must be known of all steps before any can be weighed, of some neurons.

    ``owned`` has each neuron's loose steps. ``forms`` are steps as they are written, each once: the loose
    step, the step, how many neurons have it, and the key of its token: (forms, 4). A neuron names a token
    with activations that sum to ``activation`` over all steps of both kinds: ``neuron``, ``token`` and it are
    (namings,).
    """

    owned: Int64Array
    forms: Int64Array
    neuron: Int64Array
    token: Int64Array
    activation: Float64Array

    @classmethod
    def of(cls, exact: GraphSteps, loose: GraphSteps) -> StepSurvey:
        """Survey the steps of whole neurons."""
        neuron, token = (
            np.concatenate([getattr(each, name) for each in (exact, loose)]) for name in ("neuron", "token")
        )
        activation = np.concatenate([exact.activation, loose.activation])
        order = pair_order(neuron, token)
        neuron, token = neuron[order], token[order]
        first = _changes(neuron, token)
        summed = np.add.reduceat(activation[order], first) if len(first) else activation
        forms = _counted(exact.loose, exact.step, np.ones(len(exact.step), np.int64), exact.token)
        return cls(loose.step, forms, neuron[first], token[first], summed)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How steps are weighed; all arrays but weights rise.

    shared    loose steps that two neurons or more have
    written   steps as they are written that two neurons or more have, of those shared ones that are written
              in more than one way
    weight    how much both weigh for each activation; those of ``shared`` first
    neuron    keys of neurons that have a graph, with the ``total`` weight of each one's steps
    """

    shared: Int64Array
    written: Int64Array
    weight: Float64Array
    neuron: Int64Array
    total: Float64Array

    @classmethod
    def joined(cls, parts: Sequence[StepSurvey]) -> Likeness:
        """Put surveys of different neurons together."""
        nothing = np.zeros(0, np.int64)
        owned = np.concatenate([nothing, *(part.owned for part in parts)])
        owned.sort()
        shared = np.unique(owned[1:][owned[1:] == owned[:-1]])
        forms = np.concatenate([np.zeros((0, 4), np.int64), *(part.forms for part in parts)])
        loose, step, owners_of, token_of = _counted(*forms[is_in(forms[:, 0], shared)].T).T
        several = np.unique(loose[1:][loose[1:] == loose[:-1]])
        common = np.flatnonzero(is_in(loose, several) & (owners_of > 1))
        written, first = np.unique(step[common], return_index=True)
        neuron, named = (np.concatenate([nothing, *(getattr(each, name) for each in parts)])
                         for name in ("neuron", "token"))  # fmt: skip
        activation = np.concatenate([np.zeros(0), *(part.activation for part in parts)])
        owners, owner = np.unique(neuron, return_inverse=True)
        token, place, graphs = np.unique(named, return_inverse=True, return_counts=True)
        rarity = np.log1p(len(owners) / graphs)
        total = np.bincount(owner, activation * rarity[place], len(owners)).astype(np.float64)
        # Where a loose step is written in one way alone, one row weighs as much as both.
        twofold = np.where(is_in(shared, several), 1.0, 2.0)
        of_shared = rarity[np.searchsorted(token, token_of[np.searchsorted(loose, shared)])]
        of_written = rarity[np.searchsorted(token, token_of[common[first]])]
        return cls(shared, written, np.concatenate([of_shared * twofold, of_written]), owners, total)

    @property
    def paths(self) -> pa.Table:
        """All steps that are stored: even numbers of loose steps, odd ones of those as written; weights."""
        loose, written = (2 + 2 * np.arange(len(each)) for each in (self.shared, self.written))
        return pa.table({"id": np.concatenate([loose, written + 1]), "weight": self.weight})

    def weights(self, path: Int64Array) -> Float64Array:
        """Return the weights of steps by their numbers: (steps,)."""
        place = path // 2 - 1
        return self.weight[np.where(path % 2, place + len(self.shared), place)]

    def rows(self, exact: GraphSteps, loose: GraphSteps) -> pa.Table:
        """Return the steps that some neurons share with others: neuron, path and activation."""
        (common, shared), (kept, written) = (
            _placed(each.step, among) for each, among in ((loose, self.shared), (exact, self.written))
        )
        columns = {
            "neuron": np.concatenate([loose.neuron[common], exact.neuron[kept]]),
            "path": np.concatenate([2 + 2 * shared, 3 + 2 * written]),
            "activation": np.concatenate([loose.activation[common], exact.activation[kept]]),
        }
        return pa.table(columns)

    def totals(self, neuron: Int64Array) -> Float64Array:
        """Return the total weight of each neuron's steps; 0 without a graph: (neurons,)."""
        if not len(self.neuron):
            return np.zeros(len(neuron))
        place = np.searchsorted(self.neuron, neuron).clip(max=len(self.neuron) - 1)
        return np.where(self.neuron[place] == neuron, self.total[place], 0.0)


def _placed(values: Int64Array, rising: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return the rows of the values that are among ``rising``, and the place of each there.

    They are looked up by size, so that memory is read in its order: in half the time.
    """
    if not len(rising):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = np.argsort(values)
    sought = values[order]
    place = np.searchsorted(rising, sought).clip(max=len(rising) - 1)
    places = np.empty(len(values), np.int64)
    places[order] = np.where(rising[place] == sought, place, -1)
    found = np.flatnonzero(places >= 0)
    return found, places[found]


def _counted(first: Int64Array, second: Int64Array, count: Int64Array, third: Int64Array) -> Int64Array:
    """Return every pair once, rising, with the sum of its counts, and what follows from it: (pairs, 4)."""
    order = pair_order(first, second)
    first, second = first[order], second[order]
    kept = _changes(first, second)
    summed = np.add.reduceat(count[order], kept) if len(kept) else count
    return np.stack([first[kept], second[kept], summed, third[order[kept]]], axis=1)


def _changes(first: Int64Array, second: Int64Array) -> Int64Array:
    """Return where either of two sorted columns changes, the first row included."""
    return np.flatnonzero(is_first(first) | is_first(second))
