"""Output weights: the direct path from a unit to the logits.

A norm on the way counts by its weights, and by its centring where it has one. It divides by a scale that only
a text tells, which is taken as 1: so logits of one model compare with each other, and are as much larger than
on a text as that text's scale is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from n2gdb.errors import ModelError
from n2gdb.ingest.models.loaded import close, probe_tokens
from n2gdb.ingest.models.subject import WEIGHTS, SubjectModel
from n2gdb.ingest.trunk.readers import exact_norm

__all__ = ["OutputWeights"]

#: Where norms are probed: so far out that what keeps them from dividing by zero does not count.
_FAR = 1e4
#: Units that are pushed to see what they write.
_PUSHED = 3
#: Cosine between what a unit writes when it is pushed, and what its weights say.
_PARALLEL = 0.999


@dataclass(frozen=True, slots=True, eq=False)
class OutputWeights:
    """How a model's units reach the logits, directly.

    ``head`` takes a direction of the residual stream to logits, centred over the vocabulary:
    (d_vocab, d_model). The final norm's weights and the scale of the logits are in it. Where logits are
    capped at the end (Gemma 2), these are the logits before that.
    """

    model: SubjectModel
    head: torch.Tensor
    multiplier: float
    """What the residual stream multiplies the output of an MLP by."""

    @classmethod
    def of(cls, model: SubjectModel) -> OutputWeights:
        """Read the weights of a model, and see by a few passes that it computes with them what is read.

        Raises ModelError, in one line, for a model whose MLPs do not write to a residual stream that ends in
        a norm and an unembedding.
        """
        final = getattr(model.bridge, "ln_final", None)
        if final is None:
            raise ModelError(
                f"{model.name}: its residual stream does not end in a norm, so what a neuron writes has no"
                " direct way to the logits"
            )
        with torch.inference_mode(), _exactly():
            unembedding = _plain(model.bridge.unembed).weight.float()  # (d_vocab, d_model)
            norm = exact_norm(final)
            scale = _logit_scale(model, norm, unembedding)
            folded = _columns_through(norm, unembedding * scale)
            head = folded - folded.mean(dim=0)
            return cls(model, head, _multiplier(model))

    def directions(self, layer: int) -> torch.Tensor:
        """What a layer's neurons add to the residual stream for an activation of 1: (d_mlp, d_model)."""
        with torch.inference_mode(), _exactly():
            return _directions(self.model, layer) * self.multiplier

    def of_heads(self, layer: int, rows: torch.Tensor) -> torch.Tensor:
        """What directions of a layer's heads, side by side, add to the residual stream.

        (some, heads x d_head) -> (some, d_model), through the attention's output weights.
        """
        block = self.model.bridge.blocks[layer]
        with torch.inference_mode(), _exactly():
            written = _without_bias(_plain(block.attn.o), rows.to(WEIGHTS[self.model.weights]))
            if (behind := _child(block, "ln1_post")) is not None:
                written = _through(exact_norm(behind), written)
            return written * self.multiplier


def _directions(model: SubjectModel, layer: int) -> torch.Tensor:
    block = model.bridge.blocks[layer]
    identity = torch.eye(model.d_mlp, device=model.device, dtype=WEIGHTS[model.weights])
    written = _without_bias(_plain(block.mlp.out), identity)
    if (mixing := _child(block.mlp, "ln")) is not None and "mlp.ln" in model.site:
        written = _columns_through(exact_norm(mixing), written.T).T
    if (behind := _child(block, "ln2_post")) is not None:
        written = _through(exact_norm(behind), written)
    return written


def _without_bias(linear: Any, rows: torch.Tensor) -> torch.Tensor:
    """What a linear module makes of rows, less what it makes of nothing: (rows, in) -> (rows, out)."""
    found: torch.Tensor = linear(rows).float() - linear(torch.zeros_like(rows[:1])).float()
    return found


def _through(norm: Any, directions: torch.Tensor) -> torch.Tensor:
    """Take directions through a norm, but for its scale: (..., width) -> (..., width)."""
    weight, centres = _weights(norm, directions)
    return (directions - directions.mean(dim=-1, keepdim=True) if centres else directions) * weight


def _columns_through(norm: Any, matrix: torch.Tensor) -> torch.Tensor:
    """Put a norm, but for its scale, in front of a matrix: (rows, width) -> (rows, width)."""
    weight, centres = _weights(norm, matrix)
    weighted = matrix * weight
    return weighted - weighted.mean(dim=-1, keepdim=True) if centres else weighted


