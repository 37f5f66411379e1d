"""Attention: the heads of a layer, and the rotary angles of positions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

__all__ = ["Angles", "Heads", "Turns", "at_nodes", "reading", "turned"]

Turns = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """How a layer attends: causal softmax attention, with or without rotation by positions."""

    queries: int
    keys: int  # fewer where several heads of queries read one of keys and values
    scale: float
    frequency: torch.Tensor | None = (
        None  # (rotated / 2,) of each pair of a head's numbers; None: no rotation
    )
    stretch: float = 1.0  # what rotation multiplies by
    window: int | None = None  # positions that are read, the query's own among them; None: all before
    cap: float | None = None  # scores are bent below it by a hyperbolic tangent

    def turns(self, position: torch.Tensor) -> Turns | None:
        """Cosine and sine of the angles at positions: (...) -> (..., 1, rotated) each."""
        if self.frequency is None:
            return None
        half = position[..., None, None] * self.frequency
        angle = torch.cat([half, half], dim=-1)
        return angle.cos() * self.stretch, angle.sin() * self.stretch

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Attend within batches, causally where there is no mask.

        query (batch, head, column, d_head), key, value (batch, head, key, d_head), mask
        (batch, 1, column, key) -> (batch, column, width).
        """
        if self.keys < self.queries:
            key, value = (part.repeat_interleave(self.queries // self.keys, 1) for part in (key, value))
        if self.cap is not None:
            scores = torch.matmul(query, key.transpose(2, 3)).float() * self.scale
            scores = (scores / self.cap).tanh_().mul_(self.cap)
            scores += reading(query.shape[2], None, query.device) if mask is None else mask
            mixed = torch.matmul(scores.softmax(dim=-1).to(value.dtype), value)
        else:
            mixed = functional.scaled_dot_product_attention(
                query, key, value, attn_mask=mask, is_causal=mask is None, scale=self.scale
            )
        return mixed.transpose(1, 2).flatten(2)


class Angles:
    """The turns at some positions, worked out once for all layers that turn alike."""

    def __init__(self, position: torch.Tensor) -> None:
        self._position = position
        self._known: dict[int, Turns | None] = {}

    def of(self, heads: Heads) -> Turns | None:
        """The turns of some heads."""
        key = id(heads.frequency)
        if key not in self._known:
            self._known[key] = heads.turns(self._position)
        return self._known[key]


def turned(part: torch.Tensor, turns: Turns | None) -> torch.Tensor:
    """Rotate queries or keys: (..., head, d_head) -> (..., head, d_head)."""
    if turns is None:
        return part
    cos, sin = turns
    turning, rest = part[..., : cos.shape[-1]], part[..., cos.shape[-1] :]
    first, second = turning.chunk(2, dim=-1)
    return torch.cat([turning * cos + torch.cat([-second, first], dim=-1) * sin, rest], dim=-1)


def reading(length: int, window: int | None, device: torch.device) -> torch.Tensor:
    """0 where a position reads another, else -inf: (position, position)."""
    reads = torch.ones((length, length), dtype=torch.bool, device=device).tril_()
    if window is not None:
        reads = reads.triu_(1 - window)
    return torch.zeros((length, length), device=device).masked_fill_(~reads, -torch.inf)


def at_nodes(turns: Turns | None, node: torch.Tensor) -> Turns | None:
    """The turns of some nodes."""
    return None if turns is None else (turns[0][node], turns[1][node])
