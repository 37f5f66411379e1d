"""Trunk readers: the architectures whose layers n2gdb can run itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.nn import Identity, functional

from n2gdb.ingest.models.trunk import Heads, Linear, Trunk, TrunkLayer

__all__ = ["trunk_of"]


def trunk_of(bridge: Any, *, half: bool = False) -> Trunk | None:
    """Read the trunk of a natively built model, a GPT-2, a GPT-NeoX (Pythia), or a Llama or its like.

    None for a model that has other parts. With ``half`` matrices are converted to bfloat16 once, where every
    pass would convert them anew.
    """
    model = bridge.original_model
    linear = partial(_linear, precision=torch.bfloat16 if half else torch.float32)
    if _is_native(bridge):
        return _native(model, str(bridge.cfg.act_fn), linear, half)
    kind = _KINDS.get(type(model).__name__)
    if kind is None:
        return None
    is_plain, read = kind
    return read(model, linear, half) if is_plain(model.config) else None


#: Reads a module's weight and bias, as functional.linear takes them.
ReadLinear = Callable[..., Linear]


def _is_native(bridge: Any) -> bool:
    from transformer_lens.model_bridge.sources.native.model import NativeModel

    model = bridge.original_model
    if not isinstance(model, NativeModel) or model.pos is None or bridge.cfg.gated_mlp:
        return False
    attentions = [_plain(_plain(layer).attn) for layer in model.layers]
    return all(
        each.causal and each.rotary is None and each.kv_repeats == 1 and each.attn_scores_soft_cap <= 0
        for each in attentions
    )


def _native(model: Any, act_fn: str, linear: ReadLinear, half: bool) -> Trunk:
    layers = [_plain(layer) for layer in model.layers]
    attention = _plain(layers[0].attn)
    return Trunk(
        _weight(model.tok_embed),
        _weight(model.pos),
        tuple(_native_layer(layer, linear) for layer in layers),
        _solu if act_fn.startswith("solu") else _plain(layers[0].mlp).act,
        Heads(attention.n_heads, attention.n_heads, 1 / attention.scale),
        half=half,
    )


def _native_layer(layer: Any, linear: ReadLinear) -> TrunkLayer:
    attention, mlp = _plain(layer.attn), _plain(layer.mlp)
    return TrunkLayer(
        _plain(layer.ln1),
        linear(attention.q),
        _joined(linear(attention.k), linear(attention.v)),
        linear(attention.o),
        _plain(layer.ln2),
        None,
        linear(mlp.fc_in),
        Identity() if mlp.ln is None else _plain(mlp.ln),
        linear(mlp.fc_out),
    )


def _is_plain_gpt2(config: Any) -> bool:
    return bool(
        config.scale_attn_weights
        and not config.scale_attn_by_inverse_layer_idx
        and not config.reorder_and_upcast_attn
        and not config.add_cross_attention
    )


def _gpt2(model: Any, linear: ReadLinear, half: bool) -> Trunk:
    inner, heads = model.transformer, model.config.n_head
    blocks = [_plain(block) for block in inner.h]
    return Trunk(
        _weight(inner.wte),
        _weight(inner.wpe),
        tuple(_gpt2_layer(block, linear) for block in blocks),
        _fused(_plain(blocks[0].mlp).act),
        Heads(heads, heads, (model.config.n_embd // heads) ** -0.5),
        half=half,
    )


def _gpt2_layer(block: Any, linear: ReadLinear) -> TrunkLayer:
    """Its matrices are written the other way round; queries, keys and values are one."""
    attention, mlp = _plain(block.attn), _plain(block.mlp)
    weight, bias = linear(attention.c_attn, transposed=True)
    width = len(weight) // 3
    return TrunkLayer(
        _plain(block.ln_1),
        (weight[:width], _some(bias, slice(width))),
        (weight[width:], _some(bias, slice(width, None))),
        linear(attention.c_proj, transposed=True),
        _plain(block.ln_2),
        None,
        linear(mlp.c_fc, transposed=True),
        Identity(),
        linear(mlp.c_proj, transposed=True),
    )


def _neox(model: Any, linear: ReadLinear, half: bool) -> Trunk:
    inner, config = model.gpt_neox, model.config
    layers = [_plain(layer) for layer in inner.layers]
    heads = config.num_attention_heads
    return Trunk(
        _weight(inner.embed_in),
        None,
        tuple(_neox_layer(layer, heads, linear) for layer in layers),
        _fused(_plain(layers[0].mlp).act),
        Heads(heads, heads, (config.hidden_size // heads) ** -0.5, *_rotation(inner)),
        parallel=config.use_parallel_residual,
        half=half,
    )


def _neox_layer(layer: Any, heads: int, linear: ReadLinear) -> TrunkLayer:
    """Queries, keys and values are one matrix, head by head."""
    attention, mlp = _plain(layer.attention), _plain(layer.mlp)
    weight, bias = linear(attention.query_key_value)
    # (head, query or key or value, d_head) -> (query or key or value, head, d_head)
    order = torch.arange(len(weight)).view(heads, 3, -1).transpose(0, 1).flatten()
    width = len(weight) // 3
    query, key_value = order[:width], order[width:]
    return TrunkLayer(
        _plain(layer.input_layernorm),
        (weight[query], _some(bias, query)),
        (weight[key_value], _some(bias, key_value)),
        linear(attention.dense),
        _plain(layer.post_attention_layernorm),
        None,
        linear(mlp.dense_h_to_4h),
        Identity(),
        linear(mlp.dense_4h_to_h),
    )


def _is_plain_llama(config: Any) -> bool:
    """Whether every layer attends to all that stands before."""
    kinds = getattr(config, "layer_types", None) or ["full_attention"]
    slides = getattr(config, "sliding_window", None) and config.model_type == "mistral"
    return set(kinds) == {"full_attention"} and not slides and _has_plain_rotation(config)


def _llama(model: Any, linear: ReadLinear, half: bool) -> Trunk:
    inner, config = model.model, model.config
    layers = [_plain(layer) for layer in inner.layers]
    attention = _plain(layers[0].self_attn)
    heads = Heads(
        config.num_attention_heads,
        config.num_key_value_heads,
        float(attention.scaling),
        *_rotation(inner),
    )
    return Trunk(
        _weight(inner.embed_tokens),
        None,
        tuple(_llama_layer(layer, linear) for layer in layers),
        _fused(_plain(layers[0].mlp).act_fn),
        heads,
        half=half,
    )


def _llama_layer(layer: Any, linear: ReadLinear) -> TrunkLayer:
    attention, mlp = _plain(layer.self_attn), _plain(layer.mlp)
    return TrunkLayer(
        _plain(layer.input_layernorm),
        linear(attention.q_proj),
        _joined(linear(attention.k_proj), linear(attention.v_proj)),
        linear(attention.o_proj),
        _plain(layer.post_attention_layernorm),
        linear(mlp.gate_proj),
        linear(mlp.up_proj),
        Identity(),
        linear(mlp.down_proj),
    )


def _has_plain_rotation(config: Any) -> bool:
    """Whether positions rotate by the same angles whatever the length of the text."""
    parameters = getattr(config, "rope_parameters", None) or {}
    return parameters.get("rope_type", "default") not in ("dynamic", "longrope")


#: By classes of the transformers library: whether a configuration has only known parts, and how to read it.
_KINDS: dict[str, tuple[Callable[[Any], bool], Callable[[Any, ReadLinear, bool], Trunk]]] = {
    "GPT2LMHeadModel": (_is_plain_gpt2, _gpt2),
    "GPTNeoXForCausalLM": (_has_plain_rotation, _neox),
    "LlamaForCausalLM": (_is_plain_llama, _llama),
    "MistralForCausalLM": (_is_plain_llama, _llama),
    "Qwen2ForCausalLM": (_is_plain_llama, _llama),
}


def _rotation(inner: Any) -> tuple[torch.Tensor, float]:
    """How fast each pair of a head's numbers turns with the position, and what it is multiplied by."""
    embedding = _plain(inner.rotary_emb)
    return embedding.inv_freq.detach().float(), float(embedding.attention_scaling)


