"""The trunk: a model's layers on plain tensors, over a packed tree of prompts or windows.

What a bridge runs one hooked step at a time for every prompt is run here once for every node of a tree,
no further than to the site, and in the site's layer for the asked nodes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from n2gdb.ingest.packing import Packed

__all__ = ["Trunk", "TrunkLayer"]

IndexArray = npt.NDArray[np.intp]
FloatArray = npt.NDArray[np.float32]
Activation = Callable[[torch.Tensor], torch.Tensor]
Norm = Callable[[torch.Tensor], torch.Tensor]


#: Nodes of a block: more waste attention on nodes of other prompts, fewer are copied more often.
_BLOCK = 32


@dataclass(frozen=True, slots=True, eq=False)
class TrunkLayer:
    """One layer's weights: linear maps as (weight, bias), their inputs along the last dimension."""

    norm_1: Norm
    query: tuple[torch.Tensor, torch.Tensor]
    key_value: tuple[torch.Tensor, torch.Tensor]
    out: tuple[torch.Tensor, torch.Tensor]
    norm_2: Norm
    mlp_in: tuple[torch.Tensor, torch.Tensor]
    after_site: Norm
    mlp_out: tuple[torch.Tensor, torch.Tensor]


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
    """The layers of a model with learned positions and plain causal attention.

    Activations are float32 and agree with the model's own passes to float rounding, but where
    ``half`` has matrices multiplied in bfloat16.
    """

    embedding: torch.Tensor  # (token, d_model)
    positions: torch.Tensor  # (position, d_model)
    layers: tuple[TrunkLayer, ...]
    activation: Activation
    n_heads: int
    scale: float
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
    def at_nodes(self, packed: Packed, layer: int, asked: IndexArray) -> torch.Tensor:
        """Activations of a layer's neurons at some nodes, in rising order: (asked,) -> (asked, d_mlp)."""
        with self._precision():
            return self._at_nodes(packed, layer, asked).float()

    def _at_nodes(self, packed: Packed, layer: int, asked: IndexArray) -> torch.Tensor:
        device = self.embedding.device
        token, position = (
            torch.from_numpy(_whole_blocks(part)).to(device) for part in (packed.token, packed.position)
        )
        hidden = self.embedding[token].add_(self.positions[position])  # (node, d_model)
        blocks = _blocks(packed, device)
        for weights in self.layers[:layer]:
            normed = weights.norm_1(hidden)
            query = functional.linear(normed, *weights.query).view(len(blocks.key), _BLOCK, -1)
            mixed = self._read(weights, query, normed, blocks.key, blocks.mask).flatten(0, 1)
            hidden += functional.linear(mixed, *weights.out)
            neurons = weights.after_site(self._neurons(weights, hidden))
            hidden += functional.linear(neurons, *weights.mlp_out)
        weights = self.layers[layer]
        some = _asked(blocks, asked)
        normed = weights.norm_1(hidden)
        query = functional.linear(normed[some.node], *weights.query)  # (asked, d_model)
        mixed = self._read(weights, query[some.place], normed, some.key, some.mask)[some.real]
        return self._neurons(weights, hidden[some.node] + functional.linear(mixed, *weights.out))

    @torch.inference_mode()
    def along_windows(self, tokens: torch.Tensor, layers: Sequence[int]) -> list[torch.Tensor]:
        """Activations of several layers' neurons: (window, position) -> (window, position, d_mlp) each."""
        with self._precision():
            return [site.float() for site in self._along_windows(tokens, layers)]

    def _along_windows(self, tokens: torch.Tensor, layers: Sequence[int]) -> list[torch.Tensor]:
        hidden = self.embedding[tokens].add_(self.positions[: tokens.shape[1]])
        last, found = max(layers), dict[int, torch.Tensor]()
        for number, weights in enumerate(self.layers[: last + 1]):
            normed = weights.norm_1(hidden)
            mixed = self._causal(
                functional.linear(normed, *weights.query), functional.linear(normed, *weights.key_value)
            )
            hidden += functional.linear(mixed, *weights.out)
            neurons = self._neurons(weights, hidden)
            if number in layers:
                found[number] = neurons
            if number < last:
                neurons = weights.after_site(neurons)
                hidden += functional.linear(neurons, *weights.mlp_out)
        return [found[layer] for layer in layers]

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.embedding.device.type, torch.bfloat16, enabled=self.half)

    def _neurons(self, weights: TrunkLayer, hidden: torch.Tensor) -> torch.Tensor:
        return self.activation(functional.linear(weights.norm_2(hidden), *weights.mlp_in))

    def _causal(self, query: torch.Tensor, key_value: torch.Tensor) -> torch.Tensor:
        """Causal attention within windows: (window, position, d_model), (window, position, 2 d_model)."""
        window, position, _width = query.shape
        q = query.view(window, position, self.n_heads, -1).transpose(1, 2)
        k, v = key_value.view(window, position, 2, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=self.scale)
        return mixed.transpose(1, 2).reshape(window, position, -1)

    def _read(
        self,
        weights: TrunkLayer,
        query: torch.Tensor,
        normed: torch.Tensor,
        key: torch.Tensor,
        mask: torch.Tensor,
    ) -> torch.Tensor:
        """Attend block by block.

        query (block, column, d_model), normed (node, d_model), key (block, key) nodes, mask
        (block, 1, column, key) -> (block, column, d_model).
        """
        key_value = functional.linear(normed, *weights.key_value)  # (node, 2 d_model)
        q = query.view(*query.shape[:2], self.n_heads, -1).transpose(1, 2)
        read = key_value[key].view(*key.shape, 2, self.n_heads, -1)
        k, v = read.permute(2, 0, 3, 1, 4)  # (block, head, key, d_head) each
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=self.scale)
        return mixed.transpose(1, 2).flatten(2)


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
