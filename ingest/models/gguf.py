"""Models in a GGUF file: weights are unpacked to float32, and read as any other directory's."""

from __future__ import annotations

import contextlib
import io
import tempfile
from importlib.util import find_spec
from pathlib import Path

from n2gdb.errors import ModelError, one_line
from n2gdb.ingest.models.hub import boot_directory
from n2gdb.ingest.models.loaded import Loaded

__all__ = ["boot_gguf", "is_gguf"]

_MAGIC = b"GGUF"


def is_gguf(path: Path) -> bool:
    """Whether a file is a GGUF model, by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def boot_gguf(path: Path, name: str, device: str) -> Loaded:
    """Load a model from a GGUF file through transformers' reader.

    Raises ModelError where the extra ``n2gdb[gguf]`` is not installed, or the file cannot be read.
    """
    missing = [package for package in ("gguf", "accelerate") if find_spec(package) is None]
    if missing:
        raise ModelError(
            f"{name} is a GGUF file, which needs {' and '.join(missing)}: pip install 'n2gdb[gguf]'"
        )
    with tempfile.TemporaryDirectory(prefix="n2gdb-gguf-") as folder:
        with contextlib.redirect_stderr(io.StringIO()):  # a progress bar
            _unpack(path, Path(folder), name)
        return boot_directory(Path(folder), name, device)


def _unpack(path: Path, folder: Path, name: str) -> None:
    """Write the model as a Hugging Face directory."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    given = {"gguf_file": path.name}
    try:
        model = AutoModelForCausalLM.from_pretrained(path.parent, dtype=torch.float32, **given)
        tokenizer = AutoTokenizer.from_pretrained(path.parent, **given)
        # The weights are unpacked: what says how they were packed would have them unpacked once more.
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.hf_quantizer = None
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except Exception as error:  # format errors of three libraries
        raise ModelError(f"{name} cannot be read as a GGUF model: {one_line(error)}") from error
