"""One layer's weights, and its computation apart from attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from n2gdb.ingest.trunk.heads import Heads, Turns, turned

__all__ = ["Linear", "Norm", "TrunkLayer", "mapped"]

Linear = tuple[torch.Tensor, torch.Tensor | None]
Norm = Callable[[torch.Tensor], torch.Tensor]


def _as_it_is(part: torch.Tensor) -> torch.Tensor:
    return part


@dataclass(frozen=True, slots=True, eq=False)
class TrunkLayer:
    """One layer's weights: linear maps as (weight, bias), their inputs along the last dimension."""

    heads: Heads
    norm_1: Norm
    query: Linear
    key_value: Linear
    out: Linear
    norm_2: Norm
    gate: Linear | None  # activates what mlp_in gives, in gated MLPs
    mlp_in: Linear
    after_site: Norm
    mlp_out: Linear
    norm_query: Norm = _as_it_is  # of each head's queries, before they are rotated
    norm_key: Norm = _as_it_is
    norm_attended: Norm = _as_it_is  # of what attention writes
    norm_written: Norm = _as_it_is  # of what the MLP writes

    def queries(self, normed: torch.Tensor, turns: Turns | None) -> torch.Tensor:
        """(..., d_model) -> (..., head, d_head)."""
        query = mapped(normed, self.query)
        return turned(self.norm_query(query.view(*query.shape[:-1], self.heads.queries, -1)), turns)

    def keys_and_values(self, normed: torch.Tensor, turns: Turns | None) -> torch.Tensor:
        """(..., d_model) -> (..., 2, head, d_head), keys first."""
        both = mapped(normed, self.key_value)
        parted = both.view(*both.shape[:-1], 2, self.heads.keys, -1)
        if turns is None and self.norm_key is _as_it_is:
            return parted
        key, value = parted.unbind(-3)
        return torch.stack([turned(self.norm_key(key), turns).to(value.dtype), value], dim=-3)

    def attended(self, mixed: torch.Tensor) -> torch.Tensor:
        """What attention writes, by what its heads give: (..., width) -> (..., d_model)."""
        return self.norm_attended(mapped(mixed, self.out))

    def written(self, neurons: torch.Tensor) -> torch.Tensor:
        """What the MLP writes: (..., d_mlp) -> (..., d_model)."""
        return self.norm_written(mapped(self.after_site(neurons), self.mlp_out))


def mapped(x: torch.Tensor, linear: Linear) -> torch.Tensor:
    """Apply a linear map in the precision of its input, or of the pass: (..., d_in) -> (..., d_out).

    Weights of another type are converted one by one, and held no longer than they are used.
    """
    weight, bias = linear
    if weight.dtype != x.dtype and not torch.is_autocast_enabled(x.device.type):
        weight, bias = weight.to(x.dtype), None if bias is None else bias.to(x.dtype)
    return functional.linear(x, weight, bias)