def _weights(norm: Any, like: torch.Tensor) -> tuple[torch.Tensor, bool]:
    """Return what a norm multiplies by, (width,), and whether it takes the mean off; read off what it does.

    So that no norm's own name for its weights, or for 1 + weight, need be known.
    """
    width = like.shape[-1]
    signs = torch.ones(width, device=like.device)
    signs[::2] = -1
    centred = signs - signs.mean()
    bias = norm(torch.zeros_like(centred))
    spread = (_FAR * centred).square().mean().sqrt()
    weight = (norm(_FAR * centred) - bias).float() * spread / (_FAR * centred)
    aside = (norm(_FAR * (centred + 1)) - bias).float()
    return weight, close(aside, weight * centred * _FAR / spread)


def _logit_scale(model: SubjectModel, norm: Any, unembedding: torch.Tensor) -> float:
    """Return what logits are multiplied by; raise ModelError if they come about in another way."""
    stream, logits = _pass(model)
    if unembedding.shape == (logits.shape[-1], stream.shape[-1]):
        bias = getattr(_plain(model.bridge.unembed), "bias", None)
        plain = functional.linear(norm(stream), unembedding, None if bias is None else bias.float())
        scale = float((logits * plain).sum() / plain.square().sum())
        if close(scale * plain, logits, WEIGHTS[model.weights]):
            return scale
        cap = _cap(model.bridge)
        if cap and close(cap * torch.tanh(plain / cap), logits, WEIGHTS[model.weights]):
            return 1.0
    raise ModelError(
        f"{model.name}: its logits are not its final norm and its unembedding alone, so what a neuron writes"
        " to them is not known"
    )


def _cap(bridge: Any) -> float | None:
    """What logits are capped by at the end, if they are."""
    configurations = (getattr(bridge.original_model, "config", None), bridge.cfg)
    names = ("final_logit_softcapping", "output_logits_soft_cap")
    found = (getattr(each, name, None) for each in configurations for name in names)
    return next((float(value) for value in found if value and value > 0), None)


def _multiplier(model: SubjectModel) -> float:
    """Push a few neurons of the last layer far up and down, and see that they write what their weights say.

    Returns how many times as much: not all residual streams take an MLP's output as it is. Where a norm
    stands on the way that is not known, and 1.
    """
    layer = model.n_layers - 1
    expected = _directions(model, layer)
    units = torch.linspace(0, model.d_mlp - 1, _PUSHED, device=model.device).long()
    expected = expected[units]
    written = torch.stack([_pushed(model, layer, int(unit)) for unit in units])
    moving = expected.norm(dim=-1) > 0
    cosine = functional.cosine_similarity(written, expected, dim=-1)[moving]
    if not (cosine > _PARALLEL).all():
        raise ModelError(
            f"{model.name}: its neurons do not write their output weights to the residual stream, so what"
            " they promote is not known"
        )
    block = model.bridge.blocks[layer]
    if _child(block, "ln2_post") is not None or "mlp.ln" in model.site or not moving.any():
        return 1.0
    return float((written * expected).sum() / expected.square().sum())


def _pushed(model: SubjectModel, layer: int, unit: int) -> torch.Tensor:
    """What one neuron adds to the end of the residual stream for an activation of 1: (d_model,)."""
    far = _FAR * (1.0 + float(model.activations(_probe(model), layer).abs().max()))
    streams = []
    for push in (far, -far):
        with _adding(model, layer, unit, push):
            streams.append(_pass(model)[0][0, -1])
    return (streams[0] - streams[1]) / (2 * far)


@contextmanager
def _exactly() -> Iterator[None]:
    """Multiply in float32, whatever precision the passes of an ingest run in."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def _adding(model: SubjectModel, layer: int, unit: int, push: float) -> Iterator[None]:
    def add(_module: Any, _inputs: Any, value: torch.Tensor) -> torch.Tensor:
        pushed = value.clone()
        pushed[..., unit] += push
        return pushed

    handle = model.points[layer].register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()


def _pass(model: SubjectModel) -> tuple[torch.Tensor, torch.Tensor]:
    """Run the prompts that models are tried on: the end of the residual stream, and the logits.

    (batch, position, d_model) and (batch, position, d_vocab).
    """
    seen: list[torch.Tensor] = []
    final = model.bridge.ln_final.hook_in
    handle = final.register_forward_hook(lambda _m, _i, value: seen.append(value.clone()))
    try:
        logits = model.logits(_probe(model))
    finally:
        handle.remove()
    return seen[-1].view(*logits.shape[:2], -1).float(), logits.float()  # some use the norm elsewhere too


def _probe(model: SubjectModel) -> torch.Tensor:
    return probe_tokens(model.d_vocab, model.n_ctx).to(model.device)


def _child(part: Any, name: str) -> Any:
    """A part of a bridge's component, None if it lacks it."""
    return dict(part.named_children()).get(name)


def _plain(part: Any) -> Any:
    """The module that a bridge wraps, or the module itself."""
    while hasattr(part, "original_component"):
        part = part.original_component
    return part
