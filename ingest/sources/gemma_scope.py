"""Gemma Scope: params.npz of the first release, config.json and params.safetensors of the second."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from n2gdb.errors import ModelError
from n2gdb.ingest.sources.dictionary import Dictionary
from n2gdb.ingest.sources.files import read_json, read_npz, read_tensors, source_name, taken

__all__ = ["GEMMA_SCOPE_2_FILES", "GEMMA_SCOPE_FILES", "read_gemma_scope", "read_gemma_scope_2"]

GEMMA_SCOPE_FILES = ("params.npz",)
GEMMA_SCOPE_2_FILES = ("params.safetensors",)

#: By what the repository's name ends with: the kind of site, its hook point, and the kind of dictionary.
_SITES = {
    "res": ("blocks.{}.hook_resid_post", "sae"),
    "mlp": ("blocks.{}.hook_mlp_out", "sae"),
    "att": ("blocks.{}.attn.hook_z", "sae"),
    "transcoders": ("blocks.{}.ln2.hook_normalized", "transcoder"),
}

#: By a word of the second release's folders. Its config.json says that transcoders read what
#: pre_feedforward_layernorm gives, the norm's weights in it: that is ``mlp.hook_in``. What stands before the
#: weights is ``ln2.hook_normalized``.
_SITES_2 = {
    "resid_post": ("blocks.{}.hook_resid_post", "sae"),
    "mlp_out": ("blocks.{}.hook_mlp_out", "sae"),
    "attn_out": ("blocks.{}.attn.hook_z", "sae"),
    "transcoder": ("blocks.{}.mlp.hook_in", "transcoder"),
}

_WEIGHTS = ("w_enc", "b_enc", "w_dec", "b_dec", "threshold")


def read_gemma_scope(folder: Path, origin: str, revision: str = "") -> list[Dictionary]:
    """Read one ``layer_L/width_W/average_l0_N`` folder, of the residual stream where no site is named."""
    path = folder / "params.npz"
    weights = {name.lower(): tensor for name, tensor in read_npz(path).items()}
    site = re.search(r"(?:^|[/-])(?:pt|it)-(res|mlp|att|transcoders)\b", origin)
    word = site[1] if site else "res"
    if "embedding" in Path(origin).parts:
        raise ModelError(f"{origin}: dictionaries of the embedding lie in no layer, and cannot be read")
    hook, kind = _SITES[word]
    model = re.search(r"gemma-scope-(\d+b)-(pt|it)", origin)
    name = f"gemmascope-{'transcoder' if kind == 'transcoder' else word}{_width(origin)}"
    model_name = "" if model is None else f"gemma-2-{model[1]}{'-it' if model[2] == 'it' else ''}"
    return [_dictionary(weights, path, origin, revision, hook, kind, name, model_name, "gemma_scope")]


def read_gemma_scope_2(folder: Path, origin: str, revision: str = "") -> list[Dictionary]:
    """Read one folder of Gemma Scope 2; its path, or config.json, says where it reads."""
    path = folder / "params.safetensors"
    weights = {name.lower(): tensor for name, tensor in read_tensors(path).items()}
    config = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    if config.get("architecture", "jump_relu") != "jump_relu":
        raise ModelError(f"{origin}: {config['architecture']} dictionaries of Gemma Scope 2 cannot be read")
    if "clt" in re.split(r"[/_-]", origin) or weights["w_dec"].ndim != 2:
        raise ModelError(f"{origin}: cross-layer transcoders cannot be read; n2gdb reads those of one layer")
    word = next((word for word in _SITES_2 if word in origin), None)
    word = word or _site_of_hook(str(config.get("hf_hook_point_in", "")), origin)
    hook, kind = _SITES_2[word]
    name = f"gemmascope-2-{word.replace('_', '-')}{_width(origin)}"
    model_name = str(config.get("model_name") or "")
    return [_dictionary(weights, path, origin, revision, hook, kind, name, model_name, "gemma_scope_2")]


def _dictionary(
    weights: dict[str, torch.Tensor],
    path: Path,
    origin: str,
    revision: str,
    hook: str,
    kind: str,
    name: str,
    model_name: str,
    architecture: str,
) -> Dictionary:
    encoder, bias, decoder, _, threshold = taken(weights, _WEIGHTS, path)
    return Dictionary(
        name=source_name(name),
        hook=hook.format(_layer(origin)),
        kind=kind,
        activation="jumprelu",
        encoder=encoder,
        bias=bias,
        decoder=decoder,
        threshold=threshold,
        architecture=architecture,
        model_name=model_name,
        prepend_bos=True,
        origin=origin,
        revision=revision,
    )


def _site_of_hook(hook: str, origin: str) -> str:
    """The site that a module of Gemma 3 is, as config.json names it."""
    ends = {
        "self_attn.o_proj.input": "attn_out",
        "post_feedforward_layernorm.output": "mlp_out",
        "pre_feedforward_layernorm.output": "transcoder",
    }
    for end, word in ends.items():
        if hook.endswith(end):
            return word
    if re.fullmatch(r"model\.layers\.\d+\.output", hook):
        return "resid_post"
    raise ModelError(f"{origin}: neither its path nor config.json says at which site it reads")


def _layer(origin: str) -> int:
    found = re.search(r"layer_(\d+)", origin)
    if found is None:
        raise ModelError(
            f"{origin}: its path does not name its layer, as in layer_20/width_16k/average_l0_71"
        )
    return int(found[1])


def _width(origin: str) -> str:
    found = re.search(r"width_(\w+?)(?:_|/|$)", origin)
    return f"-{found[1]}" if found else ""
