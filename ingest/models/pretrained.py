"""Models in Hugging Face format: loaded by transformers only, checked, and wrapped in a bridge.

transformer-lens can load them too, but it runs pip for image-text models, leaves weights that are missing
at random values, and gives tokenizers special tokens that they do not have. So it is handed a model that
is loaded already.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from n2gdb.errors import ModelError, one_line
from n2gdb.ingest.models.fingerprint import model_fingerprint, pretrained_configuration
from n2gdb.ingest.models.loaded import Loaded, close, require_finite
from n2gdb.ingest.models.text_part import text_part, tried
from n2gdb.ingest.models.tokenizer import ModelTokenizer

__all__ = ["load_pretrained"]

#: Keys that a message names.
_NAMED = 4

#: Causal masks, which older versions of transformers saved beside the weights, and newer ones compute.
_SAVED_MASK = re.compile(r"\b(attn|attention)\.(bias|masked_bias|causal_mask)$")


def load_pretrained(source: str, failure: str, device: str, held: torch.dtype = torch.float32) -> Loaded:
    """Load a causal language model, or the text part of an image-text model, its weights held as ``held``.

    ``source`` is a directory, and then no network is used, or a repository of the hub. Nothing is ever
    installed, and no code of the model's own is run. Raises ModelError, which begins with ``failure``: for a
    model that is not causal, for weights that are missing, unexpected, of another shape or not finite, and
    for what transformers or transformer-lens cannot load.
    """
    options = {"local_files_only": Path(source).is_dir(), "trust_remote_code": False}
    try:
        config = _configuration(source, options)
        identity = pretrained_configuration(config)
        model = text_part(_with_all_weights(_model_class(config), source, config, options, held))
        weights = model.state_dict()
        require_finite(weights)
        fingerprint = model_fingerprint(identity, weights)
        bridge = _bridged(model.to(device), source, held)
        tokenizer = ModelTokenizer.from_transformers(
            _tokenizer(source, options),
            bridge.cfg.d_vocab,
            prepend_bos=bool(bridge.cfg.default_prepend_bos),
        )
    except ModelError as error:
        raise ModelError(f"{failure}: {error}") from error
    except json.JSONDecodeError as error:
        raise ModelError(f"{failure}: {_damaged(source)} is not JSON: {error}") from error
    except (OSError, ValueError, RuntimeError) as error:  # files, formats and the network
        raise ModelError(f"{failure}: {one_line(error)}") from error
    except KeyError as error:  # a kind of activation or rotation without a class, or what a rotation lacks
        unknown = f"transformers does not know {error}, which config.json names"
        said = " ".join(str(part) for part in error.args)
        raise ModelError(f"{failure}: {said if ' ' in said else unknown}") from error
    except Exception as error:  # transformers and transformer-lens let any error through
        raise ModelError(f"{failure}: {type(error).__name__}: {one_line(error)}") from error
    return Loaded(bridge, tokenizer, fingerprint)


def _damaged(source: str) -> str:
    """Name the files of a directory that hold no JSON, though they are called so."""
    return (
        ", ".join(path.name for path in sorted(Path(source).glob("*.json")) if not _is_json(path)) or "a file"
    )


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True


def _configuration(source: str, options: dict[str, Any]) -> Any:
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(source, **options)
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ModelError("it needs code of its own, which n2gdb does not run") from error
    if getattr(config, "quantization_config", None):
        raise ModelError("its weights are quantised: save them in float32, float16 or bfloat16 first")
    return config


def _model_class(config: Any) -> Any:
    """The class of transformers that a causal model, or an image-text one, is loaded by."""
    from transformers.models.auto import modeling_auto as known

    kind, named = config.model_type, (config.architectures or [f"a {config.model_type}"])[0]
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(f"{named} is an encoder-decoder model: only causal language models can be read")
    both_ways = kind in known.MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False)
    if both_ways:
        raise ModelError(
            f"{named} is not causal, its tokens attend to later ones: only causal language models can be read"
        )
    for classes in (known.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, known.MODEL_FOR_CAUSAL_LM_MAPPING):
        if type(config) in classes:
            return classes[type(config)]
    raise ModelError(f"{named} is not a causal language model that transformers can load")


def _with_all_weights(kind: Any, source: str, config: Any, options: dict[str, Any], held: torch.dtype) -> Any:
    """Load a model, and see that each of its weights was there."""
    if "pad_token_id" not in vars(config):
        config.pad_token_id = None  # transformers 5 reads it, and raises where it is not there
    model, info = kind.from_pretrained(
        source,
        config=config,
        dtype=held,
        ignore_mismatched_sizes=True,  # reported below, by name
        output_loading_info=True,
        **options,
    )
    faults = {
        "are missing": sorted(info["missing_keys"]),
        "are not of this model": sorted(
            key for key in info["unexpected_keys"] if not _SAVED_MASK.search(key)
        ),
        "have another shape": [
            f"{key} {tuple(found)} where {tuple(wanted)} is due"
            for key, found, wanted in sorted(info["mismatched_keys"])
        ],
    }
    said = [f"{len(keys)} {what} ({_some(keys)})" for what, keys in faults.items() if keys]
    if said:
        raise ModelError(f"its weights do not fit its config.json: {'; '.join(said)}")
    for part in (model.config, model.config.get_text_config()):
        # Keys and values of a cache that nobody reads would double the memory of a batch; models without
        # attention cannot make one.
        part.use_cache = False
    return model.eval()


def _some(keys: Iterable[str]) -> str:
    first, *rest = [list(keys)[:_NAMED], list(keys)[_NAMED:]]
    return ", ".join(first) + (", ..." if rest[0] else "")


def _bridged(model: Any, source: str, held: torch.dtype) -> Any:
    from transformer_lens.factories.architecture_adapter_factory import SUPPORTED_ARCHITECTURES
    from transformer_lens.model_bridge.sources import build_bridge_from_module

    architecture = type(model).__name__
    if architecture not in SUPPORTED_ARCHITECTURES:
        raise ModelError(f"transformer-lens does not support {architecture} models")
    tokens, expected = tried(model)
    try:
        bridge = build_bridge_from_module(
            model, architecture, hf_config=model.config, dtype=held, model_name=source
        )
        with torch.inference_mode():
            found = bridge.forward(tokens, return_type="logits")
    except Exception as error:  # configurations that its authors did not meet
        raise ModelError(
            f"transformer-lens does not support this configuration of {architecture}"
            f" ({type(error).__name__}: {one_line(error)})"
        ) from error
    if not close(found, expected, held):
        raise ModelError(
            f"transformer-lens does not support this configuration of {architecture}: what it computes is not"
            " what transformers does"
        )
    return bridge


def _tokenizer(source: str, options: dict[str, Any]) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(source, **options)
    except json.JSONDecodeError:
        raise
    except Exception as error:  # two libraries read it, and neither says which errors it raises
        raise ModelError(
            f"its tokenizer cannot be loaded, a tokenizer.json is needed: {one_line(error)}"
        ) from error