def _linear(part: Any, *, precision: torch.dtype, transposed: bool = False) -> Linear:
    inner = _plain(part)
    weight = inner.weight.detach()
    bias = None if inner.bias is None else inner.bias.detach().to(precision)
    return (weight.T.contiguous() if transposed else weight).to(precision), bias


def _joined(first: Linear, second: Linear) -> Linear:
    biases = [bias for _, bias in (first, second) if bias is not None]
    return torch.cat([first[0], second[0]]), torch.cat(biases) if biases else None


def _some(bias: torch.Tensor | None, rows: Any) -> torch.Tensor | None:
    return None if bias is None else bias[rows]


def _weight(part: Any) -> torch.Tensor:
    weight: torch.Tensor = _plain(part).weight.detach()
    return weight


def _fused(activation: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """An activation of the transformers library, in one step where it is written out in eight."""
    if type(activation).__name__ == "NewGELUActivation":
        return partial(functional.gelu, approximate="tanh")
    found: Callable[[torch.Tensor], torch.Tensor] = activation
    return found


def _solu(before: torch.Tensor) -> torch.Tensor:
    """x softmax(x), with one large tensor less than the model's own."""
    return functional.softmax(before, dim=-1).mul_(before)


def _plain(part: Any) -> Any:
    """The module that a bridge wraps, or the module itself."""
    while hasattr(part, "original_component"):
        part = part.original_component
    return part
