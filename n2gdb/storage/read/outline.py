"""Outline: how all tries of a database are shaped, in arrays behind the engine's pages in the same file.

A broad question looks at millions of nodes and at little of each: its token, its place, and whether a
pattern ends there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from n2gdb.core.arrays import BoolArray, ByteArray, Int64Array, IntegerArray
from n2gdb.storage.read.mapped_arrays import narrowest

__all__ = ["Outline", "OutlinePart"]


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """Every node of all tries by rising Neuron.id and preorder, in the narrowest whole numbers."""

    unit: Int64Array  # Neuron.id of the units that have nodes: (units,)
    nodes: IntegerArray  # how many each has: (units,)
    token: IntegerArray  # place of the token in the table of tokens: (nodes,)
    depth: IntegerArray  # (nodes,)
    gap: IntegerArray  # rows up to the parent; 0 of a root: (nodes,)
    below: IntegerArray  # how many nodes are below: (nodes,)
    end: ByteArray  # ``ends``, packed: (nodes / 8,)
    repeats: ByteArray  # ``repeated``, packed: (nodes / 8,)
    counts: IntegerArray  # how many nodes each token has, by its place, up to the last that has some

    @classmethod
    def joined(cls, parts: Sequence[OutlinePart]) -> Outline | None:
        """Put the outlines of different units together; None where their ids do not rise."""
        if not parts:
            return None
        every = OutlinePart(
            *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(OutlinePart))
        )
        first = np.flatnonzero(np.diff(every.neuron, prepend=-1))
        unit = every.neuron[first]
        if np.any(unit[1:] < unit[:-1]):
            return None
        nodes = narrowest(np.diff(first, append=len(every.neuron)))
        end, repeats = np.packbits(every.end), np.packbits(every.repeats)
        counts = narrowest(np.bincount(every.token))
        return cls(unit, nodes, every.token, every.depth, every.gap, every.below, end, repeats, counts)

    @property
    def ends(self) -> BoolArray:
        """Where patterns end: (nodes,)."""
        return np.unpackbits(self.end, count=len(self.token)).view(np.bool_)

    @property
    def repeated(self) -> BoolArray:
        """Whose token stands nearer to the activating token, too: (nodes,)."""
        return np.unpackbits(self.repeats, count=len(self.token)).view(np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class OutlinePart:
    """The nodes of some units, by rising unit and preorder: (nodes,) each, as in ``Outline``."""

    neuron: Int64Array  # Neuron.id
    token: IntegerArray
    depth: IntegerArray
    gap: IntegerArray
    below: IntegerArray
    end: BoolArray
    repeats: BoolArray

    def narrow(self) -> OutlinePart:
        """Return the same in as few bytes as it needs, to be held until all units are known."""
        return replace(
            self,
            token=narrowest(self.token),
            depth=narrowest(self.depth),
            gap=narrowest(self.gap),
            below=narrowest(self.below),
        )
