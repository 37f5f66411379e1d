"""One scanned layer on disk: its top examples, and what another scan can take up from there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.scan.top_windows import Kept, TopExamples
from n2gdb.storage.shards import storing

__all__ = ["LayerScan", "layer_scan", "save_arrays", "scan_key"]


def scan_key(model: SubjectModel, config: N2GConfig) -> str:
    """Name what a scan depends on beside its corpus: the model, its tokenizer and some of the parameters."""
    return f"{model.fingerprint} {model.tokenizer_fingerprint} {config.scan_fingerprint()}"


@dataclass(frozen=True, slots=True)
class LayerScan:
    """The scan of one layer, in a file that is there once the whole corpus is scanned."""

    path: Path

    def load(self) -> TopExamples:
        """Read the top examples."""
        with np.load(self.path) as arrays:
            return TopExamples(arrays["max_activation"], arrays["window"], arrays["pivot"], arrays["trace"])

    def key(self) -> str | None:
        """Read the ``scan_key`` that it was made with; None where there is no scan, or one that has none."""
        if not self.path.exists():
            return None
        with np.load(self.path) as arrays:
            return str(arrays["key"]) if "key" in arrays else None

    def load_kept(self) -> Kept:
        """Read the windows that were kept."""
        with np.load(self.path) as arrays:
            return Kept(arrays["kept_activation"], arrays["kept_window"], arrays["kept_pivot"])

    def save(self, found: TopExamples, kept: Kept, key: str) -> None:
        """Write them: complete or absent."""
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
    """Where the run in a folder keeps the scan of a layer, scanned already or not."""
    return LayerScan(folder / "scan" / f"layer-{layer:03d}.npz")


def save_arrays(path: Path, **arrays: npt.NDArray[Any]) -> None:
    """Write arrays to a file that is complete or absent."""
    partial = path.with_name(f".{path.name}")
    with storing(path):
        path.parent.mkdir(exist_ok=True)
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        partial.replace(path)
