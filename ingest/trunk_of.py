"""Reading a trunk off a bridge: the models whose layers n2gdb knows how to run."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from n2gdb.ingest.trunk import Trunk, TrunkLayer

__all__ = ["trunk_of"]

#: What of its attention a GPT-2 may not have switched on, or off.
_GPT2_PLAIN = {
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "reorder_and_upcast_attn": False,
    "add_cross_attention": False,
}


def trunk_of(bridge: Any, *, half: bool = False) -> Trunk | None:
    """Read the trunk of a natively built model or a GPT-2; None for a model that has other parts.

    With ``half`` matrices are converted to bfloat16 once, where every pass would convert them anew.
    """
    model = bridge.original_model
    precision = torch.bfloat16 if half else torch.float32
    if _is_native(bridge):
        return _native(model, str(bridge.cfg.act_fn), precision)
    if type(model).__name__ == "GPT2LMHeadModel" and _is_plain_gpt2(model.config):
        return _gpt2(model, precision)
    return None


def _is_native(bridge: Any) -> bool:
    from transformer_lens.model_bridge.sources.native.model import NativeModel

    model = bridge.original_model
    if not isinstance(model, NativeModel) or model.pos is None or bridge.cfg.gated_mlp:
        return False
    return all(_is_plain(_plain(layer).attn) for layer in model.layers)


def _is_plain(attention: Any) -> bool:
    """Whether an attention is causal softmax attention over absolute positions, and nothing more."""
    inner = _plain(attention)
    return bool(
        inner.causal and inner.rotary is None and inner.kv_repeats == 1 and inner.attn_scores_soft_cap <= 0
    )


def _is_plain_gpt2(config: Any) -> bool:
    return all(getattr(config, name) is value for name, value in _GPT2_PLAIN.items())


def _native(model: Any, act_fn: str, precision: torch.dtype) -> Trunk:
    layers = [_plain(layer) for layer in model.layers]
    first = _plain(layers[0].attn)
    return Trunk(
        _plain(model.tok_embed).weight.detach(),
        _plain(model.pos).weight.detach(),
        tuple(_native_layer(layer, precision) for layer in layers),
        _solu if act_fn.startswith("solu") else _plain(layers[0].mlp).act,
        first.n_heads,
        1 / first.scale,
        precision == torch.bfloat16,
    )


def _native_layer(layer: Any, precision: torch.dtype) -> TrunkLayer:
    attention, mlp = _plain(layer.attn), _plain(layer.mlp)
    query, key, value, out, mlp_in, mlp_out = (
        (_plain(part).weight.detach().to(precision), _plain(part).bias.detach().to(precision))
        for part in (attention.q, attention.k, attention.v, attention.o, mlp.fc_in, mlp.fc_out)
    )
    key_value = (torch.cat([key[0], value[0]]), torch.cat([key[1], value[1]]))
    after_site = torch.nn.Identity() if mlp.ln is None else _plain(mlp.ln)
    return TrunkLayer(
        _plain(layer.ln1), query, key_value, out, _plain(layer.ln2), mlp_in, after_site, mlp_out
    )


def _gpt2(model: Any, precision: torch.dtype) -> Trunk:
    inner = model.transformer
    blocks = [_plain(block) for block in inner.h]
    n_heads = model.config.n_head
    return Trunk(
        _plain(inner.wte).weight.detach(),
        _plain(inner.wpe).weight.detach(),
        tuple(_gpt2_layer(block, precision) for block in blocks),
        _plain(blocks[0].mlp).act,
        n_heads,
        (model.config.n_embd // n_heads) ** -0.5,
        precision == torch.bfloat16,
    )


def _gpt2_layer(block: Any, precision: torch.dtype) -> TrunkLayer:
    """Its linear maps are written the other way round, queries, keys and values in one."""
    attention, mlp = _plain(block.attn), _plain(block.mlp)
    joint, out, mlp_in, mlp_out = (
        (
            _plain(part).weight.detach().T.contiguous().to(precision),
            _plain(part).bias.detach().to(precision),
        )
        for part in (attention.c_attn, attention.c_proj, mlp.c_fc, mlp.c_proj)
    )
    width = out[0].shape[0]
    query, key_value = (joint[0][:width], joint[1][:width]), (joint[0][width:], joint[1][width:])
    return TrunkLayer(
        _plain(block.ln_1), query, key_value, out, _plain(block.ln_2), mlp_in, torch.nn.Identity(), mlp_out
    )


def _solu(before: torch.Tensor) -> torch.Tensor:
    """x softmax(x), with one large tensor less than the model's own."""
    return functional.softmax(before, dim=-1).mul_(before)


def _plain(part: Any) -> Any:
    """The module that a bridge wraps, or the module itself."""
    while hasattr(part, "original_component"):
        part = part.original_component
    return part
