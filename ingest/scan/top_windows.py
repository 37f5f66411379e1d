"""Scan: one pass over the corpus keeps every neuron's strongest windows, on the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from n2gdb.core.arrays import BoolArray, FloatArray, IndexArray, Int64Array, IntArray
from n2gdb.errors import ModelError
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.inference.memory import window_batch
from n2gdb.ingest.inference.threads import beside
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.scan.place_record import PlaceRecord
from n2gdb.ingest.scan.sinks import counts_along

__all__ = ["STATE", "Kept", "Scan", "TopExamples", "named_states", "select_examples"]


_TENSORS = ("activation", "window", "trace")

#: Names of what ``Scan.state`` gives.
STATE = ("next_window", *_TENSORS)

#: Stands between a layer's number and the name of an array of its record, in what ``Scan.state`` gives.
_OF = "."


def named_states(states: Mapping[str, npt.NDArray[Any]], layer: int) -> dict[str, npt.NDArray[Any]]:
    """Name the states of a layer's ``PlaceRecord`` as ``Scan.state`` does."""
    return {f"{layer}{_OF}{name}": array for name, array in states.items()}


def record_states(state: Mapping[str, npt.NDArray[Any]], layer: int) -> dict[str, npt.NDArray[Any]]:
    """The states of a layer's ``PlaceRecord``, of what ``Scan.state`` gave."""
    start = f"{layer}{_OF}"
    return {name.removeprefix(start): array for name, array in state.items() if name.startswith(start)}


