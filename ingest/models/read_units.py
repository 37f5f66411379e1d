"""A model together with the units read from it: sides of neurons, and dictionaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from n2gdb.core.units import NEGATIVE, POSITIVE
from n2gdb.errors import ModelError
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.sources.dictionary import Dictionary
from n2gdb.ingest.sources.formats import read_dictionaries
from n2gdb.ingest.sources.places import (
    SITES_BY_NAME,
    SiteOfLayer,
    UnitPlaceOf,
    dictionary_places,
    site_name,
    site_of,
)
from n2gdb.ingest.trunk.trunk import SITES

__all__ = ["sites_of", "stored_places", "with_units"]


def with_units(model: SubjectModel, sides: str, latents: Sequence[UnitPlaceOf] = ()) -> SubjectModel:
    """Return a model whose neurons are scanned on ``sides`` of them, and that is read at other places too.

    A model whose trunk cannot be read where some dictionary reads is run by its own pass. Raises ModelError
    for a dictionary that does not fit the model.
    """
    for part in latents:
        if part.layer >= model.n_layers:
            raise ModelError(f"{part.name} reads layer {part.layer}, and {model.name} has {model.n_layers}")
    can = all(site_of(part) in SITES for part in latents)
    scanned = POSITIVE + NEGATIVE if NEGATIVE in sides else POSITIVE
    # The parts of a dictionary share its weights: each is brought to the model's device once.
    read = {part.dictionary for part in latents if part.dictionary is not None}
    moved = {dictionary: dictionary.to(model.device) for dictionary in read}
    here = tuple(replace(part, dictionary=moved.get(part.dictionary)) for part in latents)  # type: ignore[arg-type]
    found = replace(model, sides=scanned, latents=here, trunk=model.trunk if can else None)
    tokens = torch.zeros((1, 2), dtype=torch.int64, device=model.device)
    for part in {part.hook: part for part in latents}.values():
        width = found.hook_width(tokens, part)
        wanted = part.width if part.dictionary is None else part.dictionary.d_in
        if width != wanted:
            raise ModelError(
                f"{part.name} encodes {wanted} numbers a token, and {part.hook} of {model.name} has {width}"
            )
    return found


def stored_places(rows: Sequence[Mapping[str, object]]) -> tuple[UnitPlaceOf, ...]:
    """Return the places of sources that were ingested once: rows of ``schema.SOURCES``, MLPs aside.

    Dictionaries are read again from where they lay. Raises ModelError where one is no longer there.
    """
    read: dict[str, list[Dictionary]] = {}
    found: list[Dictionary | SiteOfLayer] = []
    for row in rows:
        name, origin, revision = (str(row[column]) for column in ("name", "origin", "revision"))
        if not origin:
            found.append(
                SiteOfLayer(
                    layer=int(str(row["layer"])),
                    name=name,
                    d_sae=int(str(row["width"])),
                    sides=str(row["sides"]),
                    fingerprint=str(row["fingerprint"]),
                )
            )
            continue
        place = f"{origin}@{revision}" if revision and not Path(origin).exists() else origin
        if place not in read:
            read[place] = read_dictionaries(place)
        same = [one for one in read[place] if one.fingerprint == row["fingerprint"]]
        if not same:
            raise ModelError(
                f"{origin} no longer holds the latents of {name} that the database was made of; "
                "bring them back, or ingest these under another name"
            )
        found.append(replace(same[0], name=name))
    return dictionary_places(found, [dict(row) for row in rows])


def sites_of(
    model: SubjectModel, names: Sequence[str], layers: Sequence[int], sides: str
) -> list[SiteOfLayer]:
    """Return the sites of some layers by the names that people give them, on one side or both.

    Raises SelectionError for a name that is none, and ModelError where the model has no such site.
    """
    found = []
    tokens = torch.zeros((1, 2), dtype=torch.int64, device=model.device)
    for name in dict.fromkeys(map(site_name, names)):
        hook = f"blocks.{layers[0]}.{SITES_BY_NAME[name][0]}"
        probe = UnitPlaceOf(layer=layers[0], number=1, name=name, hook=hook, width=1, count=1)
        width = model.hook_width(tokens, probe)
        found += [
            SiteOfLayer(layer=layer, name=name, d_sae=width, sides=sides, fingerprint=model.fingerprint)
            for layer in layers
        ]
    return found
