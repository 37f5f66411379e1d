"""The trunk: a model's layers on plain tensors, over a packed tree of prompts or windows.

What a bridge runs one hooked step at a time for every prompt is run here once for every node of a tree,
no further than to the site, and in the site's layer only for the requested nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from n2gdb.core.arrays import FloatArray, IndexArray
from n2gdb.ingest.models.packing import Packed
from n2gdb.ingest.sources.places import NEURONS

__all__ = ["SITES", "Heads", "Trunk", "TrunkLayer"]

Turns = tuple[torch.Tensor, torch.Tensor]
Linear = tuple[torch.Tensor, torch.Tensor | None]
Activation = Callable[[torch.Tensor], torch.Tensor]
Norm = Callable[[torch.Tensor], torch.Tensor]


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

#: Nodes of a block: more waste attention on nodes of other prompts, fewer are copied more often.
_BLOCK = 32


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """How a model attends: causal softmax attention, with or without rotation by positions."""

    queries: int
    keys: int  # fewer where several heads of queries read one of keys and values
    scale: float
    frequency: torch.Tensor | None = (
        None  # (rotated / 2,) of each pair of a head's numbers; None: no rotation
    )
    stretch: float = 1.0  # what rotation multiplies by

    def turns(self, position: torch.Tensor) -> Turns | None:
        """Cosine and sine of the angles at positions: (...) -> (..., 1, rotated) each."""
        if self.frequency is None:
            return None
        half = position[..., None, None] * self.frequency
        angle = torch.cat([half, half], dim=-1)
        return angle.cos() * self.stretch, angle.sin() * self.stretch

    def keys_and_values(self, both: torch.Tensor, turns: Turns | None) -> torch.Tensor:
        """Part keys and values into heads: (..., width) -> (..., 2, head, d_head), keys first."""
        parted = both.view(*both.shape[:-1], 2, self.keys, -1)
        if turns is None:
            return parted
        key, value = parted.unbind(-3)
        return torch.stack([_turned(key, turns), value], dim=-3)

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Attend within batches, causally where there is no mask.

        query (batch, head, column, d_head), key, value (batch, head, key, d_head), mask
        (batch, 1, column, key) -> (batch, column, width).
        """
        if self.keys < self.queries:
            key, value = (part.repeat_interleave(self.queries // self.keys, 1) for part in (key, value))
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=mask is None, scale=self.scale
        )
        return mixed.transpose(1, 2).flatten(2)


@dataclass(frozen=True, slots=True, eq=False)
class TrunkLayer:
    """One layer's weights: linear maps as (weight, bias), their inputs along the last dimension."""

    norm_1: Norm
    query: Linear
    key_value: Linear
    out: Linear
    norm_2: Norm
    gate: Linear | None  # activates what mlp_in gives, in gated MLPs
    mlp_in: Linear
    after_site: Norm
    mlp_out: Linear


@dataclass(frozen=True, slots=True, eq=False)
class _Blocks:
    """Consecutive nodes, and the nodes that each block of them reads: its own and what leads up to it."""

    key: torch.Tensor  # (block, key) nodes
    mask: torch.Tensor  # (block, 1, column, key) 0 where a node of the block reads a key, else -inf


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """The asked nodes of each block that has some."""

    node: torch.Tensor  # (asked,)
    place: torch.Tensor  # (block, column) place among the asked; any where there is none
    real: torch.Tensor  # (block, column) whether there is one
    key: torch.Tensor  # (block, key) nodes
    mask: torch.Tensor  # (block, 1, column, key)


@dataclass(frozen=True, slots=True, eq=False)
class Trunk:
    """The layers of a model with plain causal attention, over learned positions or rotated by them.

    Activations are float32 and agree with the model's own passes to float rounding, but where
    ``half`` has matrices multiplied in bfloat16. Where it is ``parallel``, MLPs read what attention reads.
    """

    embedding: torch.Tensor  # (token, d_model)
    positions: torch.Tensor | None  # (position, d_model)
    layers: tuple[TrunkLayer, ...]
    activation: Activation
    heads: Heads
    parallel: bool = False
    half: bool = False

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
        """Activations of a layer's neurons at some nodes, in ascending order: (asked,) -> (asked, d_mlp).

        Or what the model computes at another of SITES: (asked, d).
        """
        with self._precision():
            return self._at_nodes(packed, layer, asked, site).float()

    def _at_nodes(self, packed: Packed, layer: int, asked: IndexArray, site: str) -> torch.Tensor:
        device = self.embedding.device
        token, position = (
            torch.from_numpy(_whole_blocks(part)).to(device) for part in (packed.token, packed.position)
        )
        hidden, turns = self._embedded(token, position), self.heads.turns(position)  # (node, d_model)
        blocks = _blocks(packed, device)
        for weights in self.layers[:layer]:
            normed = weights.norm_1(hidden)
            query = self._queries(weights, normed, turns)
            query = query.view(len(blocks.key), _BLOCK, *query.shape[1:])
            mixed = self._read(weights, query, normed, turns, blocks.key, blocks.mask)
            neurons = self._attended(weights, hidden, mixed.flatten(0, 1))
            hidden += functional.linear(weights.after_site(neurons), *weights.mlp_out)
        weights = self.layers[layer]
        if site == SITES[0]:
            return hidden[torch.from_numpy(asked).to(device)]
        if self.parallel and site == NEURONS:
            return self._neurons(weights, hidden[torch.from_numpy(asked).to(device)])
        some = _asked(blocks, asked)
        normed = weights.norm_1(hidden)
        query = self._queries(weights, normed[some.node], _at(turns, some.node))  # (asked, head, d_head)
        mixed = self._read(weights, query[some.place], normed, turns, some.key, some.mask)[some.real]
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
        attended = functional.linear(mixed, *weights.out)
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
        written = functional.linear(weights.after_site(neurons), *weights.mlp_out)
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
        hidden, turns = self._embedded(tokens, position), self.heads.turns(position)
        last, found = max(layer for layer, _ in sites), dict[tuple[int, str], torch.Tensor]()
        for number, weights in enumerate(self.layers[: last + 1]):
            mixed = self._causal(weights, weights.norm_1(hidden), turns)
            for layer, site in set(sites):
                if layer == number:
                    found[layer, site] = self._at_site(weights, hidden, mixed, site)
            if number < last:
                neurons = self._attended(weights, hidden, mixed)
                hidden += functional.linear(weights.after_site(neurons), *weights.mlp_out)
        return [found[site] for site in sites]

    def _along_windows(self, tokens: torch.Tensor, layers: Sequence[int]) -> list[torch.Tensor]:
        position = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
        hidden, turns = self._embedded(tokens, position), self.heads.turns(position)
        last, found = max(layers), dict[int, torch.Tensor]()
        for number, weights in enumerate(self.layers[: last + 1]):
            if number == last and self.parallel:
                found[number] = self._neurons(weights, hidden)
                break
            mixed = self._causal(weights, weights.norm_1(hidden), turns)
            neurons = self._attended(weights, hidden, mixed)
            if number in layers:
                found[number] = neurons
            if number < last:
                hidden += functional.linear(weights.after_site(neurons), *weights.mlp_out)
        return [found[layer] for layer in layers]

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.embedding.device.type, torch.bfloat16, enabled=self.half)

    def _embedded(self, token: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        hidden = self.embedding[token]
        return hidden if self.positions is None else hidden.add_(self.positions[position])

    def _queries(self, weights: TrunkLayer, normed: torch.Tensor, turns: Turns | None) -> torch.Tensor:
        """(..., d_model) -> (..., head, d_head)."""
        query = functional.linear(normed, *weights.query)
        return _turned(query.view(*query.shape[:-1], self.heads.queries, -1), turns)

    def _neurons(self, weights: TrunkLayer, hidden: torch.Tensor) -> torch.Tensor:
        normed = weights.norm_2(hidden)
        before = functional.linear(normed, *weights.mlp_in)
        if weights.gate is None:
            return self.activation(before)
        return self.activation(functional.linear(normed, *weights.gate)).mul_(before)

    def _attended(self, weights: TrunkLayer, hidden: torch.Tensor, mixed: torch.Tensor) -> torch.Tensor:
        """Write what attention gives to ``hidden``; the layer's neurons: (..., d_model) -> (..., d_mlp)."""
        attended = functional.linear(mixed, *weights.out)
        if not self.parallel:
            hidden += attended
            return self._neurons(weights, hidden)
        neurons = self._neurons(weights, hidden)
        hidden += attended
        return neurons

    def _causal(self, weights: TrunkLayer, normed: torch.Tensor, turns: Turns | None) -> torch.Tensor:
        """Causal attention within windows: (window, position, d_model) -> (window, position, width)."""
        query = self._queries(weights, normed, turns).transpose(1, 2)
        both = self.heads.keys_and_values(functional.linear(normed, *weights.key_value), turns)
        key, value = both.permute(2, 0, 3, 1, 4)  # (window, head, position, d_head) each
        return self.heads.attend(query, key, value, None)

    def _read(
        self,
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
        both = self.heads.keys_and_values(functional.linear(normed, *weights.key_value), turns)
        k, v = both[key].permute(2, 0, 3, 1, 4)  # (block, head, key, d_head) each
        return self.heads.attend(query.transpose(1, 2), k, v, mask)


def _turned(part: torch.Tensor, turns: Turns | None) -> torch.Tensor:
    """Rotate queries or keys: (..., head, d_head) -> (..., head, d_head)."""
    if turns is None:
        return part
    cos, sin = turns
    turning, rest = part[..., : cos.shape[-1]], part[..., cos.shape[-1] :]
    first, second = turning.chunk(2, dim=-1)
    return torch.cat([turning * cos + torch.cat([-second, first], dim=-1) * sin, rest], dim=-1)


def _at(turns: Turns | None, node: torch.Tensor) -> Turns | None:
    """The turns of some nodes."""
    return None if turns is None else (turns[0][node], turns[1][node])


def _whole_blocks(nodes: IndexArray) -> IndexArray:
    """Fill the last block up with its last node: (node,) -> (block x nodes of a block,)."""
    return np.pad(nodes, (0, -len(nodes) % _BLOCK), mode="edge")


def _blocks(packed: Packed, device: torch.device) -> _Blocks:
    """Cut a tree into blocks of consecutive nodes: what a node reads lies in its block or leads up to it."""
    node = _whole_blocks(np.arange(len(packed))).reshape(-1, _BLOCK)  # (block, column)
    first = node[:, 0]
    ahead = packed.position[first]  # (block,) how many nodes lead up to it
    leading = np.arange(ahead.max())
    path = packed.path[packed.prompt[first], : len(leading)]
    key = torch.from_numpy(np.concatenate([path, node], axis=1)).to(device)  # (block, key)
    # What fills the last block up reads like its last node, and is read by none.
    real = np.arange(node.size).reshape(node.shape) < len(packed)
    is_key = np.concatenate([leading < ahead[:, None], real], axis=1)
    at = torch.from_numpy(node).to(device)[..., None]
    reads = (key[:, None] <= at) & (at < torch.from_numpy(packed.stop).to(device)[key][:, None])
    reads &= torch.from_numpy(is_key).to(device)[:, None]
    mask = torch.zeros(reads.shape, device=device).masked_fill_(~reads, -torch.inf)
    return _Blocks(key, mask[:, None])


def _asked(blocks: _Blocks, asked: IndexArray) -> _Asked:
    """Lay asked nodes out by their blocks, those without any left out."""
    device = blocks.key.device
    block, first, count = np.unique(asked // _BLOCK, return_index=True, return_counts=True)
    column = np.arange(count.max(initial=1))
    real = column < count[:, None]
    place = np.where(real, first[:, None] + column, first[:, None])  # (block, column)
    within = torch.from_numpy(asked[place] % _BLOCK).to(device)
    chosen = torch.from_numpy(block).to(device)
    return _Asked(
        torch.from_numpy(asked).to(device),
        torch.from_numpy(place).to(device),
        torch.from_numpy(real).to(device),
        blocks.key[chosen],
        blocks.mask[chosen[:, None], 0, within][:, None],
    )
