"""Trunk readers: the architectures whose layers n2gdb can run itself."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch.nn import Identity, functional

from n2gdb.ingest.trunk.heads import Heads
from n2gdb.ingest.trunk.layer import Linear, Norm, TrunkLayer
from n2gdb.ingest.trunk.trunk import Trunk

__all__ = ["exact_norm", "trunk_of"]


def trunk_of(bridge: Any, *, half: bool = False) -> Trunk | None:
    """Read the trunk of a native model, GPT-2, GPT-NeoX (Pythia), Llama or its like, Phi 3, Gemma 2 or 3.

    None for a model that has other parts. With ``half`` matrices are converted to bfloat16 once, where every
    pass would convert them anew; else they are left as they are loaded.
    """
    model = bridge.original_model
    linear = partial(_linear, precision=torch.bfloat16 if half else None)
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
    model = bridge.original_model
    if type(model).__name__ != "NativeModel" or model.pos is None or bridge.cfg.gated_mlp:
        return False
    attentions = [_plain(_plain(layer).attn) for layer in model.layers]
    return all(
        each.causal and each.rotary is None and each.kv_repeats == 1 and each.attn_scores_soft_cap <= 0
        for each in attentions
    )


def _native(model: Any, act_fn: str, linear: ReadLinear, half: bool) -> Trunk:
    layers = [_plain(layer) for layer in model.layers]
    attention = _plain(layers[0].attn)
    heads = Heads(attention.n_heads, attention.n_heads, 1 / attention.scale)
    return Trunk(
        _weight(model.tok_embed),
        _weight(model.pos),
        tuple(_native_layer(layer, heads, linear) for layer in layers),
        _solu if act_fn.startswith("solu") else _plain(layers[0].mlp).act,
        half=half,
    )


def _native_layer(layer: Any, heads: Heads, linear: ReadLinear) -> TrunkLayer:
    attention, mlp = _plain(layer.attn), _plain(layer.mlp)
    return TrunkLayer(
        heads,
        exact_norm(layer.ln1),
        linear(attention.q),
        _joined(linear(attention.k), linear(attention.v)),
        linear(attention.o),
        exact_norm(layer.ln2),
        None,
        linear(mlp.fc_in),
        Identity() if mlp.ln is None else exact_norm(mlp.ln),
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
    inner, config = model.transformer, model.config
    blocks = [_plain(block) for block in inner.h]
    heads = Heads(config.n_head, config.n_head, (config.n_embd // config.n_head) ** -0.5)
    return Trunk(
        _weight(inner.wte),
        _weight(inner.wpe),
        tuple(_gpt2_layer(block, heads, linear) for block in blocks),
        _fused(_plain(blocks[0].mlp).act),
        half=half,
    )


def _gpt2_layer(block: Any, heads: Heads, linear: ReadLinear) -> TrunkLayer:
    """Its matrices are written the other way round; queries, keys and values are one."""
    attention, mlp = _plain(block.attn), _plain(block.mlp)
    weight, bias = linear(attention.c_attn, transposed=True)
    width = len(weight) // 3
    return TrunkLayer(
        heads,
        exact_norm(block.ln_1),
        (weight[:width], _some(bias, slice(width))),
        (weight[width:], _some(bias, slice(width, None))),
        linear(attention.c_proj, transposed=True),
        exact_norm(block.ln_2),
        None,
        linear(mlp.c_fc, transposed=True),
        Identity(),
        linear(mlp.c_proj, transposed=True),
    )


def _neox(model: Any, linear: ReadLinear, half: bool) -> Trunk:
    inner, config = model.gpt_neox, model.config
    layers = [_plain(layer) for layer in inner.layers]
    count = config.num_attention_heads
    heads = Heads(count, count, (config.hidden_size // count) ** -0.5, *_rotation(inner))
    return Trunk(
        _weight(inner.embed_in),
        None,
        tuple(_neox_layer(layer, heads, linear) for layer in layers),
        _fused(_plain(layers[0].mlp).act),
        parallel=config.use_parallel_residual,
        half=half,
    )


def _neox_layer(layer: Any, heads: Heads, linear: ReadLinear) -> TrunkLayer:
    """Queries, keys and values are one matrix, head by head."""
    attention, mlp = _plain(layer.attention), _plain(layer.mlp)
    weight, bias = linear(attention.query_key_value)
    # (head, query or key or value, d_head) -> (query or key or value, head, d_head)
    order = torch.arange(len(weight)).view(heads.queries, 3, -1).transpose(0, 1).flatten()
    width = len(weight) // 3
    query, key_value = order[:width], order[width:]
    return TrunkLayer(
        heads,
        exact_norm(layer.input_layernorm),
        (weight[query], _some(bias, query)),
        (weight[key_value], _some(bias, key_value)),
        linear(attention.dense),
        exact_norm(layer.post_attention_layernorm),
        None,
        linear(mlp.dense_h_to_4h),
        Identity(),
        linear(mlp.dense_4h_to_h),
    )


def _llama(model: Any, linear: ReadLinear, half: bool) -> Trunk:
    inner = model.model
    layers = [_plain(layer) for layer in inner.layers]
    heads = [_heads(layer, model.config, *_rotation(inner)) for layer in layers]
    return Trunk(
        _weight(inner.embed_tokens),
        None,
        tuple(_llama_layer(*each, linear) for each in zip(layers, heads, strict=True)),
        _fused(_plain(layers[0].mlp).act_fn),
        half=half,
    )


def _heads(layer: Any, config: Any, frequency: torch.Tensor, stretch: float) -> Heads:
    """How a layer of Llama's kind attends: over a window, where its model has one for it."""
    attention = _plain(layer.self_attn)
    window = getattr(attention, "sliding_window", getattr(config, "sliding_window", None))
    if getattr(attention, "layer_type", None) == "full_attention":
        window = None
    return Heads(
        config.num_attention_heads,
        config.num_key_value_heads,
        float(attention.scaling),
        frequency,
        stretch,
        window,
        getattr(attention, "attn_logit_softcapping", None),
    )


