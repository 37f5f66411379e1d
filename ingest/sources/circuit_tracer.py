"""circuit-tracer's transcoders: layer_N.safetensors for each layer beside a config.yaml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from n2gdb.errors import ModelError
from n2gdb.ingest.sources.dictionary import Dictionary
from n2gdb.ingest.sources.files import read_tensors, read_yaml, source_name, taken

__all__ = ["LAYER_FILE", "read_circuit_tracer", "read_layer_file"]

LAYER_FILE = re.compile(r"layer_(\d+)\.safetensors")


def read_circuit_tracer(folder: Path, origin: str, revision: str = "") -> list[Dictionary]:
    """Read every layer's transcoder of a folder, in the order of layers."""
    config = _config(folder, origin)
    files = {int(found[1]): path for path in folder.iterdir() if (found := LAYER_FILE.fullmatch(path.name))}
    return [_read(files[layer], layer, config, origin, revision) for layer in sorted(files)]


def read_layer_file(path: Path, origin: str, revision: str = "") -> list[Dictionary]:
    """Read one layer's transcoder."""
    found = LAYER_FILE.fullmatch(path.name)
    if found is None:
        raise ModelError(f"{origin}: a transcoder's file is named layer_N.safetensors")
    return [_read(path, int(found[1]), _config(path.parent, origin), origin, revision)]


def _config(folder: Path, origin: str) -> dict[str, Any]:
    path = folder / "config.yaml"
    if not path.is_file():
        raise ModelError(f"{origin}: there is no config.yaml beside the layers that names feature_input_hook")
    config = read_yaml(path)
    if config.get("model_kind") == "cross_layer_transcoder":
        raise ModelError(f"{origin}: cross-layer transcoders cannot be read; n2gdb reads those of one layer")
    if not isinstance(config.get("feature_input_hook"), str):
        raise ModelError(f"{path} does not name feature_input_hook")
    return config


def _read(path: Path, layer: int, config: dict[str, Any], origin: str, revision: str) -> Dictionary:
    weights = read_tensors(path)
    encoder, bias, decoder = taken(weights, ("W_enc", "b_enc", "W_dec"), path)
    threshold = weights.get("activation_function.threshold")
    k = int(weights["k"]) if "k" in weights else 0
    scan = config.get("scan")
    name = scan[0] if isinstance(scan, list) and scan else scan
    return Dictionary(
        name=source_name(str(name or Path(origin).name).rpartition("/")[2]),
        hook=f"blocks.{layer}.{config['feature_input_hook']}",
        kind="transcoder",
        activation="topk" if k else "relu" if threshold is None else "jumprelu",
        encoder=encoder.T.contiguous(),
        bias=bias,
        decoder=decoder,
        threshold=_spread(threshold, len(bias)),
        k=k,
        architecture="circuit_tracer",
        model_name=str(config.get("model_name") or ""),
        origin=f"{origin}/{path.name}" if not origin.endswith(path.name) else origin,
        revision=revision,
    )


def _spread(threshold: torch.Tensor | None, d_sae: int) -> torch.Tensor | None:
    """One threshold for all latents stands for as many."""
    return None if threshold is None else threshold.reshape(-1).expand(d_sae).contiguous()
