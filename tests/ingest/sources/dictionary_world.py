"""Folders of small random dictionaries that SAELens saved, for tests."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import torch

from n2gdb.ingest.sources.dictionary import Dictionary
from n2gdb.ingest.sources.formats import read_dictionaries

FIXTURE = Path(__file__).parents[2] / "fixtures" / "dictionaries.zip"
NAMES = sorted({name.split("/")[0] for name in zipfile.ZipFile(FIXTURE).namelist()})
READ = [name for name in NAMES if not name.startswith("refused")]


def extracted(folder: Path) -> Path:
    """Write every dictionary of the fixture into a folder, and return it."""
    with zipfile.ZipFile(FIXTURE) as file:
        file.extractall(folder)
    return folder


def one(spec: object) -> Dictionary:
    (found,) = read_dictionaries(str(spec))
    return found


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def edited(source: Path, target: Path, **changes: Any) -> Path:
    """Copy a SAELens folder with a changed configuration; None takes a key away."""
    target.mkdir()
    config = {**json.loads((source / "cfg.json").read_text()), **changes}
    config = {key: value for key, value in config.items() if value is not None}
    (target / "cfg.json").write_text(json.dumps(config))
    (target / "sae_weights.safetensors").write_bytes((source / "sae_weights.safetensors").read_bytes())
    return target
