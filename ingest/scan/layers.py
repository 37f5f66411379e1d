"""The scan on disk: finished layers, and the state of a scan that was interrupted."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from n2gdb.core.progress import Report
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.inference.memory import bytes_for, place_groups
from n2gdb.ingest.inference.threads import on_cores
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.scan.arrays_file import load_arrays, save_arrays
from n2gdb.ingest.scan.layer_file import LayerScan, layer_scan, place_key
from n2gdb.ingest.scan.reuse import EarlierScans
from n2gdb.ingest.scan.top_windows import STATE, Scan

__all__ = ["scan_layers"]

#: Seconds of scanning that a killed run may lose; more where saving takes more than this share of the time.
_SAVE_EVERY, _SAVING_SHARE = 60.0, 0.05


def scan_layers(
    model: SubjectModel,
    corpus: CorpusStore,
    folder: Path,
    layers: Iterable[int],
    config: N2GConfig,
    report: Report,
    max_memory: int | None = None,
) -> dict[int, LayerScan]:
    """Scan the corpus for the layers that are not scanned yet; resume an interrupted scan.

    Scans of the same text by runs in neighbouring folders are reused. One pass scans as many layers as fit in
    ``max_memory`` bytes.
    """
    files = {layer: layer_scan(folder, layer) for layer in sorted(layers)}
    missing = [layer for layer, file in files.items() if not file.is_of(place_key(model, config, layer))]
    if missing:
        earlier = EarlierScans.of(model, corpus, folder, config)
        groups = list(_groups(missing, earlier, model, corpus, config, bytes_for(model.device, max_memory)))
        for number, group in enumerate(groups):
            passes = _Passes(number, len(groups), corpus.n_windows * corpus.width, report)
            _scan_group(model, corpus, folder, group, config, earlier, passes, files)
    return files


def _scan_group(
    model: SubjectModel,
    corpus: CorpusStore,
    folder: Path,
    group: Sequence[int],
    config: N2GConfig,
    earlier: EarlierScans,
    progress: Callable[[int], None],
    files: Mapping[int, LayerScan],
) -> None:
    """Scan layers in one pass and write their files; all that the scan holds is freed before the next."""
    scan = _scan(model, corpus, folder / "scan", group, config, earlier, progress)

    def save(layer: int) -> None:
        key = place_key(model, config, layer)
        files[layer].record.save(scan.record(layer), key)
        files[layer].save(*scan.examples(layer, corpus.tokens_of, config), key)

    for _ in on_cores(model, save, group):
        pass
    _state_path(folder / "scan", group).unlink(missing_ok=True)


def _groups(
    layers: Sequence[int],
    earlier: EarlierScans,
    model: SubjectModel,
    corpus: CorpusStore,
    config: N2GConfig,
    most: int,
) -> Iterator[tuple[int, ...]]:
    """Group layers that are scanned together: from the same window on, as many as fit in memory."""
    for _, alike in groupby(sorted(layers, key=earlier.start), key=earlier.start):
        positions = corpus.n_windows * corpus.width
        yield from place_groups(model, list(alike), corpus.width, config, model.device.type, most, positions)


@dataclass(frozen=True, slots=True)
class _Passes:
    """Reports progress of a scan that takes several passes over the corpus."""

    done: int
    total: int
    tokens: int
    report: Report

    def __call__(self, tokens: int) -> None:
        self.report("scan", self.done * self.tokens + tokens, self.total * self.tokens)


def _scan(
    model: SubjectModel,
    corpus: CorpusStore,
    folder: Path,
    layers: Sequence[int],
    config: N2GConfig,
    earlier: EarlierScans,
    progress: Callable[[int], None],
) -> Scan:
    scan = Scan(model, layers, corpus.width, config)
    state = _state_path(folder, layers)
    if (begun := load_arrays(state, STATE)) is not None:
        scan.resume(begun)
    elif earlier.start(layers[0]):
        scan.resume(earlier.state(layers, corpus.width))
    due = time.monotonic() + _SAVE_EVERY
    progress(scan.next_window * corpus.width)
    batches = corpus.batches(scan.next_window, scan.batch_windows)
    for sites in on_cores(model, scan.run, batches):
        scan.keep(sites)
        progress(scan.next_window * corpus.width)
        if (begun_at := time.monotonic()) > due:
            save_arrays(state, **scan.state())
            took = time.monotonic() - begun_at
            due = time.monotonic() + max(_SAVE_EVERY, took / _SAVING_SHARE)
    return scan


def _state_path(folder: Path, layers: Sequence[int]) -> Path:
    """Return the path of the state of a scan of exactly these layers."""
    name = hashlib.sha256(repr(list(layers)).encode()).hexdigest()[:8]
    return folder / f"state-{name}.npz"
