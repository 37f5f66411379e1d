"""The causal language model inside an image-text model."""

from __future__ import annotations

from typing import Any

import torch

from n2gdb.ingest.models.loaded import close, probe_tokens, require_causal

__all__ = ["text_part", "tried"]

#: Text parts that transformers has no causal model for, and the one that computes the same on text only:
#: their rotation has three coordinates for images, and one for text.
_LIKE = {
    "qwen2_vl_text": ("Qwen2Config", "Qwen2ForCausalLM"),
    "qwen2_5_vl_text": ("Qwen2Config", "Qwen2ForCausalLM"),
    "qwen3_vl_text": ("Qwen3Config", "Qwen3ForCausalLM"),
}

#: Tokens that any model reads, should its configuration not say how many.
_CONTEXT = 8


def text_part(model: Any) -> Any:
    """The causal language model inside an image-text model, sharing its weights; any other model itself.

    The whole model is also returned where no part of it computes the same on text.
    """
    if not hasattr(model.config, "text_config"):
        return model
    text = _assembled(model)
    if text is None or not close(tried(text)[1], tried(model)[1], model.dtype):
        return model
    return text


def tried(model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The prompts that models are tried on, and a model's logits: (2, position), (2, position, token).

    Raises ModelError for a model whose positions attend to later ones.
    """
    config = model.config.get_text_config()
    tokens = probe_tokens(config.vocab_size, getattr(config, "max_position_embeddings", None) or _CONTEXT)
    tokens = tokens.to(model.device)
    with torch.inference_mode():
        logits = model(input_ids=tokens).logits
    require_causal(logits, type(model).__name__, model.dtype)
    return tokens, logits


def _assembled(model: Any) -> Any:
    """A causal model of the text part's kind around its weights; None if there is no such kind."""
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    config, inner = model.config.text_config, model.get_decoder()
    if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING:
        kind = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    elif config.model_type in _LIKE:
        like, kind = (getattr(transformers, name) for name in _LIKE[config.model_type])
        fields = {name: value for name, value in config.to_dict().items() if name != "model_type"}
        config = like(**fields)
    else:
        return None
    with torch.device("meta"):  # its own weights are never drawn
        text = kind._from_config(config)
    if type(text.base_model) is type(inner):
        setattr(text, text.base_model_prefix, inner)
    elif text.base_model.state_dict().keys() == inner.state_dict().keys():
        text.base_model.load_state_dict(inner.state_dict(), assign=True)
        text.base_model.rotary_emb = type(text.base_model.rotary_emb)(config)  # holds no weights
    else:
        return None
    text.set_output_embeddings(model.get_output_embeddings())
    return text.eval()
