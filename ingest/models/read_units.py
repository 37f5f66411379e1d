"""A model together with the units read from it: sides of neurons, and dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from n2gdb.core.units import NEGATIVE, POSITIVE
from n2gdb.errors import ModelError
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.sources.places import UnitPlaceOf, site_of
from n2gdb.ingest.trunk.trunk import SITES

__all__ = ["with_units"]


def with_units(model: SubjectModel, sides: str, latents: Sequence[UnitPlaceOf] = ()) -> SubjectModel:
    """Return a model whose neurons are scanned on ``sides`` of them, and read at dictionaries' places too.

    A model whose trunk cannot be read where some dictionary reads is run by its own pass. Raises ModelError
    for a dictionary that does not fit the model.
    """
    for part in latents:
        if part.layer >= model.n_layers:
            raise ModelError(f"{part.name} reads layer {part.layer}, and {model.name} has {model.n_layers}")
    can = all(site_of(part) in SITES for part in latents)
    scanned = POSITIVE + NEGATIVE if NEGATIVE in sides else POSITIVE
    found = replace(model, sides=scanned, latents=tuple(latents), trunk=model.trunk if can else None)
    tokens = torch.zeros((1, 2), dtype=torch.int64, device=model.device)
    for part in {part.hook: part for part in latents}.values():
        assert part.dictionary is not None
        width = found.hook_width(tokens, part)
        if width != part.dictionary.d_in:
            raise ModelError(
                f"{part.name} encodes {part.dictionary.d_in} numbers a token, "
                f"and {part.hook} of {model.name} has {width}"
            )
    return found
