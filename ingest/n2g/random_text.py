"""Random text: every neuron's firings in random windows of the corpus, in one pass for all layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch

from n2gdb.core.arrays import FloatArray, IndexArray, Int64Array, IntArray
from n2gdb.core.progress import Report
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.inference.memory import window_batch
from n2gdb.ingest.inference.threads import on_cores
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.n2g.text import RandomText
from n2gdb.ingest.scan.layer_file import LayerScan, load_arrays, save_arrays

__all__ = ["draw_windows", "find_firings", "random_text", "split_firings"]


#: Seeds the draw, together with the configuration's seed.
_DRAW = 0x52414E44

#: Arrays on disk of a layer's firings.
_FIRINGS = ("neuron", "position")


def draw_windows(n_windows: int, config: N2GConfig) -> Int64Array:
    """Draw the random windows of a corpus, seeded: their numbers, rising."""
    size = min(config.refine_windows, n_windows)
    drawn = np.random.default_rng((config.seed, _DRAW)).choice(n_windows, size, replace=False)
    return np.sort(drawn).astype(np.int64)


def random_text(
    model: SubjectModel,
    corpus: CorpusStore,
    folder: Path,
    scanned: Mapping[int, LayerScan],
    config: N2GConfig,
    report: Report,
) -> dict[int, RandomText]:
    """Find where the neurons of scanned layers fire in random windows; what is on disk is not run again."""
    number = draw_windows(corpus.n_windows, config)
    windows = corpus.tokens_of(number)
    files = {layer: folder / "scan" / f"random-{layer:03d}.npz" for layer in scanned}
    stored = {layer: load_arrays(file, _FIRINGS) for layer, file in files.items()}
    missing = [layer for layer, arrays in stored.items() if arrays is None]
    if missing:
        largest = {layer: scanned[layer].load().max_activation for layer in missing}
        found = find_firings(model, windows, largest, config.fire_threshold, report)
        for layer in missing:
            neuron, position = found[layer]
            stored[layer] = {"neuron": neuron, "position": position}
            save_arrays(files[layer], neuron=neuron, position=position)
    return {
        layer: RandomText(
            number,
            windows,
            config.prune_limit,
            split_firings(*(arrays[key] for key in _FIRINGS)),
            model.first_counts,
        )
        for layer, arrays in stored.items()
        if arrays is not None
    }


def find_firings(
    model: SubjectModel,
    windows: IntArray,
    largest: Mapping[int, FloatArray],
    threshold: float,
    report: Report,
    stage: str = "random text",
) -> dict[int, tuple[IndexArray, IndexArray]]:
    """Find where neurons fire in windows: by layer (neuron, flat position) of every firing, by neuron.

    windows (window, position); ``largest`` has each layer's max activations, (neuron,). Neurons that never
    activate do not fire.
    """
    layers = sorted(largest)
    least = {layer: _least(largest[layer], threshold).to(model.device) for layer in layers}
    found: dict[int, list[Int64Array]] = {layer: [] for layer in layers}
    size = window_batch(model.device.type, windows.shape[1])

    @torch.inference_mode()
    def run(start: int) -> list[Int64Array]:
        some = windows[start : start + size]
        tokens = torch.from_numpy(some.astype(np.int64)).to(model.device)
        counted = torch.from_numpy(model.counted(some)).to(model.device)  # (window, position)
        pairs = []
        for layer, site in zip(layers, model.all_activations(tokens.clamp(min=0), layers), strict=True):
            fires = (site >= least[layer]) & counted[..., None]  # (window, position, neuron)
            position, neuron = torch.nonzero(fires.flatten(0, 1), as_tuple=True)
            pairs.append(torch.stack([neuron, position + start * windows.shape[1]]).cpu().numpy())
        return pairs

    starts = range(0, len(windows), size)
    for start, pairs in zip(starts, on_cores(model, run, starts), strict=True):
        for layer, of_layer in zip(layers, pairs, strict=True):
            found[layer].append(of_layer)
        report(stage, min(start + size, len(windows)) * windows.shape[1], windows.size)
    return {layer: _by_neuron(pairs) for layer, pairs in found.items()}


def _least(largest: FloatArray, threshold: float) -> torch.Tensor:
    """The activation from which each neuron fires; none does where the largest is not above zero."""
    return torch.from_numpy(np.where(largest > 0, threshold * largest, np.inf).astype(np.float32))


def _by_neuron(pairs: Iterable[Int64Array]) -> tuple[IndexArray, IndexArray]:
    neuron, position = np.concatenate([np.zeros((2, 0), np.int64), *pairs], axis=1)
    order = np.argsort(neuron, kind="stable")
    return neuron[order].astype(np.intp), position[order].astype(np.intp)


def split_firings(neuron: IndexArray, position: IndexArray) -> dict[int, IndexArray]:
    """Part firings by their neuron, by which they are sorted."""
    found, start = np.unique(neuron, return_index=True)
    return dict(zip(found.tolist(), np.split(position, start[1:]), strict=True)) if len(found) else {}
