"""Where a model's neurons are read: the hook point of every layer's MLP activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from n2gdb.errors import ModelError

__all__ = ["Sites", "find_sites"]

#: What enters the projection back to the residual stream: act(x), and act(gate) * up of a gated MLP.
_POST = "blocks.{layer}.mlp.hook_post"

#: In solu_ln MLPs a LayerNorm mixes the neurons before that projection: read in front of it.
_BEFORE_NORM = "blocks.{layer}.mlp.ln.hook_in"


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """One hook point a layer, and how many neurons it carries."""

    template: str
    """Name of the hook points, with ``{layer}`` for the layer's number."""
    points: tuple[torch.nn.Module, ...]
    d_mlp: int


def find_sites(bridge: Any) -> Sites:
    """Find the hook point of every layer's neurons, and see that a pass reaches each once.

    Raises ModelError for a model whose MLPs cannot be read, as mixtures of experts.
    """
    template = _POST if bridge.get_hook_point(_BEFORE_NORM.format(layer=0)) is None else _BEFORE_NORM
    points = tuple(_point(bridge, template, layer) for layer in range(bridge.cfg.n_layers))
    widths = _widths(bridge, points)
    if any(seen != widths[0][:1] for seen in widths):
        raise ModelError(
            f"{bridge.cfg.model_name}: layers carry {widths} neurons at {template}; "
            "only models with equally wide layers, each run once, can be read"
        )
    return Sites(template, points, widths[0][0])


def _point(bridge: Any, template: str, layer: int) -> torch.nn.Module:
    name = template.format(layer=layer)
    point: torch.nn.Module | None = bridge.get_hook_point(name)
    # Experts answer to hook_post too, with their mixed output: what enters one projection is meant.
    projection = getattr(getattr(bridge.blocks[layer], "mlp", None), "out", None)
    if point is None or (template == _POST and point is not getattr(projection, "hook_in", None)):
        raise ModelError(
            f"{bridge.cfg.model_name}: layer {layer} has no dense MLP to read at {name}; "
            "mixtures of experts and layers without an MLP are not supported"
        )
    return point


def _widths(bridge: Any, points: tuple[torch.nn.Module, ...]) -> list[list[int]]:
    """Run two tokens and note the width of all that passes each point."""
    seen: list[list[int]] = [[] for _ in points]
    handles = [
        point.register_forward_hook(lambda _m, _i, value, widths=widths: widths.append(value.shape[-1]))
        for point, widths in zip(points, seen, strict=True)
    ]
    try:
        with torch.inference_mode():
            bridge.forward(torch.zeros((1, 2), dtype=torch.int64, device=bridge.W_E.device), return_type=None)
    finally:
        for handle in handles:
            handle.remove()
    return seen
