"""Run the parts of a bridge that nobody reads as plain torch: the same numbers, fewer passes.

A bridge lays LayerNorm and attention out in single steps, so that each can be hooked. n2gdb reads one
site a layer, and no site lies inside either; there the fused kernels of torch do the work. Hooks inside
a norm, and in a natively built model's attention, no longer fire.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

__all__ = ["fuse"]


def fuse(bridge: Any) -> None:
    """Swap the norms, and the attention of a natively built model, for fused ones in place.

    Activations agree with the bridge's own to float rounding.
    """
    from transformer_lens.model_bridge.generalized_components import AttentionBridge, NormalizationBridge
    from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent
    from transformer_lens.model_bridge.sources.native import NativeAttention

    # The bridge's own tree stays as it is: only what the wrapped model calls is swapped.
    wrapped = [part for part in bridge.original_model.modules() if not isinstance(part, GeneralizedComponent)]
    for parent in wrapped:
        for name, part in list(parent.named_children()):
            inner = getattr(part, "original_component", None)
            if isinstance(part, NormalizationBridge) and isinstance(inner, nn.LayerNorm):
                setattr(parent, name, _FusedNorm(part, inner))
            elif (
                isinstance(part, AttentionBridge) and isinstance(inner, NativeAttention) and _is_plain(inner)
            ):
                setattr(parent, name, _FusedAttention(inner))


def _is_plain(attention: Any) -> bool:
    """Whether an attention is causal softmax attention over absolute positions, and nothing more."""
    return bool(
        attention.causal
        and attention.rotary is None
        and attention.kv_repeats == 1
        and attention.attn_scores_soft_cap <= 0
    )


class _FusedNorm(nn.Module):
    """A LayerNorm in one kernel between its bridge's hook points."""

    def __init__(self, bridge: Any, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.hook_in, self.norm, self.hook_out = bridge.hook_in, norm, bridge.hook_out

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        normalised: torch.Tensor = self.hook_out(self.norm(self.hook_in(hidden)))
        return normalised


class _FusedAttention(nn.Module):
    """Causal self-attention of a natively built model, in one kernel.

    Right padding lies behind every token that counts, so that the causal mask is mask enough.
    """

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.n_heads, self.scale = attention.n_heads, 1 / attention.scale
        parts = [part.original_component for part in (attention.q, attention.k, attention.v)]
        self.weight = nn.Parameter(torch.cat([part.weight for part in parts]), requires_grad=False)
        self.bias = nn.Parameter(torch.cat([part.bias for part in parts]), requires_grad=False)
        self.out = attention.o.original_component

    def forward(self, hidden: torch.Tensor, **_: Any) -> tuple[torch.Tensor, None]:
        batch, position, _width = hidden.shape
        qkv = functional.linear(hidden, self.weight, self.bias)
        query, key, value = qkv.view(batch, position, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True, scale=self.scale)
        return self.out(mixed.transpose(1, 2).reshape(batch, position, -1)), None
