"""Fused norms: a bridge's norms run as plain torch, with the same numbers in fewer passes.

A bridge lays LayerNorm out in single steps, so that each can be hooked. n2gdb reads one site a layer, and
no site lies inside a norm; there the fused kernel of torch does the work. Hooks inside a norm no longer
fire.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

__all__ = ["fuse_norms"]


def fuse_norms(bridge: Any) -> None:
    """Swap the norms for fused ones in place; activations agree with the bridge's own to float rounding."""
    from transformer_lens.model_bridge.generalized_components import NormalizationBridge
    from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent

    # The bridge's own tree stays as it is: only what the wrapped model calls is swapped.
    wrapped = [part for part in bridge.original_model.modules() if not isinstance(part, GeneralizedComponent)]
    for parent in wrapped:
        for name, part in list(parent.named_children()):
            inner = getattr(part, "original_component", None)
            if isinstance(part, NormalizationBridge) and isinstance(inner, nn.LayerNorm):
                setattr(parent, name, _FusedNorm(part, inner))


class _FusedNorm(nn.Module):
    """A LayerNorm in one kernel between its bridge's hook points."""

    def __init__(self, bridge: Any, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.hook_in, self.norm, self.hook_out = bridge.hook_in, norm, bridge.hook_out

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        normalised: torch.Tensor = self.hook_out(self.norm(self.hook_in(hidden)))
        return normalised
