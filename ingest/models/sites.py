"""Sites: the hook point of every layer's MLP activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from n2gdb.errors import ModelError, one_line
from n2gdb.ingest.models.loaded import probe_tokens, require_causal

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


def find_sites(bridge: Any, name: str) -> Sites:
    """Find the hook point of every layer's neurons, and see by a pass that they can be read there.

    Raises ModelError, which calls the model ``name``: for MLPs that cannot be read, as mixtures of experts,
    for a layer that a pass does not reach once, and for a model whose positions attend to later ones.
    """
    template = _POST if bridge.get_hook_point(_BEFORE_NORM.format(layer=0)) is None else _BEFORE_NORM
    if bridge.cfg.n_layers < 1 or not hasattr(bridge, "blocks"):
        raise ModelError(f"{name} has no layers that follow each other: nothing in it can be read")
    points = tuple(_point(bridge, name, template, layer) for layer in range(bridge.cfg.n_layers))
    tokens = probe_tokens(bridge.cfg.d_vocab, bridge.cfg.n_ctx)
    passed = _pass(bridge, name, points, tokens.to(bridge.W_E.device))
    widths = [[value.shape[-1] for value in seen] for seen in passed]
    if any(seen != widths[0][:1] for seen in widths):
        raise ModelError(
            f"{name}: layers carry {widths} neurons at {template}; "
            "only models with equally wide layers, each run once, can be read"
        )
    for (values,) in passed:
        require_causal(values.view(*tokens.shape, -1), name, bridge.W_E.dtype)
    return Sites(template, points, widths[0][0])


def _point(bridge: Any, name: str, template: str, layer: int) -> torch.nn.Module:
    site = template.format(layer=layer)
    point: torch.nn.Module | None = bridge.get_hook_point(site)
    # Experts answer to hook_post too, with their mixed output: what enters one projection is meant.
    projection = getattr(getattr(bridge.blocks[layer], "mlp", None), "out", None)
    if point is None or (template == _POST and point is not getattr(projection, "hook_in", None)):
        raise ModelError(
            f"{name}: layer {layer} has no dense MLP to read at {site}; "
            "mixtures of experts and layers without an MLP are not supported"
        )
    return point


def _pass(
    bridge: Any, name: str, points: tuple[torch.nn.Module, ...], tokens: torch.Tensor
) -> list[list[torch.Tensor]]:
    """Run prompts and note all that passes each point."""
    seen: list[list[torch.Tensor]] = [[] for _ in points]
    handles = [
        point.register_forward_hook(lambda _m, _i, value, values=values: values.append(value.clone()))
        for point, values in zip(points, seen, strict=True)
    ]
    try:
        with torch.inference_mode():
            bridge.forward(tokens, return_type=None)
    except Exception as error:  # what a bridge takes for a model, and cannot run
        raise ModelError(
            f"{name}: transformer-lens cannot run it: {type(error).__name__}: {one_line(error)}"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    return seen
