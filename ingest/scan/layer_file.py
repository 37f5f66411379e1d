"""One scanned layer on disk: its top examples, and what another scan can reuse."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from n2gdb.core.units import POSITIVE
from n2gdb.errors import StorageError
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.scan.arrays_file import Arrays, load_arrays, save_arrays
from n2gdb.ingest.scan.place_record import RecordFile
from n2gdb.ingest.scan.top_windows import Kept, TopExamples

__all__ = ["LayerScan", "layer_scan", "place_key", "scan_key"]

#: Arrays without which a layer's scan cannot be used.
_OF_LAYER = ("max_activation", "window", "pivot", "trace", "kept_activation", "kept_window", "kept_pivot")


def scan_key(model: SubjectModel, config: N2GConfig) -> str:
    """Return a key of all that a scan depends on besides its corpus: model, tokenizer, some parameters."""
    sides = "" if model.sides == POSITIVE else f" {model.sides}"
    return f"{model.fingerprint} {model.tokenizer_fingerprint} {config.scan_fingerprint()}{sides}"


def place_key(model: SubjectModel, config: N2GConfig, place: int) -> str:
    """Return a key of all that a place's scan depends on: ``scan_key`` and its dictionary's weights."""
    read = model.at(place).dictionary
    return scan_key(model, config) if read is None else f"{scan_key(model, config)} {read.fingerprint}"


@dataclass(frozen=True, slots=True)
class LayerScan:
    """The scan of one layer, in a file that exists once the whole corpus is scanned."""

    path: Path

    def is_of(self, key: str) -> bool:
        """Whether the scan exists and was made with a ``place_key``; a damaged file counts as absent."""
        return self.key() == key and self.record.is_of(key)

    @property
    def record(self) -> RecordFile:
        """The record of the layer's units, which is written before this file."""
        return RecordFile(self.path.with_name(self.path.name.replace("layer", "record", 1)))

    def load(self) -> TopExamples:
        """Read the top examples."""
        arrays = self._read()
        return TopExamples(arrays["max_activation"], arrays["window"], arrays["pivot"], arrays["trace"])

    def key(self) -> str | None:
        """Return the ``scan_key`` that it was made with; None if there is no complete scan or no key."""
        arrays = self._arrays()
        return None if arrays is None or "key" not in arrays else str(arrays["key"])

    def load_kept(self) -> Kept:
        """Read the windows that were kept."""
        arrays = self._read()
        return Kept(arrays["kept_activation"], arrays["kept_window"], arrays["kept_pivot"])

    def _arrays(self) -> Arrays | None:
        return load_arrays(self.path, _OF_LAYER)

    def _read(self) -> Arrays:
        arrays = self._arrays()
        if arrays is None:
            raise StorageError(
                f"{self.path} has gone or is damaged: run again to go on, which scans it again"
            )
        return arrays

    def save(self, found: TopExamples, kept: Kept, key: str) -> None:
        """Write the scan atomically."""
        save_arrays(
            self.path,
            max_activation=found.max_activation,
            window=found.window,
            pivot=found.pivot,
            trace=found.trace,
            kept_activation=kept.activation,
            kept_window=kept.window,
            kept_pivot=kept.pivot,
            key=np.array(key),
        )


def layer_scan(folder: Path, layer: int) -> LayerScan:
    """Return the scan of a layer in a run's folder, whether or not it exists yet."""
    return LayerScan(folder / "scan" / f"layer-{layer:03d}.npz")
