"""Tiny models of every family that transformers can make without a hub, and where their neurons are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import transformers

from tests.support.tiny_models import VOCABULARY

__all__ = ["FAMILIES", "IMAGE_TEXT", "REFUSED", "UNREADABLE_IMAGE_TEXT", "Family"]

#: What nearly all configurations call their sizes.
_SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "vocab_size": VOCABULARY,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": None,
}
_GROUPED = {**_SIZES, "num_key_value_heads": 2}
_GPT = {
    "n_embd": 32,
    "n_layer": 3,
    "n_head": 4,
    "n_positions": 64,
    "vocab_size": VOCABULARY,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
_GEMMA = {**_GROUPED, "head_dim": 8, "query_pre_attn_scalar": 8}
#: Of models in which some layers attend in linear time.
_LINEAR: dict[str, Any] = {
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "head_dim": 8,
}


@dataclass(frozen=True, slots=True)
class Family:
    """A configuration, and the ending of the modules whose input are the neurons."""

    config: Callable[[], Any]
    projection: str


def _rope(**parameters: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_theta": 10000.0, **parameters}}


def _llama(**changed: Any) -> Family:
    return Family(lambda: transformers.LlamaConfig(**{**_GROUPED, **changed}), "mlp.down_proj")


def _of(name: str, projection: str, sizes: dict[str, Any] = _GROUPED, **changed: Any) -> Family:
    return Family(lambda: getattr(transformers, name)(**{**sizes, **changed}), projection)


FAMILIES: dict[str, Family] = {
    "gpt2": _of("GPT2Config", "mlp.c_proj", _GPT),
    "gpt2-relu": _of("GPT2Config", "mlp.c_proj", _GPT, activation_function="relu"),
    "gpt2-inverse": _of("GPT2Config", "mlp.c_proj", _GPT, scale_attn_by_inverse_layer_idx=True),
    "gpt2-untied": _of("GPT2Config", "mlp.c_proj", _GPT, tie_word_embeddings=False),
    "openai-gpt": _of("OpenAIGPTConfig", "mlp.c_proj", _GPT),
    "gpt_neo": _of(
        "GPTNeoConfig",
        "mlp.c_proj",
        _SIZES,
        num_layers=3,
        num_heads=4,
        attention_types=[[["global", "local"], 1], [["global"], 1]],
        window_size=4,
    ),
    "gpt_neox": _of("GPTNeoXConfig", "mlp.dense_4h_to_h", _SIZES),
    "gpt_neox-serial": _of("GPTNeoXConfig", "mlp.dense_4h_to_h", _SIZES, use_parallel_residual=False),
    "gpt_neox-partial": _of(
        "GPTNeoXConfig",
        "mlp.dense_4h_to_h",
        _SIZES,
        **_rope(rope_type="default", partial_rotary_factor=1.0),
    ),
    "gpt_neox-relu": _of("GPTNeoXConfig", "mlp.dense_4h_to_h", _SIZES, hidden_act="relu"),
    "gptj": _of("GPTJConfig", "mlp.fc_out", _GPT, rotary_dim=4),
    "codegen": _of("CodeGenConfig", "mlp.fc_out", _GPT, rotary_dim=4),
    "llama": _llama(),
    "llama-tied": _llama(tie_word_embeddings=True),
    "llama-bias": _llama(attention_bias=True, mlp_bias=True),
    "llama-gelu": _llama(hidden_act="gelu_pytorch_tanh"),
    "llama-eps": _llama(rms_norm_eps=0.1),
    "llama-wide": _llama(head_dim=16),
    "llama-one-key": _llama(num_key_value_heads=1),
    "llama-theta": _llama(**_rope(rope_type="default", rope_theta=100.0)),
    "llama-linear": _llama(**_rope(rope_type="linear", factor=4.0)),
    "llama-dynamic": _llama(**_rope(rope_type="dynamic", factor=4.0), max_position_embeddings=16),
    "llama-yarn": _llama(
        **_rope(rope_type="yarn", factor=4.0, original_max_position_embeddings=16),
    ),
    "llama-llama3": _llama(
        **_rope(
            rope_type="llama3",
            factor=8.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=16,
        )
    ),
    "llama-longrope": _llama(
        **_rope(
            rope_type="longrope",
            short_factor=[1.0] * 4,
            long_factor=[3.0] * 4,
            original_max_position_embeddings=16,
            factor=4.0,
        )
    ),
    "mistral": _of("MistralConfig", "mlp.down_proj", sliding_window=None),
    "mistral-sliding": _of("MistralConfig", "mlp.down_proj", sliding_window=4),
    "qwen2": _of("Qwen2Config", "mlp.down_proj"),
    "qwen2-sliding": _of(
        "Qwen2Config", "mlp.down_proj", use_sliding_window=True, sliding_window=4, max_window_layers=1
    ),
    "qwen3": _of("Qwen3Config", "mlp.down_proj", head_dim=8),
    "gemma": _of("GemmaConfig", "mlp.down_proj", head_dim=8),
    "gemma2": _of("Gemma2Config", "mlp.down_proj", _GEMMA, sliding_window=4),
    "gemma2-softcap": _of("Gemma2Config", "mlp.down_proj", _GEMMA, attn_logit_softcapping=0.5),
    "gemma3": _of("Gemma3TextConfig", "mlp.down_proj", _GEMMA, sliding_window=4),
    "vaultgemma": _of("VaultGemmaConfig", "mlp.down_proj", _GEMMA, sliding_window=4),
    "phi": _of("PhiConfig", "mlp.fc2", _SIZES),
    "phi3": _of("Phi3Config", "mlp.down_proj"),
    "stablelm": _of("StableLmConfig", "mlp.down_proj"),
    "stablelm-parallel": _of(
        "StableLmConfig", "mlp.down_proj", _GROUPED, use_parallel_residual=True, qk_layernorm=True
    ),
    "opt": _of("OPTConfig", "fc2", _SIZES, ffn_dim=48, word_embed_proj_dim=32, pad_token_id=1),
    "opt-after": _of(
        "OPTConfig",
        "fc2",
        _SIZES,
        ffn_dim=48,
        word_embed_proj_dim=16,
        do_layer_norm_before=False,
        pad_token_id=1,
    ),
    "bloom": _of("BloomConfig", "mlp.dense_4h_to_h", n_layer=3, n_head=4, hidden_size=32),
    "falcon": _of("FalconConfig", "mlp.dense_4h_to_h", _SIZES),
    "mpt": _of("MptConfig", "ffn.down_proj", d_model=32, n_heads=4, n_layers=3, max_seq_len=64),
    "olmo": _of("OlmoConfig", "mlp.down_proj", clip_qkv=0.5),
    "olmo2": _of("Olmo2Config", "mlp.down_proj"),
    "olmo3": _of("Olmo3Config", "mlp.down_proj", sliding_window=4),
    "cohere": _of("CohereConfig", "mlp.down_proj"),
    "cohere2": _of("Cohere2Config", "mlp.down_proj", sliding_window=4),
    "starcoder2": _of("Starcoder2Config", "mlp.c_proj"),
    "gpt_bigcode": _of("GPTBigCodeConfig", "mlp.c_proj", _GPT),
    "granite": _of(
        "GraniteConfig",
        "mlp.down_proj",
        embedding_multiplier=3.0,
        residual_multiplier=0.5,
        attention_multiplier=0.2,
        logits_scaling=2.0,
    ),
    "smollm3": _of("SmolLM3Config", "mlp.down_proj", no_rope_layers=[1, 0, 1]),
    "nemotron": _of("NemotronConfig", "mlp.down_proj"),
    "glm": _of("GlmConfig", "mlp.down_proj", head_dim=8),
    "glm4": _of("Glm4Config", "mlp.down_proj", head_dim=8),
    "exaone4": _of("Exaone4Config", "mlp.down_proj", sliding_window=4, sliding_window_pattern=2),
    "ernie4_5": _of("Ernie4_5Config", "mlp.down_proj", head_dim=8),
    "seed_oss": _of("SeedOssConfig", "mlp.down_proj", head_dim=8),
    "arcee": _of("ArceeConfig", "mlp.down_proj"),
    "apertus": _of("ApertusConfig", "mlp.down_proj"),
    "xglm": _of(
        "XGLMConfig", "fc2", _SIZES, d_model=32, ffn_dim=48, num_layers=3, attention_heads=4, pad_token_id=1
    ),
    "ministral3": _of("Ministral3Config", "mlp.down_proj", head_dim=8),
    "hunyuan": _of("HunYuanDenseV1Config", "mlp.down_proj", head_dim=8),
    "nanochat": _of("NanoChatConfig", "mlp.fc2"),
    "lfm2": _of(
        "Lfm2Config",
        "feed_forward.w2",
        layer_types=["conv", "full_attention", "conv"],
        block_auto_adjust_ff_dim=False,
    ),
    "falcon_h1": _of("FalconH1Config", "feed_forward.down_proj", head_dim=8, mamba_d_ssm=32, mamba_n_heads=4),
    "olmo_hybrid": _of("OlmoHybridConfig", "mlp.down_proj", **_LINEAR),
    "qwen3_5-linear": _of("Qwen3_5TextConfig", "mlp.down_proj", **_LINEAR),
    "bitnet": _of("BitNetConfig", "mlp.down_proj"),
    "youtu": _of(
        "YoutuConfig",
        "mlp.down_proj",
        {**_GROUPED, "num_key_value_heads": 4},
        q_lora_rank=8,
        kv_lora_rank=8,
        qk_rope_head_dim=4,
        qk_nope_head_dim=4,
        v_head_dim=8,
    ),
    "modernbert-decoder": _of("ModernBertDecoderConfig", "mlp.Wo", _SIZES, pad_token_id=1),
}


_CAUSAL, _MASKED, _SEQUENCES = "AutoModelForCausalLM", "AutoModelForMaskedLM", "AutoModelForSeq2SeqLM"
_BOTH_WAYS, _EXPERTS = "is not causal, its tokens attend to later ones", "has no dense MLP to read at"
_T5 = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "vocab_size": VOCABULARY}
_BART = {
    **_SIZES,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "pad_token_id": 1,
}
_PADDED = {**_SIZES, "pad_token_id": 1}


def _refused(
    name: str, message: str, kind: str = _CAUSAL, sizes: dict[str, Any] = _GROUPED, **changed: Any
) -> tuple[str, Callable[[], Any], str]:
    return kind, _of(name, "", sizes, **changed).config, message


#: What cannot be read: the class that writes it, its configuration, and what is said.
REFUSED: dict[str, tuple[str, Callable[[], Any], str]] = {
    "bert": _refused("BertConfig", _BOTH_WAYS, _MASKED, _PADDED),
    "roberta": _refused("RobertaConfig", _BOTH_WAYS, _MASKED, _PADDED),
    "distilbert": _refused(
        "DistilBertConfig", _BOTH_WAYS, _MASKED, _PADDED, dim=32, hidden_dim=48, n_heads=4, n_layers=2
    ),
    "albert": _refused("AlbertConfig", _BOTH_WAYS, _MASKED, _PADDED, embedding_size=16),
    "electra": _refused("ElectraConfig", _BOTH_WAYS, _MASKED, _PADDED, embedding_size=16),
    "modernbert": _refused("ModernBertConfig", _BOTH_WAYS, _MASKED, _PADDED),
    "t5": _refused("T5Config", "is an encoder-decoder model", _SEQUENCES, _T5),
    "bart": _refused("BartConfig", "is an encoder-decoder model", _SEQUENCES, _BART),
    "mixtral": _refused("MixtralConfig", _EXPERTS, num_local_experts=2),
    "qwen2_moe": _refused("Qwen2MoeConfig", _EXPERTS, num_experts=2, num_experts_per_tok=1),
    "mamba": _refused("MambaConfig", _EXPERTS, sizes=_SIZES, state_size=4),
    "gpt_neox-unbiased": _refused(
        "GPTNeoXConfig", "does not support this configuration", sizes=_SIZES, attention_bias=False
    ),
    "gpt2-unscaled": _refused(
        "GPT2Config", "does not support this configuration", sizes=_GPT, scale_attn_weights=False
    ),
    "falcon-new": _refused(
        "FalconConfig",
        "does not support this configuration",
        sizes=_SIZES,
        new_decoder_architecture=True,
        num_kv_heads=2,
    ),
    "falcon-alibi": _refused("FalconConfig", "does not support this configuration", sizes=_SIZES, alibi=True),
    "gemma3-both-ways": _refused(
        "Gemma3TextConfig", _BOTH_WAYS, sizes=_GEMMA, use_bidirectional_attention=True
    ),
    "llama-empty": _refused("LlamaConfig", "has no layers", num_hidden_layers=0),
    "hrm": _refused("HrmTextConfig", "has no layers"),
    "qwen3_next": _refused("Qwen3NextConfig", _EXPERTS, num_experts=2, num_experts_per_tok=1, **_LINEAR),
    "helium": _refused("HeliumConfig", "does not support HeliumForCausalLM", head_dim=8),
    "biogpt": _refused("BioGptConfig", "does not support BioGptForCausalLM", sizes=_PADDED),
}

_VISION = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 8,
    "patch_size": 4,
}
_IMAGE = VOCABULARY - 1


def _seeing(name: str, text: str, vision: str, sizes: dict[str, Any] = _GROUPED) -> Callable[[], Any]:
    return lambda: getattr(transformers, name)(
        text_config=getattr(transformers, text)(**sizes),
        vision_config=getattr(transformers, vision)(**_VISION),
        image_token_index=_IMAGE,
    )


def _qwen(name: str, section: list[int], vision: dict[str, Any]) -> Callable[[], Any]:
    rotation = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": section}
    return lambda: getattr(transformers, name)(
        text_config={**_GROUPED, "head_dim": 8, "rope_parameters": rotation},
        vision_config={"depth": 1, "num_heads": 2, "patch_size": 4, **vision},
        image_token_id=_IMAGE,
        video_token_id=_IMAGE - 1,
        vision_start_token_id=_IMAGE - 2,
        vision_end_token_id=_IMAGE - 3,
    )


_WINDOWED = {"hidden_size": 16, "out_hidden_size": 32, "intermediate_size": 24}

#: Models of images and text, whose text part is a causal language model.
IMAGE_TEXT: dict[str, Callable[[], Any]] = {
    "gemma3": lambda: transformers.Gemma3Config(
        text_config=transformers.Gemma3TextConfig(**_GEMMA, sliding_window=4),
        vision_config=transformers.SiglipVisionConfig(**_VISION),
        mm_tokens_per_image=4,
        image_token_index=_IMAGE,
        boi_token_index=_IMAGE - 1,
        eoi_token_index=_IMAGE - 2,
    ),
    "llava": _seeing("LlavaConfig", "LlamaConfig", "CLIPVisionConfig"),
    "llava_next": _seeing("LlavaNextConfig", "LlamaConfig", "CLIPVisionConfig"),
    "llava_onevision": _seeing("LlavaOnevisionConfig", "Qwen2Config", "SiglipVisionConfig"),
    "mistral3": _seeing("Mistral3Config", "MistralConfig", "PixtralVisionConfig"),
    "idefics3": lambda: transformers.Idefics3Config(
        text_config=transformers.LlamaConfig(**_GROUPED),
        vision_config=dict(_VISION),
        image_token_id=_IMAGE,
        scale_factor=2,
    ),
    "qwen2_vl": _qwen("Qwen2VLConfig", [1, 1, 2], {"embed_dim": 16, "hidden_size": 32}),
    "qwen2_5_vl": _qwen("Qwen2_5_VLConfig", [1, 1, 2], {**_WINDOWED, "fullatt_block_indexes": [0]}),
    "qwen3_vl": _qwen("Qwen3VLConfig", [2, 1, 1], {**_WINDOWED, "deepstack_visual_indexes": [0]}),
}

#: Those whose text part is none: prompts are read both ways.
UNREADABLE_IMAGE_TEXT: dict[str, Callable[[], Any]] = {
    "paligemma": lambda: transformers.PaliGemmaConfig(
        text_config=transformers.GemmaConfig(**_GROUPED, head_dim=8),
        vision_config=transformers.SiglipVisionConfig(**_VISION),
        image_token_index=_IMAGE,
        projection_dim=32,
    )
}
