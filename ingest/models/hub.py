"""Models in Hugging Face formats: a local directory, a GGUF file, or a name on the hub."""

from __future__ import annotations

import contextlib
import io
import tempfile
from importlib.util import find_spec
from pathlib import Path

import torch

from n2gdb.errors import ModelError, one_line
from n2gdb.ingest.models.loaded import Loaded, loaded, needs_newer
from n2gdb.ingest.models.pretrained import load_pretrained
from n2gdb.ingest.models.tokenizer import ModelTokenizer

__all__ = ["boot_directory", "boot_gguf", "boot_hub", "is_gguf", "require_float32", "require_on_hub"]

_MAGIC = b"GGUF"

#: Owners of models in TransformerLens' own format, and what reads them.
_LEGACY = ("NeelNanda/", "ArthurConmy/", "Baidicoot/")
_LEGACY_READER = "transformer_lens.model_bridge.sources.tl_legacy"

#: Seconds that the hub has to answer before it counts as out of reach.
_PATIENCE = 4.0


def boot_directory(directory: Path, name: str, device: str, held: torch.dtype = torch.float32) -> Loaded:
    """Load a model from a local directory, without a network; raise ModelError naming it."""
    return load_pretrained(str(directory), f"{name} cannot be loaded", device, held)


def is_gguf(path: Path) -> bool:
    """Whether a file is a GGUF model, by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def boot_gguf(path: Path, name: str, device: str, held: torch.dtype = torch.float32) -> Loaded:
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
        return boot_directory(Path(folder), name, device, held)


def _unpack(path: Path, folder: Path, name: str) -> None:
    """Write the model as a Hugging Face directory."""
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


def boot_hub(name: str, device: str, held: torch.dtype = torch.float32) -> Loaded:
    """Load a model by its name on the hub; SoLU and GELU models also by their usual names.

    A model in the local cache loads without the hub. Raises ModelError if there is none and the hub
    cannot be reached, or has no such model.
    """
    repository = _repository(name)
    is_legacy = repository.startswith(_LEGACY)
    if is_legacy and find_spec(_LEGACY_READER) is None:
        raise needs_newer(name)
    require_on_hub(repository, name)
    failure = f"{name}: {repository} cannot be loaded from the Hugging Face hub"
    if is_legacy:
        require_float32(name, held)
        return _boot_legacy(repository, failure, device)
    return load_pretrained(repository, failure, device, held)


def _repository(name: str) -> str:
    """The repository that a model's usual name stands for, such as solu-6l's; any other name itself."""
    try:
        from transformer_lens.tools.model_registry.registry_io import resolve_model_alias
    except ImportError:  # before version 4
        from transformer_lens.supported_models import MODEL_ALIASES

        return next((known for known, names in MODEL_ALIASES.items() if name in names), name)
    return resolve_model_alias(name) or name


def require_float32(name: str, held: torch.dtype) -> None:
    """Raise ModelError where a model that only transformer-lens reads is asked for in another type."""
    if held != torch.float32:
        raise ModelError(
            f"{name} can only be held in float32: --weights is for models in Hugging Face format"
        )


def require_on_hub(repository: str, name: str) -> None:
    """Ask the hub once for the model, so that a missing one costs seconds and not a chain of retries."""
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    shown = name if name == repository else f"{name} ({repository})"
    hint = "a local directory works too: n2gdb ingest ./my-model"
    try:
        HfApi().model_info(repository, timeout=_PATIENCE)
    except GatedRepoError as error:
        raise ModelError(f"{shown} is gated on the Hugging Face hub: accept its terms and log in") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelError(f"{shown}: the Hugging Face hub has no such model; {hint}") from error
    except Exception as error:  # whatever the transport raises, the hub is out of reach
        if not isinstance(try_to_load_from_cache(repository, "config.json"), str):
            raise ModelError(f"{shown}: the Hugging Face hub cannot be reached; {hint}") from error


def _boot_legacy(repository: str, failure: str, device: str) -> Loaded:
    from transformer_lens.model_bridge.sources.tl_legacy import boot

    try:
        bridge = boot(repository, device=device)
    except Exception as error:  # network, file and format errors of three libraries
        raise ModelError(f"{failure}: {one_line(error)}") from error
    if bridge.tokenizer is None:
        raise ModelError(f"{failure}: it has no tokenizer")
    prepend_bos = bool(getattr(bridge.cfg, "default_prepend_bos", True))
    tokenizer = ModelTokenizer.from_transformers(
        bridge.tokenizer, bridge.cfg.d_vocab, prepend_bos=prepend_bos
    )
    return loaded(bridge, tokenizer)
