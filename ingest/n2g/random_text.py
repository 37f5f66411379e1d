"""Random text: every neuron's firings in random windows of the corpus, in one pass for all layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from n2gdb.core.arrays import FloatArray, IndexArray, Int64Array, IntArray
from n2gdb.core.progress import Report
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.inference.memory import PARTS_TOGETHER, window_batch
from n2gdb.ingest.inference.threads import on_cores
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.n2g.text import RandomText
from n2gdb.ingest.scan.arrays_file import Arrays, load_arrays, save_arrays
from n2gdb.ingest.scan.layer_file import LayerScan
from n2gdb.ingest.scan.sinks import counts_along

__all__ = ["draw_windows", "find_firings", "heldout_firings", "random_text", "split_firings"]


#: Seeds the draw, together with the configuration's seed.
_DRAW = 0x52414E44

#: Arrays on disk of a layer's firings, the last with one number: of how many units they are.
_FIRINGS = ("neuron", "position", "units")


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
    stored = {layer: _of_units(load_arrays(file, _FIRINGS), model, layer) for layer, file in files.items()}
    for group in _together(model, [layer for layer, arrays in stored.items() if arrays is None]):
        largest = {layer: scanned[layer].load().max_activation for layer in group}
        found = find_firings(model, windows, largest, config.fire_threshold, report)
        stored |= _saved(files, found, largest)
    return {
        layer: RandomText(number, windows, config.prune_limit, fires, model.first_counts)
        for layer, fires in _by_layer(stored).items()
    }


def heldout_firings(
    model: SubjectModel,
    heldout: CorpusStore,
    folder: Path,
    scanned: Mapping[int, LayerScan],
    config: N2GConfig,
    report: Report,
) -> dict[int, dict[int, IndexArray]]:
    """Find where the units of scanned layers fire in held-out text; what is on disk is not run again.

    By layer and unit the flat positions in its windows.
    """
    files = {layer: folder / "scan" / f"heldout-{layer:03d}.npz" for layer in scanned}
    stored = {layer: _of_units(load_arrays(file, _FIRINGS), model, layer) for layer, file in files.items()}
    missing = [layer for layer, arrays in stored.items() if arrays is None]
    if missing:
        windows = heldout.tokens_of(np.arange(heldout.n_windows))
    for group in _together(model, missing):
        largest = {layer: scanned[layer].load().max_activation for layer in group}
        found = find_firings(model, windows, largest, config.fire_threshold, report, "held-out text")
        stored |= _saved(files, found, largest)
    return _by_layer(stored)


def _together(model: SubjectModel, places: Sequence[int]) -> list[Sequence[int]]:
    """Part places into those of which one pass finds the firings: all MLPs, and few parts of dictionaries."""
    mlps = [place for place in places if model.at(place).is_mlp]
    latents = [place for place in places if not model.at(place).is_mlp]
    parts = [latents[start : start + PARTS_TOGETHER] for start in range(0, len(latents), PARTS_TOGETHER)]
    return [group for group in (mlps, *parts) if group]


def _of_units(arrays: Arrays | None, model: SubjectModel, place: int) -> Arrays | None:
    """What a file holds, if it is of all the units that are scanned now; else None."""
    return arrays if arrays is not None and arrays["units"] == model.at(place).n_units else None


def _saved(
    files: Mapping[int, Path],
    found: Mapping[int, tuple[IndexArray, IndexArray]],
    largest: Mapping[int, FloatArray],
) -> dict[int, Arrays]:
    """Write the firings of each layer to its file, and return what that holds."""
    written = {}
    for layer, (neuron, position) in found.items():
        written[layer] = {"neuron": neuron, "position": position, "units": np.array(len(largest[layer]))}
        save_arrays(files[layer], **written[layer])
    return written


def _by_layer(stored: Mapping[int, Arrays | None]) -> dict[int, dict[int, IndexArray]]:
    """By layer and unit the flat positions of its firings."""
    return {
        layer: split_firings(arrays["neuron"], arrays["position"])
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
            counts = counts_along(site, counted)[..., None]
            fires = (site >= least[layer]) & counts  # (window, position, neuron)
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
