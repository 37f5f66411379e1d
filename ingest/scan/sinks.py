"""Attention sinks: positions at which a layer's activations are beyond all others of a window.

A model may park attention that it does not need on the first token, or on the first line break or full stop
that it meets. What a layer computes there is the same in every text and orders of magnitude too large:
as a neuron's maximum it would turn all that the neuron does elsewhere into nothing.
"""

from __future__ import annotations

import torch

__all__ = ["BEYOND", "counts_along"]

#: How often the size of the activations at three in four positions of the window a sink has at least.
BEYOND = 100.0


def counts_along(site: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """Whether each position of windows counts for a place: (window, position).

    site (window, position, unit), counted (window, position): what counts at any place. Positions whose
    activations are not finite stay, as they are an error of their own.
    """
    size = torch.linalg.vector_norm(site, dim=2).float()
    among = size.masked_fill(~(counted & size.isfinite()), torch.nan)
    usual = among.nanquantile(0.75, dim=1, keepdim=True, interpolation="lower")
    is_sink = (among > BEYOND * usual) & (usual > 0)  # none is among positions that are all silent but a few
    counts: torch.Tensor = counted & ~is_sink
    return counts
