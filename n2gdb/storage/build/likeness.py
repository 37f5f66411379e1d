"""Likeness: the steps that neurons' graphs share, weighted by how rare their tokens are among all neurons.

Every step of a graph counts twice: as it is written, and with case and space aside. So ``Do`` and `` Do``
are alike by half. Each weighs the step's activation times the rarity of its token, ``log(1 + n / k)`` of a
token that k of n graphs name, case and space aside. Steps of one neuron alone add to its total and are not
stored; the others become ``SharedSteps``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from n2gdb.core.arrays import Float64Array, Int64Array, IntArray, is_first, is_in, pair_order, stable_order
from n2gdb.core.deadline import check_time
from n2gdb.core.tries import GraphSteps
from n2gdb.storage.read.mapped_arrays import narrowest
from n2gdb.storage.read.shared_steps import SharedSteps

__all__ = ["LOOSE", "STEPS", "Likeness", "Shares", "StepSurvey", "step_rows"]

LOOSE = "loose"  # with case and space aside
#: The kinds of steps, as ``Tries.steps`` returns them.
STEPS = ("exact", LOOSE)


def step_rows(steps: GraphSteps) -> pa.Table:
    """Return what is needed of steps once those of all neurons were surveyed."""
    return pa.table({name: getattr(steps, name) for name in ("neuron", "step", "activation")})


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
class Shares:
    """Steps that neurons share with others; (shares,) each."""

    step: IntArray  # among those of ``Likeness``
    holder: IntArray  # place of the neuron there
    weight: Float64Array

    @classmethod
    def joined(cls, parts: Sequence[Shares]) -> Shares:
        """Put those of different neurons or kinds together."""
        nothing = np.zeros(0, np.int32)
        every = (cls(nothing, nothing, nothing.astype(np.float64)), *parts)
        return cls(*(np.concatenate([getattr(part, each.name) for part in every]) for each in fields(cls)))


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
        check_time()
        known = (part.forms[is_in(part.forms[:, 0], shared)] for part in parts)
        forms = np.concatenate([np.zeros((0, 4), np.int64), *known])
        loose, step, owners_of, token_of = _counted(*forms.T).T
        del owned, forms  # a quarter of what is held here
        check_time()
        several = np.unique(loose[1:][loose[1:] == loose[:-1]])
        common = np.flatnonzero(is_in(loose, several) & (owners_of > 1))
        written, first = np.unique(step[common], return_index=True)
        check_time()
        neuron, named = (np.concatenate([nothing, *(getattr(each, name) for each in parts)])
                         for name in ("neuron", "token"))  # fmt: skip
        activation = np.concatenate([np.zeros(0), *(part.activation for part in parts)])
        owners, owner = np.unique(neuron, return_inverse=True)
        check_time()
        token, place, graphs = np.unique(named, return_inverse=True, return_counts=True)
        rarity = np.log1p(len(owners) / graphs)
        total = np.bincount(owner, activation * rarity[place], len(owners)).astype(np.float64)
        # Where a loose step is written in one way alone, one row weighs as much as both.
        twofold = np.where(is_in(shared, several), 1.0, 2.0)
        of_shared = rarity[np.searchsorted(token, token_of[np.searchsorted(loose, shared)])]
        of_written = rarity[np.searchsorted(token, token_of[common[first]])]
        return cls(shared, written, np.concatenate([of_shared * twofold, of_written]), owners, total)

    def shares(self, kind: str, steps: pa.RecordBatch) -> Shares:
        """Return which of some neurons' steps of a kind, rows of ``step_rows``, are stored."""
        among, before = (self.shared, 0) if kind == LOOSE else (self.written, len(self.shared))
        check_time()
        row, place = _placed(steps["step"].to_numpy(), among)
        step = (before + place).astype(np.int32)
        holder = np.searchsorted(self.neuron, steps["neuron"].to_numpy()[row]).astype(np.int32)
        return Shares(step, holder, steps["activation"].to_numpy()[row] * self.weight[step])

    def shared_steps(self, parts: Sequence[Shares]) -> SharedSteps:
        """Lay out what all neurons share, the steps numbered by how many have them."""
        every = Shares.joined(parts)
        holders = np.bincount(every.step, minlength=len(self.weight))
        rarest_first = stable_order(holders)
        number = np.empty(len(holders), np.int64)
        number[rarest_first] = np.arange(len(holders))
        check_time()
        order = np.argsort(number[every.step] * len(self.neuron) + every.holder)
        return SharedSteps(
            self.neuron,
            self.total,
            narrowest(holders[rarest_first]),
            np.packbits(rarest_first < len(self.shared)),
            narrowest(every.holder[order]),
            every.weight[order],
        )


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
