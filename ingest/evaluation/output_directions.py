"""Output directions: what the units of any source add to the residual stream.

A neuron's is its row of the MLP's output weights, a latent's its row of the decoder. A direction of a site is
itself. What does not end in the residual stream has none.
"""

from __future__ import annotations

import torch

from n2gdb.ingest.evaluation.output_weights import OutputWeights
from n2gdb.ingest.sources.places import NEURONS, UnitPlaceOf, site_of

__all__ = ["output_directions"]

#: Hook points whose values are the residual stream, or are added to it as they are.
_STREAM = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out")

#: What attention has of every head, before it is put together.
_HEADS = "attn.hook_z"


def output_directions(weights: OutputWeights, place: UnitPlaceOf) -> torch.Tensor | None:
    """Return what the units of a place's source add to the residual stream for an activation of 1.

    (width, d_model), by index, of the positive side; None where a source does not write there. A transcoder
    writes what its MLP adds to the stream. What an encoder's input is divided by on each text (``layer_norm``
    and ``constant_norm_rescale``) is taken as 1, as the norms of the model are.
    """
    if place.is_mlp:
        return weights.directions(place.layer)
    model, read, site = weights.model, place.dictionary, site_of(place)
    if read is None:
        rows = torch.eye(place.width, device=model.device)
    else:
        rows = read.decoder / read.factor if read.normalisation == "factor" else read.decoder
    if place.kind == "transcoder" or site in _STREAM:
        return rows if rows.shape[1] == model.d_model else None
    if site == _HEADS:
        return weights.of_heads(place.layer, rows)
    if f"blocks.{{layer}}.{site}" == model.site or site == NEURONS:
        return rows @ weights.directions(place.layer)
    return None
