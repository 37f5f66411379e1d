"""Reads the files of dictionaries (JSON, YAML, safetensors, npz), with one-line errors."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from n2gdb.errors import ModelError, one_line

__all__ = ["number", "read_json", "read_npz", "read_tensors", "read_yaml", "source_name", "taken"]


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; raise ModelError naming the file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{path} is missing") from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {one_line(error)}") from error
    return _mapping(path, found)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; raise ModelError naming the file."""
    import yaml  # type: ignore[import-untyped]  # comes with transformers and huggingface_hub

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ModelError(f"{path} is not YAML: {one_line(error)}") from error
    return _mapping(path, found)


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file, floats as float32; raise ModelError naming the file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise ModelError(f"{path} is missing")
    try:
        found = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path} is damaged: {one_line(error)}") from error
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in found.items()}


def read_npz(path: Path) -> dict[str, torch.Tensor]:
    """Read an npz file, floats as float32; raise ModelError naming the file."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(np.asarray(arrays[name], np.float32)) for name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} is damaged: {one_line(error)}") from error


def taken(weights: dict[str, torch.Tensor], names: tuple[str, ...], path: Path) -> tuple[torch.Tensor, ...]:
    """Take tensors by name; raise ModelError naming those that the file lacks."""
    missing = [name for name in names if name not in weights]
    if missing:
        raise ModelError(f"{path} has no {', '.join(missing)}")
    return tuple(weights[name].contiguous() for name in names)


def number(config: dict[str, Any], key: str, path: Path) -> int:
    """Take a whole number of a configuration; raise ModelError where it is not one."""
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ModelError(f"{path}: {key} is {value!r}, not a whole number")
    return value


def source_name(text: str) -> str:
    """Write any text as the name of a source: letters, digits, dots, underscores and single dashes."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.") or "sae"


def _mapping(path: Path, found: object) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ModelError(f"{path} does not hold named values")
    return found
