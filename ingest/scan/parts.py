"""A scan in parts: ranges of windows scanned by themselves, and merged into what one scan keeps."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from n2gdb.errors import StorageError
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.inference.threads import on_cores
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.scan.arrays_file import load_arrays, save_arrays
from n2gdb.ingest.scan.layer_file import LayerScan
from n2gdb.ingest.scan.place_record import merge_places
from n2gdb.ingest.scan.top_windows import Scan, select_examples

__all__ = ["ScanParts", "merge_parts", "scan_part"]

State = dict[str, npt.NDArray[Any]]

_STATE = ("activation", "window", "trace")


@dataclass(frozen=True, slots=True)
class ScanParts:
    """Ranges of windows that make up the corpus, and the files with the results of each range."""

    folder: Path
    bounds: tuple[int, ...]
    """Where ranges begin, and the end of the last."""

    @classmethod
    def of(cls, scan_folder: Path, n_windows: int, batch: int, wanted: int) -> ScanParts:
        """Split a corpus into about ``wanted`` ranges of whole batches, or as an interrupted run did.

        The same batches round in the same way, so whole batches give bit for bit the result of one scan.
        """
        begun = sorted(scan_folder.glob("parts-*"))
        parts = int(begun[0].name.partition("-")[2]) if begun else wanted
        n_batches = -(-n_windows // batch)
        step = -(-n_batches // max(1, min(parts, n_batches))) * batch
        return cls(scan_folder / f"parts-{parts}", (*range(0, n_windows, step), n_windows))

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The first window of each range, and the window after its last."""
        return tuple(zip(self.bounds[:-1], self.bounds[1:], strict=True))

    def file(self, start: int, stop: int, layer: int) -> Path:
        """Return the path of a range's state of one layer."""
        return self.folder / f"{start:09d}-{stop:09d}-{layer:03d}.npz"

    def remove(self) -> None:
        """Delete the states, once every layer is merged."""
        shutil.rmtree(self.folder, ignore_errors=True)


def scan_part(
    model: SubjectModel,
    corpus: CorpusStore,
    parts: ScanParts,
    span: tuple[int, int],
    layers: Sequence[int],
    config: N2GConfig,
) -> None:
    """Scan a range of windows for the layers that have no state for it yet."""
    start, stop = span
    missing = [layer for layer in layers if load_arrays(parts.file(start, stop, layer), _STATE) is None]
    if not missing:
        return
    scan = Scan(model, missing, corpus.width, config)
    scan.next_window = start
    batches = islice(corpus.batches(start, scan.batch_windows), -(-(stop - start) // scan.batch_windows))
    for sites in on_cores(model, scan.run, batches):
        scan.keep(sites)
    state = scan.tensors()
    for layer in missing:
        rows = scan.rows(layer)
        arrays = {name: state[name][rows] for name in _STATE}
        save_arrays(parts.file(start, stop, layer), **arrays, **scan.record(layer))


def merge_parts(
    corpus: CorpusStore, parts: ScanParts, layer: int, into: LayerScan, config: N2GConfig, key: str
) -> None:
    """Merge a layer's states of all ranges into its top examples; ``key`` is its ``place_key``."""
    if into.is_of(key):
        return
    states = (_load(parts.file(start, stop, layer)) for start, stop in parts.ranges)
    state = reduce(_merge, states)
    into.record.save({name: array for name, array in state.items() if name not in _STATE}, key)
    activation, window, trace = (state[name] for name in _STATE)
    found = select_examples(
        activation,
        window,
        trace.argmax(axis=2),
        lambda place: np.take_along_axis(trace, place[..., None], 1),
        corpus.tokens_of,
        config,
    )
    into.save(*found, key)


def _load(path: Path) -> State:
    arrays = load_arrays(path, _STATE)
    if arrays is None:
        raise StorageError(f"{path} has gone or is damaged: run again to go on, which scans it again")
    return arrays


def _merge(first: State, second: State) -> State:
    """Keep the strongest windows of two states, as many as one state keeps; ties go to the earlier window.

    activation, window (neuron, kept); trace (neuron, kept, position).
    """
    kept = first["activation"].shape[1]
    records = [{name: each[name] for name in each if name not in _STATE} for each in (first, second)]
    both = {name: np.concatenate([first[name], second[name]], axis=1) for name in _STATE}
    order = np.lexsort((both["window"], -both["activation"]), axis=1)[:, :kept]
    return {
        "activation": np.take_along_axis(both["activation"], order, 1),
        "window": np.take_along_axis(both["window"], order, 1),
        "trace": np.take_along_axis(both["trace"], order[..., None], 1),
        **merge_places(*records),
    }
