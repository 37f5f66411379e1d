"""Loads the model that a database was made from."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict
from typing import Any

from n2gdb.core.units import UnitName
from n2gdb.errors import ModelError
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.models.read_units import stored_places, with_units
from n2gdb.ingest.models.subject import SubjectModel, load_model
from n2gdb.ingest.sources.places import UnitPlaceOf
from n2gdb.storage.read.catalog import ModelInfo
from n2gdb.storage.read.names import source_of

__all__ = ["load_stored_model", "stored_config"]


def load_stored_model(info: ModelInfo, device: str = "auto", unit: UnitName | None = None) -> SubjectModel:
    """Load the model of a database from where it was, on auto, cpu, cuda or mps.

    Of a ``unit`` that is no neuron, its dictionary or site is read too. Raises ModelError where the model or
    the dictionary cannot be loaded, or where its weights or its tokenizer are not those that the database was
    made of.
    """
    held = json.loads(info.configuration).get("weights", "float32")
    model = dataclasses.replace(load_model(info.source, device, weights=held), name=info.name)
    parts = {
        "weights": (model.fingerprint, info.model_fingerprint),
        "tokenizer": (model.tokenizer_fingerprint, info.tokenizer_fingerprint),
    }
    for part, (found, stored) in parts.items():
        if found != stored:
            raise ModelError(
                f"{info.name} is no longer the model that the database was made of: the fingerprint of its"
                f" {part} is {found[:12]}, not {stored[:12]}; bring that model back, or ingest this one"
            )
    sides = "".join({side for source in info.sources for side in source.sides})
    return with_units(model, sides, _stored_latents(info, unit) if unit is not None and unit.latent else ())


def _stored_latents(info: ModelInfo, unit: UnitName) -> tuple[UnitPlaceOf, ...]:
    """The places of the source that a unit is of, which is not an MLP."""
    source = source_of(info, unit)
    assert source is not None, "the database holds the unit"
    return stored_places([asdict(source)])


def stored_config(info: ModelInfo) -> N2GConfig:
    """Return the configuration that a model was ingested with; a number it does not name is the default."""
    stored = json.loads(info.configuration)
    known = {field.name for field in dataclasses.fields(N2GConfig)} & stored.keys()
    return N2GConfig(**{name: _frozen(stored[name]) for name in known})


def _frozen(value: Any) -> Any:
    """JSON knows no tuples."""
    return tuple(value) if isinstance(value, list) else value
