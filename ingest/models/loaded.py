"""A loaded model: its bridge, its tokenizer and its fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from n2gdb.errors import ModelError
from n2gdb.ingest.models.fingerprint import bridge_configuration, model_fingerprint
from n2gdb.ingest.models.tokenizer import ModelTokenizer

__all__ = ["Loaded", "close", "loaded", "needs_newer", "probe_tokens", "require_causal", "require_finite"]

#: Weights that a message names.
_NAMED = 3

#: Tokens of the prompt that a loaded model is tried on.
_PROBED = 48

#: How far apart, as a share of the largest number, rounding takes two ways to run one model, by the type that
#: its weights are held in.
_ROUNDING = {torch.float32: 3e-4, torch.bfloat16: 0.1}


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A model that is loaded and checked."""

    bridge: Any
    tokenizer: ModelTokenizer
    fingerprint: str  # SHA-256 of configuration and weights, in hexadecimal


def loaded(bridge: Any, tokenizer: ModelTokenizer) -> Loaded:
    """Check and name a model that only its bridge knows; raises ModelError for NaN among its weights."""
    weights = bridge.state_dict()
    require_finite(weights)
    return Loaded(bridge, tokenizer, model_fingerprint(bridge_configuration(bridge.cfg), weights))


def needs_newer(name: str) -> ModelError:
    """What is wrong where transformer-lens 3 is installed, as beside SAELens, and a model takes version 4."""
    return ModelError(
        f"{name} is in TransformerLens' own format, which needs transformer-lens 4, and SAELens brings 3: "
        "install n2gdb in an environment of its own, or choose a model in Hugging Face format"
    )


def probe_tokens(d_vocab: int, n_ctx: int) -> torch.Tensor:
    """Two prompts that a loaded model is tried on, alike in their first half: (2, position).

    Raises ModelError for a model that reads one token at a time: nothing stands before it.
    """
    if n_ctx < 2:
        raise ModelError(f"it reads {n_ctx} tokens at a time, and a pattern takes two at least")
    some = torch.arange(1, 1 + min(_PROBED, n_ctx)) % d_vocab
    half = len(some) // 2
    return torch.stack([some, torch.cat([some[:half], some[half:].flip(0)])])


def close(found: torch.Tensor, expected: torch.Tensor, held: torch.dtype = torch.float32) -> bool:
    """Whether two tensors of one shape are the same but for rounding; NaN is like nothing.

    ``held`` is the type of the weights that they were computed with.
    """
    found, expected = found.float(), expected.float()
    return bool((found - expected).abs().max() <= _ROUNDING[held] * expected.abs().max())


def require_causal(found: torch.Tensor, name: str, held: torch.dtype) -> None:
    """Raise ModelError where what a model gives on ``probe_tokens`` tells later ones: (2, position, any).

    Also where it is NaN or infinite.
    """
    if not torch.isfinite(found).all():
        raise ModelError(f"{name}: its activations are NaN or infinite: its weights are damaged")
    one, other = found[:, : found.shape[1] // 2]
    if not close(other, one, held):
        raise ModelError(
            f"{name} is not causal, its tokens attend to later ones: only causal language models can be read"
        )


def require_finite(weights: Mapping[str, torch.Tensor]) -> None:
    """Raise ModelError naming the weights that hold a NaN or an infinity: all that follows would be NaN."""
    # A sum is not finite where a part of it is not, and takes no memory; float64 does not overflow.
    wrong = [
        name
        for name, tensor in weights.items()
        if tensor.is_floating_point() and not torch.isfinite(tensor.sum(dtype=torch.float64))
    ]
    if wrong:
        more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise ModelError(f"its weights hold NaN or infinite numbers: {', '.join(wrong[:_NAMED])}{more}")
