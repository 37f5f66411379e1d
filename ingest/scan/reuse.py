"""Reuses other runs' scans of the same model, over text that this corpus begins with.

A longer corpus costs only its new text, and other parameters of the steps after the scan cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.inference.memory import window_batch
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.scan.layer_file import LayerScan, layer_scan, place_key
from n2gdb.ingest.scan.place_record import PlaceRecord
from n2gdb.ingest.scan.top_windows import named_states

__all__ = ["EarlierScans"]

#: Windows compared at a time.
_COMPARED = 4096


@dataclass(frozen=True, slots=True)
class EarlierScans:
    """Runs whose corpus is the beginning of this one, each with the window to continue from, best first."""

    runs: tuple[tuple[int, Path], ...]
    key_of: Callable[[int], str]
    """The key that the scan of a place must have been made with."""
    _chosen: dict[int, tuple[int, LayerScan] | None] = field(default_factory=dict)

    @classmethod
    def of(cls, model: SubjectModel, corpus: CorpusStore, folder: Path, config: N2GConfig) -> EarlierScans:
        """Find the runs in neighbouring folders.

        A batch that the other corpus did not fill is scanned again, as only the same batches round in the
        same way.
        """
        batch = window_batch(model.device.type, corpus.width)
        runs = []
        for other in sorted(folder.parent.iterdir()):
            if other != folder and (other / "scan").is_dir():
                begun = _windows_begun_with(corpus, other / "corpus.windows")
                runs.append((begun - begun % batch if begun < corpus.n_windows else begun, other))
        found = sorted((run for run in runs if run[0]), key=lambda run: -run[0])
        return cls(tuple(found), partial(place_key, model, config))

    def start(self, layer: int) -> int:
        """Return the first window of a layer to scan: 0 if no run has scanned it."""
        chosen = self._best(layer)
        return 0 if chosen is None else chosen[0]

    def state(self, layers: Sequence[int], width: int) -> dict[str, npt.NDArray[np.generic]]:
        """Return the state of a scan of ``layers`` before the window from which they all continue.

        For kept windows that gave no example, only the activation at the pivot is known.
        """
        scans = {layer: chosen[1] for layer in layers if (chosen := self._best(layer)) is not None}
        start = self.start(layers[0])
        parts = [_state(scanned, start, width) for scanned in scans.values()]
        joined: dict[str, npt.NDArray[Any]] = {
            name: np.concatenate([part[name] for part in parts]) for name in parts[0]
        }
        for layer, scanned in scans.items():
            joined |= named_states(_record(scanned, start), layer)
        return {"next_window": np.array(start), **joined}

    def _best(self, layer: int) -> tuple[int, LayerScan] | None:
        """Return where to continue, and the scan up to there; cached, as it reads a whole scan."""
        if layer not in self._chosen:
            key = self.key_of(layer)
            scans = ((start, layer_scan(folder, layer)) for start, folder in self.runs)
            usable = (each for each in scans if each[1].is_of(key) and each[1].record.goes_on(each[0]))
            self._chosen[layer] = next(usable, None)
        return self._chosen[layer]


def _windows_begun_with(corpus: CorpusStore, path: Path) -> int:
    """Return the number of windows of a corpus that this one begins with; 0 if it does not."""
    size = path.stat().st_size if path.exists() else 0
    if not size or size % (4 * corpus.width):  # none, or windows of another length
        return 0
    theirs = np.memmap(path, np.int32, mode="r").reshape(-1, corpus.width)
    last = len(theirs) - 1
    if last >= corpus.n_windows:
        return 0
    for first in range(0, last, _COMPARED):
        number = np.arange(first, min(first + _COMPARED, last))
        if not np.array_equal(theirs[number], corpus.tokens_of(number)):
            return 0
    ours = corpus.tokens_of(np.array([last]))[0]
    if np.array_equal(theirs[last], ours):
        return last + 1
    # A window that the other corpus did not fill: scanned again, it activates as much or more.
    filled = theirs[last] != PAD
    return last if np.array_equal(theirs[last][filled], ours[filled]) else 0


def _record(scanned: LayerScan, start: int) -> dict[str, npt.NDArray[Any]]:
    """One layer's record before window ``start``: without its last batch, if that begins there."""
    found = PlaceRecord.of(scanned.record.load_states())
    if start < found.stop:
        found.forget_last()
    else:
        found.flush()
    return found.states()


def _state(scanned: LayerScan, start: int, width: int) -> dict[str, npt.NDArray[Any]]:
    """Return one layer's part of the state before window ``start``."""
    found, kept = scanned.load(), scanned.load_kept()
    stays = (kept.window >= 0) & (kept.window < start)  # (neuron, kept)
    activation = np.where(stays, kept.activation, -np.inf).astype(np.float32)
    trace = np.full((*kept.window.shape, width), -np.inf, np.float32)  # (neuron, kept, position)
    np.put_along_axis(trace, kept.pivot[..., None], activation[..., None], axis=2)
    is_example = (kept.window[:, :, None] == found.window[:, None, :]) & stays[..., None]
    neuron, place, example = np.nonzero(is_example)
    trace[neuron, place] = found.trace[neuron, example]
    return {"activation": activation, "window": np.where(stays, kept.window, -1), "trace": trace}
