"""Fingerprint of a model: one SHA-256 of its configuration and its weights.

All of a configuration counts but what is known to leave activations alone, so that a field which a new
architecture brings is never overlooked. Fields at their default are left out, so that a later version of a
library, which knows more of them, names the same model the same way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["bridge_configuration", "model_fingerprint", "pretrained_configuration"]

#: Fields of transformers' configurations that say where a model came from, or how outputs are handed over.
_SILENT = frozenset(
    {
        "_name_or_path",
        "chunk_size_feed_forward",
        "id2label",
        "label2id",
        "output_attentions",
        "output_hidden_states",
        "problem_type",
        "return_dict",
        "transformers_version",
        "use_cache",
    }
)

#: Fields of TransformerBridgeConfig of the same kind, and those that speak of weights yet to be drawn.
_SILENT_IN_BRIDGE = frozenset(
    {
        "checkpoint_index",
        "checkpoint_label_type",
        "checkpoint_value",
        "device",
        "from_checkpoint",
        "init_mode",
        "init_weights",
        "initializer_range",
        "model_name",
        "n_devices",
        "n_params",
        "original_architecture",
        "seed",
        "tokenizer_name",
        "trust_remote_code",
        "use_attn_in",
        "use_attn_result",
        "use_hook_mlp_in",
        "use_hook_tokens",
        "use_split_qkv_input",
    }
)


def pretrained_configuration(config: Any) -> dict[str, Any]:
    """The fields of a configuration of the transformers library that bear on activations, defaults aside."""
    return _changed(config.to_dict(), type(config)().to_dict(), _SILENT)


def bridge_configuration(config: Any) -> dict[str, Any]:
    """The fields of a TransformerBridgeConfig that bear on activations, defaults aside."""
    plain = type(config)(d_model=1, d_head=1, n_layers=1, n_ctx=1)
    return _changed(vars(config), vars(plain), _SILENT_IN_BRIDGE)


def model_fingerprint(configuration: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> str:
    """Hash a configuration and every weight, name by name: SHA-256 in hexadecimal."""
    digest = hashlib.sha256(json.dumps(configuration, sort_keys=True, default=str).encode())
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().flatten().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _changed(
    found: Mapping[str, Any], default: Mapping[str, Any], silent: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The fields that differ from their default, in nested configurations too."""
    missing = object()
    changed: dict[str, Any] = {}
    for name, value in found.items():
        usual = default.get(name, missing)
        if name in silent or value == usual:
            continue
        nested = isinstance(value, Mapping) and isinstance(usual, Mapping)
        changed[name] = _changed(value, usual, silent) if nested else value
    return changed
