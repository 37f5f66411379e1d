"""Sparsify (EleutherAI): a folder for each hook point with cfg.json and sae.safetensors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from n2gdb.errors import ModelError
from n2gdb.ingest.sources.dictionary import Dictionary
from n2gdb.ingest.sources.files import number, read_json, read_tensors, source_name, taken

__all__ = ["SPARSIFY_FILES", "read_sparsify"]

SPARSIFY_FILES = ("cfg.json", "sae.safetensors")

_MODULE = re.compile(r"(?:.*[._])?(?:layers|h|blocks|block)[._](\d+)(?:[._](.+))?")

#: What a module of a layer gives, by its name; the layer itself gives the residual stream after it.
_OUTPUTS = {
    "": "hook_resid_post",
    "mlp": "hook_mlp_out",
    "attn": "hook_attn_out",
    "self_attn": "hook_attn_out",
    "attention": "hook_attn_out",
}


def read_sparsify(folder: Path, origin: str, revision: str = "") -> list[Dictionary]:
    """Read one hook point's folder; its name says where it reads, as ``layers.6`` or ``layers.6.mlp``."""
    path, weights_path = folder / "cfg.json", folder / "sae.safetensors"
    config = read_json(path)
    activation = str(config.get("activation", "topk"))
    if activation != "topk" or config.get("signed"):
        kind = "signed" if config.get("signed") else activation
        raise ModelError(f"{origin}: {kind} dictionaries of sparsify cannot be read; n2gdb reads topk")
    weights = read_tensors(weights_path)
    encoder, decoder, b_dec = taken(weights, ("encoder.weight", "W_dec", "b_dec"), weights_path)
    d_sae, d_in = encoder.shape
    transcodes = bool(config.get("transcode", False))
    if d_in != config.get("d_in", d_in):
        raise ModelError(f"{path} says d_in {config['d_in']}, and the weights have {d_in}")
    run = _run_config(folder)
    return [
        Dictionary(
            name=source_name(_name(folder, origin)),
            hook=_hook(folder.name, transcodes=transcodes, origin=origin),
            kind="transcoder" if transcodes else "sae",
            activation="topk",
            encoder=encoder.T.contiguous(),
            bias=weights.get("encoder.bias", torch.zeros(d_sae)),
            decoder=decoder,
            input_bias=None if transcodes else b_dec,
            k=number(config, "k", path),
            architecture="sparsify_transcoder" if transcodes else "sparsify",
            model_name=str(run.get("model") or ""),
            origin=origin,
            revision=revision,
        )
    ]


def _hook(module: str, *, transcodes: bool, origin: str) -> str:
    """The hook point of a module's output; what enters the MLP, for a transcoder of one."""
    found = _MODULE.fullmatch(module)
    part = (found[2] or "") if found else None
    if found is None or part not in _OUTPUTS or (transcodes and part != "mlp"):
        what = "transcoder" if transcodes else "SAE"
        raise ModelError(
            f"{origin}: no {what} of {module!r} can be read; "
            "folders are named by their modules, as layers.6, layers.6.mlp or layers.6.self_attn"
        )
    return f"blocks.{int(found[1])}.{'mlp.hook_in' if transcodes else _OUTPUTS[part]}"


def _run_config(folder: Path) -> dict[str, Any]:
    beside = folder.parent / "config.json"
    return read_json(beside) if beside.is_file() else {}


def _name(folder: Path, origin: str) -> str:
    """The repository's or the parent folder's name, with the module where it is not the whole layer."""
    found = _MODULE.fullmatch(folder.name)
    part = f"-{found[2]}" if found and found[2] else ""
    above = Path(origin).parent.name or folder.resolve().parent.name
    return f"{above.partition('@')[0]}{part}"
