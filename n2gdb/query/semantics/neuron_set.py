"""Sets of neurons that may be complements, so that NOT never lists every neuron."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from n2gdb.grammar.records import dataclass

__all__ = ["NeuronSet"]


@dataclass(frozen=True, slots=True)
class NeuronSet:
    """The neurons with these ids; if ``without``, all neurons except these."""

    ids: frozenset[int]
    without: bool = False

    @classmethod
    def of(cls, ids: Iterable[int]) -> NeuronSet:
        """Return the set of these ids."""
        return cls(frozenset(ids))

    def __contains__(self, neuron: int) -> bool:
        return (neuron in self.ids) is not self.without

    def __invert__(self) -> NeuronSet:
        return NeuronSet(self.ids, not self.without)

    def __and__(self, other: NeuronSet) -> NeuronSet:
        if self.without and other.without:
            return NeuronSet(self.ids | other.ids, without=True)
        if self.without or other.without:
            listed, outside = (other, self) if self.without else (self, other)
            return NeuronSet(listed.ids - outside.ids)
        return NeuronSet(self.ids & other.ids)

    def __or__(self, other: NeuronSet) -> NeuronSet:
        return ~(~self & ~other)

    @staticmethod
    def all_of(sets: Sequence[NeuronSet]) -> NeuronSet:
        """Return the neurons that are in every set; all neurons if there are no sets."""
        result = NeuronSet(frozenset(), without=True)
        for each in sets:
            result = result & each
        return result

    @staticmethod
    def any_of(sets: Sequence[NeuronSet]) -> NeuronSet:
        """Return the neurons that are in at least one set."""
        return ~NeuronSet.all_of([~each for each in sets])
