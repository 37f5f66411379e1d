"""The record: a bounded sample of every unit's activations, stratified by strength, with exact counts.

Activations are sorted into quarter-octave bins of their float32 bit pattern. Every bin within three octaves
of the unit's maximum is counted, and the positions with the smallest hashes in each bin are kept. The result
depends only on the activations, not on batches, the order of parts, or interruptions. The hash is of the
position, the same for all units, so that the records of two units can be compared.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from n2gdb.core.arrays import FloatArray, IndexArray, Int64Array, KeyArray, position_hash

__all__ = [
    "BINS",
    "ActivationRecord",
    "Recorder",
    "State",
    "merged",
    "only",
]

State = Mapping[str, npt.NDArray[Any]]

#: Bins of a record: that of the maximum is the last, and the first begins at an eighth of it or below.
BINS = 13
#: Of these, those that can hold activations of half the maximum or more.
_STRONG = 5
#: Positions that are kept of each strong bin, and of each other.
_STRONG_KEPT, _WEAK_KEPT = 1024, 256
#: A float32 above zero, shifted by so many bits, is its bin: the exponent and two bits of the fraction.
_SHIFT = 21
#: Entries that may wait to be sorted in, and about how many are sorted together.
_WAITING, _TOGETHER = 1 << 20, 1 << 18
#: Activations that are added at a time: what this takes on their device is about ten times as many bytes.
_ADDED = 1 << 24
#: Bins of units that are sorted together: their numbers have 16 bits.
_MOST_PLACES = 1 << 16

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_KEPT = np.array([_WEAK_KEPT] * (BINS - _STRONG) + [_STRONG_KEPT] * _STRONG)
_FIELDS = ("unit", "position", "activation")


@dataclass(frozen=True, slots=True)
class ActivationRecord:
    """The kept activations of some units, by (unit, position).

    ``unit``, ``position`` and ``activation`` (raw) are (entries,); the other arrays describe all counted
    positions, kept or not.
    """

    unit: npt.NDArray[np.int32]
    position: Int64Array  # flat position in the corpus: window x width + position in the window
    activation: FloatArray
    maximum: FloatArray  # (unit,) largest activation; 0 where none is above zero
    count: Int64Array  # (unit, bin) activations of each bin; the last bin is that of the maximum
    active: Int64Array  # (unit,) activations above zero
    limit: KeyArray  # (unit, bin) positions whose hash is no greater were kept, all of the bin
    n_positions: int

    def of(self, unit: int) -> slice:
        """Return the entries of one unit."""
        return slice(*np.searchsorted(self.unit, (unit, unit + 1)).tolist())

    def edges(self) -> FloatArray:
        """Lower edge of each bin: (unit, bin); infinite where a unit is never active."""
        return _edges(self.maximum)

    def bins(self, entries: slice = slice(None)) -> Int64Array:
        """The bin of every entry, or of some: (entries,)."""
        return _bin(self.activation[entries]) - _first_bin(self.maximum)[self.unit[entries]]

    def weights(self) -> FloatArray:
        """How many activations of its bin each entry stands for: (entries,)."""
        kept = 1 / self.share()
        found: FloatArray = kept[self.unit, self.bins()].astype(np.float32)
        return found

    def reaching(self, share: float) -> npt.NDArray[np.float64]:
        """About how many activations of each unit reach a share of its maximum: (unit,).

        Exact where all of their bin were kept.
        """
        reach = self.activation >= np.float32(share) * self.maximum[self.unit]
        found: npt.NDArray[np.float64] = np.bincount(
            self.unit[reach], self.weights()[reach], len(self.maximum)
        ).astype(np.float64)
        return found

    def share(self) -> FloatArray:
        """Share of each bin that was kept: (unit, bin); 1 for an empty bin."""
        kept = np.zeros(self.count.shape, np.int64)
        np.add.at(kept, (self.unit, self.bins()), 1)
        found: FloatArray = np.divide(kept, self.count, out=np.ones(kept.shape), where=self.count > 0).astype(
            np.float32
        )
        return found


class Recorder:
    """Collects activations batch by batch, in memory that depends only on the number of units."""

    def __init__(self, n_units: int) -> None:
        self._maximum = np.zeros(n_units, np.float32)
        self._count = np.zeros((n_units, BINS), np.int64)
        self._active = np.zeros(n_units, np.int64)
        self._limit = np.full((n_units, BINS), _ALL)
        self._entries = _no_entries()
        self._waiting: list[dict[str, npt.NDArray[Any]]] = []
        self._n_waiting = 0
        self._n_positions = 0

    @torch.inference_mode()
    def add(self, activations: torch.Tensor, first: int) -> None:
        """Add the activations at positions ``first``, ``first + 1``, ...

        activations (position, unit) float32. Zero, negative and NaN are not activations; a position that does
        not count is -inf for every unit.
        """
        step = max(1, _ADDED // max(activations.shape[1], 1))
        for start in range(0, len(activations), step):
            self._add(activations[start : start + step], first + start)

    def _add(self, activations: torch.Tensor, first: int) -> None:
        largest = activations.amax(dim=0).clamp(min=0) + 0.0  # no negative zero, whose bits are no bin's
        self._raise_maximum(largest.cpu().numpy())
        self._active += _count_true(_compared(operator.gt, activations, np.zeros(1, np.float32)))
        self._n_positions += int((activations[:, 0] > -torch.inf).sum())
        # All that grows with the batch is done on its device; what is kept, which soon is little, comes back.
        rows, n_units = activations.shape
        here = activations.device
        flat = _true(_compared(operator.ge, activations, _edges(self._maximum)[:, 0]))
        value = activations.reshape(-1)[flat]
        row = torch.div(flat, n_units, rounding_mode="floor")
        unit = flat - row * n_units
        # By unit: its first place less the number of its first bin, so that a bin gives a place.
        before = np.arange(n_units) * BINS - _first_bin(self._maximum)
        place = (value.view(torch.int32) >> _SHIFT) + torch.from_numpy(before).to(here)[unit]
        counted = torch.bincount(place, minlength=self._count.size)
        self._count += counted.cpu().numpy().reshape(self._count.shape)
        key = _signed(position_hash(np.arange(first, first + rows))).to(here)
        kept = key[row] <= _signed(self._limit.ravel()).to(here)[place]
        self._wait(unit[kept].cpu().numpy(), row[kept].cpu().numpy() + first, value[kept].cpu().numpy())

    def merge(self, state: State) -> None:
        """Merge the ``state`` of a recorder of other positions."""
        self._raise_maximum(state["maximum"])
        theirs = _shifted(state["count"], _first_bin(self._maximum) - _first_bin(state["maximum"]), 0)
        self._count += theirs
        self._active += state["active"]
        self._n_positions += int(state["n_positions"])
        self._wait(*(state[name] for name in _FIELDS))
        self._sort_in()

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all arrays needed to resume later."""
        return {
            **self._by_position(),
            "maximum": self._maximum,
            "count": self._count,
            "active": self._active,
            "n_positions": np.array(self._n_positions),
        }

    def record(self) -> ActivationRecord:
        """Return the record so far."""
        entries = self._by_position()
        unit, position, activation = (entries[name] for name in _FIELDS)
        return ActivationRecord(
            unit,
            position,
            activation,
            self._maximum.copy(),
            self._count.copy(),
            self._active.copy(),
            self._limit.copy(),
            self._n_positions,
        )

    def _raise_maximum(self, largest: FloatArray) -> None:
        before = _first_bin(self._maximum)
        np.maximum(self._maximum, largest, out=self._maximum)
        risen = _first_bin(self._maximum) - before
        if risen.any():
            self._count = _shifted(self._count, risen, 0)
            self._limit = _shifted(self._limit, risen, _ALL)

    def _wait(self, unit: npt.NDArray[Any], position: npt.NDArray[Any], value: FloatArray) -> None:
        self._waiting.append(
            {"unit": unit.astype(np.int32), "position": position.astype(np.int64), "activation": value}
        )
        self._n_waiting += len(unit)
        if self._n_waiting > max(_WAITING, len(self._entries["unit"]) // 2):
            self._sort_in()

    def _sort_in(self) -> None:
        """Keep the positions with the smallest hashes in every bin, and note the largest of these hashes.

        Some units at a time, so that little more is held than what is kept and what waits.
        """
        waiting = (
            {name: np.concatenate([part[name] for part in self._waiting]) for name in _FIELDS}
            if self._waiting
            else _no_entries()
        )
        self._waiting, self._n_waiting = [], 0
        order = np.argsort(waiting["unit"], kind="stable")
        parts = []
        for units, bounds in self._parts(len(order)):
            old = slice(*np.searchsorted(self._entries["unit"], bounds))
            new = order[slice(*np.searchsorted(waiting["unit"], bounds, sorter=order))]
            entries = {
                name: np.concatenate([self._entries[name][old], waiting[name][new]]) for name in _FIELDS
            }
            parts.append(self._least(units, entries))
        self._entries = _no_entries()  # the parts have all that is kept of them
        self._entries = _joined(parts)

    def _parts(self, more: int) -> Iterator[tuple[slice, tuple[int, int]]]:
        """Units whose entries, and a share of ``more``, are sorted together: as a slice, and its two ends."""
        n_units, held = len(self._maximum), more + len(self._entries["unit"])
        step = min(max(1, n_units * _TOGETHER // max(held, 1)), _MOST_PLACES // BINS)
        for start in range(0, n_units, step):
            stop = min(start + step, n_units)
            yield slice(start, stop), (start, stop)

    def _least(self, units: slice, entries: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """What is kept of some units' entries, by unit, bin and hash; their limits are set."""
        unit, position, value = (entries[name] for name in _FIELDS)
        number = _bin(value) - _first_bin(self._maximum)[unit]
        near = number >= 0
        unit, position, value, number = unit[near], position[near], value[near], number[near]
        place = (unit.astype(np.int64) - units.start) * BINS + number
        key = position_hash(position)
        order = _order(place, key)
        place, number = place[order], number[order]
        start = np.flatnonzero(np.append(True, place[1:] != place[:-1])) if len(place) else place
        size = np.diff(np.append(start, len(place)))
        rank = np.arange(len(place)) - np.repeat(start, size)
        stays = rank < _KEPT[number]
        limit = np.full((units.stop - units.start) * BINS, _ALL)
        last = stays & (rank == _KEPT[number] - 1)
        limit[place[last]] = key[order][last]
        self._limit[units] = limit.reshape(-1, BINS)
        kept = order[stays]
        return {"unit": unit[kept], "position": position[kept], "activation": value[kept]}

    def _by_position(self) -> dict[str, npt.NDArray[Any]]:
        """All that is kept, by unit and position; it is never written to again."""
        self._sort_in()
        for units, bounds in self._parts(0):
            here = slice(*np.searchsorted(self._entries["unit"], bounds))
            order = _order(self._entries["unit"][here] - units.start, self._entries["position"][here])
            for name in _FIELDS:
                self._entries[name][here] = self._entries[name][here][order]
        return dict(self._entries)


def merged(n_units: int, states: Sequence[State]) -> Recorder:
    """Return a recorder merged from several, each of other positions."""
    whole = Recorder(n_units)
    for state in states:
        whole.merge(state)
    return whole


def only(state: State, units: IndexArray) -> dict[str, npt.NDArray[Any]]:
    """What a state says of some units, rising, numbered from 0; entries of others may be missing from it."""
    place = np.searchsorted(units, state["unit"])
    own = units[np.minimum(place, len(units) - 1)] == state["unit"]
    entries = {name: state[name][own] for name in _FIELDS} | {"unit": place[own].astype(np.int32)}
    return {
        **entries,
        **{name: state[name][units] for name in ("maximum", "count", "active")},
        "n_positions": state["n_positions"],
    }


def _compared(
    compare: Callable[[Any, Any], Any], activations: torch.Tensor, least: FloatArray
) -> torch.Tensor:
    """Compare activations with a number of each unit, (unit,); numpy does it four times as fast as torch."""
    if activations.device.type == "cpu":
        return torch.from_numpy(compare(activations.numpy(), least))
    mask: torch.Tensor = compare(activations, torch.from_numpy(least).to(activations.device))
    return mask


def _true(mask: torch.Tensor) -> torch.Tensor:
    """Return the sorted flat indices where a mask is true; numpy does it eight times as fast as torch."""
    if mask.device.type == "cpu":
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return torch.nonzero(mask.flatten()).squeeze(1)


def _signed(key: KeyArray) -> torch.Tensor:
    """The same order of 64-bit numbers, in the signed type that torch compares: (any shape)."""
    return torch.from_numpy((key ^ np.uint64(1 << 63)).view(np.int64))


def _count_true(mask: torch.Tensor) -> Int64Array:
    """Count the true rows of each column: (row, column) -> (column,).

    Eight columns are summed as one integer, over no more rows than a byte can count.
    """
    rows, columns = mask.shape
    if columns % 8:
        mask = torch.nn.functional.pad(mask, (0, -columns % 8))
    whole = mask.contiguous().view(torch.int64)
    total = np.zeros(whole.shape[1] * 8, np.int64)
    for start in range(0, rows, 255):
        total += whole[start : start + 255].sum(dim=0).cpu().numpy().view(np.uint8)
    return total[:columns]


def _order(major: npt.NDArray[np.integer], minor: npt.NDArray[np.integer]) -> IndexArray:
    """Sort by a number below ``_MOST_PLACES``, then by another that differs where the first is the same."""
    order = np.argsort(minor)
    # Numbers of 16 bits are sorted by their digits: five times as fast as comparing both at once.
    found: IndexArray = order[np.argsort(major[order].astype(np.uint16), kind="stable")]
    return found


def _joined(parts: Sequence[dict[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]:
    """Join parts, which are emptied: one field at a time is held twice."""
    return {name: np.concatenate([part.pop(name) for part in parts]) for name in _FIELDS}


def _no_entries() -> dict[str, npt.NDArray[Any]]:
    return {
        "unit": np.zeros(0, np.int32),
        "position": np.zeros(0, np.int64),
        "activation": np.zeros(0, np.float32),
    }


def _bin(activation: FloatArray) -> Int64Array:
    """Return the quarter-octave bins of activations above zero: (any shape)."""
    return (np.ascontiguousarray(activation, np.float32).view(np.int32) >> _SHIFT).astype(np.int64)


def _first_bin(maximum: FloatArray) -> Int64Array:
    """Return the lowest bin of units with these maxima: (unit,)."""
    return _bin(maximum) - (BINS - 1)


def _edges(maximum: FloatArray) -> FloatArray:
    """Lower edge of each bin of units with these maxima: (unit,) -> (unit, bin)."""
    number = _first_bin(maximum)[:, None] + np.arange(BINS)
    # The smallest float above zero, where bins would reach below it.
    bits = np.maximum(number << _SHIFT, 1).astype(np.int32)
    edges: FloatArray = bits.view(np.float32)
    edges[maximum <= 0] = np.inf
    return edges


def _shifted(of_bins: npt.NDArray[Any], by: Int64Array, filling: Any) -> npt.NDArray[Any]:
    """Shift each unit's bins down by the number of bins that its maximum rose: (unit, bin)."""
    source = np.arange(BINS) + by[:, None]
    found = np.take_along_axis(of_bins, np.minimum(source, BINS - 1), 1)
    return np.where(source < BINS, found, filling).astype(of_bins.dtype)
