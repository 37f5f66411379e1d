"""The scan on disk: finished layers, and the state of a scan that was interrupted."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.cores import on_cores
from n2gdb.ingest.corpus_store import CorpusStore
from n2gdb.ingest.memory import bytes_for, layer_groups
from n2gdb.ingest.models import SubjectModel
from n2gdb.ingest.report import Report
from n2gdb.ingest.scan import Scan, TopExamples
from n2gdb.shards import storing

__all__ = ["LayerScan", "save_arrays", "scan_layers"]

#: Seconds of scanning that a killed run may lose.
_SAVE_EVERY = 60.0


@dataclass(frozen=True, slots=True)
class LayerScan:
    """The top examples of one scanned layer, in a file."""

    path: Path

    def load(self) -> TopExamples:
        """Read them."""
        with np.load(self.path) as arrays:
            return TopExamples(arrays["max_activation"], arrays["window"], arrays["pivot"], arrays["trace"])

    def save(self, found: TopExamples) -> None:
        """Write them: complete or absent."""
        save_arrays(
            self.path,
            max_activation=found.max_activation,
            window=found.window,
            pivot=found.pivot,
            trace=found.trace,
        )


def scan_layers(
    model: SubjectModel,
    corpus: CorpusStore,
    folder: Path,
    layers: Iterable[int],
    config: N2GConfig,
    report: Report,
    max_memory: int | None = None,
) -> dict[int, LayerScan]:
    """Scan the corpus for those of ``layers`` that are not scanned yet; goes on where it was killed.

    Layers of which no more than ``max_memory`` bytes hold what is kept are scanned in one pass.
    """
    files = {layer: LayerScan(folder / "scan" / f"layer-{layer:03d}.npz") for layer in sorted(layers)}
    missing = [layer for layer, file in files.items() if not file.path.exists()]
    if missing:
        most = bytes_for(model.device, max_memory)
        groups = layer_groups(missing, model.d_mlp, corpus.width, config, model.device.type, most)
        for number, group in enumerate(groups):
            passes = _Passes(number, len(groups), corpus.n_windows * corpus.width, report)
            scan = _scan(model, corpus, folder / "scan", group, config, passes)
            for layer in group:
                files[layer].save(scan.examples(layer, corpus.tokens_of, config))
            _state_path(folder / "scan", group).unlink(missing_ok=True)
    return files


@dataclass(frozen=True, slots=True)
class _Passes:
    """Tells how far the scan is when it takes several passes over the corpus."""

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
    progress: Callable[[int], None],
) -> Scan:
    scan = Scan(model, layers, corpus.width, config)
    state = _state_path(folder, layers)
    if state.exists():
        with np.load(state) as arrays:
            scan.resume(dict(arrays))
    saved = time.monotonic()
    progress(scan.next_window * corpus.width)
    batches = corpus.batches(scan.next_window, scan.batch_windows)
    for sites in on_cores(model, scan.run, batches):
        scan.keep(sites)
        progress(scan.next_window * corpus.width)
        if time.monotonic() - saved > _SAVE_EVERY:
            save_arrays(state, **scan.state())
            saved = time.monotonic()
    return scan


def _state_path(folder: Path, layers: Sequence[int]) -> Path:
    """A scan's state is for exactly these layers."""
    name = hashlib.sha256(repr(list(layers)).encode()).hexdigest()[:8]
    return folder / f"state-{name}.npz"


def save_arrays(path: Path, **arrays: npt.NDArray[np.generic]) -> None:
    """Write arrays to a file that is complete or absent."""
    partial = path.with_name(f".{path.name}")
    with storing(path):
        path.parent.mkdir(exist_ok=True)
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        partial.replace(path)