class Scan:
    """Running top windows of every neuron of some layers, with the activations along them.

    Memory is O(neurons x windows kept x window length), independent of the corpus; nothing is sorted until
    the end. A record of every neuron's activations is kept beside. A window enters only if it beats the
    weakest kept one, so ties go to the earlier window.

    activation (neuron, kept), window (neuron, kept), trace (neuron, kept, position), where neurons run
    over the layers in turn: both sides of a neuron that is read on both. A layer may be any place of the
    model's units.
    """

    def __init__(self, model: SubjectModel, layers: Sequence[int], width: int, config: N2GConfig) -> None:
        self._model = model
        self._layers = tuple(layers)
        stops = list(accumulate((model.at(layer).n_units for layer in self._layers), initial=0))
        self._rows = {layer: slice(*ends) for layer, ends in zip(self._layers, pairwise(stops), strict=True)}
        neurons, kept = stops[-1], config.top_k * config.candidates
        self.batch_windows = window_batch(model.device.type, width)
        self.next_window = 0
        self.activation = torch.full((neurons, kept), -torch.inf, device=model.device)
        self.window = torch.full((neurons, kept), -1, dtype=torch.int64, device=model.device)
        self.trace = torch.zeros((neurons, kept, width), device=model.device)
        self._records = {layer: PlaceRecord(model.at(layer).n_units) for layer in self._layers}

    def add(self, windows: IntArray) -> None:
        """Scan the next windows of the corpus: (window, position), padded with PAD."""
        self.keep(self.run(windows))

    @torch.inference_mode()
    def run(self, windows: IntArray) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return activations along windows, -inf where a position does not count, and the largest of each.

        (window, position, neuron) and (neuron, window) for each layer.
        """
        tokens = torch.from_numpy(windows.astype(np.int64)).to(self._model.device)
        sites = self._model.all_activations(tokens.clamp(min=0), self._layers)
        counted = torch.from_numpy(self._model.counted(windows)).to(tokens.device)
        for trace in sites:
            skip = torch.nonzero(~counts_along(trace, counted).flatten()).squeeze(1)
            trace.flatten(0, 1).index_fill_(0, skip, -torch.inf)
        largest = [trace.amax(dim=1).T.contiguous() for trace in sites]
        for layer, found in zip(self._layers, largest, strict=True):
            _require_numbers(self._model, layer, found)
        return list(zip(sites, largest, strict=True))

    @torch.inference_mode()
    def keep(self, sites: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Add the results of ``run`` for the next windows of the corpus."""
        for layer, (trace, largest) in zip(self._layers, sites, strict=True):
            self._keep(self._rows[layer], trace, largest)
        added = ((self._records[layer], trace) for layer, (trace, _) in zip(self._layers, sites, strict=True))
        beside(self._model, lambda record, trace: record.add(trace, self.next_window), added)
        self.next_window += len(sites[0][0])

    def _keep(self, layer: slice, trace: torch.Tensor, largest: torch.Tensor) -> None:
        """Replace weaker windows of a layer by new ones.

        trace (window, position, neuron), largest (neuron, window).
        """
        activation, window = self.activation[layer], self.window[layer]
        rows = torch.nonzero((largest > activation.amin(dim=1, keepdim=True)).any(dim=1)).squeeze(1)
        kept = activation.shape[1]
        together = torch.cat([activation[rows], largest[rows]], dim=1)  # (row, kept + window)
        # A stable sort lets the earlier window win among equals, so the batch size does not matter.
        chosen = together.sort(dim=1, descending=True, stable=True).indices[:, :kept]
        stays = torch.zeros_like(together, dtype=torch.bool).scatter_(1, chosen, True)
        free = stays[:, :kept].to(torch.int8).argsort(dim=1, stable=True)  # places to take come first
        row, new = torch.nonzero(stays[:, kept:], as_tuple=True)
        nth = stays[:, kept:].cumsum(dim=1)[row, new] - 1
        place = free[row, nth]
        neuron = rows[row]
        activation[neuron, place] = largest[neuron, new]
        window[neuron, place] = self.next_window + new
        self.trace[layer][neuron, place] = trace.transpose(1, 2)[new, neuron]

    def rows(self, layer: int) -> slice:
        """Return the rows of the state that are units of a scanned layer."""
        return self._rows[layer]

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return everything needed to resume the scan later."""
        found = {"next_window": np.array(self.next_window), **self.tensors()}
        for layer in self._layers:
            found |= named_states(self.record(layer), layer)
        return found

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is kept of every neuron: activation, window and trace."""
        return {name: getattr(self, name).cpu().numpy() for name in _TENSORS}

    def record(self, layer: int) -> dict[str, npt.NDArray[np.generic]]:
        """Return what is recorded of a layer's units: the states of its ``PlaceRecord``."""
        return self._records[layer].states()

    def resume(self, state: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Resume from the result of ``state``."""
        self.next_window = int(state["next_window"])
        for name in _TENSORS:
            getattr(self, name).copy_(torch.from_numpy(state[name]))
        for layer in self._layers:
            self._records[layer] = PlaceRecord.of(record_states(state, layer))

    def examples(
        self, layer: int, tokens_of: Callable[[IndexArray], IntArray], config: N2GConfig
    ) -> tuple[TopExamples, Kept]:
        """Return the top examples of a scanned layer; ``tokens_of`` returns tokens of windows by number."""
        rows = self._rows[layer]
        trace = self.trace[rows]

        def traces(place: IndexArray) -> FloatArray:
            chosen = torch.from_numpy(place).to(trace.device)[..., None]
            found: FloatArray = torch.take_along_dim(trace, chosen, 1).cpu().numpy()
            return found

        found, kept = select_examples(
            self.activation[rows].cpu().numpy(),
            self.window[rows].cpu().numpy(),
            trace.argmax(dim=2).cpu().numpy(),
            traces,
            tokens_of,
            config,
        )
        self._fill_traces(found, layer, tokens_of)
        return found, kept

    def _fill_traces(
        self, found: TopExamples, layer: int, tokens_of: Callable[[IndexArray], IntArray]
    ) -> None:
        """Measure activations along windows for which an earlier scan stored only the pivot's."""
        bare = (np.isfinite(found.trace).sum(axis=2) == 1) & (found.window >= 0)  # (neuron, example)
        number = np.unique(found.window[bare])
        place = self._layers.index(layer)
        for start in range(0, len(number), self.batch_windows):
            some = number[start : start + self.batch_windows]
            trace = self.run(tokens_of(some.astype(np.intp)))[place][0].cpu().numpy()
            neuron, example = np.nonzero(bare & np.isin(found.window, some))
            window = np.searchsorted(some, found.window[neuron, example])
            found.trace[neuron, example] = trace[window, :, neuron]


def _require_numbers(model: SubjectModel, layer: int, largest: torch.Tensor) -> None:
    """Raise ModelError if a neuron's largest activation, (neuron, window), is NaN or infinite."""
    wrong = (largest.isnan() | (largest == torch.inf)).any(dim=1)
    if wrong.any():
        place = model.at(layer)
        first = place.unit_name(int(wrong.nonzero()[0]))
        what = "latents" if first.latent else "neurons"
        raise ModelError(
            f"{model.name}: {int(wrong.sum())} {what} of layer {place.layer}, the first of them {first}, have"
            " activations that are NaN or infinite: the weights are damaged, or too large for float32"
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """The kept windows of every neuron of a layer, strongest first; ties go to the earlier window.

    For a neuron with fewer windows, the remaining entries are window -1.
    """

    activation: FloatArray  # (neuron, kept) at the pivot
    window: Int64Array  # (neuron, kept) number of the window in the corpus
    pivot: Int64Array  # (neuron, kept) position in the window


@dataclass(frozen=True, slots=True)
class TopExamples:
    """The top examples of every neuron of a layer, strongest first.

    For a neuron with fewer examples, the remaining entries are window -1.
    """

    max_activation: FloatArray  # (neuron,)
    window: Int64Array  # (neuron, example) number of the window in the corpus
    pivot: Int64Array  # (neuron, example) position in the window
    trace: FloatArray  # (neuron, example, position) activations; -inf where none counts


def select_examples(
    activation: FloatArray,
    window: Int64Array,
    pivot: Int64Array,
    traces: Callable[[IndexArray], FloatArray],
    tokens_of: Callable[[IndexArray], IntArray],
    config: N2GConfig,
) -> tuple[TopExamples, Kept]:
    """Sort the kept windows and drop near-duplicates, so that each text gives one example.

    activation, window, pivot (neuron, kept); ``traces`` returns the activations along kept windows by index:
    (neuron, example) -> (neuron, example, position).
    """
    order = np.lexsort((window, -activation), axis=1)
    activation = np.take_along_axis(activation, order, 1)
    window, pivot = np.take_along_axis(window, order, 1), np.take_along_axis(pivot, order, 1)
    span = _spans(window, pivot, tokens_of, config.duplicate_span)  # (neuron, kept, span)
    kept = np.zeros(window.shape, bool)
    for place in range(window.shape[1]):
        alike = _alike(span[:, :place], span[:, place, None], config.near_duplicate)
        kept[:, place] = (window[:, place] >= 0) & ~(alike & kept[:, :place]).any(axis=1)
    places = np.argsort(~kept, axis=1, kind="stable")[:, : config.top_k]
    missing = ~np.take_along_axis(kept, places, 1)
    chosen = np.take_along_axis(order, places, 1)
    found = TopExamples(
        activation[:, 0],
        np.where(missing, -1, np.take_along_axis(window, places, 1)),
        np.where(missing, 0, np.take_along_axis(pivot, places, 1)),
        traces(chosen),
    )
    return found, Kept(activation, window, pivot)


def _alike(span: IntArray, other: IntArray, share: float) -> BoolArray:
    """Return whether spans agree in this share of their tokens, padding excluded.

    span (neuron, place, position), other (neuron, 1, position) -> (neuron, place).
    """
    real = (span != PAD) | (other != PAD)
    agree = np.count_nonzero((span == other) & real, axis=2)
    found: BoolArray = agree >= share * np.count_nonzero(real, axis=2)
    return found


def _spans(
    window: Int64Array,
    pivot: IndexArray,
    tokens_of: Callable[[IndexArray], IntArray],
    span: int,
) -> IntArray:
    """Return the tokens up to each pivot, with PAD before the window's start.

    window, pivot (neuron, kept) -> (neuron, kept, span).
    """
    distinct, place = np.unique(window, return_inverse=True)
    tokens = tokens_of(np.maximum(distinct, 0).astype(np.intp))  # (distinct, position)
    position = pivot[..., None] - np.arange(span)[::-1]  # (neuron, kept, span)
    found = tokens[place.reshape(window.shape)[..., None], np.maximum(position, 0)]
    return np.where(position >= 0, found, PAD)
