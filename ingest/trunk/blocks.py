"""Blocks of the nodes of a packed tree, and the nodes that each block attends to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from n2gdb.core.arrays import IndexArray
from n2gdb.ingest.trunk.packing import Packed

__all__ = ["BLOCK", "AskedNodes", "Blocks", "whole_blocks"]

#: Nodes of a block: more waste attention on nodes of other prompts, fewer are copied more often.
BLOCK = 32


@dataclass(frozen=True, slots=True, eq=False)
class AskedNodes:
    """The asked nodes of each block that has some."""

    node: torch.Tensor  # (asked,)
    place: torch.Tensor  # (block, column) place among the asked; any where there is none
    real: torch.Tensor  # (block, column) whether there is one
    key: torch.Tensor  # (block, key) nodes
    mask: torch.Tensor  # (block, 1, column, key)


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Consecutive nodes, and the nodes that each block of them reads: its own and what leads up to it."""

    node: torch.Tensor  # (block, column)
    key: torch.Tensor  # (block, key) nodes
    mask: torch.Tensor  # (block, 1, column, key) 0 where a node of the block reads a key, else -inf
    position: torch.Tensor  # (node,)
    deepest: int  # largest position

    @classmethod
    def of(cls, packed: Packed, device: torch.device) -> Blocks:
        """Cut a tree into blocks: what a node reads lies in its block or leads up to it."""
        node = whole_blocks(np.arange(len(packed))).reshape(-1, BLOCK)  # (block, column)
        first = node[:, 0]
        ahead = packed.position[first]  # (block,) how many nodes lead up to it
        leading = np.arange(ahead.max())
        path = packed.path[packed.prompt[first], : len(leading)]
        key = torch.from_numpy(np.concatenate([path, node], axis=1)).to(device)  # (block, key)
        # What fills the last block up reads like its last node, and is read by none.
        real = np.arange(node.size).reshape(node.shape) < len(packed)
        is_key = np.concatenate([leading < ahead[:, None], real], axis=1)
        at = torch.from_numpy(node).to(device)
        stop = torch.from_numpy(packed.stop).to(device)
        reads = (key[:, None] <= at[..., None]) & (at[..., None] < stop[key][:, None])
        reads &= torch.from_numpy(is_key).to(device)[:, None]
        mask = torch.zeros(reads.shape, device=device).masked_fill_(~reads, -torch.inf)
        position = torch.from_numpy(packed.position).to(device)
        return cls(at, key, mask[:, None], position, int(packed.position.max()))

    def within(self, window: int | None) -> torch.Tensor:
        """The mask of heads that read no further back than a window: (block, 1, column, key)."""
        if window is None or self.deepest < window:
            return self.mask
        apart = self.position[self.node][..., None] - self.position[self.key][:, None]
        return self.mask.masked_fill(apart[:, None] >= window, -torch.inf)

    def asked(self, nodes: IndexArray, window: int | None) -> AskedNodes:
        """Lay asked nodes out by their blocks, those without any left out: (asked,) in rising order."""
        device = self.key.device
        block, first, count = np.unique(nodes // BLOCK, return_index=True, return_counts=True)
        column = np.arange(count.max(initial=1))
        real = column < count[:, None]
        place = np.where(real, first[:, None] + column, first[:, None])  # (block, column)
        within = torch.from_numpy(nodes[place] % BLOCK).to(device)
        chosen = torch.from_numpy(block).to(device)
        return AskedNodes(
            torch.from_numpy(nodes).to(device),
            torch.from_numpy(place).to(device),
            torch.from_numpy(real).to(device),
            self.key[chosen],
            self.within(window)[chosen[:, None], 0, within][:, None],
        )


def whole_blocks(nodes: IndexArray) -> IndexArray:
    """Fill the last block up with its last node: (node,) -> (block x nodes of a block,)."""
    return np.pad(nodes, (0, -len(nodes) % BLOCK), mode="edge")
