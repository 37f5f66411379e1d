"""Models in the native format: config.json, model.safetensors and tokenizer.json in one directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from n2gdb.errors import ModelError, one_line
from n2gdb.ingest.models.loaded import Loaded, loaded, needs_newer
from n2gdb.ingest.models.tokenizer import ModelTokenizer
from n2gdb.ingest.sources.files import read_json

__all__ = ["boot_native", "demo_directory", "is_native"]

_ARCHITECTURE = "TransformerLensNative"


def demo_directory() -> Path:
    """Directory of the packaged demo model."""
    from importlib import resources

    return Path(str(resources.files("n2gdb.ingest.demo")))


def is_native(directory: Path) -> bool:
    """Whether a directory's config.json is in the native format, not Hugging Face's.

    Raises ModelError if there is no readable config.json.
    """
    config = _read_config(directory)
    return "model_type" not in config and "architectures" not in config


def boot_native(directory: Path, name: str, device: str) -> Loaded:
    """Load a model from a directory in the native format.

    config.json holds fields of TransformerBridgeConfig, model.safetensors the weights under
    TransformerLens property names, in any float type. Raises ModelError naming the file at fault.
    """
    import torch
    from transformer_lens.config import TransformerBridgeConfig

    try:
        from transformer_lens.model_bridge.sources.native import boot
        from transformer_lens.utilities.tl_checkpoint_conversion import convert_tl_checkpoint
    except ImportError as error:
        raise needs_newer(name) from error
    fields = {**_read_config(directory), "architecture": _ARCHITECTURE, "init_weights": False}
    try:
        config = TransformerBridgeConfig(**{**fields, "model_name": name})
        bridge = boot(config, device=device, dtype=torch.float32, model_name=name)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise ModelError(f"{directory / 'config.json'} is not a native model: {one_line(error)}") from error
    weights = _read_weights(directory / "model.safetensors")
    try:
        bridge.load_state_dict(convert_tl_checkpoint(weights, config), strict=True)
    except (ValueError, RuntimeError, KeyError) as error:
        raise ModelError(
            f"{directory / 'model.safetensors'} does not fit config.json: {one_line(error)}"
        ) from error
    prepend_bos = bool(getattr(bridge.cfg, "default_prepend_bos", True))
    tokenizer = ModelTokenizer.from_file(
        directory / "tokenizer.json", bridge.cfg.d_vocab, prepend_bos=prepend_bos
    )
    return loaded(bridge, tokenizer)


def _read_config(directory: Path) -> dict[str, Any]:
    path = directory / "config.json"
    if not path.exists():
        raise ModelError(f"{directory} is not a model: it has no config.json")
    return read_json(path)


def _read_weights(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise ModelError(f"{path.parent} is not a model: it has no {path.name}")
    try:
        return {name: tensor.float() for name, tensor in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is damaged: {one_line(error)}") from error