def _llama_layer(layer: Any, heads: Heads, linear: ReadLinear) -> TrunkLayer:
    attention, mlp = _plain(layer.self_attn), _plain(layer.mlp)
    return TrunkLayer(
        heads,
        exact_norm(layer.input_layernorm),
        linear(attention.q_proj),
        _joined(linear(attention.k_proj), linear(attention.v_proj)),
        linear(attention.o_proj),
        exact_norm(layer.post_attention_layernorm),
        linear(mlp.gate_proj),
        linear(mlp.up_proj),
        Identity(),
        linear(mlp.down_proj),
        **_head_norms(attention),
    )


def _head_norms(attention: Any) -> dict[str, Norm]:
    """The norms of queries and keys, of models that have them (Qwen 3, Gemma 3)."""
    names = {"norm_query": "q_norm", "norm_key": "k_norm"}
    return {
        ours: exact_norm(getattr(attention, name)) for ours, name in names.items() if hasattr(attention, name)
    }


def _phi3(model: Any, linear: ReadLinear, half: bool) -> Trunk:
    inner = model.model
    layers = [_plain(layer) for layer in inner.layers]
    heads = _heads(layers[0], model.config, *_rotation(inner))
    return Trunk(
        _weight(inner.embed_tokens),
        None,
        tuple(_phi3_layer(layer, heads, linear) for layer in layers),
        _fused(_plain(layers[0].mlp).activation_fn),
        half=half,
    )


def _phi3_layer(layer: Any, heads: Heads, linear: ReadLinear) -> TrunkLayer:
    """Queries, keys and values are one matrix; so are the gate and what it multiplies."""
    attention, mlp = _plain(layer.self_attn), _plain(layer.mlp)
    weight, bias = linear(attention.qkv_proj)
    both, both_biases = linear(mlp.gate_up_proj)
    queries, neurons = len(weight) * heads.queries // (heads.queries + 2 * heads.keys), len(both) // 2
    return TrunkLayer(
        heads,
        exact_norm(layer.input_layernorm),
        (weight[:queries], _some(bias, slice(queries))),
        (weight[queries:], _some(bias, slice(queries, None))),
        linear(attention.o_proj),
        exact_norm(layer.post_attention_layernorm),
        (both[:neurons], _some(both_biases, slice(neurons))),
        (both[neurons:], _some(both_biases, slice(neurons, None))),
        Identity(),
        linear(mlp.down_proj),
    )


