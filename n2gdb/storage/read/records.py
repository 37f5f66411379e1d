"""Histograms of units' activations on the corpus, read from the database."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from n2gdb.storage.connection import Connection

__all__ = ["ActivationHistogram", "read_histogram", "read_histograms_between"]

#: A float32 above zero, shifted by so many bits, is its bin: the exponent and two bits of the fraction.
_SHIFT = 21


@dataclass(frozen=True, slots=True)
class ActivationHistogram:
    """How often a unit has which activation, counted over the whole corpus.

    The bins are quarter octaves, the last that of ``maximum``. ``counts`` has the activations of each, those
    below the first bin left out: ``active`` are above zero in all, of ``positions`` that count.

    >>> neuron.histogram.maximum, len(neuron.histogram.counts)
    (4.0, 13)
    """

    positions: int
    active: int
    maximum: float
    counts: tuple[int, ...]

    def __repr__(self) -> str:
        share = f"{self.active:,} of {self.positions:,} positions"
        return f"<ActivationHistogram {share}, maximum {self.maximum:.3g}>"

    @property
    def edges(self) -> tuple[float, ...]:
        """Lower edge of each bin, not normalised; empty for a unit that is never active.

        >>> neuron.histogram.edges[:3], neuron.histogram.edges[-1]
        ((0.5, 0.625, 0.75), 4.0)
        """
        if self.maximum <= 0:
            return ()
        (bits,) = struct.unpack("<i", struct.pack("<f", self.maximum))
        last = bits >> _SHIFT
        numbers = range(last - len(self.counts) + 1, last + 1)
        # The smallest float above zero, where bins would reach below it.
        return tuple(struct.unpack("<f", struct.pack("<i", max(n << _SHIFT, 1)))[0] for n in numbers)

    def as_dict(self) -> dict[str, object]:
        """Return what JSON can hold.

        >>> sorted(neuron.histogram.as_dict())
        ['active', 'counts', 'edges', 'maximum', 'positions']
        """
        return {
            "positions": self.positions,
            "active": self.active,
            "maximum": self.maximum,
            "edges": list(self.edges),
            "counts": list(self.counts),
        }


def read_histogram(connection: Connection, key: int) -> ActivationHistogram | None:
    """Return how the activations of the unit with this key are spread; None where that was not recorded."""
    return read_histograms_between(connection, key, key).get(key)


def read_histograms_between(connection: Connection, first: int, last: int) -> dict[int, ActivationHistogram]:
    """Return the same of the units whose keys lie between two, both included; without those of none."""
    rows = connection.rows(
        "MATCH (n:Neuron) WHERE n.id >= $first AND n.id <= $last AND n.positions IS NOT NULL"
        " RETURN n.id, n.positions, n.active, n.maximum, n.counts",
        {"first": first, "last": last},
    )
    return {
        key: ActivationHistogram(positions, active, maximum, tuple(counts))
        for key, positions, active, maximum, counts in rows
    }
