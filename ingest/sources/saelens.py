"""SAELens' folders: cfg.json and sae_weights.safetensors, of version 6 and of the versions before it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from n2gdb.errors import ModelError
from n2gdb.ingest.sources.dictionary import Dictionary, GatedWeights, layer_of
from n2gdb.ingest.sources.files import number, read_json, read_tensors, source_name, taken

__all__ = ["SAELENS_FILES", "read_saelens"]

SAELENS_FILES = ("cfg.json", "sae_weights.safetensors")

#: What each architecture does to pre-activations. BatchTopK and Matryoshka are stored as JumpReLU.
_ACTIVATION = {
    "standard": "relu",
    "jumprelu": "jumprelu",
    "gated": "gated",
    "topk": "topk",
    "transcoder": "relu",
    "skip_transcoder": "relu",
    "jumprelu_transcoder": "jumprelu",
    "jumprelu_skip_transcoder": "jumprelu",
}

_NORMALISATION = {
    "none": "none",
    "layer_norm": "layer_norm",
    "constant_norm_rescale": "constant_norm_rescale",
    "expected_average_only_in": "factor",
}

#: Hub repositories trained on models whose writing weights were centred, which their files do not say.
_CENTRED = (
    "jbloom/GPT2-Small-SAEs-Reformatted",
    "jbloom/GPT2-Small-Feature-Splitting-Experiment-Layer-8",
    "tommmcgrath/gpt2-small-mlp-out-saes",
)

_NEURONPEDIA = re.compile(r"(?:[^/]+/)?\d+-([^/]+)")


def read_saelens(folder: Path, origin: str, revision: str = "") -> list[Dictionary]:
    """Read one folder of SAELens; raise ModelError for an architecture that one latent cannot be read of."""
    path = folder / "cfg.json"
    config = _as_version_6(read_json(path))
    said = config.get("metadata") or {}
    architecture = str(config.get("architecture", "standard"))
    if architecture not in _ACTIVATION:
        raise ModelError(
            f"{origin}: {architecture} dictionaries cannot be read; n2gdb reads {', '.join(_ACTIVATION)}"
        )
    hook = said.get("hook_name")
    if not isinstance(hook, str):
        raise ModelError(f"{path} does not name its hook point: metadata.hook_name")
    if str(said.get("hf_hook_name") or "").endswith("pre_feedforward_layernorm.output"):
        # SAELens calls it hook_mlp_in, which lies before the norm.
        hook = f"blocks.{layer_of(hook)}.mlp.hook_in"
    if said.get("hook_head_index") is not None:
        raise ModelError(f"{origin}: dictionaries of one attention head cannot be read")
    weights_path = folder / "sae_weights.safetensors"
    weights = read_tensors(weights_path)
    encoder, decoder, b_dec = taken(weights, ("W_enc", "W_dec", "b_dec"), weights_path)
    is_transcoder = architecture.endswith("transcoder")
    subtracts = bool(config.get("apply_b_dec_to_input", not is_transcoder)) and not is_transcoder
    normalisation = str(config.get("normalize_activations") or "none")
    if normalisation not in _NORMALISATION:
        raise ModelError(f"{origin}: normalize_activations {normalisation} is not folded into the weights")
    found = Dictionary(
        name=_name(said, folder),
        hook=hook,
        kind="transcoder" if is_transcoder else "sae",
        activation=_ACTIVATION[architecture],
        encoder=encoder,
        bias=_bias(weights, encoder, weights_path, architecture),
        decoder=decoder,
        input_bias=b_dec if subtracts else None,
        threshold=weights.get("threshold") if "jumprelu" in architecture else None,
        gated=_gated(weights, weights_path) if architecture == "gated" else None,
        k=number(config, "k", path) if architecture == "topk" else 0,
        rescaled=architecture == "topk" and bool(config.get("rescale_acts_by_decoder_norm", False)),
        normalisation=_NORMALISATION[normalisation],
        factor=_factor(folder, config) if normalisation == "expected_average_only_in" else 1.0,
        centred=_is_centred(said, origin),
        architecture=architecture,
        model_name=str(said.get("model_name") or ""),
        prepend_bos=said.get("prepend_bos"),
        origin=origin,
        revision=revision,
        log_density=_log_density(folder),
    )
    if found.d_sae != config.get("d_sae", found.d_sae) or found.d_in != config.get("d_in", found.d_in):
        raise ModelError(
            f"{path} says {config.get('d_in')} x {config.get('d_sae')}, "
            f"and the weights are {found.d_in} x {found.d_sae}"
        )
    return [found]


def _as_version_6(config: dict[str, Any]) -> dict[str, Any]:
    """Write a configuration of any version as version 6 does; earlier ones have no metadata."""
    if isinstance(config.get("metadata"), dict):
        return config
    renamed = {"hook_point": "hook_name", "hook_point_head_index": "hook_head_index"}
    found = {renamed.get(name, name): value for name, value in config.items()}
    function = found.get("activation_fn_str") or found.get("activation_fn") or "relu"
    if function == "topk":
        found["architecture"] = "topk"
        found["k"] = (found.get("activation_fn_kwargs") or {}).get("k")
    elif function != "relu":
        found["architecture"] = str(function)
    scaled = found.get("normalize_activations")
    if isinstance(scaled, bool):
        found["normalize_activations"] = "expected_average_only_in" if scaled else "none"
    found.setdefault("prepend_bos", True)
    found["metadata"] = dict(found)
    return found


def _bias(
    weights: dict[str, torch.Tensor], encoder: torch.Tensor, path: Path, architecture: str
) -> torch.Tensor:
    if architecture == "gated":
        return torch.zeros(encoder.shape[1])
    return taken(weights, ("b_enc",), path)[0]


def _gated(weights: dict[str, torch.Tensor], path: Path) -> GatedWeights:
    return GatedWeights(*taken(weights, ("b_gate", "b_mag", "r_mag"), path))


def _factor(folder: Path, config: dict[str, Any]) -> float:
    """The number that activations are multiplied by; 1 where it is folded into the weights already."""
    beside = folder / "activation_scaler.json"
    stored = read_json(beside) if beside.is_file() else config
    return float(stored.get("scaling_factor") or config.get("norm_scaling_factor") or 1.0)


def _is_centred(said: dict[str, Any], origin: str) -> bool:
    arguments = said.get("model_from_pretrained_kwargs") or {}
    return bool(arguments.get("center_writing_weights")) or origin.startswith(_CENTRED)


def _log_density(folder: Path) -> torch.Tensor | None:
    path = folder / "sparsity.safetensors"
    return read_tensors(path).get("sparsity") if path.is_file() else None


def _name(said: dict[str, Any], folder: Path) -> str:
    """The name that Neuronpedia has for it, else the folder's."""
    known = _NEURONPEDIA.fullmatch(str(said.get("neuronpedia_id") or ""))
    return source_name(known[1] if known else folder.resolve().name)