def _gemma(model: Any, linear: ReadLinear, half: bool) -> Trunk:
    inner = model.model
    layers = [_plain(layer) for layer in inner.layers]
    turns = {kind: _rotation(inner, kind) for kind in set(model.config.layer_types)}
    kinds = zip(layers, model.config.layer_types, strict=True)
    embedding = _plain(inner.embed_tokens)
    return Trunk(
        embedding.weight.detach(),
        None,
        tuple(
            _gemma_layer(layer, _heads(layer, model.config, *turns[kind]), linear) for layer, kind in kinds
        ),
        _fused(_plain(layers[0].mlp).act_fn),
        half=half,
        stretch=float(embedding.embed_scale.to(embedding.weight.dtype)),
    )


def _gemma_layer(layer: Any, heads: Heads, linear: ReadLinear) -> TrunkLayer:
    """Llama's, with a norm before and one after each half."""
    return replace(
        _llama_layer(layer, heads, linear),
        norm_attended=exact_norm(layer.post_attention_layernorm),
        norm_2=exact_norm(layer.pre_feedforward_layernorm),
        norm_written=exact_norm(layer.post_feedforward_layernorm),
    )


def _is_plain_gemma(config: Any) -> bool:
    """Whether no token attends to later ones, and every kind of layer has plain rotation."""
    parameters = config.rope_parameters or {}
    each = [parameters.get(kind) or parameters for kind in config.layer_types]
    return not getattr(config, "use_bidirectional_attention", False) and all(map(_is_plain_rotation, each))


def _has_plain_rotation(config: Any) -> bool:
    """Whether positions rotate by the same angles whatever the length of the text."""
    return _is_plain_rotation(getattr(config, "rope_parameters", None) or {})


def _is_plain_rotation(parameters: dict[str, Any]) -> bool:
    return parameters.get("rope_type", "default") not in ("dynamic", "longrope")


#: By classes of the transformers library: whether a configuration has only known parts, and how to read it.
_KINDS: dict[str, tuple[Callable[[Any], bool], Callable[[Any, ReadLinear, bool], Trunk]]] = {
    "GPT2LMHeadModel": (_is_plain_gpt2, _gpt2),
    "GPTNeoXForCausalLM": (_has_plain_rotation, _neox),
    "LlamaForCausalLM": (_has_plain_rotation, _llama),
    "MistralForCausalLM": (_has_plain_rotation, _llama),
    "Qwen2ForCausalLM": (_has_plain_rotation, _llama),
    "Qwen3ForCausalLM": (_has_plain_rotation, _llama),
    "Phi3ForCausalLM": (_has_plain_rotation, _phi3),
    "Gemma2ForCausalLM": (_is_plain_gemma, _gemma),
    "Gemma3ForCausalLM": (_is_plain_gemma, _gemma),
}


def _rotation(inner: Any, kind: str = "") -> tuple[torch.Tensor, float]:
    """How fast each pair of a head's numbers turns with the position, and what it is multiplied by.

    Of layers of one kind, where kinds turn differently.
    """
    embedding = _plain(inner.rotary_emb)
    of_kind = f"{kind}_" if hasattr(embedding, f"{kind}_inv_freq") else ""
    frequency = getattr(embedding, f"{of_kind}inv_freq")
    return frequency.detach().float(), float(getattr(embedding, f"{of_kind}attention_scaling"))


def _linear(part: Any, *, precision: torch.dtype | None, transposed: bool = False) -> Linear:
    inner = _plain(part)
    weight, bias = inner.weight.detach(), None if inner.bias is None else inner.bias.detach()
    weight = weight.T.contiguous() if transposed else weight
    if precision is None:
        return weight, bias
    return weight.to(precision), None if bias is None else bias.to(precision)


def exact_norm(part: Any) -> Norm:
    """A norm that computes in float32, whatever its weights are stored as."""
    norm = _plain(part)
    if all(weight.dtype == torch.float32 for weight in norm.parameters()):
        found: Norm = norm
        return found
    exact: Norm = copy.deepcopy(norm).float()
    return exact


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
