"""The record of the units of one place: made by a scan, kept on disk, and read back in blocks.

What the last batch of a scan gave is kept apart. A corpus that goes on where this one ended has that batch
filled up, and takes up all before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from n2gdb.core.arrays import IndexArray
from n2gdb.errors import StorageError
from n2gdb.ingest.scan.arrays_file import load_arrays, save_arrays
from n2gdb.ingest.scan.record import ActivationRecord, Recorder, State, merged, only

__all__ = ["PlaceRecord", "RecordFile", "merge_places"]

#: Units whose entries lie together in a file.
_TOGETHER = 256

_ENTRIES = ("unit", "position", "activation")
_OF_UNITS = ("maximum", "count", "active")
_PARTS = ("before", "last")


@dataclass(slots=True)
class PlaceRecord:
    """What a scan records of one place; its last batch has the windows from ``start`` up to ``stop``."""

    n_units: int
    before: Recorder = field(init=False)
    start: int = 0
    stop: int = 0
    _last: tuple[torch.Tensor, int] | State | None = None

    def __post_init__(self) -> None:
        self.before = Recorder(self.n_units)

    @classmethod
    def of(cls, states: Mapping[str, npt.NDArray[Any]]) -> PlaceRecord:
        """Take up what ``states`` gave."""
        before, last = (_part(states, part) for part in _PARTS)
        found = cls(len(before["maximum"]))
        found.before.merge(before)
        found.start, found.stop = states["last_windows"].tolist()
        found._last = last
        return found

    def add(self, activations: torch.Tensor, first: int) -> None:
        """Take up the next batch, from window ``first`` on: (window, position, unit), -inf where none is."""
        self.flush()
        self.start, self.stop = first, first + len(activations)
        self._last = activations.flatten(0, 1), first * activations.shape[1]

    def flush(self) -> None:
        """Take the last batch among those before it."""
        if isinstance(self._last, tuple):
            self.before.add(*self._last)
        elif self._last is not None:
            self.before.merge(self._last)
        self._last = None

    def forget_last(self) -> None:
        """Leave the last batch out."""
        self._last = None

    def states(self) -> dict[str, npt.NDArray[Any]]:
        """Everything that is recorded, in two parts."""
        if not isinstance(self._last, dict):
            recorder = Recorder(self.n_units)
            if isinstance(self._last, tuple):
                recorder.add(*self._last)
            last: State = recorder.state()
        else:
            last = self._last
        parts = zip(_PARTS, (self.before.state(), last), strict=True)
        found = {f"{part}_{name}": array for part, state in parts for name, array in state.items()}
        return {**found, "last_windows": np.array([self.start, self.stop])}


def merge_places(
    first: Mapping[str, npt.NDArray[Any]], second: Mapping[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[Any]]:
    """Put together what two ranges of windows gave, the second after the first: ``states`` all."""
    joined = PlaceRecord.of(first)
    joined.flush()
    joined.before.merge(_part(second, "before"))
    joined.start, joined.stop = second["last_windows"].tolist()
    joined._last = _part(second, "last")
    return joined.states()


def _part(states: Mapping[str, npt.NDArray[Any]], part: str) -> dict[str, npt.NDArray[Any]]:
    return {
        name.removeprefix(f"{part}_"): array
        for name, array in states.items()
        if name.startswith(f"{part}_") and name != "last_windows"
    }


@dataclass(frozen=True, slots=True)
class RecordFile:
    """The record of a place, in a file that is there once the whole corpus is scanned."""

    path: Path

    def is_of(self, key: str) -> bool:
        """Whether it is there and was made with this ``place_key``; what is damaged counts as absent."""
        arrays = load_arrays(self.path, ("key", *_small()), some=True)
        return arrays is not None and str(arrays["key"]) == key

    def save(self, states: Mapping[str, npt.NDArray[Any]], key: str) -> None:
        """Write what ``PlaceRecord.states`` gives: complete or absent."""
        n_units = len(states["before_maximum"])
        arrays = {name: states[name] for name in _small()}
        for part in _PARTS:
            unit = states[f"{part}_unit"]
            bounds = np.searchsorted(unit, np.arange(0, n_units + _TOGETHER, _TOGETHER))
            for block in range(len(bounds) - 1):
                some = slice(*bounds[block : block + 2].tolist())
                for name in _ENTRIES:
                    arrays[f"{part}_{name}_{block}"] = states[f"{part}_{name}"][some]
        save_arrays(self.path, **arrays, key=np.array(key))

    def load(self, units: IndexArray) -> ActivationRecord:
        """Read the record of some units, rising; they are numbered anew, from 0.

        Raises StorageError where it is gone or damaged.
        """
        blocks = np.unique(units // _TOGETHER).tolist()
        arrays = self._read([f"{p}_{n}_{b}" for p in _PARTS for n in _ENTRIES for b in blocks])
        return merged(len(units), [_of_units(arrays, part, blocks, units) for part in _PARTS]).record()

    def load_states(self) -> dict[str, npt.NDArray[Any]]:
        """Read what was written."""
        n_units = len(self._read([])["before_maximum"])
        blocks = range(-(-n_units // _TOGETHER))
        arrays = self._read([f"{p}_{n}_{b}" for p in _PARTS for n in _ENTRIES for b in blocks])
        entries = {f"{p}_{n}": _joined(arrays, p, n, blocks) for p in _PARTS for n in _ENTRIES}
        return {**{name: arrays[name] for name in _small()}, **entries}

    def goes_on(self, window: int) -> bool:
        """Whether a scan can take it up before a window: at its end, or where its last batch begins."""
        arrays = load_arrays(self.path, ("last_windows",), some=True)
        if arrays is None:
            return False
        start, stop = arrays["last_windows"].tolist()
        return bool(window == start or window >= stop)

    def _read(self, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
        arrays = load_arrays(self.path, (*_small(), *names), some=True)
        if arrays is None:
            raise StorageError(
                f"{self.path} has gone or is damaged: run again to go on, which scans it again"
            )
        return arrays


def _small() -> list[str]:
    """Names of the arrays that every reader needs."""
    return ["last_windows", *(f"{part}_{name}" for part in _PARTS for name in (*_OF_UNITS, "n_positions"))]


def _joined(
    arrays: Mapping[str, npt.NDArray[Any]], part: str, name: str, blocks: Sequence[int]
) -> npt.NDArray[Any]:
    return np.concatenate([arrays[f"{part}_{name}_{block}"] for block in blocks])


def _of_units(
    arrays: Mapping[str, npt.NDArray[Any]], part: str, blocks: Sequence[int], units: IndexArray
) -> State:
    """The state of some units alone, numbered from 0."""
    state = {name: arrays[f"{part}_{name}"] for name in (*_OF_UNITS, "n_positions")}
    return only({**state, **{name: _joined(arrays, part, name, blocks) for name in _ENTRIES}}, units)
