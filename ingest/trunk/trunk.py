"""The trunk: a model's layers on plain tensors, over a packed tree of prompts or windows.

What a bridge runs one hooked step at a time for every prompt is run here once for every node of a tree,
no further than to the site, and in the site's layer only for the requested nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from n2gdb.core.arrays import FloatArray, IndexArray
from n2gdb.ingest.sources.places import NEURONS
from n2gdb.ingest.trunk.blocks import BLOCK, Blocks, whole_blocks
from n2gdb.ingest.trunk.heads import Angles, Turns, at_nodes, reading
from n2gdb.ingest.trunk.layer import TrunkLayer, mapped
from n2gdb.ingest.trunk.packing import Packed

__all__ = ["SITES", "Trunk"]

Activation = Callable[[torch.Tensor], torch.Tensor]

#: Every site of a layer that a trunk can be read at.
SITES = (
    "hook_resid_pre",
    "attn.hook_z",
    "hook_attn_out",
    "hook_resid_mid",
    "mlp.hook_in",
    NEURONS,
    "hook_mlp_out",
    "hook_resid_post",
)


@dataclass(frozen=True, slots=True, eq=False)
class Trunk:
    """The layers of a model with causal attention, over learned positions or rotated by them.

    Activations are float32 and agree with the model's own passes to float rounding, but where
    ``half`` has matrices multiplied in bfloat16. Weights may be bfloat16: each is made float32 where it is
    used. Where it is ``parallel``, MLPs read what attention reads.
    """

    embedding: torch.Tensor  # (token, d_model)
    positions: torch.Tensor | None  # (position, d_model)
    layers: tuple[TrunkLayer, ...]
    activation: Activation
    parallel: bool = False
    half: bool = False
    stretch: float = 1.0  # what embeddings are multiplied by

    def gathered(self, packed: Packed, layer: int, node: IndexArray, neuron: IndexArray) -> FloatArray:
        """Activation of one neuron of a layer at each of some nodes: (asked,) each, in any order."""
        is_asked = np.zeros(len(packed), np.bool_)
        is_asked[node] = True
        site = self.at_nodes(packed, layer, np.flatnonzero(is_asked))
        place = torch.from_numpy(np.cumsum(is_asked)[node] - 1).to(site.device)
        found: FloatArray = site[place, torch.from_numpy(neuron).to(site.device)].cpu().numpy()
        return found

    @torch.inference_mode()
    def at_nodes(self, packed: Packed, layer: int, asked: IndexArray, site: str = NEURONS) -> torch.Tensor:
        """Activations of a layer's neurons at some nodes, in rising order: (asked,) -> (asked, d_mlp).

        Or what the model computes at another of SITES: (asked, d).
        """
        with self._precision():
            return self._at_nodes(packed, layer, asked, site).float()

    def _at_nodes(self, packed: Packed, layer: int, asked: IndexArray, site: str) -> torch.Tensor:
        device = self.embedding.device
        token, position = (
            torch.from_numpy(whole_blocks(part)).to(device) for part in (packed.token, packed.position)
        )
        hidden, angles = self._embedded(token, position), Angles(position)  # (node, d_model)
        blocks = Blocks.of(packed, device)
        for weights in self.layers[:layer]:
            normed, turns = weights.norm_1(hidden), angles.of(weights.heads)
            query = weights.queries(normed, turns)
            query = query.view(len(blocks.key), BLOCK, *query.shape[1:])
            mixed = _read(weights, query, normed, turns, blocks.key, blocks.within(weights.heads.window))
            neurons = self._attended(weights, hidden, mixed.flatten(0, 1))
            hidden += weights.written(neurons)
        weights = self.layers[layer]
        if site == SITES[0]:
            return hidden[torch.from_numpy(asked).to(device)]
        if self.parallel and site == NEURONS:
            return self._neurons(weights, hidden[torch.from_numpy(asked).to(device)])
        some = blocks.asked(asked, weights.heads.window)
        normed, turns = weights.norm_1(hidden), angles.of(weights.heads)
        query = weights.queries(normed[some.node], at_nodes(turns, some.node))  # (asked, head, d_head)
        mixed = _read(weights, query[some.place], normed, turns, some.key, some.mask)[some.real]
        return self._at_site(weights, hidden[some.node], mixed, site)

    def _at_site(
        self, weights: TrunkLayer, hidden: torch.Tensor, mixed: torch.Tensor, site: str
    ) -> torch.Tensor:
        """What a layer computes at one of SITES.

        hidden (..., d_model) before the layer, mixed (..., width) what its heads give -> (..., d).
        """
        if site == "hook_resid_pre":
            return hidden.clone()  # which is written to afterwards
        if site == "attn.hook_z":
            return mixed
        attended = weights.attended(mixed)
        if site == "hook_attn_out":
            return attended
        middle = hidden + attended
        if site == "hook_resid_mid":
            return middle
        before = hidden if self.parallel else middle
        if site == "mlp.hook_in":
            return weights.norm_2(before)
        neurons = self._neurons(weights, before)
        if site == NEURONS:
            return neurons
        written = weights.written(neurons)
        return written if site == "hook_mlp_out" else middle + written

    @torch.inference_mode()
    def along_windows(self, tokens: torch.Tensor, layers: Sequence[int]) -> list[torch.Tensor]:
        """Activations of several layers' neurons: (window, position) -> (window, position, d_mlp) each."""
        with self._precision():
            return [site.float() for site in self._along_windows(tokens, layers)]

    @torch.inference_mode()
    def sites_along_windows(
        self, tokens: torch.Tensor, sites: Sequence[tuple[int, str]]
    ) -> list[torch.Tensor]:
        """What the model computes at sites of layers: (window, position) -> (window, position, d) each."""
        with self._precision():
            return [site.float() for site in self._sites_along_windows(tokens, sites)]

    def _sites_along_windows(
        self, tokens: torch.Tensor, sites: Sequence[tuple[int, str]]
    ) -> list[torch.Tensor]:
        position = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
        hidden, angles = self._embedded(tokens, position), Angles(position)
        last, found = max(layer for layer, _ in sites), dict[tuple[int, str], torch.Tensor]()
        for number, weights in enumerate(self.layers[: last + 1]):
            mixed = _causal(weights, weights.norm_1(hidden), angles.of(weights.heads))
            for layer, site in set(sites):
                if layer == number:
                    found[layer, site] = self._at_site(weights, hidden, mixed, site)
            if number < last:
                hidden += weights.written(self._attended(weights, hidden, mixed))
        return [found[site] for site in sites]

    def _along_windows(self, tokens: torch.Tensor, layers: Sequence[int]) -> list[torch.Tensor]:
        position = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
        hidden, angles = self._embedded(tokens, position), Angles(position)
        last, found = max(layers), dict[int, torch.Tensor]()
        for number, weights in enumerate(self.layers[: last + 1]):
            if number == last and self.parallel:
                found[number] = self._neurons(weights, hidden)
                break
            mixed = _causal(weights, weights.norm_1(hidden), angles.of(weights.heads))
            neurons = self._attended(weights, hidden, mixed)
            if number in layers:
                found[number] = neurons
            if number < last:
                hidden += weights.written(neurons)
        return [found[layer] for layer in layers]

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.embedding.device.type, torch.bfloat16, enabled=self.half)

    def _embedded(self, token: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        hidden = self.embedding[token].float()
        if self.stretch != 1:
            hidden *= self.stretch
        return hidden if self.positions is None else hidden.add_(self.positions[position])

    def _neurons(self, weights: TrunkLayer, hidden: torch.Tensor) -> torch.Tensor:
        normed = weights.norm_2(hidden)
        before = mapped(normed, weights.mlp_in)
        if weights.gate is None:
            return self.activation(before)
        return self.activation(mapped(normed, weights.gate)).mul_(before)

    def _attended(self, weights: TrunkLayer, hidden: torch.Tensor, mixed: torch.Tensor) -> torch.Tensor:
        """Write what attention gives to ``hidden``; the layer's neurons: (..., d_model) -> (..., d_mlp)."""
        attended = weights.attended(mixed)
        if not self.parallel:
            hidden += attended
            return self._neurons(weights, hidden)
        neurons = self._neurons(weights, hidden)
        hidden += attended
        return neurons


def _causal(weights: TrunkLayer, normed: torch.Tensor, turns: Turns | None) -> torch.Tensor:
    """Causal attention within windows: (window, position, d_model) -> (window, position, width)."""
    query = weights.queries(normed, turns).transpose(1, 2)
    key, value = weights.keys_and_values(normed, turns).permute(2, 0, 3, 1, 4)
    length, window = normed.shape[1], weights.heads.window
    # (window, head, position, d_head) each
    narrow = window is not None and window < length
    return weights.heads.attend(query, key, value, reading(length, window, normed.device) if narrow else None)


def _read(
    weights: TrunkLayer,
    query: torch.Tensor,
    normed: torch.Tensor,
    turns: Turns | None,
    key: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:
    """Attend block by block.

    query (block, column, head, d_head), normed (node, d_model), key (block, key) nodes, mask
    (block, 1, column, key) -> (block, column, width).
    """
    both = weights.keys_and_values(normed, turns)
    k, v = both[key].permute(2, 0, 3, 1, 4)  # (block, head, key, d_head) each
    return weights.heads.attend(query.transpose(1, 2), k, v, mask)
